"""The state block: what state both hosts are in, what users see, how much of the frozen time is used, and what to type next."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from harness.control import STOPPED, control
from harness.core_api import call
from harness.deed import Ask, Role
from harness.errors import HarnessError, Unreachable
from harness.run.doing import RAW_IS_KEPT
from harness.run.endings import BACK, GREEN, RED, RETIRE_PENDING, ROLLED_BACK
from harness.run.endings import STOPPED as STOPPED_FOR_A_YES
from harness.run.estimating import of_rest, to_move

if TYPE_CHECKING:
    from harness.run import Run
    from harness.run.estimating import Rehearsed
    from harness.run.fold import State
    from harness.run.performing import Performer

HTTP_OK = 200
ROLLBACK_S = 10.0
EXITED = re.compile(r"exit \d+( after [\d.]+ s)?$")
WHICH = frozenset({"--plan", "--live", "--worlds", "--reports", "--hosts", "--cutover", "--core-tree", "--node", "--rqlited"})
WHICH |= {"--deploy", "--install", "--core-image"}


def state_block(run: Run, performer: Performer, command: str, code: int, earlier: Rehearsed | None = None) -> list[str]:
    """Return the last lines of a run; what cannot be asked is said to be not known."""
    state = run.state
    opened = "; users may be there (T_open is marked)" if "T_open" in state.marks and code != ROLLED_BACK else ""
    lines = [
        f"source  {_source(state, code)}; its core is {_core(performer, Role.SOURCE)}",
        f"dest    its core is {_core(performer, Role.DEST)}{opened}",
        f"users   {_users(performer)}",
    ]
    if state.frozen and "T_open" not in state.marks and not state.going_back:
        needs = of_rest(earlier, state, to_move(run.journal.lines))
        lines.append(f"time    {frozen_time(state, run.plan.change.expected_downtime_s, needs, datetime.now(UTC))}")
    return [*lines, *_next(state, command, code)]


def stuck_block(state: State, command: str) -> list[str]:
    """Return the last lines of a command that could not take up a run that has frozen the source: no host was asked."""
    return [f"source  {_source(state, RED)}; users wait", *_next(state, command, RED)]


def headline(cause: str) -> str:
    """Return in one line what failed and what was told of it; a cause is that, then how it exited and the last lines printed."""
    lines = [text for text in cause.splitlines() if text.strip() and not (EXITED.match(text) or text == RAW_IS_KEPT)]
    return ": ".join(lines[:2])


def _source(state: State, code: int) -> str:
    if code == ROLLED_BACK:
        return "not fenced, as before the run"
    if state.going_back:
        return f"on the way back since {state.marks['T_back'][11:19]} UTC"
    if state.retired:
        return f"retired at {state.marks['retired'][11:19]} UTC"
    return f"frozen since {state.marks['T_stop'][11:19]} UTC" if state.frozen else "not frozen"


def _next(state: State, command: str, code: int) -> list[str]:
    """Return what to type next, and how to give up where that is another command."""
    if code in {GREEN, ROLLED_BACK}:
        return []
    if code == RETIRE_PENDING:
        return [f"next    once the source has drained: {command} --approve retire"]
    first = "with a yes (at a terminal, or ahead: --approve)" if code == STOPPED_FOR_A_YES else "mend the cause, then"
    lines = [f"next    {first} type again: {command}"]
    if state.numbers and not state.going_back and not state.retired:
        lines.append(f"or      give up: {_back(command)}")
    return lines


def _back(command: str) -> str:
    """Return the command that rolls back, with the options that say which run it is."""
    words = command.split()
    kept = [word for at, word in enumerate(words) if word in WHICH or words[at - 1] in WHICH or word.partition("=")[0] in WHICH]
    return " ".join([BACK, *kept])


def frozen_time(state: State, expected_s: float, needs_s: float | None, now: datetime) -> str:
    """Say how much of the planned outage is used, what the rest needs, and by when to decide: a way back is kept free."""
    used = (now - datetime.fromisoformat(state.marks["T_stop"])).total_seconds()
    left = expected_s - used - ROLLBACK_S
    decide = "decide now" if left <= 0 else f"decide by {(now + timedelta(seconds=left)).strftime('%H:%M:%S')} UTC"
    needs = "no estimate of what the rest needs" if needs_s is None else f"the rest needs about {_spoken(needs_s)}"
    return f"users have waited {_spoken(used)} of {_spoken(expected_s)}; {needs}, a way back about {_spoken(ROLLBACK_S)}: {decide}"


def _spoken(seconds: float) -> str:
    whole = int(seconds)
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"  # noqa: PLR2004 - a minute


def _core(performer: Performer, role: Role) -> str:
    try:
        answer = performer.observe(Ask(control(performer.plan).status(role))).exit
    except HarnessError as error:
        return f"not known ({_why(error)})"
    return {0: "running", STOPPED: "stopped"}.get(answer, f"not known (exit {answer})")


def _why(error: HarnessError) -> str:
    """Return why something could not be asked, without what was asked."""
    said = f"unreachable: {error.cause}" if isinstance(error, Unreachable) else headline(str(error))
    return said.splitlines()[0][:160]


def _users(performer: Performer) -> str:
    try:
        status = performer.observe(Ask(call("GET", "/reg/service/info"))).status
        address = performer.public_address()
    except HarnessError as error:
        return f"see nothing ({_why(error)})"
    at = next((str(role) for role in Role if str(performer.plan.host(role).address) == address), address)
    return f"are led to the {at} and are " + ("served" if status == HTTP_OK else f"answered {status}")
