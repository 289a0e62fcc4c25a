"""Fingerprints of tables, computed on the database's host: row count, SHA-256 and size of what COPY prints.

Usage: fingerprint.py JSON, an object of
  psql        the argv of psql, with its database
  settings    the server's settings to pin first: name to value
  statements  pairs of a table's name and its `COPY (SELECT …) TO STDOUT`

Each table is printed by a psql of its own, a few at the same time, reading only; nothing of it is kept in memory. COPY's text
format writes a newline in a value as two characters, so newlines are rows. Printed is one JSON line: {"tables": {name: {"rows": n,
"sha256": hex, "bytes": n}}, "seconds": wall time}. When a psql fails: exit 1 and the server's first ERROR line, no other line, as
DETAIL, CONTEXT and STATEMENT may hold personal data.
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


class Failed(Exception):
    """A psql failed; the text is safe to show."""


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


def measured(stream: IO[bytes]) -> dict[str, object]:
    """Read a stream to its end; returns its rows, digest and size."""
    digest, rows, size = hashlib.sha256(), 0, 0
    while chunk := stream.read(CHUNK_BYTES):
        digest.update(chunk)
        rows += chunk.count(b"\n")
        size += len(chunk)
    return {"rows": rows, "sha256": digest.hexdigest(), "bytes": size}


def fingerprint(psql: list[str], told: bytes, table: str) -> dict[str, object]:
    """Return the fingerprint of one table; raises Failed."""
    with tempfile.TemporaryFile() as told_file, tempfile.TemporaryFile() as errors:
        told_file.write(told)
        told_file.seek(0)
        argv = [*psql, *QUIET]
        with subprocess.Popen(argv, stdin=told_file, stdout=subprocess.PIPE, stderr=errors) as process:
            found = measured(process.stdout)  # type: ignore[arg-type] # it is a pipe
        if process.returncode:
            errors.seek(0)
            why = first_error(errors.read(LARGEST_ERROR_BYTES))
            raise Failed(f"table {table}: psql ended with exit {process.returncode}: {why}".rstrip(": "))
    return found


def main(asked: dict[str, Any]) -> int:
    """Fingerprint every table and print the answer; returns the exit code."""
    began = time.monotonic()
    with ThreadPoolExecutor(min(MOST_AT_ONCE, os.cpu_count() or 1)) as pool:
        begun = [
            (table, pool.submit(fingerprint, asked["psql"], script(asked["settings"], statement), table))
            for table, statement in asked["statements"]
        ]
        try:
            tables = {table: future.result() for table, future in begun}
        except (Failed, OSError) as error:
            for _, future in begun:
                future.cancel()
            print(f"fingerprint: {error}", file=sys.stderr)  # noqa: T201 - the answer
            return 1
    print(json.dumps({"tables": tables, "seconds": round(time.monotonic() - began, 3)}))  # noqa: T201 - the answer
    return 0


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
