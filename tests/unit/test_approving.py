"""Who says yes at a gate, and what a waiver must say."""

from __future__ import annotations

import pytest

from harness.errors import Refused
from harness.run.approving import approver, gate_of, waivers

LATER = "9999-01-01T00:00:00+00:00"


def test_a_gate_is_named_by_its_feature() -> None:
    assert [gate_of(number, "the scenario") for number in (50, 85, 98, 60)] == ["freeze", "cutover", "retire", "the scenario"]


def test_a_gate_is_approved_ahead_by_the_rehearsal_or_by_the_change_number_and_by_nothing_else() -> None:
    ahead = approver(["freeze"], rehearsal=False, change="CHG1", ask=None)
    rehearsal = approver([], rehearsal=True, change="CHG1", ask=None)
    typed = approver([], rehearsal=False, change="CHG1", ask=lambda question: "CHG1\n" if "cutover" in question else "yes")

    assert (ahead("freeze"), ahead("cutover")) == ("given ahead by --approve", "")
    assert rehearsal("freeze") == "the rehearsal itself"
    assert (typed("cutover"), typed("freeze")) == ("typed at the terminal", "")


def test_an_unknown_gate_is_refused() -> None:
    with pytest.raises(Refused, match="no gate is called freze; there are: freeze, cutover, retire"):
        approver(["freze"], rehearsal=True, change="CHG1", ask=None)


@pytest.mark.parametrize(
    ("reason", "who", "until", "said"),
    [
        ("", "board", LATER, "needs --reason"),
        ("why", "", LATER, "needs --reason"),
        ("why", "board", "", "needs --reason"),
        ("why", "board", "tomorrow", "no time"),
        ("why", "board", "2020-01-01T00:00:00+00:00", "must have a time zone and lie ahead"),
        ("why", "board", "2999-01-01T00:00:00", "must have a time zone and lie ahead"),
    ],
)
def test_a_waiver_says_reason_approver_and_end(reason: str, who: str, until: str, said: str) -> None:
    with pytest.raises(Refused, match=said):
        waivers(["One"], reason, who, until)


def test_a_whole_waiver_is_one_of_its_scenario() -> None:
    assert waivers(["One"], "why", "board", LATER)["One"].approver == "board"
    assert waivers([], "", "", "") == {}
