"""Creates the verification user with its data set, and an account that is deleted again, on the source.

An act that was cut short is taken up: what is there already is asked for, not made twice (but for events, which may be).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from harness.core_api import call, upload
from harness.deed import HttpRequest, Keep, Learn, Role, Secret
from harness.errors import DeedFailed
from harness.sending import claim
from harness.verification.account import CONFLICT, CREATED, DEPARTED, KEPT, MADE, OK, answered, departed, signing_in

if TYPE_CHECKING:
    from harness.configuration import Config
    from harness.deed import Act
    from harness.plan import Plan

GONE = 404
STREAM = "verification"
# Each stream: its name and the one above it.
STREAMS = {
    STREAM: ("Vérification — 確認", None),
    "verification-body": ("Größe & 体重", STREAM),
    "verification-scale": ("Waage №2", "verification-body"),
    "verification-diary": ("Journal d'août", STREAM),
}
NOTES = ("Fièvre légère, 38,2 °C", "体重を測った", "Größe und Gewicht ✓")
ATTACHMENT = bytes(range(256)) * 4800
FILES = (("picture/attached", "Röntgen 1.bin", ATTACHMENT), ("file/attached", "leer & „seltsam“ (1)'.bin", b""))
POINTS = [[float(second), 60.0 + second / 4] for second in range(20)]
PROFILES = {"private": {"verification": {"note": "Privé — 秘密", "numbers": [1, 2.5]}}, "public": {"verification": "Öffentlich"}}
SHARED, REVOKED, APP = "healthchecks", "verification-revoked", "verification-app"
# Nobody listens there: it is posted to in vain, on whichever host the core runs.
WEBHOOK = "http://127.0.0.1:9/verification"


def create(plan: Plan, source: Config) -> Act:
    """Create the user with its content on the source; a second account is made and deleted before the move."""
    user = plan.verification_user.username
    taken = yield call("GET", f"/reg/{user}/check_username", via=Role.SOURCE)
    if taken.json().get("reserved") is False:
        yield from claim(plan, Role.SOURCE, MADE)
    personal = yield from _account(plan, user, plan.verification_user.email)
    api = _Api(user, personal)
    for stream, (name, parent) in STREAMS.items():
        made = yield api.post("/streams", {"id": stream, "name": name, "parentId": parent})
        answered(made, CREATED, CONFLICT)
    accesses = yield from _accesses(api)
    events = yield from _events(api)
    files = yield from _files(api)
    series = answered((yield api.post("/events", {"streamIds": [STREAM], "type": "series:mass/kg"})), CREATED)["event"]
    points = {"format": "flatJSON", "fields": ["deltaTime", "value"], "points": POINTS}
    answered((yield api.post(f"/events/{series['id']}/series", points)), OK)
    profiles = {}
    for name, content in PROFILES.items():
        profiles[name] = answered((yield api.put(f"/profile/{name}", content)), OK)["profile"]
    streams = answered((yield api.get("/streams?state=all")), OK)["streams"]
    webhook = yield from _webhook(_Api(user, Secret(accesses[APP]["token"])))
    gone = yield from _departed(plan, source)
    kept = {"personal": personal.value, "shared": accesses[SHARED]["token"], "revoked_token": accesses[REVOKED]["token"]}
    kept |= {"accesses": accesses, "streams": streams, "events": [*events, *(one["event"] for one in files)], "files": files}
    yield Keep(KEPT, {**kept, "series": series["id"], "profiles": profiles, "webhook": webhook, "departed": gone})


class _Api:
    """Requests of one user with one token to the source."""

    def __init__(self, user: str, token: Secret) -> None:
        self.user, self.token = user, token

    def get(self, path: str) -> HttpRequest:
        return call("GET", f"/{self.user}{path}", token=self.token, via=Role.SOURCE)

    def post(self, path: str, body: object) -> HttpRequest:
        return call("POST", f"/{self.user}{path}", body, token=self.token, via=Role.SOURCE)

    def put(self, path: str, body: object) -> HttpRequest:
        return call("PUT", f"/{self.user}{path}", body, token=self.token, via=Role.SOURCE)

    def delete(self, path: str) -> HttpRequest:
        return call("DELETE", f"/{self.user}{path}", token=self.token, via=Role.SOURCE)


def _account(plan: Plan, username: str, email: str) -> Any:  # noqa: ANN401 - a generator of deeds that returns a Secret
    """Register an account, unless it is there; returns its personal token. Raises DeedFailed where it has another password."""
    user, password = plan.verification_user, plan.verification_user.password.read()
    account = {"appId": user.app_id, "username": username, "email": email, "language": "en", "password": password.value}
    answered((yield call("POST", "/users", account, via=Role.SOURCE)), CREATED, CONFLICT)
    token = Secret(answered((yield signing_in(plan, Role.SOURCE, password, username)), OK)["token"])
    yield Learn((token,))
    return token


def _departed(plan: Plan, source: Config) -> Any:  # noqa: ANN401 - a generator of deeds that returns a mapping
    """Make a tiny account, and delete it: it must not be back after the move."""
    name = departed(plan)
    taken = yield call("GET", f"/reg/{name}/check_username", via=Role.SOURCE)
    if taken.json().get("reserved") is False:
        yield from claim(plan, Role.SOURCE, DEPARTED)
    token = yield from _account(plan, name, f"gone.{plan.verification_user.email}")
    yield from delete_account(name, source, Role.SOURCE)
    return {"username": name, "token": token.value}


def delete_account(name: str, source: Config, via: Role) -> Act:
    """Delete an account through the API with the core's admin key; raises DeedFailed when the core refuses."""
    answer = yield call("DELETE", f"/users/{name}", token=Secret(str(source["auth.adminAccessKey"])), via=via)
    if answer.status not in {OK, GONE}:
        raise DeedFailed(f"DELETE /users/{name} by the {via}: answered {answer.status}", answer)


def _accesses(api: _Api) -> Any:  # noqa: ANN401 - a generator of deeds that returns {name: access}
    """Make a shared access, one that is revoked, and an app's."""
    made = {}
    for name, kind, level in ((SHARED, "shared", "manage"), (REVOKED, "shared", "read"), (APP, "app", "contribute")):
        permissions = [{"streamId": STREAM, "level": level}]
        answer = yield api.post("/accesses", {"name": name, "type": kind, "permissions": permissions})
        if answer.status == CONFLICT:  # an act cut short made it
            listed = answered((yield api.get("/accesses")), OK)["accesses"]
            made[name] = next(one for one in listed if one["name"] == name)
        else:
            made[name] = answered(answer, CREATED)["access"]
        yield Learn((Secret(made[name]["token"]),))
    answered((yield api.delete(f"/accesses/{made[REVOKED]['id']}")), OK)
    return made


def _events(api: _Api) -> Any:  # noqa: ANN401 - a generator of deeds that returns the events
    """Make events of several types, one that is changed, and one that is trashed."""
    wanted: list[dict[str, Any]] = [{"type": "note/txt", "content": note} for note in NOTES]
    wanted += [{"type": "mass/kg", "content": 72.5, "streamIds": ["verification-scale"], "time": 1500000000, "duration": 60}]
    wanted += [{"type": "note/txt", "content": "before it was changed"}, {"type": "note/txt", "content": "gelöscht"}]
    events = []
    for event in wanted:
        made = yield api.post("/events", {"streamIds": ["verification-diary"], **event})
        events += [answered(made, CREATED)["event"]]
    events[-2] = answered((yield api.put(f"/events/{events[-2]['id']}", {"content": "geändert"})), OK)["event"]
    events[-1] = answered((yield api.delete(f"/events/{events[-1]['id']}")), OK)["event"]
    return events


def _files(api: _Api) -> Any:  # noqa: ANN401 - a generator of deeds that returns [{event, size, sha256}]
    """Make events with attachments: one over 1 MB, and an empty one with an odd name."""
    files = []
    for kind, name, content in FILES:
        event = {"streamIds": [STREAM], "type": kind, "content": None}
        made = yield upload(f"/{api.user}/events", event, name, content, token=api.token, via=Role.SOURCE)
        stored = answered(made, CREATED)["event"]
        yield Learn((Secret(stored["attachments"][0]["readToken"]),))
        files.append({"event": stored, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()})
    return files


def _webhook(api: _Api) -> Any:  # noqa: ANN401 - a generator of deeds that returns the webhook
    """Make a webhook, last of all: what is changed after it would be posted."""
    made = yield api.post("/webhooks", {"url": WEBHOOK})
    if made.status != CONFLICT:
        return answered(made, CREATED)["webhook"]
    listed = answered((yield api.get("/webhooks")), OK)["webhooks"]
    return next(one for one in listed if one["url"] == WEBHOOK)
