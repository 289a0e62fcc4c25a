"""Users' traffic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import passing, verification
from harness.cutover import dns, proxy
from harness.deed import Role
from steps.words import then, when

if TYPE_CHECKING:
    from harness.deed import Act
    from harness.plan import Plan
    from harness.recording.nouns import Core
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


@when("the public name is led past the source", idempotent=True)
def past_the_source(plan: Plan) -> Act:
    yield from dns.point(plan, Role.DEST)


@then("the source's proxy can be led to the dest safely")
def can_forward(run: Run, plan: Plan, source: Core) -> None:
    run.look(proxy.can_forward(plan, source.config))


@then("no location of the source's proxy leads elsewhere than to the core")
def leads_to_core(run: Run, plan: Plan, source: Core) -> None:
    run.look(proxy.every_location_leads(plan, source.config, Role.SOURCE))


@when("the dest's proxy is told to trust the source's", idempotent=True)
def trust(plan: Plan) -> Act:
    yield from proxy.trust(plan)


@then("the dest's proxy takes clients' addresses from the source only", within_s=proxy.patience_s)
def trusted(run: Run, plan: Plan) -> None:
    run.look(proxy.trusts(plan, wanted=True))


@when("the dest's trust in the source's proxy is taken away", idempotent=True)
def distrust(plan: Plan) -> Act:
    yield from proxy.distrust(plan)


@then("the dest's proxy takes clients' addresses from nobody", within_s=proxy.patience_s)
def not_trusted(run: Run, plan: Plan) -> None:
    run.look(proxy.trusts(plan, wanted=False))


@when("the source's proxy is led to the dest", idempotent=True, mark_before="T_open")
def forward(plan: Plan, source: Core) -> Act:
    yield from proxy.forward(plan, source.config)


@then("every location of the source's proxy leads to the dest by verified TLS")
def every_location(run: Run, plan: Plan, source: Core) -> None:
    run.look(proxy.every_location_leads(plan, source.config, Role.DEST))


@then("the change of the source's proxy is the planned one")
def planned(run: Run, plan: Plan, source: Core) -> None:
    run.look(proxy.change_is_planned(plan, source.config))


@then("what users ask of the source arrives on the dest", within_s=proxy.patience_s)
def arrives(run: Run, plan: Plan) -> None:
    run.look(passing.answered_by_dest(plan))


@when("the verification user uploads, adds to a series and opens a websocket as users do")
def pass_through(run: Run, plan: Plan) -> Act:
    return (yield from passing.pass_through(plan, run.kept(verification.KEPT)))


@then("the upload is accepted as a whole")
def uploaded(run: Run) -> None:
    run.check(passing.upload_accepted(run.result))


@then("the points are accepted by the series server")
def points(run: Run) -> None:
    run.check(passing.series_accepted(run.result))


@then("the websocket is opened")
def websocket(run: Run) -> None:
    run.check(passing.websocket_opened(run.result))


@then("the dest sees the client's address, not the source's", within_s=proxy.patience_s)
def client_address(run: Run, plan: Plan) -> None:
    run.look(passing.client_address_kept(plan))


@when("the source's proxy is led back to the source core", idempotent=True)
def back(plan: Plan) -> Act:
    yield from proxy.back(plan)


@then("the source's proxy is byte for byte what it was", within_s=proxy.patience_s)
def is_back(run: Run, plan: Plan) -> None:
    run.look(proxy.is_back(plan))
