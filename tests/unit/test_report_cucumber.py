"""cucumber.json says of every step of every scenario what became of it, and takes no unfinished record for a success."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.journal import read
from harness.recording.outline import outline
from harness.report import cucumber
from tests.unit import journals
from tests.unit.story import Story

FEATURE = """\
@gate
Feature: Files arrive
  What was measured is what arrives.

  Background:
    Given the source is frozen

  Rule: By rsync

    @probe
    Scenario Outline: The <root> arrives
      Said of each root.
      Given these roots
        | root |
        | data |
      When the <root> is sent
      Then the <root> is there
      And nothing else is

      Examples:
        | root | host |
        | data | dest |
        | logs | dest |
"""
TITLE = "Files arrive"
FROZEN = "the source is frozen"
Node = dict[str, Any]


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """Return a story whose record knows the feature file above, and in it one step of each scenario's Background."""
    file = tmp_path / "70_files.feature"
    file.write_text(FEATURE, encoding="utf-8")
    begun = Story(tmp_path / "journal.jsonl")
    begun.run()
    begun.tell("feature", feature=TITLE, file=file.name, outline=outline(file))
    return begun


def of(story: Story, title: str = TITLE) -> Node:
    features: list[Node] = json.loads(cucumber(story.journal.lines))
    return next(feature for feature in features if feature["name"] == title)


def begin(story: Story, root: str) -> None:
    story.feature, story.scenario, story.example = TITLE, f"The {root} arrives", "dest"
    story.begin(TITLE, story.scenario)
    story.look("given", FROZEN, "the fence")


def results(element: Node) -> list[Node]:
    return [step["result"] for step in element["steps"]]


def test_a_row_of_examples_is_a_scenario_behind_its_background(story: Story) -> None:
    begin(story, "logs")
    story.look("given", "these roots", "roots")
    story.look("before", "the logs is there", "paths", "absent")
    story.act("the logs is sent", "begun")
    story.do("source$ rsync", 2.5)
    story.act("the logs is sent", "done")
    story.look("after", "the logs is there", "paths")
    story.look("after", "nothing else is", "paths")
    story.end()
    passed = {"status": "passed"}
    step: Node = {"keyword": "Given ", "name": FROZEN, "line": 6, "result": passed | {"duration": 250_000_000}}
    table = {"rows": [{"cells": ["root"]}, {"cells": ["data"]}]}

    assert of(story) == {
        "uri": "features/70_files.feature",
        "id": "files-arrive",
        "keyword": "Feature",
        "name": TITLE,
        "line": 2,
        "description": "What was measured is what arrives.",
        "tags": [{"name": "@gate", "line": 1}],
        "elements": [
            {"type": "background", "keyword": "Background", "name": "", "line": 5, "description": "", "steps": [step]},
            {
                "type": "scenario",
                "id": "files-arrive;by-rsync;the-<root>-arrives;;3",
                "keyword": "Scenario Outline",
                "name": "The logs arrives (dest)",
                "line": 23,
                "description": "Said of each root.",
                "tags": [{"name": "@gate", "line": 1}, {"name": "@probe", "line": 10}],
                "start_timestamp": "2026-12-01T02:05:00.000Z",
                "steps": [
                    {"keyword": "Given ", "name": "these roots", "line": 13, "result": passed | {"duration": 50_000_000}, **table},
                    {"keyword": "When ", "name": "the logs is sent", "line": 16, "result": passed | {"duration": 2_500_000_000}},
                    {"keyword": "Then ", "name": "the logs is there", "line": 17, "result": passed | {"duration": 100_000_000}},
                    {"keyword": "And ", "name": "nothing else is", "line": 18, "result": passed | {"duration": 50_000_000}},
                ],
            },
        ],
    }


def test_what_comes_after_a_red_step_is_skipped_and_the_red_one_says_both_sides(story: Story) -> None:
    begin(story, "data")
    story.look("given", "these roots", "roots", "not held", expected=1, observed=2, why="w", remedy="r")
    story.end("red", "roots: not held")
    (_, scenario) = of(story)["elements"]

    assert [result["status"] for result in results(scenario)] == ["failed", "skipped", "skipped", "skipped"]
    assert results(scenario)[0]["error_message"] == (
        "roots: not held (given, witness sql)\nexpected: 1\nobserved: 2\nwhy it matters: w\nwhat to do: r"
    )


@pytest.mark.parametrize(
    ("status", "cause", "message"),
    [
        ("blocked", "blocked by: something", "blocked by: something"),
        ("not applicable", "the plan says so", "not applicable: the plan says so"),
        ("settled", "", "settled, and no attempt in this record shows it green"),
    ],
)
def test_a_scenario_that_was_left_out_is_skipped_and_says_why_on_its_first_step(
    story: Story, status: str, cause: str, message: str
) -> None:
    story.tell("scenario", feature=TITLE, scenario="The data arrives", example="dest", status=status, cause=cause)
    background, scenario = of(story)["elements"]

    assert results(background) == [{"status": "skipped", "error_message": message}]
    assert results(scenario) == [{"status": "skipped"}] * 4


@pytest.mark.parametrize(
    ("cause", "status"),
    [("a person's yes is needed", "failed"), ("StepDefinitionNotFoundError: Step definition is not found", "undefined")],
)
def test_a_scenario_that_is_red_before_any_step_says_so_on_the_first_that_was_not_reached(
    story: Story, cause: str, status: str
) -> None:
    begin(story, "data")
    story.end("red", cause)
    background, scenario = of(story)["elements"]

    assert [result["status"] for result in results(background) + results(scenario)] == [
        "passed",
        status,
        "skipped",
        "skipped",
        "skipped",
    ]
    assert results(scenario)[0]["error_message"] == cause


def test_a_waived_fact_has_not_passed(story: Story) -> None:
    begin(story, "data")
    story.look("after", "the data is there", "paths", "not held")
    story.tell("deviation", scenario=story.scenario, what="waived: the data is there", cause="paths: not held", reason="known")
    story.end()
    (_, scenario) = of(story)["elements"]

    assert results(scenario)[2] == {"status": "skipped", "error_message": "waived: known"}


def test_a_settled_scenario_shows_the_steps_of_the_attempt_in_which_it_was_green(tmp_path: Path) -> None:
    lines = read(journals.continued(tmp_path / "journal.jsonl")).lines
    elements = [element for feature in json.loads(cucumber(lines)) for element in feature["elements"]]
    settled = next(element for element in elements if element["name"] == "The PostgreSQL dump is complete")

    assert settled["description"] == "settled: green in attempt 1, not looked at again"
    assert [result["status"] for result in results(settled)] == ["passed"] * 3
    assert results(settled)[1]["duration"] == 12_400_000_000


def test_an_unfinished_record_fails(tmp_path: Path) -> None:
    features = json.loads(cucumber(read(journals.unfinished(tmp_path / "journal.jsonl")).lines))
    restored = next(one for feature in features for one in feature["elements"] if one["name"] == journals.RESTORED)

    assert [result["status"] for result in results(restored)] == ["failed", "skipped"]
    assert results(restored)[0]["error_message"] == "begun, and the record does not say how it ended"
    assert features[-1]["name"] == "The record"
    (whole,) = features[-1]["elements"]
    assert results(whole)[0]["status"] == "failed"
    assert "the record ends without a verdict" in results(whole)[0]["error_message"]


def test_a_green_record_has_no_step_that_did_not_pass_but_what_is_not_applicable(tmp_path: Path) -> None:
    features = json.loads(cucumber(read(journals.green(tmp_path / "journal.jsonl")).lines))
    told = [result for feature in features for element in feature["elements"] for result in results(element)]

    assert {result["status"] for result in told if "not applicable" not in result.get("error_message", "")} == {"passed"}
    assert len(told) == 19


def test_every_feature_of_the_runbook_has_an_outline_that_names_its_steps() -> None:
    files = sorted((Path(__file__).parents[2] / "features").glob("*.feature"))
    outlines = {file: outline(file) for file in files}

    assert len(files) > 9
    for file, told in outlines.items():
        lines = file.read_text(encoding="utf-8").splitlines()
        assert told["scenarios"]
        for scenario in told["scenarios"]:
            for step in scenario["steps"]:
                assert lines[step["line"] - 1].strip().startswith(step["keyword"])
