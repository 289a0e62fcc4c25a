"""Tells how many requests stand in access logs, how many of them since a moment, and when the last one came.

Usage: requests.py SINCE FILE…   (SINCE in seconds since 1970; a file that is not there is passed over; those of gzip are not read)

Printed is JSON: {"files", "lines", "timed", "since", "last", "now"}: files read, their lines, those with a time in brackets as
nginx and Apache write it, those at or after SINCE, the newest time (null: none), the clock.
"""

from __future__ import annotations

import json
import re
import sys
import time
from datetime import datetime
from typing import Any

TIME = re.compile(r"\[(\d\d/\w{3}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]")


def moment(line: str) -> float | None:
    """Return the time of a request, in seconds since 1970."""
    found = TIME.search(line)
    return datetime.strptime(found[1], "%d/%b/%Y:%H:%M:%S %z").timestamp() if found else None


def main(since: float, paths: list[str]) -> dict[str, Any]:
    """Read the logs, line by line."""
    told: dict[str, Any] = {"files": 0, "lines": 0, "timed": 0, "since": 0, "last": None}
    for path in paths:
        try:
            file = open(path, encoding="utf-8", errors="replace")  # noqa: PTH123, SIM115 - one small program; closed below
        except FileNotFoundError:
            continue
        with file:
            told["files"] += 1
            for line in file:
                told["lines"] += 1
                if (at := moment(line)) is None:
                    continue
                told["timed"] += 1
                told["last"] = max(at, told["last"] or at)
                told["since"] += at >= since
    return {**told, "now": time.time()}


if __name__ == "__main__":
    print(json.dumps(main(float(sys.argv[1]), sys.argv[2:])))  # noqa: T201 - the answer
