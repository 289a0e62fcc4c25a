"""The platform's database where the core keeps it in rqlite."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import rqlite
from steps.words import then, when

if TYPE_CHECKING:
    from harness.deed import Act, Role
    from harness.plan import Plan
    from harness.recording.nouns import Core
    from harness.run import Run


@then("the platform's database on the {role:Role} answers for certain, and is the core's own", within_s=30.0)
def answers(run: Run, source: Core, dest: Core, role: Role) -> None:
    run.look(rqlite.answers(role, {source.role: source, dest.role: dest}[role].config))


@then("the platform's database on the {role:Role} is closed to the other host")
def closed(run: Run, plan: Plan, source: Core, role: Role) -> None:
    run.look(rqlite.closed_to_others(plan, role, source.config))


@then("the move does not open the platform's database to others")
def stays_closed(run: Run, plan: Plan, source: Core) -> None:
    run.check(rqlite.stays_closed(plan, source.config))


@then("both hosts have the same program for the platform's database")
def same_program(run: Run, source: Core) -> None:
    run.look(rqlite.same_program(source.config))


@then("the platform's database was stopped whole")
def stopped_whole(run: Run, source: Core) -> None:
    run.look(rqlite.stopped_whole(source.config))


@then("the platform's rows are the same on both hosts")
def rows_arrived(run: Run, plan: Plan, source: Core) -> None:
    run.look(rqlite.rows_arrived(plan, source.config))


@when("the platform's stored address is made the dest's", idempotent=True)
def store_address(dest: Core) -> Act:
    yield from rqlite.store_address(dest.config)


@then("the platform's database will start at the dest's address")
def address_stored(run: Run, dest: Core) -> None:
    run.look(rqlite.address_stored(dest.config))


@then("the dest has every row of the platform that was there at rest")
def rows_kept(run: Run, plan: Plan, dest: Core) -> None:
    run.look(rqlite.rows_kept(plan, dest.config))
