"""Collect: what is no runbook is refused, whole, before anything runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.inner import Inner

ROOT = Path(__file__).parents[2]

GOOD = """
Feature: A shelf
  Scenario: One
    When the book is put on the shelf
    Then the book is on the shelf
"""


def refused(inner: Inner, text: str, *problems: str) -> None:
    inner.run(text)

    assert inner.code == 13
    assert inner.lines == []
    for problem in problems:
        assert problem in inner.printed


def test_two_scenarios_of_one_name_are_refused_across_rules_too(inner: Inner) -> None:
    again = "  Rule: Another\n    Scenario: One\n      Then the book is on the shelf\n"

    refused(inner, GOOD + again, "2 scenarios are named “One”")


@pytest.mark.parametrize("keyword", ["Scenario Outline", "Scenario"])
def test_an_outline_without_rows_is_refused(inner: Inner, keyword: str) -> None:
    text = GOOD + f"  {keyword}: Two\n    Then the <thing> is on the shelf\n"

    refused(inner, text, "“Two” is an Outline without rows")


def test_an_outline_with_a_header_and_no_row_is_refused(inner: Inner) -> None:
    text = GOOD + "  Scenario Outline: Two\n    Then the <thing> is on the shelf\n    Examples:\n      | thing |\n"

    refused(inner, text, "“Two” is an Outline without rows")


@pytest.mark.parametrize("where", ["Feature: A shelf", "  Scenario: One"])
def test_an_unknown_tag_is_refused_wherever_it_stands(inner: Inner, where: str) -> None:
    refused(inner, GOOD.replace(where, f"@wip\n{where}"), "unknown tag @wip")


def test_an_undefined_step_is_refused_before_anything_runs(inner: Inner) -> None:
    refused(inner, GOOD + "  Scenario: Two\n    Then nobody knows this\n", "no definition(s) match: Then nobody knows this")


def test_a_step_that_two_definitions_match_is_refused(inner: Inner) -> None:
    steps = '@then("the book is on the {place}")\ndef there(run, place):\n    run.look(has(place))\n'

    inner.run(GOOD, steps)

    assert inner.code == 13
    assert "2 definition(s) match: Then the book is on the shelf" in inner.printed


def test_an_act_without_facts_and_a_scenario_that_proves_nothing_are_refused(inner: Inner) -> None:
    text = GOOD + "  Scenario: Two\n    When the cup is put on the shelf\n  Scenario: Three\n    Given the book is on the shelf\n"

    refused(inner, text, "“Two” has an act without facts", "“Three” proves nothing")


def test_more_than_one_act_is_refused(inner: Inner) -> None:
    text = GOOD + "    When the cup is put on the shelf\n    Then the cup is on the shelf\n"

    refused(inner, text, "“One” has more than one When")


def test_all_problems_are_told_at_once(inner: Inner) -> None:
    text = GOOD.replace("  Scenario", "  @wip\n  Scenario") + "  Scenario: Two\n    Then nobody knows this\n"

    refused(inner, text, "2 problem(s)", "unknown tag @wip", "nobody knows this")


def test_an_argument_that_nothing_gives_is_refused(inner: Inner) -> None:
    steps = '@then("a clock ticks")\ndef ticks(run, clock):\n    run.look(has(clock))\n'

    inner.run(GOOD + "  Scenario: Two\n    Then a clock ticks\n", steps)

    assert inner.code == 13
    assert "a clock ticks: nothing gives clock" in inner.printed


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        ('@then("x")\ndef x(run):\n    yield 1\n', "only an act may be a generator"),
        ('@given("x")\ndef x(run):\n    yield 1\n', "only an act may be a generator"),
        ('@when("x")\ndef x(run):\n    return None\n', "an act yields its deeds"),
        ('@then("x", target_fixture="y")\ndef x(run):\n    return 1\n', "unknown target_fixture"),
    ],
)
def test_steps_are_plain_functions_and_acts_generators(inner: Inner, steps: str, problem: str) -> None:
    inner.run(GOOD, steps)

    assert inner.code not in {0, 1}
    assert problem in inner.printed + inner.result.stderr.str()
    assert inner.lines == []


def test_a_feature_without_a_number_is_collected_only_when_named(inner: Inner) -> None:
    features = inner.pytester.path / "features"
    features.mkdir()
    (features / "rollback.feature").write_text(GOOD.replace("One", "Undone").replace("book", "lamp"))

    inner.run(GOOD)
    assert inner.shelf == ["the book"]

    inner.again("features/rollback.feature")
    assert "the lamp" in inner.shelf


def test_what_does_not_apply_is_decided_by_the_table_with_its_reason(inner: Inner) -> None:
    text = (
        GOOD
        + "  @by_proxy\n  Rule: By proxy\n    Scenario: Two\n      Then the cup is on the shelf\n"
        + "  Rule: Engines\n    Scenario Outline: <engine> is there\n      Then the book is on the shelf\n"
        + "      Examples:\n        | engine     |\n        | PostgreSQL |\n        | MongoDB    |\n"
    )

    inner.run(text)

    assert inner.code == 0
    assert (inner.status("Two"), inner.cause("Two")) == ("not applicable", "the plan cuts over by dns")
    assert inner.status("PostgreSQL is there") == "green"
    assert inner.cause("MongoDB is there") == "the source's config does not use MongoDB"


def test_an_unused_argument_default_is_not_asked_as_a_fixture(inner: Inner) -> None:
    steps = '@then("it is fine")\ndef fine(run, depth=3):\n    run.check(equal("depth", Witness.FILES, 3, depth))\n'

    inner.run(GOOD + "  Scenario: Two\n    Then it is fine\n", steps)

    assert inner.code == 0


def test_features_are_not_shared_out_to_several_processes() -> None:
    argv = (sys.executable, "-m", "pytest", "features/", "--collect-only", "--numprocesses", "2")

    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, "a move is one process" in done.stderr) == (4, True)
