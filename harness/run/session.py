"""One typing of the command: the run is found or begun, hosts are reached and locked, and at the end the state is told."""

from __future__ import annotations

import hashlib
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harness import service
from harness.configuration import effective
from harness.core_api import call
from harness.deed import Ask, Role
from harness.errors import HarnessError
from harness.host import Host
from harness.journal import Journal, read
from harness.run import Run
from harness.run.fold import unfinished_intents
from harness.run.folder import RunFolder, folders, this_process
from harness.run.performing import Performer
from harness.transport.ssh import Ssh

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from harness.deed import CommandResult, Reading
    from harness.journal import Line
    from harness.plan import Plan

HTTP_OK = 200


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run is told from outside: where records go, what kind of hosts these are, and how the command is typed again."""

    reports: Path
    hosts: str
    core: str
    rehearsal: bool
    fresh: bool
    command: str
    digests: dict[str, str] = field(default_factory=dict)


@dataclass
class Session:
    """A run that is open: its locks are held."""

    run: Run
    performer: Performer
    setting: Setting
    locks: list[tuple[RunFolder, int]] = field(default_factory=list)


def digest_of(paths: Sequence[Path]) -> str:
    """Return one SHA-256 over the names and contents of files."""
    whole = hashlib.sha256()
    for path in sorted(paths):
        whole.update(f"{path.name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def is_closed(folder: Path) -> bool:
    """Whether a run's record ends in a green verdict: then it is never continued."""
    journal = folder / "journal.jsonl"
    verdicts = [line for line in read(journal).lines if line["kind"] == "verdict"] if journal.exists() else []
    return bool(verdicts) and verdicts[-1]["status"] == "green"


def record_folder(reports: Path, change: str, today: str) -> Path:
    """Return the folder of the newest run of a change that is not closed, else of a new one (day, change, count)."""
    earlier = sorted(reports.glob(f"*-{change}-r*"), key=lambda path: int(path.name.rpartition("-r")[2]))
    if earlier and not is_closed(earlier[-1]):
        return earlier[-1]
    return reports / f"{today}-{change}-r{len(earlier) + 1}"


def begin(plan: Plan, setting: Setting, order: Sequence[str], listener: Callable[[Line], None]) -> Session:
    """Open the record, reach both hosts, take their locks, wait for what a killed run left at work.

    Raises Unreachable, LockHeld or PlanError; the locks taken so far are given back.
    """
    folder = record_folder(setting.reports, plan.change.id, datetime.now(UTC).date().isoformat())
    journal = Journal(folder / "journal.jsonl", listeners=[listener])
    journal.masker.know(plan.verification_user.password.read().value, plan.cutover.dns.key.secret.read().value)
    journal.open()
    hosts = {role: Host(role, plan.host(role).ssh, Ssh(role, plan.host(role).ssh), plan.run_folder) for role in Role}
    performer = Performer(plan, hosts)
    fresh = setting.fresh and not journal.lines
    run = Run(plan, journal, performer, folder / "private", order, setting.rehearsal, fresh)
    session = Session(run, performer, setting)
    _write_run(run, setting, folder.name)
    try:
        _take_up(session, folder.name)
    except BaseException:
        release(session)
        raise
    return session


def _write_run(run: Run, setting: Setting, name: str) -> None:
    change = run.plan.change
    state = run.state
    run.journal.append(
        "run",
        run=name,
        change=change.id,
        title=change.title,
        operator=change.operator,
        approver=change.approver,
        mode="rehearsal" if setting.rehearsal else "live",
        hosts=setting.hosts,
        core=setting.core,
        fresh=run.fresh,
        command=setting.command,
        digests=setting.digests,
        expected_downtime_s=change.expected_downtime_s,
        settled=len(state.green) if state.frozen else 0,
    )


def _take_up(session: Session, name: str) -> None:
    run = session.run
    for lost in unfinished_intents(run.journal.lines):
        run.journal.append("note", text=f"its end is not in the record: {lost['deed']}")
    for folder in folders(session.performer.hosts, this_process(run.plan, name)):
        session.locks.append((folder, folder.take()))
        for deed in folder.await_unfinished():
            run.journal.append("note", text=f"waited for a deed that a killed run had begun on the {folder.host.role}: {deed}")
    run.read(effective(run.plan, Role.SOURCE))


def release(session: Session) -> None:
    """Give the locks back and end the connections."""
    for folder, number in session.locks:
        try:
            folder.release(number)
        except HarnessError as error:
            session.run.journal.append("note", text=f"the lock could not be given back: {error}")
    for host in session.performer.hosts.values():
        host.transport.close()


def finish(session: Session, code: int, cause: str) -> None:
    """Write the verdict with the state of both hosts, what users see and what to type next."""
    run = session.run
    status = {0: "green", 12: "stopped for an approval", 13: "refused"}.get(code, "red")
    where = run.state.red
    text = (
        "every scenario is green"
        if code == 0
        else " · ".join(part for part in (where, cause.splitlines()[0] if cause else "") if part)
    )
    run.journal.append("verdict", status=status, text=text or "red", state=_state(session, code))
    release(session)


def _state(session: Session, code: int) -> list[str]:
    run = session.run
    marks = run.state.marks
    source = f"frozen since {marks['T_stop'][11:19]} UTC" if "T_stop" in marks else "not frozen"
    lines = [
        f"source  {source}; its core is {_core(run, Role.SOURCE)}",
        f"dest    its core is {_core(run, Role.DEST)}" + ("; users may be there (T_open is marked)" if "T_open" in marks else ""),
        f"users   {_users(session.performer)}",
    ]
    if code:
        lines.append(f"next    mend the cause, then type again: {session.setting.command}")
    return lines


def _core(run: Run, role: Role) -> str:
    try:
        answer = run.read(_status(run, role))
    except HarnessError as error:
        return f"not known ({str(error).splitlines()[0][:120]})"
    return {0: "running", 3: "stopped"}.get(answer, f"not known (exit {answer})")


def _status(run: Run, role: Role) -> Reading[int]:
    answer: CommandResult = yield Ask(service.control(run.plan).status(role))
    return answer.exit


def _users(performer: Performer) -> str:
    try:
        status = performer.observe(Ask(call("GET", "/reg/service/info"))).status
        address = performer.public_address()
    except HarnessError as error:
        return f"see nothing ({str(error).splitlines()[0][:120]})"
    at = next((str(role) for role in Role if str(performer.plan.host(role).address) == address), address)
    return f"are led to the {at} and are " + ("served" if status == HTTP_OK else f"answered {status}")


def typed() -> str:
    """Return the command as it was typed, for typing it again."""
    return " ".join(["pytest", *sys.argv[1:]])
