"""The core's files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import files
from steps.words import then, when

if TYPE_CHECKING:
    from harness.deed import Act
    from harness.plan import Plan
    from harness.recording.nouns import Core
    from harness.run import Run


@when("the data roots are measured at rest")
def measure(plan: Plan, source: Core) -> Act:
    yield from files.measure(plan, source.config)


@then("the record holds a manifest of every data root")
def recorded(run: Run, source: Core) -> None:
    run.check(files.every_manifest_recorded(source.config, run.state.measured))


@when("the data roots are transferred", idempotent=True)
def transfer(plan: Plan, source: Core) -> Act:
    yield from files.transfer(plan, source.config)


@then("every data root has the same manifest on both hosts")
def arrived(run: Run, plan: Plan, source: Core) -> None:
    run.look(files.arrived_unchanged(plan, source.config, run.state.measured, run.pseudonym))


@then("every file on the dest belongs to the core")
def belong(run: Run, plan: Plan, source: Core) -> None:
    run.look(files.belong_to_core(plan, source.config))


@when("the data roots are transferred again")
def transfer_again(plan: Plan, source: Core) -> Act:
    return (yield from files.transfer(plan, source.config))


@then("nothing was moved")
def nothing_moved(run: Run) -> None:
    run.check(*files.nothing_moved(run.result))
