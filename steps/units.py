"""What runs the core: its unit of systemd, or its app of Dokku."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import preflight
from harness.deed import Role
from harness.sending import claimed
from steps.words import then, when

if TYPE_CHECKING:
    from harness.deed import Act
    from harness.plan import Plan
    from harness.run import Run


@then("the source's unit can be moved as it is")
def can_be_moved(run: Run, plan: Plan) -> None:
    run.look(preflight.unit_can_be_moved(plan))


@then("nothing but its unit starts the source core")
def nothing_else(run: Run, plan: Plan) -> None:
    run.look(preflight.nothing_else_starts_it(plan))


@then("the dest knows whom the unit runs the core as")
def users_known(run: Run, plan: Plan) -> None:
    run.look(preflight.users_of_unit_are_known(plan))


@when("the source's unit is installed on the dest", idempotent=True)
def install(run: Run, plan: Plan) -> Act:
    source, dest = run.read(preflight.both_units(plan))
    yield from preflight.install_unit(plan, source, dest, run.read(claimed(plan, Role.DEST)))


@then("the dest's unit is the source's, but for the planned changes")
def the_same(run: Run, plan: Plan) -> None:
    run.look(preflight.unit_is_the_same(plan))


@then("both hosts have a Dokku that can fence the app")
def app_can_be_fenced(run: Run, plan: Plan) -> None:
    run.look(preflight.app_can_be_fenced(plan))


@then("the dest's app has the source's image, mounts and variables, but for the planned changes")
def same_app(run: Run, plan: Plan) -> None:
    run.look(preflight.same_app(plan))
