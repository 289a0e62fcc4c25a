r"""What every SQLite database below some folders holds: the same whatever its pages, its -wal, or the order of its rows.

Usage: sqlite_sets.py JSON, an object of
  roots   the folders, each {"path": folder, "excludes": [globs]}; what matches is left out, as in manifest.py; links are followed
  copies  a folder for private copies, made here (mode 0700) and removed again
  out     FILE

A set is a database with its -wal and its -journal. Newer rows lie in the -wal: opened without it they are lost, opened in place it
is folded in. So each set is copied, and the copy is opened. A database is known by how it begins, whatever it is called, or by a
-wal or -journal beside it. A -wal or -journal whose database is gone is a set too, and not whole.

A line of FILE is a JSON object, one for each set, in the order of their paths:
  file     its path
  problem  why it is not whole: what PRAGMA integrity_check finds, or why it cannot be opened; "" when it is
  schema   SHA-256 of its schema, user_version, application_id and encoding
  tables   name: [rows, SHA-256 of the rows' count and sum]
Of every row Python writes the stored values with their types (NULL, integer, real, text, blob); that is hashed (BLAKE2b, 128 bits)
and summed over all rows. So equal rows count, and a row that is changed, lost or added changes the sum, but for a chance of one in
2^128. Against forgery it is no proof. Virtual tables are read by the tables that they keep their rows in. Left out are rowids that
no column names, generated columns that are not stored, and the planner's statistics (sqlite_stat*).

FILE is written as FILE.part and renamed (mode 0600). Printed is one JSON line: {"digest": sha256 of FILE, "sets": lines, "tables",
"rows", "bytes": of the sets, "broken": sets with a problem, "looked_at": files whose beginning was read, "seconds": wall time}.
What cannot be read, changes meanwhile or has no room to be copied is an error that names it, exit 1, and no FILE.
"""

from __future__ import annotations

import contextlib
import fcntl
import fnmatch
import hashlib
import heapq
import json
import os
import re
import shutil
import signal
import sqlite3
import sys
import time
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"SQLite format 3\0"
# How a -wal and a -journal begin: https://sqlite.org/fileformat2.html
BESIDE = {"-wal": (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"), "-journal": (b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7",)}
MOST_WORKERS = 8
SPARE_BYTES = 64 << 20
FICLONE = 0x40049409  # ioctl of linux/fs.h: the copy shares its blocks, where the file system can
UNREAD: dict[str, Any] = {"schema": "", "tables": {}}
# What SQLite says when that is no fault of the database's: then nothing is known of it.
NOT_ITS_FAULT = re.compile("disk I/O error|disk is full|unable to open|out of memory|is locked|readonly database")
# Asks a table itself, not an index that has all the columns; of generated columns (hidden) for those that are stored (3).
EVERY_ROW = """
SELECT printf('SELECT %s FROM "%w" NOT INDEXED', group_concat(printf('"%w"', name), ', '), ?1)
  FROM (SELECT name FROM pragma_table_xinfo(?1) WHERE hidden IN (0, 3) ORDER BY cid)
"""
SCHEMA = r"SELECT type, name, tbl_name, sql, rootpage FROM sqlite_master WHERE name NOT LIKE 'sqlite\_stat%' ESCAPE '\'"


class Failed(Exception):
    """What could not be looked at; the text names it."""


class Found(NamedTuple):
    """A set: the path of its database, which of its files are there ("" is the database itself), and their bytes."""

    path: str
    members: tuple[str, ...]
    size: int


def named(path: str, problem: object) -> str:
    """Return the path, in quotes and escaped as JSON, so that whoever shows it sees where it ends, and what is wrong with it."""
    return f"{json.dumps(path)}: {problem}"


def said(error: Exception) -> str:
    """Return what an error says, and of which path; of one that is not ours its kind, as its text may be out of a database."""
    if isinstance(error, OSError) and error.filename:
        return named(str(error.filename), error.strerror)
    return str(error) if isinstance(error, (Failed, OSError)) else type(error).__name__


def folders(root: str, excludes: list[str]) -> Iterator[tuple[str, set[str]]]:
    """Yield each folder with the names of its files, links followed; raises OSError or Failed for what cannot be listed."""
    matches = [re.compile(fnmatch.translate(glob.lstrip("/"))).match for glob in excludes]
    waiting: list[tuple[str, str, frozenset[tuple[int, int]]]] = [(root, "", frozenset())]
    while waiting:
        path, prefix, above = waiting.pop()
        facts = os.stat(path)  # noqa: PTH116 - one small program without pathlib starts faster
        me = (facts.st_dev, facts.st_ino)
        if me in above:
            raise Failed(named(path, "a link that leads back to a folder that it lies in"))
        with os.scandir(path) as listed:
            entries = [entry for entry in listed if not any(match(prefix + entry.name) for match in matches)]
        waiting += [(entry.path, f"{prefix}{entry.name}/", above | {me}) for entry in entries if entry.is_dir()]
        yield path, {entry.name for entry in entries if entry.is_file()}


def beginning(path: str) -> bytes:
    """Return the first bytes of a file; raises OSError."""
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - as above
        return file.read(len(MAGIC))


def sets_in(folder: str, files: set[str]) -> Iterator[Found]:
    """Yield the sets of a folder."""
    names = set()
    for name in files:
        begins = beginning(f"{folder}/{name}")
        if begins == MAGIC:
            names.add(name)
        for suffix, magics in BESIDE.items():
            if name.endswith(suffix) and begins.startswith(magics):
                names.add(name[: -len(suffix)])
    for name in names:
        members = tuple(suffix for suffix in ("", *BESIDE) if name + suffix in files)
        sizes = [os.stat(f"{folder}/{name}{suffix}").st_size for suffix in members]  # noqa: PTH116 - as above
        yield Found(f"{folder}/{name}", members, sum(sizes))


def facts_of(path: str) -> list[tuple[int, ...]]:
    """Return what tells whether the files of a set have changed; nothing for one that is not there."""
    found: list[tuple[int, ...]] = []
    for suffix in ("", *BESIDE):
        with contextlib.suppress(FileNotFoundError):
            facts = os.stat(path + suffix)  # noqa: PTH116 - as above
            found.append((facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns))
    return found


def copied(one: Found, to: str) -> None:
    """Copy a set, sharing its blocks where the file system can; raises Failed when it did not hold still, or OSError."""
    before = facts_of(one.path)
    for suffix in one.members:
        with open(one.path + suffix, "rb") as source, open(to + suffix, "wb") as target:  # noqa: PTH123 - as above
            try:
                fcntl.ioctl(target.fileno(), FICLONE, source.fileno())
            except OSError:
                shutil.copyfileobj(source, target)
    if facts_of(one.path) != before:
        raise Failed(named(one.path, "changed while it was read"))


def rows_of(connection: sqlite3.Connection, table: str) -> list[object]:
    """Return the count and the digest of a table's rows, in whatever order they come; raises sqlite3.Error."""
    [(every_row,)] = connection.execute(EVERY_ROW, (table,))
    rows = total = 0
    for row in connection.execute(bytes(every_row).decode()):
        rows += 1
        total += int.from_bytes(hashlib.blake2b(repr(row).encode(), digest_size=16).digest(), "big")
    return [rows, hashlib.sha256(f"{rows} {total % (1 << 128)}".encode()).hexdigest()]


def content(connection: sqlite3.Connection) -> dict[str, Any]:
    """Return what a database holds; raises sqlite3.Error."""
    found = [text for (text,) in connection.execute("PRAGMA integrity_check(3)")]
    objects = connection.execute(SCHEMA).fetchall()
    facts = [connection.execute(f"PRAGMA {name}").fetchone() for name in ("user_version", "application_id", "encoding")]
    schema = repr((facts, sorted(map(repr, (one[:4] for one in objects)))))
    # From here on a text is a bytearray and a blob is bytes: their types are told apart, and no text has to be UTF-8.
    connection.text_factory = bytearray
    tables = {name: rows_of(connection, name) for kind, name, _, _, page in sorted(objects, key=repr) if kind == "table" and page}
    problem = "" if found == ["ok"] else "; ".join(found)
    return {"problem": problem, "schema": hashlib.sha256(schema.encode()).hexdigest(), "tables": tables}


def opened(path: str) -> sqlite3.Connection:
    """Open a copy, for us alone: so that no -shm is made, nothing is waited for, and its schema runs no functions of its own."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=0)
    connection.executescript("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = OFF; PRAGMA trusted_schema = OFF")
    return connection


def inspected(one: Found, to: str) -> dict[str, Any]:
    """Return what a set holds, read in a copy that is removed again; raises Failed or OSError."""
    if "" not in one.members:
        return {**UNREAD, "problem": f"a {' and a '.join(one.members)} without a database"}
    try:
        copied(one, to)
        if "-wal" in one.members and not os.path.getsize(to) and os.path.getsize(f"{to}-wal"):  # noqa: PTH202 - as above
            return {**UNREAD, "problem": "its main file is empty: SQLite throws the -wal away"}
        with contextlib.closing(opened(to)) as connection:
            return content(connection)
    except sqlite3.Error as error:
        if NOT_ITS_FAULT.search(str(error)):
            raise Failed(named(one.path, error)) from error
        return {**UNREAD, "problem": str(error).partition(" with text ")[0]}  # what follows would be a text out of it
    finally:
        for suffix in ("", *BESIDE):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(to + suffix)  # noqa: PTH108 - as above


def child(sets: list[Found], number: int, copies: str) -> int:
    """Start a child process that writes the lines of some sets, or why it could not; returns its pid."""
    if pid := os.fork():
        return pid
    try:
        with open(f"{copies}/lines-{number}", "w", encoding="ascii") as out:  # noqa: PTH123 - as above
            out.writelines(json.dumps({"file": one.path, **inspected(one, f"{copies}/{number}")}) + "\n" for one in sorted(sets))
        os._exit(0)
    except Exception as error:  # noqa: BLE001 - whatever it was, the parent tells it
        with open(f"{copies}/failed", "w", encoding="utf-8") as out:  # noqa: PTH123 - as above
            out.write(said(error))
    finally:
        os._exit(1)  # whatever happened, a child never goes on as its parent


def read_all(sets: list[Found], copies: str) -> Iterator[str]:
    """Read sets in as many processes as there are cores, then yield their lines in order; raises Failed."""
    count = max(1, min(MOST_WORKERS, len(os.sched_getaffinity(0)), len(sets)))
    by_size = sorted(sets, key=lambda one: one.size, reverse=True)
    demand_room(copies, 2 * sum(one.size for one in by_size[:count]))  # a -wal is folded into its copy as it is closed
    children: set[int] = set()
    try:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # no child is forked and forgotten
        children.update(child(by_size[number::count], number, copies) for number in range(count))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        while children:
            pid, status = os.wait()
            children.discard(pid)
            if status:
                with open(f"{copies}/failed", "a+", encoding="utf-8") as told:  # noqa: PTH123 - as above
                    told.seek(0)
                    raise Failed(told.read() or "a process that reads SQLite files was killed")
    finally:
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
    parts = [open(f"{copies}/lines-{number}", encoding="ascii") for number in range(count)]  # noqa: PTH123, SIM115 - one by one
    yield from heapq.merge(*parts, key=lambda line: str(json.loads(line)["file"]))


def demand_room(folder: str, needed: int) -> None:
    """Raise Failed when a folder has no room for so many bytes and some to spare."""
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        problem = f"no room for private copies of SQLite files: {needed + SPARE_BYTES:,} bytes are needed, {free:,} are free"
        raise Failed(named(folder, problem))


@contextlib.contextmanager
def private(copies: str) -> Iterator[None]:
    """Make the folder of copies, for one program at a time, and remove it with all that is in it; also what a killed one left."""
    with open(f"{copies}.lock", "wb") as lock:  # noqa: PTH123 - as above
        fcntl.flock(lock, fcntl.LOCK_EX)  # children hold it too: nobody clears what one of them still writes
        shutil.rmtree(copies, ignore_errors=True)
        os.mkdir(copies, 0o700)  # noqa: PTH102 - as above
        try:
            yield
        finally:
            shutil.rmtree(copies)


def write(asked: dict[str, Any], part: str) -> dict[str, object]:
    """Write the lines; returns the answer without its seconds."""
    sets: list[Found] = []
    counts = dict.fromkeys(("sets", "tables", "rows", "bytes", "broken", "looked_at"), 0)
    for root in asked["roots"]:
        for folder, files in folders(root["path"], root["excludes"]):
            counts["looked_at"] += len(files)
            sets += sets_in(folder, files)
    counts["sets"], counts["bytes"], digest = len(sets), sum(one.size for one in sets), hashlib.sha256()
    with private(asked["copies"]), open(part, "w", encoding="ascii") as out:  # noqa: PTH123 - as above
        for line in read_all(sets, asked["copies"]):
            out.write(line)
            digest.update(line.encode())
            one = json.loads(line)
            counts["tables"] += len(one["tables"])
            counts["rows"] += sum(count for count, _ in one["tables"].values())
            counts["broken"] += bool(one["problem"])
    return {"digest": digest.hexdigest(), **counts}


def main() -> int:
    """Write FILE and print what it is; returns the exit code."""
    asked, began = json.loads(sys.argv[1]), time.monotonic()
    part = f"{asked['out']}.part"
    os.umask(0o077)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that copies are removed then too
    try:
        answer = write(asked, part)
        os.replace(part, asked["out"])  # noqa: PTH105 - as above
    except (OSError, Failed) as error:
        print(f"sqlite_sets: {said(error)}", file=sys.stderr)  # noqa: T201 - the answer
        return 1
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(part)  # noqa: PTH108 - as above
    print(json.dumps({**answer, "seconds": round(time.monotonic() - began, 3)}))  # noqa: T201 - the answer
    return 0


if __name__ == "__main__":
    sys.exit(main())
