"""Gates: who is asked, when, and what is looked at before. The retire has one yes for its whole feature, asked ahead of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from harness.errors import Refused, StoppedForApproval
from harness.run.approving import gate_of

if TYPE_CHECKING:
    from harness.plan import Plan
    from harness.run import Run
    from harness.run.fold import State

CUTOVER = 85
# A drain that ends within this is waited for by the look itself.
WAITED_FOR = timedelta(seconds=60)


def ask_gate(run: Run) -> None:
    """Ask for a person's yes before the act of a gate; raises StoppedForApproval. The retire's was asked ahead.

    The yes to the cut-over is asked for once, before T_open: from there on users may be on the dest.
    """
    scenario, state = run.doing.scenario, run.state
    opened = "T_open" in state.marks and state.numbers.get(scenario.key) == CUTOVER
    if "gate" in scenario.tags and "retire" not in scenario.tags and not opened:
        _ask(run)


def ask_ahead(run: Run) -> None:
    """Ask for the yes to the retire before anything of it is looked at, once for each typing of the command.

    Raises StoppedForApproval, with the time from which it may be done, before that time and where nobody says yes.
    """
    if "retire" not in run.doing.scenario.tags or run.asked_ahead:
        return
    due = may_retire_from(run.plan, run.state)
    when = f"it may be done from {due:%Y-%m-%d %H:%M:%S} UTC"
    if due - datetime.now(UTC) > WAITED_FOR:
        raise StoppedForApproval(f"moved, retire pending: {when}, once what still came to the source has died out")
    try:
        _ask(run)
    except StoppedForApproval as stopped:
        raise StoppedForApproval(f"moved, retire pending: {when}; {stopped}") from None
    run.asked_ahead = True


def may_retire_from(plan: Plan, state: State) -> datetime:
    """Return when the source may be retired: the drain time after T_open (from now, where the record has none)."""
    opened = state.marks.get("T_open")
    return (datetime.fromisoformat(opened) if opened else datetime.now(UTC)) + timedelta(seconds=plan.cutover.drained_after_s)


def _ask(run: Run) -> None:
    _look_at_window(run)
    scenario = run.doing.scenario
    gate = gate_of(run.state.numbers.get(scenario.key, 0), scenario.name)
    by = run.approve(gate)
    if not by:
        raise StoppedForApproval(f"a person's yes is needed before: {scenario.name} (at a terminal, or ahead: --approve {gate})")
    run.journal.append("gate", scenario=scenario.name, approved=True, by=by)


def _look_at_window(run: Run) -> None:
    """Refuse a gate outside the window; a run that is frozen is never locked out, the difference is a deviation."""
    window, now = run.plan.change.window, datetime.now(UTC)
    if window is None or window.start <= now <= window.end:
        return
    said = f"it is {now:%Y-%m-%d %H:%M} UTC; the window is {window.start.isoformat()} to {window.end.isoformat()}"
    if not run.state.frozen:
        raise Refused(f"outside the window of the change: {said}")
    run.deviation("outside the window of the change", said)
