"""PostgreSQL: dumped with pg_dump -Fc, restored in one transaction into an empty database, compared table by table.

A fingerprint of a table is its row count and the SHA-256 of its rows as text (COPY's format), ordered by the primary key (text
keys by COLLATE "C", so that the order does not depend on the host's locale), with the settings pinned that change how values are
written. It is computed on the host. It sees every visible value of every row; it does not see what is no row: indexes, statistics,
dead rows, physical order.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import psycopg

from harness.check import Check, Witness, equal
from harness.deed import Ask, Command, CommandResult, Measured, Query, Role
from harness.errors import Unreachable
from harness.host import as_user, python
from harness.sending import claim, send

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.configuration import Config
    from harness.deed import Act, Reading
    from harness.plan import Plan

LONGEST_S = 24 * 3600.0
PINNED = {
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "xmloption": "content",
}
# One row a table: its name and the COPY that prints its rows in an order that is the same on every host.
STATEMENTS = """
SELECT c.relname, format('COPY (SELECT %s FROM %s.%s AS t ORDER BY %s) TO STDOUT',
    (SELECT string_agg('t.' || quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
      WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
    quote_ident(n.nspname), quote_ident(c.relname),
    coalesce((SELECT string_agg('t.' || quote_ident(a.attname)
                || CASE WHEN a.attcollation <> 0 THEN ' COLLATE "C"' ELSE '' END, ', ' ORDER BY k.place)
        FROM pg_index i, unnest(i.indkey::int[]) WITH ORDINALITY AS k(attnum, place), pg_attribute a
       WHERE i.indrelid = c.oid AND i.indisprimary AND a.attrelid = c.oid AND a.attnum = k.attnum), 't::text COLLATE "C"'))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname = 'public' ORDER BY c.relname COLLATE "C"
"""
NEW_ROLE = """
SELECT format('CREATE ROLE %I', :'owner') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'owner') \\gexec
ALTER ROLE :"owner" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING ''UTF8''', :'db', :'owner')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'db') \\gexec
"""
OWNERS = """
SELECT pg_get_userbyid(d.datdba), 'database' FROM pg_database d WHERE d.datname = current_database()
UNION ALL SELECT pg_get_userbyid(c.relowner), c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'S', 'v', 'm')
"""
SHAPE = """
SELECT current_user, pg_get_userbyid(d.datdba), pg_encoding_to_char(d.encoding),
    (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public')
FROM pg_database d WHERE d.datname = current_database()
"""
WRITE_WHOLE = 'umask 077; to=$1; shift; mkdir -p "$(dirname "$to")" && "$@" > "$to.part" && sync "$to.part" && mv "$to.part" "$to"'
READ_FROM = 'from=$1; shift; exec "$@" < "$from"'


def ask(query: Query, socket: Path) -> list[tuple[Any, ...]]:
    """Query, reading only, as the core's role through a socket (an SSH forward); raises Unreachable without the server's detail."""
    login = query.login
    try:
        with psycopg.connect(
            host=str(socket.parent),
            port=login.port,
            dbname=login.database,
            user=login.user,
            password=login.password.value,
            connect_timeout=10,
            options="-c default_transaction_read_only=on -c statement_timeout=60s",
        ) as connection:
            return connection.execute(query.sql.encode(), query.parameters or None).fetchall()
    except psycopg.Error as error:
        cause = error.diag.message_primary or str(error).strip().partition("\n")[0]
        raise Unreachable(f"PostgreSQL of the {login.host}", f"asking as {login.user}", cause) from None


def _q(text: object) -> str:
    r"""Return a psql \\set value, quoted."""
    return "'" + str(text).replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n") + "'"


def admin_sql(plan: Plan, role: Role, sql: str, database: str = "postgres", **variables: str) -> Command:
    """Return psql run as the administrator, everything that is not ours sent on stdin: no secret and no name reaches argv."""
    sets = "".join(f"\\set {name} {_q(value)}\n" for name, value in variables.items())
    argv = (_program(plan, "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-d", database, "-f", "-")
    return Command(role, argv, input=(sets + sql).encode(), as_user=plan.databases.postgresql.admin.system_user, private=True)


def _program(plan: Plan, name: str) -> str:
    folder = plan.databases.postgresql.admin.programs
    return f"{folder}/{name}" if folder else name


def _as_admin(plan: Plan, *argv: str) -> tuple[str, ...]:
    return as_user(plan.databases.postgresql.admin.system_user, (_program(plan, argv[0]), *argv[1:]))


def _dump_path(plan: Plan, config: Config, epoch: int) -> str:
    return f"{plan.run_folder}/dumps/{epoch}-{config.login(Role.SOURCE).database}.dump"


def _database_exists(plan: Plan, role: Role, database: str) -> Reading[bool]:
    asked: CommandResult = yield Ask(admin_sql(plan, role, "SELECT 1 FROM pg_database WHERE datname = :'db'", db=database))
    return asked.text == "1"


def _fingerprint(plan: Plan, role: Role, database: str) -> Reading[dict[str, Any]]:
    """Compute the fingerprint of every table, on the host."""
    listed = yield Ask(admin_sql(plan, role, STATEMENTS, database))
    return (yield Ask(_fingerprint_command(plan, role, database, listed))).json()  # type: ignore[no-any-return]


def _fingerprint_command(plan: Plan, role: Role, database: str, listed: CommandResult) -> Command:
    statements = [text.split("|", 1) for text in listed.lines]
    psql = _as_admin(plan, "psql", "-d", database)
    arguments = {"psql": psql, "settings": PINNED, "statements": statements}
    says = f"fingerprint {len(statements)} tables of {database} on the {role}"
    return replace(python(role, "fingerprint", json.dumps(arguments), timeout_s=LONGEST_S), says=says)


def whole(tables: Mapping[str, Any]) -> str:
    """Return one digest over the fingerprints of all tables."""
    short = {name: [table["rows"], table["sha256"]] for name, table in tables.items()}
    return hashlib.sha256(json.dumps(short, sort_keys=True).encode()).hexdigest()


def _shown(tables: Mapping[str, Any]) -> dict[str, str]:
    return {name: f"{table['rows']} rows {table['sha256'][:12]}" for name, table in sorted(tables.items())}


class PostgreSQL:
    """The verbs of harness.databases.Engine, for PostgreSQL 15 and newer."""

    NAME = "PostgreSQL"

    def used(self, config: Config) -> bool:
        """Whether any kind of storage of the core is in PostgreSQL."""
        kinds = ("base", "platform", "series", "audit", "file")
        return any(config.get(f"storages.{kind}.engine") == "postgresql" for kind in kinds)

    def prepare(self, plan: Plan, dest: Config) -> Act:
        """Make the core's role with the password its config has, and an empty UTF-8 database that it owns."""
        login = dest.login(Role.DEST)
        yield from claim(plan, Role.DEST, f"database {login.database}")
        made = admin_sql(plan, Role.DEST, NEW_ROLE, db=login.database, owner=login.user, password=login.password.value)
        yield replace(made, says=f"create role {login.user} and empty database {login.database} on the dest")

    def empty_and_owned(self, plan: Plan, dest: Config) -> Reading[list[Check]]:
        """Look, as the core itself, whether the database is there, empty, UTF-8 and its own."""
        login = dest.login(Role.DEST)
        name = f"database {login.database}"
        expected = {"asked as": login.user, "owner": login.user, "encoding": "UTF8", "relations": 0}
        if not (yield from _database_exists(plan, Role.DEST, login.database)):
            return [equal(name, Witness.SQL, expected, "no such database", 0, absent=True)]
        [row] = yield Query(login, SHAPE)
        observed = dict(zip(expected, row, strict=True))
        return [equal(name, Witness.SQL, expected, observed, why="a restore into a database that is not empty is a mixture")]

    def measure(self, plan: Plan, source: Config) -> Act:
        """Take the fingerprint of the source's database."""
        database = source.login(Role.SOURCE).database
        listed = yield replace(
            admin_sql(plan, Role.SOURCE, STATEMENTS, database), says=f"list the tables of {database} on the source"
        )
        tables = (yield _fingerprint_command(plan, Role.SOURCE, database, listed)).json()["tables"]
        yield self._measured(Role.SOURCE, tables)

    def _measured(self, role: Role, tables: dict[str, Any]) -> Measured:
        size = sum(table["bytes"] for table in tables.values())
        return Measured(self.NAME, role, whole(tables), len(tables), size, tables)

    def dump(self, plan: Plan, source: Config, epoch: int) -> Act:
        """Write the dump as .part and rename it when it is whole and on the disk."""
        dumped = _as_admin(plan, "pg_dump", "-Fc", "-d", source.login(Role.SOURCE).database)
        argv = ("sh", "-c", WRITE_WHOLE, "write-whole", _dump_path(plan, source, epoch), *dumped)
        yield Command(Role.SOURCE, argv, lasting="dump-postgresql", says="pg_dump -Fc on the source")

    def dump_complete(self, plan: Plan, source: Config, epoch: int, measured: Measured | None) -> Reading[Check]:
        """Look whether the dump can be read to its end and lists every table that was measured."""
        path, name = _dump_path(plan, source, epoch), "tables whose data the dump holds"
        expected = sorted(measured.parts) if measured else []
        there = yield Ask(Command(Role.SOURCE, ("stat", "-c", "%s", path), exits=(0, 1)))
        if there.exit:
            return equal(name, Witness.FILES, expected, "no dump on the source", 0, absent=True)
        reads = tuple(
            Ask(
                Command(
                    Role.SOURCE,
                    ("sh", "-c", READ_FROM, "read-from", path, *_as_admin(plan, "pg_restore", *how)),
                    timeout_s=LONGEST_S,
                )
            )
            for how in (("-l",), ("-f", "/dev/null"))
        )
        listed, _ = yield reads
        rows = [text.split() for text in listed.lines if not text.startswith(";")]
        held = sorted(row[6] for row in rows if row[3:5] == ["TABLE", "DATA"])
        return equal(name, Witness.FILES, expected, held, len(held), len(expected), why="a dump cut short restores what it has")

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

    def restore(self, plan: Plan, source: Config, dest: Config, epoch: int) -> Act:
        """Restore in one transaction as the core's role, so that all or nothing arrives and all of it is the core's own."""
        login = dest.login(Role.DEST)
        how = (
            "--no-owner",
            "--no-privileges",
            "--single-transaction",
            "--exit-on-error",
            f"--role={login.user}",
            "-d",
            login.database,
        )
        argv = ("sh", "-c", READ_FROM, "read-from", _dump_path(plan, source, epoch), *_as_admin(plan, "pg_restore", *how))
        yield Command(
            Role.DEST, argv, lasting="restore-postgresql", private=True, says="pg_restore on the dest, in one transaction"
        )

    def arrived_unchanged(self, plan: Plan, dest: Config, measured: Measured | None) -> Reading[Check]:
        """Look whether every table has the fingerprint measured at rest; first the cheap question, whether there are tables."""
        database, name = dest.login(Role.DEST).database, "fingerprints of the tables"
        expected = measured.parts if measured else {}
        if not (yield from _database_exists(plan, Role.DEST, database)):
            return equal(name, Witness.SQL, _shown(expected), "no such database", 0, absent=True)
        if not (yield Ask(admin_sql(plan, Role.DEST, STATEMENTS, database))).lines:
            return equal(name, Witness.SQL, _shown(expected), f"0 of {len(expected)} tables", 0, absent=True)
        tables = (yield from _fingerprint(plan, Role.DEST, database))["tables"]
        yield self._measured(Role.DEST, tables)
        return equal(
            name,
            Witness.SQL,
            _shown(expected),
            _shown(tables),
            len(tables),
            len(expected),
            why=_why({table for table in expected | tables if expected.get(table) != tables.get(table)}),
            remedy="empty the dest's database, then run again: users are not on the dest yet",
        )

    def owned(self, dest: Config) -> Reading[Check]:
        """Look whether the database and every relation in it belong to the core's role."""
        login = dest.login(Role.DEST)
        rows = yield Query(login, OWNERS)
        strangers = sorted({f"{what}: {owner}" for owner, what in rows if owner != login.user})
        return equal("what in the database is not the core's own", Witness.SQL, [], strangers, len(rows))

    def gather_statistics(self, plan: Plan, dest: Config) -> Act:
        """Run ANALYZE on every table."""
        argv = (_program(plan, "vacuumdb"), "--analyze-only", "--quiet", "-d", dest.login(Role.DEST).database)
        admin = plan.databases.postgresql.admin.system_user
        yield Command(Role.DEST, argv, as_user=admin, lasting="statistics-postgresql", says="vacuumdb --analyze-only on the dest")

    def has_statistics(self, dest: Config, measured: Measured | None) -> Reading[Check]:
        """Look whether every table that has rows has planner's statistics."""
        tables = measured.parts if measured else {}
        filled = sorted(name for name, table in tables.items() if table["rows"])
        rows = yield Query(dest.login(Role.DEST), "SELECT DISTINCT tablename::text FROM pg_stats WHERE schemaname = 'public'")
        found = sorted({name for (name,) in rows} & set(filled))
        why = "without statistics the planner reads whole tables: reads fail for minutes after the cut-over"
        return equal("tables with statistics", Witness.SQL, filled, found, len(filled), absent=not rows, why=why)


def _why(tables: set[str]) -> str:
    meanings = {
        "accesses": "an access is a user's permission; a lost one cuts a device off",
        "events": "an event is what a user stored",
        "passwords": "without it a user cannot sign in",
        "platform_kv": "the platform's index: e-mail addresses would look free, users unknown",
    }
    return "; ".join(meanings[table] for table in sorted(tables & meanings.keys()))
