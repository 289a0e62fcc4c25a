"""Worlds: side by side, kept and continued, powered off and on, cleaned away, never taken from a living process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.hosts import __main__ as command
from fixtures.hosts import records
from fixtures.hosts.processes import Process, namespaces_of, this_process
from fixtures.hosts.programs import demand
from fixtures.hosts.world import clean, open_world
from harness.deed import Role
from harness.errors import Refused
from harness.waiting import until
from tests.unit.loopback import left_of, on, psql, spaces_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.hosts.world import World

CHECKOUT = Path(__file__).parents[2]
OPEN_AND_WAIT = """
import sys, time
from pathlib import Path
from fixtures.hosts.world import open_world
print(open_world(Path(sys.argv[1]), say=lambda _: None).id, flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give all tests here one root, as worlds share its cache; nothing is left in it."""
    root = tmp_path_factory.mktemp("rehearsal")
    yield root
    for folder, record in records.all_worlds(root):
        records.delete(folder, record)


@pytest.fixture(autouse=True)
def _nothing_before(root: Path) -> None:
    clean(root)


def opened(root: Path, *, fresh: bool = False) -> World:
    return open_world(root, fresh=fresh, say=lambda _: None)


def test_two_worlds_stand_side_by_side_and_one_ends_alone(root: Path) -> None:
    with ThreadPoolExecutor() as pool:
        first, second = pool.map(lambda _: opened(root, fresh=True), range(2))
    assert first.fresh
    assert second.fresh
    assert first.id != second.id
    assert first.record.network != second.record.network
    spaces = spaces_of(first)
    assert len(spaces) == 3

    first.end()

    assert left_of(first, spaces) == []
    assert len(second.pids()) == 3
    assert psql(second, Role.SOURCE, "SELECT datname FROM pg_database WHERE datname = 'pryv'") == "pryv"
    second.end()


def test_a_kept_world_is_continued_with_the_same_hosts(root: Path) -> None:
    world = opened(root)
    psql(world, Role.DEST, "CREATE TABLE kept AS SELECT 7 AS seven")
    pids = world.pids()
    world.keep("the test wants it")

    again = opened(root)

    assert (again.id, again.fresh, again.pids()) == (world.id, False, pids)
    assert psql(again, Role.DEST, "SELECT seven FROM kept") == "7"
    again.end()


def test_hosts_without_power_are_powered_on_with_their_disks_and_only_what_is_enabled_starts(root: Path) -> None:
    world = opened(root)
    on(world, Role.SOURCE, "host-init stop core; host-init fence core; host-init disable nginx; touch /tmp/gone /var/stays; sync")
    users = psql(world, Role.SOURCE, "\\c pryv\nSELECT count(*) FROM users_index")
    pids = world.pids()
    world.power_off()
    assert world.pids() == {}
    world.keep("powered off")

    again = opened(root)

    assert again.id == world.id
    assert set(again.pids()) == {"source", "dest", "dns"}
    assert not set(again.pids().values()) & set(pids.values())
    assert on(again, Role.SOURCE, "ls /tmp/gone /var/stays 2>/dev/null || true") == "/var/stays\n"
    assert again.service("source", "status", "core").text.startswith("core is stopped, fenced, enabled")
    assert again.service("source", "status", "nginx").exit == 3
    assert psql(again, Role.SOURCE, "\\c pryv\nSELECT count(*) FROM users_index") == users == "3"
    again.end()


def test_a_world_whose_owner_was_killed_is_continued_and_one_that_lives_is_not(root: Path) -> None:
    argv = (sys.executable, "-c", OPEN_AND_WAIT, str(root))
    with subprocess.Popen(argv, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        theirs = other.stdout.readline().strip()
        mine = opened(root)
        assert clean(root) == []
        other.send_signal(signal.SIGKILL)
    assert mine.id != theirs
    mine.end()

    continued = opened(root)

    assert (continued.id, len(continued.pids())) == (theirs, 3)
    continued.end()


def test_two_runs_beside_each_other_never_take_the_same_world(root: Path) -> None:
    kept = opened(root)
    kept.keep("for one of them")

    with ThreadPoolExecutor() as pool:
        worlds = list(pool.map(lambda _: opened(root), range(2)))

    assert sorted(world.fresh for world in worlds) == [False, True]
    assert next(world.id for world in worlds if not world.fresh) == kept.id
    for world in worlds:
        world.end()


def test_a_fresh_world_powers_off_a_kept_one_and_a_closed_one_is_not_continued(root: Path) -> None:
    kept = opened(root)
    kept.keep("red")
    fresh = opened(root, fresh=True)
    assert kept.pids() == {}
    assert kept.folder.is_dir()
    fresh.end()

    again = opened(root)
    assert (again.id, len(again.pids())) == (kept.id, 3)
    again.close_run()
    again.keep("to be looked at")
    other = opened(root)

    assert other.id != kept.id
    assert not kept.folder.exists()
    other.end()


def test_hosts_of_another_kind_interpreter_or_core_are_not_continued(root: Path) -> None:
    kept = opened(root)
    unowned = replace(kept.record, owner=None)
    for other in (replace(unowned, kind="another"), replace(unowned, interpreter="/another"), replace(unowned, core="another")):
        records.write(kept.folder, other)
        with records.choosing(root):
            assert records.claim_newest(root, kept.record.core) is None

    kept.keep("red")
    with records.choosing(root):
        found = records.claim_newest(root, kept.record.core)
    assert found
    assert found[1].id == kept.id
    kept.end()


def test_clean_ends_what_nobody_owns_and_what_is_half_made(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = opened(root)
    kept.keep("to be cleaned")
    spaces = spaces_of(kept)
    with records.choosing(root):
        folder, half = records.reserve(root, "a core")
        records.write(folder, replace(half, owner=Process(os.getpid(), 1, "another boot")))
    (root / "worlds" / "torn").mkdir()

    assert command.main(["clean", str(root)]) == 0

    assert left_of(kept, spaces) == []
    assert sorted(capsys.readouterr().out.split(": ")[1].strip().split(", ")) == sorted([kept.id, half.id, "torn"])
    assert records.all_worlds(root) == []
    assert command.main([]) == 2


def test_a_host_whose_pid_was_never_written_down_is_found_and_ended(root: Path) -> None:
    world = opened(root)
    spaces = spaces_of(world)
    records.write(world.folder, replace(world.record, hosts={}, owner=None))

    assert clean(root) == [world.id]

    assert left_of(world, spaces) == []


def test_a_world_that_cannot_be_made_leaves_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fixtures.hosts.core.DATABASE_SQL", "THIS IS NO SQL;")

    with pytest.raises(Exception, match="exit 3"):
        opened(root)

    assert records.all_worlds(root) == []
    assert namespaces_of(root) == []


def test_missing_programs_are_named_with_their_packages() -> None:
    with pytest.raises(Refused, match=r"apt-get install --no-install-recommends bind9 bubblewrap .*openssh-server.* rsync"):
        demand("/nonexistent")


def test_a_record_survives_being_written_and_read(root: Path) -> None:
    with records.choosing(root):
        folder, record = records.reserve(root, "a core")

    assert record.owner == this_process()
    assert records.read(folder) == record
    (folder / "world.json").write_text("{", encoding="utf-8")
    assert records.read(folder) is None


def test_a_service_that_does_not_end_is_killed_with_what_it_left(root: Path) -> None:
    world = opened(root)
    path = world.host("dest").disk.at("/etc/host-init.json")
    spec = json.loads(path.read_text(encoding="utf-8"))
    script = "sleep 12345 & trap '' TERM; while :; do sleep 0.1; done"
    spec["services"]["stubborn"] = {**spec["services"]["core"], "argv": ["sh", "-c", script], "cwd": "/", "stop_s": 0.5}
    path.write_text(json.dumps(spec), encoding="utf-8")
    assert world.service("dest", "start", "stubborn").exit == 0
    until(lambda: "12345" in on(world, Role.DEST, "ps -eo args=") or None, within_s=5, message=lambda: "it does not start")

    answer = world.service("dest", "stop", "stubborn")

    assert (answer.exit, answer.text) == (0, "stubborn killed, as it had not ended within 0.5 s")
    assert "12345" not in on(world, Role.DEST, "ps -eo args=")
    world.end()
