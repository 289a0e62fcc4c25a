"""The fold puts each line where it belongs, and a verdict is believed only where the lines bear it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.journal import read
from harness.report.fold import fold
from harness.report.html import standing
from harness.report.moved import measurements
from harness.report.timeline import pictures
from harness.report.verdict import judge, outage, outage_said
from tests.unit import journals
from tests.unit.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.report.tree import Record, Scenario

FACT = "the fact"


@pytest.fixture
def story(tmp_path: Path) -> Story:
    begun = Story(tmp_path / "journal.jsonl")
    begun.run()
    return begun


@pytest.fixture
def record_of(tmp_path: Path) -> Callable[[Callable[[Path], Path]], Record]:
    return lambda tell: fold(read(tell(tmp_path / "journal.jsonl")).lines)


def named(record: Record, title: str) -> Scenario:
    return next(scenario for scenario in record.scenarios if scenario.title == title)


def proven(story: Story, scenario: str = "A fact is so") -> None:
    """Tell a small scenario that is green for good reasons."""
    story.begin(journals.PREFLIGHT, scenario)
    story.look("after", FACT, "the check")
    story.end()


def test_steps_stand_in_reading_order_though_thens_are_looked_at_first(
    record_of: Callable[[Callable[[Path], Path]], Record],
) -> None:
    steps = named(record_of(journals.green), "The PostgreSQL dump is complete").last.steps

    assert [step.keyword for step in steps] == ["Given", "When", "Then"]
    assert [step.status for step in steps] == ["held", "done", "held"]
    assert [len(step.deeds) for step in steps] == [0, 1, 0]


def test_a_check_is_paired_before_and_after(record_of: Callable[[Callable[[Path], Path]], Record]) -> None:
    (pair,) = named(record_of(journals.red), journals.RESTORED).last.pairs

    assert (pair.before and pair.before.outcome, pair.after and pair.after.outcome) == ("absent", "not held")
    assert pair.newest is pair.after
    assert pair.red


def test_features_keep_the_number_of_their_file(record_of: Callable[[Callable[[Path], Path]], Record]) -> None:
    assert [feature.number for feature in record_of(journals.green).features] == ["10", "50", "60", "70", "80", "85"]


def test_a_then_that_was_looked_at_only_before_the_act_was_not_run(record_of: Callable[[Callable[[Path], Path]], Record]) -> None:
    turn = named(record_of(journals.unfinished), journals.RESTORED).last

    assert turn.status == "begun"
    assert [(step.keyword, step.status) for step in turn.steps] == [("When", "begun"), ("Then", "not run")]
    assert [deed.ok for deed in turn.deeds] == [None]


def test_the_newest_turn_stands_first_and_a_settled_scenario_shows_its_evidence(
    record_of: Callable[[Callable[[Path], Path]], Record],
) -> None:
    record = record_of(journals.continued)
    restored, dumped = named(record, journals.RESTORED), named(record, "The PostgreSQL dump is complete")

    assert [(turn.attempt, turn.status) for turn in restored.turns] == [(2, "green"), (1, "red")]
    assert restored.earlier == restored.turns[1:]
    assert (dumped.last.status, dumped.evidence.attempt, len(dumped.evidence.pairs)) == ("settled", 1, 2)
    assert dumped.earlier == ()


def test_a_lasting_deed_is_joined_to_its_intent_wherever_it_is_answered(story: Story) -> None:
    story.begin(journals.DATABASES, "One")
    story.act("a dump is begun", "begun")
    identity = story.intend("source$ pg_dump")
    story.end()
    story.begin(journals.DATABASES, "Two")
    story.act("the dump is awaited", "begun")
    story.write("deed", id=identity, deed="source$ pg_dump", host="source", exit=0, seconds=60.5, tail="", ok=True)
    story.end()
    one, two = fold(story.journal.lines).scenarios

    assert [(deed.ok, deed.seconds) for deed in one.last.deeds] == [(True, 60.5)]
    assert two.last.deeds == ()


def test_placeholders_are_filled_in_and_only_what_is_left_of_a_row_is_told(story: Story) -> None:
    for example in ({"engine": "PostgreSQL"}, {"engine": "MongoDB", "size": "2 GB"}):
        story.tell("scenario", feature="F", scenario="The <engine> dump is <odd>", example=example, status="blocked")

    assert [scenario.name for scenario in fold(story.journal.lines).scenarios] == [
        "The PostgreSQL dump is <odd>",
        "The MongoDB dump is <odd> (engine: MongoDB, size: 2 GB)",
    ]


def test_the_outage_is_that_of_the_newest_epoch(story: Story) -> None:
    for mark, wait in (("T_stop", 100), ("T_stop", 30.5), ("T_start", 30), ("T_open", 5), ("T_open", 1)):
        story.tell("mark", mark=mark)
        story.wait(wait)
    waited = outage(fold(story.journal.lines))

    assert (waited.seconds, waited.planned_s) == (60.5, 900)
    assert outage_said(waited) == "1 min 00 s from T_stop to T_open; planned: 15 min 00 s"


def test_an_outage_longer_than_planned_is_called_so(tmp_path: Path) -> None:
    late = Story(tmp_path / "late.jsonl")
    late.run(expected_downtime_s=20)
    for mark in ("T_stop", "T_open"):
        late.tell("mark", mark=mark)
        late.wait(21)

    assert outage_said(outage(fold(late.journal.lines))) == "21.0 s from T_stop to T_open; planned: 20.0 s, longer than planned"


def test_the_outage_goes_on_in_the_picture_of_the_next_attempt(record_of: Callable[[Callable[[Path], Path]], Record]) -> None:
    first, second = pictures(record_of(journals.continued))

    assert first.outage
    assert second.outage
    assert first.outage.left + first.outage.width == pytest.approx(100)
    assert second.outage.left == 0
    assert 90 < second.outage.width < 100
    assert [lane.label[:2] for lane in second.lanes] == ["10", "60", "70", "80", "85", "Tr"]
    assert all(0 <= bar.left <= bar.left + bar.width <= 100 for lane in second.lanes for bar in lane.bars)


def test_measurements_of_both_sides_are_compared(story: Story) -> None:
    for name, role, digest in (
        ("A", "source", "x"),
        ("A", "dest", "x"),
        ("B", "source", "x"),
        ("B", "dest", "y"),
        ("C", "source", "x"),
    ):
        story.tell("digest", name=name, role=role, digest=digest, examined=1)

    assert [(item.name, item.same) for item in measurements(fold(story.journal.lines))] == [
        ("A", "equal"),
        ("B", "different"),
        ("C", "source only"),
    ]


def test_a_standing_fact_begins_and_is_broken_or_stands_until_its_mark(story: Story) -> None:
    story.tell("fact", name="frozen", status="begun", **{"from": "X", "until": ""})
    story.tell("fact", name="seal", status="begun", **{"from": "Y", "until": "T_start"})
    story.tell("fact", name="frozen", status="broken", unsettles="X")
    story.tell("fact", name="frozen", status="begun", **{"from": "X", "until": ""})
    story.tell("mark", mark="T_start")
    story.tell("fact", name="unheard of", status="broken")
    facts = standing(fold(story.journal.lines))

    assert [(fact.name, bool(fact.begun), fact.ended.get("status") or fact.ended.get("mark")) for fact in facts] == [
        ("frozen", True, "broken"),
        ("seal", True, "T_start"),
        ("frozen", True, None),
        ("unheard of", False, "broken"),
    ]


def test_a_green_verdict_that_is_borne_out_is_green(record_of: Callable[[Callable[[Path], Path]], Record]) -> None:
    verdict = judge(record_of(journals.green))

    assert (verdict.status, verdict.doubts) == ("green", ())


def _no_scenario(_: Story) -> None:
    """Tell nothing."""


def _red_scenario(story: Story) -> None:
    proven(story)
    story.without(journals.PREFLIGHT, "Other", "red")


def _begun(story: Story) -> None:
    proven(story)
    story.begin(journals.PREFLIGHT, "Other")


def _blocked(story: Story) -> None:
    proven(story)
    story.without(journals.PREFLIGHT, "Other", "blocked")


def _no_check(story: Story) -> None:
    story.begin(journals.PREFLIGHT, "Other")
    story.end()


def _only_a_first_look(story: Story) -> None:
    story.begin(journals.PREFLIGHT, "Other")
    story.look("before", FACT, "the check")
    story.end()


def _too_little_examined(story: Story) -> None:
    story.begin(journals.PREFLIGHT, "Other")
    story.look("after", FACT, "the check", examined=0)
    story.end()


def _check_not_held(story: Story) -> None:
    story.begin(journals.PREFLIGHT, "Other")
    story.look("after", FACT, "the check", "not held")
    story.end()


def _settled_from_nothing(story: Story) -> None:
    story.without(journals.PREFLIGHT, "Other", "settled")


def _nothing_answered(story: Story) -> None:
    story.begin(journals.PREFLIGHT, "Other")
    story.act("it is done", "begun")
    story.intend("source$ rm")
    story.act("it is done", "done")
    story.look("after", FACT, "the check")
    story.end()


@pytest.mark.parametrize(
    ("told", "doubt"),
    [
        (_no_scenario, "no scenario is green"),
        (_red_scenario, "“Other” is red"),
        (_begun, "“Other” is not ended"),
        (_blocked, "“Other” is blocked"),
        (_no_check, "“Other” is green, yet no check was looked at for good"),
        (_only_a_first_look, "“Other” is green, yet no check was looked at for good"),
        (_too_little_examined, "“Other” is green, yet “the check” is examined 0 of at least 1"),
        (_check_not_held, "“Other” is green, yet its step “the fact” is not held"),
        (_settled_from_nothing, "“Other” is settled, and no attempt in this record shows it green"),
        (_nothing_answered, "“source$ rm” was begun at 02:05:00 UTC and nothing answered it"),
    ],
)
def test_a_green_verdict_that_is_not_borne_out_is_in_doubt(story: Story, told: Callable[[Story], None], doubt: str) -> None:
    told(story)
    story.verdict("green", "all is well", [])
    verdict = judge(fold(story.journal.lines))

    assert verdict.status == "in doubt"
    assert verdict.sentence == "In doubt: all is well"
    assert doubt in verdict.doubts


def test_a_torn_journal_is_in_doubt(story: Story) -> None:
    proven(story)
    story.verdict("green", "all is well", [])

    assert judge(fold(story.journal.lines)).status == "green"
    assert judge(fold(story.journal.lines, torn=3)).doubts == ("the last line of the journal is torn (3 bytes)",)


def test_an_intent_that_an_earlier_attempt_left_open_is_told_but_no_doubt(story: Story) -> None:
    _nothing_answered(story)
    story.run(fresh=False)
    proven(story, "Other")
    story.verdict("green", "all is well", [])
    verdict = judge(fold(story.journal.lines))

    assert verdict.status == "green"
    assert "How “source$ rm” of attempt 1 ended is not in this record." in verdict.not_shown


def test_scenarios_that_the_last_attempt_did_not_reach_are_counted(story: Story) -> None:
    proven(story, "First")
    proven(story, "Second")
    story.run(fresh=False)
    proven(story, "First")

    assert "1 scenario not reached in the last attempt: “Second”." in judge(fold(story.journal.lines)).not_shown


def test_a_journal_without_lines_has_nothing_to_fold() -> None:
    with pytest.raises(ValueError, match="without lines"):
        fold([])
