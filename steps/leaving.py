"""What both endings of a run take away: the migration key, the verification user, the run folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import leaving
from steps.words import then, when

if TYPE_CHECKING:
    from harness.deed import Act, Role
    from harness.plan import Plan
    from harness.recording.nouns import Core
    from harness.run import Run


@when("the migration key is removed", idempotent=True)
def remove_key(plan: Plan) -> Act:
    yield from leaving.remove_key(plan)


@then("the migration key is on neither host")
def key_is_gone(run: Run, plan: Plan) -> None:
    run.look(leaving.key_is_gone(plan))


@when("the verification user is deleted on the {role:Role}", idempotent=True)
def delete_user(plan: Plan, source: Core, role: Role) -> Act:
    yield from leaving.delete_user(plan, source.config, role)


@then("the verification user is on the {role:Role} only if it is kept")
def user_is_gone(run: Run, plan: Plan, role: Role) -> None:
    run.look(leaving.user_is_gone(plan, role))


@when("the run folders are removed", idempotent=True)
def remove_folders(plan: Plan) -> Act:
    yield from leaving.remove_folders(plan)


@when("the run folders are removed for good", idempotent=True, mark_after="retired")
def remove_folders_for_good(plan: Plan) -> Act:
    yield from leaving.remove_folders(plan)


@then("the {role:Role} keeps nothing of this run")
def nothing_kept(run: Run, plan: Plan, role: Role) -> None:
    run.look(leaving.nothing_kept(plan, role))
