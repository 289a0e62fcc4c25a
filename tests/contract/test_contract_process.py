"""A core as processes: how it starts, stops, crashes, refuses, and moves."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from .cluster import IP, PROGRAMS, ports, until
from .lifecycle import WHOLE, all_ready, at, became, lines, lines_at, own_core, pid_of, running, said, served
from .stage import Stage, answers

pytestmark = own_core


def children(pid: int) -> dict[int, str]:
    """Return a process's children, and the words that each was started with."""
    found = {}
    listed = subprocess.run(["ps", "-ww", "--ppid", str(pid), "-o", "pid=,args="], capture_output=True, text=True, check=True)
    for line in listed.stdout.splitlines():
        child, words = line.split(None, 1)
        found[int(child)] = words
    return found


def listening(stage: Stage) -> dict[int, set[int]]:
    """Return who listens on the core's own ports: {port: pids}."""
    listed = subprocess.run(["ss", "-ltnpH", "src", IP], capture_output=True, text=True, check=True).stdout.splitlines()
    wanted = {stage.config["http"][name] for name in ("port", "hfsPort", "previewsPort")}
    found = {int(line.split()[3].rsplit(":", 1)[1]): {int(pid) for pid in re.findall(r"pid=(\d+)", line)} for line in listed}
    return {port: pids for port, pids in found.items() if port in wanted}


def test_it_starts_in_the_documented_order_and_says_ready_too_early(stopped: Stage) -> None:
    with running(stopped):
        all_ready(stopped)
        order = [
            "[master] Platform engine 'postgresql' — not starting rqlited",
            "[master] Running pending schema migrations...",
            "migration",
            "[master] TCP pub/sub broker started",
            "[master] [cluster_kv] cluster_kv master started",
            "[master] Forking 2 API worker(s)",
            "[master] API worker w0 started (pid ",
            "[master] API worker w1 started (pid ",
            "[master] Forking 1 HFS worker(s)",
            "[master] HFS worker hfs0 started (pid ",
            "[master] Previews worker prev0 started (pid ",
            "[master] Master process ready",
            "listening on",
        ]
        numbers = [at(stopped, text) for text in order[:2]] + [at(stopped, text, after=order[1]) for text in order[2:]]
        assert numbers == sorted(numbers)
        # Each of the master's lines comes twice: from the logger, and plain.
        ready = lines_at(stopped, "Master process ready")
        assert [bool(re.fullmatch(r"\d{4}-\d\d-\d\d [\d:]{8} \[info\]: \[master:master\] .* ", one)) for one in ready] == [
            True,
            False,
        ]
        assert ready[1] == "[master] Master process ready"
        bound = [stopped.config["http"][name] for name in ("port", "hfsPort", "previewsPort")]
        assert [answers(f"http://{IP}:{port}/") for port in bound] == [True] * 3


def test_it_is_five_processes_of_one_command_and_the_master_holds_the_ports(stopped: Stage) -> None:
    with running(stopped):
        all_ready(stopped)
        assert stopped.process
        master = stopped.process.pid
        workers = children(master)
        assert workers.keys() == {pid_of(stopped, name) for name in ("w0", "w1", "hfs0", "prev0")}
        words = " ".join([*stopped.program, "--config", str(stopped.folder / "override.yml")])
        assert set(workers.values()) == {words}
        held = listening(stopped)
        assert len(held) == 3
        assert all(master in pids for pids in held.values())


def test_a_stop_is_clean_and_at_once(stopped: Stage, known: dict[str, Any]) -> None:
    with running(stopped) as client:
        assert served(client, known) == WHOLE
        began = time.monotonic()
        assert stopped.stop() == 0
        assert time.monotonic() - began < 5  # 0.06 s on an idle machine
    assert lines(stopped)[-1] == "[master] All workers stopped, master exiting"
    assert at(stopped, "[master] Received SIGTERM, shutting down workers...") < len(lines(stopped)) - 1
    assert listening(stopped) == {}


def test_ctrl_c_stops_it_too(stopped: Stage) -> None:
    with running(stopped):
        assert stopped.stop(signal.SIGINT) == 0
    assert lines_at(stopped, "[master] Received SIGINT, shutting down workers...")


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


def test_a_killed_worker_is_followed_by_another_of_the_next_name(stopped: Stage, known: dict[str, Any]) -> None:
    with running(stopped) as client:
        all_ready(stopped)
        pid = pid_of(stopped, "w0")
        os.kill(pid, signal.SIGKILL)
        said(stopped, f"api worker pid {pid} died (code=null signal=SIGKILL), restarting")
        said(stopped, "API worker w2 started (pid ")
        assert served(client, known) == WHOLE  # the other API worker serves on
        said(stopped, "[api-server-w2:server] Core Server")


def test_a_second_master_does_not_refuse_but_its_workers_die_for_ever(stopped: Stage) -> None:
    with running(stopped):
        all_ready(stopped)
        second = stopped.launch()
        try:
            said(stopped, f"[api-server fatal] Error: bind EADDRINUSE {IP}:{stopped.config['http']['port']}")
            for kind, code in (("api", 1), ("hfs", 7), ("previews", 7)):
                pattern = rf"\[master\] {kind} worker pid \d+ died \(code={code} signal=null\), restarting"
                until(lambda p=pattern: bool(re.search(p, stopped.log)) or None, lambda: stopped.log)  # type: ignore[misc] # a default binds the loop's value
            assert len(lines_at(stopped, "[master] Master process ready")) == 2
            assert second.poll() is None
        finally:
            second.terminate()
            assert second.wait(15) == 0
        assert answers(f"{stopped.url}/")


def test_a_second_core_on_the_same_data_runs_happily(stopped: Stage, known: dict[str, Any]) -> None:
    names = ("http:port", "http:hfsPort", "http:previewsPort", "tcpBroker:port")
    with running(stopped) as client:
        all_ready(stopped)
        other = ports(4)
        second = stopped.launch(*(f"--{name}={port}" for name, port in zip(names, other, strict=True)))
        try:
            url = f"http://{IP}:{other[0]}"
            until(lambda: answers(f"{url}/reg/service/info"), lambda: stopped.log)
            became(client, known["client"])
            body = {"streamIds": ["diary"], "type": "note/txt", "content": "by the second"}
            made = client.ask("POST", f"/{client.username}/events", body, client.shared, base=url)
            assert made.status_code == 201, made.text
            assert client.get(f"/events/{made.json()['event']['id']}").status_code == 200
        finally:
            second.terminate()
            second.wait(15)


@pytest.mark.parametrize(
    "argv",
    [("--storages:engines:postgresql:port=1",), ("--storages:engines:postgresql:database=nowhere",)],
    ids=["port", "database"],
)
def test_it_does_not_start_without_its_database(stopped: Stage, argv: tuple[str, ...]) -> None:
    told = stopped.refused(*argv)
    assert "Master startup failed: " in told
    assert stopped.admin_key not in told


def test_only_the_masters_lines_are_printed_by_default(stopped: Stage) -> None:
    with running(stopped, "--logs:console:active=false"):
        assert "listening" not in stopped.log
        assert all(line.startswith("[master] ") for line in lines(stopped))


def test_a_dump_and_the_tree_are_the_whole_core(stopped: Stage, known: dict[str, Any]) -> None:
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
        assert client.ask("GET", f"/reg/{client.email}/check_email").status_code == 409
        assert client.ask("GET", f"/reg/{client.email}/username").json()["username"] == client.username
        checks = client.admin("GET", "/system/check-platform-integrity").json()["checks"]
        assert [one["errors"] for one in checks] == [[], []]
        assert client.admin("GET", "/system/admin/cores").json()["cores"][0]["userCount"] == 1
        audited = client.get("/events", params={"streams": '[":_audit:accesses"]', "limit": "500"}).json()["events"]
        assert "events.create" in {one["content"]["action"] for one in audited}
        assert Path(stopped.folder / "moved").is_dir()


def test_what_is_at_work_is_cut_off_by_a_stop(stopped: Stage, known: dict[str, Any]) -> None:
    with running(stopped) as client:
        became(client, known["client"])
        assert client.get("/access-info").status_code == 200
        stopped.stop()
        with pytest.raises(requests.ConnectionError):
            client.get("/access-info")
