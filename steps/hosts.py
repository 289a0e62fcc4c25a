"""Hosts: reached, equipped, and holding nothing that would be lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import preflight, sending
from harness.deed import Role
from harness.roots import data_roots
from steps.words import then, when

if TYPE_CHECKING:
    from harness.deed import Act
    from harness.plan import Plan
    from harness.recording.nouns import Core
    from harness.run import Run


def _roots(core: Core) -> list[str]:
    return [root.path for root in data_roots(core.config)]


@then("the {role:Role} answers with a key we pinned")
def pinned(run: Run, role: Role) -> None:
    run.look(preflight.keys_are_pinned(role))


@then("the {role:Role} has the tools this move needs")
def tools(run: Run, plan: Plan, role: Role) -> None:
    run.look(preflight.tools_are_there(plan, role))
    run.look(preflight.versions_are_new_enough(role))


@then("the dest's PostgreSQL can take what the source's writes")
def postgresql_fits(run: Run, plan: Plan) -> None:
    run.look(preflight.postgresql_fits(plan))


@then("both clocks agree with ours")
def clocks(run: Run) -> None:
    run.look(preflight.clocks_agree())


@then("the dest has what runs the source's core")
def runs_the_core(run: Run, plan: Plan) -> None:
    run.look(preflight.runs_the_core(plan))


@then("there is room for what arrives on the dest, and for the dump on the source")
def room(run: Run, plan: Plan, source: Core) -> None:
    run.look(preflight.room(plan, _roots(source), source.config.login(Role.SOURCE).database))


@then("the dest sorts texts as the source's database does")
def locale(run: Run, plan: Plan, source: Core) -> None:
    run.look(preflight.locale_is_there(plan, source.config.login(Role.SOURCE).database))


@then("the dest's file system keeps what the core writes beside previews")
def attributes(run: Run, source: Core) -> None:
    run.look(preflight.attributes_are_kept(source.config))


@then("nothing on the dest would be overwritten")
def nothing_overwritten(run: Run, plan: Plan, source: Core, dest: Core) -> None:
    run.look(preflight.nothing_overwritten(plan, _roots(source), dest.config.login(Role.DEST).database))


@then("the dest has a certificate for the public name that is good for a week")
def certificate(run: Run, plan: Plan) -> None:
    run.look(preflight.certificate(plan))


@then("a fresh backup of the source exists")
def backup(run: Run, plan: Plan) -> None:
    run.check(preflight.backup_is_fresh(plan))


@when("the source's migration key is authorised on the dest", idempotent=True)
def authorise(run: Run, plan: Plan, source: Core) -> Act:
    yield from sending.authorise(plan, _roots(source), run.read(sending.pinned_keys(Role.DEST)))


@then("the key may send files of this move to the dest, and nothing else")
def authorised(run: Run, plan: Plan, source: Core) -> None:
    run.look(sending.authorised(plan, _roots(source)))
