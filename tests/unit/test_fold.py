"""The state of a run is a pure function of its journal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from harness.deed import Role
from harness.run.fold import fold, key, unfinished_intents
from harness.run.folder import Holder, is_over


def scenario(name: str, status: str) -> dict[str, Any]:
    return {"kind": "scenario", "feature": "F", "scenario": name, "example": "", "status": status}


STOPPED = {"kind": "mark", "mark": "T_stop", "time": "2026-12-01T02:14:07Z"}


def measured(digest: str) -> dict[str, Any]:
    return {"kind": "digest", "name": "PostgreSQL", "role": "source", "digest": digest, "examined": 18, "bytes": 1, "parts": {}}


def test_nothing_is_settled_before_t_stop() -> None:
    assert not fold([scenario("one", "green")]).settled("F: one")


def test_after_t_stop_what_was_green_is_settled_and_what_was_red_is_not() -> None:
    numbered = {"kind": "feature", "feature": "F", "file": "60_f.feature"}
    state = fold([numbered, scenario("one", "green"), STOPPED, scenario("two", "green"), scenario("two", "red")])

    assert (state.settled("F: one"), state.settled("F: two"), state.red) == (True, False, "F: two")


def test_what_is_run_by_name_is_settled_only_on_the_way_back_which_begins_once() -> None:
    lines = [STOPPED, scenario("one", "green")]
    back = [{"kind": "mark", "mark": "T_back", "time": time} for time in ("02:00", "03:00")]

    assert not fold(lines).settled("F: one")
    assert fold([*lines, *back]).settled("F: one")
    assert fold([*lines, *back]).marks["T_back"] == "02:00"


def test_a_broken_fact_unsettles_from_its_scenario_on() -> None:
    lines = [
        *(scenario(name, "green") for name in ("one", "two", "three")),
        STOPPED,
        {"kind": "fact", "name": "frozen", "status": "begun"},
        {"kind": "fact", "name": "frozen", "status": "broken", "unsettles": ["F: two", "F: three"]},
    ]

    state = fold(lines)

    assert state.green == ["F: one"]
    assert state.facts == {}
    assert state.broken == ["frozen"]


def test_a_stop_that_was_begun_is_remembered_until_t_stop() -> None:
    begun: dict[str, Any] = {"kind": "intent", "scenario": "The source core is stopped", "id": "1"}
    other: dict[str, Any] = {"kind": "intent", "scenario": "The source core is fenced", "id": "2"}

    assert [fold(lines).stopping for lines in ([other], [begun], [begun, STOPPED], [begun, STOPPED, begun])] == [
        *(False, True, False, True)
    ]


def test_an_epoch_whose_stop_is_unsettled_is_over_until_the_next_t_stop() -> None:
    stop = "F: The source core is stopped"
    broken: dict[str, Any] = {"kind": "fact", "name": "frozen", "status": "broken", "unsettles": [stop]}

    assert [fold(lines).over for lines in ([STOPPED], [STOPPED, broken], [STOPPED, broken, STOPPED])] == [False, True, False]


def test_a_measurement_is_never_replaced_within_an_epoch() -> None:
    state = fold([STOPPED, measured("first"), measured("second")])

    assert (state.epoch, state.measured["PostgreSQL"].digest, state.measured["PostgreSQL"].role) == (1, "first", Role.SOURCE)


def test_a_new_epoch_measures_anew() -> None:
    state = fold([STOPPED, measured("first"), STOPPED, measured("second")])

    assert (state.epoch, state.measured["PostgreSQL"].digest) == (2, "second")


def test_an_intent_without_a_deed_is_unfinished() -> None:
    lines = [{"kind": "intent", "id": "1", "deed": "a"}, {"kind": "deed", "id": "1"}, {"kind": "intent", "id": "2", "deed": "b"}]

    assert [line["deed"] for line in unfinished_intents(lines)] == ["b"]


def test_the_key_of_a_row_names_what_its_scenario_does_not() -> None:
    assert (key("F", "one"), key("F", "one", "API")) == ("F: one", "F: one [API]")


ME = Holder("CHG1", "r1", "me", "now", "machine", "boot", 100, "5000")


def held(**changes: object) -> Holder:
    return replace(Holder("CHG1", "r0", "you", "before", "machine", "boot", 200, "4000"), **changes)  # type: ignore[arg-type]


def test_a_lock_of_a_dead_process_of_this_machine_is_taken_over_and_no_other() -> None:
    assert is_over(held(), ME, now_started="")
    assert is_over(held(), ME, now_started="4999")
    assert is_over(held(boot="before"), ME, now_started="4000")
    assert not is_over(held(), ME, now_started="4000")
    assert not is_over(held(machine="another"), ME, now_started="")


def feature(title: str, file: str) -> dict[str, Any]:
    return {"kind": "feature", "feature": title, "file": file}


def test_t_reset_cancels_t_start_and_unsettles_the_config_and_everything_from_the_databases_on() -> None:
    numbers = ("30_dest", "40_configuration", "50_freeze", "60_databases", "80_launch")
    lines: list[dict[str, Any]] = []
    for file in numbers:
        one = {"kind": "scenario", "feature": file, "scenario": "s", "example": "", "status": "green"}
        lines += [feature(file, f"{file}.feature"), one]
    lines += [STOPPED, {"kind": "mark", "mark": "T_start", "time": "now"}, {"kind": "mark", "mark": "T_reset", "time": "now"}]

    state = fold(lines)

    assert state.green == ["30_dest: s", "50_freeze: s"]
    assert set(state.marks) == {"T_stop", "T_reset"}


def test_a_seal_may_be_taken_anew_and_nothing_else() -> None:
    seal = {**measured("first"), "name": "seal"}

    state = fold([STOPPED, seal, measured("rows"), {**seal, "digest": "second"}, measured("other rows")])

    assert (state.measured["seal"].digest, state.measured["PostgreSQL"].digest) == ("second", "rows")


def test_a_fact_that_begins_again_is_broken_no_more() -> None:
    broken = {"kind": "fact", "name": "frozen", "status": "broken", "unsettles": []}
    begun = {"kind": "fact", "name": "frozen", "status": "begun", "value": "now"}

    assert (fold([begun, broken, begun]).broken, fold([begun, broken, begun]).facts) == ([], {"frozen": "now"})
