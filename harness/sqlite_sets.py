"""SQLite as sets: each database with its -wal and -journal, read in private copies on its host, compared table by table.

What a host reads (harness.hostside.sqlite_sets) is kept there in the run folder, file by file; the record has its sums. A file
that opens and passes SQLite's own check may still have lost its newest rows: they lie in the -wal, and only rows tell.

Not read as SQLite is what users have uploaded: it is theirs, whatever it is, and compared byte by byte by the manifests.
"""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.deed import Ask, Command, Compare, Measured, Role
from harness.host import SHOWN_DIFFERENCES, python

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from harness.configuration import Config
    from harness.deed import Reading
    from harness.plan import Plan
    from harness.roots import DataRoot

NAME = "SQLite files"
LOOKED_AT, TABLES = "files looked at for SQLite", "every table of every SQLite file"
UPLOADED = "*/attachments/*"
LONGEST_S = 24 * 3600.0
SHOWN_OF_A_DIGEST = 12
BROKEN = r'grep -m "$1" "\"problem\": \"[^\"]" "$0" || [ $? = 1 ]'
AT_REST = "read at rest"
NONE = "none: the source's config keeps nothing in SQLite"
WHY = "the newest rows of a SQLite file lie in its -wal: without it the file opens, passes SQLite's own check and has lost them"
AGAIN = "find what changed the dest's files; then let them be cleared (reset_dest, by name) and arrive again"


def kinds(config: Config) -> list[str]:
    """Return the kinds of storage that the core keeps in SQLite; the audit only where it is on."""
    audited = config.get("audit.active", default=True) is not False
    return [kind for kind, engine in config.engines().items() if engine == "sqlite" and (kind != "audit" or audited)]


def command(plan: Plan, role: Role, roots: Iterable[DataRoot]) -> Command:
    """Return the command that reads every SQLite file in the data roots; `measured` makes a measurement of its answer."""
    asked = {
        "roots": [{"path": root.path, "excludes": [*root.excludes, UPLOADED]} for root in roots if not root.beside],
        "copies": f"{plan.run_folder}/sqlite-copies",
        "out": kept(plan),
    }
    says = f"read every SQLite file on the {role}, in private copies"
    return replace(python(role, "sqlite_sets", json.dumps(asked), timeout_s=LONGEST_S), says=says)


def kept(plan: Plan) -> str:
    """Return the file in which a host keeps what it has read."""
    return f"{plan.run_folder}/sqlite-sets"


def measured(role: Role, answer: Mapping[str, Any]) -> Measured:
    """Return what was read, as a measurement: `examined` counts tables."""
    every = {"rows": answer["rows"], "sha256": answer["digest"]}
    parts = {NAME: answer["sets"], LOOKED_AT: answer["looked_at"], TABLES: every}
    return Measured(NAME, role, answer["digest"], answer["tables"], answer["bytes"], parts)


def recorded(config: Config, found: Measured | None) -> Check:
    """Check that the record holds what every SQLite file holds, of one at least where the config keeps anything in SQLite."""
    name = "SQLite files in the record"
    if found is None:
        return equal(name, Witness.RECORD, AT_REST, "not read yet", 0, absent=True)
    if found.parts[NAME] or kinds(config):
        why = f"the source's config keeps in SQLite: {', '.join(kinds(config)) or 'nothing'}"
        return equal(name, Witness.RECORD, AT_REST, AT_REST, found.parts[NAME], why=why)
    return equal(name, Witness.RECORD, NONE, NONE, found.parts[LOOKED_AT])


def all_whole(plan: Plan, roots: Sequence[DataRoot], found: Measured | None, pseudonym: Callable[[str], str]) -> Reading[Check]:
    """Look which SQLite files of the source were not whole when they were read at rest."""
    name = "SQLite files of the source that are not whole"
    if found is None:
        return equal(name, Witness.FILES, {}, "not read yet", 0, absent=True)
    listed = yield Ask(Command(Role.SOURCE, ("sh", "-c", BROKEN, kept(plan), str(SHOWN_DIFFERENCES))))
    rows = [json.loads(text) for text in listed.lines]
    broken = {pseudonym(_below(row["file"], roots)): row["problem"] for row in rows}
    why = "what is broken before the move arrives broken"
    remedy = "unfreeze the source and mend it there, or accept it with a reason (--waive)"
    examined = found.parts[NAME] or found.parts[LOOKED_AT]
    return equal(name, Witness.FILES, {}, broken, examined, why=why, remedy=remedy)


def arrived_whole(plan: Plan, roots: Sequence[DataRoot], at_rest: Measured, pseudonym: Callable[[str], str]) -> Reading[Check]:
    """Look whether every SQLite file on the dest opens and holds the tables and rows that were measured at rest on the source."""
    found = measured(Role.DEST, (yield Ask(command(plan, Role.DEST, roots))).json())
    yield found
    files, there = at_rest.parts[NAME], found.parts[NAME]
    if not files:
        said = f"{there} SQLite file(s)" if there else NONE
        return equal(TABLES, Witness.FILES, NONE, said, found.parts[LOOKED_AT])
    held = at_rest.digest == found.digest
    expected, observed = _sums(at_rest), _sums(found)
    if not held:
        expected, observed = yield from _differences(plan, roots, pseudonym)
    return Check(TABLES, Witness.FILES, expected, observed, held, there, files, why=WHY, remedy=AGAIN)


def _sums(one: Measured) -> dict[str, object]:
    return {"files": one.parts[NAME], "tables": one.examined, "rows": one.parts[TABLES]["rows"], "sha256": one.digest}


def _differences(
    plan: Plan, roots: Sequence[DataRoot], pseudonym: Callable[[str], str]
) -> Reading[tuple[dict[str, object], dict[str, object]]]:
    """Say which tables differ, as expected and as found; files are shown as pseudonyms: their paths hold users' ids."""
    listed = ("sort", kept(plan))
    found = yield Compare(Command(Role.SOURCE, listed), Command(Role.DEST, listed))
    left, right = _by_file(found.left_only), _by_file(found.right_only)
    expected: dict[str, object] = {}
    observed: dict[str, object] = {}
    for file in sorted(_comparable(left, right)):
        for table, *facts in islice(compared(left.get(file), right.get(file)), SHOWN_DIFFERENCES):
            name = f"{pseudonym(_below(json.loads(file), roots))} {table}".rstrip()
            expected[name], observed[name] = facts
    return expected, observed


def _by_file(lines: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the lines by their files' names in JSON, which sort as the lines do."""
    return {json.dumps(one["file"]): one for one in map(json.loads, lines)}


def _comparable(left: Mapping[str, Any], right: Mapping[str, Any]) -> set[str]:
    """Return the files that are told of on both sides, where they are there: of each side only its first differences are known."""
    ends = [max(side) for side in (left, right) if len(side) >= SHOWN_DIFFERENCES]
    return {file for file in {*left, *right} if not ends or file <= min(ends)}


def compared(left: Mapping[str, Any] | None, right: Mapping[str, Any] | None) -> Iterator[tuple[str, str, str]]:
    """Yield (table, expected, observed) for each difference of one file; a file lost, empty or unreadable is one."""
    if not (left and right and left["tables"] and right["tables"]):
        yield "", _in_short(left), _in_short(right)
        return
    for table in ("", *sorted({*left["tables"], *right["tables"]})):
        expected, observed = _fact(left, table), _fact(right, table)
        if expected != observed:
            yield table, expected, observed


def _in_short(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "not there"
    rows = sum(count for count, _ in one["tables"].values())
    return one["problem"] or f"{len(one['tables'])} table(s), {rows:,} rows, schema {one['schema'][:SHOWN_OF_A_DIGEST]}"


def _fact(one: Mapping[str, Any], table: str) -> str:
    """Return what is told of a table, or of the file itself as table ""."""
    if not table:
        return one["problem"] or f"whole, schema {one['schema'][:SHOWN_OF_A_DIGEST]}"
    rows, digest = one["tables"].get(table, (None, ""))
    return "no such table" if rows is None else f"{rows:,} rows {digest[:SHOWN_OF_A_DIGEST]}"


def _below(path: str, roots: Iterable[DataRoot]) -> str:
    """Return a path relative to its data root, as manifests have it, so that both show one pseudonym."""
    return next((path[len(root.path) :].lstrip("/") for root in roots if path.startswith(f"{root.path.rstrip('/')}/")), path)
