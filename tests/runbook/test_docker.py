"""A core that runs as a container of its host is moved with all that belongs to it, and a host's boot does not bring it back."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures import faults, worlds
from fixtures.containers import cores, engine
from fixtures.containers.docked import CONTAINER, SHAPE
from fixtures.containers.ground import Way
from fixtures.containers.images import Builder
from fixtures.containers.world import World
from fixtures.hosts import records
from fixtures.hosts.product import STAND_IN, with_rqlited
from harness.deed import Role
from tests.engine import NEEDS_ENGINE
from tests.runbook.applying import AHEAD, BY_DNS, BY_PROXY, IN_RQLITE, OF_CONTAINERS, OTHER_KINDS, RAFT_ADDRESS
from tests.runbook.rehearsing import Rehearsal, on
from tests.runbook.test_containers import left_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.rehearsal, NEEDS_ENGINE]

LONGEST_S = 300.0
RQLITED = os.environ.get("RQLITED") or shutil.which("rqlited") or ""
PRODUCT = with_rqlited(STAND_IN, Path(RQLITED)) if RQLITED else STAND_IN
NEVER_HERE = AHEAD | RAFT_ADDRESS | (OTHER_KINDS - OF_CONTAINERS) | (set() if RQLITED else IN_RQLITE)
IN_A_CONTAINER = ("--deploy", "docker", *(("--rqlited", RQLITED) if RQLITED else ()))


@pytest.fixture(scope="module", autouse=True)
def _images() -> None:
    """Build the images ahead: on a machine that has none that takes longer than a rehearsal may."""
    builder = Builder(engine.demand(), lambda _: None)
    builder.image(SHAPE.image)
    cores.image(builder, PRODUCT)


@pytest.fixture
def docked(tmp_path: Path) -> Iterator[Rehearsal]:
    """Return a rehearsal of a core in a container; its hosts are ended with the test."""
    made = Rehearsal(tmp_path, IN_A_CONTAINER, hosts="containers", longest_s=LONGEST_S)
    yield made
    made.close()


def observed(rehearsal: Rehearsal, check: str) -> object:
    """Return what a check observed last."""
    return [line["observed"] for line in rehearsal.lines if line["kind"] == "check" and line["name"] == check][-1]


def assert_moved(rehearsal: Rehearsal, not_applicable: set[str]) -> None:
    """Assert that everything that applies is green, and nothing is left."""
    statuses = rehearsal.statuses()
    assert {name for name, status in statuses.items() if status == "not applicable"} == not_applicable
    assert rehearsal.came_to() <= {"green", "settled"}
    assert [line["step"] for line in rehearsal.lines if line.get("vacuous")] == []
    assert left_of(rehearsal.worlds) == []


def test_a_core_in_a_container_is_moved_by_dns_its_image_copied_with_the_data_in_volumes_that_nobody_named(
    docked: Rehearsal,
) -> None:
    assert docked.run("--install", "copy-image") == 0, docked.printed[-3000:]

    assert_moved(docked, NEVER_HERE | BY_PROXY)
    kept = "nobody named it; carried over"
    assert observed(docked, "volumes of the source's container") == {
        cores.RQLITE_DATA: kept if RQLITED else "nobody named it; the config keeps nothing there",
        "/app/data": kept,
    }
    roots = {line["name"] for line in docked.lines if line["kind"] == "digest" and line["name"].startswith("/")}
    assert len([root for root in roots if root.startswith("/var/lib/docker/volumes/")]) == len(roots) == 1 + bool(RQLITED)
    assert observed(docked, "the dest core at boot") == "running, enabled (unless-stopped)"


def test_by_proxy_its_image_pulled_a_boot_of_both_hosts_starts_neither_the_frozen_core_nor_the_next(docked: Rehearsal) -> None:
    docked.arguments = (*IN_A_CONTAINER, "--install", "pull-image", "--cutover", "proxy")
    docked.begin()
    docked.until(lambda: docked.begun("The data roots arrive unchanged"), "the transfer", within_s=LONGEST_S)
    docked.kill()
    records.power_off(docked.world, records.read(docked.world))
    way = Way("docker", "pull-image")
    continued = worlds.open_world("containers", docked.worlds, product=PRODUCT, cutover="proxy", way=way, say=lambda _: None)
    assert isinstance(continued, World)
    names = [
        continued.host(role).ask("docker", "ps", "-a", "--format", "{{.Names}} {{.State}}").text for role in ("source", "dest")
    ]
    continued.keep("the test goes on")

    assert names == [f"{CONTAINER}-fenced-unless-stopped exited", f"{CONTAINER} created"]

    assert docked.run() == 0, docked.printed[-3000:]

    assert_moved(docked, NEVER_HERE | BY_DNS)
    digests = [line["deed"] for line in docked.lines if line["kind"] == "intent" and line["deed"].startswith("pull ")]
    assert len(digests) == 1
    assert "/pryvio/open-pryv.io@sha256:" in digests[0]


@pytest.mark.skipif(not os.environ.get("ALL_POINTS"), reason="make prove-back: what it removes has tests of its own")
def test_a_rollback_leaves_the_source_as_it_was_and_nothing_on_the_dest_but_the_image(docked: Rehearsal) -> None:
    docked.begin()
    docked.until(lambda: docked.begun("The dest core starts at boot"), "users on the dest", within_s=LONGEST_S)
    docked.kill()
    describing = ("docker", "inspect", "-f", "{{.Id}} {{json .HostConfig}} {{json .Mounts}}")
    before = on(docked, Role.SOURCE, *describing, f"{CONTAINER}-fenced-unless-stopped")

    docked.begin("--accept-loss", "1000", "--approver", "the test", features="features/rollback.feature")
    code = docked.end()

    assert code == 11, docked.printed[-3000:]
    assert on(docked, Role.SOURCE, *describing, CONTAINER) == before.replace('"Name":"no"', '"Name":"unless-stopped"')
    assert on(docked, Role.DEST, "docker", "ps", "-aq") == ""
    assert on(docked, Role.DEST, "docker", "volume", "ls", "-q") == ""
    assert "open-pryv.io" in on(docked, Role.DEST, "docker", "images", "--format", "{{.Repository}}")


FAULTS_OF_CONTAINERS = sorted(name for name, fault in faults.FAULTS.items() if fault.deploy == "docker")


@pytest.mark.skipif(not os.environ.get("ALL_POINTS"), reason="make prove tries every fault")
@pytest.mark.parametrize("name", FAULTS_OF_CONTAINERS)
def test_a_fault_of_containers_is_red_first_at_its_check(docked: Rehearsal, name: str) -> None:
    code = docked.run("--fault", name)

    found = faults.caught(docked.lines, name)
    assert found.struck, docked.printed[-3000:]
    assert found.as_declared(faults.FAULTS[name]), found
    assert code == 1
