"""How PostgreSQL is asked: its programs as the administrator on a host, or a query as the core's own role."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from harness.deed import Command, Query, Role
from harness.errors import Unreachable
from harness.host import as_user

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.plan import Plan

LONGEST_S = 24 * 3600.0
# What changes how values and definitions are written, and what may cut a long query short.
PINNED: Mapping[str, str] = {
    "statement_timeout": "0",
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "extra_float_digits": "1",
    "bytea_output": "hex",
    "client_encoding": "UTF8",
    "lc_monetary": "C",
    "xmloption": "content",
    "search_path": "",
    "quote_all_identifiers": "off",
    # A policy that would hide rows is an error instead.
    "row_security": "off",
    "work_mem": "64MB",
}
EXISTS = "SELECT count(*) FROM pg_database WHERE datname = :'db'"


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


def literal(text: object) -> str:
    """Return an SQL string (standard_conforming_strings is on: a backslash is a backslash)."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a quoted SQL name."""
    return '"' + name.replace('"', '""') + '"'


def admin_sql(plan: Plan, role: Role, sql: str, database: str = "postgres", **variables: str) -> Command:
    """Return psql run as the administrator, everything that is not ours sent on stdin: no secret and no name reaches argv."""
    sets = "".join(f"\\set {name} {_q(value)}\n" for name, value in variables.items())
    argv = (program(plan, "psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-d", database, "-f", "-")
    return Command(role, argv, input=(sets + sql).encode(), as_user=plan.databases.postgresql.admin.system_user, private=True)


def program(plan: Plan, name: str) -> str:
    """Return one of PostgreSQL's programs, where the plan says they are."""
    folder = plan.databases.postgresql.admin.programs
    return f"{folder}/{name}" if folder else name


def as_admin(plan: Plan, *argv: str) -> tuple[str, ...]:
    """Return the argv of one of PostgreSQL's programs, run as the administrator."""
    return as_user(plan.databases.postgresql.admin.system_user, (program(plan, argv[0]), *argv[1:]))
