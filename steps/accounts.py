"""The verification user and what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import probing, verification
from steps.words import given, then, when

if TYPE_CHECKING:
    from harness.deed import Act, Role
    from harness.plan import Plan
    from harness.recording.nouns import Core
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


@when("the verification user signs in on the {role:Role} with the right password")
def sign_in(plan: Plan, role: Role) -> Act:
    return (yield from verification.sign_in(plan, role, plan.verification_user.password.read()))


@when("the verification user signs in on the {role:Role} with a wrong password")
def sign_in_wrongly(plan: Plan, role: Role) -> Act:
    return (yield from verification.sign_in(plan, role, verification.WRONG))


@then("the sign-in is accepted")
def accepted(run: Run) -> None:
    run.check(verification.accepted(run.result))


@then("the sign-in is refused")
def refused(run: Run) -> None:
    run.check(verification.refused(run.result))


@when("the verification user tries to write by {path:Path}")
def try_to_write(run: Run, plan: Plan, source: Core, path: str) -> Act:
    return (yield from probing.TRIES[path](plan, source.config, run.kept(verification.KEPT)))


@then("the write is refused")
def write_refused(run: Run) -> None:
    run.check(probing.refused(run.result))


@then("the write is nowhere in the source's data")
def nowhere(run: Run, plan: Plan, source: Core) -> None:
    run.look(probing.nowhere(plan, source.config, run.result))


@then("a token that nobody has is refused by the {role:Role}")
def wrong_token(run: Run, plan: Plan, role: Role) -> None:
    run.look(verification.wrong_token_refused(plan, role))


@then("the documented health checks pass, and their stronger forms")
def healthchecks(run: Run, plan: Plan) -> None:
    run.look(verification.documented_healthchecks(plan, run.kept(verification.KEPT)))
