"""The verification user: a known account with known content, created on the source and looked for on the dest.

What was created, and the tokens minted for it, are kept in the run's private folder. The dest must answer with the same events,
bytes, points and permissions, to the same tokens.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.core_api import attachment, call, upload
from harness.deed import Ask, HttpAnswer, HttpRequest, Keep, Learn, Role, Secret
from harness.errors import DeedFailed, Unreachable
from harness.sending import claim

if TYPE_CHECKING:
    from collections.abc import Generator

    from harness.configuration import Config
    from harness.deed import Act, Reading
    from harness.plan import Plan

Known = dict[str, Any]
KEPT = "verification"
MADE = "verification user"  # among what this run has made on the source
STREAM = "verification"
NOTES = ("Fièvre légère, 38,2 °C", "体重を測った", "Größe und Gewicht ✓")
ATTACHMENT = bytes(range(256)) * 4800
POINTS = [[float(second), 60.0 + second / 4] for second in range(20)]
COMPARED = ("id", "type", "content", "streamIds", "time", "integrity", "created", "modified")
NEVER = "0" * 25
WRONG = Secret("not-the-password")
ACCEPTED = 200


def _ok(answer: HttpAnswer, *statuses: int) -> Any:  # noqa: ANN401 - JSON is any
    if answer.status not in statuses:
        error = answer.json().get("error", {}).get("id", "") if "json" in answer.headers.get("content-type", "") else ""
        raise DeedFailed(f"{answer.request}: answered {answer.status} {error}, expected {' or '.join(map(str, statuses))}", answer)
    return answer.json()


def _sign_in(plan: Plan, via: Role, password: Secret) -> HttpRequest:
    user = plan.verification_user
    body = {"username": user.username, "password": password.value, "appId": user.app_id}
    return call("POST", f"/{user.username}/auth/login", body, via=via, Origin=user.origin)


def sign_in(plan: Plan, via: Role, password: Secret) -> Generator[Any, Any, HttpAnswer]:
    """Sign in with a password; returns the answer, its token masked from then on."""
    answer: HttpAnswer = yield _sign_in(plan, via, password)
    if answer.status == ACCEPTED:
        yield Learn((Secret(answer.json()["token"]),))
    return answer


def accepted(answer: HttpAnswer) -> Check:
    """Check that a sign-in was accepted with a token."""
    return equal(
        "sign-in", Witness.API, {"status": ACCEPTED, "token": True}, {"status": answer.status, "token": "token" in answer.json()}
    )


def refused(answer: HttpAnswer) -> Check:
    """Check that a sign-in was refused for its credentials."""
    error = answer.json().get("error", {}).get("id")
    return equal("sign-in", Witness.API, {"status": 401, "error": "invalid-credentials"}, {"status": answer.status, "error": error})


def _register(plan: Plan) -> HttpRequest:
    user = plan.verification_user
    account = {"appId": user.app_id, "username": user.username, "email": user.email, "language": "en"}
    return call("POST", "/users", {**account, "password": user.password.read().value}, via=Role.SOURCE)


def create(plan: Plan) -> Act:
    """Create the user with its content on the source; what is there already from an act cut short is taken up."""
    user = plan.verification_user.username
    user_password = plan.verification_user.password.read()
    taken = yield call("GET", f"/reg/{user}/check_username", via=Role.SOURCE)
    if taken.json().get("reserved") is False:
        yield from claim(plan, Role.SOURCE, MADE)
    registered = yield _register(plan)
    if registered.status not in {201, 409}:
        _ok(registered, 201)
    personal = Secret(_ok((yield _sign_in(plan, Role.SOURCE, user_password)), 200)["token"])
    yield Learn((personal,))

    def post(path: str, body: object) -> HttpRequest:
        return call("POST", f"/{user}{path}", body, token=personal, via=Role.SOURCE)

    yield post("/streams", {"id": STREAM, "name": "Vérification — 確認"})
    shared = yield from _shared_access(user, personal)
    events = []
    for note in NOTES:
        made = yield post("/events", {"streamIds": [STREAM], "type": "note/txt", "content": note})
        events += [_ok(made, 201)["event"]]
    event = {"streamIds": [STREAM], "type": "picture/attached", "content": None}
    events.append(
        _ok((yield upload(f"/{user}/events", event, "Röntgen 1.bin", ATTACHMENT, token=personal, via=Role.SOURCE)), 201)["event"]
    )
    series = _ok((yield post("/events", {"streamIds": [STREAM], "type": "series:mass/kg"})), 201)["event"]
    points = {"format": "flatJSON", "fields": ["deltaTime", "value"], "points": POINTS}
    _ok((yield post(f"/events/{series['id']}/series", points)), 200)
    kept = {"personal": personal.value, "shared": shared.value, "series": series["id"], "events": events}
    yield Learn((Secret(events[-1]["attachments"][0]["readToken"]),))
    yield Keep(KEPT, kept)


def _shared_access(user: str, personal: Secret) -> Any:  # noqa: ANN401 - a generator of deeds that returns a Secret
    access = {"name": "healthchecks", "permissions": [{"streamId": STREAM, "level": "manage"}]}
    made = yield call("POST", f"/{user}/accesses", access, token=personal, via=Role.SOURCE)
    if made.status == 409:  # noqa: PLR2004 - it exists: an act cut short made it
        listed = _ok((yield call("GET", f"/{user}/accesses", token=personal, via=Role.SOURCE)), 200)["accesses"]
        found = next(one for one in listed if one["name"] == access["name"])
    else:
        found = _ok(made, 201)["access"]
    token = Secret(found["token"])
    yield Learn((token,))
    return token


def _absent(name: str) -> Check:
    return equal(name, Witness.API, "as created", "no verification user in this run yet", 0, absent=True)


def data_set_served(plan: Plan, known: Known | None, via: Role | str) -> Reading[list[Check]]:
    """Look whether the whole data set is served as it was created: events, attachment by token and by link, series."""
    if known is None:
        return [_absent("verification data set")]
    user, token = plan.verification_user.username, Secret(known["personal"])
    events = yield from _events_served(user, known, token, via)
    files = yield from _attachment_served(user, known, token, via)
    series = yield from _series_served(user, known, token, via)
    return [events, *files, series]


def _part(event: dict[str, Any]) -> dict[str, Any]:
    return {key: event.get(key) for key in COMPARED}


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def _events_served(user: str, known: Known, token: Secret, via: Role | str) -> Reading[Check]:
    answers = yield tuple(Ask(call("GET", f"/{user}/events/{event['id']}", token=token, via=via)) for event in known["events"])
    served = [answer.json().get("event", {}) if answer.status == 200 else {} for answer in answers]  # noqa: PLR2004 - HTTP OK
    expected = {event["id"]: _digest(_part(event)) for event in known["events"]}
    observed = {event["id"]: _digest(_part(event)) for event in served if event}
    return equal("events", Witness.API, expected, observed, len(observed), len(expected), why="an event is what a user stored")


def _attachment_served(user: str, known: Known, token: Secret, via: Role | str) -> Reading[list[Check]]:
    event = known["events"][-1]
    file = event["attachments"][0]
    answers = yield (
        Ask(attachment(user, event["id"], file["id"], token=token, via=via)),
        Ask(attachment(user, event["id"], file["id"], read=file["readToken"], via=via)),
    )
    expected = {"status": 200, "sha256": hashlib.sha256(ATTACHMENT).hexdigest()}
    names = ("attachment by its token", "attachment by its link from before")
    return [
        equal(
            name,
            Witness.API,
            expected,
            {"status": got.status, "sha256": hashlib.sha256(got.body).hexdigest()},
            len(got.body),
            1_000_000,
        )
        for name, got in zip(names, answers, strict=True)
    ]


def _series_served(user: str, known: Known, token: Secret, via: Role | str) -> Reading[Check]:
    answer = yield Ask(call("GET", f"/{user}/events/{known['series']}/series", token=token, via=via))
    served = answer.json().get("points", []) if answer.status == 200 else []  # noqa: PLR2004 - HTTP OK
    points = [[float(value) for value in point] for point in served]  # JSON has no 60.0: the core writes 60
    return equal("series points", Witness.API, _digest(POINTS), _digest(points), len(points), len(POINTS))


def lasting_token(plan: Plan, known: Known | None, via: Role | str) -> Reading[Check]:
    """Look whether the health check account's token is accepted and never expires."""
    if known is None:
        return _absent("health check token")
    token = Secret(known["shared"])
    answer = yield Ask(call("GET", f"/{plan.verification_user.username}/access-info", token=token, via=via))
    body = answer.json() if answer.status == 200 else {}  # noqa: PLR2004 - HTTP OK
    observed = {"status": answer.status, "type": body.get("type"), "expires": body.get("expires")}
    return equal("health check token", Witness.API, {"status": 200, "type": "shared", "expires": None}, observed)


def wrong_token_refused(plan: Plan, via: Role | str) -> Reading[Check]:
    """Look whether a token that nobody has is still refused."""
    answer = yield Ask(call("GET", f"/{plan.verification_user.username}/access-info", token=Secret(NEVER), via=via))
    body = answer.json()
    observed = {"status": answer.status, "error": body.get("error", {}).get("id")}
    return equal("an unknown token", Witness.API, {"status": 403, "error": "invalid-access-token"}, observed)


def ready(config: Config, via: Role | str) -> Reading[Check]:
    """Look whether the core answers as itself: its serial and a version, not any server that has the port."""
    name, expected = "the core's own answer", {"status": 200, "serial": str(config["service.serial"])}
    try:
        answer = yield Ask(call("GET", "/reg/service/info", via=via))
    except Unreachable as unreachable:
        return equal(name, Witness.API, expected, unreachable.cause, 1, absent=True)
    if answer.status in {502, 503, 504}:
        return equal(name, Witness.API, expected, {"status": answer.status}, 1, absent=True)
    observed = {"status": answer.status, "serial": str(answer.json().get("serial"))}
    return equal(name, Witness.API, expected, observed, why="another server on the port would answer too")


def documented_healthchecks(plan: Plan, known: Known | None) -> Reading[list[Check]]:
    """Look at the documented health checks 2 to 4 through the public name, and at their stronger forms."""
    if known is None:
        return [_absent("documented health checks")]
    user, token = plan.verification_user.username, Secret(known["shared"])
    taken, free, events, options, series = yield (
        Ask(call("GET", f"/reg/{user}/check_username")),
        Ask(call("GET", f"/reg/{user[:40]}-nobody/check_username")),
        Ask(call("GET", f"/{user}/events?limit=100", token=token)),
        Ask(call("OPTIONS", f"/{user}/events/nonexistent/series")),
        Ask(call("GET", f"/{user}/events/nonexistent/series", token=token)),
    )
    ids = {event["id"] for event in events.json().get("events", [])}
    wanted = {event["id"] for event in known["events"]}
    return [
        equal(
            "known name is reserved, a random one is not",
            Witness.API,
            [True, False],
            [taken.json().get("reserved"), free.json().get("reserved")],
            2,
        ),
        equal("known events are listed", Witness.API, sorted(wanted), sorted(ids & wanted), len(ids), len(wanted)),
        equal("OPTIONS of a series", Witness.API, True, 200 <= options.status < 500),  # noqa: PLR2004 - as documented
        equal(
            "series of an unknown event is refused by the series server",
            Witness.API,
            [404, 'Unknown event "nonexistent"'],
            _refusal(series),
        ),
    ]


def _refusal(answer: HttpAnswer) -> list[Any]:
    return [answer.status, answer.json().get("error", {}).get("message")]
