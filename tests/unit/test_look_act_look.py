"""Look, act, look, exactly (design: section 6): each rule is tried by an inner runbook."""

from __future__ import annotations

import pytest

from tests.inner import Inner

ONE = """
Feature: A shelf
  Scenario: The book is on the shelf
    When the book is put on the shelf
    Then the book is on the shelf
  Scenario: The lamp is on the shelf
    When the lamp is put on the shelf
    Then the lamp is on the shelf
"""


def feature(*steps: str, more: str = "") -> str:
    return "\n".join(["Feature: A shelf", "  Scenario: One", *(f"    {step}" for step in steps), more])


def phases(inner: Inner) -> list[tuple[str, str]]:
    return [(line["phase"], line["outcome"]) for line in inner.kinds("check")]


def test_an_act_is_done_between_two_looks_and_recorded_in_that_order(inner: Inner) -> None:
    inner.run(ONE)

    assert inner.code == 0
    assert [line["kind"] for line in inner.lines[:10]] == [
        "run",
        "feature",
        "scenario",
        "check",
        "step",
        "step",
        "intent",
        "deed",
        "step",
        "check",
    ]
    assert phases(inner) == [("before", "absent"), ("after", "held")] * 2
    assert inner.shelf == ["the book", "the lamp"]


def test_an_act_whose_facts_hold_is_not_repeated_and_is_vacuous_on_fresh_hosts(inner: Inner) -> None:
    (inner.pytester.path / "shelf.json").write_text('["the book"]')

    inner.run(ONE)

    [held] = [line for line in inner.kinds("step") if line["status"] == "already held"]
    assert (held["step"], held["vacuous"]) == ("the book is put on the shelf", True)
    assert [line["deed"] for line in inner.kinds("deed")] == ["dest$ put 'the lamp'"]


def test_the_same_command_looks_again_and_does_nothing_twice(inner: Inner) -> None:
    inner.run(ONE)

    inner.again()

    assert inner.code == 0
    assert len(inner.kinds("deed")) == 2
    assert not [line for line in inner.kinds("step") if line.get("vacuous")]


def test_an_error_in_the_first_look_makes_the_scenario_red_and_the_act_is_not_done(inner: Inner) -> None:
    inner.run(feature("When the book is put on the shelf", "Then unreachable is on the shelf"))

    assert inner.code == 1
    assert inner.shelf == []
    assert inner.cause("One") == "the shelf is unreachable while looking: it is not there"


def test_a_fact_that_does_not_hold_after_the_act_is_red(inner: Inner) -> None:
    inner.run(feature("When the book is put on the shelf", "Then the lamp is on the shelf"))

    assert inner.code == 1
    assert inner.cause("One") == "the lamp: absent"


def test_the_first_red_scenario_blocks_all_later_ones(inner: Inner) -> None:
    inner.run(ONE.replace("Then the book", "Then the cup"))

    assert inner.status("The lamp is on the shelf") == "blocked"
    assert inner.cause("The lamp is on the shelf") == "blocked by: A shelf: The book is on the shelf"
    assert inner.shelf == ["the book"]


def test_a_deed_that_fails_is_red_with_its_answer_and_is_in_the_record(inner: Inner) -> None:
    inner.run(feature("When bad is put on the shelf", "Then bad is on the shelf"))

    assert inner.code == 1
    assert "exit 1\nno room for it" in inner.cause("One")
    [deed] = inner.kinds("deed")
    assert (deed["ok"], deed["exit"]) == (False, 1)


def test_an_unreachable_host_during_a_deed_says_what_was_being_done(inner: Inner) -> None:
    inner.run(feature("When gone is put on the shelf", "Then gone is on the shelf"))

    assert inner.cause("One") == "the shelf is unreachable while doing dest$ put gone: it is not there"
    assert [line["ok"] for line in inner.kinds("deed")] == [False]


def test_something_else_in_its_place_is_half_done_and_the_act_is_refused(inner: Inner) -> None:
    (inner.pytester.path / "shelf.json").write_text('["broken the book"]')

    inner.run(ONE)

    assert inner.code == 1
    assert inner.cause("The book is on the shelf") == "half done, not known to be by this run: the book: something else"
    assert inner.kinds("deed") == []


def test_an_idempotent_act_is_done_over_what_is_half_done(inner: Inner) -> None:
    (inner.pytester.path / "shelf.json").write_text('["broken the book"]')
    steps = """
@when("the book is tidied", idempotent=True)
def tidy():
    yield Command(Role.DEST, ("drop", "broken the book"))
    yield put("the book")
"""

    inner.run(feature("When the book is tidied", "Then the book is on the shelf"), steps)

    assert inner.code == 0
    assert inner.shelf == ["the book"]


def test_facts_that_hold_do_not_count_as_half_done(inner: Inner) -> None:
    (inner.pytester.path / "shelf.json").write_text('["the lamp"]')

    inner.run(feature("When the book is put on the shelf", "Then the book is on the shelf", "And the lamp is on the shelf"))

    assert inner.code == 0


def test_a_step_records_all_its_checks_before_it_is_red(inner: Inner) -> None:
    steps = """
@then("two things are looked at")
def two(run):
    run.check(equal("first", Witness.FILES, 1, 2))
    run.check(equal("second", Witness.FILES, 1, 1))
"""

    inner.run(feature("Then two things are looked at"), steps)

    assert [(line["name"], line["outcome"]) for line in inner.kinds("check")] == [("first", "not held"), ("second", "held")]
    assert inner.cause("One") == "first: not held"


def test_a_body_that_records_nothing_is_red(inner: Inner) -> None:
    steps = '@then("nothing is looked at")\ndef nothing(run):\n    pass\n'

    inner.run(feature("Then nothing is looked at"), steps)

    assert inner.code == 1
    assert inner.cause("One") == "the step records no check: nothing is looked at"


def test_a_given_that_records_nothing_is_red(inner: Inner) -> None:
    steps = '@given("nothing is given")\ndef nothing(run):\n    pass\n'

    inner.run(feature("Given nothing is given", "Then the book is on the shelf"), steps)

    assert inner.cause("One") == "the step records no check: nothing is given"


def test_a_check_that_examined_less_than_its_minimum_is_red(inner: Inner) -> None:
    steps = """
@then("too little is looked at")
def little(run):
    run.check(equal("tables", Witness.SQL, [], [], examined=0))
"""

    inner.run(feature("Then too little is looked at"), steps)

    assert inner.cause("One") == "tables: examined 0 of at least 1"


def test_any_other_exception_is_an_error_an_assertion_included(inner: Inner) -> None:
    steps = '@then("it is asserted")\ndef asserted(run):\n    assert False, "no"\n'

    inner.run(feature("Then it is asserted"), steps)

    assert inner.cause("One").startswith("AssertionError: no")
    assert [line["status"] for line in inner.kinds("step")] == ["error"]


@pytest.mark.parametrize("call", ["skip", "fail", "xfail"])
def test_skip_fail_and_xfail_are_banned_in_steps(inner: Inner, call: str) -> None:
    steps = f'@then("it decides about itself")\ndef decides(run):\n    pytest.{call}("no")\n'

    inner.run(feature("Then it decides about itself"), steps)

    assert inner.code == 1
    assert "is banned in steps: it decides about itself" in inner.cause("One")


def test_an_act_that_does_nothing_is_red(inner: Inner) -> None:
    steps = '@when("nothing is done")\ndef nothing():\n    return\n    yield\n'

    inner.run(feature("When nothing is done", "Then the book is on the shelf"), steps)

    assert inner.cause("One") == "the act did nothing: nothing is done"


def test_the_last_look_may_wait_and_the_first_one_does_not(inner: Inner) -> None:
    steps = """
@then("soon {thing} is there", within_s=5.0)
def soon(run, thing):
    run.look(has(thing))
"""

    inner.run(feature("When slow milk is put on the shelf", "Then soon slow milk is there"), steps)

    assert inner.code == 0
    assert phases(inner) == [("before", "absent"), ("after", "held")]


def test_a_last_look_that_waits_in_vain_is_red_after_its_deadline(inner: Inner) -> None:
    steps = '@then("soon {thing} is there", within_s=0.2)\ndef soon(run, thing):\n    run.look(has(thing))\n'

    inner.run(feature("When the book is put on the shelf", "Then soon the cup is there"), steps)

    assert inner.cause("One") == "the cup: absent"


def test_tables_texts_and_defaults_are_bound_in_the_first_look_as_in_the_last(inner: Inner) -> None:
    steps = """
@then("these are on the shelf")
def these(run, datatable, word="default"):
    run.check(equal("word", Witness.FILES, "default", word))
    for [thing] in datatable[1:]:
        run.look(has(thing))

@then("the text names what is there")
def this(run, docstring):
    run.look(has(docstring))
"""
    text = (
        "When the book is put on the shelf",
        "Then these are on the shelf",
        "  | thing    |",
        "  | the book |",
        "And the text names what is there",
        '  """',
        "  the book",
        '  """',
    )

    inner.run(feature(*text), steps)

    assert inner.code == 0
    assert [line["name"] for line in inner.kinds("check")] == ["word", "the book", "the book"] * 2


def test_marks_are_written_before_the_first_deed_or_once_the_scenario_is_green(inner: Inner) -> None:
    steps = """
@when("it is opened", mark_before="T_open")
def opened():
    yield put("the book")

@when("it is stopped", mark_after="T_stop")
def stopped():
    yield put("the lamp")
"""
    more = "  Scenario: Two\n    When it is stopped\n    Then the lamp is on the shelf\n"

    inner.run(feature("When it is opened", "Then the book is on the shelf", more=more), steps)

    kinds = [line["mark"] if line["kind"] == "mark" else line["kind"] for line in inner.kinds("mark", "deed", "check")]
    assert kinds == ["check", "T_open", "deed", "check", "check", "deed", "check", "T_stop"]


def test_after_t_stop_green_scenarios_are_settled_and_before_it_nothing_is(inner: Inner) -> None:
    steps = '@when("it is stopped", mark_after="T_stop")\ndef stopped():\n    yield put("the lamp")\n'
    more = (
        "  Scenario: Two\n    When it is stopped\n    Then the lamp is on the shelf\n"
        "  Scenario: Three\n    When the cup is put on the shelf\n    Then the plate is on the shelf\n"
    )
    inner.run(feature("When the book is put on the shelf", "Then the book is on the shelf", more=more), steps)
    assert inner.code == 1

    inner.again()

    assert [inner.status(name) for name in ("One", "Two", "Three")] == ["settled", "settled", "red"]


def test_a_gate_is_written_to_the_record_before_its_act(inner: Inner) -> None:
    inner.run(ONE.replace("  Scenario: The book", "  @gate\n  Scenario: The book"))

    assert [line["kind"] for line in inner.kinds("gate", "deed")] == ["gate", "deed", "deed"]


STANDING = """
from harness.run.standing import Standing
from tests.inner import has
STANDING = (Standing("the book stays", "The book is on the shelf", "", "The book is on the shelf", lambda plan, state: _list()),)
def _list():
    return [(yield from has("the book"))]
"""


def test_a_standing_fact_that_breaks_is_red_before_the_act_and_unsettles_its_scenario(inner: Inner) -> None:
    (inner.pytester.path / "standing.py").write_text(STANDING)
    steps = """
@when("it is stopped", mark_after="T_stop")
def stopped():
    yield put("the lamp")

@when("the book is lost")
def lost():
    yield Command(Role.DEST, ("drop", "the book"))
    yield put("the hole")
"""
    text = ONE.replace("the lamp is put on the shelf", "it is stopped") + (
        "  Scenario: Lost\n    When the book is lost\n    Then the hole is on the shelf\n"
        "  Scenario: After\n    When the cup is put on the shelf\n    Then the cup is on the shelf\n"
    )

    inner.run(text, steps)

    assert inner.code == 1
    assert inner.cause("After").startswith("no longer so: the book stays (the book: absent)")
    assert "the cup" not in inner.shelf
    inner.again()
    assert inner.status("The book is on the shelf") == "green"
    assert inner.status("After") == "green"
    assert inner.code == 0


PROBE = """
@when("the lid is tried")
def tried():
    answer = yield Command(Role.DEST, ("put", "bad"), exits=(0, 1))
    return answer

@then("it did not open")
def shut(run):
    run.check(equal("exit", Witness.PROCESSES, 1, run.result.exit))
"""


@pytest.mark.parametrize("tag", ["probe", "repeat"])
def test_a_probe_is_always_done_without_a_first_look_and_its_facts_read_its_result(inner: Inner, tag: str) -> None:
    text = feature("When the lid is tried", "Then it did not open").replace("  Scenario", f"  @{tag}\n  Scenario")

    inner.run(text, PROBE)
    inner.again()

    assert inner.code == 0
    assert phases(inner) == [("after", "held")] * 2
    assert len(inner.kinds("deed")) == 2


def test_a_result_that_no_act_has_left_is_red(inner: Inner) -> None:
    inner.run(feature("Then it did not open"), PROBE)

    assert inner.cause("One") == "no act of this scenario has left a result"


def test_a_probe_that_does_nothing_is_red(inner: Inner) -> None:
    steps = PROBE.replace("    answer = yield", "    return\n    answer = yield")
    text = feature("When the lid is tried", "Then it did not open").replace("  Scenario", "  @probe\n  Scenario")

    inner.run(text, steps)

    assert inner.cause("One") == "the act did nothing: the lid is tried"


CLEARS = """
from harness.errors import HalfDone

def make_room(run):
    if "mine" not in run.doing.performer.things:
        raise HalfDone("not by this run")
    yield Command(Role.DEST, ("drop", "broken the book"))

@when("the book is laid", clears=make_room)
def laid(run):
    yield put("the book")
"""


@pytest.mark.parametrize(("things", "code"), [('["broken the book", "mine"]', 0), ('["broken the book"]', 1)])
def test_what_is_half_done_is_cleared_when_it_is_this_runs_and_refused_when_not(inner: Inner, things: str, code: int) -> None:
    (inner.pytester.path / "shelf.json").write_text(things)

    inner.run(feature("When the book is laid", "Then the book is on the shelf"), CLEARS)

    assert inner.code == code
    assert ("the book" in inner.shelf) is (code == 0)
    assert ("broken the book" in inner.shelf) is (code == 1)


def test_a_failure_outside_steps_is_red_and_blocks(inner: Inner) -> None:
    steps = """
def pytest_runtest_setup(item):
    if "book" in item.name:
        raise RuntimeError("a fixture broke")
"""

    inner.run(ONE, steps)

    assert inner.code == 1
    assert inner.shelf == []
    assert inner.status("The lamp is on the shelf") == "blocked"


def set_up(inner: Inner, text: str) -> None:
    (inner.pytester.path / "set_up.py").write_text(text)


GATED = ONE.replace("  Scenario: The book", "  @gate\n  Scenario: The book")


def test_a_gate_that_nobody_approves_stops_with_12_and_nothing_is_done(inner: Inner) -> None:
    set_up(inner, "run.approve = lambda gate: ''")

    inner.run(GATED)

    assert inner.code == 12
    assert inner.shelf == []
    assert "a person's yes is needed before: The book is on the shelf" in inner.cause("The book is on the shelf")


WINDOW = """
from datetime import UTC, datetime, timedelta
from harness.plan import Window
past = datetime.now(UTC) - timedelta(days=2)
window = Window(start=past, end=past + timedelta(days=1))
run.plan = run.plan.model_copy(update={"change": run.plan.change.model_copy(update={"window": window})})
"""


def test_outside_the_window_a_gate_is_refused(inner: Inner) -> None:
    set_up(inner, WINDOW)

    inner.run(GATED)

    assert inner.code == 1
    assert inner.cause("The book is on the shelf").startswith("outside the window of the change")
    assert inner.shelf == []


def test_a_frozen_run_is_never_locked_out_by_the_window(inner: Inner) -> None:
    set_up(inner, WINDOW + 'run.journal.append("mark", mark="T_stop")\n')

    inner.run(GATED)

    assert inner.code == 0
    assert [line["what"] for line in inner.kinds("deviation")] == ["outside the window of the change"]


WAIVER = """
from datetime import UTC, datetime, timedelta
from harness.run.values import Waiver
until = datetime.now(UTC) + timedelta(hours={hours})
run.waivers = {{"One": Waiver("One", "the cup is known to be missing", "change board", until)}}
"""


def test_a_waived_red_fact_is_a_deviation_with_its_reason_approver_and_end(inner: Inner) -> None:
    set_up(inner, WAIVER.format(hours=1))

    inner.run(feature("Then the cup is on the shelf"))

    assert inner.code == 0
    [deviation] = inner.kinds("deviation")
    assert (deviation["reason"], deviation["approver"]) == ("the cup is known to be missing", "change board")
    assert deviation["cause"] == "the cup: absent"


@pytest.mark.parametrize(
    ("hours", "step", "tag"),
    [
        (-1, "Then the cup is on the shelf", ""),
        (1, "Then unreachable is on the shelf", ""),
        (1, "Then the cup is on the shelf", "@gate"),
    ],
)
def test_a_waiver_that_is_over_an_error_and_a_gate_are_not_waived(inner: Inner, hours: int, step: str, tag: str) -> None:
    set_up(inner, WAIVER.format(hours=hours))

    inner.run(feature(step).replace("  Scenario", f"  {tag}\n  Scenario"))

    assert inner.code == 1
    assert inner.kinds("deviation") == []
