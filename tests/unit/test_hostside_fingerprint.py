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


def test_count_sums_and_size_are_those_of_the_rows_as_they_are_written(server: Cluster, psql: list[str]) -> None:
    written = ["1:a9:two\nlines2026-01-01 11:00:00+00\x1f", "1:b:\x1f", "1:c8:tab\there\x1f"]
    hashed = "SELECT sum(hashtextextended(w, 0)) || ' ' || sum(hashtextextended(w, 1)) FROM json_array_elements_text(%s) AS w"
    line = f"3 {server.sql(hashed % fingerprint.quoted(json.dumps(written)))} {sum(map(len, written))}"

    assert tables(psql) == {
        "events": {"rows": 3, "sha256": hashlib.sha256(line.encode()).hexdigest(), "bytes": sum(map(len, written))},
        "empty": {"rows": 0, "sha256": hashlib.sha256(b"0 0 0 0").hexdigest(), "bytes": 0},
    }


@pytest.mark.parametrize(
    ("columns", "one", "other"),
    [
        ("a text", "(NULL)", "('')"),
        ("a text, b text", "('ab', 'c')", "('a', 'bc')"),
        ("a text, b text", "('x', NULL)", "(NULL, 'x')"),
        ("a int, b int", "(1, NULL)", "(NULL, 1)"),
        ("a text, b int", r"(E'x\x1f', 1)", r"('x', 1)"),
        ("a jsonb, b text", "('\"1\"', '2')", "('\"12\"', '')"),
        ("a text[], b text[]", r"(ARRAY[E'\x1f'], '{}')", r"('{}', ARRAY[E'\x1f'])"),
        ("a numeric", "(1.0)", "(1.00)"),
        ("a float8", "(0)", "('-0')"),
        ("a timestamptz", "('2026-01-01 00:00:00.000001+00')", "('2026-01-01 00:00:00+00')"),
        ("a text", r"(E'\u00e9')", r"(E'e\u0301')"),
        ("a text", "('a')", "('a '), ('a ')"),
        ("a text", "('a'), ('b')", "('a'), ('a')"),
        ("a text, b int", "('a', 1), ('b', 2)", "('a', 2), ('b', 1)"),
        ("a text", "('a')", "('a'), ('a')"),
    ],
)
def test_what_differs_has_another_digest(server: Cluster, psql: list[str], columns: str, one: str, other: str) -> None:
    server.sql(f"CREATE TABLE more ({columns}); INSERT INTO more VALUES {one}", "one")  # noqa: S608 - values of this test
    first = tables(psql)["more"]
    server.sql(f"DELETE FROM more; INSERT INTO more VALUES {other}", "one")  # noqa: S608 - likewise

    assert tables(psql)["more"]["sha256"] != first["sha256"]


@pytest.mark.parametrize(
    "made",
    [
        "TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'sv-SE' LOCALE 'C'",
        "TEMPLATE template0 LOCALE 'C'",
    ],
)
def test_a_database_with_another_order_of_texts_has_the_same_digests(server: Cluster, psql: list[str], made: str) -> None:
    server.sql(f"CREATE DATABASE two {made}")
    try:
        server.sql(TABLES, "two")
        assert tables(server.psql("two")) == tables(psql)
    finally:
        server.sql("DROP DATABASE two")


def test_columns_of_different_collations_and_dropped_ones_are_no_matter(server: Cluster, psql: list[str]) -> None:
    server.sql("CREATE COLLATION odd (provider = icu, locale = 'und-u-ks-level2', deterministic = false)", "one")
    server.sql("CREATE TABLE more (a text COLLATE odd, b text COLLATE \"C\"); INSERT INTO more VALUES ('a', 'b')", "one")
    first = tables(psql)["more"]
    server.sql("UPDATE more SET a = 'A'", "one")
    other = tables(psql)["more"]
    server.sql("DROP TABLE more; CREATE TABLE more (no int, a text, b text); ALTER TABLE more DROP COLUMN no", "one")
    server.sql("INSERT INTO more VALUES ('a', 'b')", "one")

    assert other != first
    assert tables(psql)["more"] == first


def test_a_table_of_many_columns_is_written_in_pieces(server: Cluster, psql: list[str]) -> None:
    columns = ", ".join(f"c{number} text DEFAULT '{number}'" for number in range(200))
    server.sql(f"CREATE TABLE more ({columns}); INSERT INTO more DEFAULT VALUES", "one")
    first = tables(psql)["more"]
    server.sql("UPDATE more SET c199 = '198', c198 = '199'", "one")

    assert first["bytes"] == sum(len(f"{len(str(number))}:{number}") for number in range(200))
    assert tables(psql)["more"]["sha256"] != first["sha256"]


def test_a_table_without_columns_has_its_rows_counted(server: Cluster, psql: list[str]) -> None:
    server.sql("CREATE TABLE more (); INSERT INTO more DEFAULT VALUES; INSERT INTO more DEFAULT VALUES", "one")

    assert (tables(psql)["more"]["rows"], tables(psql)["more"]["bytes"]) == (2, 0)


def test_a_large_table_is_shared_by_workers_who_find_the_same_as_one_process_alone(server: Cluster, psql: list[str]) -> None:
    server.sql("CREATE TABLE more AS SELECT g, repeat(md5(g::text), 4) AS t FROM generate_series(1, 80000) AS g", "one")
    more = next(table for table in fingerprint.tables_of(psql, SETTINGS) if table["name"] == "more")

    def asked(workers: int, before: str = "") -> list[str]:
        told = fingerprint.sums_of(more, workers).replace("SELECT", f"{before}SELECT", 1)
        return fingerprint.ask(psql, fingerprint.script(SETTINGS, fingerprint.BEGIN + told), ["more"])

    plan = "\n".join(asked(2, "EXPLAIN "))
    assert "Workers Planned: 2" in plan
    assert "Partial Aggregate" in plan
    assert asked(2) == asked(0)
    assert asked(0)[0].startswith("80000 ")
    assert "Workers" not in "\n".join(asked(0, "EXPLAIN "))


def test_large_objects_are_measured_by_their_content(server: Cluster, psql: list[str]) -> None:
    server.sql("SELECT lo_from_bytea(4242, 'one')", "one")
    first = tables(psql)["large objects"]
    server.sql("SELECT lo_put(4242, 0, 'two')", "one")

    assert first["rows"] == 1
    assert tables(psql)["large objects"]["sha256"] != first["sha256"]


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
    assert line.startswith("fingerprint: list of the tables: psql ended with exit 3: psql:<stdin>:")


def test_context_and_detail_of_the_server_are_dropped(psql: list[str]) -> None:
    raising = "DO $$ BEGIN RAISE 'refused' USING DETAIL = 'jane@example.com', HINT = 'ask jane@example.com'; END $$"

    with pytest.raises(fingerprint.Failed) as failed:
        fingerprint.ask(psql, fingerprint.script({}, raising), ["table events"])

    assert f"{failed.value}" == "table events: psql ended with exit 3: psql:<stdin>:2: ERROR:  refused"


def test_a_timeout_of_the_database_itself_does_not_cut_a_long_query_short(server: Cluster, psql: list[str]) -> None:
    server.sql("ALTER DATABASE one SET statement_timeout TO '300ms'")
    slow = "SELECT 1 FROM pg_sleep(0.5)"

    assert fingerprint.ask(psql, fingerprint.script({"statement_timeout": "0"}, slow), ["slow"]) == ["1"]
    with pytest.raises(fingerprint.Failed, match=r"slow: .*statement timeout"):
        fingerprint.ask(psql, fingerprint.script({}, slow), ["slow"])


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
        fingerprint.ask(psql, fingerprint.script({}, "DELETE FROM events"), ["events"])

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
