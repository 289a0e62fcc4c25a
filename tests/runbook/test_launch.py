"""The launch is silent: webhooks are posted to once users are on the dest, not before; a frozen source stays so when rebooted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from harness.deed import Role
from tests.receiver import receiver
from tests.runbook.rehearsing import on

if TYPE_CHECKING:
    from tests.runbook.rehearsing import Rehearsal

pytestmark = pytest.mark.rehearsal

REDIRECT = "UPDATE webhooks SET url = 'http://127.0.0.1:{port}/' || id WHERE url NOT LIKE '%/verification'"
STATUS = "host-init status core; ps -eo user= | grep -c '^pryv'; true"
USUAL_START = "host-init start core 2>&1; echo $?"


def test_webhooks_are_posted_to_once_users_are_there_and_not_before_and_a_reboot_does_not_start_a_frozen_core(
    rehearsal: Rehearsal,
) -> None:
    with receiver() as server:
        rehearsal.begin("--ask", "--approve", "freeze")
        rehearsal.until(lambda: rehearsal.begun("The dest has the source's core version"), "the install")
        redirect = REDIRECT.format(port=server.server_port)
        on(rehearsal, Role.SOURCE, "psql", "-d", "pryv", "-c", redirect, as_user="postgres")
        assert rehearsal.end() == 12, rehearsal.printed[-3000:]
        assert "T_start" in [line.get("mark") for line in rehearsal.lines]
        assert server.posts == []

        rehearsal.reopened().keep("the test")  # both hosts are powered on again
        status, processes = on(rehearsal, Role.SOURCE, "sh", "-c", STATUS).splitlines()
        assert (status.partition(", ended")[0], processes) == ("core is stopped, fenced, enabled", "0")
        assert on(rehearsal, Role.SOURCE, "sh", "-c", USUAL_START).splitlines()[-1] == "1"

        assert rehearsal.run("--ask", "--approve", "cutover") == 10, rehearsal.printed[-3000:]
        assert server.posts != []
    noticed = [line for line in rehearsal.lines if line["kind"] == "check" and line["name"] == "posts to stored webhooks"]
    assert [(line["outcome"], line["observed"]) for line in noticed] == [("held", line["expected"]) for line in noticed] != []
