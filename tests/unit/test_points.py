"""Where hosts and harness are killed: points in every phase, by the journal of a green run."""

from __future__ import annotations

from typing import Any

from tests.prove_kill_hosts import Point, Tried, is_whole, points

LINES: list[dict[str, Any]] = [
    {"kind": "run"},
    {"kind": "feature", "file": "10_preflight.feature"},
    *[{"kind": "scenario", "status": status} for status in ("begun", "green", "not applicable", "begun", "green")],
    {"kind": "feature", "file": "60_databases.feature"},
    {"kind": "scenario", "status": "begun"},
    *[{"kind": "intent"}] * 5,
    {"kind": "scenario", "status": "green"},
]


def test_a_phase_that_acts_is_struck_at_its_deeds_and_one_that_only_looks_at_its_scenarios() -> None:
    assert points(LINES, ("dest",), ("before", "middle", "after"), ()) == [
        Point(10, "before", "dest", 0, "scenarios"),
        Point(10, "middle", "dest", 1, "scenarios"),
        Point(10, "after", "dest", 1, "scenarios"),
        Point(60, "before", "dest", 0),
        Point(60, "middle", "dest", 2),
        Point(60, "after", "dest", 4),
    ]
    assert points(LINES, ("harness", "source"), ("after",), [60]) == [
        Point(60, "after", "harness", 4),
        Point(60, "after", "source", 4),
    ]


def ledger(outcome: str, lost: int) -> dict[str, Any]:
    return {"kind": "check", "name": "acknowledged writes on the dest", "outcome": outcome, "observed": {"lost": lost}}


def test_a_point_is_green_only_if_it_was_met_went_on_and_nothing_is_missing() -> None:
    same = [{"kind": "digest", "name": "PostgreSQL", "role": role, "digest": "a"} for role in ("source", "dest")]
    other = {"kind": "digest", "name": "PostgreSQL", "role": "dest", "digest": "b"}

    assert is_whole([*same, ledger("held", 0)])
    assert not is_whole(same)
    assert not is_whole([ledger("held", 0)])
    assert not is_whole([*same, ledger("held", 0), ledger("not held", 1)])
    assert not is_whole([*same, ledger("held", 0), other])

    point = Point(60, "after", "dest")
    verdicts = [
        Tried(point, *facts).verdict for facts in (("", True, True), ("x", True, True), ("x", False, True), ("x", True, False))
    ]
    assert verdicts == ["not met", "green", "RED", "RED"]
