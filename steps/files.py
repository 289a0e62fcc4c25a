"""The core's files: what lies where, what the SQLite files among them hold, and whose they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import ahead, files, folders, sqlite_sets
from harness.roots import data_roots
from steps.words import then, when

if TYPE_CHECKING:
    from harness.databases import Engine
    from harness.deed import Act
    from harness.plan import Plan
    from harness.recording.nouns import Core
    from harness.run import Run


@when("the data roots are sent ahead", idempotent=True)
def send_ahead(plan: Plan, source: Core) -> Act:
    yield from ahead.send_roots(plan, source.config)


@then("little of the data roots is still to be sent")
def little_is_left(run: Run, plan: Plan, source: Core) -> None:
    run.look(ahead.little_is_left(plan, source.config))


@when("the data roots are read ahead on both hosts", idempotent=True)
def read_ahead(plan: Plan, source: Core) -> Act:
    yield from ahead.read_roots(plan, source.config)


@then("both hosts know the files that did not change meanwhile")
def known(run: Run, plan: Plan, source: Core) -> None:
    run.look(ahead.roots_are_known(plan, source.config))


@when("the data roots are measured at rest", idempotent=True)
def measure(run: Run, plan: Plan, source: Core) -> Act:
    yield from ahead.begun(plan, run.state.marks, ahead.FILES, files.sendings(plan, ahead.roots(source.config)))
    yield from files.measure(plan, source.config)


@then("the record holds a manifest of every data root")
def recorded(run: Run, source: Core) -> None:
    run.check(files.every_manifest_recorded(source.config, run.state.measured))


@then("the record holds what every SQLite file holds")
def sets_recorded(run: Run, source: Core) -> None:
    run.check(sqlite_sets.recorded(source.config, run.state.measured.get(sqlite_sets.NAME)))


@then("every SQLite file of the source is whole")
def sets_whole(run: Run, plan: Plan, source: Core) -> None:
    at_rest = run.state.measured.get(sqlite_sets.NAME)
    run.look(sqlite_sets.all_whole(plan, data_roots(source.config), at_rest, run.pseudonym))


@when("the data roots are transferred", idempotent=True)
def transfer(run: Run, plan: Plan, source: Core) -> Act:
    yield from files.transfer(plan, source.config, run.state.measured)


@then("every data root has the same manifest on both hosts")
def arrived(run: Run, plan: Plan, source: Core) -> None:
    run.look(files.arrived_unchanged(plan, source.config, run.state.measured, run.pseudonym))


@then("every file on the dest belongs to the core")
def belong(run: Run, plan: Plan, source: Core) -> None:
    run.look(files.belong_to_core(plan, source.config))


@when("the data roots are transferred again")
def transfer_again(run: Run, plan: Plan, source: Core) -> Act:
    return (yield from files.transfer(plan, source.config, run.state.measured))


@then("nothing was moved")
def nothing_moved(run: Run) -> None:
    run.check(*files.nothing_moved(run.result))


@then("every SQLite file on the dest holds what was measured at rest")
def sets_arrived(run: Run, plan: Plan, source: Core) -> None:
    at_rest = run.state.measured[sqlite_sets.NAME]
    run.look(sqlite_sets.arrived_whole(plan, data_roots(source.config), at_rest, run.pseudonym))


@then("every user's folder on the dest belongs to a user of the {engine:Engine} database")
def belong_to_users(run: Run, plan: Plan, dest: Core, engine: Engine) -> None:  # noqa: ARG001 - the table of what applies reads it
    run.look(folders.belong_to_users(plan, dest.config, run.pseudonym))
