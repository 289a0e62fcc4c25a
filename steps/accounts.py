"""The verification user and what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import verification
from steps.words import given, then, when

if TYPE_CHECKING:
    from harness.deed import Act, Role
    from harness.plan import Plan
    from harness.run import Run


@when("the verification user is created on the source", idempotent=True)
def create(plan: Plan) -> Act:
    yield from verification.create(plan)


@given("the {role:Role} serves the verification data set")
@then("the {role:Role} serves the verification data set")
def served(run: Run, plan: Plan, role: Role) -> None:
    run.look(verification.data_set_served(plan, run.kept(verification.KEPT), role))


@then("the verification data set is served under the public name")
def served_publicly(run: Run, plan: Plan) -> None:
    run.look(verification.data_set_served(plan, run.kept(verification.KEPT), "public"))


@then("the health check token is accepted by the {role:Role} and does not expire")
def lasting_token(run: Run, plan: Plan, role: Role) -> None:
    run.look(verification.lasting_token(plan, run.kept(verification.KEPT), role))


@then("a token that nobody has is refused by the {role:Role}")
def wrong_token(run: Run, plan: Plan, role: Role) -> None:
    run.look(verification.wrong_token_refused(plan, role))


@then("the documented health checks pass, and their stronger forms")
def healthchecks(run: Run, plan: Plan) -> None:
    run.look(verification.documented_healthchecks(plan, run.kept(verification.KEPT)))
