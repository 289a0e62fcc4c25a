"""Clearing the dest of what this run made there, so that it can arrive again. Nothing else is touched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from harness.check import Check, Witness, equal
from harness.control import control
from harness.databases import ENGINES
from harness.databases.postgresql import admin_sql
from harness.deed import Ask, Command, Role
from harness.errors import HalfDone
from harness.roots import data_roots

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.configuration import Config
    from harness.deed import Act, Reading
    from harness.plan import Plan

DROP = 'DROP DATABASE IF EXISTS :"db" WITH (FORCE);'
FILLED = 'for path; do [ -n "$(ls -A "$path" 2>/dev/null)" ] && echo "$path"; done; true'


def _paths(plan: Plan, source: Config) -> list[str]:
    configs = [path.rstrip("/") for path in plan.core.config_paths]
    return [*configs, *(root.path for root in data_roots(source))]


def clear_database(plan: Plan, source: Config, dest: Config, mine: set[str]) -> Act:
    """Drop the dest's database and make it again, empty; raises HalfDone when this run did not make it."""
    login = dest.login(Role.DEST)
    if f"database {login.database}" not in mine:
        raise HalfDone(f"the database {login.database} on the dest was not made by this run: it is left as it is")
    yield replace(admin_sql(plan, Role.DEST, DROP, db=login.database), says=f"drop the database {login.database} on the dest")
    for engine in ENGINES.values():
        if engine.used(dest):
            yield from engine.prepare(plan, source, dest)


def clear(plan: Plan, source: Config, dest: Config, mine: set[str]) -> Act:
    """Stop the dest core; empty its config, data and database, of this run's making only; remove the dumps that arrived."""
    yield replace(control(plan).stop(Role.DEST), says="stop the dest core")
    if f"database {dest.login(Role.DEST).database}" in mine:
        yield from clear_database(plan, source, dest, mine)
    for path in _paths(plan, source):
        if f"path {path}" in mine:
            yield Command(Role.DEST, ("rm", "-rf", "--one-file-system", "--", path), says=f"remove {path} on the dest")
    yield Command(Role.DEST, ("rm", "-rf", "--", f"{plan.run_folder}/dumps"), says="remove the dumps that arrived")


def nothing_left(plan: Plan, source: Config) -> Reading[Check]:
    """Look for config, data and dumps on the dest."""
    paths = (*_paths(plan, source), f"{plan.run_folder}/dumps")
    filled = (yield Ask(Command(Role.DEST, ("sh", "-c", FILLED, "filled", *paths)))).lines
    return equal("what is left on the dest", Witness.FILES, [], filled, len(paths))


def users_are_not_there(marks: Mapping[str, str]) -> Check:
    """Check that the record has no T_open: from there on clearing the dest would lose what users wrote."""
    why = "users may have written on the dest: clearing it would lose that"
    return equal(
        "T_open in the record", Witness.RECORD, None, marks.get("T_open"), why=why, remedy="only a rollback can go back now"
    )
