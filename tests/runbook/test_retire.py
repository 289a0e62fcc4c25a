"""The retire: nothing of the run is left on either host, and who still comes to the source is seen before it is ended."""

from __future__ import annotations

import signal

import pytest

from harness.deed import Role
from tests.runbook.rehearsing import Rehearsal, on

pytestmark = pytest.mark.rehearsal

LEFT = "ls -A /var/lib/pryv-migration 2>/dev/null; grep -c pryv-migration ~/.ssh/authorized_keys; true"
USERS = "SELECT count(*) FROM users_index WHERE username = 'verify01'"
SIGN_INS = {
    "The password is let in by the source",
    "The wrong password is refused by the source",
    "The password from before still works",
    "The wrong password is still refused",
}


def test_the_retire_asks_for_its_own_yes_sees_who_still_comes_and_leaves_nothing_of_the_run(rehearsal: Rehearsal) -> None:
    assert rehearsal.run("--ask", "--approve", "freeze,cutover") == 10, rehearsal.printed[-3000:]
    assert "moved, retire pending: it may be done from 20" in rehearsal.printed
    assert {rehearsal.statuses()[name] for name in SIGN_INS} == {"green"}
    on(rehearsal, Role.SOURCE, "touch", "/tmp/pryv_db.dump")

    assert rehearsal.run("--ask", "--approve", "retire") == 1, rehearsal.printed[-3000:]
    assert rehearsal.cause() == "copies of users' data in /tmp: not held"
    rehearsal.reopened().keep("the test")  # powered on again, /tmp is empty

    # Killed with one run folder gone and the other there; by the plan, so that the hosts can be looked at when it has ended.
    plan = ("--plan", str(rehearsal.world / "plan.yml"))
    rehearsal.environment["KILL_AFTER"] = "Neither host keeps anything of this run"
    assert rehearsal.run(*plan, "-p", "tests.killing") == -signal.SIGKILL, rehearsal.printed[-3000:]
    assert rehearsal.run(*plan) == 0, rehearsal.printed[-3000:]

    assert [on(rehearsal, role, "sh", "-c", LEFT) for role in Role] == ["0", "0"]
    assert on(rehearsal, Role.SOURCE, "sh", "-c", "host-init status nginx; true").startswith("nginx is stopped, disabled")
    assert on(rehearsal, Role.DEST, "psql", "-XqAt", "-d", "pryv", "-c", USERS, as_user="postgres") == "0"
    assert not (rehearsal.record / "private").exists()
    assert "source  retired at" in rehearsal.printed
