"""The seal: cheap figures that show that nothing has changed on the source since it was measured at rest.

When PostgreSQL was started, how many rows it has inserted, updated and deleted since, how many paths each data root has and when
the newest of them changed last (ctime, which no program can set back). Equal figures mean that the measurements still speak of what
is there; other figures mean that it must be measured again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness import files
from harness.check import Check, Witness, equal
from harness.databases import ENGINES
from harness.databases.postgresql import admin_sql
from harness.deed import Ask, Command, CommandResult, Measured, Role
from harness.roots import data_roots

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from harness.configuration import Config
    from harness.deed import Act, Reading
    from harness.plan import Plan

NAME = "seal"
ROWS = """
SELECT extract(epoch FROM pg_postmaster_start_time())::numeric(20, 3), coalesce(sum(n_tup_ins), 0), coalesce(sum(n_tup_upd), 0),
       coalesce(sum(n_tup_del), 0) FROM pg_stat_user_tables
"""
PATHS = "find \"$0\" ! -name '*-shm' -printf '%C@\\n' | sort -n | awk 'END { print NR, $0 }'"


def _commands(plan: Plan, config: Config) -> tuple[Command, ...]:
    rows = admin_sql(plan, Role.SOURCE, ROWS, config.login(Role.SOURCE).database)
    paths = [Command(Role.SOURCE, ("sh", "-c", PATHS, root.path), timeout_s=600.0) for root in data_roots(config)]
    return (replace(rows, says="read PostgreSQL's counters on the source"), *paths)


def _figures(config: Config, answers: list[CommandResult]) -> dict[str, str]:
    names = (
        "PostgreSQL started, rows inserted|updated|deleted",
        *(f"{root.path} paths, newest change" for root in data_roots(config)),
    )
    return {name: answer.text for name, answer in zip(names, answers, strict=True)}


def figures(plan: Plan, config: Config) -> Generator[Any, Any, dict[str, str]]:
    """Read the figures."""
    return _figures(config, (yield _commands(plan, config)))


def take(plan: Plan, config: Config) -> Act:
    """Take the seal."""
    found = yield from figures(plan, config)
    whole = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
    yield Measured(NAME, Role.SOURCE, whole, len(found), 0, found)


def is_whole(plan: Plan, config: Config, measured: Mapping[str, Measured]) -> Reading[Check]:
    """Look whether the figures are those of the seal."""
    if NAME not in measured:
        return equal("seal of the source", Witness.RECORD, "taken", "not taken yet", 0, absent=True)
    answers = yield tuple(Ask(command) for command in _commands(plan, config))
    expected, observed = dict(measured[NAME].parts), _figures(config, answers)
    why = "what was measured may not be what is there now"
    remedy = "type the same command again: it measures first whether anything has changed"
    return equal("seal of the source", Witness.RECORD, expected, observed, len(observed), len(expected), why=why, remedy=remedy)


def measured_again(plan: Plan, source: Config) -> Generator[Any, Any, dict[str, Measured]]:
    """Measure the source as it was measured at rest; returns what is found by name, and writes none of it to the record."""
    found: dict[str, Measured] = {}
    engines = (engine.measure(plan, source) for engine in ENGINES.values() if engine.used(source))
    for act in (*engines, files.measure(plan, source)):
        yield from _collected(act, found)
    return found


def _collected(act: Act, found: dict[str, Measured]) -> Act:
    """Pass an act's deeds on, and keep its measurements to ourselves: what was measured at rest stays in the record."""
    answer: Any = None
    while True:
        try:
            wanted = act.send(answer)
        except StopIteration:
            return
        if isinstance(wanted, Measured):
            found[wanted.name], answer = wanted, None
        else:
            answer = yield wanted
