"""Clearing the dest of what this run made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import resetting
from harness.databases import ENGINES
from harness.deed import Role
from harness.sending import claimed
from steps.words import given, then, when

if TYPE_CHECKING:
    from harness.deed import Act
    from harness.plan import Plan
    from harness.recording.nouns import Core
    from harness.run import Run


@given("users are not on the dest")
def not_there(run: Run) -> None:
    run.check(resetting.users_are_not_there(run.state.marks))


@when("what this run made on the dest is cleared", idempotent=True, mark_after="T_reset")
def clear(run: Run, plan: Plan, source: Core, dest: Core) -> Act:
    yield from resetting.clear(plan, source.config, dest.config, run.read(claimed(plan, Role.DEST)))


@then("the dest holds no config and no data")
def nothing_left(run: Run, plan: Plan, source: Core) -> None:
    run.look(resetting.nothing_left(plan, source.config))


@then("every database on the dest is empty and the core's own")
def empty(run: Run, plan: Plan, source: Core, dest: Core) -> None:
    for engine in ENGINES.values():
        if engine.used(source.config):
            run.look(engine.empty_and_owned(plan, source.config, dest.config))
