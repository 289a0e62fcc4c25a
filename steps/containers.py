"""The core's container, where it runs as one: made again on the dest, with all that belongs to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import preflight, remade
from harness.container import demanded, described
from harness.deed import Role
from steps.words import then, when

if TYPE_CHECKING:
    from harness.deed import Act
    from harness.plan import Plan
    from harness.recording.nouns import Core
    from harness.run import Run


@then("the source's container outlives its stop, and holds nothing alone")
def nothing_alone(run: Run, plan: Plan) -> None:
    run.look(preflight.nothing_alone(plan))


@then("everything that is mounted in it arrives, volumes that nobody named too")
def mounts_are_carried(run: Run, plan: Plan, source: Core) -> None:
    run.look(preflight.mounts_are_carried(plan, source.config))


@then("the dest has no container and no volume of those names")
def nothing_overwritten(run: Run, plan: Plan) -> None:
    run.look(remade.nothing_overwritten(plan))


@when("the core's container is made on the dest", idempotent=True)
def make(run: Run, plan: Plan) -> Act:
    yield from remade.make(plan, demanded(run.read(described(plan, Role.SOURCE))))


@then("the dest's container is the source's, but for the planned changes")
def is_as_planned(run: Run, plan: Plan) -> None:
    run.look(remade.is_as_planned(plan))
