"""The state of a run is a pure function of its journal."""

from __future__ import annotations

from typing import Any

from harness.deed import Role
from harness.run.fold import fold, key, unfinished_intents
from harness.run.folder import Holder, is_over

ORDER = ["F: one", "F: two", "F: three"]


def scenario(name: str, status: str) -> dict[str, Any]:
    return {"kind": "scenario", "feature": "F", "scenario": name, "example": "", "status": status}


STOPPED = {"kind": "mark", "mark": "T_stop", "time": "2026-12-01T02:14:07Z"}


def measured(digest: str) -> dict[str, Any]:
    return {"kind": "digest", "name": "PostgreSQL", "role": "source", "digest": digest, "examined": 18, "bytes": 1, "parts": {}}


def test_nothing_is_settled_before_t_stop() -> None:
    assert not fold([scenario("one", "green")], ORDER).settled("F: one")


def test_after_t_stop_what_was_green_is_settled_and_what_was_red_is_not() -> None:
    state = fold([scenario("one", "green"), STOPPED, scenario("two", "green"), scenario("two", "red")], ORDER)

    assert (state.settled("F: one"), state.settled("F: two"), state.red) == (True, False, "F: two")


def test_a_broken_fact_unsettles_from_its_scenario_on() -> None:
    lines = [
        *(scenario(name, "green") for name in ("one", "two", "three")),
        STOPPED,
        {"kind": "fact", "name": "frozen", "status": "begun"},
        {"kind": "fact", "name": "frozen", "status": "broken", "unsettles": "two"},
    ]

    state = fold(lines, ORDER)

    assert state.green == ("F: one",)
    assert state.facts == ()


def test_a_measurement_is_never_replaced_within_an_epoch() -> None:
    state = fold([STOPPED, measured("first"), measured("second")], ORDER)

    assert (state.epoch, state.measured["PostgreSQL"].digest, state.measured["PostgreSQL"].role) == (1, "first", Role.SOURCE)


def test_a_new_epoch_measures_anew() -> None:
    state = fold([STOPPED, measured("first"), STOPPED, measured("second")], ORDER)

    assert (state.epoch, state.measured["PostgreSQL"].digest) == (2, "second")


def test_an_intent_without_a_deed_is_unfinished() -> None:
    lines = [{"kind": "intent", "id": "1", "deed": "a"}, {"kind": "deed", "id": "1"}, {"kind": "intent", "id": "2", "deed": "b"}]

    assert [line["deed"] for line in unfinished_intents(lines)] == ["b"]


def test_the_key_of_a_row_names_what_its_scenario_does_not() -> None:
    assert (key("F", "one"), key("F", "one", "API")) == ("F: one", "F: one [API]")


ME = Holder("CHG1", "r1", "me", "now", "machine", "boot", 100, "5000")


def held(**changes: object) -> dict[str, Any]:
    return {"machine": "machine", "boot": "boot", "pid": 200, "started": "4000", **changes}


def test_a_lock_of_a_dead_process_of_this_machine_is_taken_over_and_no_other() -> None:
    assert is_over(held(), ME, now_started="")
    assert is_over(held(), ME, now_started="4999")
    assert is_over(held(boot="before"), ME, now_started="4000")
    assert not is_over(held(), ME, now_started="4000")
    assert not is_over(held(machine="another"), ME, now_started="")
