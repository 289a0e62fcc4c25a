"""Fingerprints of a PostgreSQL database's tables, computed on its host, whatever the order of rows: their count and a digest.

Usage: fingerprint.py JSON, an object of
  psql      the argv of psql, with its database
  settings  the server's settings to pin first: name to value

Measured is every table of every schema that is not the server's own. A partitioned table is read through its parent, once, a
parent by inheritance without its children. Large objects, where there are any, are measured as one more table: number, size and
SHA-256 of each. Left out is what an extension brings.

All are read in one transaction, reading only, which sees one state of the database; large tables by several processes of the
server. Nothing but sums reaches this program. Of every row the server writes the values one after the other, as COPY's text has
them, and so that two different rows are never written alike: what could hold the mark that ends a value has its length before
it, and NULL is no text at all. That is hashed to two numbers of 64 bits (hashtextextended, by bytes: PostgreSQL places rows in
partitions by it, so it is the same in every version, for one byte order), and each is summed over all rows. So equal rows count,
and a row that is changed, lost, added or moved to another table changes both sums, but for a chance of one in 2^128. Against
forgery it is no proof.

Printed is one JSON line: {"tables": {name: {"rows": n, "sha256": hex, of the count, both sums and the size, "bytes": n, the size
of all rows as they were written, and for a partitioned table "partitions": names}}, "seconds": wall time}; names are quoted as
SQL has them, without `public.`. When psql fails, or rows lie on another server: exit 1 and the server's first ERROR line, no
other line, as DETAIL, CONTEXT and STATEMENT may hold personal data.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import time
from typing import Any

MOST_WORKERS = 8
WORTH_SHARING_BYTES = 8 << 20
QUIET = ("-X", "-q", "-A", "-t", "-F", " ", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-f", "-")
# One state of the database; rows are read from tables, not from an index; no time is lost on compiling; we say what is shared.
BEGIN = """BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL jit TO off; SET LOCAL enable_indexscan TO off; SET LOCAL enable_indexonlyscan TO off; SET LOCAL enable_bitmapscan TO off;
SET LOCAL parallel_setup_cost TO 0; SET LOCAL min_parallel_table_scan_size TO 0;
"""
# OFFSET: each row is written once, although it is hashed twice; '0' and not 0, which the planner does not share among workers.
SUMS = """SELECT count(*), coalesce(sum(hashtextextended(s.written, 0)), 0), coalesce(sum(hashtextextended(s.written, 1)), 0),
coalesce(sum(octet_length(s.written)), 0) FROM (SELECT {row} COLLATE "C" AS written FROM {source} OFFSET '0') AS s"""
# One JSON line a table: what it is, how one of its rows is written, where they are, the size on the disk, its partitions. Types
# whose values as text are never empty and never hold the mark end with it; a function takes 100 arguments, hence the pieces.
LIST = r"""
WITH own AS (
  SELECT c.oid, c.relkind, c.relispartition, n.nspname, c.relname,
         CASE n.nspname WHEN 'public' THEN '' ELSE quote_ident(n.nspname) || '.' END || quote_ident(c.relname) AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
   WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND NOT EXISTS (
         SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')),
listed AS (
  SELECT own.name, own.relkind AS kind,
         (SELECT CASE count(*) WHEN 0 THEN $$concat('')$$ WHEN 1 THEN min(piece.written)
                 ELSE format('concat(%s)', string_agg(piece.written, ', ' ORDER BY piece.number)) END FROM (
           SELECT (a.attnum - 1) / 30 AS number, 'concat(' || string_agg(CASE
                    WHEN y.typnamespace = 'pg_catalog'::regnamespace AND y.typname IN ('bool', 'int2', 'int4', 'int8', 'float4',
                      'float8', 'numeric', 'money', 'oid', 'date', 'time', 'timetz', 'timestamp', 'timestamptz', 'interval',
                      'uuid', 'json', 'jsonb', 'bytea', 'inet', 'cidr', 'macaddr')
                    THEN format($$t.%I, E'\x1f'$$, a.attname)
                    WHEN y.oid IN ('text'::regtype, 'varchar'::regtype)
                    THEN format($$octet_length(t.%1$I), ':', t.%1$I$$, a.attname)
                    ELSE format($$octet_length(t.%1$I::pg_catalog.text), ':', t.%1$I::pg_catalog.text$$, a.attname) END,
                  ', ' ORDER BY a.attnum) || ')' AS written
             FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
            WHERE a.attrelid = own.oid AND a.attnum > 0 AND NOT a.attisdropped GROUP BY 1) AS piece) AS row,
         format('%s %I.%I AS t', CASE own.relkind WHEN 'r' THEN 'ONLY' END, own.nspname, own.relname) AS source,
         pg_table_size(own.oid) + (SELECT coalesce(sum(pg_table_size(p.relid)), 0) FROM pg_partition_tree(own.oid) AS p) AS size,
         CASE own.relkind WHEN 'p' THEN (
           SELECT json_agg(leaf.name ORDER BY leaf.name COLLATE "C") FROM pg_partition_tree(own.oid) AS p JOIN own AS leaf
               ON leaf.oid = p.relid WHERE p.isleaf) END AS partitions
    FROM own WHERE NOT own.relispartition OR own.relkind = 'f'
  UNION ALL
  SELECT 'large objects', 'l', $$concat(t.oid, ' ', length(lo_get(t.oid)), ' ', sha256(lo_get(t.oid)))$$,
         'pg_largeobject_metadata AS t', 0, NULL
   WHERE EXISTS (SELECT FROM pg_largeobject_metadata))
SELECT json_build_object('name', name, 'kind', kind, 'row', row, 'source', source, 'size', size, 'partitions', partitions)
  FROM listed ORDER BY name COLLATE "C"
"""


class Failed(Exception):
    """A psql failed, or a table cannot be measured; the text is safe to show."""


def quoted(text: str) -> str:
    """Return an SQL string."""
    return "'" + text.replace("'", "''") + "'"


def script(settings: dict[str, str], statements: str) -> bytes:
    """Return what psql is told: to read only, under the pinned settings."""
    pinned = "".join(f"SET {name} TO {quoted(value)};\n" for name, value in settings.items())
    return f"SET default_transaction_read_only TO on;\n{pinned}{statements};\n".encode()


def first_error(raw: bytes) -> str:
    """Return the first line that a server or psql calls an error, or nothing."""
    lines = raw.decode(errors="replace").splitlines()
    return next((text for text in lines if re.search(r"\b(ERROR|FATAL|PANIC|psql: error):", text)), "")


def ask(psql: list[str], told: bytes, names: list[str]) -> list[str]:
    """Return the lines that psql prints; raises Failed, naming what was asked for by the first line that is missing."""
    done = subprocess.run([*psql, *QUIET], input=told, capture_output=True, check=False)
    lines = done.stdout.decode().splitlines()
    if done.returncode:
        what = names[min(len(lines), len(names) - 1)]
        raise Failed(f"{what}: psql ended with exit {done.returncode}: {first_error(done.stderr)}".rstrip(": "))
    return lines


def tables_of(psql: list[str], settings: dict[str, str]) -> list[dict[str, Any]]:
    """Return what there is to measure; raises Failed, also for rows that lie on another server."""
    tables: list[dict[str, Any]] = [json.loads(line) for line in ask(psql, script(settings, LIST), ["list of the tables"])]
    if foreign := [table["name"] for table in tables if table["kind"] == "f"]:
        raise Failed(f"foreign table {', '.join(foreign)}: its rows lie on another server and cannot be measured here")
    return tables


def sums_of(table: dict[str, Any], workers: int) -> str:
    """Return the statements that print a table's count, sums and size; so many of the server's workers help with a large one."""
    help_by = workers if table["size"] >= WORTH_SHARING_BYTES else 0
    return f"SET LOCAL max_parallel_workers_per_gather TO {help_by};\n{SUMS.format(**table)};\n"


def fingerprint(line: str) -> dict[str, Any]:
    """Return the fingerprint that a printed line gives."""
    rows, _, _, size = line.split(" ")
    return {"rows": int(rows), "sha256": hashlib.sha256(line.encode()).hexdigest(), "bytes": int(size)}


def measure(psql: list[str], settings: dict[str, str]) -> dict[str, Any]:
    """Return the fingerprint of every table; raises Failed."""
    tables, workers = tables_of(psql, settings), min(MOST_WORKERS, os.cpu_count() or 1)
    told = script(settings, BEGIN + "".join(sums_of(table, workers) for table in tables) + "COMMIT")
    lines = ask(psql, told, [f"table {table['name']}" for table in tables] or ["no table"])
    found = {table["name"]: fingerprint(line) for table, line in zip(tables, lines, strict=True)}
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
