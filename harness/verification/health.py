"""The documented health checks, and what each must show beside: the documented ones pass on a core that is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.core_api import call
from harness.deed import Ask, Secret
from harness.errors import Unreachable
from harness.verification.account import OK, absent, body_of, error_of

if TYPE_CHECKING:
    from harness.configuration import Config
    from harness.deed import HttpAnswer, Reading, Role
    from harness.plan import Plan
    from harness.verification.account import Known

GATEWAY = frozenset({502, 504})
SERVER_ERROR = 500
NOBODY = "-nobody"


def ready(config: Config, via: Role | str) -> Reading[Check]:
    """Look whether the core answers as itself: its serial and a version, not any server that has the port."""
    name, expected = "the core's own answer", {"status": OK, "serial": str(config["service.serial"])}
    try:
        answer = yield Ask(call("GET", "/reg/service/info", via=via))
    except Unreachable as unreachable:
        return equal(name, Witness.API, expected, unreachable.cause, 1, absent=True)
    if answer.status in {502, 503, 504}:
        return equal(name, Witness.API, expected, {"status": answer.status}, 1, absent=True)
    observed = {"status": answer.status, "serial": str(answer.json().get("serial"))}
    return equal(name, Witness.API, expected, observed, why="another server on the port would answer too")


def lasting_token(plan: Plan, known: Known | None, via: Role | str) -> Reading[Check]:
    """Look whether the health check account's token is accepted and never expires."""
    if known is None:
        return absent("health check token")
    token = Secret(known["shared"])
    answer = yield Ask(call("GET", f"/{plan.verification_user.username}/access-info", token=token, via=via))
    body = body_of(answer)
    observed = {"status": answer.status, "type": body.get("type"), "expires": body.get("expires")}
    return equal("health check token", Witness.API, {"status": 200, "type": "shared", "expires": None}, observed)


def documented(plan: Plan, known: Known | None) -> Reading[list[Check]]:
    """Look at the health checks 2 to 4 as they are documented, through the public name (1 is for several cores: DNS)."""
    if known is None:
        return [absent("documented health checks")]
    user, token = plan.verification_user.username, Secret(known["shared"])
    taken, events, options = yield (
        Ask(call("GET", f"/reg/{user}/check_username")),
        Ask(call("GET", f"/{user}/events?limit=1", token=token)),
        Ask(call("OPTIONS", f"/{user}/events/nonexistent/series")),
    )
    listed = body_of(events).get("events")
    series = "passed" if OK <= options.status < SERVER_ERROR and options.status not in GATEWAY else f"status {options.status}"
    return [
        equal("2: the name is reserved", Witness.API, [OK, True], [taken.status, body_of(taken).get("reserved")]),
        equal("3: events are answered", Witness.API, [OK, True], [events.status, isinstance(listed, list)]),
        equal("4: OPTIONS of a series", Witness.API, "passed", series),
    ]


def stronger(plan: Plan, known: Known | None) -> Reading[list[Check]]:
    """Look at what each documented check must show beside, through the public name; `why` says what the documented one misses."""
    if known is None:
        return [absent("stronger health checks")]
    user, token, email = plan.verification_user.username, Secret(known["shared"]), plan.verification_user.email
    free_name, taken, free, events, unknown, points = yield (
        Ask(call("GET", f"/reg/{user[:50]}{NOBODY}/check_username")),
        Ask(call("GET", f"/reg/{email}/check_email")),
        Ask(call("GET", f"/reg/nobody.{email}/check_email")),
        Ask(call("GET", f"/{user}/events?limit=100", token=token)),
        Ask(call("GET", f"/{user}/events/nonexistent/series", token=token)),
        Ask(call("GET", f"/{user}/events/{known['series']}/series", token=token)),
    )
    return [
        _platform(free_name, taken, free),
        _known_events(known, events),
        _series(unknown, points),
    ]


def _platform(free_name: HttpAnswer, taken: HttpAnswer, free: HttpAnswer) -> Check:
    expected = {"another name": [OK, False], "the e-mail": [409, "item-already-exists"], "another e-mail": [OK, False]}
    observed = {
        "another name": [free_name.status, body_of(free_name).get("reserved")],
        "the e-mail": [taken.status, error_of(taken)],
        "another e-mail": [free.status, body_of(free).get("reserved")],
    }
    why = "2 asks for no address and is answered without the platform: it passes when the platform is lost"
    return equal("2, stronger: the platform knows the e-mail, and no other name", Witness.API, expected, observed, 3, 3, why=why)


def _known_events(known: Known, answer: HttpAnswer) -> Check:
    listed = {event["id"] for event in body_of(answer).get("events", [])}
    wanted = {event["id"] for event in known["events"] if not event.get("trashed")}
    why = "3 passes on an empty list"
    name = "3, stronger: the known events are listed"
    return equal(name, Witness.API, sorted(wanted), sorted(listed & wanted), len(listed), len(wanted), why=why)


def _series(unknown: HttpAnswer, points: HttpAnswer) -> Check:
    expected: dict[str, Any] = {"of an unknown event": [404, 'Unknown event "nonexistent"'], "of the known one": [OK, True]}
    error = body_of(unknown).get("error")
    message = error.get("message") if isinstance(error, dict) else None
    served = body_of(points).get("points", [])
    observed = {"of an unknown event": [unknown.status, message], "of the known one": [points.status, len(served) > 0]}
    why = "4 is answered before the series server or the database is asked"
    return equal("4, stronger: the series server answers with points", Witness.API, expected, observed, len(served) + 1, 2, why=why)
