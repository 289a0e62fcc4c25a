"""What passes through the source's proxy: told by the access logs of both hosts, and by what the dest answers.

Each look sends requests of its own, which an agent's name that nobody else has tells from all others.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.control import control
from harness.core_api import call, upload, websocket
from harness.cutover.proxy import part_of
from harness.deed import Ask, Command, HttpRequest, Role, Secret
from harness.errors import HarnessError
from harness.verification import POINTS, STREAM

if TYPE_CHECKING:
    from collections.abc import Generator

    from harness.deed import HttpAnswer, Reading
    from harness.plan import Plan

    Known = dict[str, Any]

COUNT = 'cat -- "$@" | grep -cF -- "$0"; [ $? -le 1 ]'
CLIENTS = 'cat -- "$@" | grep -F -- "$0" | cut -d " " -f 1 | sort -u'
OF_PROXIES = (502, 503, 504)  # a core may answer 500 by itself
SWITCHED = 101
CREATED = 201
UPLOADED_BYTES = 2 * 1024 * 1024
ACCEPTED = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3: how a server answers a websocket's key


def _agent() -> str:
    return f"pryv-core-migration/{secrets.token_hex(8)}"


def _requests(plan: Plan, agent: str) -> list[HttpRequest]:
    """Return requests for each way through the core: its API, the series in both styles, websockets, other apps' sign-in."""
    user = plan.verification_user.username
    paths = (
        "/reg/service/info",
        f"/{user}/events",
        f"/{user}/events/nonexistent/series",
        f"/{user}/series/batch",
        "/socket.io/?EIO=4&transport=polling",
        "/oauth2/authorize",
    )
    return [HttpRequest("GET", path, {"User-Agent": agent}) for path in paths]


def _logs(plan: Plan) -> dict[Role, tuple[str, ...]]:
    return {Role.SOURCE: plan.source.proxy.access_logs, Role.DEST: part_of(plan).dest_access_logs}


def _looked_up(plan: Plan, script: str, agent: str) -> tuple[Ask, ...]:
    """Return what asks both hosts' access logs, the source's first; only the newest log, which has our requests."""
    return tuple(Ask(Command(role, ("sh", "-c", script, agent, paths[-1]))) for role, paths in _logs(plan).items())


def answered_by_dest(plan: Plan) -> Reading[list[Check]]:
    """Look who answers what is asked of the public name: each request stands in both access logs, none in the source core's log."""
    agent = _agent()
    asked = _requests(plan, agent)
    answers: list[HttpAnswer] = yield tuple(Ask(one) for one in asked)
    source, dest = yield _looked_up(plan, COUNT, agent)
    log = yield Ask(control(plan).logs(Role.SOURCE))
    observed = {
        "came by the source": int(source.text),
        "arrived on the dest": int(dest.text),
        "in the source core's log": sum(agent in line for line in log.lines),
    }
    expected = {"came by the source": len(asked), "arrived on the dest": len(asked), "in the source core's log": 0}
    broken = {one.shown_path: answer.status for one, answer in zip(asked, answers, strict=True) if answer.status in OF_PROXIES}
    why = "users whose requests end on the source write where nobody looks any more, or are answered that nobody is there"
    return [
        equal("our own requests to the public name", Witness.LOG, expected, observed, len(asked), why=why),
        equal("requests that a proxy could not hand on", Witness.API, {}, broken, len(answers)),
    ]


def client_address_kept(plan: Plan) -> Reading[Check]:
    """Look whether the dest's access log has the address from which we come to the source, and not the source's own."""
    agent = _agent()
    yield Ask(HttpRequest("GET", "/reg/service/info", {"User-Agent": agent}))
    source, dest = yield _looked_up(plan, CLIENTS, agent)
    own = str(plan.source.address)
    held = source.lines == dest.lines and own not in dest.lines
    why = "the audit would name the source as every client, and limits for one client would be for all of them together"
    remedy = "where this harness runs on the source itself, it cannot tell: run it elsewhere" if own in source.lines else ""
    expected = f"{', '.join(source.lines)}, as the source sees it; not {own}"
    observed = ", ".join(dest.lines)
    name = "our own address in the dest's access log"
    return Check(name, Witness.LOG, expected, observed, held, len(dest.lines), why=why, remedy=remedy)


# --- what leaves a trace


def _key_answered(opening: HttpRequest) -> str:
    """Return what a server must answer to the key of a websocket's opening."""
    text = f"{opening.headers['Sec-WebSocket-Key']}{ACCEPTED}"
    return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()


def pass_through(plan: Plan, known: Known | None) -> Generator[Any, Any, dict[str, Any]]:
    """Upload 2 MB, write the known points of the series once more (they stay as they are), open a websocket: as users do."""
    if known is None:
        raise HarnessError("there is no verification user in this run: it cannot upload")
    user, token = plan.verification_user.username, Secret(known["personal"])
    content = os.urandom(UPLOADED_BYTES)
    event = {"streamIds": [STREAM], "type": "picture/attached", "content": None}
    uploaded = yield upload(f"/{user}/events", event, "through the source.bin", content, token=token, via="public")
    points = {"format": "flatJSON", "fields": ["deltaTime", "value"], "points": POINTS}
    series = yield call("POST", f"/{user}/events/{known['series']}/series", points, token=token)
    opening = websocket(token)
    switched = yield opening
    return {"uploaded": uploaded, "series": series, "websocket": switched, "accepted": _key_answered(opening)}


def upload_accepted(result: dict[str, Any]) -> Check:
    """Check that the upload was accepted as a whole."""
    answer: HttpAnswer = result["uploaded"]
    attached = answer.json()["event"]["attachments"] if answer.status == CREATED else []
    observed = {"status": answer.status, "bytes": sum(one["size"] for one in attached)}
    why = "nginx takes no more than 1 MB where nothing else is said, on either host"
    return equal("an upload through the source", Witness.API, {"status": CREATED, "bytes": UPLOADED_BYTES}, observed, why=why)


def series_accepted(result: dict[str, Any]) -> Check:
    """Check that the points were accepted by the series server."""
    answer: HttpAnswer = result["series"]
    why = "the series server takes the first label of a Host for a username: it must be given a Host without one"
    return equal("points of a series through the source", Witness.API, 200, answer.status, len(POINTS), why=why)


def websocket_opened(result: dict[str, Any]) -> Check:
    """Check that the websocket was opened by a server that understood its key."""
    answer: HttpAnswer = result["websocket"]
    observed = {"status": answer.status, "key answered": answer.headers.get("sec-websocket-accept") == result["accepted"]}
    why = "apps hear of changes by websockets; Upgrade and Connection must pass both proxies"
    return equal("a websocket through the source", Witness.API, {"status": SWITCHED, "key answered": True}, observed, why=why)
