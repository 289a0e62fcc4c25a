"""Asks a platform's rqlited on this host, reads its files at rest, or tries to reach one from here.

Usage:
  rqlite.py ask PORT            one JSON line {"rows", "users", "core": [values of the row KEY], "node", "leader", "nodes": {id:
      KEY                       address}, "version"}
  rqlite.py rows PORT OUT       writes OUT (0600): a line `sha256(key) sha256(value)` for every row, sorted
  rqlite.py rest FOLDER OUT     the same lines, from a private copy of FOLDER/db.sqlite and its -wal, made beside OUT and removed
  rqlite.py reach ADDRESS PORT... one JSON line {port: "accepts", "refuses" or "does not answer"}

Of a row whose value is written anew by a start or a sign-in (the cores' own, accesses' own) only the key is told.
rqlited is asked at 127.0.0.1, with level=strong: until its log is replayed all other answers may lack rows. An answer's status
tells nothing, a failed read is 200 too: its text is read. What cannot be asked or read is an error that says so, exit 1.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import socket
import sqlite3
import sys
import tempfile
from typing import Any

ANSWER_S = 20.0
REACH_S = 3.0
QUERY = "/db/query?level=strong"
VOLATILE = ("core-info/", "access-index/")
ROWS = "SELECT key, value FROM keyValue"


class Failed(Exception):
    """What could not be asked or read; the text holds no row."""


def answer(port: int, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON is any
    """Return what rqlited answers, as JSON; raises Failed or OSError."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_S)
    try:
        headers = {"Content-Type": "application/json"}
        connection.request("GET" if body is None else "POST", path, json.dumps(body) if body else None, headers)
        found = connection.getresponse()
        text = found.read().decode()
    except http.client.HTTPException as error:
        raise Failed(f"rqlited at port {port}: {type(error).__name__}") from error
    finally:
        connection.close()
    try:
        return json.loads(text)
    except ValueError as error:
        raise Failed(f"rqlited at port {port}: status {found.status}, no JSON") from error


def rows(port: int, sql: str, *parameters: str) -> list[list[Any]]:
    """Return the rows of a query; raises Failed for an error, which comes with status 200 too."""
    told = answer(port, QUERY, [[sql, *parameters]])
    results = told.get("results") or [{}]
    problem = told.get("error") or results[0].get("error")
    if problem or "columns" not in results[0]:
        raise Failed(f"rqlited at port {port} cannot answer for certain: {problem or 'no result'}")
    return results[0].get("values") or []


def asked(port: int, key: str) -> dict[str, Any]:
    """Return what rqlited says of its rows and of itself; the addresses of its nodes are those that it has stored."""
    [[count]] = rows(port, "SELECT count(*) FROM keyValue")
    [[users]] = rows(port, "SELECT count(*) FROM keyValue WHERE key LIKE 'user-core/%'")
    mine = [value for (value,) in rows(port, "SELECT value FROM keyValue WHERE key = ?", key)]
    told = answer(port, "/status")
    store = told["store"]
    nodes = {node["id"]: node["addr"] for node in store["nodes"]}
    leader, version = store["leader"]["addr"], told["build"]["version"]
    return {
        "rows": count,
        "users": users,
        "core": mine,
        "node": store["node_id"],
        "leader": leader,
        "nodes": nodes,
        "version": version,
    }


def lines(found: Any) -> list[str]:  # noqa: ANN401 - rows of either
    """Return the lines of rows, sorted."""
    told = ((key, "" if key.startswith(VOLATILE) else value) for key, value in found)
    return sorted(" ".join(hashlib.sha256(str(cell).encode()).hexdigest() for cell in row) for row in told)


def at_rest(folder: str, out: str) -> list[str]:
    """Return the lines of the rows in a folder's database; raises OSError, sqlite3.Error."""
    with tempfile.TemporaryDirectory(dir=os.path.dirname(out)) as private:  # noqa: PTH120 - one small program without pathlib
        shutil.copyfile(f"{folder}/db.sqlite", f"{private}/db.sqlite")
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(f"{folder}/db.sqlite-wal", f"{private}/db.sqlite-wal")
        with contextlib.closing(sqlite3.connect(f"{private}/db.sqlite")) as database:
            return lines(database.execute(ROWS))


def reached(address: str, port: int) -> str:
    """Return what becomes of a connection from here; raises OSError for what says nothing of that port."""
    try:
        socket.create_connection((address, port), REACH_S).close()
    except ConnectionRefusedError:
        return "refuses"
    except TimeoutError:
        return "does not answer"
    return "accepts"


def main(verb: str, *words: str) -> list[str]:
    """Return the lines to print."""
    if verb == "ask":
        return [json.dumps(asked(int(words[0]), words[1]))]
    if verb in {"rows", "rest"}:
        found = lines(rows(int(words[0]), ROWS)) if verb == "rows" else at_rest(*words)
        with open(words[1], "w", encoding="ascii") as out:  # noqa: PTH123 - as above
            out.write("".join(f"{text}\n" for text in found))
        return [json.dumps({"rows": len(found)})]
    return [json.dumps({port: reached(words[0], int(port)) for port in words[1:]})]


if __name__ == "__main__":
    os.umask(0o077)
    try:
        sys.stdout.write("".join(f"{text}\n" for text in main(*sys.argv[1:])))
    except (Failed, OSError, sqlite3.Error) as error:
        kind = "" if isinstance(error, Failed) else f"{type(error).__name__}: "
        print(f"rqlite: {kind}{error}", file=sys.stderr)  # noqa: T201 - the answer
        sys.exit(1)
