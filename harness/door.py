"""Who comes in at the dest: until users are led there only the host itself, by which we come; then everybody.

How a door is shut is the host's own matter (its nginx, a firewall): the plan names the commands. Without them nobody is kept out
but by not knowing the address, and the scenarios that prove it do not apply.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.check import Check, Witness, equal
from harness.core_api import OUTSIDE, call
from harness.deed import Ask, Command, Role
from harness.errors import HarnessError, Unreachable
from harness.sending import claim, claimed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.deed import Act, Reading
    from harness.plan import Plan
    from harness.plan.model import DoorPart

SERVED, CLOSED = 200, 503
DOOR = "the dest's door"
STRANGER = "what a stranger is answered at the dest's address"
WHY_SHUT = "who knows the dest's address could write there, and then there is no way back without loss"
SHUT = ("ConnectionRefusedError", "TimeoutError", "ConnectionResetError")


def _door(plan: Plan) -> DoorPart:
    if plan.dest.door is None:
        remedy = "let its firewall and its proxy let users in, or name in dest.door how that is done; then run again"
        raise HarnessError(f"the dest does not answer strangers, and the plan names no door of it: {remedy}")
    return plan.dest.door


def close(plan: Plan) -> Act:
    """Shut the dest's door to everybody but the host itself."""
    yield from claim(plan, Role.DEST, DOOR)
    yield Command(Role.DEST, _door(plan).close, says="shut the dest's door to strangers")


def open_(plan: Plan) -> Act:
    """Open the dest's door to everybody."""
    yield Command(Role.DEST, _door(plan).open, says="open the dest's door")


def reopen(plan: Plan, mine: set[str]) -> Act:
    """Open the dest's door again where this run has shut it: behind it there is nothing any more."""
    if DOOR in mine and plan.dest.door:
        yield Command(Role.DEST, plan.dest.door.open, says="the dest's door is as it was before this run")


def is_(plan: Plan, expected: str) -> Reading[Check]:
    """Look at what the dest's door says of itself: closed or open."""
    answer = yield Ask(Command(Role.DEST, _door(plan).status, exits=(0, 1, 3)))
    observed = "closed" if "closed" in answer.text else "open" if "open" in answer.text else answer.text or f"exit {answer.exit}"
    return equal(DOOR, Witness.PROCESSES, expected, observed, why=WHY_SHUT)


def as_before(plan: Plan) -> Reading[list[Check]]:
    """Look, where this run has shut the dest's door, whether it is open again."""
    mine = yield from claimed(plan, Role.DEST)
    return [(yield from is_(plan, "open"))] if DOOR in mine and plan.dest.door else []


def strangers_kept_out(marks: Mapping[str, str]) -> Reading[list[Check]]:
    """Look whether a stranger who asks at the dest's address is not served, while we, through the host itself, are.

    A core that is started once more when users may be on the dest is not hidden from them any more.
    """
    ours = yield Ask(call("GET", "/reg/service/info", via=Role.DEST))
    try:
        theirs: int | str = (yield Ask(call("GET", "/reg/service/info", via=OUTSIDE))).status
    except Unreachable as unreachable:
        if not unreachable.cause.startswith(SHUT):
            raise
        theirs = "no connection"
    opened = "T_open" in marks
    kept_out = opened or theirs in {CLOSED, "no connection"}
    expected = "any: users may be on the dest" if opened else f"{CLOSED}, or no connection"
    return [
        Check(STRANGER, Witness.API, expected, theirs, kept_out, 1, why=WHY_SHUT),
        equal("what we are answered there", Witness.API, SERVED, ours.status),
    ]


def strangers_served() -> Reading[Check]:
    """Look whether a stranger who asks at the dest's address for the public name is served."""
    try:
        observed: int | str = (yield Ask(call("GET", "/reg/service/info", via=OUTSIDE))).status
    except Unreachable as unreachable:
        observed = unreachable.cause
    return equal(STRANGER, Witness.API, SERVED, observed, why="users who are led to the dest find it shut")
