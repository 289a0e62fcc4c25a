"""The state block: how much of the frozen time is used, what the rest needs, and by when to decide."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from harness.journal import Journal
from harness.run.estimating import of_record, of_rest
from harness.run.fold import State
from harness.run.telling import frozen_time, headline, stuck_block

NOW = datetime(2026, 12, 1, 2, 23, 7, tzinfo=UTC)
STATE = State(
    order=["F: freeze", "D: dump", "D: restore", "V: verify"],
    numbers={"F: freeze": 50, "D: dump": 60, "D: restore": 60, "V: verify": 90},
    green=["F: freeze", "D: dump"],
    marks={"T_stop": "2026-12-01T02:14:07+00:00"},
)


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        ("", ""),
        ("the dest core's status: running", "the dest core's status: running"),
        (
            "send it: exit 12\nTimeout, server 10.0.0.3 not responding.\nmore",
            "send it: exit 12: Timeout, server 10.0.0.3 not responding.",
        ),
        ("send it: exit 11 (a disk)\n(the raw output is in private/tails.jsonl)", "send it: exit 11 (a disk)"),
        ("dest$ read\nexit 1 after 0.3 s\n\nno room", "dest$ read: no room"),
    ],
)
def test_what_failed_and_what_was_told_of_it_are_one_line(cause: str, told: str) -> None:
    assert headline(cause) == told


def test_a_run_that_cannot_be_taken_up_says_since_when_users_wait_and_what_to_type() -> None:
    assert stuck_block(STATE, "pytest features/ --plan p.yml --waive X") == [
        "source  frozen since 02:14:07 UTC; users wait",
        "next    mend the cause, then type again: pytest features/ --plan p.yml --waive X",
        "or      give up: pytest features/rollback.feature --plan p.yml",
    ]


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
