"""The stand-in as a process: how it starts, stops, crashes, refuses, and moves."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from fixtures.standin.app.core.schema import TABLES

from .lifecycle import WHOLE, at, became, lines, pid_of, running, said, served, standin_only
from .stage import IP, PROGRAMS, Stage, answers, until

pytestmark = standin_only


def test_it_starts_in_the_documented_order_and_says_ready_too_early(stopped: Stage) -> None:
    began = time.monotonic()
    with running(stopped):
        assert time.monotonic() - began < 2  # 0.4 s on an idle machine
        said(stopped, "[hfs-server-hfs0:server] started.")
        order = [
            "[master] Platform engine 'postgresql' — not starting rqlited",
            "[master] Running pending schema migrations...",
            "migration",
            "[master] TCP pub/sub broker started",
            "[master] [cluster_kv] cluster_kv master started",
            "[master] API worker w0 started (pid ",
            "[master] HFS worker hfs0 started (pid ",
            "[master] Previews worker prev0 started (pid ",
            "[master] Master process ready",
            "listening on",
        ]
        numbers = [at(stopped, text) for text in order]
        assert numbers == sorted(numbers)
        assert sum("Master process ready" in line for line in lines(stopped)) == 2
        assert [answers(f"http://{IP}:{stopped.config['http'][port]}/") for port in ("port", "hfsPort", "previewsPort")] == [
            True
        ] * 3


def test_the_tables_are_the_real_ones_and_each_has_a_key(stopped: Stage) -> None:
    with running(stopped):
        sql = """SELECT c.relname, bool_or(i.indisprimary), pg_get_userbyid(c.relowner) FROM pg_class c LEFT JOIN pg_index i ON
                 i.indrelid = c.oid WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1, 3"""
        found = stopped.postgres.sql(sql, database="pryv")
        indexes = stopped.postgres.sql("SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'", database="pryv")
        versions = stopped.postgres.sql("SELECT version FROM schema_migrations ORDER BY 1", database="pryv")
        row = stopped.postgres.sql("SELECT value::jsonb FROM platform_kv WHERE key = 'core-info/single'", database="pryv")
    assert len(TABLES) == 18
    assert sorted(found) == [(name, True, "pryv") for name in sorted(TABLES)]
    assert any("NULLS NOT DISTINCT" in text for (text,) in indexes)
    assert versions == [(1,), (2,), (3,)]
    assert row[0][0] == {"id": "single", "url": "http://core.test:3000/", "ip": IP, "available": True}


def test_a_stop_is_clean_and_leaves_the_wal_which_is_the_data(stopped: Stage, known: dict[str, Any], tmp_path: Path) -> None:
    with running(stopped) as client:
        assert served(client, known) == WHOLE
        began = time.monotonic()
        assert stopped.stop() == 0
        assert time.monotonic() - began < 2
    assert lines(stopped)[-1] == "[master] All workers stopped, master exiting"
    assert at(stopped, "[master] Received SIGTERM, shutting down workers...") < len(lines(stopped)) - 1
    assert (stopped.users / "audit-db-version-1.0.0.txt").is_file()
    (wal,) = stopped.users.glob("*/*/*/*/audit-1.0.0.sqlite-wal")
    user_id = wal.parent.name
    assert wal.parent.parent.parts[-3:] == (user_id[-1], user_id[-2], user_id[-3])
    main = wal.with_name("audit-1.0.0.sqlite")
    alone = shutil.copy(main, tmp_path / "alone.sqlite")
    whole = shutil.copy(main, tmp_path / "whole.sqlite")
    shutil.copy(wal, tmp_path / "whole.sqlite-wal")
    assert rows(Path(whole)) > rows(Path(alone))


def rows(file: Path) -> int:
    """Return how many audit events a SQLite file has; none, when not even its table is there."""
    connection = sqlite3.connect(file)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with suppress(sqlite3.OperationalError):
            return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])
        return 0
    finally:
        connection.close()


def test_killing_the_master_takes_the_workers_along_and_loses_nothing(stopped: Stage, known: dict[str, Any]) -> None:
    with running(stopped) as client:
        became(client, known["client"])
        made = [client.event()["id"] for _ in range(20)]
        assert stopped.stop(signal.SIGKILL) == -signal.SIGKILL
        url = f"{stopped.url}/"
        until(lambda: answers(url) is None or None, lambda: "a worker outlived its master")
    with running(stopped) as client:
        became(client, known["client"])
        assert [client.get(f"/events/{one}").status_code for one in made] == [200] * 20


def test_a_killed_worker_is_started_again(stopped: Stage, known: dict[str, Any]) -> None:
    with running(stopped) as client:
        pid = pid_of(stopped, "w0")
        os.kill(pid, signal.SIGKILL)
        said(stopped, f"api worker pid {pid} died (code=null signal=SIGKILL), restarting")
        until(lambda: answers(f"{stopped.url}/"), lambda: "no API")
        assert pid_of(stopped, "w0") != pid
        assert served(client, known) == WHOLE


def test_a_second_master_does_not_refuse_but_its_workers_die_for_ever(stopped: Stage) -> None:
    with running(stopped):
        second = stopped.launch()
        try:
            said(stopped, f"[api-server fatal] Error: bind EADDRINUSE {IP}:{stopped.config['http']['port']}")
            until(lambda: stopped.log.count("died (code=1 signal=null)") >= 6 or None, lambda: stopped.log)
            assert second.poll() is None
        finally:
            second.terminate()
            assert second.wait(10) == 0
        assert answers(f"{stopped.url}/")


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (("--storages:engines:postgresql:port=1",), "Master startup failed: "),
        (("--storages:engines:postgresql:database=nowhere",), "Master startup failed: "),
        (("--auth:filesReadTokenSecret=",), "[config-validation] auth.filesReadTokenSecret missing or unset"),
        (("--storages:platform:engine=rqlite",), "[config-validation] storages.platform.engine"),
        (("--config", "/nowhere.yml"), "[config-validation] auth.adminAccessKey missing or unset"),
    ],
)
def test_it_does_not_start_without_what_it_needs(stopped: Stage, argv: tuple[str, ...], text: str) -> None:
    (stopped.folder / "core.log").unlink(missing_ok=True)
    began = time.monotonic()
    assert stopped.launch(*argv).wait(10) == 1
    assert time.monotonic() - began < 3
    assert text in stopped.log
    assert stopped.admin_key not in stopped.log


def test_only_the_masters_lines_are_printed_by_default(stopped: Stage) -> None:
    with running(stopped, "--logs:console:active=false"):
        assert "listening" not in stopped.log
        assert all(line.startswith("[master] ") for line in lines(stopped))


def test_a_forgotten_override_wins(stopped: Stage) -> None:
    override = stopped.folder / "app/config/override-config.yml"
    override.write_text("service: {serial: forgotten}\n")
    try:
        with running(stopped, "--service:serial=asked-for") as client:
            assert client.ask("GET", "/reg/service/info").json()["meta"]["serial"] == "forgotten"
    finally:
        override.unlink()


def test_a_dump_and_the_tree_are_the_whole_core(stopped: Stage, known: dict[str, Any]) -> None:
    database = stopped.config["storages"]["engines"]["postgresql"]
    common = ["-h", IP, "-p", str(stopped.postgres.port), "-U", "postgres"]
    dump = stopped.folder / "pryv.dump"
    subprocess.run([PROGRAMS / "pg_dump", *common, "-Fc", "-f", dump, "pryv"], check=True)
    stopped.postgres.sql("CREATE DATABASE moved OWNER pryv")
    options = ["--no-owner", "--role=pryv", "--single-transaction", "--exit-on-error", "-d", "moved"]
    subprocess.run([PROGRAMS / "pg_restore", *common, *options, dump], check=True)
    shutil.copytree(stopped.users, stopped.folder / "moved")
    argv = (f"--storages:engines:sqlite:path={stopped.folder / 'moved'}", "--storages:engines:postgresql:database=moved")
    with running(stopped, *argv) as client:
        assert served(client, known) == WHOLE
        checks = client.admin("GET", "/system/check-platform-integrity").json()["checks"]
        assert [one["errors"] for one in checks] == [[], []]
        audited = client.get("/events", params={"streams": '[":_audit:accesses"]', "limit": "5000"}).json()["events"]
        assert "events.create" in {one["content"]["action"] for one in audited}
    assert database["database"] == "pryv"
