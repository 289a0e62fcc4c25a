"""How long the fingerprint of one large table takes, beside what else would read the whole of it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from harness.databases.psql import PINNED
from harness.host import helper
from tests.bench.telling import Section, compared, medians
from tests.unit.cluster import Cluster, cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TABLE = """
CREATE TABLE events (user_id text, id text, stream_ids jsonb, time double precision, type text, content jsonb,
                     created double precision, PRIMARY KEY (user_id, id));
INSERT INTO events SELECT 'u' || (g % 100), md5(g::text), '["diary"]', 1750000000 + g * 0.37, 'mass/kg',
       jsonb_build_object('v', g, 't', md5((g * 7)::text)), 1750000000 + g FROM generate_series(1, ROWS) AS g;
VACUUM (FREEZE, ANALYZE) events
"""
HASHED = "SELECT count(*), sum(hashtext(t::text)::bigint) FROM ONLY events AS t"
OURS, QUERY, COPY = "fingerprint.py", "the query of pgcopydb, as the server plans it", "COPY TO STDOUT, piped to sha256sum"
C, ENGLISH = "LOCALE 'C'", "LOCALE 'en_US.UTF-8'"
ICU = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LOCALE 'C'"


def ways(server: Cluster, database: str) -> dict[str, Callable[[], object]]:
    """Return the ways to read the whole table, ours first: started anew each time, as on a host."""
    asked = json.dumps({"psql": server.psql(database), "settings": dict(PINNED)})

    def ours() -> None:
        argv = [sys.executable, "-I", "-S", "-", asked]
        subprocess.run(argv, input=helper("fingerprint"), check=True, stdout=subprocess.DEVNULL)

    def copied() -> None:
        argv = [*server.psql(database), "-Xq", "-c", "COPY events TO STDOUT"]
        with subprocess.Popen(argv, stdout=subprocess.PIPE) as copy:
            subprocess.run(["sha256sum"], stdin=copy.stdout, check=True, stdout=subprocess.DEVNULL)
        assert copy.returncode == 0

    return {
        OURS: ours,
        QUERY: lambda: server.sql(HASHED, database),
        COPY: copied,
    }


def locales() -> Iterator[tuple[str, str]]:
    """Yield the locales to measure with: a name and the words of CREATE DATABASE."""
    yield "C", C
    known = subprocess.run(["locale", "-a"], check=True, capture_output=True, text=True).stdout.split()
    if {"en_US.utf8", "en_US.UTF-8"} & set(known):
        yield "en_US.UTF-8", ENGLISH
    else:
        yield "en-US of ICU, as this machine has no en_US.UTF-8", ICU


def measured(rows: int, times: int) -> Iterator[Section]:
    """Yield what the ways take, for each locale."""
    with cluster() as server:
        for name, words in locales():
            server.sql(f"CREATE DATABASE bench ENCODING 'UTF8' TEMPLATE template0 {words}")
            server.sql(TABLE.replace("ROWS", str(rows)), "bench")
            size = server.sql("SELECT pg_size_pretty(pg_table_size('events'))", "bench")
            found = medians(ways(server, "bench"), times)
            server.sql("DROP DATABASE bench")
            title = f"Fingerprint of {rows:,} rows, collation {name.partition(',')[0]}"
            about = f"A table of {size}, collation {name}. Medians of {times}, start of the programs included."
            yield compared(title, about, found, (QUERY, COPY))
