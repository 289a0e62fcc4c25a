"""A core whose platform is in a real rqlited, outside the folder of its users' data, is moved with it, and comes back."""

from __future__ import annotations

import pytest

from harness.deed import Role
from tests import rqlited
from tests.runbook.applying import IN_RQLITE, RAFT_ADDRESS
from tests.runbook.platform_elsewhere import KEY, PLATFORM, TLS
from tests.runbook.rehearsing import Rehearsal, on

pytestmark = pytest.mark.rehearsal
LEFT = f"ls -d {PLATFORM} {TLS} /var/lib/pryv/data 2>/dev/null; pgrep -x rqlited; true"


@pytest.fixture
def elsewhere(rehearsal: Rehearsal, pytestconfig: pytest.Config) -> Rehearsal:
    """Return a rehearsal of such a core; skips where no rqlited is."""
    rehearsal.arguments = ("-p", "tests.runbook.platform_elsewhere", "--rqlited", rqlited.program(pytestconfig))
    return rehearsal


def test_a_platform_in_rqlite_is_moved_and_its_rows_are_all_there_and_a_rollback_leaves_none_of_it(elsewhere: Rehearsal) -> None:
    assert elsewhere.run("--ask", "--approve", "freeze") == 12, elsewhere.printed[-3000:]

    statuses = elsewhere.statuses()
    assert {statuses[name] for name in IN_RQLITE} == {"green"}
    assert {statuses[name] for name in RAFT_ADDRESS} == {"not applicable"}
    held = {line["name"]: line["observed"] for line in elsewhere.lines if line["kind"] == "check" and line["outcome"] == "held"}
    assert held["the platform's rows on both hosts"]["rows"] > 0
    assert held["rows of the source that the dest has not"] == []
    assert {f"manifest of {path}" for path in (PLATFORM, TLS, "/var/lib/pryv/data")} <= held.keys()
    sent = [line["command"] for line in elsewhere.lines if line["kind"] == "intent" and " --checksum " in line["command"]]
    assert {command.split()[-2] for command in sent} == {f"{PLATFORM}/"}
    assert on(elsewhere, Role.DEST, "stat", "-c", "%U %a", TLS, KEY).splitlines() == ["root 711", "root 600"]

    elsewhere.begin(features="features/rollback.feature")
    assert elsewhere.end() == 11, elsewhere.printed[-4000:]
    assert on(elsewhere, Role.DEST, "sh", "-c", LEFT) == ""
    assert on(elsewhere, Role.SOURCE, "sh", "-c", "pgrep -xc rqlited") == "1"
