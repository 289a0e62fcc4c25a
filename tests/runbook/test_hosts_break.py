"""Hosts that break in the middle: cut links, full disks, dead and half-dead hosts.

Each command ends in a clear state, and with the cause mended the same command goes on, to the same end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fixtures.containers import engine
from fixtures.containers.images import Builder
from tests.engine import NEEDS_ENGINE
from tests.runbook.breaking import DRIPPING, RUN_FOLDERS, Hosts, hosts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.rehearsal, NEEDS_ENGINE]

DATA = "/var/lib/pryv/data"
MOVED = ["T_stop", "T_start", "T_open", "retired"]
BALLAST = f"{RUN_FOLDERS}/ballast"


@pytest.fixture(scope="module", autouse=True)
def _image() -> None:
    Builder(engine.demand(), lambda _: None).image("host")


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    """Return hosts that are ended with the test, paused or not."""
    made = hosts_of(tmp_path)
    try:
        yield made
    finally:
        made.end()


def fenced(hosts: Hosts, then: Callable[[], None]) -> None:
    """Type the command; once the source is being fenced, do something to the hosts."""
    hosts.rehearsal.begin()
    hosts.rehearsal.until(lambda: hosts.rehearsal.begun("The source core is fenced"), "the freeze", within_s=180)
    then()


def told(hosts: Hosts, *, code: int = 1) -> str:
    """Wait for the command's end; returns what it printed, the rows joined. It says what state both hosts are in."""
    before = len(hosts.rehearsal.printed)
    assert hosts.rehearsal.end() == code, hosts.rehearsal.printed[-4000:]
    return " ".join(hosts.rehearsal.printed[before:].split())


def assert_red(said: str, *words: str) -> None:
    """Demand that a red run says what broke, since when users wait, and what to type next."""
    for word in (*words, "source frozen since", "mend the cause, then type again: pytest features/"):
        assert word in said, said[-3000:]


def marks(hosts: Hosts) -> list[str]:
    return [line["mark"] for line in hosts.rehearsal.lines if line["kind"] == "mark"]


def test_links_that_are_cut_and_disks_that_are_full_on_the_way_to_the_dest(hosts: Hosts) -> None:
    rehearsal, dumps = hosts.rehearsal, f"{RUN_FOLDERS}/REHEARSAL-{hosts.world.id}/dumps"
    hosts.mount("dest", RUN_FOLDERS, "192m")

    fenced(hosts, lambda: hosts.slow_down("source", "rsync", DRIPPING))
    rehearsal.until(lambda: hosts.receives(dumps), "the middle of the dump's transfer")
    hosts.cut()
    assert_red(told(hosts), "The PostgreSQL dump is the same on both hosts", "not responding")
    hosts.join()
    hosts.speed_up("source", "rsync")

    hosts.do("dest", "sh", "-c", 'dd if=/dev/zero of="$0" bs=4k 2>/dev/null; truncate -s -32k "$0"', BALLAST)
    rehearsal.begin()
    assert_red(told(hosts), "The PostgreSQL dump is the same on both hosts", "is a disk full?")
    assert not hosts.receives(dumps)
    hosts.do("dest", "sh", "-c", 'dd if=/dev/zero of="$0" bs=4k oflag=append conv=notrunc 2>/dev/null; true', BALLAST)
    rehearsal.begin()
    assert_red(told(hosts), "RED the lock in ", "No space left on device")
    hosts.do("dest", "rm", BALLAST)

    rehearsal.begin()
    rehearsal.until(lambda: hosts.at_work("The PostgreSQL database is ready for users"), "the statistics")
    hosts.slow_down("source", "rsync", DRIPPING)
    rehearsal.until(lambda: hosts.receives(DATA), "the middle of the files")
    hosts.unplug("dest")
    assert_red(told(hosts), "The data roots arrive unchanged", "dest its core is not known (unreachable: ")
    hosts.plug("dest")
    hosts.speed_up("source", "rsync")

    assert rehearsal.run() == 0, rehearsal.printed[-4000:]
    assert marks(hosts) == MOVED


def test_hosts_that_lose_their_power_or_answer_no_more(hosts: Hosts) -> None:
    rehearsal = hosts.rehearsal

    fenced(hosts, lambda: hosts.slow_down("dest", "pg_restore"))
    rehearsal.until(lambda: hosts.begun("dest", "pg_restore"), "the restore")
    hosts.reboot("dest")
    assert_red(told(hosts), "The PostgreSQL database arrives unchanged", "dest is unreachable")

    hosts.slow_down("dest", "pg_restore")
    rehearsal.begin()
    rehearsal.until(lambda: hosts.begun("dest", "pg_restore"), "the restore, done again")
    hosts.reboot("source")
    assert hosts.ask("source", "systemctl", "is-enabled", "pryv-core").text == "enabled"
    assert hosts.ask("source", "systemctl", "is-active", "pryv-core").text == "inactive"
    hosts.let_go("dest", "pg_restore")
    assert_red(told(hosts), "the seal of the source is whole")

    hosts.slow_down("source", "rsync")
    rehearsal.begin()
    rehearsal.until(lambda: hosts.begun("source", "rsync"), "the files")
    hosts.pause("dest")
    hosts.let_go("source", "rsync")
    assert_red(told(hosts), "The data roots arrive unchanged", "dest its core is not known (unreachable: ")
    hosts.unpause("dest")

    assert rehearsal.run() == 0, rehearsal.printed[-4000:]
    assert marks(hosts) == MOVED
    deviations = [line["what"] for line in rehearsal.lines if line["kind"] == "deviation"]
    assert "the seal of the source was broken" in deviations
