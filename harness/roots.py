"""Data roots: the folders that hold the core's data, as its config names them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.configuration import Config

DEEP_ENOUGH = 3


@dataclass(frozen=True, slots=True)
class DataRoot:
    """A folder that holds the core's data; `excludes` are left out, as paths relative to it."""

    path: str
    excludes: tuple[str, ...] = ("*-shm",)

    @property
    def name(self) -> str:
        """The root's name in the record and in file names."""
        return self.path.strip("/").replace("/", "-")


def data_roots(config: Config) -> tuple[DataRoot, ...]:
    """Return the data roots: the folder that users' files and previews share, or each on its own."""
    users = PurePosixPath(str(config["storages.engines.sqlite.path"]))
    previews = PurePosixPath(str(config["storages.engines.filesystem.previewsDirPath"]))
    shared = users.parent
    if shared == previews.parent and len(shared.parts) > DEEP_ENOUGH:
        return (DataRoot(str(shared), (f"/{previews.name}/*", "*-shm")),)
    return (DataRoot(str(users)), DataRoot(str(previews), ("*",)))
