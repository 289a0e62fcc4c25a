"""The programs that read tables and dumps, run as hosts run them, against a real PostgreSQL."""

from __future__ import annotations

import hashlib
import io
import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from harness.host import helper
from harness.hostside import dumped, fingerprint
from tests.unit.cluster import Cluster, cluster, programs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SETTINGS = {"TimeZone": "UTC", "DateStyle": "ISO, YMD", "extra_float_digits": "1", "row_security": "off"}
TABLES = r"""
CREATE TABLE events (id text PRIMARY KEY, content text, at timestamptz);
INSERT INTO events VALUES ('a', E'two\nlines', '2026-01-01 12:00+01'), ('b', NULL, NULL), ('c', E'tab\there', NULL);
CREATE TABLE empty (id int);
"""


COLUMNS = """SELECT string_agg(quote_ident(column_name), ',') FROM information_schema.columns
              WHERE table_name = 'more' AND is_generated = 'NEVER'"""
ANEW = """CREATE TABLE kept AS SELECT COLUMNS FROM more; DELETE FROM more;
          INSERT INTO more (COLUMNS) SELECT COLUMNS FROM kept ORDER BY kept::text DESC; DROP TABLE kept"""


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as one:
        yield one


@pytest.fixture
def psql(server: Cluster) -> Iterator[list[str]]:
    """Make a database with two tables; returns the argv that leads to it."""
    server.sql("CREATE DATABASE one")
    server.sql(TABLES, "one")
    yield server.psql("one")
    server.sql("DROP DATABASE one WITH (FORCE)")


def run(psql: list[str]) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-I", "-S", "-", json.dumps({"psql": psql, "settings": SETTINGS})]
    return subprocess.run(argv, input=helper("fingerprint"), capture_output=True, check=False, timeout=60)


def tables(psql: list[str]) -> dict[str, Any]:
    done = run(psql)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["tables"]
    return found


def test_rows_bytes_and_digest_are_those_of_the_text_that_copy_prints(psql: list[str]) -> None:
    printed = b"a\ttwo\\nlines\t2026-01-01 11:00:00+00\nb\t\\N\t\\N\nc\ttab\\there\t\\N\n"

    assert tables(psql) == {
        "events": {"rows": 3, "sha256": hashlib.sha256(printed).hexdigest(), "bytes": len(printed)},
        "empty": {"rows": 0, "sha256": hashlib.sha256(b"").hexdigest(), "bytes": 0},
    }


def test_a_database_without_tables_has_no_fingerprint(server: Cluster) -> None:
    assert tables(server.psql()) == {}


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE more (t text PRIMARY KEY, t2 text); INSERT INTO more VALUES ('a', 'x'), ('Z', 'y'), ('é', 'z')",
        "CREATE TABLE more (d numeric PRIMARY KEY, b boolean); INSERT INTO more VALUES (10, true), (9, false)",
        "CREATE TABLE more (t text, n int, PRIMARY KEY (n, t)); INSERT INTO more VALUES ('b', 10), ('a', 9), ('B', 10)",
        "CREATE TABLE more (t int); INSERT INTO more VALUES (1), (1), (2)",
        "CREATE TABLE more (t int GENERATED ALWAYS AS (1) STORED, u text); INSERT INTO more (u) VALUES ('a'), ('b')",
        "CREATE TABLE more (p point, r int4range, x xml, iv interval); INSERT INTO more VALUES ('(1,2)', '[1,3)', '<a/>', '1 mon')",
    ],
)
def test_the_order_of_rows_on_the_disk_changes_nothing(server: Cluster, psql: list[str], sql: str) -> None:
    server.sql(sql, "one")
    columns = server.sql(COLUMNS, "one")
    before = tables(psql)["more"]

    server.sql(ANEW.replace("COLUMNS", columns), "one")

    assert before["rows"] > 0
    assert tables(psql)["more"] == before


def test_a_failure_is_told_by_the_servers_error_line_alone(server: Cluster, psql: list[str]) -> None:
    server.sql("CREATE VIEW v AS SELECT 1; UPDATE pg_class SET relkind = 'r' WHERE relname = 'v'", "one")

    done = run(psql)

    assert (done.returncode, done.stdout) == (1, b"")
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("fingerprint: table v: psql ended with exit 3: psql:<stdin>:6: ERROR:")


def test_context_and_detail_of_the_server_are_dropped(psql: list[str]) -> None:
    raising = "DO $$ BEGIN RAISE 'refused' USING DETAIL = 'jane@example.com', HINT = 'ask jane@example.com'; END $$"

    with pytest.raises(fingerprint.Failed) as failed:
        fingerprint.fingerprint(psql, fingerprint.script({}, raising), "table events")

    assert f"{failed.value}" == "table events: psql ended with exit 3: psql:<stdin>:2: ERROR:  refused"


def test_a_timeout_of_the_database_itself_does_not_cut_a_long_query_short(server: Cluster, psql: list[str]) -> None:
    server.sql("ALTER DATABASE one SET statement_timeout TO '300ms'")
    slow = "COPY (SELECT pg_sleep(0.5)) TO STDOUT"

    found = fingerprint.fingerprint(psql, fingerprint.script({"statement_timeout": "0"}, slow), "slow")

    assert found["rows"] == 1
    with pytest.raises(fingerprint.Failed, match="statement timeout"):
        fingerprint.fingerprint(psql, fingerprint.script({}, slow), "slow")


def test_rows_on_another_server_are_an_error_that_names_the_table(server: Cluster, psql: list[str]) -> None:
    server.sql("CREATE EXTENSION file_fdw; CREATE SERVER far FOREIGN DATA WRAPPER file_fdw", "one")
    server.sql("CREATE FOREIGN TABLE strange (t text) SERVER far OPTIONS (filename '/etc/hostname')", "one")

    done = run(psql)

    assert done.returncode == 1
    assert b"fingerprint: foreign table strange: its rows lie on another server" in done.stderr


@pytest.mark.parametrize(
    ("sql", "cause"),
    [
        ("REVOKE ALL ON empty FROM stranger", "table empty: .*permission denied for table empty"),
        (
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO stranger; ALTER TABLE events ENABLE ROW LEVEL SECURITY",
            "table events: .*row-level security",
        ),
    ],
)
def test_what_may_not_be_read_whole_is_an_error_that_names_the_table(
    server: Cluster, psql: list[str], sql: str, cause: str
) -> None:
    server.sql("CREATE ROLE stranger LOGIN; GRANT SELECT ON events TO stranger", "one")
    try:
        server.sql(sql, "one")
        done = run([*psql[:-4], "-U", "stranger", *psql[-2:]])
    finally:
        server.sql("DROP OWNED BY stranger; DROP ROLE stranger", "one")

    assert done.returncode == 1
    assert re.search(cause, done.stderr.decode())


def test_a_server_that_does_not_answer_is_an_error(psql: list[str]) -> None:
    done = run([psql[0], "-h", "/nowhere", "-d", "postgres"])

    assert done.returncode == 1
    assert "fingerprint: list of the tables: psql ended with exit 2: psql: error: connection to server" in done.stderr.decode()


def test_a_program_that_is_not_there_is_an_error() -> None:
    done = run(["/nowhere/psql"])

    assert done.returncode == 1
    assert done.stderr.decode() == "fingerprint: [Errno 2] No such file or directory: '/nowhere/psql'\n"


def test_nothing_can_be_written(psql: list[str]) -> None:
    with pytest.raises(fingerprint.Failed, match="read-only transaction"):
        fingerprint.fingerprint(psql, fingerprint.script({}, "DELETE FROM events"), "events")

    assert tables(psql)["events"]["rows"] == 3


SCRIPT = b"""
SET client_encoding = 'UTF8';
COPY public.events (id, content) FROM stdin;
a\tone
b\tCOPY public.other (id) FROM stdin;
\\.
COPY "Other"."odd
name (1)" ("t") FROM stdin;
x
\\.
COPY public.zero  FROM stdin;


\\.
SELECT pg_catalog.setval('s', 1);
"""


def test_rows_are_counted_in_a_script_of_data() -> None:
    assert dumped.counted(io.BytesIO(SCRIPT)) == {"events": 2, '"Other"."odd\nname (1)"': 1, "zero": 2}


def test_a_row_longer_than_a_piece_is_one_row() -> None:
    long = b"x" * (3 * dumped.PIECE_BYTES)

    assert dumped.counted(io.BytesIO(b"COPY public.t (c) FROM stdin;\n" + long + b"\n\\.\n")) == {"t": 1}


@pytest.mark.parametrize("end", [b"a\n", b"", b"\\."])
def test_a_script_that_ends_within_a_table_is_an_error(end: bytes) -> None:
    with pytest.raises(EOFError, match="within a table"):
        dumped.counted(io.BytesIO(b"COPY public.t (c) FROM stdin;\n" + end))


def counted(path: Path) -> subprocess.CompletedProcess[bytes]:
    """Count a dump's rows as hosts do."""
    argv = [sys.executable, "-I", "-S", "-", str(path), str(programs() / "pg_restore"), "--data-only", "-f", "-"]
    return subprocess.run(argv, input=helper("dumped"), capture_output=True, check=False, timeout=60)


def test_a_dump_is_counted_without_a_server_and_cut_short_it_is_an_error(server: Cluster, psql: list[str], tmp_path: Path) -> None:
    assert psql
    server.sql("INSERT INTO events SELECT g::text, repeat(md5(g::text), 20) FROM generate_series(1, 5000) g", "one")
    dump = tmp_path / "one.dump"
    with dump.open("wb") as out:
        subprocess.run([str(programs() / "pg_dump"), "-Fc", "-d", "one"], check=True, stdout=out, env=server.environment)
    whole = counted(dump)
    dump.write_bytes(dump.read_bytes()[:-500])
    cut = counted(dump)

    assert json.loads(whole.stdout) == {"events": 5003, "empty": 0}
    assert (cut.returncode, cut.stdout) == (1, b"")
    assert cut.stderr.startswith(b"dumped: the dump ")
