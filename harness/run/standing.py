"""Standing facts: what must hold until a named mark, looked at before every act."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import preflight, service
from harness.deed import Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.check import Check
    from harness.deed import Reading
    from harness.plan import Plan


@dataclass(frozen=True, slots=True)
class Standing:
    """A fact that stands once the scenario `since` is green; broken, it unsettles the runbook from the scenario `unsettles` on."""

    name: str
    since: str
    unsettles: str
    look: Callable[[Plan], Reading[list[Check]]]


def _pinned(plan: Plan) -> Reading[list[Check]]:  # noqa: ARG001 - the form of a standing look
    source = yield from preflight.keys_are_pinned(Role.SOURCE)
    dest = yield from preflight.keys_are_pinned(Role.DEST)
    return [source, dest]


PINNED = "Both hosts answer with the keys we pinned"
STANDING: tuple[Standing, ...] = (
    Standing("both hosts have the pinned keys", PINNED, PINNED, _pinned),
    Standing("the source is frozen", "The source core is fenced", "The source core is stopped", service.frozen),
)


def begun_by(scenario: str, standing: tuple[Standing, ...] = STANDING) -> list[Any]:
    """Return the standing facts that a scenario, once green, begins."""
    return [fact for fact in standing if fact.since == scenario]
