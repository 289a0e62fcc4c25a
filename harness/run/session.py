"""One typing of the command: the run is found or begun, hosts are reached and locked, and at the end the state is told."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harness.configuration import effective
from harness.deed import Role
from harness.errors import HarnessError, Refused, Stuck
from harness.journal import read
from harness.people import known_people
from harness.run import Run
from harness.run.adopting import adopt
from harness.run.clients import begin_again, carry_over
from harness.run.doing import Doing, together
from harness.run.endings import RETIRE_PENDING, ROLLED_BACK, STATUSES, closes, demand_may_begin, ending, newest_green, record_folder
from harness.run.estimating import of_record
from harness.run.fold import fold, unfinished_intents
from harness.run.folder import RunFolder, folders, this_process
from harness.run.mending import mend
from harness.run.opening import open_journal, reach, write_facts, write_run
from harness.run.telling import headline, state_block, stuck_block
from harness.transport.ssh import settled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from harness.journal import Line
    from harness.plan import Plan
    from harness.run.asking import Live
    from harness.run.performing import Performer
    from harness.run.values import Loss, Waiver


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run is told from outside: where records go, what kind of hosts these are, and how the command is typed again.

    `faults` is the matrix of the last rehearsal with faults, as the report draws it. Of a live run, `approval` is what was
    approved and by whom, `follows` the rehearsal that it follows, and `live` what it looks at before it goes on.
    """

    reports: Path
    hosts: str
    core: str
    rehearsal: bool
    fresh: bool
    command: str
    approve: Callable[[str], str]
    waivers: Mapping[str, Waiver] = field(default_factory=dict)
    adopt: Role | None = None
    prompt: Callable[[str], str] | None = None
    going_back: bool = False
    loss: Loss | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    faults: Sequence[Mapping[str, object]] = ()
    approval: Mapping[str, str] = field(default_factory=dict)
    follows: Mapping[str, str] = field(default_factory=dict)
    live: Callable[[Run], Live] | None = None


@dataclass
class Session:
    """A run that is open: its locks are held, and the hosts' copies of the journal have the given lengths."""

    run: Run
    performer: Performer
    setting: Setting
    locks: list[tuple[RunFolder, int]] = field(default_factory=list)
    copied: dict[Role, int] = field(default_factory=dict)

    def copy(self) -> None:
        """Bring the copies of the journal on both hosts up to date."""
        content = self.run.journal.path.read_bytes()

        def copy(folder: RunFolder) -> None:
            folder.copy(content, self.copied.get(folder.host.role, 0))
            self.copied[folder.host.role] = len(content)

        together(copy, tuple(folder for folder, _ in self.locks))

    def keep(self, name: str, content: bytes) -> None:
        """Keep what the private folder has on the source too, so that a lost laptop is no lost run."""
        for folder, _ in self.locks:
            if folder.host.role is Role.SOURCE:
                folder.keep(f"private/{name}.json", content)

    def let_go(self, role: Role) -> None:
        """Forget a lock that is gone with its run folder."""
        self.performer.hold(role, 0)
        self.locks = [(folder, number) for folder, number in self.locks if folder.host.role is not role]

    def outcome(self, code: int) -> int:
        """Return the exit code of this typing, by what the record says of the run."""
        return ending(self.run.state, code)


def digest_of(paths: Sequence[Path]) -> str:
    """Return one SHA-256 over the names and contents of files."""
    whole = hashlib.sha256()
    for path in sorted(paths):
        whole.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def code_digest(root: Path) -> str:
    """Return the digest of the code that performs and proves a runbook, in a checkout."""
    return digest_of([path for folder in ("harness", "steps") for path in (root / folder).rglob("*.py")])


def digests_of(root: Path, plan: Path) -> dict[str, str]:
    """Return the digests of what a run is made of, and an approval names: the plan, the features, the code."""
    return {
        "plan": digest_of([plan]),
        "features": digest_of(list((root / "features").glob("*.feature"))),
        "code": code_digest(root),
    }


def begin(plan: Plan, setting: Setting, listener: Callable[[Line], None], performer: Performer | None = None) -> Session:
    """Open the record, reach both hosts, take their locks, wait for what a killed run left at work, mend what has changed.

    Raises Unreachable, LockHeld or PlanError; the locks taken so far are given back.
    """
    plan = settled(plan)
    performer = performer or reach(plan, setting.prompt)
    hosts = performer.hosts
    locks: list[tuple[RunFolder, int]] = []
    try:
        if setting.adopt:
            adopt(hosts[setting.adopt], hosts[Role.SOURCE], setting.reports, this_process(plan, "adopting"))
        demand_may_begin(setting.reports, plan.change.id, going_back=setting.going_back)
        folder = record_folder(setting.reports, plan.change.id, datetime.now(UTC).date().isoformat())
        for one in folders(hosts, this_process(plan, folder.name)):
            number = one.take(adopt=setting.adopt is not None)
            locks += [(one, number)]
        journal = open_journal(plan, folder, listener)
    except BaseException as error:
        _give_back(locks, performer)
        _say_if_frozen(setting, plan, error)
        raise
    doing = Doing(journal, performer, folder / "private")
    fresh = setting.fresh and not journal.lines
    run = Run(plan, doing, setting.rehearsal, fresh, waivers=setting.waivers, approve=setting.approve, loss=setting.loss)
    run.live = setting.live(run) if setting.live else None
    if setting.going_back:
        run.standing = tuple(fact for fact in run.standing if fact.on_the_way_back)
    session = Session(run, performer, setting, locks)
    write_run(run, setting, folder.name, "rehearsal" if setting.rehearsal else "live")
    try:
        _take_up(session)
    except BaseException as error:
        if isinstance(error, HarnessError):
            journal.masker.error(error)
        state = state_block(run, performer, setting.command, 1)
        run.journal.append("verdict", status="red", text=str(error) or type(error).__name__, state=state, closes=False)
        release(session)
        raise
    return session


def _say_if_frozen(setting: Setting, plan: Plan, error: BaseException) -> None:
    """Raise Stuck, which says since when users wait, when the run that cannot be taken up has frozen the source."""
    folder = record_folder(setting.reports, plan.change.id, datetime.now(UTC).date().isoformat())
    path = folder / "journal.jsonl"
    state = fold(read(path).lines) if path.exists() else None
    if state and state.frozen and isinstance(error, HarnessError) and not isinstance(error, Refused):
        raise Stuck("\n".join([str(error), *stuck_block(state, setting.command)])) from error


def _take_up(session: Session) -> None:
    run = session.run
    for lost in unfinished_intents(run.journal.lines):
        run.note(f"its end is not in the record: {lost['deed']}")
    for folder, number in session.locks:
        session.performer.hold(folder.host.role, number)
        for deed in folder.await_unfinished():
            run.note(f"waited for a deed that a killed run had begun on the {folder.host.role}: {deed}")
    run.doing.kept_too, run.doing.let_go = session.keep, session.let_go
    run.before_mark = session.copy
    if run.loss:
        what = f"accepted as lost: at most {run.loss.count} write(s) of users"
        run.deviation(what, "given with the command (--accept-loss)", approver=run.loss.approver)
    if source := run.read(effective(run.plan, Role.SOURCE)):
        run.read(known_people(run.plan, source))
        if not (run.state.frozen or session.setting.going_back):
            write_facts(run, source)
    carry_over(run)
    mend(run, going_back=session.setting.going_back)
    begin_again(run)


def end_deeds(session: Session) -> None:
    """End the detached deeds that run on the hosts: the operator said so, twice."""
    for folder, _ in session.locks:
        for name in folder.end_unfinished():
            session.run.note(f"ended by the operator on the {folder.host.role}: {name}")


def release(session: Session) -> None:
    """Give the locks back and end the connections."""
    for text in _give_back(session.locks, session.performer):
        session.run.note(text)


def _give_back(locks: Sequence[tuple[RunFolder, int]], performer: Performer) -> list[str]:
    """Give locks back and end the connections; returns what could not be done."""
    problems = []
    for folder, number in locks:
        try:
            folder.release(number)
        except HarnessError as error:
            problems.append(f"the lock could not be given back: {str(error).splitlines()[0]}")
    performer.close()
    return problems


def finish(session: Session, code: int, cause: str, *, whole: bool) -> None:
    """Write the verdict with the state of both hosts, what users see and what to type next; copy the record to the hosts.

    Of a run that is closed nothing is left on the hosts, nor of what it kept privately here.
    """
    run = session.run
    session.performer.end_client()
    session.performer.give_up()
    carry_over(run)
    closed = closes(code, whole=whole)
    first = headline(cause)
    said = {0: "every scenario is green", ROLLED_BACK: "the source serves as before"}.get(code)
    text = said or (first if code == RETIRE_PENDING else " · ".join(part for part in (run.state.red, first) if part))
    earlier = newest_green(session.setting.reports)
    rehearsed = of_record(earlier) if earlier else None
    state = state_block(run, session.performer, session.setting.command, code, rehearsed)
    try:
        for folder, _ in session.locks if closed else ():
            folder.remove()
            session.let_go(folder.host.role)
    except HarnessError as error:
        run.note(f"a run folder could not be removed: {str(error).splitlines()[0]}")
    run.journal.append("verdict", status=STATUSES.get(code, "red"), text=text or "red", state=state, closes=closed)
    try:
        session.copy()
    except HarnessError as error:
        run.note(f"the copy of the record on a host is not up to date: {str(error).splitlines()[0]}")
    if closed:
        shutil.rmtree(run.doing.private, ignore_errors=True)
    release(session)
