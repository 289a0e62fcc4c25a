"""What users are answered while the source is frozen: by the source's own proxy, which this move does not change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.check import Check, Witness
from harness.core_api import call
from harness.deed import Ask
from harness.errors import Unreachable

if TYPE_CHECKING:
    from harness.deed import Reading

UNAVAILABLE, NO_CORE_YET = 503, 500
REMEDY = "let the source's proxy answer 503 with Retry-After where its core does not answer (nginx: error_page 502 504 =503)"


def users_are_told() -> Reading[tuple[Check, str]]:
    """Look at what the public name answers while the source is frozen; returns the check, and what to tell as a deviation.

    503 with Retry-After tells clients to come back. Another error, or no connection, is a difference that this move does not make
    and cannot mend; an answer of a core is none that a frozen source gives.
    """
    try:
        answer = yield Ask(call("GET", "/reg/service/info"))
        observed = {"status": answer.status, "Retry-After": answer.headers.get("retry-after", "none")}
        told = answer.status == UNAVAILABLE and "retry-after" in answer.headers
        served = answer.status < NO_CORE_YET
    except Unreachable as unreachable:
        observed, told, served = {"status": unreachable.cause}, False, False
    name, expected = "what users are answered", {"status": UNAVAILABLE, "Retry-After": "a number of seconds"}
    why = "clients that are told nothing else report an outage, and some do not come back by themselves"
    gap = "" if told or served else f"users are not told to come back later: {observed['status']}"
    shown = expected if told or served else {"no core": "whatever else the source's proxy answers: told as a deviation"}
    return Check(name, Witness.API, shown, observed, not served, 1, why=why, remedy=REMEDY), gap
