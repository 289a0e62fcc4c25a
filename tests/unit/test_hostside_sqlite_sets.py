"""The program that reads SQLite files on hosts, run as hosts run it, on files that SQLite itself has written."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.host import helper
from harness.hostside import sqlite_sets

SCHEMA = """
CREATE TABLE events (id TEXT UNIQUE, time REAL, size INTEGER, content BLOB, note, double AS (size * 2), twice AS (size * 2) STORED);
CREATE INDEX events_time ON events (time);
CREATE TABLE pairs (name TEXT, at INTEGER, value, PRIMARY KEY (name, at)) WITHOUT ROWID;
CREATE TABLE counted (number INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT);
CREATE TABLE "odd ""name"" of a table" ("a ""column"" of it" TEXT);
CREATE VIRTUAL TABLE events_fts USING fts5 (note, content='events', content_rowid='rowid');
CREATE VIEW latest AS SELECT max(time) FROM events;
CREATE TRIGGER events_ai AFTER INSERT ON events BEGIN INSERT INTO events_fts (rowid, note) VALUES (new.rowid, new.note); END;
PRAGMA user_version = 7;
"""
# Writes and is killed, as a core is: what it has written stays in the -wal, or a transaction half done in the -journal.
KILLED = """
import os, signal, sqlite3, sys
path, mode, script, last = sys.argv[1:]
connection = sqlite3.connect(path, isolation_level=None)
connection.execute(f"PRAGMA journal_mode = {mode}")
connection.executescript(script)
connection.execute("PRAGMA cache_size = 1")
connection.executescript(last)
os.kill(os.getpid(), signal.SIGKILL)
"""


def insert(values: str, into: str = "t") -> str:
    return f"INSERT INTO {into} VALUES {values};"  # noqa: S608 - made here


def rows(first: int, last: int) -> str:
    values = ", ".join(f"('e{number}', {number}.5, {number}, x'{number:04x}', 'n {number}')" for number in range(first, last))
    events = insert(values, "events (id, time, size, content, note)")
    return f"BEGIN; {events} {insert('(1, 2, NULL)', 'pairs')} {insert('(1, 0)', 'counted')} COMMIT;"


def written(path: Path, *scripts: str) -> Path:
    """Write a database and close it: all is in its one file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for script in scripts:
            connection.executescript(script)
    return path


def left_behind(path: Path, script: str = "", last: str = "", mode: str = "WAL") -> Path:
    """Write a database and be killed."""
    argv = (sys.executable, "-c", KILLED, str(path), mode, script or SCHEMA + rows(0, 40), last)
    assert subprocess.run(argv, check=False).returncode == -signal.SIGKILL
    return path


def asked(root: Path, *excludes: str) -> list[str]:
    """Return the argv of the program; what it keeps lies beside the root."""
    roots = [{"path": str(root), "excludes": ["*-shm", *excludes]}]
    wanted = {"roots": roots, "copies": f"{root}.copies", "out": f"{root}.out"}
    return [sys.executable, "-I", "-S", "-", json.dumps(wanted)]


def run(root: Path, *excludes: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(asked(root, *excludes), input=helper("sqlite_sets"), capture_output=True, check=False, timeout=60)


def read(root: Path, *excludes: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the answer and the lines, files' paths relative to the root."""
    done = run(root, *excludes)
    assert done.returncode == 0, done.stderr
    text = Path(f"{root}.out").read_text(encoding="ascii")
    lines = [json.loads(line) for line in text.splitlines()]
    assert not Path(f"{root}.copies").exists()
    return json.loads(done.stdout), [{**line, "file": os.path.relpath(line["file"], root)} for line in lines]


def one(root: Path) -> dict[str, Any]:
    """Return what is told of the one set there is, without its path."""
    [line] = read(root)[1]
    return {name: value for name, value in line.items() if name != "file"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


def test_a_line_tells_of_every_table_that_keeps_rows(root: Path) -> None:
    written(root / "a.sqlite", SCHEMA, rows(0, 40))

    answer, [line] = read(root)

    shadows = {"events_fts_config", "events_fts_data", "events_fts_docsize", "events_fts_idx"}
    assert (line["file"], line["problem"]) == ("a.sqlite", "")
    assert set(line["tables"]) == {"events", "pairs", "counted", "sqlite_sequence", 'odd "name" of a table', *shadows}
    assert {name: line["tables"][name][0] for name in ("events", "pairs", 'odd "name" of a table')} == {
        "events": 40,
        "pairs": 1,
        'odd "name" of a table': 0,
    }
    assert (answer["sets"], answer["tables"], answer["broken"], answer["looked_at"]) == (1, 9, 0, 1)
    assert answer["rows"] == sum(count for count, _ in line["tables"].values())
    assert answer["bytes"] == (root / "a.sqlite").stat().st_size
    assert answer["digest"] == hashlib.sha256(Path(f"{root}.out").read_bytes()).hexdigest()


def test_what_a_killed_core_left_in_the_wal_is_read_and_left_as_it_is(root: Path) -> None:
    left_behind(root / "audit.sqlite")
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.iterdir()}

    line = one(root)

    assert before.keys() == {"audit.sqlite", "audit.sqlite-wal", "audit.sqlite-shm"}
    assert len(before["audit.sqlite"][0]) <= 4096
    assert line["tables"]["events"][0] == 40
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.iterdir()} == before


@pytest.mark.parametrize(
    "script", ["PRAGMA wal_checkpoint(TRUNCATE)", "PRAGMA journal_mode = DELETE", "VACUUM", "ANALYZE", "REINDEX"]
)
def test_what_holds_the_same_rows_is_told_alike(root: Path, script: str) -> None:
    left_behind(root / "audit.sqlite")
    before, bytes_before = one(root), (root / "audit.sqlite").read_bytes()

    written(root / "audit.sqlite", script)

    assert (root / "audit.sqlite").read_bytes() != bytes_before
    assert one(root) == before


def test_neither_the_order_of_rows_nor_their_rowids_nor_the_size_of_pages_is_told(root: Path) -> None:
    plain = "CREATE TABLE t (a, b);"
    values = [insert(f"({number % 7}, 'v{number}')") for number in range(50)]
    written(root / "one", plain, *values)
    written(root / "two", "PRAGMA page_size = 1024;", plain, insert("(0, 0)"), *reversed(values))
    written(root / "two", "DELETE FROM t WHERE rowid = 1")

    _, lines = read(root)

    assert lines[0]["tables"] == lines[1]["tables"]
    assert lines[0]["schema"] == lines[1]["schema"]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE events SET content = x'0000' WHERE id = 'e3'",
        "UPDATE events SET size = 3.5 WHERE id = 'e3'",
        "DELETE FROM events WHERE id = 'e3'",
        "INSERT INTO events (id) VALUES ('e99')",
        "UPDATE pairs SET value = 0",
        "UPDATE sqlite_sequence SET seq = 9",
        "ALTER TABLE counted ADD COLUMN more",
        "DROP INDEX events_time",
        "DROP TRIGGER events_ai",
        "PRAGMA user_version = 8",
        "PRAGMA application_id = 8",
        "INSERT INTO events_fts (events_fts) VALUES ('delete-all')",
    ],
)
def test_what_is_no_longer_the_same_is_told(root: Path, change: str) -> None:
    written(root / "a", SCHEMA, rows(0, 40))
    before = one(root)

    written(root / "a", change)

    assert one(root) != before


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("NULL", "''"),
        ("1", "1.0"),
        ("1", "'1'"),
        ("'ab'", "x'6162'"),
        ("''", "x''"),
        ("'a'", "'a' || char(0) || 'b'"),
        ("1e308 * 10", "'inf'"),
        ("9007199254740993", "9007199254740992"),
        ("0.1 + 0.2", "0.3"),
        ("CAST(x'ff' AS TEXT)", "CAST(x'fe' AS TEXT)"),
    ],
)
def test_values_of_other_types_or_bytes_are_other_values(root: Path, left: str, right: str) -> None:
    for name, value in (("left", left), ("right", right)):
        written(root / name, "CREATE TABLE t (a);", insert(f"({value})"))

    _, lines = read(root)

    assert [line["problem"] for line in lines] == ["", ""]
    assert lines[0]["tables"] != lines[1]["tables"]


def test_equal_rows_count_and_values_do_not_change_places(root: Path) -> None:
    for name, values in (("one", "(1, 2)"), ("two", "(1, 2), (1, 2)"), ("three", "(2, 1), (1, 2)"), ("four", "(1, 1), (2, 2)")):
        written(root / name, "CREATE TABLE t (a, b);", insert(values))

    _, lines = read(root)

    assert len({line["tables"]["t"][1] for line in lines}) == 4


def test_a_transaction_that_was_cut_off_is_taken_back(root: Path) -> None:
    half = "BEGIN; DELETE FROM events;" + "INSERT INTO counted (text) VALUES (randomblob(9000));" * 20
    left_behind(root / "a", last=half, mode="DELETE")
    shutil.copy(root / "a", root / "torn")
    assert (root / "a-journal").stat().st_size

    _, (whole, torn) = read(root)

    assert whole["problem"] == ""
    assert whole["tables"]["events"][0] == 40
    assert torn["tables"] != whole["tables"]
    assert (root / "a-journal").exists()


def test_a_database_that_another_program_has_locked_is_read_as_it_was_before(root: Path) -> None:
    written(root / "a", SCHEMA, rows(0, 40))
    before = one(root)

    with closing(sqlite3.connect(root / "a", isolation_level=None)) as other:
        other.executescript("BEGIN EXCLUSIVE; DELETE FROM events;")

        assert one(root) == before


def test_a_lost_wal_passes_sqlites_own_check_and_is_seen_by_its_rows(root: Path) -> None:
    left_behind(root / "a", SCHEMA + "PRAGMA wal_checkpoint(TRUNCATE);" + rows(0, 40))
    assert one(root)["tables"]["events"][0] == 40

    (root / "a-wal").unlink()

    line = one(root)
    assert (line["problem"], line["tables"]["events"][0]) == ("", 0)


def test_what_is_lost_of_a_set_is_told(root: Path) -> None:
    for name in ("main-lost", "main-emptied", "journal-alone"):
        left_behind(root / name, mode="DELETE" if name == "journal-alone" else "WAL", last="BEGIN; DELETE FROM events;")
    (root / "main-lost").unlink()
    (root / "main-emptied").write_bytes(b"")
    (root / "journal-alone").unlink()
    (root / "journal-alone-journal").write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(504))

    answer, lines = read(root)

    assert {line["file"]: line["problem"] for line in lines} == {
        "journal-alone": "a -journal without a database",
        "main-emptied": "its main file is empty: SQLite throws the -wal away",
        "main-lost": "a -wal without a database",
    }
    assert (answer["sets"], answer["broken"], answer["rows"]) == (3, 3, 0)


def test_what_is_damaged_is_told(root: Path) -> None:
    for name in ("broken-rule", "cut", "garbled", "headless"):
        written(root / name, SCHEMA, rows(0, 400))
    os.truncate(root / "cut", 12_288)
    with (root / "garbled").open("r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 64)
    with (root / "headless").open("r+b") as file:
        file.write(b"not a database any more")
    (root / "headless-wal").write_bytes(b"\x37\x7f\x06\x82" + bytes(28))
    stricter = "UPDATE sqlite_master SET sql = replace(sql, 'time REAL', 'time REAL NOT NULL') WHERE name = 'events'"
    written(root / "broken-rule", insert("('without')", "events (id)"), "PRAGMA writable_schema = ON;", stricter)

    _, lines = read(root)

    problems = {line["file"]: line["problem"] for line in lines}
    assert problems["cut"] == "database disk image is malformed"
    assert problems["garbled"] == "database disk image is malformed"
    assert problems["headless"] == "file is not a database"
    assert problems["broken-rule"] == "NULL value in events.time"
    assert lines[0]["tables"]["events"][0] == 401


def test_a_database_is_known_by_its_beginning_whatever_it_is_called(root: Path) -> None:
    (root / "users").mkdir()
    written(root / "users" / "no suffix \udcff", "CREATE TABLE t (a)")
    (root / "users" / "text.sqlite").write_text("SQLite is only its name", encoding="utf-8")
    (root / "users" / "empty.sqlite").write_bytes(b"")
    written(root / "left-out.sqlite", "CREATE TABLE t (a)")
    (root / "link").symlink_to("users")

    answer, lines = read(root, "left-*")

    assert [line["file"] for line in lines] == ["link/no suffix \udcff", "users/no suffix \udcff"]
    assert answer["looked_at"] == 6


def test_nothing_found_is_said_with_how_much_was_looked_at(root: Path) -> None:
    (root / "scan").write_bytes(b"content")

    answer, lines = read(root)

    assert lines == []
    assert (answer["sets"], answer["rows"], answer["looked_at"]) == (0, 0, 1)


def test_many_files_are_told_in_the_order_of_their_paths(root: Path) -> None:
    for number in range(60):
        written(root / f"{number:02}", "CREATE TABLE t (a)", insert(f"(zeroblob({number * 997 % 60 * 400}))"))

    answer, lines = read(root)

    assert [line["file"] for line in lines] == [f"{number:02}" for number in range(60)]
    assert answer["rows"] == 60
    assert read(root)[0]["digest"] == answer["digest"]


def refused(root: Path) -> str:
    """Return what the program says of what it cannot look at; it leaves nothing behind but its lock."""
    done = run(root)
    assert (done.returncode, done.stdout) == (1, b"")
    assert {path.name for path in root.parent.glob("data.*")} <= {"data.copies.lock"}
    return done.stderr.decode()


def test_no_room_for_the_copies_is_an_error_that_says_how_much_is_needed(root: Path) -> None:
    left_behind(root / "a")
    needed = 2 * (root / "a").stat().st_size + (2 << 42) + (64 << 20)
    os.truncate(root / "a-wal", 1 << 42)  # sparse: it takes no room itself

    said = refused(root)

    problem = f"no room for private copies of SQLite files: {needed:,} bytes are needed, "
    assert said.startswith(f'sqlite_sets: "{root}.copies": {problem}')


def test_a_root_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    assert refused(tmp_path / "data") == f'sqlite_sets: "{tmp_path}/data": No such file or directory\n'


def test_a_ring_of_links_is_an_error_that_names_it(root: Path) -> None:
    (root / "users").mkdir()
    (root / "users" / "up").symlink_to(root)

    assert refused(root) == f'sqlite_sets: "{root}/users/up": a link that leads back to a folder that it lies in\n'


def test_a_file_that_cannot_be_read_is_an_error_that_names_it(root: Path) -> None:
    written(root / "a", "CREATE TABLE t (a)").chmod(0)
    root.parent.chmod(0o777)
    become = [] if os.getuid() else ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
    for folder in root.parent.parents:
        if folder.is_relative_to(tempfile.gettempdir()) and str(folder) != tempfile.gettempdir():
            folder.chmod(folder.stat().st_mode | 0o011)

    done = subprocess.run(
        [*become, "/usr/bin/python3", *asked(root)[1:]], input=helper("sqlite_sets"), capture_output=True, check=False, timeout=60
    )

    assert (done.returncode, done.stderr.decode()) == (1, f'sqlite_sets: "{root}/a": Permission denied\n')


def test_a_set_that_changes_while_it_is_copied_is_an_error_that_names_it(root: Path) -> None:
    written(root / "a", "CREATE TABLE t (a)", "INSERT INTO t VALUES (zeroblob(300000000))")
    with subprocess.Popen(asked(root), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(helper("sqlite_sets"))
        process.stdin.close()
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            os.utime(root / "a")
            time.sleep(0.001)
        assert process.stderr
        said = process.stderr.read().decode()

    assert (process.returncode, said) == (1, f'sqlite_sets: "{root}/a": changed while it was read\n')


def test_ended_meanwhile_it_leaves_no_copies_and_no_children(root: Path) -> None:
    written(root / "a", "CREATE TABLE t (a)", "INSERT INTO t VALUES (zeroblob(200000000))")
    copies = Path(f"{root}.copies")
    with subprocess.Popen(asked(root), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(helper("sqlite_sets"))
        process.stdin.close()
        deadline = time.monotonic() + 60
        while not list(copies.glob("0")) and time.monotonic() < deadline:
            time.sleep(0.001)
        mode = copies.stat().st_mode & 0o777
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text(encoding="ascii").split()
        process.terminate()
        assert process.wait(60) == 1

    assert mode == 0o700
    assert children
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
    assert not copies.exists()


def test_what_a_killed_one_left_is_cleared_by_the_next(root: Path) -> None:
    written(root / "a", "CREATE TABLE t (a)")
    copies = Path(f"{root}.copies")
    (copies / "deep").mkdir(parents=True)
    (copies / "deep" / "0").write_bytes(b"a copy of somebody's data")

    answer, _ = read(root)

    assert answer["sets"] == 1


def test_what_says_nothing_of_the_database_is_no_finding() -> None:
    assert sqlite_sets.NOT_ITS_FAULT.search("database or disk is full")
    assert not sqlite_sets.NOT_ITS_FAULT.search("database disk image is malformed")
