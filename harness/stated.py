"""What a plan document states of both hosts, and what is looked at again before a live run goes on: versions, sizes, topology.

The facts are JSON: {"versions": {what: text}, "sizes": {what: bytes}, "topology": {what: text}}. A size says what lies there now;
users go on writing until the freeze, so only a difference beyond `TOLERATED` and `UNHEEDED_BYTES` counts.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.container import described
from harness.databases import ENGINES
from harness.databases.psql import admin_sql
from harness.deed import Ask, Command, Role
from harness.errors import HarnessError
from harness.roots import data_roots
from harness.shown import size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.configuration import Config
    from harness.deed import Reading
    from harness.plan import Plan

Facts = dict[str, dict[str, Any]]
TOLERATED = 0.2
UNHEEDED_BYTES = 64 * 1000 * 1000  # a write-ahead log comes and goes
POSTGRESQL = "PostgreSQL"
LONGEST_S = 3600.0
KILO = 1024
ANY = tuple(range(256))
NOT_TOLD = "not told"
SIZE = "SELECT pg_database_size(datname) FROM pg_database WHERE datname = :'db'"


class NotMeasured(HarnessError):
    """A size could not be read: without it nobody can say whether it has changed."""


def facts(plan: Plan, source: Config, *, sizes: bool = True) -> Reading[Facts]:
    """Return the facts of both hosts; without the sizes where these are sealed and reading them would make users wait."""
    versions = yield from _versions(plan, source)
    measured = (yield from _sizes(plan, source)) if sizes else {}
    return {"versions": versions, "sizes": measured, "topology": _topology(plan, source)}


def _uses_postgresql(source: Config) -> bool:
    return ENGINES[POSTGRESQL].used(source)


def _versions(plan: Plan, source: Config) -> Reading[dict[str, str]]:
    package = yield Ask(Command(Role.SOURCE, ("cat", f"{plan.core.app_path}/package.json"), exits=ANY))
    found = {"core": NOT_TOLD if package.exit else str(json.loads(package.out).get("version", NOT_TOLD))}
    if container := (yield from described(plan, Role.SOURCE)):
        found = {"image of the core": container.image}
    if _uses_postgresql(source):
        shown = tuple(Ask(replace(admin_sql(plan, role, "SHOW server_version"), exits=ANY)) for role in Role)
        for role, answer in zip(Role, (yield shown), strict=True):
            found[f"{POSTGRESQL} on the {role}"] = NOT_TOLD if answer.exit else answer.text
    return found


def _sizes(plan: Plan, source: Config) -> Reading[dict[str, int]]:
    """Return how many bytes the core's database takes on the source, and each data root; raises NotMeasured."""
    found = {}
    if _uses_postgresql(source):
        login = source.login(Role.SOURCE)
        answer = yield Ask(admin_sql(plan, Role.SOURCE, SIZE, db=login.database))
        found[f"{POSTGRESQL} {login.database}"] = _whole(answer.text, login.database)
    for root in data_roots(source):
        there = yield Ask(Command(Role.SOURCE, ("test", "-e", root.path), exits=(0, 1)))
        if there.exit == 0:
            answer = yield Ask(Command(Role.SOURCE, ("du", "-skL", f"{root.path}/"), timeout_s=LONGEST_S))
            found[root.path] = _whole(answer.text.partition("\t")[0], root.path) * KILO
    return found


def _whole(text: str, what: str) -> int:
    if not text.isdigit():
        raise NotMeasured(f"the size of {what} on the source could not be read")
    return int(text)


def _topology(plan: Plan, source: Config) -> dict[str, str]:
    engines = {f"engine of {kind}": engine for kind, engine in sorted(source.engines().items())}
    return {
        "public name": plan.core.public_name,
        "core": str(source.get("core.id", NOT_TOLD)),
        "source": str(plan.source.address),
        "dest": str(plan.dest.address),
        "core is run by": plan.core.deploy,
        "cut-over": plan.cutover.strategy,
        "transfer": plan.transfer,
        **engines,
        "data roots": ", ".join(root.path for root in data_roots(source)),
    }


def total(found: Mapping[str, Any]) -> int:
    """Return how many bytes all sizes of the facts make together."""
    return sum(found.get("sizes", {}).values())


def differences(stated: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return how the facts differ from those that were stated, one sentence for each; of sizes, where both have them."""
    told = [
        f"{what}: {stated.get(part, {}).get(what, 'not there')} was stated, it is {now.get(part, {}).get(what, 'not there')}"
        for part in ("versions", "topology")
        for what in sorted({**stated.get(part, {}), **now.get(part, {})})
        if stated.get(part, {}).get(what) != now.get(part, {}).get(what)
    ]
    before, after = stated.get("sizes", {}), now.get("sizes", {})
    if not after:
        return told
    return told + [
        f"size of {what}: {_said(before, what)} was stated, it is {_said(after, what)}"
        for what in sorted({**before, **after})
        if _differs(before.get(what, 0), after.get(what, 0))
    ]


def _said(sizes: Mapping[str, int], what: str) -> str:
    return size(sizes.get(what)) or "nothing"


def _differs(stated: int, now: int) -> bool:
    return abs(now - stated) > max(TOLERATED * stated, UNHEEDED_BYTES)
