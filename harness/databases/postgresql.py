"""PostgreSQL: dumped with pg_dump -Fc, restored in one transaction into an empty one, compared table by table, object by object.

A fingerprint of a table is its row count and a digest of its rows whatever their order (two sums of 64-bit hashes), with the
settings pinned that change how values are written; it is computed on the host (harness.hostside.fingerprint). It sees every
visible value of every row. What is no row is compared beside it: objects, owners and rights (harness.databases.pg_schema), the
role and the database themselves (harness.databases.pg_globals). Not compared are statistics, dead rows and physical order.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.databases import pg_globals, pg_schema
from harness.databases.psql import EXISTS, LONGEST_S, PINNED, admin_sql, as_admin, ask
from harness.deed import Ask, Command, CommandResult, Measured, Query, Role
from harness.host import python
from harness.sending import claim, send

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from harness.configuration import Config
    from harness.deed import Act, Login, Reading
    from harness.plan import Plan

__all__ = ["PostgreSQL", "admin_sql", "ask"]

LARGE_OBJECTS = "large objects"
ROLE = "SELECT count(*) FROM pg_roles WHERE rolname = :'name'"
OWN = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
SHAPE = f"""
SELECT current_user, pg_get_userbyid(d.datdba),
    (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {OWN})
FROM pg_database d WHERE d.datname = current_database()
"""  # noqa: S608 - made of constants
TABLES = f"SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND {OWN}"  # noqa: S608 - made of constants
# What the core's role may not do with what is in its database, and whose the database is.
USABLE = f"""
SELECT 'database owned by ' || pg_get_userbyid(d.datdba), d.datdba = current_user::regrole FROM pg_database d
 WHERE d.datname = current_database()
UNION ALL SELECT format('%I.%I', n.nspname, c.relname), CASE c.relkind
         WHEN 'S' THEN has_sequence_privilege(c.oid, 'USAGE')
         ELSE has_table_privilege(c.oid, 'SELECT') AND has_table_privilege(c.oid, 'INSERT')
          AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE') END
       AND has_schema_privilege(n.oid, 'USAGE')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'S') AND {OWN}
"""  # noqa: S608 - made of constants
# Whether a table was analysed and has what the planner needs of a column, which the server hides where row security is on; and
# which extended statistics have not been computed.
ANALYSED = f"""
SELECT CASE n.nspname WHEN 'public' THEN '' ELSE quote_ident(n.nspname) || '.' END || quote_ident(c.relname),
       c.reltuples >= 0 AND (c.relnatts = 0 OR row_security_active(c.oid) OR EXISTS (
         SELECT FROM pg_stats s WHERE s.schemaname = n.nspname AND s.tablename = c.relname)), ARRAY(
         SELECT e.stxname::text FROM pg_statistic_ext e WHERE e.stxrelid = c.oid AND NOT row_security_active(c.oid) AND NOT EXISTS (
           SELECT FROM pg_stats_ext x WHERE x.statistics_schemaname = e.stxnamespace::regnamespace::text
              AND x.statistics_name = e.stxname))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND {OWN}
"""  # noqa: S608 - made of constants
WRITE_WHOLE = 'umask 077; to=$1; shift; mkdir -p "$(dirname "$to")" && "$@" > "$to.part" && sync "$to.part" && mv "$to.part" "$to"'
READ_FROM = 'from=$1; shift; exec "$@" < "$from"'


def _dump_path(plan: Plan, config: Config, epoch: int) -> str:
    return f"{plan.run_folder}/dumps/{epoch}-{config.login(Role.SOURCE).database}.dump"


def _count(plan: Plan, login: Login, sql: str, database: str = "postgres") -> Reading[int]:
    answer: CommandResult = yield Ask(admin_sql(plan, login.host, sql, database, db=login.database))
    return int(answer.text)


def _rows(plan: Plan, login: Login) -> Command:
    """Return the command that computes the fingerprint of every table, on the host."""
    arguments = {"psql": as_admin(plan, "psql", "-d", login.database), "settings": PINNED}
    says = f"fingerprint the tables of {login.database} on the {login.host}"
    return replace(python(login.host, "fingerprint", json.dumps(arguments), timeout_s=LONGEST_S), says=says)


def whole(tables: Mapping[str, Any]) -> str:
    """Return one digest over the fingerprints of all tables."""
    short = {name: [table["rows"], table["sha256"]] for name, table in tables.items()}
    return hashlib.sha256(json.dumps(short, sort_keys=True).encode()).hexdigest()


def _shown(tables: Mapping[str, Any]) -> dict[str, str]:
    return {name: f"{table['rows']} rows {table['sha256'][:12]}" for name, table in sorted(tables.items())}


class PostgreSQL:
    """The verbs of harness.databases.Engine, for PostgreSQL 15 and newer."""

    NAME = "PostgreSQL"
    MEASURES: tuple[str, ...] = (NAME, pg_schema.NAME)

    def used(self, config: Config) -> bool:
        """Whether any kind of storage of the core is in PostgreSQL."""
        kinds = ("base", "platform", "series", "audit", "file")
        return any(config.get(f"storages.{kind}.engine") == "postgresql" for kind in kinds)

    def prepare(self, plan: Plan, source: Config, dest: Config) -> Act:
        """Make the core's role with the password its config has, and an empty database that it owns, both as on the source."""
        login = dest.login(Role.DEST)
        there = yield replace(
            admin_sql(plan, Role.DEST, ROLE, name=login.user), says=f"ask whether the dest has a role {login.user}"
        )
        if there.text == "0":
            yield from claim(plan, Role.DEST, f"role {login.user}")
        yield from claim(plan, Role.DEST, f"database {login.database}")
        yield from pg_globals.recreate(plan, source.login(Role.SOURCE), login)

    def empty_and_owned(self, plan: Plan, source: Config, dest: Config) -> Reading[list[Check]]:
        """Look, as the core itself, whether the database is there, empty and its own; then whether all is set as on the source."""
        login = dest.login(Role.DEST)
        name = f"database {login.database}"
        expected = {"asked as": login.user, "owner": login.user, "relations": 0}
        if not (yield from _count(plan, login, EXISTS)):
            return [equal(name, Witness.SQL, expected, "no such database", 0, absent=True)]
        [row] = yield Query(login, SHAPE)
        observed = dict(zip(expected, row, strict=True))
        empty = equal(name, Witness.SQL, expected, observed, why="a restore into a database that is not empty is a mixture")
        asked = tuple(Ask(pg_globals.command(plan, one)) for one in (source.login(Role.SOURCE), login))
        return [empty, *pg_globals.check(*[pg_globals.read(answer) for answer in (yield asked)])]

    def measure(self, plan: Plan, source: Config) -> Act:
        """Take the fingerprint of the source's tables and of its schema, side by side."""
        login = source.login(Role.SOURCE)
        rows, objects = yield (_rows(plan, login), pg_schema.command(plan, login))
        yield self._measured(Role.SOURCE, rows.json()["tables"])
        yield pg_schema.measured(Role.SOURCE, pg_schema.objects(objects))

    def _measured(self, role: Role, tables: dict[str, Any]) -> Measured:
        size = sum(table["bytes"] for table in tables.values())
        return Measured(self.NAME, role, whole(tables), len(tables), size, tables)

    def dump(self, plan: Plan, source: Config, epoch: int) -> Act:
        """Write the dump as .part and rename it when it is whole and on the disk.

        Compressed lightly: at 2 GB that takes 2.0 s instead of 4.8 s, and its transfer 9 % longer.
        """
        dumped = as_admin(plan, "pg_dump", "-Fc", "-Z1", "-d", source.login(Role.SOURCE).database)
        argv = ("sh", "-c", WRITE_WHOLE, "write-whole", _dump_path(plan, source, epoch), *dumped)
        yield Command(Role.SOURCE, argv, lasting="dump-postgresql", says="pg_dump -Fc on the source")

    def dump_complete(self, plan: Plan, source: Config, epoch: int, measured: Measured | None) -> Reading[Check]:
        """Look whether the dump can be read to its end and holds every row that was measured, counted in the dump itself."""
        path, name = _dump_path(plan, source, epoch), "rows that the dump holds"
        parts = {table: part for table, part in measured.parts.items() if table != LARGE_OBJECTS} if measured else {}
        expected = {table: part["rows"] for table, part in parts.items()}
        there = yield Ask(Command(Role.SOURCE, ("stat", "-c", "%s", path), exits=(0, 1)))
        if there.exit:
            return equal(name, Witness.FILES, expected, "no dump on the source", 0, absent=True)
        argv = as_admin(plan, "pg_restore", "--data-only", "-f", "-")
        held = (yield Ask(python(Role.SOURCE, "dumped", path, *argv, timeout_s=LONGEST_S))).json()
        leaves = {table: part.get("partitions", [table]) for table, part in parts.items()}
        observed = {table: sum(held[leaf] for leaf in names) for table, names in leaves.items() if held.keys() >= set(names)}
        return equal(
            name, Witness.FILES, expected, observed, len(observed), len(expected), why="a dump cut short restores what it has"
        )

    def send(self, plan: Plan, source: Config, epoch: int) -> Act:
        """Send the dump to the same place in the dest's run folder."""
        path = _dump_path(plan, source, epoch)
        yield send(plan, path, lasting="send-postgresql")

    def dump_arrived(self, plan: Plan, source: Config, epoch: int) -> Reading[list[Check]]:
        """Look whether size, then SHA-256, are the same on both hosts."""
        path = _dump_path(plan, source, epoch)
        sizes = yield tuple(Ask(Command(role, ("stat", "-c", "%s", path), exits=(0, 1))) for role in Role)
        if sizes[1].exit:
            return [equal("size of the dump", Witness.FILES, sizes[0].text, "no dump on the dest", 0, absent=True)]
        sized = equal("size of the dump, bytes", Witness.FILES, int(sizes[0].text), int(sizes[1].text))
        if not sized.held:
            return [sized]
        sums = yield tuple(Ask(Command(role, ("sha256sum", path), timeout_s=LONGEST_S)) for role in Role)
        first, second = (answer.text.split()[0] for answer in sums)
        return [sized, equal("SHA-256 of the dump", Witness.FILES, first, second, 2, 2)]

    def has_room(self, plan: Plan, dest: Config) -> Generator[Any, Any, bool]:
        """Ask, as an act, whether the dest's database is there and holds no table."""
        login = dest.login(Role.DEST)
        asked = admin_sql(plan, Role.DEST, TABLES, login.database)
        tables = yield replace(asked, exits=(0, 2, 3), says="ask whether the dest's database is empty")
        return bool(tables.text == "0")

    def restore(self, plan: Plan, source: Config, dest: Config, epoch: int) -> Act:
        """Restore in one transaction, so that all or nothing arrives; owners and rights are the source's.

        Where the plan gives the core's role another name, all becomes that role's own instead.
        """
        login = dest.login(Role.DEST)
        renamed = source.login(Role.SOURCE).user != login.user
        owner = ("--no-owner", "--no-privileges", f"--role={login.user}") if renamed else ()
        how = ("--no-tablespaces", "--single-transaction", "--exit-on-error", *owner, "-d", login.database)
        argv = ("sh", "-c", READ_FROM, "read-from", _dump_path(plan, source, epoch), *as_admin(plan, "pg_restore", *how))
        says = "pg_restore on the dest, in one transaction"
        yield Command(Role.DEST, argv, lasting="restore-postgresql", private=True, says=says)

    def arrived_unchanged(self, plan: Plan, dest: Config, measured: Mapping[str, Measured]) -> Reading[list[Check]]:
        """Look whether every table and every object is as measured at rest; first the cheap question, whether there are tables."""
        login, name = dest.login(Role.DEST), "fingerprints of the tables"
        expected = {one: measured[one].parts if one in measured else {} for one in self.MEASURES}
        shown = _shown(expected[self.NAME])
        if not (yield from _count(plan, login, EXISTS)):
            return [equal(name, Witness.SQL, shown, "no such database", 0, absent=True)]
        if not (yield from _count(plan, login, TABLES, login.database)):
            return [equal(name, Witness.SQL, shown, f"0 of {len(shown)} tables", 0, absent=True)]
        rows, answer = yield (Ask(_rows(plan, login)), Ask(pg_schema.command(plan, login)))
        tables, objects = rows.json()["tables"], pg_schema.objects(answer)
        yield self._measured(Role.DEST, tables)
        yield pg_schema.measured(Role.DEST, objects)
        return [_same_rows(name, expected[self.NAME], tables), *pg_schema.checks(expected[pg_schema.NAME], objects)]

    def owned(self, dest: Config) -> Reading[Check]:
        """Look, as the core itself, whether the database is its own and it may read and write everything in it."""
        login = dest.login(Role.DEST)
        rows = yield Query(login, USABLE)
        refused = sorted(what for what, usable in rows if not usable)
        why = "the core would be refused at its first start, or at a user's first write"
        name = "what in the database the core's role may not use"
        return equal(name, Witness.SQL, [], refused, len(rows), 2, absent=len(rows) < 2, why=why)  # noqa: PLR2004 - more than itself

    def gather_statistics(self, plan: Plan, dest: Config) -> Act:
        """Run ANALYZE on the whole database: tables, partitioned parents, extended statistics."""
        sql = ("-c", "SET statement_timeout TO 0", "-c", "ANALYZE")
        argv = as_admin(plan, "psql", "-Xq", "-v", "ON_ERROR_STOP=1", "-d", dest.login(Role.DEST).database, *sql)
        yield Command(Role.DEST, argv, lasting="statistics-postgresql", says="ANALYZE on the dest")

    def has_statistics(self, dest: Config, measured: Measured | None) -> Reading[Check]:
        """Look whether every table that has rows was analysed, and has the extended statistics that are declared for it."""
        tables = measured.parts if measured else {}
        filled = sorted(name for name, table in tables.items() if table["rows"] and name != LARGE_OBJECTS)
        rows = {name: (analysed, missing) for name, analysed, missing in (yield Query(dest.login(Role.DEST), ANALYSED))}
        found = [name for name in filled if rows.get(name) == (True, [])]
        observed = found + [f"{name} without {', '.join(rows[name][1])}" for name in filled if name in rows and rows[name][1]]
        why = "without statistics the planner reads whole tables: reads fail for minutes after the cut-over"
        remedy = "run ANALYZE on the dest's database, then run again"
        return equal(
            "tables with statistics",
            Witness.SQL,
            filled,
            observed,
            len(rows),
            len(filled),
            absent=not found,
            why=why,
            remedy=remedy,
        )


def _same_rows(name: str, expected: Mapping[str, Any], tables: Mapping[str, Any]) -> Check:
    differing = {table for table in expected.keys() | tables.keys() if expected.get(table) != tables.get(table)}
    remedy = "run again: what this run restored is cleared first; users are not on the dest yet"
    sides = (_shown(expected), _shown(tables))
    return equal(name, Witness.SQL, *sides, len(tables), len(expected), why=_why(differing), remedy=remedy)


def _why(tables: set[str]) -> str:
    meanings = {
        "accesses": "an access is a user's permission; a lost one cuts a device off",
        "events": "an event is what a user stored",
        "passwords": "without it a user cannot sign in",
        "streams": "a stream is where events are found; one that is lost hides them",
        "sessions": "a session that is lost signs a user out",
        "series_data": "a point is what a device has measured",
        "platform_kv": "the platform's index: e-mail addresses would look free, users unknown",
    }
    return "; ".join(meanings[table] for table in sorted(tables & meanings.keys()))
