"""The verification user: what differs from what was created is found, each by its own check; who is let in, and who is not."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from harness.check import Outcome
from harness.deed import Ask, HttpAnswer, HttpRequest, Role
from harness.run.driving import drive
from harness.verification import CREDENTIALS, data_set_served, documented, let_in, refused, refused_for_both, show, stronger
from harness.verification.creating import POINTS
from tests.plans import plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.check import Check

BIG = b"x" * 1_000_001


def _file(name: str, content: bytes) -> dict[str, Any]:
    file = {
        "id": f"file-{name}",
        "fileName": name,
        "type": "application/octet-stream",
        "size": len(content),
        "readToken": f"a-{name}",
    }
    event = {"id": f"event-{name}", "type": "file/attached", "content": None, "integrity": "i", "created": 1, "attachments": [file]}
    return {"event": event, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def known() -> dict[str, Any]:
    files = [_file("big", BIG), _file("empty", b"")]
    note = {"id": "note", "type": "note/txt", "content": "Fièvre", "trashed": True, "integrity": "i", "created": 1, "modified": 2}
    names = ("healthchecks", "verification-revoked", "verification-app")
    accesses = {
        name: {"id": name, "name": name, "token": f"token-of-{name}", "permissions": [], "type": "shared"} for name in names
    }
    hook = {"id": "hook", "url": "http://127.0.0.1:9/", "accessId": "app", "state": "active", "runCount": 1, "failCount": 0}
    return {
        "personal": "personal-token",
        "shared": "token-of-healthchecks",
        "revoked_token": "token-of-verification-revoked",
        "streams": [{"id": "root", "name": "Größe", "children": [{"id": "leaf", "name": "体重", "parentId": "root"}]}],
        "events": [note, *(one["event"] for one in files)],
        "files": files,
        "series": "series",
        "accesses": accesses,
        "webhook": {**hook, "maxRetries": 5},
        "profiles": {"private": {"a": 1}, "public": {"b": 2}},
        "departed": {"username": "verify01-gone", "token": "t"},
    }


def serving(**changed: Any) -> Callable[[Any], Any]:  # noqa: ANN401 - parts of what is known
    """Return a core that serves what is known, some of it changed."""
    has = {**copy.deepcopy(known()), "points": POINTS, "bytes": BIG, "alive": [], "runs": {}, **changed}
    alive = [one for name, one in has["accesses"].items() if name != "verification-revoked" or "revoked" in has["alive"]]
    events = {event["id"]: event for event in has["events"]}
    bodies: dict[str, Any] = {
        "streams": {"streams": [*has["streams"], {"id": ":_audit:", "name": "virtual"}]},
        "accesses": {"accesses": alive, "accessDeletions": [{"id": "verification-revoked"}]},
        "webhooks": {"webhooks": [{**has["webhook"], **has["runs"]}] if has["webhook"] else []},
        "profile/private": {"profile": has["profiles"]["private"]},
        "profile/public": {"profile": has["profiles"]["public"]},
        "events/series/series": {"points": has["points"]},
    }

    def answer(asked: Any) -> Any:  # noqa: ANN401 - observations
        if isinstance(asked, tuple):
            return [answer(one) for one in asked]
        request: Any = asked.of if isinstance(asked, Ask) else asked
        path = request.path.removeprefix("/verify01/").partition("?")[0]
        if "/file-" in path:
            return HttpAnswer(request, 200, {}, has["bytes"] if path.endswith("big") else b"", 0.0)
        body = bodies.get(path) or ({"event": events[path[7:]]} if path[7:] in events else None)
        return HttpAnswer(request, 200 if body else 404, {"content-type": "application/json"}, json.dumps(body or {}).encode(), 0.0)

    return answer


def red(**changed: Any) -> list[str]:  # noqa: ANN401 - parts of what is known
    checks: list[Check] = drive(data_set_served(plan(), known(), Role.DEST), serving(**changed))
    return [check.name for check in checks if check.outcome is not Outcome.HELD]


def test_what_is_served_as_it_was_created_holds() -> None:
    assert red() == []


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        (
            {"streams": [{"id": "root", "name": "Gr??e", "children": [{"id": "leaf", "name": "体重", "parentId": "root"}]}]},
            ["streams"],
        ),
        ({"streams": [{"id": "root", "name": "Größe", "children": []}]}, ["streams"]),
        ({"events": [{**event, "trashed": False} for event in known()["events"]]}, ["events"]),
        ({"events": known()["events"][1:]}, ["events"]),
        ({"bytes": b"y" + BIG[1:]}, ["attachments by their token", "attachments by their links from before"]),
        ({"points": POINTS[:-1]}, ["series points"]),
        ({"accesses": {"healthchecks": known()["accesses"]["healthchecks"]}}, ["accesses"]),
        ({"alive": ["revoked"]}, ["the revoked access"]),
        ({"webhook": None}, ["webhooks"]),
        ({"runs": {"state": "inactive"}}, ["webhooks"]),
        ({"runs": {"runCount": 0}}, ["webhooks"]),
        ({"profiles": {"private": {}, "public": {"b": 2}}}, ["profiles"]),
    ],
)
def test_each_difference_is_found_by_its_own_check(changed: dict[str, Any], names: list[str]) -> None:
    assert red(**changed) == names


def test_a_webhook_that_fell_asleep_as_nobody_listens_there_is_no_difference() -> None:
    assert red(runs={"state": "inactive", "failCount": 6, "runCount": 7}) == []


def test_without_a_verification_user_nothing_is_said_to_be_served() -> None:
    [check] = drive(data_set_served(plan(), None, Role.DEST), serving())

    assert check.outcome is Outcome.ABSENT


def shown(name: str, status: int, body: object) -> Any:  # noqa: ANN401 - what was shown, and the request
    asked: list[HttpRequest] = []

    def answer(request: Any) -> Any:  # noqa: ANN401 - a deed or something to learn
        if isinstance(request, HttpRequest):
            asked.append(request)
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            return HttpAnswer(request, status, {"content-type": "application/json" if raw is not body else ""}, raw, 0.0)
        return None

    return drive(show(plan(), known(), Role.DEST, name), answer), asked[0]


GOOD: dict[str, object] = {
    "password": {"token": "t"},
    "personal token": {"type": "personal"},
    "shared token": {"type": "shared"},
    "app token": {"type": "app"},
    "readToken link": BIG,
}


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VERIFY_PASSWORD", "of-verify01")


@pytest.mark.parametrize("name", GOOD)
def test_a_credential_is_let_in_as_what_it_is(name: str) -> None:
    good, _ = shown(name, 200, GOOD[name])
    shut, _ = shown(name, 403, {"error": {"id": "invalid-access-token"}})
    other, _ = shown(name, 200, b"" if name == "readToken link" else {"type": "another"})

    assert [let_in(one, known()).held for one in (good, shut, other)] == [True, False, False]


@pytest.mark.parametrize("name", sorted(CREDENTIALS.keys() - GOOD.keys()))
def test_a_credential_is_refused_for_what_it_is_and_not_by_a_core_that_is_broken(name: str) -> None:
    status, error = CREDENTIALS[name].refused or (0, "")
    right, _ = shown(name, status, {"error": {"id": error}})
    broken, _ = shown(name, 500, {"error": {"id": "unexpected-error"}})
    alive, _ = shown(name, 200, {"token": "t", "type": "shared"})

    assert [refused(one).held for one in (right, broken, alive)] == [True, False, False]


def test_each_credential_is_shown_in_its_own_way() -> None:
    ways = {name: shown(name, 403, {})[1] for name in CREDENTIALS}

    told = {name: str(getattr(one.headers.get("Authorization"), "value", "")) for name, one in ways.items()}
    assert told["revoked token"] == "token-of-verification-revoked"
    assert told["app token"] == "token-of-verification-app"
    assert len({told[name] for name in told if name.endswith("token")}) == 5
    assert ways["password of a deleted user"].path == "/verify01-gone/auth/login"
    assert ways["readToken link"].path.endswith("?readToken=a-big")
    assert ways["readToken link of nobody"].path.endswith("?readToken=a-" + "A" * 27)
    assert b"of-verify01" in ways["password"].body
    assert b"of-verify01" not in ways["wrong password"].body


@pytest.mark.parametrize(("data", "held"), [(["username", "email"], True), (["username"], False), ([], False)])
def test_a_second_registration_is_refused_for_its_e_mail_too(data: list[str], *, held: bool) -> None:
    request = HttpRequest("POST", "/users")
    body = json.dumps({"error": {"id": "item-already-exists", "data": dict.fromkeys(data, "x")}}).encode()

    assert refused_for_both(HttpAnswer(request, 409, {"content-type": "application/json"}, body, 0.0)).held is held


def answers(**by: tuple[int, object]) -> Callable[[Any], Any]:
    """Return a core that answers by the end of the path (dots for slashes)."""

    def answer(asked: Any) -> Any:  # noqa: ANN401 - observations
        if isinstance(asked, tuple):
            return [answer(one) for one in asked]
        path = f"{asked.of.method} {asked.of.path.partition('?')[0]}"
        status, body = next(said for name, said in by.items() if path.endswith(name.replace("__", "/")))
        return HttpAnswer(asked.of, status, {"content-type": "application/json"}, json.dumps(body).encode(), 0.0)

    return answer


BROKEN: dict[str, tuple[int, object]] = {
    "verify01__check_username": (200, {"reserved": True}),
    "nobody__check_username": (200, {"reserved": False}),
    "com__check_email": (200, {"reserved": False}),
    "nonexistent__series": (200, {}),
    "events__series__series": (200, {"points": []}),
    "verify01__events": (200, {"events": []}),
}


def test_the_documented_health_checks_pass_on_a_core_that_has_lost_everything_and_the_stronger_ones_do_not() -> None:
    core = answers(**BROKEN)

    assert [check.held for check in drive(documented(plan(), known()), core)] == [True, True, True]
    assert [check.outcome for check in drive(stronger(plan(), known()), core)] == [Outcome.NOT_HELD] * 3


def test_a_gateway_that_does_not_reach_the_core_fails_the_fourth_documented_check() -> None:
    core = answers(**{**BROKEN, "nonexistent__series": (502, {})})

    assert [check.held for check in drive(documented(plan(), known()), core)] == [True, True, False]


def test_a_link_of_nobody_has_the_form_of_one() -> None:
    digest = base64.urlsafe_b64encode(hashlib.sha1(b"", usedforsecurity=False).digest()).decode().rstrip("=")

    assert len(digest) == len("A" * 27)
