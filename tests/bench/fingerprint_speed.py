"""How long the fingerprint of one large table takes, beside what else would read the whole of it.

Usage: python -m tests.bench.fingerprint_speed [ROWS]   (1,000,000 unless said; about 30 s, on a throw-away PostgreSQL)
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from harness.databases.psql import PINNED
from harness.host import helper
from tests.unit.cluster import Cluster, cluster

if TYPE_CHECKING:
    from collections.abc import Callable

TIMES = 3
TABLE = """
CREATE TABLE events (user_id text, id text, stream_ids jsonb, time double precision, type text, content jsonb,
                     created double precision, PRIMARY KEY (user_id, id));
INSERT INTO events SELECT 'u' || (g % 100), md5(g::text), '["diary"]', 1750000000 + g * 0.37, 'mass/kg',
       jsonb_build_object('v', g, 't', md5((g * 7)::text)), 1750000000 + g FROM generate_series(1, ROWS) AS g;
VACUUM ANALYZE events
"""
HASHED = "SELECT count(*), sum(hashtext(t::text)) FROM events AS t"


def best_of(run: Callable[[], object]) -> float:
    """Return the shortest of a few runs, in seconds."""
    seconds = []
    for _ in range(TIMES):
        began = time.monotonic()
        run()
        seconds.append(time.monotonic() - began)
    return min(seconds)


def ways(server: Cluster) -> dict[str, Callable[[], object]]:
    """Return the ways to read the whole table, ours first."""
    psql = [*server.psql(), "-Xq"]
    asked = json.dumps({"psql": server.psql(), "settings": dict(PINNED)})

    def ours() -> None:
        argv = [sys.executable, "-I", "-S", "-", asked]
        subprocess.run(argv, input=helper("fingerprint"), check=True, stdout=subprocess.DEVNULL)

    def copied() -> None:
        with subprocess.Popen([*psql, "-c", "COPY events TO STDOUT"], stdout=subprocess.PIPE) as copy:
            subprocess.run(["sha256sum"], stdin=copy.stdout, check=True, stdout=subprocess.DEVNULL)

    def hashed(*settings: str) -> None:
        server.sql(f"{''.join(f'SET {one};' for one in settings)}{HASHED}")

    return {
        "fingerprint (ordered, SHA-256 of every row's text)": ours,
        "COPY events TO STDOUT | sha256sum (order of the disk)": copied,
        "count(*), sum(hashtext(t::text)), one process": lambda: hashed("max_parallel_workers_per_gather = 0"),
        "count(*), sum(hashtext(t::text)), parallel": hashed,
    }


def main(words: list[str]) -> None:
    """Measure and print."""
    rows = int(words[0]) if words else 1_000_000
    with cluster() as server:
        server.sql(TABLE.replace("ROWS", str(rows)))
        size = server.sql("SELECT pg_size_pretty(pg_table_size('events'))")
        sys.stdout.write(f"{rows:,} rows, {size}; best of {TIMES}\n")
        for name, run in ways(server).items():
            sys.stdout.write(f"{best_of(run):8.2f} s  {name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
