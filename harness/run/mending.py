"""What a continued run does before anything else: it finds out whether what it knows of the source and the dest is still so.

A stop of the source core that a killed run had begun may have taken effect: then the time of the look is T_stop. A broken seal is
measured again. Equal: a new seal, and a deviation that names the cause. Different, or the source found unfrozen: this epoch is
over; before users are on the dest, the dest is cleared and the source is frozen anew. A dest that was rebooted is looked at again
from its first arrival.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import resetting, seal, service
from harness.check import Outcome
from harness.configuration import of_source
from harness.deed import Role
from harness.run.driving import drive
from harness.run.standing import BOOT, FROZEN, SEALED, SERVES, in_force
from harness.run.values import Scenario
from harness.sending import claimed

if TYPE_CHECKING:
    from harness.run import Run

SCENARIO = Scenario("Taking up an earlier attempt", "What is known of both hosts is still so")


def mend(run: Run, *, going_back: bool = False) -> None:
    """Bring a frozen run whose hosts have changed to where it can go on; with users on the dest, only its core is launched anew.

    On the way back nothing is brought anywhere: only whether the source was stopped is found out.
    """
    if run.state.stopping:
        _find_stopped(run)
    if going_back or not run.state.frozen:
        return
    looked_at = {SERVES} if "T_open" in run.state.marks else {BOOT, SERVES, FROZEN, SEALED}
    wrong = _wrong(run, looked_at)
    if not wrong:
        return
    run.begin(SCENARIO)
    for name in (BOOT, SERVES):
        if name in wrong:
            _look_again(run, name)
    if FROZEN in wrong:
        _end_epoch(run, "the source was found unfrozen")
    elif SEALED in wrong:
        _measure_again(run, wrong[SEALED])
    run.end(green=True)


def _find_stopped(run: Run) -> None:
    """Mark T_stop where the source core, whose stop was begun, is down."""
    found = (run.read(service.is_status(run.plan, Role.SOURCE, "stopped")), run.read(service.no_process(run.plan, Role.SOURCE)))
    if all(check.held for check in found):
        run.begin(SCENARIO)
        run.note("the stop of the source core that an earlier attempt had begun has taken effect: T_stop is the time of this look")
        run.mark("T_stop")
        run.end(green=True)


def _wrong(run: Run, names: set[str]) -> dict[str, str]:
    """Return the standing facts of these that were found broken, or that do not hold now, each with its cause."""
    wrong = dict.fromkeys(set(run.state.broken) & names & {FROZEN, SEALED}, "as found in an earlier attempt")
    facts = [fact for fact in in_force(run.state, run.standing) if fact.name in names]
    found = zip(facts, run.look_at_standing(*facts), strict=True)
    return wrong | {fact.name: looked.cause for fact, looked in found if looked.outcome is not Outcome.HELD}


def _look_again(run: Run, name: str) -> None:
    run.note(f"no longer so: {name}; the runbook looks again from there on")
    run.break_fact(name, next(fact.unsettles for fact in run.standing if fact.name == name))


def _measure_again(run: Run, cause: str) -> None:
    """Measure the source again beside what was measured at rest, which stays in the record."""
    before, source = run.state.measured, run.read(of_source(run.plan))
    taken = drive(seal.measured_again(run.plan, source), run.doing.do)
    different = sorted(name for name, found in taken.items() if name in before and found.digest != before[name].digest)
    if different:
        _end_epoch(run, f"measured again, the source differs in {', '.join(different)}")
        return
    drive(seal.take(run.plan, source), run.doing.do)
    run.deviation(
        "the seal of the source was broken", f"{cause}; measured again: equal in {len(taken)} measurement(s), sealed anew"
    )
    run.begin_fact(next(fact for fact in run.standing if fact.name == SEALED))


def _end_epoch(run: Run, reason: str) -> None:
    """Clear the dest of what this run made there, and let the freeze be done anew."""
    run.note(f"this epoch is over: {reason}; the dest is cleared and the source is frozen anew")
    source = run.read(of_source(run.plan))
    dest = source.changed(run.plan.planned_changes)
    drive(resetting.clear(run.plan, source, dest, run.read(claimed(run.plan, Role.DEST))), run.doing.do)
    run.mark("T_reset")
    for name in (FROZEN, SEALED):
        run.break_fact(name, next(fact.unsettles for fact in run.standing if fact.name == FROZEN))
