"""The client of a run that goes on: a continued run begins another, and what each saw is carried over to the record once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import client
from harness.client import ledger
from harness.run.driving import drive
from harness.run.fold import name_of
from harness.run.mending import SCENARIO
from harness.verification import KEPT

if TYPE_CHECKING:
    from harness.run import Run

LEDGER_LOST = "the ledger of an earlier client is not here: what it was told was saved is not looked for"


def begin_again(run: Run) -> None:
    """Begin another client where one was at work when an earlier attempt ended, and what it saw is still to be looked at."""
    state = run.state
    green = {name_of(one) for one in state.green}
    if not state.frozen or state.going_back or client.AT_WORK not in green or client.LOST_NOTHING in green:
        return
    run.begin(SCENARIO)
    run.note("the client of the earlier attempt ended with it: another is begun; between them none was at work")
    if not ledger.numbers(run.doing.private):
        run.deviation(LEDGER_LOST, "it stayed on the machine where the run was begun (--adopt)")
    drive(client.begin(run.plan, run.kept(KEPT), run.doing.private), run.doing.do)
    run.end(green=True)


def carry_over(run: Run) -> None:
    """Write to the record what every client saw of which it does not tell yet; those at work must have been ended."""
    told = {line["client"] for line in run.journal.lines if line["kind"] == "client"}
    for number in ledger.numbers(run.doing.private):
        if number not in told:
            for line in client.lines(run.plan, run.doing.private, number, run.state.marks):
                run.journal.append("client", **line)
