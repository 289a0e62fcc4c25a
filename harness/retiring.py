"""Ending the source: it is drained, its proxy is stopped, and no copy of users' data that this move made lies about.

Drained is a quiet access log, for at least the plan's drain time, and no connection to the public port: a log alone does not tell
of websockets and kept-alive connections, which it has at their end.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from harness.check import Check, Witness, equal
from harness.deed import Ask, Command, Role
from harness.host import python

if TYPE_CHECKING:
    from harness.deed import Act, Reading
    from harness.plan import Plan

LONGEST_WAIT_S = 60.0
MARGIN_S = 3.0
LONGEST_READ_S = 3600.0
# What the guide's own commands leave in /tmp: users' data, readable by many.
OF_THE_GUIDE = ("/tmp/pryv_db.dump", "/tmp/mongodump", "/tmp/influx-backup")  # noqa: S108 - looked for, not written


def patience_s(plan: Plan) -> float:
    """Return for how many seconds a look waits until the source is drained; a longer drain is not waited for."""
    return min(plan.cutover.drained_after_s, LONGEST_WAIT_S) + MARGIN_S


def _at_port(plan: Plan, endpoint: str) -> bool:
    """Whether a socket is at the public port of the source: by its address, or by any that is not of the loopback network."""
    address, _, port = endpoint.rpartition(":")
    bare = address.strip("[]").partition("%")[0]
    own = {str(one) for one in (plan.source.address, plan.source.address6) if one}
    return port == str(plan.core.public_port) and (bare in own or not bare.startswith("127."))


def nobody_connected(plan: Plan) -> Reading[Check]:
    """Look for connections to the source's public port."""
    listed = yield Ask(Command(Role.SOURCE, ("ss", "-Htn", "state", "established")))
    rows = [line.split() for line in listed.lines]  # without the state's column: two queues, local, peer
    found = [row[2] for row in rows if _at_port(plan, row[2])]
    why = "these clients are led to the dest by the source: they would be cut off"
    return equal("connections to the source's public port", Witness.PROCESSES, 0, len(found), len(rows), why=why)


def quiet(plan: Plan, opened: str | None) -> Reading[Check]:
    """Look into the source's access logs for the last request; since T_open they tell how long the old address was kept."""
    drain, since = plan.cutover.drained_after_s, datetime.fromisoformat(opened).timestamp() if opened else 0.0
    command = python(Role.SOURCE, "requests", str(since), *plan.source.proxy.access_logs, timeout_s=LONGEST_READ_S)
    told = (yield Ask(replace(command, says="read the source's access logs"))).json()
    last = max(told["last"] or since, since)
    silent = told["now"] - last
    observed = {
        "requests since T_open": told["since"],
        "the last one, seconds after T_open": round(last - since, 1) if told["since"] else None,
        "quiet for, seconds": round(silent, 1),
    }
    why = "clients that still have the old address would find nobody"
    remedy = "wait; where only scanners and probes come, accept it with a reason (--waive)"
    expected = f"quiet for at least {drain:g} s"
    held, seen = silent >= drain and opened is not None, told["timed"]
    return Check("requests to the source", Witness.LOG, expected, observed, held, seen, why=why, remedy=remedy)


def stop_proxy(plan: Plan) -> Act:
    """Stop the source's proxy, and keep it from starting at boot."""
    proxy = plan.source.proxy
    yield Command(Role.SOURCE, proxy.disable, says="the source's proxy does not start at boot any more")
    yield Command(Role.SOURCE, proxy.stop, says="stop the source's proxy")


def no_public_listener(plan: Plan) -> Reading[Check]:
    """Look for a listener on the source's public port."""
    listed = yield Ask(Command(Role.SOURCE, ("ss", "-Hltn")))
    rows = [line.split() for line in listed.lines]
    found = [row[3] for row in rows if _at_port(plan, row[3])]
    return equal("listeners on the source's public port", Witness.PROCESSES, [], found, len(rows))


def proxy_not_at_boot(plan: Plan) -> Reading[Check]:
    """Look whether the source's proxy says that a boot does not start it."""
    answer = yield Ask(Command(Role.SOURCE, plan.source.proxy.status, exits=(0, 1, 3)))
    observed = answer.text or f"exit {answer.exit}"
    why = "a reboot would bring an old certificate and an old answer back"
    return Check("the source's proxy at boot", Witness.PROCESSES, "disabled", observed, "disabled" in observed, 1, why=why)


def remove_dumps(plan: Plan) -> Act:
    """Remove the dumps of this run on both hosts."""
    for role in Role:
        yield Command(role, ("rm", "-rf", "--", f"{plan.run_folder}/dumps"), says=f"remove the dumps on the {role}")


def no_dumps(plan: Plan) -> Reading[Check]:
    """Look for dumps of this run on both hosts."""
    folder = f"{plan.run_folder}/dumps"
    asked = tuple(Ask(Command(role, ("find", folder, "-type", "f"), exits=(0, 1))) for role in Role)
    found = [f"{role}: {path}" for role, answer in zip(Role, (yield asked), strict=True) for path in answer.lines]
    return equal("dumps of this run", Witness.FILES, [], found, len(Role), why="a dump holds everything that users have stored")


def nothing_of_the_guide() -> Reading[Check]:
    """Look for what the guide's own commands leave on a host: not made by this run, so told and not removed."""
    argv = ("find", *OF_THE_GUIDE, "-maxdepth", "0")
    answers = yield tuple(Ask(Command(role, argv, exits=(0, 1))) for role in Role)
    found = [f"{role}: {path}" for role, answer in zip(Role, answers, strict=True) for path in answer.lines]
    why = "a dump by hand holds everything that users have stored, for everybody who has an account there"
    remedy = "remove them yourself: this run did not make them"
    looked_at = len(Role) * len(OF_THE_GUIDE)
    return equal("copies of users' data in /tmp", Witness.FILES, [], found, looked_at, why=why, remedy=remedy)
