"""A core whose config is not in one file is moved with all of it: environment, arguments, NODE_ENV file, override file."""

from __future__ import annotations

import json
import signal

import pytest

from tests.runbook.rehearsing import Rehearsal
from tests.runbook.started_otherwise import ARGUMENT

pytestmark = pytest.mark.rehearsal
COMMAND = ("-p", "tests.runbook.started_otherwise")


def checks(rehearsal: Rehearsal, name: str) -> list[tuple[str, object]]:
    """Return outcome and observed of a check's last looks."""
    return [
        (line["outcome"], line["observed"])
        for line in rehearsal.lines
        if line["kind"] == "check" and line["name"] == name and line["phase"] == "after"
    ]


@pytest.mark.parametrize("where", ["environment", "node_env", "override"])
def test_a_core_with_its_config_elsewhere_is_moved_whole(rehearsal: Rehearsal, where: str) -> None:
    rehearsal.environment = {"CONFIG_IN": where}

    assert rehearsal.run(*COMMAND) == 0, rehearsal.printed[-3000:]

    found = checks(rehearsal, "differences between the effective configs")
    observed = found[0][1]
    assert {outcome for outcome, _ in found} == {"held"}
    assert isinstance(observed, dict)
    assert sorted(observed) == ["core.ip", "http.ip", "storages.engines.postgresql.host"]
    assert checks(rehearsal, "arguments and environment of the dest core") == [("held", {})]


def test_what_the_start_says_is_known_once_the_core_is_stopped_and_stands_in_the_private_folder_alone(rehearsal: Rehearsal) -> None:
    rehearsal.environment = {"CONFIG_IN": "environment"}
    rehearsal.begin(*COMMAND)
    rehearsal.until(lambda: rehearsal.begun("The source core is fenced"), "the fence")
    rehearsal.kill()

    # Up to the retire, which removes what is kept privately.
    assert rehearsal.run(*COMMAND, "--ask", "--approve", "freeze,cutover") == 10, rehearsal.printed[-3000:]

    private = rehearsal.record / "private" / "started.json"
    kept = json.loads(private.read_text())
    secret = kept["environment"]["platform__piiHmacKey"]
    assert (private.stat().st_mode & 0o777, ARGUMENT in kept["argv"], len(secret)) == (0o600, True, 44)
    shown = [path for path in rehearsal.record.rglob("*") if path.is_file() and path.parent.name != "private"]
    assert len(shown) > 2
    assert [path.name for path in shown if secret in path.read_text(encoding="utf-8")] == []
    assert secret not in rehearsal.printed


def test_a_dest_whose_service_lacks_a_variable_is_red_before_users_are_led_to_it(rehearsal: Rehearsal) -> None:
    rehearsal.environment = {"CONFIG_IN": "environment"}
    rehearsal.begin(*COMMAND)
    rehearsal.until(lambda: rehearsal.begun("The source core is fenced"), "the fence")
    spec = rehearsal.world / "dest" / "fs" / "etc" / "host-init.json"
    content = json.loads(spec.read_text())
    argv = content["services"]["core"]["argv"]
    content["services"]["core"]["argv"] = [word for word in argv if word != ARGUMENT]
    spec.write_text(json.dumps(content))

    assert rehearsal.end() == 1

    assert rehearsal.statuses()["The dest core starts clean"] == "red"
    [(outcome, observed)] = checks(rehearsal, "arguments and environment of the dest core")
    assert (outcome, observed) == ("not held", {"argument webhooks.maxRetries": "(not set)"})
    assert "T_open" not in {line["mark"] for line in rehearsal.lines if line["kind"] == "mark"}


def test_a_run_that_was_killed_with_both_run_folders_gone_still_knows_how_the_core_was_started(rehearsal: Rehearsal) -> None:
    kill = {"KILL_AFTER": "Neither host keeps anything of this run", "KILL_AFTER_DEEDS": "2"}
    rehearsal.environment = {"CONFIG_IN": "environment", **kill}
    assert rehearsal.run(*COMMAND, "-p", "tests.killing") == -signal.SIGKILL, rehearsal.printed[-3000:]

    assert rehearsal.run(*COMMAND) == 0, rehearsal.printed[-3000:]
    assert "source  retired at" in rehearsal.printed
