"""Databases, engine by engine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import ahead, resetting
from harness.check import Witness, equal
from harness.deed import Role
from harness.sending import claimed
from steps.words import then, when

if TYPE_CHECKING:
    from harness.databases import Engine
    from harness.deed import Act, Measured
    from harness.plan import Plan
    from harness.recording.nouns import Core
    from harness.run import Run


def _measured(run: Run, engine: Engine) -> Measured | None:
    return run.state.measured.get(engine.NAME)


@when("the {engine:Engine} database is prepared on the dest", idempotent=True)
def prepare(plan: Plan, source: Core, dest: Core, engine: Engine) -> Act:
    yield from engine.prepare(plan, source.config, dest.config)


@then("the {engine:Engine} database on the dest is empty and the core's own")
def empty(run: Run, plan: Plan, source: Core, dest: Core, engine: Engine) -> None:
    run.look(engine.empty_and_owned(plan, source.config, dest.config))


@when("the {engine:Engine} database is measured at rest")
def measure(run: Run, plan: Plan, source: Core, engine: Engine) -> Act:
    dump = engine.dump(plan, source.config, run.state.epoch)
    yield from ahead.begun(plan, run.state.marks, ahead.DUMPED.format(engine=engine.NAME), dump)
    yield from engine.measure(plan, source.config)


@then("the record holds a fingerprint of every {engine:Engine} table")
def recorded(run: Run, engine: Engine) -> None:
    for name in engine.MEASURES:
        found = run.state.measured.get(name)
        count = found.examined if found else 0
        run.check(equal(f"fingerprint of {name} in the record", Witness.RECORD, True, count > 0, count, absent=not found))


@when("the {engine:Engine} database is dumped")
def dump(run: Run, plan: Plan, source: Core, engine: Engine) -> Act:
    yield from engine.dump(plan, source.config, run.state.epoch)
    send = engine.send(plan, source.config, run.state.epoch)
    yield from ahead.begun(plan, run.state.marks, ahead.SENT.format(engine=engine.NAME), send)


@then("the {engine:Engine} dump holds everything that was measured at rest")
def dump_complete(run: Run, plan: Plan, source: Core, engine: Engine) -> None:
    run.look(engine.dump_complete(plan, source.config, run.state.epoch, _measured(run, engine)))


@when("the {engine:Engine} dump is transferred", idempotent=True)
def send(run: Run, plan: Plan, source: Core, dest: Core, engine: Engine) -> Act:
    yield from engine.send(plan, source.config, run.state.epoch)
    if plan.transfer == ahead.PRESEED and (yield from engine.has_room(plan, dest.config)):
        restore = engine.restore(plan, source.config, dest.config, run.state.epoch)
        yield from ahead.begun(plan, run.state.marks, ahead.RESTORED.format(engine=engine.NAME), restore)


@then("the {engine:Engine} dump is the same on both hosts")
def dump_arrived(run: Run, plan: Plan, source: Core, engine: Engine) -> None:
    run.look(engine.dump_arrived(plan, source.config, run.state.epoch))


def clear_restored(run: Run, plan: Plan, source: Core, dest: Core, engine: Engine) -> Act:  # noqa: ARG001 - bound as the act
    """Make room for the restore where this run made the database."""
    yield from resetting.clear_database(plan, source.config, dest.config, run.read(claimed(plan, Role.DEST)))


@when("the {engine:Engine} dump is restored", clears=clear_restored)
def restore(run: Run, plan: Plan, source: Core, dest: Core, engine: Engine) -> Act:
    yield from engine.restore(plan, source.config, dest.config, run.state.epoch)
    gather = engine.gather_statistics(plan, dest.config)
    yield from ahead.begun(plan, run.state.marks, ahead.READY.format(engine=engine.NAME), gather)


@then("the {engine:Engine} fingerprints are equal")
def arrived(run: Run, plan: Plan, dest: Core, engine: Engine) -> None:
    run.look(engine.arrived_unchanged(plan, dest.config, run.state.measured))


@then("the core may use everything in its {engine:Engine} database")
def owned(run: Run, dest: Core, engine: Engine) -> None:
    run.look(engine.owned(dest.config))


@when("the {engine:Engine} planner's statistics are gathered", idempotent=True)
def gather_statistics(plan: Plan, dest: Core, engine: Engine) -> Act:
    yield from engine.gather_statistics(plan, dest.config)


@then("every {engine:Engine} table with rows has statistics")
def has_statistics(run: Run, dest: Core, engine: Engine) -> None:
    run.look(engine.has_statistics(dest.config, _measured(run, engine)))
