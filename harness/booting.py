"""Whether a boot started the source core before it was frozen: a rollback leaves that as it was."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.check import Check, Witness
from harness.control import control
from harness.deed import Ask, Role
from harness.sending import claim, claimed

if TYPE_CHECKING:
    from harness.deed import Act, Reading
    from harness.plan import Plan

NOTED = "the core at boot, before it was frozen: "
ENABLED, DISABLED = "enabled", "disabled"


def told(status: str) -> str:
    """Return what a core's status says of the boot, or nothing."""
    return next((word for word in (ENABLED, DISABLED) if word in status), "")


def noted(plan: Plan) -> Reading[str | None]:
    """Return what was noted of the source core, "" where its status did not say, or None where nothing was noted."""
    mine = yield from claimed(plan, Role.SOURCE)
    return next((thing.removeprefix(NOTED) for thing in mine if thing.startswith(NOTED)), None)


def note(plan: Plan) -> Act:
    """Write down on the source, before its core is stopped, whether a boot starts it."""
    status = yield replace(control(plan).status(Role.SOURCE), says="look whether a boot starts the source core")
    yield from claim(plan, Role.SOURCE, f"{NOTED}{told(status.text)}")


def restore(plan: Plan, before: str | None) -> Act:
    """Let a boot start the source core, unless it did not do so before."""
    disable = control(plan).disable(Role.SOURCE)
    if before == DISABLED and disable:
        yield replace(disable, says="the source core does not start at boot, as before")
    elif before != DISABLED:
        yield replace(control(plan).enable(Role.SOURCE), says="the source core starts at boot")


def as_before(plan: Plan) -> Reading[Check]:
    """Look whether a boot starts the source core as it did before it was frozen; one of which nothing is known must be started."""
    expected = (yield from noted(plan)) or ENABLED
    answer = yield Ask(control(plan).status(Role.SOURCE))
    why = "a reboot would leave users without a core" if expected == ENABLED else "somebody starts it by other means"
    return Check("the source core at boot", Witness.PROCESSES, expected, answer.text, told(answer.text) == expected, 1, why=why)
