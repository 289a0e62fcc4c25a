"""A live run is opened: whatever speaks against it is found before anything is changed on a host."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness import preflight
from harness.configuration import of_source
from harness.deed import Role
from harness.errors import HarnessError, Refused
from harness.journal import read
from harness.live.command import BY_NAME, ROLLBACK, Terminal, demand_number, demand_whole, typed_again
from harness.live.looking import looking
from harness.plan import Plan, load
from harness.recording.plugin import Opened
from harness.recording.terminal import Narrator, width
from harness.report import write
from harness.roots import data_roots
from harness.run.approved import Approval, changed, newest
from harness.run.approved import load as load_approval
from harness.run.approving import accepted_loss, approver, waivers
from harness.run.asking import OTHER, OUTSIDE, Live, window_said
from harness.run.endings import REFUSED, is_closed, runs
from harness.run.estimating import newest_rehearsal, of_freeze, to_move
from harness.run.fold import State, fold
from harness.run.opening import reach
from harness.run.session import Session, Setting, begin, digests_of, end_deeds, finish
from harness.stated import facts
from harness.transport.ssh import settled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pytest

    from harness.run import Run
    from harness.run.estimating import Rehearsed
    from harness.run.performing import Performer


@dataclass(frozen=True, slots=True)
class Asked:
    """What a command asks for, and what was approved and rehearsed of it."""

    plan: Plan
    path: Path
    reports: Path
    digests: Mapping[str, str]
    approval: Approval | None
    rehearsed: Rehearsed | None
    going_back: bool = False
    faults: Sequence[Mapping[str, object]] = field(default=())


def open_live(
    session: pytest.Session,
    root: Path,
    terminal: Terminal,
    faults: Callable[[Path, str], Sequence[Mapping[str, object]]],
    *,
    whole: bool,
) -> Opened:
    """Open a live run on the hosts of a plan, or go on with one.

    Raises Refused, with what to do next, before anything is changed; a run that has frozen the source is never refused for what
    its window, plan, code or hosts have become: that is asked for at its first scenario and recorded as a deviation.
    """
    option = session.config.option
    if not option.plan:
        raise Refused("--live needs --plan FILE: a live run moves the hosts of a plan")
    plan, reports = settled(load(option.plan)), option.reports.absolute()
    demand_number(plan, option.live)
    demand_whole(session, root, *BY_NAME)
    going_back = Path(session.config.args[0]).name == ROLLBACK
    state = newest_state(reports, plan.change.id)
    begins = not (going_back or option.adopt or (state and state.frozen))
    digests = digests_of(root, option.plan)
    approval = find_approval(plan.change.id, reports, option.approved, demanded=begins)
    proof = faults(reports, digests["code"])
    asked = Asked(plan, option.plan, reports, digests, approval, newest_rehearsal(reports), going_back, proof)
    performer = reach(plan, terminal.ask)
    try:
        if begins:
            demand_as_approved(asked, performer)
    except BaseException:
        performer.close()
        raise
    narrator = Narrator(terminal.say, colour=bool(session.config.get_terminal_writer().hasmarkup), width=width())
    opened = begin(asked.plan, _setting(option, asked, terminal), narrator, performer)
    if option.adopt and not (asked.going_back or opened.run.state.frozen):
        _demand_of_adopted(opened, asked)

    def close(code: int, cause: str) -> list[str]:
        finish(opened, code, cause, whole=whole)
        return _report(opened)

    return Opened(opened.run, close, opened.copy, lambda: end_deeds(opened), opened.outcome)


def find_approval(change: str, reports: Path, file: Path | None, *, demanded: bool) -> Approval | None:
    """Return the approval that a command names, else the newest one of the change, or None.

    Raises Refused for one that cannot be used, where one is demanded; a run that goes on or back then has none.
    """
    try:
        return load_approval(file, change) if file else newest(reports, change)
    except Refused:
        if demanded:
            raise
        return None


def newest_state(reports: Path, change: str) -> State | None:
    """Return the state of a change's newest run here that is not closed, or None."""
    earlier = runs(reports, change)
    if not earlier or is_closed(earlier[-1]):
        return None
    journal = earlier[-1] / "journal.jsonl"
    return fold(read(journal).lines) if journal.exists() else None


def demand_as_approved(asked: Asked, performer: Performer) -> None:
    """Refuse to begin outside the window, otherwise than it was approved, or on a dest that holds a core; nothing is changed."""
    plan, approval = asked.plan, asked.approval
    document = f"next  make a plan document and have it approved: pytest features/ --plan {asked.path} --dry-run"
    if said := window_said(plan, datetime.now(UTC)):
        raise Refused(
            f"{OUTSIDE}: {said}\nnext  come back when it has begun, or give the plan another window and have that approved"
        )
    if approval is None:
        raise Refused(f"no plan document of {plan.change.id} was approved (looked in {asked.reports})\n{document}")
    if found := changed(approval, asked.digests, {}):
        raise Refused(_otherwise(approval, found, document))
    with looking(performer) as look:
        source = look(of_source(plan))
        if found := changed(approval, asked.digests, look(facts(plan, source))):
            raise Refused(_otherwise(approval, found, document))
        roots = [root.path for root in data_roots(source)]
        database = source.changed(plan.planned_changes).login(Role.DEST).database
        for check in look(preflight.nothing_overwritten(plan, roots, database)):
            if not check.held:
                raise Refused(f"the dest is not empty: {check.name}: {', '.join(check.observed)}\nnext  {check.remedy}")


def _otherwise(approval: Approval, found: Sequence[str], document: str) -> str:
    lines = [f"{OTHER} by {approval.approver} at {approval.at[:16]}:", *(f"  - {one}" for one in found), document]
    return "\n".join(lines)


def _demand_of_adopted(opened: Session, asked: Asked) -> None:
    """Refuse a run that was adopted and is not frozen as one that begins; its locks are given back."""
    try:
        demand_as_approved(asked, opened.performer)
    except HarnessError as error:
        finish(opened, REFUSED, str(error), whole=False)
        raise


def _setting(option: object, asked: Asked, terminal: Terminal) -> Setting:
    told, plan = vars(option), asked.plan
    given = [name for name in (told["approve"] or "").split(",") if name]
    return Setting(
        reports=asked.reports,
        hosts=f"{plan.source.ssh.host} → {plan.dest.ssh.host}",
        core=f"the core of {plan.core.public_url}",
        rehearsal=False,
        fresh=False,
        command=typed_again(sys.argv[1:]),
        approve=approver(given, rehearsal=False, change=plan.change.id, ask=terminal.ask),
        waivers=waivers(told["waive"] or [], told["reason"] or "", told["approver"] or "", told["until"] or ""),
        prompt=terminal.ask,
        going_back=asked.going_back,
        loss=accepted_loss(told["accept_loss"], told["approver"] or ""),
        adopt=Role(told["adopt"]) if told["adopt"] else None,
        digests=asked.digests,
        faults=asked.faults,
        approval=asked.approval.told if asked.approval else {},
        follows=_follows(asked),
        live=None if asked.going_back else lambda run: _live(run, asked),
    )


def _follows(asked: Asked) -> dict[str, str]:
    """Return which rehearsal this run follows, and whether it was one of the same features and code."""
    if asked.rehearsed is None:
        return {}
    unlike = asked.rehearsed.unlike(asked.digests)
    return asked.rehearsed.told | {"of": f"other {' and '.join(unlike)}" if unlike else "the same features and code"}


def _live(run: Run, asked: Asked) -> Live:
    def now_changed(sizes: bool) -> list[str]:
        source = run.read(of_source(run.plan))
        return changed(asked.approval, asked.digests, run.read(facts(run.plan, source, sizes=sizes)))

    return Live(now_changed, lambda: of_freeze(asked.rehearsed, to_move(run.journal.lines)))


def _report(opened: Session) -> list[str]:
    try:
        return [f"report  {write(opened.run.doing.private.parent)}"]
    except (HarnessError, OSError) as error:
        return [f"the report could not be written: {error}"]
