"""The client of the public name, and what it was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import client
from harness.client import waited
from harness.verification import KEPT
from steps.words import then, when

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.deed import Act
    from harness.plan import Plan
    from harness.recording.nouns import Core
    from harness.run import Run


@when("a client of the public name is begun", idempotent=True)
def begin(run: Run, plan: Plan) -> Act:
    yield from client.make_stream(plan, run.kept(KEPT))
    yield from client.begin(plan, run.kept(KEPT), run.doing.private)


@then("the client's writes are saved", within_s=client.LONGEST_BACK_S)
def writes(run: Run, plan: Plan) -> None:
    run.look(client.at_work(plan, run.doing.private, "write"))


@then("the client's reads are answered", within_s=client.LONGEST_BACK_S)
def reads(run: Run, plan: Plan) -> None:
    run.look(client.at_work(plan, run.doing.private, "read"))


@then("the client's writes are saved by the dest", within_s=client.patience_s)
def served(run: Run, plan: Plan) -> None:
    run.check(client.served_by_dest(plan, run.doing.private, run.state.marks))


@when("the client of the public name is ended")
def end() -> Act:
    yield from client.end()


@then("every write that it was told was saved is on the dest")
def nothing_lost(run: Run, plan: Plan) -> None:
    run.look(client.nothing_lost(plan, run.kept(KEPT), run.doing.private, run.accepted_loss))


@then("no core answered it but the one that served then")
def no_wrong_host(run: Run, plan: Plan) -> None:
    run.check(client.no_wrong_host(plan, run.doing.private, run.state.marks))


def _outage(run: Run, plan: Plan) -> dict[str, object]:
    found = waited.outage(plan, run.doing.private, run.state.marks)
    _tell(run, waited.told_apart(found), found)
    return found


def _tell(run: Run, deviations: list[str], found: Mapping[str, object]) -> None:
    for what in deviations:
        if what not in run.deviations:
            run.deviation(what, ", ".join(f"{name} {value}" for name, value in found.items()))


@then("the client saw the outage that the marks tell of, or it is told what it did not see")
def agrees(run: Run, plan: Plan) -> None:
    run.check(waited.agrees(_outage(run, plan), run.deviations))


@then("the outage was no longer than planned, or it is told by how much")
def in_time(run: Run, plan: Plan) -> None:
    run.check(waited.in_time(_outage(run, plan), run.deviations))


@then("the client's reads are answered as fast as before the freeze, or it is told how fast")
def as_fast(run: Run, plan: Plan) -> None:
    found = waited.pace(plan, run.doing.private, run.state.marks)
    _tell(run, waited.told_slower(found), found)
    run.check(waited.as_fast(found, run.deviations))


@when("a client writes under the public name once more")
def write_again(run: Run, plan: Plan) -> Act:
    return (yield from client.write_again(plan, run.kept(KEPT), run.doing.private))


@then("the source saves its writes again, and has lost none that it was told was saved")
def saved_again(run: Run, plan: Plan, source: Core) -> None:
    run.look(client.saved_again(plan, source.config, run.kept(KEPT), run.doing.private, run.result, run.state.marks))
