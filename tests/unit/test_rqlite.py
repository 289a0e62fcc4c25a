"""The platform in rqlite: what is asked of it, what its files must be, and where it will find itself; with a real rqlited."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import rqlite
from harness.check import Check, Outcome
from harness.configuration import Config
from harness.configuration.values import flat
from harness.deed import Ask, Command, CommandResult, Role
from harness.errors import DeedFailed
from harness.recording.applicable import reason
from harness.run.driving import drive
from harness.service import no_listener, no_process
from tests import rqlited
from tests.plans import CONFIG, plan
from tests.unit.test_retiring import telling

HELPER = Path(rqlite.__file__).parent / "hostside" / "rqlite.py"
CORE = Config(flat(yaml.safe_load(CONFIG)), ("override.yml",)).changed(
    {
        "storages.platform.engine": "rqlite",
        "storages.engines.rqlite.dataDir": "/var/lib/pryv/data/rqlite-data",
        "storages.engines.rqlite.binPath": "/usr/local/bin/rqlited",
    }
)
ALONE = CORE.changed({"core.ip": None})
TABLE = ["CREATE TABLE keyValue (key TEXT PRIMARY KEY, value TEXT)"]
PUT = "INSERT INTO keyValue VALUES (?, ?)"
WROTE = [TABLE, [PUT, "core-info/single", '{"ip": "x"}'], [PUT, "user-core/abc", "single"]]


def told(*words: str) -> tuple[int, str, str]:
    """Return exit code, output and errors of the program that runs on hosts."""
    done = subprocess.run((sys.executable, "-I", "-S", HELPER, *words), capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout, done.stderr


def here(command: Any) -> CommandResult:  # noqa: ANN401 - an observation or a deed
    """Run what an act or a look wants, on this machine."""
    wanted = command.of if isinstance(command, Ask) else command
    assert isinstance(wanted, Command)
    done = subprocess.run(wanted.argv, input=wanted.input, capture_output=True, check=False, timeout=60)
    return CommandResult(wanted, done.returncode, done.stdout, done.stderr, 0.0)


def test_a_running_platform_tells_its_rows_for_certain_and_they_are_those_of_its_files_at_rest(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    node = rqlited.made(pytestconfig, tmp_path)
    with node.running():
        assert told("ask", str(node.http), "core-info/single")[0] == 1  # no table yet: that is an error, not no rows
        node.execute(*WROTE)
        _, answer, _ = told("ask", str(node.http), "core-info/single")
        assert told("rows", str(node.http), str(tmp_path / "running"))[1] == '{"rows": 2}\n'

    at_rest = told("rest", str(node.folder), str(tmp_path / "rest"))

    found = json.loads(answer)
    address = f"{rqlited.HERE}:{node.raft}"
    assert {key: found[key] for key in ("rows", "core", "leader", "nodes")} == {
        "rows": 2,
        "core": ['{"ip": "x"}'],
        "leader": address,
        "nodes": {"single": address},
    }
    assert at_rest[:2] == (0, '{"rows": 2}\n')
    assert (tmp_path / "rest").read_text() == (tmp_path / "running").read_text()
    assert told("ask", str(node.http), "core-info/single")[::2] == (
        1,
        "rqlite: ConnectionRefusedError: [Errno 111] Connection refused\n",
    )


def test_a_platform_that_was_moved_finds_itself_at_its_new_address_with_all_its_rows(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    node = rqlited.made(pytestconfig, tmp_path)
    with node.running():
        node.execute(*WROTE)
    with node.running():  # its snapshot of the stop before is now older than its log
        node.execute([PUT, "user-core/later", "single"])
    moved = rqlited.Rqlited(node.program, tmp_path / "moved", node.http, node.raft)
    shutil.copytree(node.folder, moved.folder)
    dest = CORE.changed({"core.ip": "127.0.0.2", "storages.engines.rqlite.raftPort": node.raft})
    dest = dest.changed({"storages.engines.rqlite.dataDir": str(moved.folder)})

    assert drive(rqlite.address_stored(dest), here).outcome is Outcome.ABSENT
    drive(rqlite.store_address(dest), here)
    assert drive(rqlite.address_stored(dest), here).held
    (moved.folder / "clean_snapshot").touch()
    assert drive(rqlite.address_stored(dest), here).observed == "beside clean_snapshot"
    drive(rqlite.store_address(dest), here)

    with moved.running("127.0.0.2"):
        found = json.loads(told("ask", str(node.http), "core-info/single")[1])

    assert (found["rows"], found["nodes"]) == (3, {"single": f"127.0.0.2:{node.raft}"})


class Failing(BaseHTTPRequestHandler):
    """Answers as an rqlited that cannot: with status 200, its words in the body."""

    body = b""

    def do_POST(self) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.body)


@pytest.mark.parametrize("body", [{"results": [], "error": "not leader"}, {"results": [{"error": "no such table"}]}])
def test_a_failed_read_is_an_error_although_its_status_is_200(body: object, tmp_path: Path) -> None:
    failing = type("Failing", (Failing,), {"body": json.dumps(body).encode()})
    with HTTPServer(("127.0.0.1", 0), failing) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        code, out, errors = told("rows", str(server.server_port), str(tmp_path / "rows"))

    assert (code, out) == (1, "")
    assert "cannot answer for certain" in errors


def asked(**changes: Any) -> str:  # noqa: ANN401 - parts of an answer
    whole = {"rows": 5, "core": [], "node": "single", "leader": "127.0.0.1:4002", "nodes": {"single": "127.0.0.1:4002"}}
    return json.dumps({**whole, "version": "v9.4.5", **changes})


@pytest.mark.parametrize(
    ("role", "answer", "held"),
    [
        (Role.SOURCE, asked(), [True, True, True]),
        (Role.SOURCE, asked(rows=0), [True, False, True]),
        (Role.SOURCE, asked(nodes={"single": "10.0.0.1:4002"}), [True, True, True]),
        (Role.DEST, asked(nodes={"single": "10.0.0.1:4002"}), [False, True, True]),
        (Role.DEST, asked(nodes={"single": "127.0.0.1:4002", "b": "10.0.0.2:4002"}), [False, True, True]),
        (Role.DEST, asked(leader=""), [False, True, True]),
    ],
)
def test_a_platform_is_alone_its_own_leader_with_rows_and_on_the_dest_at_its_own_address(
    role: Role, answer: str, held: list[bool]
) -> None:
    assert [check.outcome is Outcome.HELD for check in drive(rqlite.answers(role, ALONE), telling(answer))] == held


def test_an_rqlited_that_is_not_the_cores_child_is_told() -> None:
    external = ALONE.changed({"storages.engines.rqlite.external": True})

    assert [check.held for check in drive(rqlite.answers(Role.SOURCE, external), telling(asked()))] == [True, True, False]


def reached(**ports: str) -> Check:
    return drive(rqlite.closed_to_others(plan(), Role.SOURCE, ALONE), telling(json.dumps(ports)))


def test_ports_that_the_other_host_can_reach_are_told_and_no_answer_at_all_is_no_answer() -> None:
    assert reached(**{"443": "accepts", "4001": "refuses", "4002": "does not answer"}).held
    assert reached(**{"443": "accepts", "4001": "accepts", "4002": "refuses"}).observed == ["4001"]
    with pytest.raises(DeedFailed, match="cannot reach the source's public port"):
        reached(**{"443": "refuses", "4001": "refuses", "4002": "refuses"})


def test_a_planned_address_that_would_open_the_platform_is_told_before_anything_is_done() -> None:
    assert not rqlite.stays_closed(plan(), ALONE).held
    assert rqlite.stays_closed(plan(planned_changes={"http.ip": "203.0.113.20"}), ALONE).held
    assert rqlite.stays_closed(plan(), CORE).held


def test_the_address_is_stored_anew_only_where_it_is_another() -> None:
    rows = frozenset({"raft_address"})
    http = plan(planned_changes={"http.ip": "203.0.113.20"})

    assert reason(plan(), CORE, rows, {}) == ""
    assert reason(http, ALONE, rows, {}) == "rqlited's address is 127.0.0.1:4002 on both hosts"
    assert "does not keep the platform in rqlite" in reason(
        http, CORE.changed({"storages.platform.engine": "postgresql"}), rows, {}
    )


@pytest.mark.parametrize(
    ("listed", "held"),
    [
        ("131072 raft.db\n120 rsnapshots/2-57-1/meta.json", [True, True]),
        ("131072 raft.db\n0 rsnapshots/2-57-1/meta.json", [True, False]),
        ("0 raft.db", [False, False]),
        ("120 rsnapshots/2-57-1/meta.json", [False, True]),
    ],
)
def test_a_platform_that_was_cut_off_in_its_close_is_seen(listed: str, held: list[bool]) -> None:
    assert [check.held for check in drive(rqlite.stopped_whole(ALONE), telling(listed))] == held


def test_rows_are_compared_as_both_hosts_have_read_them_and_none_is_not_enough() -> None:
    def line(rows: int, digest: str) -> str:
        return json.dumps({"file": "x", "problem": "", "schema": "", "tables": {"keyValue": [rows, digest]}})

    def outcome(*texts: str) -> Outcome:
        return drive(rqlite.rows_arrived(plan(), ALONE), telling(*texts)).outcome

    assert outcome(line(5, "aa"), line(5, "aa")) is Outcome.HELD
    assert outcome(line(5, "aa"), line(5, "bb")) is Outcome.NOT_HELD
    assert outcome(line(0, "aa"), line(0, "aa")) is Outcome.NOT_HELD
    assert outcome("", "") is Outcome.NOT_HELD


def test_another_program_for_the_platform_is_told() -> None:
    assert drive(rqlite.same_program(ALONE), telling("rqlited v9.4.5", "rqlited v9.4.5")).held
    assert not drive(rqlite.same_program(ALONE), telling("rqlited v9.4.5", "rqlited v8.26.8")).held


def test_a_stopped_core_has_no_rqlited_left_and_nobody_listens_at_its_ports() -> None:
    left = drive(
        no_process(plan(), Role.SOURCE), telling("7 root /usr/local/bin/rqlited -node-id single /srv/x\n8 root grep rqlited")
    )
    socket = 'LISTEN 0 4096 127.0.0.1:4001 0.0.0.0:* users:(("rqlited",pid=7,fd=7))'
    config = ALONE.changed({"http.port": 3000, "http.hfsPort": 4000, "http.previewsPort": 3001})

    assert left.observed == ["7 root"]
    assert drive(no_listener(Role.SOURCE, config), telling(socket)).observed == ["127.0.0.1:4001"]
