"""Hosts known by a plan alone: looked at, planned, approved and moved, by somebody who is not root and comes by a jump host."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from fixtures.hosts.records import CONTAINERS
from fixtures.shapes import seen, shape
from harness.plan import load
from harness.transport.ssh import settled
from tests.engine import NEEDS_ENGINE
from tests.runbook.lifelike import Lifelike, lifelike
from tests.runbook.living import LiveMove, of_the_doc
from tests.runbook.rehearsing import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.rehearsal, NEEDS_ENGINE]

LEFT = "ls -A /var/lib/pryv-migration 2>/dev/null; cd ~ops/.ssh; grep -c pryv-migration authorized_keys; stat -c %U authorized_keys"
DRY, APPROVE, LIVE, *_ = of_the_doc()


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lifelike]:
    made = lifelike(tmp_path_factory.mktemp("life"))
    yield made
    made.world.end()


def test_from_two_hosts_that_nobody_knows_to_a_core_that_is_moved(
    life: Lifelike, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VERIFICATION_PASSWORD", "a password of 23 chars.")
    move = LiveMove(tmp_path, life.world, longest_s=400.0)

    init(life, move.plan_path)
    fill_in(move)
    is_seen_for_a_rehearsal(move)
    assert move.type(DRY) == 0, move.printed
    assert move.type(APPROVE) == 0, move.printed
    code = move.type(LIVE, "--approve", "freeze,cutover,retire")
    assert code in {0, 10}, move.printed
    assert move.marks() == ["T_stop", "T_start", "T_open", "retired"], move.printed

    [header, *_] = [line for line in move.lines if line["kind"] == "run"]
    assert (header["mode"], {line["status"] for line in move.lines if line["kind"] == "verdict"}) == ("live", {"green"})
    assert life.world.host("dest").ask("sh", "-c", LEFT).text.split() == ["0", "ops"]


def is_seen_for_a_rehearsal(move: LiveMove) -> None:
    """Look at the source as a rehearsal of this plan does: hosts of its kind are made, and what they do not have is said."""
    plan = settled(load(move.plan_path))
    found = seen(plan)
    assert found.config is not None, found.why_not
    assert found.nginx is not None
    wanted = shape(plan, found, CONTAINERS, rqlited=False)
    assert (wanted.provider, wanted.deploy, wanted.cutover) == (CONTAINERS, "systemd", "dns")
    without = {f"{role}.ssh: hosts are reached as root, without sudo or a jump host" for role in ("source", "dest")}
    assert without < set(wanted.said)


def init(life: Lifelike, out: Path) -> None:
    """Type `python -m harness init`, which finds everything but what only people know."""
    argv = (sys.executable, *life.init(out))
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    for said in ("  deploy: systemd\n  systemd: {unit: pryv-core}", "    become: sudo", "    host: old\n    known_hosts: "):
        assert said in out.read_text(encoding="utf-8")


def fill_in(move: LiveMove) -> None:
    """Write into the plan what only people know: the change, the backup, how the name is changed, the door, how long it drains."""
    own, plan = (yaml.safe_load(path.read_text(encoding="utf-8")) for path in (move.world.plan_path, move.plan_path))
    plan["change"] |= {key: own["change"][key] for key in ("id", "operator", "approver")} | {"expected_downtime_s": 900}
    plan |= {key: own[key] for key in ("backup", "cutover")}
    plan["dest"]["door"] = own["dest"]["door"]
    move.plan_path.write_text(yaml.safe_dump(plan, sort_keys=False), encoding="utf-8")
    assert load(move.plan_path).source.ssh.user is None


def test_a_sudo_that_asks_is_told_with_what_to_allow(life: Lifelike, tmp_path: Path) -> None:
    asks = life.world.host("source").ask("sh", "-c", "echo 'ops ALL=(ALL) ALL' > /etc/sudoers.d/ops")
    assert asks.exit == 0, asks.text

    argv = (sys.executable, *life.init(tmp_path / "migration.yml"))
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)

    said = 'sudo: a password is required; let ops use it (in /etc/sudoers.d: "ops ALL=(ALL) NOPASSWD: ALL"), or come as root'
    assert (done.returncode, done.stderr) == (1, f"source is unreachable while becoming root by sudo: {said}\n")
    assert not (tmp_path / "migration.yml").exists()
