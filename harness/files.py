"""The core's file tree: found by its config, moved as the guide says and with what the guide forgets, compared by manifests.

Two trees are equal when they have the same paths, and each path the same type, mode, owner name, size and SHA-256. Times are not
compared (a control proves it). Left out: the content of previews (a cache that is made anew) and SQLite's *-shm (rebuilt, and
changed without its time moving). SQLite's *-wal files hold data and are compared; what they and their databases hold is read
beside that (harness.sqlite_sets). A link on the source is what it leads to, as rsync sends it; on the dest there are none.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness import sqlite_sets
from harness.check import Check, Witness, equal
from harness.deed import Ask, Command, Compare, Measured, Role
from harness.errors import DeedFailed
from harness.host import python
from harness.roots import data_roots, found_at_rest
from harness.sending import claim, send

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from harness.configuration import Config
    from harness.deed import Act, CommandResult, Reading
    from harness.plan import Plan
    from harness.roots import DataRoot

LONGEST_S = 24 * 3600.0
OWNERS = '{ find "$0" -printf "%u\\n" || echo; } | sort | uniq -c'  # an owner without a name: not all could be listed
STATISTICS = ("Number of created files", "Number of deleted files", "Literal data")


def transfer(plan: Plan, config: Config, measured: Mapping[str, Measured]) -> Generator[Any, Any, dict[str, CommandResult]]:
    """Send every data root; what was deleted on the source is deleted on the dest (a stale WAL there would corrupt).

    Returns what rsync told of each.
    """
    told = {}
    roots = found_at_rest(config, measured)
    for root, command in zip(roots, sendings(plan, roots), strict=True):
        yield from claim(plan, Role.DEST, f"path {root.path}")
        told[root.path] = yield command
    return told


def sendings(plan: Plan, roots: Iterable[DataRoot]) -> Iterator[Command]:
    """Yield the command that sends each data root."""
    for root in roots:
        yield replace(sending(plan, root), lasting=f"files-{root.name}")


def sending(plan: Plan, root: DataRoot, *options: str) -> Command:
    """Return the command that sends a data root; what it leaves out stays behind."""
    excludes = tuple(f"--exclude={pattern}" for pattern in root.excludes)
    checksum = ("--checksum",) if root.checksum else ()
    return send(plan, f"{root.path}/", options=("--delete", *checksum, *options, *excludes))


def walked(role: Role, root: DataRoot) -> tuple[str, ...]:
    """Return the words that tell a helper which tree to walk: on the source a link is what it leads to."""
    follow = ("--follow",) if role is Role.SOURCE else ()
    return (root.path, *follow, *(word for pattern in root.excludes for word in ("--exclude", pattern)))


def known_path(plan: Plan, root: DataRoot) -> str:
    """Return where a host keeps what is known ahead of a data root's files (harness.hostside.ahead)."""
    return f"{plan.run_folder}/known-{root.name}"


def _manifest(plan: Plan, role: Role, root: DataRoot) -> Command:
    out = f"{plan.run_folder}/manifest-{root.name}"
    absent = ("--may-be-absent",) if root.beside else ()
    known = ("--known", known_path(plan, root)) if plan.transfer == "preseed" else ()
    taken = python(role, "manifest", *walked(role, root), *absent, *known, "--out", out, timeout_s=LONGEST_S)
    return replace(taken, says=f"take the manifest of {root.path} on the {role}")


def measure(plan: Plan, config: Config) -> Act:
    """Take the manifest of every data root of the source, and read every SQLite file, side by side."""
    roots = data_roots(config)
    manifests = (_manifest(plan, Role.SOURCE, root) for root in roots)
    *found, sets = yield (*manifests, sqlite_sets.command(plan, Role.SOURCE, roots))
    for root, answer in zip(roots, found, strict=True):
        manifest = answer.json()
        yield Measured(root.path, Role.SOURCE, manifest["digest"], manifest["paths"], manifest["bytes"])
    yield sqlite_sets.measured(Role.SOURCE, sets.json())


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
    for root in found_at_rest(config, measured):
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
    """Look for files on the dest that do not belong to the user that the core runs as; what is kept beside may."""
    checks = []
    for root in (root for root in data_roots(config) if not root.beside):
        listed = yield Ask(Command(Role.DEST, ("sh", "-c", OWNERS, root.path), timeout_s=LONGEST_S))
        owners = {owner: int(paths) for paths, _, owner in (text.strip().partition(" ") for text in listed.lines)}
        if "" in owners:
            raise DeedFailed(f"not every path in {root.path} on the dest could be listed", listed)
        strangers = {owner: f"{paths:,} path(s)" for owner, paths in owners.items() if owner != plan.core.user}
        why = "a core that does not own its files reads well, then fails at the first write"
        checks.append(equal(f"owners in {root.path}", Witness.FILES, {}, strangers, sum(owners.values()), why=why))
    return checks


def nothing_moved(told: Mapping[str, CommandResult]) -> list[Check]:
    """Check what a second transfer told of itself: files seen, and not a byte of them sent (other times alone send none)."""
    checks = []
    for path, answer in told.items():
        sent = {name: statistic(answer, name) for name in STATISTICS}
        expected = dict.fromkeys(STATISTICS, 0)
        seen = statistic(answer, "Number of files")
        why = "what a second transfer moves had not arrived, or was changed on the dest since"
        checks.append(equal(f"what was moved again into {path}", Witness.FILES, expected, sent, max(seen, 0), why=why))
    return checks


def statistic(answer: CommandResult, wanted: str) -> int:
    """Return the first figure of one of rsync's statistics; -1 when there is none."""
    figures = {name.strip(): value for name, _, value in (text.partition(":") for text in answer.lines)}
    digits = figures.get(wanted, "").replace(",", "").split()
    return int(digits[0]) if digits and digits[0].isdigit() else -1
