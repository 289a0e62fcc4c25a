"""Gates: who is asked, when, and what is looked at before. The retire has one yes for its whole feature, asked ahead of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from harness.errors import Refused, StoppedForApproval
from harness.run.approving import CHANGED, FREEZE, RETIRE, WINDOW, gate_of
from harness.shown import seconds

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.plan import Plan
    from harness.run import Run
    from harness.run.estimating import Estimate
    from harness.run.fold import State

CUTOVER = 85
# A drain that ends within this is waited for by the look itself.
WAITED_FOR = timedelta(seconds=60)
# A way back is kept free at the end of the window.
KEPT_FREE = timedelta(seconds=10)
OUTSIDE = "outside the window of the change"
OTHER = "not as it was approved"


@dataclass
class Live:
    """What a live run looks at before it goes on.

    `changed` returns what is not as it was approved, one sentence for each; it is told whether to read the sizes too. `estimate`
    says how long users will wait. `looked` says that this typing of the command has looked at what changed.
    """

    changed: Callable[[bool], list[str]]
    estimate: Callable[[], Estimate]
    looked: bool = False


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

    Before that, a run that is frozen and goes on otherwise than it was approved asks for a yes to that. Raises
    StoppedForApproval, with the time from which the retire may be done, before that time and where nobody says yes.
    """
    if run.dry:
        return
    if run.live and not run.live.looked and run.state.frozen:
        _look_at_changes(run, run.live, sizes=False)
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
    scenario = run.doing.scenario
    gate = gate_of(run.state.numbers.get(scenario.key, 0), scenario.name)
    _look_at_window(run, gate)
    if run.live:
        _look_at_changes(run, run.live, sizes=gate == FREEZE)
    if run.live and gate == FREEZE and not run.state.frozen:
        _look_at_estimate(run, run.live.estimate())
    by = run.approve(gate)
    if not by:
        raise StoppedForApproval(f"a person's yes is needed before: {scenario.name} (at a terminal, or ahead: --approve {gate})")
    run.journal.append("gate", scenario=scenario.name, approved=True, by=by)


def window_said(plan: Plan, now: datetime) -> str:
    """Return how a moment lies outside the window of the change, or nothing when it lies in it or there is none."""
    window = plan.change.window
    if window is None or window.start <= now <= window.end:
        return ""
    return f"it is {now:%Y-%m-%d %H:%M} UTC; the window is {window.start.isoformat()} to {window.end.isoformat()}"


def _look_at_window(run: Run, gate: str) -> None:
    """Refuse a gate outside the window; a run that is frozen is never locked out, the difference is a deviation.

    The retire comes after the drain, and so after the window: its own yes is one to that too.
    """
    window, said = run.plan.change.window, window_said(run.plan, datetime.now(UTC))
    if window is None or not said:
        return
    if not run.state.frozen:
        raise Refused(f"{OUTSIDE}: {said}")
    told = f"the window was {window.start.isoformat()} to {window.end.isoformat()}"
    _accept(run, WINDOW, OUTSIDE, told, asks=gate != RETIRE)


def _look_at_changes(run: Run, live: Live, *, sizes: bool) -> None:
    """Refuse to go on otherwise than it was approved; what a frozen run does otherwise a person accepts, as a deviation."""
    live.looked = True
    found = "; ".join(live.changed(sizes and not run.state.frozen))
    if found and not run.state.frozen:
        raise Refused(f"{OTHER}: {found}: make a new plan document (--dry-run), have it approved, and type the same command again")
    if found:
        _accept(run, CHANGED, OTHER, found, asks=True)


def _accept(run: Run, name: str, what: str, cause: str, *, asks: bool) -> None:
    """Record a deviation of a frozen run, once; in a live one a person says yes to it. Raises StoppedForApproval."""
    if any(line["kind"] == "deviation" and (line["what"], line["cause"]) == (what, cause) for line in run.journal.lines):
        return
    by = ""
    if asks and not run.rehearsal:
        run.note(f"{what}: {cause}; the source is frozen: with a yes to that the run goes on")
        by = run.approve(name)
        if not by:
            raise StoppedForApproval(
                f"{what}: {cause}; a person's yes to that is needed (at a terminal, or ahead: --approve {name})"
            )
    run.deviation(what, cause, **({"approver": f"{run.plan.change.operator} ({by})"} if by else {}))


def _look_at_estimate(run: Run, estimate: Estimate) -> None:
    """Refuse a freeze that would not end within the window; without an estimate the gate says so."""
    change = run.plan.change
    longer = estimate.seconds is not None and estimate.seconds > change.expected_downtime_s
    run.note(f"{estimate.said}{f'; planned are {seconds(change.expected_downtime_s)}' if longer else ''}")
    if estimate.seconds is None or change.window is None:
        return
    left = change.window.end - datetime.now(UTC) - KEPT_FREE
    if timedelta(seconds=estimate.seconds) > left:
        until = seconds(max(0.0, left.total_seconds()))
        raise Refused(f"the freeze would not end within the window: {estimate.said}; with a way back kept free {until} are left")
