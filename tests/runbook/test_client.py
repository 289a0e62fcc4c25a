"""The client's view of a move whose harness is killed while users wait: the client ends, another is begun, nothing is lost."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from harness import waiting
from harness.client import LOST_NOTHING
from harness.client.ledger import numbers
from harness.client.waited import NOBODY_SAW

if TYPE_CHECKING:
    from tests.runbook.rehearsing import Rehearsal

pytestmark = pytest.mark.rehearsal


def clients(rehearsal: Rehearsal) -> list[str]:
    """Return the clients that run on this machine for a rehearsal, by the process whose stdin they read."""
    listed = subprocess.run(("ps", "-eo", "ppid=,args="), capture_output=True, text=True, check=True).stdout
    assert rehearsal.process
    rows = [line.split(maxsplit=1) for line in listed.splitlines()]
    return [args for parent, args in rows if parent == str(rehearsal.process.pid) and "harness.client.process" in args]


def ended(rehearsal: Rehearsal, number: int) -> bool:
    ledger = rehearsal.record / "private" / f"client-{number}.jsonl"
    return '"ended"' in ledger.read_text(encoding="utf-8").splitlines()[-1]


def observed(rehearsal: Rehearsal, name: str) -> Any:  # noqa: ANN401 - JSON is any
    return [line["observed"] for line in rehearsal.lines if line["kind"] == "check" and line["name"] == name][-1]


def test_killed_while_users_wait_the_client_ends_and_another_sees_the_rest(rehearsal: Rehearsal) -> None:
    rehearsal.begin()
    rehearsal.until(lambda: rehearsal.begun("The files are measured at rest"), "the freeze")
    assert len(clients(rehearsal)) == 1
    rehearsal.kill()
    assert numbers(rehearsal.record / "private") == [1]
    waiting.until(lambda: ended(rehearsal, 1) or None, within_s=30, message=lambda: "the client goes on without its harness")

    assert rehearsal.run() == 0, rehearsal.printed[-3000:]

    assert clients(rehearsal) == []
    seen = [line for line in rehearsal.lines if line["kind"] == "client"]
    assert {(line["client"], line["outcome"], line["at"]) for line in seen} >= {
        (1, "answered", "source"),
        (1, "refused", "source"),
        (2, "refused", "source"),
        (2, "answered", "dest"),
    }
    assert {line["outcome"] for line in seen} <= {"answered", "refused"}
    written = observed(rehearsal, "acknowledged writes on the dest")
    assert (written["lost"], written["changed"]) == (0, 0)
    assert written["acknowledged"] == sum(line["writes"] for line in seen if line["outcome"] == "answered")
    assert [line["what"] for line in rehearsal.lines if line["kind"] == "deviation"] == [NOBODY_SAW]
    assert rehearsal.statuses()[LOST_NOTHING] == "green"
    page = (rehearsal.record / "report.html").read_text(encoding="utf-8")
    assert "no client" in page
    assert "not seen whole" in page
