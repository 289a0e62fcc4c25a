"""What the measurements say of what they measured."""

from __future__ import annotations

from tests.bench.frozen import by_steps
from tests.bench.rehearsals import DATA, DEEDS, FIRST, GIVEN, HARNESS, LAST, frozen, split
from tests.bench.telling import compared, markdown

LINES = [
    {"second": 0, "kind": "run"},
    {"second": 1, "kind": "scenario", "status": "begun"},
    {"second": 3, "kind": "mark", "mark": "T_stop"},
    {"second": 7, "kind": "check", "phase": "given"},
    {"second": 15, "kind": "check", "phase": "before"},
    {"second": 15, "kind": "step", "phase": "before", "status": "absent"},
    {"second": 31, "kind": "step", "status": "begun"},  # standing facts that hold leave no line
    {"second": 31, "kind": "intent", "deed": "pg_dump -Fc on the source"},
    {"second": 32, "kind": "deed", "deed": "pg_dump -Fc on the source"},
    {"second": 34, "kind": "digest"},
    {"second": 38, "kind": "deed", "deed": "source$ host-init fence core"},
    {"second": 38, "kind": "step", "status": "done"},
    {"second": 46, "kind": "digest"},
    {"second": 62, "kind": "check", "phase": "after"},
    {"second": 62, "kind": "mark", "mark": "T_open"},
    {"second": 70, "kind": "verdict"},
]


def lines() -> list[dict[str, object]]:
    times = (divmod(int(str(line["second"])), 60) for line in LINES)
    return [{**line, "time": f"2026-01-01T00:{m:02}:{s:02}.000Z"} for line, (m, s) in zip(LINES, times, strict=True)]


def test_the_time_before_a_line_belongs_to_what_the_line_tells() -> None:
    assert split(lines()) == {FIRST: 8 + 16, GIVEN: 4, LAST: 8 + 16, DATA: 1 + 2, DEEDS: 4, HARNESS: 1 + 2 + 8}


def test_only_what_lies_between_stop_and_open_is_frozen_time() -> None:
    assert sum(split(frozen(lines())).values()) == 62 - 3


def test_ours_is_compared_with_each_target() -> None:
    section = compared("Title", "About.", {"ours": 2.0, "slow": 4.0, "quick": 1.0}, ("slow", "quick"))

    assert section.outcome == [
        "Target met: ours takes 0.50 of the time of slow.",
        "Target MISSED: ours takes 2.00 of the time of quick.",
    ]
    assert markdown(section).splitlines()[4:9] == [
        "| way   | seconds | beside ours |",
        "| ----- | ------- | ----------- |",
        "| ours  | 2.00    | 1.00        |",
        "| slow  | 4.00    | 2.00        |",
        "| quick | 1.00    | 0.50        |",
    ]


def test_how_long_users_wait_is_split_by_steps_and_nothing_is_lost() -> None:
    named = {7: "The source core is fenced", 15: "The PostgreSQL dump is complete", 31: "No SQL to the source's data is open"}
    waiting = [{**line, "scenario": named.get(int(str(line["second"])), "The dest core starts clean")} for line in lines()[2:15]]

    found = by_steps(waiting)

    assert (found["dump"], found["stop, fence, writes tried"]) == (8, 4 + 16)
    assert sum(found.values()) == 62 - 3
