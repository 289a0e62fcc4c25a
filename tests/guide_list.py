"""The guide's own checks, as a literal list: what its sections "Launch" and "Verify" and the healthchecks guide ask for, no more.

Each is asked of the dest under the public name, as an operator would on the night, and passes exactly where the guide says that it
does. Documented healthcheck 1 (DNS) is for deployments of several cores and is not here; so is the list of cores (guide line 119),
but an operator may well ask for it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from fixtures.hosts import core
from harness.control import control
from harness.core_api import by_address, call, send
from harness.deed import Role, Secret
from harness.errors import HarnessError
from harness.plan import load
from harness.run.endings import RETIRE_PENDING
from tests.runbook.rehearsing import on

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.deed import HttpAnswer, HttpRequest
    from harness.plan import Plan
    from tests.runbook.rehearsing import Rehearsal

TIMEOUT_S = 10.0
OK = 200
READY = "Master process ready"
BAD_GATEWAYS = (502, 504)
NOTHING = "nothing"


@dataclass(frozen=True)
class Night:
    """A move that was made without our checks, at its end: what the operator has at hand."""

    rehearsal: Rehearsal
    plan: Plan
    token: Secret
    admin_key: Secret

    def ask(self, request: HttpRequest) -> HttpAnswer:
        """Ask the dest, under the public name; raises Unreachable."""
        address, port = self.plan.dest.address, self.plan.core.public_port
        url, ca_file = self.plan.core.public_url, self.plan.tls_ca_file
        return send(request, url, ca_file, lambda: by_address(str(address), port, TIMEOUT_S))


def _clean_log(night: Night) -> bool:
    log = on(night.rehearsal, Role.DEST, *control(night.plan).logs(Role.DEST).argv)
    start = log[log.rindex(READY) :] if READY in log else ""
    return bool(start) and "error" not in start.lower()


def _log_in(night: Night) -> bool:
    user = night.plan.verification_user
    body = {"username": user.username, "password": user.password.read().value, "appId": user.app_id}
    return night.ask(call("POST", f"/{user.username}/auth/login", body, Origin=user.origin)).status == OK


def _recent_events(night: Night) -> bool:
    answer = night.ask(call("GET", f"/{night.plan.verification_user.username}/events?limit=20", token=night.token))
    return answer.status == OK and bool(answer.json()["events"])


def _calls_arrive(night: Night) -> bool:
    night.ask(call("GET", "/reg/service/info?guide"))
    asked = [on(night.rehearsal, role, "cat", *night.plan.source.proxy.access_logs).count("service/info?guide") for role in Role]
    return asked[list(Role).index(Role.DEST)] > 0 and asked[list(Role).index(Role.SOURCE)] == 0


def _check_username(night: Night) -> bool:
    answer = night.ask(call("GET", f"/reg/{night.plan.verification_user.username}/check_username"))
    return answer.status == OK and answer.json().get("reserved") is True


def _one_event(night: Night) -> bool:
    answer = night.ask(call("GET", f"/{night.plan.verification_user.username}/events?limit=1", token=night.token))
    return answer.status == OK and "events" in answer.json()


def _series_options(night: Night) -> bool:
    answer = night.ask(call("OPTIONS", f"/{night.plan.verification_user.username}/events/nonexistent/series"))
    return answer.status >= OK and answer.status not in BAD_GATEWAYS


def _listed(night: Night) -> bool:
    answer = night.ask(call("GET", "/system/admin/cores", token=night.admin_key))
    return answer.status == OK and len(answer.json()["cores"]) > 0


LIST: dict[str, Callable[[Night], bool]] = {
    "clean log": _clean_log,
    "log in": _log_in,
    "recent events": _recent_events,
    "calls arrive on dest": _calls_arrive,
    "healthcheck 2": _check_username,
    "healthcheck 3": _one_event,
    "healthcheck 4": _series_options,
    "list of cores": _listed,
}


def verdict(rehearsal: Rehearsal, name: str) -> str:
    """Make the move with a fault (or with none: "") where nobody looks, and return what the guide's own checks see of it."""
    strikes = ("--fault", name) if name else ()
    code = rehearsal.run("-p", "tests.unwatched", "--ask", "--approve", "freeze,cutover", *strikes)
    if code != RETIRE_PENDING:
        return f"a command of the move fails: {rehearsal.cause().splitlines()[0]}"
    return ", ".join(_not_passing(rehearsal)) or NOTHING


def _not_passing(rehearsal: Rehearsal) -> list[str]:
    """Return the names of the guide's checks that do not pass."""
    plan = load(rehearsal.world / "plan.yml")
    kept = json.loads((rehearsal.record / "private" / "verification.json").read_text(encoding="utf-8"))
    admin_key = yaml.safe_load(on(rehearsal, Role.SOURCE, "cat", core.OVERRIDE))["auth"]["adminAccessKey"]
    night = Night(rehearsal, plan, Secret(kept["shared"]), Secret(admin_key))
    return [name for name, passes in LIST.items() if not _passes(passes, night)]


def _passes(check: Callable[[Night], bool], night: Night) -> bool:
    try:
        return check(night)
    except HarnessError:
        return False
