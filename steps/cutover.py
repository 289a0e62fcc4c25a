"""Users' traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cutover import dns
from harness.deed import Role
from steps.words import then, when

if TYPE_CHECKING:
    from harness.deed import Act
    from harness.plan import Plan
    from harness.run import Run


@then("the public name's answers are kept for the planned time at most")
def ttl(run: Run, plan: Plan) -> None:
    run.look(dns.ttl_is_low(plan))


@when("the public name is pointed back at the source", idempotent=True)
def point_back(plan: Plan) -> Act:
    yield from dns.point(plan, Role.SOURCE)


@when("the public name is pointed at the dest", idempotent=True, mark_before="T_open")
def point(plan: Plan) -> Act:
    yield from dns.point(plan, Role.DEST)


@then("every name server answers the {role:Role}'s address", within_s=dns.patience_s)
def answers(run: Run, plan: Plan, role: Role) -> None:
    run.look(dns.every_server_answers(plan, role))
