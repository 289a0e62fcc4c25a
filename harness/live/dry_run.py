"""A dry run is opened and ended: the plan document that is approved before a live run."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harness.configuration import effective
from harness.deed import Role
from harness.errors import HarnessError, Refused
from harness.live.command import demand_number, demand_whole, typed_again
from harness.live.looking import ReadOnly, demand_free
from harness.live.opening import newest_state
from harness.people import known_people
from harness.plan import load
from harness.recording.plugin import Opened
from harness.recording.terminal import Narrator, width
from harness.report.planned import write_plan
from harness.run import Run
from harness.run.approved import DRY, document_digest, new_plan_folder
from harness.run.doing import Doing
from harness.run.dry import LEFT, Dry, Unknown
from harness.run.endings import GREEN, RED
from harness.run.estimating import expected, newest_rehearsal, of_freeze, to_move
from harness.run.opening import open_journal, reach, write_facts, write_run
from harness.run.session import Setting, digests_of
from harness.run.telling import state_block
from harness.transport.ssh import settled

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from harness.live.command import Terminal
    from harness.plan import Plan
    from harness.run.estimating import Rehearsed
    from harness.run.performing import Performer
    from harness.stated import Facts

HOSTS = frozenset({"source", "dest", "users"})  # of the state block: what to type next is another thing here


def open_dry(session: pytest.Session, root: Path, terminal: Terminal) -> Opened:
    """Open a dry run on the hosts of a plan: no lock is taken there and nothing is made.

    Raises Refused where there is nothing to plan: without a plan, for a part of the runbook, or for a run that is frozen.
    """
    option = session.config.option
    if not option.plan:
        raise Refused("--dry-run needs --plan FILE: it looks at the hosts of a plan")
    plan, reports = settled(load(option.plan)), option.reports.absolute()
    demand_number(plan, option.live)
    demand_whole(session, root)
    state = newest_state(reports, plan.change.id)
    if state and state.frozen:
        raise Refused(
            "the source is frozen by a run of this change: a dry run is made before it; go on with the run, or roll it back"
        )
    performer = reach(plan)
    try:
        demand_free(performer)
        narrator = Narrator(terminal.say, colour=bool(session.config.get_terminal_writer().hasmarkup), width=width())
        run = _begin(plan, performer, reports, narrator, _setting(reports, root, option.plan, newest_rehearsal(reports)))
    except BaseException:
        performer.close()
        raise
    return Opened(
        run,
        lambda code, cause: _close(run, performer, code, cause),
        outcome=lambda code: RED if code or not run.dry or run.dry.open_points else GREEN,
    )


def _setting(reports: Path, root: Path, plan: Path, rehearsed: Rehearsed | None) -> Setting:
    return Setting(
        reports=reports,
        hosts="the hosts of the plan, at which nothing is changed",
        core="the core that the plan names",
        rehearsal=False,
        fresh=False,
        command=typed_again(sys.argv[1:]),
        approve=lambda _: "",
        digests=digests_of(root, plan),
        follows=rehearsed.told if rehearsed else {},
    )


def _begin(plan: Plan, performer: Performer, reports: Path, narrator: Narrator, setting: Setting) -> Run:
    folder = new_plan_folder(reports, plan.change.id, datetime.now(UTC).date().isoformat())
    journal = open_journal(plan, folder, narrator)
    run = Run(plan, Doing(journal, ReadOnly(performer), folder / "private", missing=Unknown(LEFT)))
    write_run(run, setting, folder.name, DRY)
    source = run.read(effective(plan, Role.SOURCE))
    if source:
        run.read(known_people(plan, source))
        write_facts(run, source)
    rehearsed = newest_rehearsal(reports)
    estimate = of_freeze(rehearsed, to_move(run.journal.lines))
    run.journal.append("estimate", seconds=estimate.seconds, text=estimate.said)
    run.dry = Dry(run, _expects(rehearsed, to_move(run.journal.lines)), _words(run))
    return run


def _words(run: Run) -> dict[str, int]:
    """Return how many bytes deeds move, by a word of their commands: rsync is given a data root so, a dump is called so."""
    sizes: dict[str, int] = next((line["facts"]["sizes"] for line in run.journal.lines if line["kind"] == "facts"), {})
    called = {f" {name}/ " if name.startswith("/") else f"-{name.split()[-1]}.dump": name for name in sizes}
    return {word: sizes[name] for word, name in called.items()}


def _expects(rehearsed: Rehearsed | None, now: int) -> Callable[[str, int], float | None]:
    """Return what says how long the n-th deed of a scenario will take."""

    def seconds(scenario: str, at: int) -> float | None:
        took = rehearsed.deeds.get(scenario, ()) if rehearsed else ()
        return expected(rehearsed, scenario, took[at], now) if at < len(took) else None

    return seconds


def _close(run: Run, performer: Performer, code: int, cause: str) -> list[str]:
    """Write the verdict and the plan document; what was kept privately is deleted."""
    points = run.dry.open_points if run.dry else []
    said = [f"{len(points)} fact(s) that must hold before anything is done do not"] if points else []
    text = " · ".join([*said, *([cause.splitlines()[0]] if cause else [])]) or "what must hold before anything is done does"
    state = [line for line in state_block(run, performer, "", GREEN) if line.split()[0] in HOSTS]
    facts: Facts = next((line["facts"] for line in run.journal.lines if line["kind"] == "facts"), {})
    digests = next(line["digests"] for line in run.journal.lines if line["kind"] == "run")
    run.journal.append(
        "verdict",
        status="green" if code == GREEN else "red",
        text=f"{text}; nothing was changed",
        state=state,
        closes=False,
        open_points=points,
        document=document_digest(digests, facts),
    )
    performer.close()
    folder = run.doing.private.parent
    shutil.rmtree(run.doing.private, ignore_errors=True)
    try:
        lines = [f"plan    {write_plan(folder)}"]
    except (HarnessError, OSError) as error:
        return [f"the plan document could not be written: {error}"]
    return [*lines, f'next    have it approved: python -m harness approve {folder} --approver "NAME"']
