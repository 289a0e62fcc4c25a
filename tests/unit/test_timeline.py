"""The geometry of the timeline, in percent of an attempt's length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.report.client import saw
from harness.report.fold import fold
from harness.report.timeline import Bar, pictures
from tests.unit import journals
from tests.unit.story import Story

if TYPE_CHECKING:
    from pathlib import Path

    from harness.report.timeline import Lane, Picture

SENT = "Total bytes sent: 8,000,000\n\nsent 8,000,000 bytes  received 9 bytes  2,000,000.00 bytes/sec"


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """Return a story whose attempt ends 20 seconds after its first line."""
    begun = Story(tmp_path / "journal.jsonl")
    begun.run()
    return begun


def drawn(story: Story) -> Picture:
    (picture,) = pictures(fold(story.journal.lines))
    return picture


def lane(picture: Picture, label: str) -> Lane:
    return next(lane for lane in picture.lanes if label in lane.label)


def test_a_scenario_is_a_bar_from_its_beginning_to_its_end_and_a_row_of_the_table(story: Story) -> None:
    story.wait(5)
    story.begin(journals.PREFLIGHT, "S")
    story.wait(4.8)
    story.end("red", "it")
    story.wait(9.5)
    story.verdict("red", "it", [])
    found = lane(drawn(story), "10")

    assert found.bars == (Bar(25.0, 25.0, "red", "S: red, 5.0 s"),)
    assert found.row == ("02:05:05", "02:05:10", "5.0 s", "1 red")


def test_a_transfer_stands_in_a_lane_of_its_own_with_its_rate_where_there_is_room(story: Story) -> None:
    story.begin(journals.FILES_ARRIVE, "S")
    story.do("source$ rsync long", 4.0, tail=SENT)
    story.wait(5.8)
    story.do("source$ rsync short", 2.0, tail=SENT)
    story.do("source$ no transfer", 1.0)
    story.wait(6.5)
    story.verdict("red", "it", [])
    found = lane(drawn(story), "Transfers")
    bars = found.bars

    assert found.label == "Transfers between the hosts: 16.0 MB, up to 4.0 MB/s"
    assert [(bar.left, bar.width, bar.label) for bar in bars] == [(1.0, 20.0, "2.0 MB/s"), (50.0, 10.0, "")]
    assert bars[1].title == "source$ rsync short: 8.0 MB, 4.0 MB/s, 2.0 s"


def test_the_time_users_waited_and_the_marks_are_drawn_where_they_are(story: Story) -> None:
    story.begin(journals.FREEZE, "S")
    story.wait(4.8)
    story.tell("mark", mark="T_stop")
    story.wait(10)
    story.tell("mark", mark="T_open")
    story.wait(4.5)
    story.verdict("green", "", [])
    picture = drawn(story)

    assert [(pin.left, pin.label, pin.anchor) for pin in picture.marks] == [
        (25.0, "T_stop 02:05:05", "start"),
        (75.0, "T_open 02:05:15", "end"),
    ]
    assert picture.outage == Bar(25.0, 50.0, "outage", "users wait")
    assert picture.said == "2026-12-01 02:05:00 to 02:05:20 UTC, 20.0 s"


def test_a_client_has_a_lane_only_where_the_record_has_its_lines(story: Story) -> None:
    story.begin(journals.PREFLIGHT, "S")
    assert [lane.label for lane in drawn(story).lanes] == ["10 Nothing is touched before everything is known"]

    for number, outcome, begun, ended in (
        (1, "answered", 4, 12),
        (1, "refused", 12, 16),
        (2, "wrong host", 18, 18),
        (2, "answered", 18, 60),
    ):
        times = {"from": f"2026-12-01T02:05:{begun:02}Z", "until": f"2026-12-01T02:0{5 + ended // 60}:{ended % 60:02}Z"}
        story.tell("client", client=number, outcome=outcome, at="source", writes=ended - begun, reads=1, **times)
    story.wait(19.3)
    story.verdict("red", "it", [])

    assert lane(drawn(story), "client").bars == (
        Bar(20.0, 40.0, "answered", "a client was answered (8 writes, 1 reads), 8.0 s"),
        Bar(60.0, 20.0, "waited", "a client was refused (4 writes, 1 reads), 4.0 s"),
        Bar(90.0, 0.4, "wrong host", "a client was answered by the wrong host (0 writes, 1 reads), 0.0 s"),
        Bar(90.0, 10.0, "answered", "a client was answered (42 writes, 1 reads), 2.0 s"),
    )
    told = [(one.outcome, one.took) for one in saw(fold(story.journal.lines))]
    assert told == [
        ("answered", "8.0 s"),
        ("refused", "4.0 s"),
        ("no client", "2.0 s"),
        ("wrong host", "0.0 s"),
        ("answered", "42.0 s"),
    ]
