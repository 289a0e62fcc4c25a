"""The core: its version, its life and death on either host, and what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import booting, launching, own_checks, preflight, seal, service, verification
from harness import platform as listing
from harness.container import policy_at_boot
from harness.deed import Role
from steps.words import given, then, when

if TYPE_CHECKING:
    from harness.deed import Act
    from harness.plan import Plan
    from harness.recording.nouns import Core
    from harness.run import Run


@then("the source runs a v2 core")
def is_v2(run: Run, plan: Plan) -> None:
    run.look(preflight.core_is_v2(plan))


@then("the source's data are where its config says, and the public name serves them")
def found(run: Run, plan: Plan, source: Core) -> None:
    run.look(preflight.source_found(plan, source.config))


@then("the source's tree is a commit that the repository has, and nothing else")
def can_be_cloned(run: Run, plan: Plan) -> None:
    run.look(preflight.can_be_cloned(plan))


@when("the source's core is installed on the dest", idempotent=True)
def install(run: Run, plan: Plan) -> Act:
    if run.read(service.signs_noted(plan)) is None:
        yield from service.note_signs(plan)
    yield from preflight.install(plan)


@then("the dest has the source's core, file by file")
def same_version(run: Run, plan: Plan) -> None:
    run.look(preflight.same_version(plan))


@when("the source core is stopped", idempotent=True, mark_after="T_stop")
def stop(run: Run, plan: Plan) -> Act:
    if run.read(booting.noted(plan)) is None:
        yield from booting.note(plan)
    yield from service.stop(plan)


@then("the {role:Role} core's status is {status}")
def status(run: Run, plan: Plan, role: Role, status: str) -> None:
    run.look(service.is_status(plan, role, status))


@then("no process of the {role:Role} core runs", within_s=service.LONGEST_END_S)
def no_process(run: Run, plan: Plan, role: Role) -> None:
    run.look(service.no_process(plan, role))


@then("nothing listens on the {role:Role} core's ports")
def no_listener(run: Run, role: Role, source: Core) -> None:
    run.look(service.no_listener(role, source.config))


@when("the source core is fenced", idempotent=True)
def fence(plan: Plan, source: Core) -> Act:
    yield from service.fence(plan, source.config)


@then("the core's role cannot sign in to the source's database")
def role_fenced(run: Run, plan: Plan, source: Core) -> None:
    run.look(service.role_cannot_sign_in(plan, source.config))


@when("the source core's usual start command is run")
def try_to_start(plan: Plan) -> Act:
    return (yield from service.try_to_start(plan))


@then("it is refused")
def start_refused(run: Run) -> None:
    run.check(service.start_refused(run.result))


@when("the source is sealed", idempotent=True)
def take_seal(plan: Plan, source: Core) -> Act:
    yield from seal.take(plan, source.config)


@then("the seal of the source is whole")
def sealed(run: Run, plan: Plan, source: Core) -> None:
    run.look(seal.is_whole(plan, source.config, run.state.measured))


@when("the dest core is enabled", idempotent=True)
def enable(run: Run, plan: Plan) -> Act:
    yield from service.enable(plan, run.read(policy_at_boot(plan)))


@then("the {role:Role} core starts at boot")
def enabled(run: Run, plan: Plan, role: Role) -> None:
    run.look(service.starts_at_boot(plan, role))


@then("its fence is in place")
def fenced(run: Run, plan: Plan) -> None:
    run.look(service.fence_in_place(plan))


@given("the source is frozen")
@then("the source is still frozen")
def frozen(run: Run, plan: Plan) -> None:
    run.look(service.frozen(plan))


@given("the dest core has not been started on these data")
def never_started(run: Run, plan: Plan) -> None:
    run.look(service.never_started(plan, run.state.marks, run.state.launches))
    run.look(service.is_status(plan, Role.DEST, "stopped"))


@given("the dest core would start silent to the outside")
def silent(run: Run, plan: Plan, source: Core) -> None:
    run.look(launching.is_held_back(plan, source.config, run.state.marks))


@when("the dest core is launched", idempotent=True, mark_before="T_start")
def launch(plan: Plan) -> Act:
    yield from service.launch(plan)


@then("the {role:Role} core answers as itself", within_s=60.0)
def answers(run: Run, role: Role, source: Core) -> None:
    run.look(verification.ready(source.config, role))


@then("its log shows a clean start")
def clean_start(run: Run, plan: Plan) -> None:
    run.look(service.clean_start(plan))


@then("the platform lists the core once, under its public URL")
def listed(run: Run, plan: Plan, dest: Core) -> None:
    run.look(listing.listed_once(plan, dest.config))


@then("the core's row in the platform carries the dest's address")
def row(run: Run, platform: Core) -> None:
    run.look(listing.row_has_address(platform.config))


@when("what the source's core says of itself is noted", idempotent=True)
def note(run: Run, plan: Plan, source: Core) -> Act:
    kept = yield from own_checks.note(plan, source.config)
    if said := own_checks.told(kept):
        run.deviation(said, "a fact about the past, found before anything was moved")


@then("the record holds what the source's core says of itself")
def noted(run: Run, source: Core) -> None:
    run.look(own_checks.noted(source.config, run.kept(own_checks.KEPT)))


@then("the platform's own checks find on the dest what they found on the source")
def platform_as_before(run: Run, dest: Core) -> None:
    run.look(own_checks.platform_as_before(dest.config, run.kept(own_checks.KEPT), Role.DEST))


@then("the platform counts its users as its rows do")
def counted_by_both(run: Run, platform: Core) -> None:
    run.look(own_checks.counted_by_both(platform.config, platform.role))


@then("the core's own integrity check finds on the dest what it found on the source")
def rows_as_before(run: Run, plan: Plan) -> None:
    run.look(own_checks.rows_as_before(plan, run.kept(own_checks.KEPT)))


@when("an account with the same name and e-mail address is registered on the dest")
def register_again(plan: Plan) -> Act:
    return (yield from verification.register_again(plan, Role.DEST))


@then("it is refused for both")
def refused_for_both(run: Run) -> None:
    run.check(verification.refused_for_both(run.result))
