"""The state block: how much of the frozen time is used, what the rest needs, and by when to decide."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from harness.journal import Journal
from harness.run.estimating import of_record, of_rest
from harness.run.fold import State
from harness.run.telling import frozen_time

NOW = datetime(2026, 12, 1, 2, 23, 7, tzinfo=UTC)
STATE = State(
    order=["F: freeze", "D: dump", "D: restore", "V: verify"],
    numbers={"F: freeze": 50, "D: dump": 60, "D: restore": 60, "V: verify": 90},
    green=["F: freeze", "D: dump"],
    marks={"T_stop": "2026-12-01T02:14:07+00:00"},
)


def test_used_needed_and_decide_by_are_told() -> None:
    assert frozen_time(STATE, 900, 240, NOW) == (
        "users have waited 9 min 00 s of 15 min 00 s; the rest needs about 4 min 00 s, "
        "a way back about 10 s: decide by 02:28:57 UTC"
    )


def test_without_an_earlier_record_there_is_no_estimate_and_past_the_time_it_is_now() -> None:
    assert frozen_time(STATE, 60, None, NOW).endswith("no estimate of what the rest needs, a way back about 10 s: decide now")


def test_the_rest_takes_what_it_took_in_an_earlier_record_scaled_by_size(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.open()
    journal.append("facts", facts={"sizes": {"everything": 1000}})
    for number, feature, scenario, seconds in ((60, "D", "dump", 5), (60, "D", "restore", 31), (90, "V", "verify", 9)):
        journal.append("feature", feature=feature, file=f"{number}_x.feature")
        journal.append("scenario", feature=feature, scenario=scenario, example="", status="green", seconds=seconds)

    assert of_rest(of_record(tmp_path), STATE, 1000) == 31
    assert of_rest(of_record(tmp_path), STATE, 2000) == 62
    assert of_rest(of_record(tmp_path), STATE, 10_001) is None
    assert of_rest(None, STATE, 1000) is None
