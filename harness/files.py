"""The core's file tree: found by its config, moved as the guide says and with what the guide forgets, compared by manifests.

Two trees are equal when they have the same paths, and each path the same type, mode, owner name, size and SHA-256. Times are not
compared (a control proves it). Left out: the content of previews (a cache that is made anew) and SQLite's *-shm (rebuilt, and
changed without its time moving). SQLite's *-wal files hold data and are compared.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.deed import Ask, Command, Compare, Measured, Role
from harness.host import python
from harness.sending import claim, send

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from harness.configuration import Config
    from harness.deed import Act, CommandResult, Reading
    from harness.plan import Plan

LONGEST_S = 24 * 3600.0
DEEP_ENOUGH = 3
STATISTICS = ("Number of created files", "Number of deleted files", "Literal data")


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


def transfer(plan: Plan, config: Config) -> Generator[Any, Any, dict[str, CommandResult]]:
    """Send every data root; what was deleted on the source is deleted on the dest (a stale WAL there would corrupt).

    Returns what rsync told of each.
    """
    told = {}
    for root in data_roots(config):
        yield from claim(plan, Role.DEST, f"path {root.path}")
        excludes = tuple(f"--exclude={pattern}" for pattern in root.excludes)
        told[root.path] = yield send(plan, f"{root.path}/", options=("--delete", *excludes), lasting=f"files-{root.name}")
    return told


def _manifest(plan: Plan, role: Role, root: DataRoot) -> Command:
    excludes = tuple(word for pattern in root.excludes for word in ("--exclude", pattern))
    out = f"{plan.run_folder}/manifest-{root.name}"
    taken = python(role, "manifest", root.path, *excludes, "--out", out, timeout_s=LONGEST_S)
    return replace(taken, says=f"take the manifest of {root.path} on the {role}")


def measure(plan: Plan, config: Config) -> Act:
    """Take the manifest of every data root of the source."""
    for root in data_roots(config):
        found = (yield _manifest(plan, Role.SOURCE, root)).json()
        yield Measured(root.path, Role.SOURCE, found["digest"], found["paths"], found["bytes"])


def every_manifest_recorded(config: Config, measured: Mapping[str, Measured]) -> Check:
    """Check that the record holds a manifest of every data root."""
    roots = sorted(root.path for root in data_roots(config))
    found = [path for path in roots if path in measured]
    paths = sum(measured[path].examined for path in found)
    return equal("manifests in the record", Witness.RECORD, roots, found, paths, absent=not found)


def arrived_unchanged(
    plan: Plan, config: Config, measured: Mapping[str, Measured], pseudonym: Callable[[str], str]
) -> Reading[list[Check]]:
    """Look whether every data root on the dest has the manifest that was taken at rest on the source."""
    checks = []
    for root in data_roots(config):
        there = yield Ask(Command(Role.DEST, ("find", root.path, "-maxdepth", "0"), exits=(0, 1)))
        if there.exit:
            checks.append(equal(f"manifest of {root.path}", Witness.FILES, "as at rest", "not there", 0, absent=True))
            continue
        found = (yield Ask(_manifest(plan, Role.DEST, root))).json()
        expected, observed = measured[root.path].digest, found["digest"]
        yield Measured(root.path, Role.DEST, observed, found["paths"], found["bytes"])
        shown = observed if observed == expected else (yield from _differences(plan, root, pseudonym))
        why = "a file that differs is a user's data that differs"
        checks.append(
            equal(f"manifest of {root.path}", Witness.FILES, expected, shown, found["paths"], measured[root.path].examined, why=why)
        )
    return checks


def _differences(plan: Plan, root: DataRoot, pseudonym: Callable[[str], str]) -> Reading[dict[str, object]]:
    """Say what differs, with paths as pseudonyms: they hold users' ids."""
    listed = ("sort", f"{plan.run_folder}/manifest-{root.name}")
    found = yield Compare(Command(Role.SOURCE, listed), Command(Role.DEST, listed))
    sides = {"only on the source": found.left_only, "only on the dest": found.right_only}
    return {name: [_row(text, pseudonym) for text in rows] for name, rows in sides.items()}


def _row(text: str, pseudonym: Callable[[str], str]) -> str:
    *facts, path = text.split("\t")
    return " ".join((pseudonym(path), *facts))


def belong_to_core(plan: Plan, config: Config) -> Reading[list[Check]]:
    """Look for files on the dest that do not belong to the user that the core runs as."""
    checks = []
    for root in data_roots(config):
        owners = (yield Ask(Command(Role.DEST, ("find", root.path, "-printf", "%u\\n"), timeout_s=600.0))).lines
        strangers = sorted(set(owners) - {plan.core.user})
        why = "a core that does not own its files reads well, then fails at the first write"
        checks.append(equal(f"owners in {root.path}", Witness.FILES, [], strangers, len(owners), why=why))
    return checks


def nothing_moved(told: Mapping[str, CommandResult]) -> list[Check]:
    """Check what a second transfer told of itself: files seen, and not a byte of them sent (other times alone send none)."""
    checks = []
    for path, answer in told.items():
        figures = {name.strip(): value for name, _, value in (text.partition(":") for text in answer.lines)}
        sent = {name: _figure(figures.get(name, "")) for name in STATISTICS}
        expected = dict.fromkeys(STATISTICS, 0)
        seen = _figure(figures.get("Number of files", ""))
        checks.append(equal(f"what was moved again into {path}", Witness.FILES, expected, sent, max(seen, 0)))
    return checks


def _figure(text: str) -> int:
    """Return the first figure of one of rsync's statistics; -1 when there is none."""
    digits = text.replace(",", "").split()
    return int(digits[0]) if digits and digits[0].isdigit() else -1
