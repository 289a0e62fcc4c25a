"""Data roots: the places that hold the core's data and what it keeps beside them, as its config names them.

Users' folders and previews are one root where they lie side by side. Every other place that the config names is in a root that
holds it, or a root of its own. The folder of the platform's rqlited always is one, and is left out of what lies around it: its
times lie, so its last pass goes by checksum, which would be slow for users' attachments.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness.configuration.values import RQLITE_DIR

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.configuration import Config
    from harness.deed import Measured

DEEP_ENOUGH = 3
SHM = "*-shm"


@dataclass(frozen=True, slots=True)
class DataRoot:
    """A folder that holds the core's data; `excludes` are left out, as paths relative to it.

    `beside` is what the core keeps beside its data: it may not be there, and may belong to another user. `checksum` says that
    what is sent is chosen by content, as equal size and time do not tell equal files.
    """

    path: str
    excludes: tuple[str, ...] = (SHM,)
    beside: bool = False
    checksum: bool = False

    @property
    def name(self) -> str:
        """The root's name in the record and in file names."""
        return self.path.strip("/").replace("/", "-")

    def holds(self, path: str) -> bool:
        """Whether a path is this root or lies in it."""
        return path == self.path or path.startswith(f"{self.path.rstrip('/')}/")


def data_roots(config: Config) -> tuple[DataRoot, ...]:
    """Return the data roots: what users' files and previews lie in, then every other place that the config names."""
    roots = list(_of_users(config))
    for place in config.data_places():
        if place.key == RQLITE_DIR:
            roots = [_without(root, place.path) for root in roots]
            roots.append(DataRoot(place.path, checksum=True))
        elif not any(root.holds(place.path) for root in roots):
            roots.append(DataRoot(place.path, beside=place.beside))
    return tuple(roots)


def _of_users(config: Config) -> tuple[DataRoot, ...]:
    users = PurePosixPath(config.path("storages.engines.sqlite.path"))
    previews = PurePosixPath(config.path("storages.engines.filesystem.previewsDirPath"))
    shared = users.parent
    if shared == previews.parent and len(shared.parts) > DEEP_ENOUGH:
        return (DataRoot(str(shared), (f"/{previews.name}/*", SHM)),)
    return (DataRoot(str(users)), DataRoot(str(previews), ("*",)))


def _without(root: DataRoot, path: str) -> DataRoot:
    """Return a root without a folder that lies in it."""
    if path == root.path or not root.holds(path):
        return root
    return replace(root, excludes=(path[len(root.path.rstrip("/")) :], *root.excludes))


def found_at_rest(config: Config, measured: Mapping[str, Measured]) -> tuple[DataRoot, ...]:
    """Return the data roots without those beside the data that were not there when they were measured."""
    return tuple(
        root for root in data_roots(config) if not (root.beside and root.path in measured and not measured[root.path].examined)
    )


def why_not(root: DataRoot, others: Iterable[str]) -> str:
    """Return why a place cannot be moved as a data root, or nothing; `others` are paths that are moved otherwise, or stay."""
    if len(PurePosixPath(root.path).parts) < DEEP_ENOUGH:
        return "too high up: more than the core's data lies there"
    held = next((path for path in others if root.holds(path)), "")
    return f"holds {held}, which is moved otherwise" if held else ""
