"""How many rows of each table a PostgreSQL dump holds, read to its end on its host without a server.

Usage: dumped.py PATH PROGRAM ARGUMENT…: the dump goes to the program's stdin, which prints it as SQL (pg_restore --data-only -f -).
Printed is one JSON line: {table: rows}, names quoted as SQL has them, without `public.`. When the program fails: exit 1 and its
exit code; nothing that it prints is shown, as it is the data itself.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import IO

PIECE_BYTES = 1 << 16
LONGEST_STATEMENT_BYTES = 1 << 20
COPY = re.compile(rb'COPY ((?:"(?:[^"]|"")+"|[^\s."(]+)\.(?:"(?:[^"]|"")+"|[^\s."(]+)) .*FROM stdin;\n\Z', re.DOTALL)
END = b"\\.\n"


def data_rows(stream: IO[bytes]) -> int:
    """Count the rows of one table up to COPY's end mark; memory does not grow with their length."""
    rows, at_start = 0, True
    while piece := stream.readline(PIECE_BYTES):
        if at_start and piece == END:
            return rows
        at_start = piece.endswith(b"\n")
        rows += at_start
    raise EOFError("the dump ends within a table")


def counted(stream: IO[bytes]) -> dict[str, int]:
    """Return the rows of every table in an SQL script that holds data alone."""
    tables: dict[str, int] = {}
    statement = b""
    while piece := stream.readline(PIECE_BYTES):
        statement = statement + piece if statement else piece if piece.startswith(b"COPY ") else b""
        if found := COPY.match(statement):
            name = found[1].decode().removeprefix("public.")
            tables[name] = tables.get(name, 0) + data_rows(stream)
            statement = b""
        elif len(statement) > LONGEST_STATEMENT_BYTES:
            raise EOFError("a statement of the dump has no end")
    return tables


def main(path: str, argv: list[str]) -> int:
    """Count and print; returns the exit code."""
    with open(path, "rb") as dump, subprocess.Popen(argv, stdin=dump, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:  # noqa: PTH123 - a plain path
        try:
            tables = counted(process.stdout)  # type: ignore[arg-type] # it is a pipe
        except EOFError as error:
            process.kill()
            print(f"dumped: {error}", file=sys.stderr)  # noqa: T201 - the answer
            return 1
    if process.returncode:
        print(f"dumped: the dump is not whole: exit {process.returncode}", file=sys.stderr)  # noqa: T201 - the answer
        return 1
    print(json.dumps(tables))  # noqa: T201 - the answer
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
