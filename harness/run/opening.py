"""What every kind of run is opened with: what reaches both hosts, the record, and its first lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel

from harness.deed import Role
from harness.errors import HarnessError
from harness.host import Host
from harness.journal import Journal
from harness.plan import SecretReference
from harness.run.performing import Performer
from harness.stated import facts
from harness.transport.ssh import Ssh, secret_variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.configuration import Config
    from harness.deed import Secret
    from harness.journal import Line
    from harness.plan import Plan
    from harness.run import Run
    from harness.run.session import Setting


def reach(plan: Plan, prompt: Callable[[str], str] | None = None) -> Performer:
    """Return what reaches both hosts, when first used."""
    hosts = {
        role: Host(role, plan.host(role).ssh, Ssh(role, plan.host(role).ssh, secret_variables(plan)), plan.run_folder)
        for role in Role
    }
    return Performer(plan, hosts, prompt)


def open_journal(plan: Plan, folder: Path, listener: Callable[[Line], None]) -> Journal:
    """Open the record in a folder; the plan's secrets are masked in it."""
    journal = Journal(folder / "journal.jsonl", listeners=[listener])
    journal.masker.know(*(secret.value for secret in secrets_of(plan)))
    journal.open()
    return journal


def secrets_of(part: BaseModel) -> Iterator[Secret]:
    """Yield every secret that a plan refers to; raises PlanError for one that is not there."""
    for _, value in part:
        if isinstance(value, SecretReference):
            yield value.read()
        elif isinstance(value, BaseModel):
            yield from secrets_of(value)


def write_run(run: Run, setting: Setting, name: str, mode: str) -> None:
    """Write who moves what where, by which command and with which digests: the first line of each typing of the command."""
    change = run.plan.change
    state = run.state
    run.journal.append(
        "run",
        run=name,
        change=change.id,
        title=change.title,
        operator=change.operator,
        approver=change.approver,
        mode=mode,
        hosts=setting.hosts,
        core=setting.core,
        fresh=run.fresh,
        continued=bool(run.journal.lines),
        command=setting.command,
        digests=setting.digests,
        window={"start": change.window.start.isoformat(), "end": change.window.end.isoformat()} if change.window else None,
        faults=list(setting.faults),
        approval=setting.approval,
        follows=setting.follows,
        expected_downtime_s=change.expected_downtime_s,
        settled=len(state.green) if state.frozen else 0,
    )


def write_facts(run: Run, source: Config) -> None:
    """Write what is to be moved, as it is now: versions, sizes, topology."""
    try:
        run.journal.append("facts", facts=run.read(facts(run.plan, source)))
    except HarnessError as error:
        run.note(f"how much there is to move could not be read: {str(error).splitlines()[0]}")
