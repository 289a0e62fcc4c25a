"""What moved and what broke, as values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from harness.journal import read
from harness.report.fold import fold
from harness.report.moved import Part, at_rest, measurements, seal, transfers
from harness.report.summary import Broken, overview, planned_changes, reds, type_next
from harness.report.verdict import judge
from harness.shown import sent, state_rows, wrapped
from tests.unit import journals
from tests.unit.story import Story

if TYPE_CHECKING:
    from pathlib import Path

    from harness.report.tree import Record

PARTS = {"accesses": {"rows": 8, "sha256": "143da40e6212" + "0" * 52}, "events": {"rows": 40, "sha256": "5f2c81d09a77" + "0" * 52}}
LOST = PARTS | {"accesses": {"rows": 7, "sha256": "76d09b3aa4e1" + "0" * 52}}


@pytest.fixture
def story(tmp_path: Path) -> Story:
    begun = Story(tmp_path / "journal.jsonl")
    begun.run()
    return begun


def of(story: Story) -> Record:
    return fold(story.journal.lines)


def test_what_moved_is_compared_part_by_part_and_what_differs_comes_first(story: Story) -> None:
    story.tell("digest", name="PostgreSQL", role="source", digest="a", examined=2, bytes=9, parts=dict(reversed(PARTS.items())))
    story.tell("digest", name="PostgreSQL", role="dest", digest="b", examined=2, bytes=9, parts=LOST)
    story.tell("digest", name="/var/lib/pryv", role="source", digest="c", examined=55, bytes=9, parts={})
    story.tell("digest", name="seal", role="source", digest="d", examined=2, bytes=0, parts={"started": "1"})
    database, root = measurements(of(story))

    assert (database.same, database.noun, database.rows) == ("different", "table", 48)
    assert database.parts == (
        Part("accesses", "8 rows 143da40e62120000", "7 rows 76d09b3aa4e10000"),
        Part("events", "40 rows 5f2c81d09a770000", "40 rows 5f2c81d09a770000"),
    )
    assert (root.same, root.noun, root.parts) == ("source only", "path", ())
    assert seal(of(story))["digest"] == "d"
    assert at_rest(of(story)) == PARTS | {"started": "1"}


def test_a_red_fingerprint_is_told_as_source_and_dest(story: Story) -> None:
    story.tell("digest", name="PostgreSQL", role="source", digest="a", examined=2, bytes=9, parts=PARTS)
    story.begin(journals.DATABASES, "S")
    sides: dict[str, Any] = {
        "expected": {"accesses": "8 rows 143da40e6212", "events": "40 rows 5f2c81d09a77"},
        "observed": {"accesses": "7 rows 76d09b3aa4e1", "events": "40 rows 5f2c81d09a77"},
    }
    story.look("after", "it", "fingerprints", "not held", **sides, why="w", remedy="r")
    story.end("red", "fingerprints: not held")
    (red,) = reds(of(story))

    assert (red.anchor, red.feature, red.cause) == ("scenario-1", f"60 {journals.DATABASES}", "fingerprints: not held")
    rows = (("accesses", "8 rows 143da40e6212", "7 rows 76d09b3aa4e1"),)
    assert red.broken == (Broken("fingerprints", "1 of 2 differ", ("source", "dest"), rows, 0, "w", "r"),)


def test_of_many_differences_the_first_are_told_and_the_others_counted(story: Story) -> None:
    story.begin(journals.DATABASES, "S")
    numbers = range(9)
    story.look("after", "it", "modes", "not held", expected=dict.fromkeys(map(str, numbers), 1), observed=dict.fromkeys("012", 2))
    story.end("red", "it")
    ((broken,),) = (red.broken for red in reds(of(story)))

    assert (broken.said, broken.sides, broken.more) == ("9 of 9 differ", ("expected", "observed"), 6)
    assert broken.rows == (("0", "1", "2"), ("1", "1", "2"), ("2", "1", "2"))


def test_a_transfer_is_a_deed_that_says_what_it_sent(story: Story) -> None:
    story.begin(journals.FILES_ARRIVE, "S")
    story.do("source$ rsync", 4.0, tail="Total bytes sent: 8,000,000\nsent 8,000,000 bytes  received 9 bytes")
    story.do("source$ ls", 1.0, tail="sent by post")

    assert [(one.deed.deed, one.sent, one.rate) for one in transfers(of(story))] == [("source$ rsync", 8_000_000, "2.0 MB/s")]


@pytest.mark.parametrize(
    ("tail", "count"),
    [
        ("Total bytes sent: 134,687\nsent 9 bytes", 134_687),
        ("\nsent 36,729 bytes  received 35 bytes", 36_729),
        ("sent 7.35M bytes  received 608 bytes", None),
        ("", None),
    ],
)
def test_what_was_sent_is_read_from_the_end_of_the_output(tail: str, count: int | None) -> None:
    assert sent(tail) == count


def test_planned_changes_are_the_keys_that_were_looked_at_and_differ_as_planned(story: Story) -> None:
    story.begin(journals.PREFLIGHT, "The dest config differs only in the planned changes")
    story.look("before", "it", "differences", "absent", expected="the planned ones", observed="no config")
    story.look("after", "it", "differences", expected={"core.ip": "127.0.0.3"}, observed={"core.ip": "127.0.0.3"})
    story.end()

    assert planned_changes(of(story)) == (("core.ip", "127.0.0.3"),)


def test_each_feature_is_counted_by_how_its_scenarios_ended(tmp_path: Path) -> None:
    lines = read(journals.continued(tmp_path / "journal.jsonl")).lines
    rows = [(row.name[:2], dict(row.counts), row.checks) for row in overview(fold(lines))]

    assert rows == [
        ("10", {"green": 2, "not applicable": 1}, 2),
        ("50", {"settled": 2}, 2),
        ("60", {"settled": 1, "not applicable": 1, "green": 1}, 3),
        ("70", {"green": 1}, 1),
        ("80", {"green": 1}, 1),
        ("85", {"green": 1}, 1),
    ]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (["next    mend the cause, then type again: pytest features/"], ("mend the cause, then type again:", "pytest features/")),
        (["next    ask the change board"], ("ask the change board", "")),
        (["source  frozen"], ("", "")),
    ],
)
def test_what_to_type_next_is_what_the_state_block_says(story: Story, state: list[str], said: tuple[str, str]) -> None:
    story.verdict("red", "it", state)

    assert type_next(of(story), judge(of(story))) == said


def test_after_an_unfinished_record_the_same_command_is_typed(story: Story) -> None:
    assert type_next(of(story), judge(of(story))) == ("type the same command again:", "pytest features/")


def test_a_state_block_is_labels_and_texts() -> None:
    assert state_rows(["source  frozen; its core is stopped", "report it"]) == [
        ("source", "frozen; its core is stopped"),
        ("", "report it"),
    ]


@pytest.mark.parametrize(
    ("width", "rows"),
    [
        (41, [">> one two /var/lib/pryv/data/of-the-core"]),
        (34, [">> one two", "   /var/lib/pryv/data/of-the-core"]),
        (20, [">> one two /var/lib/", "   pryv/data/of-the-", "   core"]),
        (12, [">> one two /", "   var/lib/", "   pryv/", "   data/of-", "   the-core"]),
    ],
)
def test_a_path_is_parted_at_its_slashes_and_only_where_it_fits_no_row(width: int, rows: list[str]) -> None:
    assert wrapped("one two /var/lib/pryv/data/of-the-core", width, ">> ", "   ") == rows


def test_of_more_rows_than_wanted_the_last_ends_with_an_ellipsis() -> None:
    assert wrapped("one two three four", 5, at_most=2) == ["one", "two …"]
