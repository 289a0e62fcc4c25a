"""The core's config on the dest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import configuration
from steps.words import given, then, when

if TYPE_CHECKING:
    from harness.deed import Act
    from harness.plan import Plan
    from harness.recording.nouns import Core
    from harness.run import Run


@given("the source core's arguments and environment are known")
def start_is_known(run: Run, plan: Plan) -> None:
    run.look(configuration.start_is_known(plan))


@when("the config is transferred and the planned changes are made in it", idempotent=True)
def transfer(run: Run, plan: Plan, source: Core) -> Act:
    yield from configuration.transfer(plan, run.read(configuration.edits(plan)), source.config.data_places())


@then("the dest config differs only in the planned changes")
def differs_as_planned(run: Run, plan: Plan, source: Core) -> None:
    run.look(configuration.differs_only_as_planned(plan, source.config))


@then("every secret is the same on both hosts")
def secrets(run: Run, plan: Plan, source: Core) -> None:
    run.look(configuration.secrets_are_equal(plan, source.config, run.secret_key))


@then("what names the core, its users and their data is the same on both hosts")
def names(run: Run, plan: Plan, source: Core) -> None:
    run.look(configuration.named_keys_are_the_same(plan, source.config, run.secret_key))


@then("no other config file wins on the dest")
def no_override(run: Run, plan: Plan, source: Core) -> None:
    run.look(configuration.no_override_wins(plan, source.config))


@then("every file that the config names is the same on both hosts")
def named_files(run: Run, plan: Plan, source: Core) -> None:
    run.look(configuration.named_files_arrived(plan, source.config, run.secret_key))


@then("only the core can read its secrets")
def private(run: Run, plan: Plan) -> None:
    run.look(configuration.only_the_core_reads(plan))


@then("the dest core runs with the source's arguments and environment")
def launched(run: Run, plan: Plan) -> None:
    run.look(configuration.launched_as_the_source(plan))
