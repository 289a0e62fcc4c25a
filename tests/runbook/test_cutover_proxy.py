"""By proxy: the source's nginx is the door until the retire, and the way back puts its own bytes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fixtures.hosts.doors import SITE
from harness.deed import Role
from tests.runbook.applying import AHEAD, BY_DNS, IN_RQLITE, OTHER_KINDS, RAFT_ADDRESS
from tests.runbook.rehearsing import on
from tests.runbook.test_rollback import assert_as_before, back, marks

if TYPE_CHECKING:
    from tests.runbook.rehearsing import Rehearsal

pytestmark = pytest.mark.rehearsal

PROXY = ("--cutover", "proxy")
NOT_BY_PROXY = BY_DNS | AHEAD | IN_RQLITE | OTHER_KINDS | RAFT_ADDRESS
TRUST = "/etc/nginx/conf.d/pryv-migration.conf"


def test_a_core_is_moved_by_proxy_and_the_name_follows_with_the_retire(rehearsal: Rehearsal) -> None:
    assert rehearsal.run(*PROXY) == 0, rehearsal.printed[-3000:]

    statuses = rehearsal.statuses()
    assert {name for name, status in statuses.items() if status == "not applicable"} == NOT_BY_PROXY
    assert {status for name, status in statuses.items() if name not in NOT_BY_PROXY} == {"green"}
    assert [line["step"] for line in rehearsal.lines if line.get("vacuous")] == []
    assert marks(rehearsal) == ["T_stop", "T_start", "T_open", "retired"]
    seen = [line.get("mark") or line["deed"] for line in rehearsal.lines if line["kind"] in {"mark", "deed"}]
    moved = next(number for number, what in enumerate(seen) if what.startswith("DNS "))
    assert seen.index("T_open") < seen.index("reload the source's nginx") < moved < seen.index("stop the source's proxy")


def test_with_users_on_the_dest_the_way_back_leads_the_sources_proxy_to_its_own_core_again(rehearsal: Rehearsal) -> None:
    assert rehearsal.run(*PROXY, "--ask", "--approve", "freeze,cutover") == 10, rehearsal.printed[-3000:]
    assert "https://api_backend" in on(rehearsal, Role.SOURCE, "cat", SITE)

    assert back(rehearsal, *PROXY, "--accept-loss", "0", "--approver", "the board") == 11, rehearsal.printed[-4000:]
    assert "ssl_verify" not in on(rehearsal, Role.SOURCE, "cat", SITE)
    assert rehearsal.statuses()["The source's proxy leads to the source core, as before"] == "green"
    assert on(rehearsal, Role.DEST, "sh", "-c", f"ls {TRUST} 2>/dev/null; true") == ""
    assert_as_before(rehearsal)
