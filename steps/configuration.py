"""The core's config on the dest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import configuration
from harness.deed import Role
from steps.words import then, when

if TYPE_CHECKING:
    from harness.deed import Act
    from harness.plan import Plan
    from harness.recording.nouns import Core
    from harness.run import Run


@when("the config is transferred and the planned changes are made in it", idempotent=True)
def transfer(run: Run, plan: Plan) -> Act:
    yield from configuration.transfer(plan, *run.read(configuration.text_of(plan, Role.SOURCE)))


@then("the dest config differs only in the planned changes")
def differs_as_planned(run: Run, plan: Plan, source: Core) -> None:
    run.look(configuration.differs_only_as_planned(plan, source.config))


@then("every secret is the same on both hosts")
def secrets(run: Run, plan: Plan, source: Core) -> None:
    run.look(configuration.secrets_are_equal(plan, source.config, run.secret_key))


@then("no other config file wins on the dest")
def no_override(run: Run, plan: Plan, source: Core) -> None:
    run.look(configuration.no_override_wins(plan, source.config))


@then("only the core can read its secrets")
def private(run: Run, plan: Plan) -> None:
    run.look(configuration.only_the_core_reads(plan))
