"""What was tried on the frozen source is looked for in its rows, on a real server, and in its files."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from harness import probing
from harness.configuration import Config
from harness.deed import Role
from tests.plans import plan
from tests.unit.cluster import Cluster, Hosts, cluster
from tests.unit.test_databases_compared import config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TABLES = """
CREATE TABLE events (id text, content jsonb);
CREATE TABLE series_data (event_id text, fields jsonb);
CREATE TABLE store_key_values (user_id text, store_id text, key text);
INSERT INTO events VALUES ('e0', '"earlier 4711"');
INSERT INTO series_data VALUES ('e0', '{"value": 4711}');
VACUUM (FREEZE) events;
"""
ROWS, FILES = "rows that hold what was tried", "files in the data roots that have changed since"


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        yield made


@pytest.fixture
def source(server: Cluster) -> Cluster:
    server.sql("DROP DATABASE IF EXISTS pryv")
    server.sql("CREATE DATABASE pryv")
    server.sql(TABLES, "pryv")
    return server


def looked(source: Cluster, folder: Path, sql: str = "", touched: str = "") -> dict[str, object]:
    """Return what is found of a try that did this; two rows from before hold the same text."""
    (folder / "file").touch()
    hosts = Hosts({Role.SOURCE: source})
    values = {**config("pryv").values, "storages.engines.sqlite.path": str(folder)}
    values["storages.engines.filesystem.previewsDirPath"] = str(folder)
    known = Config(values, ())
    since = hosts.drive(probing._now(plan(), known))
    source.sql(sql, "pryv")
    if touched:
        time.sleep(0.02)  # a file's times have the kernel's ticks
        os.utime(folder / touched, (1e9, 1e9))
    tried = probing.Tried("4711", since, "", refused=True)
    return {check.name: check.observed for check in hosts.drive(probing.nowhere(plan(), known, tried)) if not check.held}


def test_a_refused_try_is_nowhere(source: Cluster, tmp_path: Path) -> None:
    assert looked(source, tmp_path, "BEGIN; INSERT INTO events VALUES ('e1', '\"4711\"'); ROLLBACK") == {}


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO events VALUES ('e1', '\"now 4711\"')",
        "UPDATE events SET content = '\"changed to 4711\"'",
        "INSERT INTO series_data VALUES ('e1', '{\"value\": 4711}')",
        "INSERT INTO store_key_values VALUES ('u', 's', '4711')",
    ],
)
def test_a_row_that_holds_it_is_found(source: Cluster, tmp_path: Path, sql: str) -> None:
    assert looked(source, tmp_path, sql) == {ROWS: 1}


def test_a_file_that_has_changed_since_is_found_whatever_its_times_say(source: Cluster, tmp_path: Path) -> None:
    assert looked(source, tmp_path, touched="file") == {FILES: [str(tmp_path / "file")]}
