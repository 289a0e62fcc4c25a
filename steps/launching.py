"""What is held back while nobody but us is on the dest: strangers, webhooks, certificate orders; and what users see meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import closed, door, launching
from steps.words import then, when

if TYPE_CHECKING:
    from harness.deed import Act
    from harness.plan import Plan
    from harness.recording.nouns import Core
    from harness.run import Run


@then("the public name tells users to come back later")
def told(run: Run) -> None:
    check, gap = run.read(closed.users_are_told())
    if gap and not any(gap == known for known in run.deviations):
        run.deviation(gap, closed.REMEDY)
    run.check(check)


@when("the dest's door is closed", idempotent=True)
def close(plan: Plan) -> Act:
    yield from door.close(plan)


@then("the dest's door is closed to all but us")
def is_closed(run: Run, plan: Plan) -> None:
    run.look(door.is_(plan, "closed"))


@then("a stranger at the dest's address is not served, and we are")
def kept_out(run: Run) -> None:
    run.look(door.strangers_kept_out(run.state.marks))


@when("the dest's door is opened", idempotent=True, mark_before="T_open")
def open_(plan: Plan) -> Act:
    yield from door.open_(plan)


@then("a stranger at the dest's address is served", within_s=10.0)
def served(run: Run) -> None:
    run.look(door.strangers_served())


@when("webhooks and certificate orders are held back on the dest", idempotent=True)
def hold_back(run: Run, plan: Plan, source: Core) -> Act:
    held = run.read(launching.held_back(plan, source.config))
    yield from launching.hold_back(plan, held, run.read(launching.differing_files(plan, held)))


@then("the dest config differs only in the planned changes and in what is held back")
def is_held_back(run: Run, plan: Plan, source: Core) -> None:
    run.look(launching.is_held_back(plan, source.config, run.state.marks))


@then("the dest core has posted to no webhook")
def nobody_noticed(run: Run, plan: Plan, source: Core, dest: Core) -> None:
    run.look(launching.nobody_noticed(plan, source.config, dest.config, run.state.marks))


@when("what was held back is given back", idempotent=True)
def give_back(run: Run, plan: Plan, source: Core) -> Act:
    held = run.read(launching.held_back(plan, source.config))
    yield from launching.give_back(plan, run.read(launching.differing_files(plan, held)))


@then("the dest core was started after its config was written")
def runs_with_its_config(run: Run, plan: Plan) -> None:
    run.look(launching.runs_with_its_config(plan))
