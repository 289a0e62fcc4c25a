"""Everything of a PostgreSQL database that is no row: one query a kind of object, asked by psql on the host.

Each object is a name and its definition as the server itself writes it (pg_get_indexdef and its like), under the settings pinned in
harness.databases.psql, so that neither OIDs nor a search path are in it. What an extension brings is compared by the extension's
version, materialised views by their definition (a restore fills them anew), tablespaces not at all (they are a host's own affair).
Invalid indexes are left out: a dump has none. Texts that people wrote (functions, views, policies, comments) are kept as digests,
as they may hold what does not belong in the record. The core's own role is named as such, so that a planned change of its name is
no difference. Written for PostgreSQL 15 to 18 (which has a constraint for each NOT NULL: columns tell that already).
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.check import Check, Witness
from harness.databases.pg_kinds import KINDS, VALUES
from harness.databases.psql import PINNED, admin_sql, literal
from harness.deed import Measured

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.deed import Command, CommandResult, Login, Role
    from harness.plan import Plan

NAME = "PostgreSQL schema"
LONGEST_S = 600.0
LONGEST_DEFINITION = 400
SHOWN_OBJECTS = 20
RIGHTS = frozenset({"owner", "grants", "default grants", "policy"})
MEANINGS = {
    "index": "without an index reads that were fast are slow, and what must be unique may be there twice",
    "constraint": "without a constraint a wrong row is accepted in silence",
    "sequence value": "a sequence that is behind gives numbers again that are taken",
    "column": "a default or a type that differs changes what the core writes from now on",
    "owner": "only its owner may change a table: the core's next start would fail",
    "grants": "a right that is missing refuses the core, one too many lets others read",
}


def script() -> str:
    """Return what psql is told: to read only, under the pinned settings, each kind in turn, then the sequences' values."""
    pinned = "".join(f"SET {name} TO {literal(value)};\n" for name, value in PINNED.items())
    queries = "".join(f"{kind.query};\n" for kind in KINDS)
    return f"SET default_transaction_read_only TO on;\n{pinned}{queries}{VALUES}"


def command(plan: Plan, login: Login) -> Command:
    """Return the command that prints every object of the core's database on a host."""
    asked = admin_sql(plan, login.host, script(), login.database, core=login.user)
    return replace(asked, timeout_s=LONGEST_S, says=f"read the schema of {login.database} on the {login.host}")


def objects(answer: CommandResult) -> dict[str, str]:
    """Return {"kind name": definition}; a very long definition is cut, and ends in the digest of the whole."""
    rows: list[list[str]] = [json.loads(line) for line in answer.lines]
    return {f"{kind} {name}": _short(definition or "") for kind, name, definition in sorted(rows)}


def _short(definition: str) -> str:
    if len(definition) <= LONGEST_DEFINITION:
        return definition
    return f"{definition[:LONGEST_DEFINITION]}… sha256:{hashlib.sha256(definition.encode()).hexdigest()[:16]}"


def measured(role: Role, found: Mapping[str, str]) -> Measured:
    """Return what the record keeps of a schema: every object, and one digest over all."""
    whole = json.dumps(found, sort_keys=True).encode()
    return Measured(NAME, role, hashlib.sha256(whole).hexdigest(), len(found), sum(map(len, found.values())), found)


def _kind(thing: str) -> str:
    return max((kind for kind in (*(one.name for one in KINDS), "sequence value") if thing.startswith(f"{kind} ")), key=len)


def checks(expected: Mapping[str, str], observed: Mapping[str, str]) -> list[Check]:
    """Compare two schemas object by object: what there is, and whose it is."""
    parts = []
    for name, of_rights in (("objects of the schema", False), ("owners and rights of the objects", True)):
        sides = [{thing: one[thing] for thing in one if (_kind(thing) in RIGHTS) is of_rights} for one in (expected, observed)]
        parts.append(_check(name, *sides))
    return parts


def _check(name: str, expected: Mapping[str, str], observed: Mapping[str, str]) -> Check:
    """Return the check of some objects; those that differ are told one by one, the others as a number a kind."""
    differing = sorted(thing for thing in expected.keys() | observed.keys() if expected.get(thing) != observed.get(thing))
    told = [
        {thing: one.get(thing, "not there") for thing in differing[:SHOWN_OBJECTS]} | _counts(one) for one in (expected, observed)
    ]
    why = "; ".join(MEANINGS[kind] for kind in sorted({_kind(thing) for thing in differing} & MEANINGS.keys()))
    remedy = "make it on the dest as it is on the source, then run again" if differing else ""
    held = not differing
    return Check(
        name, Witness.SQL, told[0], told[1], held, len(expected.keys() | observed.keys()), len(expected), why=why, remedy=remedy
    )


def _counts(found: Iterable[str]) -> dict[str, int]:
    kinds = [_kind(thing) for thing in found]
    return {f"number of {kind}": kinds.count(kind) for kind in sorted(set(kinds))}
