"""What is made of SQLite files as they were at rest and as they arrived; the program for hosts is run on real ones."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness import files, sqlite_sets
from harness.check import Check, Outcome
from harness.configuration import Config
from harness.deed import Role
from harness.host import SHOWN_DIFFERENCES
from harness.roots import data_roots
from tests.plans import plan
from tests.unit.test_hostside_sqlite_sets import insert, left_behind, written
from tests.unit.trees import Trees, config

AUDIT = "d/c/a/somebody0123456789dca/audit-1.0.0.sqlite"
TABLE = "CREATE TABLE events (id TEXT);"


def pseudonym(text: str) -> str:
    return f"~{text}"


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    """Make a source whose core was killed: an audit whose newest rows are in the -wal, and an attachment that looks like one."""
    made = Trees(tmp_path)
    audit = made.data(Role.SOURCE) / AUDIT
    audit.parent.mkdir(parents=True)
    left_behind(audit, TABLE + "PRAGMA wal_checkpoint(TRUNCATE);" + insert("('one'), ('two')", "events"))
    uploaded = audit.parent / "attachments" / "event" / "file"
    uploaded.parent.mkdir(parents=True)
    uploaded.write_bytes(b"SQLite format 3\0 and then something else")
    return made


def arrive(trees: Trees, *left_out: str) -> Path:
    """Copy the source's tree to the dest; return the audit there."""
    shutil.copytree(trees.data(Role.SOURCE), trees.data(Role.DEST), dirs_exist_ok=True, ignore=shutil.ignore_patterns(*left_out))
    return trees.data(Role.DEST) / AUDIT


def measure(trees: Trees, core: Config) -> None:
    trees.drive(files.measure(plan(), core))


def arrived(trees: Trees, core: Config) -> Check:
    at_rest = trees.at_rest(sqlite_sets.NAME)
    found: Check = trees.drive(sqlite_sets.arrived_whole(plan(), data_roots(core), at_rest, pseudonym))
    return found


def test_what_every_file_holds_is_measured_beside_the_manifests(trees: Trees) -> None:
    measure(trees, config())

    found = trees.at_rest(sqlite_sets.NAME)
    assert (found.examined, found.parts["SQLite files"]) == (1, 1)
    assert found.parts["every table of every SQLite file"] == {"rows": 2, "sha256": found.digest}
    assert found.bytes == sum(
        path.stat().st_size for path in trees.data(Role.SOURCE).glob(f"{AUDIT}*") if path.suffix != ".sqlite-shm"
    )
    assert trees.at_rest("/var/lib/pryv/data").examined > 5


def test_what_arrived_whole_is_held(trees: Trees) -> None:
    measure(trees, config())
    arrive(trees)

    check = arrived(trees, config())

    assert (check.outcome, check.examined, check.minimum) == (Outcome.HELD, 1, 1)
    assert check.observed == check.expected
    assert trees.measured[Role.DEST, sqlite_sets.NAME].digest == trees.at_rest(sqlite_sets.NAME).digest


def test_a_folded_wal_is_held(trees: Trees) -> None:
    measure(trees, config())
    written(arrive(trees), "PRAGMA wal_checkpoint(TRUNCATE)")

    assert arrived(trees, config()).outcome is Outcome.HELD


def told(found: dict[str, str], like: dict[str, str]) -> dict[str, str]:
    """Return what is told of each table, without digests: as many words as in the example."""
    short = {name.replace(f"~users/{AUDIT}", "AUDIT"): text.split() for name, text in found.items()}
    return {name: " ".join(words[: len(like.get(name, "").split())]) for name, words in short.items()}


def test_a_wal_that_was_left_out_is_told_by_its_rows(trees: Trees) -> None:
    measure(trees, config())
    arrive(trees, "*-wal", "*-shm")

    check = arrived(trees, config())

    assert (check.outcome, check.why) == (Outcome.NOT_HELD, sqlite_sets.WHY)
    for found, rows in ((check.expected, "2 rows"), (check.observed, "0 rows")):
        assert told(found, {"AUDIT events": rows}) == {"AUDIT events": rows}


@pytest.mark.parametrize(
    ("change", "expected", "observed"),
    [
        (insert("('three')", "events"), {"AUDIT events": "2 rows"}, {"AUDIT events": "3 rows"}),
        ("UPDATE events SET id = 'another'", {"AUDIT events": "2 rows"}, {"AUDIT events": "2 rows"}),
        ("CREATE INDEX i ON events (id)", {"AUDIT": "whole, schema"}, {"AUDIT": "whole, schema"}),
        ("DROP TABLE events", {"AUDIT": "1 table(s), 2 rows,"}, {"AUDIT": "0 table(s), 0 rows,"}),
        (
            "ALTER TABLE events RENAME TO gone",
            {"AUDIT": "whole, schema", "AUDIT events": "2 rows", "AUDIT gone": "no such table"},
            {"AUDIT": "whole, schema", "AUDIT events": "no such table", "AUDIT gone": "2 rows"},
        ),
    ],
)
def test_what_differs_is_told_by_table(trees: Trees, change: str, expected: dict[str, str], observed: dict[str, str]) -> None:
    measure(trees, config())
    written(arrive(trees), change)

    check = arrived(trees, config())

    assert check.outcome is Outcome.NOT_HELD
    assert check.expected != check.observed
    assert told(check.expected, expected) == expected
    assert told(check.observed, observed) == observed


def test_a_file_that_is_lost_or_broken_or_extra_is_told(trees: Trees) -> None:
    written(trees.data(Role.SOURCE) / "lost", TABLE)
    written(trees.data(Role.SOURCE) / "broken", TABLE, insert("('x')", "events"))
    measure(trees, config())
    arrive(trees)
    (trees.data(Role.DEST) / "lost").unlink()
    os.truncate(trees.data(Role.DEST) / "broken", 4096)
    written(trees.data(Role.DEST) / "extra", TABLE)

    check = arrived(trees, config())

    assert (check.outcome, check.examined, check.minimum) == (Outcome.NOT_HELD, 3, 3)
    expected = {"~users/broken": "1 table(s), 1 rows,", "~users/extra": "not there", "~users/lost": "1 table(s), 0 rows,"}
    observed = {
        "~users/broken": "database disk image is malformed",
        "~users/extra": "1 table(s), 0 rows,",
        "~users/lost": "not there",
    }
    assert told(check.expected, expected) == expected
    assert told(check.observed, observed) == observed


def test_of_many_differences_only_what_both_sides_tell_of_is_shown(trees: Trees) -> None:
    source, dest = trees.data(Role.SOURCE), trees.data(Role.DEST)
    for number in range(2 * SHOWN_DIFFERENCES):
        written(source / f"lost-{number:02}", TABLE)
        written(source / f"row-{number:02}", TABLE)
        written(dest / f"row-{number:02}", TABLE, insert("('x')", "events"))
    measure(trees, config())

    check = arrived(trees, config())

    assert set(check.observed.values()) == {"not there"}
    assert {name.removeprefix("~users/")[:4] for name in check.observed} <= {"lost", "d/c/"}


def test_fewer_files_than_were_measured_are_red_whatever_they_hold(trees: Trees) -> None:
    measure(trees, config())

    check = arrived(trees, config())

    assert (check.outcome, check.examined, check.minimum) == (Outcome.NOT_HELD, 0, 1)


def test_a_source_without_any_says_so_and_why(tmp_path: Path) -> None:
    trees, core = Trees(tmp_path), config(audit="postgresql")
    for role in Role:
        (trees.data(role) / "scan").write_bytes(b"content")
    measure(trees, core)

    recorded = sqlite_sets.recorded(core, trees.at_rest(sqlite_sets.NAME))
    whole: Check = trees.drive(sqlite_sets.all_whole(plan(), data_roots(core), trees.at_rest(sqlite_sets.NAME), pseudonym))
    same = arrived(trees, core)
    written(trees.data(Role.DEST) / "extra", TABLE)
    more = arrived(trees, core)

    assert (recorded.outcome, recorded.observed, recorded.examined) == (Outcome.HELD, sqlite_sets.NONE, 1)
    assert (whole.outcome, same.outcome, same.examined) == (Outcome.HELD, Outcome.HELD, 1)
    assert (more.outcome, more.observed) == (Outcome.NOT_HELD, "1 SQLite file(s)")


def test_where_the_config_keeps_something_in_sqlite_none_found_is_red(tmp_path: Path) -> None:
    trees = Trees(tmp_path)
    (trees.data(Role.SOURCE) / "scan").write_bytes(b"content")
    measure(trees, config())

    check = sqlite_sets.recorded(config(), trees.at_rest(sqlite_sets.NAME))

    assert (check.outcome, check.shortfall) == (Outcome.NOT_HELD, "examined 0 of at least 1")
    assert check.why == "the source's config keeps in SQLite: audit"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ["base", "audit"]),
        ({"audit.active": False}, ["base"]),
        ({"audit.active": True, "storages.base.engine": "postgresql"}, ["audit"]),
    ],
)
def test_an_audit_that_is_off_keeps_nothing(values: dict[str, Any], expected: list[str]) -> None:
    assert sqlite_sets.kinds(config(base="sqlite").changed(values)) == expected


def test_what_is_broken_at_rest_is_told_by_pseudonym_and_does_not_make_the_move_differ(trees: Trees) -> None:
    written(trees.data(Role.SOURCE) / "d" / "broken", TABLE, insert("('x')", "events"))
    os.truncate(trees.data(Role.SOURCE) / "d" / "broken", 4096)
    measure(trees, config())
    arrive(trees)
    at_rest = trees.at_rest(sqlite_sets.NAME)

    check: Check = trees.drive(sqlite_sets.all_whole(plan(), data_roots(config()), at_rest, pseudonym))

    assert (check.outcome, check.observed, check.examined) == (
        Outcome.NOT_HELD,
        {"~users/d/broken": "database disk image is malformed"},
        2,
    )
    assert arrived(trees, config()).outcome is Outcome.HELD


def test_before_it_is_measured_it_is_absent() -> None:
    look = sqlite_sets.all_whole(plan(), data_roots(config()), None, pseudonym)

    assert sqlite_sets.recorded(config(), None).outcome is Outcome.ABSENT
    with pytest.raises(StopIteration) as ended:
        next(look)
    assert ended.value.value.outcome is Outcome.ABSENT
