"""The runbook moves a core, and holds under what happens at night."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from gherkin.parser import Parser

from fixtures import faults
from tests.runbook.applying import AHEAD, BY_PROXY, IN_RQLITE, OTHER_KINDS, RAFT_ADDRESS
from tests.runbook.rehearsing import ROOT, Rehearsal, service
from tests.runbook.test_words_hold import SEED

pytestmark = pytest.mark.rehearsal

# By default all is sent while users wait, the platform is in PostgreSQL, the cut-over by DNS.
NOT_APPLICABLE = AHEAD | IN_RQLITE | OTHER_KINDS | RAFT_ADDRESS | BY_PROXY


def host_processes(folder: Path) -> list[str]:
    """Return the processes that have a rehearsal's folder in their command line."""
    listed = subprocess.run(("ps", "-eo", "pid=,args="), capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(folder) in line and "pytest" not in line]


def listeners(address: str) -> list[str]:
    """Return the listeners on a rehearsal's addresses."""
    network = address.rsplit(".", 1)[0]
    listed = subprocess.run(("ss", "-Hltn"), capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if f"{network}." in line]


def scenarios(children: list[Any]) -> list[Any]:
    """Return the scenarios below a feature or rule."""
    found = []
    for child in children:
        found += scenarios(child["rule"]["children"]) if "rule" in child else [child["scenario"]] if "scenario" in child else []
    return found


def rows(path: Path) -> int:
    """Return how many scenarios a feature has, each row of Examples being one."""
    document: Any = Parser().parse(path.read_text(encoding="utf-8"))
    return sum(
        max(1, sum(len(table["tableBody"]) for table in one["examples"])) for one in scenarios(document["feature"]["children"])
    )


def test_a_core_is_moved_end_to_end(rehearsal: Rehearsal) -> None:
    assert rehearsal.run() == 0, rehearsal.printed[-3000:]

    statuses = rehearsal.statuses()
    assert {name for name, status in statuses.items() if status == "not applicable"} == NOT_APPLICABLE
    assert {status for name, status in statuses.items() if name not in NOT_APPLICABLE} == {"green"}
    assert len(statuses) == sum(rows(path) for path in (ROOT / "features").glob("[0-9]*.feature"))
    assert [line["step"] for line in rehearsal.lines if line.get("vacuous")] == []
    assert [line["mark"] for line in rehearsal.lines if line["kind"] == "mark"] == ["T_stop", "T_start", "T_open", "retired"]
    assert all(
        line["examined"] >= line["minimum"] for line in rehearsal.lines if line["kind"] == "check" and line["outcome"] == "held"
    )

    seen = [line for line in rehearsal.lines if line["kind"] == "client"]
    assert [line["at"] for line in seen if line["outcome"] == "answered"][:1] == ["source"]
    assert [line["at"] for line in seen if line["outcome"] == "answered"][-1:] == ["dest"]
    assert {line["outcome"] for line in seen} == {"answered", "refused"}
    told = {line["name"]: line["observed"] for line in rehearsal.lines if line["kind"] == "check" and line["phase"] == "after"}
    assert told["acknowledged writes on the dest"]["lost"] == 0
    assert told["the outage, seconds"]["by the client"] > told["the outage, seconds"]["by the marks"]

    report = rehearsal.record / "report.html"
    assert f"report  {report}" in rehearsal.printed
    assert report.stat().st_mode & 0o777 == 0o600
    assert [path for path in (rehearsal.worlds / "worlds").iterdir() if path.is_dir()] == []
    assert host_processes(rehearsal.folder) == []
    address = re.search(r"127\.\d+\.\d+\.3", rehearsal.lines[0]["hosts"])
    assert address
    assert listeners(address[0]) == []


def test_killed_twice_and_cut_off_once_the_same_command_ends_green_and_no_deed_ran_twice_at_once(rehearsal: Rehearsal) -> None:
    rehearsal.begin()
    rehearsal.until(lambda: rehearsal.begun("The source core is fenced"), "the freeze")
    rehearsal.slow_down("source", "pg_dump", 60)
    rehearsal.slow_down("dest", "pg_restore", 60)
    rehearsal.until(lambda: rehearsal.slow_log("source", "pg_dump"), "the dump")
    rehearsal.kill()

    rehearsal.until_taken_up("dump-postgresql")
    rehearsal.let_go("source", "pg_dump")
    rehearsal.until(lambda: rehearsal.slow_log("dest", "pg_restore"), "the restore")
    rehearsal.kill()
    assert [line.split()[0] for line in rehearsal.slow_log("source", "pg_dump")] == ["begin", "end"]

    rehearsal.until_taken_up("restore-postgresql")
    rehearsal.let_go("dest", "pg_restore")
    rehearsal.until(lambda: rehearsal.begun("The data roots arrive unchanged"), "the files")
    service(rehearsal, "dest", "stop", "sshd")
    code = rehearsal.end()
    if code == 0:
        pytest.fail("sshd was stopped too late to be missed")
    assert code == 1
    assert "dest is unreachable" in rehearsal.cause() or "ssh" in rehearsal.cause()
    assert "mend the cause, then type again" in rehearsal.printed

    # The hosts were powered off; the same command powers them on, and sshd starts with its host.
    world = rehearsal.world
    assert rehearsal.run() == 0, rehearsal.printed[-3000:]
    assert not world.exists()
    notes = [line["text"] for line in rehearsal.lines if line["kind"] == "note"]
    assert any("waited for a deed that a killed run had begun on the source: dump-postgresql" in note for note in notes)
    assert any("waited for a deed that a killed run had begun on the dest: restore-postgresql" in note for note in notes)
    assert rehearsal.came_to() <= {"green", "settled"}


def sample() -> list[str]:
    """Return the first fault and the first control, and three others, other ones each day."""
    first = ["other-mtimes", "row-missing"]
    own = {name for name, fault in faults.FAULTS.items() if not fault.deploy}  # those of containers: test_docker.py
    return [*first, *random.Random(SEED).sample(sorted(own - set(first)), 3)]  # noqa: S311 - a sample, not a secret


@pytest.mark.parametrize("name", sample())
def test_a_fault_is_red_first_at_its_check_with_its_message_and_a_control_is_green(rehearsal: Rehearsal, name: str) -> None:
    fault = faults.FAULTS[name]

    code = rehearsal.run("--fault", name)

    found = faults.caught(rehearsal.lines, name)
    assert found.struck, rehearsal.printed[-3000:]
    assert found.as_declared(fault), found
    assert code == (0 if fault.red is None else 1)
    assert f"{name}: as declared" in rehearsal.printed
