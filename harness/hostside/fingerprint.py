"""Fingerprints of a PostgreSQL database's tables, computed on its host: row count, SHA-256 and size of what COPY prints.

Usage: fingerprint.py JSON, an object of
  psql      the argv of psql, with its database
  settings  the server's settings to pin first: name to value

Measured is every table of every schema that is not the server's own. A partitioned table is read through its parent, once, a
parent by inheritance without its children. Rows are ordered by the primary key, else by their whole text (so that equal rows are
counted); what sorts by a locale is sorted by its bytes, so that the order is the same on every host. Large objects, where there
are any, are measured as one more table: number, size and SHA-256 of each. Left out is what an extension brings.

Each table is printed by a psql of its own, a few at the same time, reading only; nothing of it is kept in memory. COPY's text
format writes a newline in a value as two characters, so newlines are rows. Printed is one JSON line: {"tables": {name: {"rows": n,
"sha256": hex, "bytes": n, and for a partitioned table "partitions": names}}, "seconds": wall time}; names are quoted as SQL has
them, without `public.`. When a psql fails, or rows lie on another server: exit 1 and the server's first ERROR line, no other line,
as DETAIL, CONTEXT and STATEMENT may hold personal data.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

CHUNK_BYTES = 1 << 18
MOST_AT_ONCE = 4
LARGEST_ERROR_BYTES = 1 << 16
QUIET = ("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-f", "-")
# One JSON line a table: what it is, the COPY that prints its rows in an order that is the same on every host, its partitions.
LIST = """
WITH own AS (
  SELECT c.oid, c.relkind, c.relispartition, n.nspname, c.relname,
         CASE n.nspname WHEN 'public' THEN '' ELSE quote_ident(n.nspname) || '.' END || quote_ident(c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (
         SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')),
listed AS (
  SELECT own.name, own.relkind AS kind,
         format('COPY (SELECT %s FROM %s %I.%I AS t ORDER BY %s) TO STDOUT',
           (SELECT string_agg('t.' || quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
             WHERE a.attrelid = own.oid AND a.attnum > 0 AND NOT a.attisdropped),
           CASE own.relkind WHEN 'r' THEN 'ONLY' END, own.nspname, own.relname,
           coalesce((
             SELECT string_agg('t.' || quote_ident(a.attname)
                      || CASE WHEN y.typcategory IN ('N', 'D', 'B', 'T') OR y.typname = 'uuid' THEN ''
                              ELSE '::pg_catalog.text COLLATE "C"' END, ', ' ORDER BY k.place)
               FROM pg_index i, unnest(i.indkey::int[]) WITH ORDINALITY AS k(attnum, place), pg_attribute a, pg_type y
              WHERE i.indrelid = own.oid AND i.indisprimary AND a.attrelid = own.oid AND a.attnum = k.attnum
                AND y.oid = a.atttypid),
             't.*::pg_catalog.text COLLATE "C"')) AS copy,
         CASE own.relkind WHEN 'p' THEN (
           SELECT json_agg(leaf.name ORDER BY leaf.name COLLATE "C") FROM pg_partition_tree(own.oid) AS p JOIN own AS leaf
               ON leaf.oid = p.relid WHERE p.isleaf) END AS partitions
    FROM own WHERE NOT own.relispartition OR own.relkind = 'f'
  UNION ALL
  SELECT 'large objects', 'l', 'COPY (SELECT m.oid, length(lo_get(m.oid)), sha256(lo_get(m.oid))'
         ' FROM pg_largeobject_metadata m ORDER BY m.oid) TO STDOUT', NULL
   WHERE EXISTS (SELECT FROM pg_largeobject_metadata))
SELECT json_build_object('name', name, 'kind', kind, 'copy', copy, 'partitions', partitions) FROM listed ORDER BY name COLLATE "C"
"""


class Failed(Exception):
    """A psql failed, or a table cannot be measured; the text is safe to show."""


def quoted(text: str) -> str:
    """Return an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def script(settings: dict[str, str], statement: str) -> bytes:
    """Return what psql is told: to read only, under the pinned settings, and to print one table."""
    pinned = "".join(f"SET {name} TO {quoted(value)};\n" for name, value in settings.items())
    return f"SET default_transaction_read_only TO on;\n{pinned}{statement};\n".encode()


def first_error(raw: bytes) -> str:
    """Return the first line that a server or psql calls an error, or nothing."""
    lines = raw.decode(errors="replace").splitlines()
    return next((text for text in lines if re.search(r"\b(ERROR|FATAL|PANIC|psql: error):", text)), "")


def measured(stream: IO[bytes]) -> dict[str, Any]:
    """Read a stream to its end; returns its rows, digest and size."""
    digest, rows, size = hashlib.sha256(), 0, 0
    while chunk := stream.read(CHUNK_BYTES):
        digest.update(chunk)
        rows += chunk.count(b"\n")
        size += len(chunk)
    return {"rows": rows, "sha256": digest.hexdigest(), "bytes": size}


def fingerprint(psql: list[str], told: bytes, what: str) -> dict[str, Any]:
    """Return the fingerprint of what one psql prints; raises Failed."""
    with tempfile.TemporaryFile() as told_file, tempfile.TemporaryFile() as errors:
        told_file.write(told)
        told_file.seek(0)
        argv = [*psql, *QUIET]
        with subprocess.Popen(argv, stdin=told_file, stdout=subprocess.PIPE, stderr=errors) as process:
            found = measured(process.stdout)  # type: ignore[arg-type] # it is a pipe
        if process.returncode:
            errors.seek(0)
            raise failure(what, process.returncode, errors.read(LARGEST_ERROR_BYTES))
    return found


def failure(what: str, code: int, errors: bytes) -> Failed:
    """Return the error of a psql that failed."""
    return Failed(f"{what}: psql ended with exit {code}: {first_error(errors)}".rstrip(": "))


def tables_of(psql: list[str], settings: dict[str, str]) -> list[dict[str, Any]]:
    """Return what there is to measure; raises Failed, also for rows that lie on another server."""
    listed = subprocess.run([*psql, *QUIET], input=script(settings, LIST), capture_output=True, check=False)
    if listed.returncode:
        raise failure("list of the tables", listed.returncode, listed.stderr)
    tables: list[dict[str, Any]] = [json.loads(line) for line in listed.stdout.splitlines()]
    if foreign := [table["name"] for table in tables if table["kind"] == "f"]:
        raise Failed(f"foreign table {', '.join(foreign)}: its rows lie on another server and cannot be measured here")
    return tables


def measure(psql: list[str], settings: dict[str, str]) -> dict[str, Any]:
    """Return the fingerprint of every table; raises Failed."""
    tables = tables_of(psql, settings)
    with ThreadPoolExecutor(min(MOST_AT_ONCE, os.cpu_count() or 1)) as pool:
        begun = {
            table["name"]: pool.submit(fingerprint, psql, script(settings, table["copy"]), f"table {table['name']}")
            for table in tables
        }
        try:
            found = {name: future.result() for name, future in begun.items()}
        finally:
            for future in begun.values():
                future.cancel()
    for table in tables:
        if table["kind"] == "p":
            found[table["name"]]["partitions"] = table["partitions"] or []
    return found


def main(asked: dict[str, Any]) -> int:
    """Fingerprint every table and print the answer; returns the exit code."""
    began = time.monotonic()
    try:
        tables = measure(asked["psql"], asked["settings"])
    except (Failed, OSError) as error:
        print(f"fingerprint: {error}", file=sys.stderr)  # noqa: T201 - the answer
        return 1
    print(json.dumps({"tables": tables, "seconds": round(time.monotonic() - began, 3)}))  # noqa: T201 - the answer
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
