"""The fingerprint program against a real PostgreSQL, run as hosts run it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.host import helper

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = {"TimeZone": "UTC", "DateStyle": "ISO, YMD", "extra_float_digits": "1"}
TABLES = r"""
CREATE TABLE events (id text PRIMARY KEY, content text, at timestamptz);
INSERT INTO events VALUES ('a', E'two\nlines', '2026-01-01 12:00+01'), ('b', NULL, NULL), ('c', E'tab\there', NULL);
CREATE TABLE empty (id int);
"""


def programs() -> Path:
    """Return the folder of PostgreSQL's newest programs."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


@pytest.fixture(scope="module")
def psql() -> Iterator[list[str]]:
    """Start a PostgreSQL that listens on a socket only; as root, as the system user postgres."""
    folder = Path(tempfile.mkdtemp(prefix="fingerprint-"))
    become = [] if os.getuid() else ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    if become:
        shutil.chown(folder, "postgres", "postgres")
    data, options = folder / "data", f"-k {folder} -c listen_addresses= -c fsync=off"
    control = [*become, str(programs() / "pg_ctl"), "-D", str(data), "-w"]
    try:
        initdb = [*become, str(programs() / "initdb"), "-D", str(data), "-U", "admin", "-A", "trust", "-E", "UTF8", "--locale=C"]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd="/")
        start = [*control, "-l", str(folder / "log"), "-o", options, "start"]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, cwd="/")
        argv = [str(programs() / "psql"), "-h", str(folder), "-U", "admin", "-d", "postgres"]
        subprocess.run([*argv, "-X", "-q", "-v", "ON_ERROR_STOP=1"], input=TABLES.encode(), check=True)
        yield argv
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, stdout=subprocess.DEVNULL, cwd="/")
        shutil.rmtree(folder)


def run(
    psql: list[str], *statements: tuple[str, str], settings: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    asked = {"psql": psql, "settings": SETTINGS if settings is None else settings, "statements": statements}
    argv = [sys.executable, "-I", "-S", "-", json.dumps(asked)]
    return subprocess.run(argv, input=helper("fingerprint"), capture_output=True, check=False, timeout=60)


def tables(psql: list[str], *statements: tuple[str, str]) -> dict[str, Any]:
    done = run(psql, *statements)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)["tables"]
    return found


def copy(table: str, order: str = "id") -> tuple[str, str]:
    return table, f"COPY (SELECT * FROM {table} ORDER BY {order}) TO STDOUT"  # noqa: S608 - the tables are ours


def test_rows_bytes_and_digest_are_those_of_the_text_that_copy_prints(psql: list[str]) -> None:
    printed = b"a\ttwo\\nlines\t2026-01-01 11:00:00+00\nb\t\\N\t\\N\nc\ttab\\there\t\\N\n"

    found = tables(psql, copy("events"), copy("empty"))

    assert found["events"] == {"rows": 3, "sha256": hashlib.sha256(printed).hexdigest(), "bytes": len(printed)}
    assert found["empty"] == {"rows": 0, "sha256": hashlib.sha256(b"").hexdigest(), "bytes": 0}


def test_one_value_that_differs_changes_the_digest_of_its_table_alone(psql: list[str]) -> None:
    before = tables(psql, copy("events"), copy("empty"))
    changed = "COPY (SELECT id, CASE id WHEN 'b' THEN '' ELSE content END, at FROM events ORDER BY id) TO STDOUT"

    after = tables(psql, ("events", changed), copy("empty"))

    assert after["events"]["sha256"] != before["events"]["sha256"]
    assert after["empty"] == before["empty"]


def test_a_failure_is_told_by_the_servers_error_line_alone(psql: list[str]) -> None:
    context = "COPY (SELECT content::int FROM (SELECT content FROM events ORDER BY id DESC LIMIT 1) AS t) TO STDOUT"

    done = run(psql, copy("events"), ("broken", context))

    assert done.returncode == 1
    assert done.stdout == b""
    [line] = done.stderr.decode().splitlines()
    assert line.startswith("fingerprint: table broken: psql ended with exit 3: psql:<stdin>:5: ERROR:")


def test_context_and_detail_of_the_server_are_dropped(psql: list[str]) -> None:
    raising = "DO $$ BEGIN RAISE 'refused' USING DETAIL = 'jane@example.com', HINT = 'ask jane@example.com'; END $$"

    done = run(psql, ("broken", raising))

    assert done.stderr.decode() == "fingerprint: table broken: psql ended with exit 3: psql:<stdin>:5: ERROR:  refused\n"


def test_a_server_that_does_not_answer_is_an_error(psql: list[str]) -> None:
    done = run([psql[0], "-h", "/nowhere", "-d", "postgres"], copy("events"))

    assert done.returncode == 1
    assert "fingerprint: table events: psql ended with exit 2: psql: error: connection to server" in done.stderr.decode()


def test_a_program_that_is_not_there_is_an_error(psql: list[str]) -> None:
    assert psql
    done = run(["/nowhere/psql"], copy("events"))

    assert done.returncode == 1
    assert done.stderr.decode() == "fingerprint: [Errno 2] No such file or directory: '/nowhere/psql'\n"


def test_nothing_can_be_written(psql: list[str]) -> None:
    done = run(psql, ("events", "DELETE FROM events"))

    assert done.returncode == 1
    assert "read-only transaction" in done.stderr.decode()
    assert tables(psql, copy("events"))["events"]["rows"] == 3
