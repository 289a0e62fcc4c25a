"""Compares what a host serves of the verification data set with what was created on the source: same ids, bytes, points, rights.

Left out is what moves by itself: an access's lastUsed and calls, a webhook's runs (it is posted to in vain, and put to sleep when
that has failed too often), links' tokens that are made for whoever asks.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.core_api import attachment, call
from harness.deed import Ask, Secret
from harness.verification.account import OK, absent, body_of
from harness.verification.creating import POINTS, PROFILES, REVOKED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.deed import HttpAnswer, Reading, Role
    from harness.plan import Plan
    from harness.verification.account import Known

EVENT = (
    *("id", "type", "content", "streamIds", "time", "duration", "trashed", "integrity"),
    *("created", "createdBy", "modified", "modifiedBy"),
)
FILE = ("id", "fileName", "type", "size", "integrity")
STREAM_PARTS = ("id", "name", "parentId", "trashed", "created", "modified")
ACCESS = ("id", "name", "type", "permissions", "token", "integrity", "expires", "created", "modified")
WEBHOOK_PARTS = ("id", "url", "accessId", "created", "createdBy")
ATTACHED_BYTES = 1_000_000


def data_set_served(plan: Plan, known: Known | None, via: Role | str) -> Reading[list[Check]]:
    """Look whether the whole data set is served as it was created, each kind of thing by its own check."""
    if known is None:
        return [absent("verification data set")]
    user, token = plan.verification_user.username, Secret(known["personal"])
    streams, accesses, hooks, *profiles = yield tuple(
        Ask(call("GET", f"/{user}/{path}", token=token, via=via))
        for path in ("streams?state=all", "accesses?includeDeletions=true", "webhooks", *(f"profile/{name}" for name in PROFILES))
    )
    events = yield from _events_served(user, known, token, via)
    files = yield from _files_served(user, known, token, via)
    series = yield from _series_served(user, known, token, via)
    return [
        _streams(known, streams),
        events,
        *files,
        series,
        *_accesses(known, accesses),
        _webhook(known, hooks),
        _profiles(known, profiles),
    ]


def part(thing: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return what is compared of a thing; null and false are as good as not there."""
    return {name: thing[name] for name in names if thing.get(name) not in (None, False)}


def digest(value: object) -> str:
    """Return a short digest of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def _event(event: Mapping[str, Any]) -> dict[str, Any]:
    return part(event, EVENT) | {"attachments": [part(file, FILE) for file in event.get("attachments") or []]}


def _flat(streams: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return {id: stream} of a tree, without the virtual ones that the core makes (their ids begin with a colon)."""
    found = {}
    for stream in streams:
        if not str(stream.get("id", "")).startswith(":"):
            found[str(stream["id"])] = part(stream, STREAM_PARTS)
            found |= _flat(stream.get("children") or [])
    return found


def _streams(known: Known, answer: HttpAnswer) -> Check:
    expected, served = _flat(known["streams"]), _flat(body_of(answer).get("streams", []))
    observed = {name: digest(stream) for name, stream in served.items() if name in expected}
    wanted = {name: digest(stream) for name, stream in expected.items()}
    why = "a stream is how a user finds events; one that is lost hides them"
    return equal("streams", Witness.API, wanted, observed, len(observed), len(wanted), why=why)


def _events_served(user: str, known: Known, token: Secret, via: Role | str) -> Reading[Check]:
    paths = [f"/{user}/events/{event['id']}?includeHistory=true" for event in known["events"]]
    answers = yield tuple(Ask(call("GET", path, token=token, via=via)) for path in paths)
    served = [body_of(answer)["event"] for answer in answers if answer.status == OK]
    expected = {event["id"]: digest(_event(event)) for event in known["events"]}
    observed = {event["id"]: digest(_event(event)) for event in served}
    return equal("events", Witness.API, expected, observed, len(observed), len(expected), why="an event is what a user stored")


def _files_served(user: str, known: Known, token: Secret, via: Role | str) -> Reading[list[Check]]:
    expected = {one["event"]["attachments"][0]["id"]: [OK, one["size"], one["sha256"][:16]] for one in known["files"]}
    checks = []
    for name, by_link in (("attachments by their token", False), ("attachments by their links from before", True)):
        answers = yield tuple(Ask(_file(user, one["event"], token, via, by_link=by_link)) for one in known["files"])
        sizes = [len(got.body) for got in answers]
        found = [[got.status, size, hashlib.sha256(got.body).hexdigest()[:16]] for got, size in zip(answers, sizes, strict=True)]
        observed = dict(zip(expected, found, strict=True))
        why = "its digest is repeated by the core whatever the bytes are" if not by_link else "a link is what a user gave to others"
        checks.append(equal(name, Witness.API, expected, observed, sum(sizes), ATTACHED_BYTES, why=why))
    return checks


def _file(user: str, event: Mapping[str, Any], token: Secret, via: Role | str, *, by_link: bool) -> Any:  # noqa: ANN401 - a request
    file = event["attachments"][0]
    if by_link:
        return attachment(user, event["id"], file["id"], read=file["readToken"], via=via)
    return attachment(user, event["id"], file["id"], token=token, via=via)


def _series_served(user: str, known: Known, token: Secret, via: Role | str) -> Reading[Check]:
    answer = yield Ask(call("GET", f"/{user}/events/{known['series']}/series", token=token, via=via))
    served = body_of(answer).get("points", []) if answer.status == OK else []
    points = [[float(value) for value in point] for point in served]  # JSON has no 60.0: the core writes 60
    return equal("series points", Witness.API, digest(POINTS), digest(points), len(points), len(POINTS))


def _accesses(known: Known, answer: HttpAnswer) -> list[Check]:
    body = body_of(answer)
    alive = {access["id"]: access for access in body.get("accesses", [])}
    expected = {one["id"]: digest(part(one, ACCESS)) for name, one in known["accesses"].items() if name != REVOKED}
    observed = {name: digest(part(alive[name], ACCESS)) for name in expected if name in alive}
    revoked = known["accesses"][REVOKED]["id"]
    told = {"alive": revoked in alive, "revoked": revoked in {one["id"] for one in body.get("accessDeletions", [])}}
    why = "an access is a user's permission; a lost one cuts a device off"
    return [
        equal("accesses", Witness.API, expected, observed, len(observed), len(expected), why=why),
        equal(
            "the revoked access", Witness.API, {"alive": False, "revoked": True}, told, why="what was revoked would be open again"
        ),
    ]


def _webhook(known: Known, answer: HttpAnswer) -> Check:
    wanted = known["webhook"]
    served = [hook for hook in body_of(answer).get("webhooks", []) if hook["id"] == wanted["id"]]
    expected = part(wanted, WEBHOOK_PARTS) | {"state": wanted["state"], "runs": "no fewer than before"}
    observed = [part(hook, WEBHOOK_PARTS) | {"state": _state(hook), "runs": _runs(wanted, hook)} for hook in served]
    why = "an app is told no more of what its user changes"
    return equal("webhooks", Witness.API, [expected], observed, len(observed), why=why)


def _state(hook: Mapping[str, Any]) -> str:
    """Return a webhook's state: one that the core put to sleep itself, as nobody listens there, is as good as active."""
    slept = hook["state"] == "inactive" and hook["failCount"] > hook["maxRetries"]
    return "active" if slept else str(hook["state"])


def _runs(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    return "no fewer than before" if now["runCount"] >= before["runCount"] else f"{now['runCount']}, {before['runCount']} before"


def _profiles(known: Known, answers: Iterable[HttpAnswer]) -> Check:
    observed = {name: digest(body_of(answer).get("profile")) for name, answer in zip(PROFILES, answers, strict=True)}
    expected = {name: digest(profile) for name, profile in known["profiles"].items()}
    why = "a profile holds what an app knows of its user, the second factor of a sign-in among it"
    return equal("profiles", Witness.API, expected, observed, len(observed), len(PROFILES), why=why)
