"""The verification user and what it finds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import probing, verification
from harness.deed import Role
from steps.words import given, then, when

if TYPE_CHECKING:
    from harness.deed import Act
    from harness.plan import Plan
    from harness.recording.nouns import Core
    from harness.run import Run


@when("the verification user is created on the source", idempotent=True)
def create(plan: Plan, source: Core) -> Act:
    yield from verification.create(plan, source.config)


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


@when("the {credential:Credential} is shown to the {role:Role}")
def show(run: Run, plan: Plan, credential: str, role: Role) -> Act:
    return (yield from verification.show(plan, run.kept(verification.KEPT), role, credential))


@then("it is let in")
def let_in(run: Run) -> None:
    run.check(verification.let_in(run.result, run.kept(verification.KEPT)))


@then("it is refused for what it is")
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


@then("the documented health checks pass")
def documented(run: Run, plan: Plan) -> None:
    run.look(verification.documented(plan, run.kept(verification.KEPT)))


@then("the stronger health checks pass")
def stronger(run: Run, plan: Plan) -> None:
    run.look(verification.stronger(plan, run.kept(verification.KEPT)))


@when("the verification user asks for what nobody else asks for")
def ask_once(run: Run, plan: Plan) -> Act:
    return (yield from verification.ask_once(plan, run.kept(verification.KEPT)))


@then("the request is in the dest's audit")
def in_audit(run: Run, plan: Plan, dest: Core) -> None:
    run.look(verification.in_audit(plan, dest.config, Role.DEST, run.result, expected=True))


@then("the request is not in the source's audit")
def not_in_audit(run: Run, plan: Plan, source: Core) -> None:
    run.look(verification.in_audit(plan, source.config, Role.SOURCE, run.result, expected=False))


@then("the source's proxy has not seen the request")
def not_seen(run: Run, plan: Plan) -> None:
    run.look(verification.not_in_source_log(plan, run.result))


@then("rows, files and the API tell the same attachments of the verification user")
def three_witnesses(run: Run, plan: Plan, dest: Core) -> None:
    run.look(verification.three_witnesses(plan, dest.config, run.kept(verification.KEPT)))


@then("every attachment on the dest has its row and its file, or is amiss as on the source")
def attachments(run: Run, plan: Plan, source: Core, dest: Core) -> None:
    run.look(verification.attachments_by_two(plan, source.config, dest.config))
