"""Going back to the source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import booting, leaving, rollback, service, verification
from harness.deed import Role
from harness.sending import claimed
from steps.words import then, when

if TYPE_CHECKING:
    from harness.deed import Act
    from harness.plan import Plan
    from harness.recording.nouns import Core
    from harness.run import Run


@when("the dest is closed to its users", idempotent=True)
def close(run: Run, plan: Plan, dest: Core) -> Act:
    yield from rollback.close_dest(plan, dest.config, run.state.marks, run.state.measured, run.accepted_loss)


@then("no write of users on the dest is lost but those that a person accepts as lost")
def accepted(run: Run, plan: Plan, dest: Core) -> None:
    run.look(rollback.loss_accepted(plan, dest.config, run.state.marks, run.state.measured, run.accepted_loss))


@when("the way back is begun with the dest core", idempotent=True, mark_before="T_back")
def silence(plan: Plan) -> Act:
    yield from rollback.silence_dest(plan)


@then("the dest core is stopped and does not start at boot")
def silent(run: Run, plan: Plan) -> None:
    run.look(service.stopped_and_not_enabled(plan, Role.DEST))


@when("the source is measured once more", idempotent=True)
def measure(run: Run, plan: Plan, source: Core) -> Act:
    compared = yield from rollback.measure_again(plan, source.config, run.state.measured)
    for name in rollback.differing(compared):
        run.deviation(rollback.changed(name), "found by the rollback; it is never kept frozen for that")
    return compared


@then("every difference from what was measured at rest is told")
def told(run: Run) -> None:
    run.check(rollback.differences_told(run.result, run.deviations))


@when("the source is unfrozen", idempotent=True)
def unfreeze(run: Run, plan: Plan, source: Core) -> Act:
    yield from rollback.unfreeze(plan, source.config, run.read(booting.noted(plan)))


@then("the source core may start, and its role may sign in")
def not_fenced(run: Run, plan: Plan, source: Core) -> None:
    run.look(rollback.not_fenced(plan, source.config))


@then("the source core starts at boot as before")
def at_boot(run: Run, plan: Plan) -> None:
    run.look(booting.as_before(plan))


@when("the source core is started again", idempotent=True)
def start(plan: Plan) -> Act:
    yield from rollback.start(plan)


@then("the source serves what this run knows of it, under the public name too")
def served(run: Run, plan: Plan, source: Core) -> None:
    known = run.kept(verification.KEPT)
    run.look(rollback.served(plan, source.config, known, Role.SOURCE))
    run.look(rollback.served(plan, source.config, known, "public"))


@when("everything that this run made on the dest is removed", idempotent=True)
def clear(run: Run, plan: Plan, source: Core, dest: Core) -> Act:
    yield from rollback.clear(plan, source.config, dest.config, run.read(claimed(plan, Role.DEST)))
    yield from leaving.remove_key(plan)


@then("nothing that this run made is on the dest")
def cleared(run: Run, plan: Plan, source: Core, dest: Core) -> None:
    run.look(rollback.cleared(plan, source.config, dest.config))
