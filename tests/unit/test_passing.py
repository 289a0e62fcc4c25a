"""What passes through the source's proxy: what is made of access logs and of answers."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from harness import passing
from harness.check import Outcome
from harness.deed import Ask, CommandResult, HttpAnswer, HttpRequest
from harness.run.driving import drive
from tests.plans import CONTENT, plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.plan import Plan

PARTS = {"strategy": "proxy", "proxy": {"config_file": "/etc/nginx/site.conf", "ca_file": "/etc/ca.pem"}}
SOURCE, CLIENT = "203.0.113.10", "198.51.100.7"


def moving() -> Plan:
    return plan(cutover={**copy.deepcopy(CONTENT["cutover"]), **PARTS})


def answering(*texts: str, status: int = 200, agents: list[str] | None = None) -> Callable[[Any], Any]:
    """Return what answers every request with a status, and commands in turn; `{agent}` in a text is the agent that was seen."""
    left, seen = list(texts), agents if agents is not None else []

    def answer(wanted: Any) -> Any:  # noqa: ANN401 - any observation
        if isinstance(wanted, tuple):
            return [answer(one) for one in wanted]
        assert isinstance(wanted, Ask)
        if isinstance(wanted.of, HttpRequest):
            seen.append(str(wanted.of.headers["User-Agent"]))
            return HttpAnswer(wanted.of, status, {}, b"{}", 0.0)
        return CommandResult(wanted.of, 0, left.pop(0).replace("{agent}", seen[-1]).encode(), b"", 0.0)

    return answer


@pytest.mark.parametrize(
    ("texts", "status", "wanted"),
    [
        (("6", "6", ""), 200, [Outcome.HELD, Outcome.HELD]),
        (("6", "6", ""), 500, [Outcome.HELD, Outcome.HELD]),
        (("6", "6", ""), 502, [Outcome.HELD, Outcome.NOT_HELD]),
        (("6", "5", ""), 200, [Outcome.NOT_HELD, Outcome.HELD]),
        (("5", "6", ""), 200, [Outcome.NOT_HELD, Outcome.HELD]),
        (("6", "6", "GET /reg/service/info {agent}"), 200, [Outcome.NOT_HELD, Outcome.HELD]),
    ],
)
def test_each_request_of_ours_is_in_both_access_logs_and_none_in_the_source_cores(
    texts: tuple[str, ...], status: int, wanted: list[Outcome]
) -> None:
    found = drive(passing.answered_by_dest(moving()), answering(*texts, status=status))

    assert [check.outcome for check in found] == wanted


def test_every_look_sends_requests_that_nobody_else_has_sent() -> None:
    agents: list[str] = []
    for _ in range(2):
        drive(passing.answered_by_dest(moving()), answering("6", "6", "", agents=agents))

    assert (len(agents), len(set(agents))) == (12, 2)


@pytest.mark.parametrize(
    ("source", "dest", "outcome"),
    [
        (CLIENT, CLIENT, Outcome.HELD),
        (CLIENT, SOURCE, Outcome.NOT_HELD),
        (CLIENT, "", Outcome.NOT_HELD),
        ("", "", Outcome.NOT_HELD),
        (SOURCE, SOURCE, Outcome.NOT_HELD),
    ],
)
def test_the_dest_must_see_the_address_that_the_source_sees_and_not_the_sources(source: str, dest: str, outcome: Outcome) -> None:
    assert drive(passing.client_address_kept(moving()), answering(source, dest)).outcome is outcome


def told(status: int, body: object = None, headers: dict[str, str] | None = None) -> HttpAnswer:
    return HttpAnswer(HttpRequest("GET", "/"), status, headers or {}, json.dumps(body).encode(), 0.0)


@pytest.mark.parametrize(
    ("status", "size", "outcome"),
    [(201, 2 * 1024 * 1024, Outcome.HELD), (201, 1024, Outcome.NOT_HELD), (413, 0, Outcome.NOT_HELD)],
)
def test_an_upload_is_accepted_as_a_whole_or_not(status: int, size: int, outcome: Outcome) -> None:
    uploaded = told(status, {"event": {"attachments": [{"size": size}]}})

    assert passing.upload_accepted({"uploaded": uploaded}).outcome is outcome


def test_points_are_accepted_or_not() -> None:
    outcomes = [passing.series_accepted({"series": told(status)}).outcome for status in (200, 404, 502)]

    assert outcomes == [Outcome.HELD, Outcome.NOT_HELD, Outcome.NOT_HELD]


@pytest.mark.parametrize(
    ("status", "key", "outcome"),
    [(101, "the answer", Outcome.HELD), (101, "another", Outcome.NOT_HELD), (400, "the answer", Outcome.NOT_HELD)],
)
def test_a_websocket_is_opened_by_who_understood_its_key(status: int, key: str, outcome: Outcome) -> None:
    answer = told(status, headers={"sec-websocket-accept": key})

    assert passing.websocket_opened({"websocket": answer, "accepted": "the answer"}).outcome is outcome
