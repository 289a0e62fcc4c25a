"""Deeds that are begun ahead of the scenario whose act waits for them: begun once, waited for, done again where they failed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from harness.deed import Command, Role
from harness.host import Host
from harness.plan import SshPart
from harness.run.fold import fold
from harness.transport import Completed
from harness.transport.scripted import Scripted
from tests.inner import Inner

PART = SshPart(host="old.example.com", known_hosts="/tmp/known_hosts")
DUMP = {"argv": ("pg_dump",), "lasting": "dump"}
FEATURE = """
Feature: A shelf
  Scenario: The book is on the shelf
    When the book is put on the shelf, and the lamp ahead
    Then the book is on the shelf
  Scenario: The lamp is on the shelf
    When the lamp is waited for
    Then the lamp is on the shelf
"""
STEPS = """
from dataclasses import replace

LAMP = replace(put("the lamp"), lasting="lamp")

@when("the book is put on the shelf, and the lamp ahead")
def ahead():
    yield replace(LAMP, ahead_of="The lamp is on the shelf")
    yield put("the book")

@when("the lamp is waited for")
def waited():
    yield LAMP
"""


def state(name: str, code: int = 0) -> Completed:
    return Completed(0, json.dumps({"state": name, "exit": code, "out": "", "tail": "", "seconds": 2.5}).encode())


def verbs(script: Scripted) -> list[str]:
    return [text.split()[text.split().index("-") + 1] for text in script.ran]


def done(command: Command, *waits: Completed) -> tuple[int, list[str]]:
    """Run a command whose host answers so; returns its exit code and what the host was asked."""
    answers: list[Completed | Exception] = [*waits]
    script = Scripted({" start ": state("running"), " wait ": answers})
    result = Host(Role.SOURCE, PART, script, "/var/lib/pryv-migration/CHG1").attempt(command)
    return result.exit, verbs(script)


def test_one_that_is_ahead_is_begun_and_not_waited_for() -> None:
    command = Command(Role.SOURCE, **DUMP, ahead_of="Later")  # type: ignore[arg-type]

    assert done(command, state("running")) == (0, ["start"])


@pytest.mark.parametrize(
    ("waits", "asked"),
    [
        (("running", "running", "done"), ["wait", "wait", "wait"]),
        (("done",), ["wait"]),
        (("none", "done"), ["wait", "start", "wait"]),
        (("lost", "done"), ["wait", "start", "wait"]),
    ],
)
def test_one_that_was_begun_is_waited_for_and_done_where_the_host_knows_none(waits: tuple[str, ...], asked: list[str]) -> None:
    command = Command(Role.SOURCE, **DUMP, begun=True)  # type: ignore[arg-type]

    assert done(command, *map(state, waits)) == (0, asked)


def test_one_that_ended_badly_is_done_again_and_its_second_end_counts() -> None:
    command = Command(Role.SOURCE, **DUMP, begun=True)  # type: ignore[arg-type]

    assert done(command, state("done", 1), state("done", 0)) == (0, ["wait", "start", "wait"])
    assert done(command, state("done", 1), state("done", 1)) == (1, ["wait", "start", "wait"])


def test_one_that_is_ahead_and_was_begun_is_not_begun_again() -> None:
    command = Command(Role.SOURCE, **DUMP, ahead_of="Later", begun=True)  # type: ignore[arg-type]

    assert done(command, state("done")) == (0, ["wait"])


def test_the_later_act_waits_without_a_first_look_and_its_facts_are_looked_at_for_good(inner: Inner) -> None:
    inner.run(FEATURE, STEPS)

    assert inner.code == 0
    looks = [(line["scenario"], line["phase"], line["outcome"]) for line in inner.kinds("check")]
    assert looks == [
        ("The book is on the shelf", "before", "absent"),
        ("The book is on the shelf", "after", "held"),
        ("The lamp is on the shelf", "after", "held"),
    ]
    [first, _, waited] = inner.kinds("intent")
    assert (first["lasting"], first["ahead_of"]) == ("lamp", "The lamp is on the shelf")
    assert waited["deed"] == "dest$ put 'the lamp', begun ahead: waited for"
    assert [line for line in inner.lines if line.get("vacuous")] == []


def test_what_was_begun_ahead_and_did_not_make_its_fact_true_is_red(inner: Inner) -> None:
    inner.run(FEATURE, STEPS.replace('put("the lamp")', 'put("another lamp")'))

    assert inner.code == 1
    assert inner.status("The lamp is on the shelf") == "red"


def line(ahead_of: str = "", *, ok: bool = True) -> dict[str, Any]:
    return {"kind": "deed", "scenario": "Now", "lasting": "dump", "ok": ok, **({"ahead_of": ahead_of} if ahead_of else {})}


def red(scenario: str) -> dict[str, Any]:
    return {"kind": "scenario", "feature": "F", "scenario": scenario, "example": "", "status": "red"}


def test_the_record_tells_what_is_begun_ahead_until_it_is_waited_for_or_the_epoch_ends() -> None:
    begun, waited = line("Later"), line()

    assert fold([begun, red("Another")]).ahead == {"dump": ("Later", "Now")}
    assert fold([begun, red("Now")]).ahead == {}
    assert fold([begun, red("Later")]).ahead == {}
    assert fold([line("Later", ok=False)]).ahead == {}
    assert fold([begun, waited]).ahead == {}
    assert fold([begun, {**waited, "ok": False}]).ahead == {}
    for mark in ("T_stop", "T_reset"):
        assert fold([begun, {"kind": "mark", "mark": mark, "time": "02:14"}]).ahead == {}
    assert fold([begun, {"kind": "mark", "mark": "T_start", "time": "02:14"}]).ahead == {"dump": ("Later", "Now")}
