"""How a core is stopped, fenced, launched and seen on its host, whatever its kind of deploy (harness.control)."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness import rqlite
from harness.check import Check, Witness, equal
from harness.container import CONTAINED, policy_at_boot, processes, update_policy
from harness.control import STOPPED, control
from harness.databases.postgresql import admin_sql
from harness.deed import Ask, Command, CommandResult, Role
from harness.sending import claim, claimed

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from harness.configuration import Config
    from harness.deed import Act, Reading
    from harness.plan import Plan

PORT_KEYS = ("http.port", "http.hfsPort", "http.previewsPort")
LONGEST_END_S = 10.0
CHILD = "rqlited"  # a core may end before it, or be killed beside it: then it goes on, and takes what is written to it
NO_LOGIN = 'ALTER ROLE :"role_name" NOLOGIN;'
CAN_LOGIN = "SELECT rolcanlogin FROM pg_roles WHERE rolname = :'role_name'"
INTERPRETER = re.compile(r"(.*/)?(node|nodejs|python[\d.]*)")
SIGN_OF_LIFE = "[master]"
SIGNS = "lines of life in the core's log before: "
BEGINNINGS = ("[master] Platform engine", "[master] Starting rqlited")
BAD_SIGNS = (
    "rqlited spawn error",
    "rqlited exited",
    "died (code=",
    "fatal]",
    "Master startup failed",
    "[config-validation]",
    "Traceback",
)


def stop(plan: Plan) -> Act:
    """Stop the source core."""
    yield control(plan).stop(Role.SOURCE)


def fence(plan: Plan, config: Config) -> Act:
    """Fence the source core, so that neither a reboot nor the usual command starts it; its role may not sign in any more."""
    yield control(plan).fence(Role.SOURCE)
    closed = admin_sql(plan, Role.SOURCE, NO_LOGIN, role_name=config.login(Role.SOURCE).user)
    yield replace(closed, says="the core's role may not sign in to the source's database")


def role_cannot_sign_in(plan: Plan, config: Config) -> Reading[Check]:
    """Look whether the core's role on the source is there, and may not sign in."""
    asked = yield Ask(admin_sql(plan, Role.SOURCE, CAN_LOGIN, role_name=config.login(Role.SOURCE).user))
    observed = {"f": "may not sign in", "t": "may sign in"}.get(asked.text, "no such role")
    return equal(
        "the core's role on the source", Witness.SQL, "may not sign in", observed, why="another program may use its password"
    )


def try_to_start(plan: Plan) -> Generator[Any, Any, CommandResult]:
    """Run the usual start command of the source core, which must be refused; returns what it answered."""
    start = control(plan).start(Role.SOURCE)
    answer: CommandResult = yield replace(start, exits=tuple(range(256)), says="run the source core's usual start command")
    return answer


def start_refused(answer: CommandResult) -> Check:
    """Check that a start command was refused."""
    why = "the source would write again"
    return Check(
        "the usual start command",
        Witness.PROCESSES,
        "refused",
        f"exit {answer.exit}: {answer.tail()}",
        answer.exit != 0,
        1,
        why=why,
    )


def enable(plan: Plan, policy: str = "") -> Act:
    """Let the dest core start at boot, a container by this restart policy."""
    yield control(plan).enable(Role.DEST)
    if policy:
        says = f"give the dest core's container the restart policy {policy}"
        yield replace(update_policy(plan, Role.DEST, policy), says=says)


def starts_at_boot(plan: Plan, role: Role) -> Reading[Check]:
    """Look whether a core's status says that it starts at boot, a container's in the source's words."""
    policy = yield from policy_at_boot(plan)
    expected, why = f"enabled ({policy})" if policy else "enabled", "a reboot would leave users without a core"
    answer = yield Ask(control(plan).status(role))
    return Check(f"the {role} core at boot", Witness.PROCESSES, expected, answer.text, expected in answer.text, 1, why=why)


def launch(plan: Plan) -> Act:
    """Start the dest core."""
    yield control(plan).start(Role.DEST)


def is_status(plan: Plan, role: Role, expected: str) -> Reading[Check]:
    """Look at what the core's own status command says: running or stopped."""
    answer = yield Ask(control(plan).status(role))
    observed = {0: "running", 3: "stopped"}.get(answer.exit, f"exit {answer.exit}")
    return equal(f"status of the {role} core", Witness.PROCESSES, expected, observed)


def _processes(plan: Plan, role: Role) -> Command:
    """Return the command that lists "pid user args" of every process of a host, after "* " those in containers of the core."""
    return processes(plan, Command(role, ("ps", "-eo", "pid=,user:32=,args=")))


def _core_processes(plan: Plan, role: Role, listed: CommandResult) -> tuple[list[str], int]:
    """Return the core's processes (pid and user) and how many processes were seen; Node hides its name, so argv and user tell.

    Where we come as the core's own user, it tells nothing: our shell is its too. Of the argv the program that is run tells, not
    every path: another look of ours may name one in the core's tree at the same moment. In a container of the core all are its.
    """
    rows = [text.split(None, 2) for text in listed.lines if not text.startswith(CONTAINED)]
    telling = plan.core.user != plan.host(role).ssh.user and plan.core.docker is None
    contained = [text.removeprefix(CONTAINED).split(None, 2) for text in listed.lines if text.startswith(CONTAINED)]
    core = [f"{pid} {user}" for pid, user, _ in contained] + [
        f"{pid} {user}"
        for pid, user, args in rows
        if (telling and user == plan.core.user) or _runs(args.split(), f"{plan.core.app_path}/")
    ]
    return core, len(rows)


def _runs(words: Sequence[str], tree: str) -> bool:
    """Whether a command runs a program in a tree, by itself or by an interpreter; or rqlited, wherever that lies."""
    named = words if INTERPRETER.fullmatch(words[0]) else words[:1]
    return any(word.startswith(tree) for word in named) or words[0].rpartition("/")[2] == CHILD


def no_process(plan: Plan, role: Role) -> Reading[Check]:
    """Look for processes of the core."""
    return _none_runs(plan, role, (yield Ask(_processes(plan, role))))


def _none_runs(plan: Plan, role: Role, listed: CommandResult) -> Check:
    found, seen = _core_processes(plan, role, listed)
    why = "a core that still runs may still write"
    return equal(f"processes of the {role} core", Witness.PROCESSES, [], found, seen, why=why, remedy="stop it, then run again")


def no_listener(role: Role, config: Config) -> Reading[Check]:
    """Look for listeners of the host's own processes on the core's ports (a listener without a process is another host's)."""
    own = [int(config[key]) for key in PORT_KEYS] + list(rqlite.ports(config) if rqlite.used(config) else ())
    ports = {port for one in own for port in config.port(one)}
    listed = yield Ask(Command(role, ("ss", "-Hltnp")))
    rows = [text.split() for text in listed.lines]
    listening = [row[3] for row in rows if "users:((" in row[-1]]
    found = [address for address in listening if int(address.rsplit(":", 1)[1]) in ports]
    return equal(
        f"listeners on {sorted(ports)}", Witness.PROCESSES, [], found, len(listening), remedy="free the ports, then run again"
    )


def stopped_and_not_enabled(plan: Plan, role: Role) -> Reading[list[Check]]:
    """Look whether a core is stopped, has no process, and is not said to start at boot."""
    answer, listed = yield (Ask(control(plan).status(role)), Ask(_processes(plan, role)))
    observed = answer.text or f"exit {answer.exit}"
    held = answer.exit == STOPPED and "enabled" not in observed
    why = "a first start before its time changes the database"
    stopped = Check(f"the {role} core", Witness.PROCESSES, "stopped, not enabled", observed, held, 1, why=why)
    return [stopped, _none_runs(plan, role, listed)]


def fence_in_place(plan: Plan) -> Reading[Check]:
    """Look whether the source core is stopped and says that it is fenced (its status tells, without starting anything)."""
    return _fenced((yield Ask(control(plan).status(Role.SOURCE))))


def _fenced(answer: CommandResult) -> Check:
    fenced = answer.exit == STOPPED and "fenced" in answer.text
    observed = answer.text or f"exit {answer.exit}"
    name = "the source core's fence"
    return Check(name, Witness.PROCESSES, "stopped, fenced", observed, fenced, 1, why="a reboot would bring the source core back")


def frozen(plan: Plan) -> Reading[list[Check]]:
    """Look whether the source is frozen: fenced, and no process of its core runs."""
    answer, listed = yield (Ask(control(plan).status(Role.SOURCE)), Ask(_processes(plan, Role.SOURCE)))
    return [_fenced(answer), _none_runs(plan, Role.SOURCE, listed)]


def clean_start(plan: Plan) -> Reading[Check]:
    """Look for bad signs in the log of the dest core's start, from its last start on."""
    log = yield Ask(control(plan).logs(Role.DEST))
    if log.exit:
        return equal("bad signs in the log", Witness.LOG, [], "no log yet", 0, absent=True)
    lines = log.lines
    begun = max((at for at, text in enumerate(lines) if any(sign in text for sign in BEGINNINGS)), default=0)
    bad = [sign for text in lines[begun:] for sign in BAD_SIGNS if sign in text]
    remedy = "read the dest core's log"
    return equal("bad signs in the log", Witness.LOG, [], bad, len(lines[begun:]), remedy=remedy)


def never_started(plan: Plan, marks: Mapping[str, str], launches: int) -> Reading[list[Check]]:
    """Look for starts of the dest core in the record and, unless this run has started it before a reset, in the core's own log."""
    why = "a core that was started once on empty data hides what was lost"
    recorded = equal("starts of the dest core in the record", Witness.RECORD, None, marks.get("T_start"), why=why)
    if launches:
        return [recorded]
    noted = yield from signs_noted(plan)
    log = yield Ask(control(plan).logs(Role.DEST))
    signs = _signs(log)
    later = signs - (noted or 0) if signs >= (noted or 0) else signs  # what had fewer lines then was cut since
    remedy = "let this run clear what the start has written: reset_dest, by name"
    name = "starts of the dest core in its own log"
    return [recorded, equal(name, Witness.LOG, 0, later, max(len(log.lines), 1), why=why, remedy=remedy)]


def _signs(log: CommandResult) -> int:
    return sum(SIGN_OF_LIFE in text for text in log.lines)


def signs_noted(plan: Plan) -> Reading[int | None]:
    """Return how many lines of life the dest core's log had when this run came to it (an earlier run may have been rolled back)."""
    mine = yield from claimed(plan, Role.DEST)
    return next((int(thing.removeprefix(SIGNS)) for thing in mine if thing.startswith(SIGNS)), None)


def note_signs(plan: Plan) -> Act:
    """Write down on the dest how many lines of life its core's log has before this run makes anything there."""
    log = yield replace(control(plan).logs(Role.DEST), says="look for earlier starts in the dest core's log")
    yield from claim(plan, Role.DEST, f"{SIGNS}{_signs(log)}")
