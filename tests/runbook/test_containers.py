"""Hosts that are containers: the same runbook; what a dead run leaves is continued, what nobody owns is ended, and nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fixtures import worlds
from fixtures.containers import engine, images, labels, leftovers, network
from fixtures.containers.host import folders_of
from fixtures.containers.images import Builder
from fixtures.hosts import records
from fixtures.hosts.processes import Process, this_process
from tests.engine import NEEDS_ENGINE
from tests.runbook.applying import AHEAD, BY_DNS, BY_PROXY, IN_RQLITE, OF_UNITS, OTHER_KINDS, RAFT_ADDRESS
from tests.runbook.rehearsing import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.rehearsal, NEEDS_ENGINE]

ON_ANOTHER = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nLABEL of=tests\n"
NEVER_HERE = AHEAD | IN_RQLITE | RAFT_ADDRESS | (OTHER_KINDS - OF_UNITS)


@pytest.fixture(scope="module", autouse=True)
def _image() -> None:
    """Build the image ahead: on a machine that has none that takes longer than a rehearsal may."""
    Builder(engine.demand(), lambda _: None).image("host")


@pytest.fixture
def in_containers(tmp_path: Path) -> Iterator[Rehearsal]:
    """Return a rehearsal on containers; they are ended with the test."""
    made = Rehearsal(tmp_path, hosts="containers")
    yield made
    made.close()


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """Return a folder for worlds, which are ended with the test whoever owns them."""
    root = tmp_path / "here"
    yield root
    for folder, record in records.all_worlds(root):
        records.delete(folder, record)
    worlds.clean(root)


def left_of(root: Path) -> list[str]:
    """Return what the engine has of a folder's worlds."""
    api, wanted = engine.demand().api, labels.of_root(root)
    found = [*api.containers.list(all=True, filters=wanted), *api.networks.list(filters=wanted), *api.volumes.list(filters=wanted)]
    return [str(each.name) for each in found]


def powered(root: Path) -> list[str]:
    """Return the names of a folder's hosts that run."""
    running = engine.demand().api.containers.list(filters=labels.of_root(root))
    return sorted(container.name.rpartition("-")[2] for container in running)


def assert_moved(rehearsal: Rehearsal, not_applicable: set[str], *then: str) -> None:
    """Assert that everything that applies is green, or was in an earlier command, and that nothing of it is in the engine."""
    statuses = rehearsal.statuses()
    assert {name for name, status in statuses.items() if status == "not applicable"} == not_applicable
    assert rehearsal.came_to() <= {"green", "settled"}
    assert [line["step"] for line in rehearsal.lines if line.get("vacuous")] == []
    assert [line["mark"] for line in rehearsal.lines if line["kind"] == "mark"] == ["T_stop", "T_start", "T_open", *then, "retired"]
    assert left_of(rehearsal.worlds) == []


def test_a_core_that_is_a_unit_is_moved_by_dns_and_nothing_is_left(in_containers: Rehearsal) -> None:
    in_containers.begin()
    in_containers.until(lambda: in_containers.begun("The source core is stopped"), "the freeze", within_s=180)
    groups = [container.id for container in engine.demand().api.containers.list(filters=labels.of_root(in_containers.worlds))]
    assert in_containers.end() == 0, in_containers.printed[-3000:]

    assert in_containers.printed.startswith("hosts       containers (asked for)\nmaking containers for ")
    assert_moved(in_containers, NEVER_HERE | BY_PROXY)
    assert len(groups) == 3
    assert [path for container in groups for path in folders_of(container)] == []


def test_a_living_run_is_spared_and_one_killed_with_users_on_the_dest_is_continued_after_a_power_cut(
    in_containers: Rehearsal,
) -> None:
    in_containers.arguments = ("--cutover", "proxy")
    in_containers.begin()
    in_containers.until(lambda: in_containers.begun("Uploads, series and websockets pass"), "users on the dest", within_s=240)
    assert worlds.clean(in_containers.worlds) == []
    assert powered(in_containers.worlds) == ["dest", "dns", "source"]
    in_containers.kill()
    with records.choosing(in_containers.worlds):
        records.tidy(in_containers.worlds)
    assert powered(in_containers.worlds) == []

    assert in_containers.run() == 0, in_containers.printed[-3000:]

    assert "continuing on the containers of " in in_containers.printed
    assert_moved(in_containers, NEVER_HERE | BY_DNS, "T_start")  # the dest was rebooted before a boot started its core


def test_an_image_is_built_with_the_one_below_it_where_neither_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("c-below", f"FROM scratch\nCOPY Dockerfile /{tmp_path.name}\n"), ("c-above", ON_ANOTHER)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(text, encoding="ascii")
    monkeypatch.setattr(images, "FOLDER", tmp_path)
    monkeypatch.setattr(images, "ON", {"c-below": None, "c-above": "c-below"})
    said: list[str] = []
    found = engine.demand()

    try:
        wanted = [Builder(found, said.append).image("c-above") for _ in range(2)]

        assert wanted == [images.reference("c-above")] * 2
        assert [line for line in said if line.startswith("building")] == [
            f"building the image of the hosts, once: {images.reference('c-below')}, on {Builder(found, said.append)._debian()}",
            f"building the image of the hosts, once: {images.reference('c-above')}, on {images.reference('c-below')}",
        ]
    finally:
        for name in ("c-above", "c-below"):
            found.api.images.remove(images.reference(name), force=True)


def test_of_worlds_whose_folder_is_gone_only_those_of_this_folder_and_of_dead_makers_are_ended(root: Path) -> None:
    found, dead = engine.demand(), Process(os.getpid(), 1, "another boot")
    for name, maker in (("dead", dead), ("living", this_process())):
        ours = labels.Ours(f"{name}-{os.getpid()}", root, maker)
        network.create(found, ours)
        found.api.volumes.create(network.name(ours.world), labels=ours.labels())
    assert worlds.clean(root.parent) == []

    assert worlds.clean(root) == [f"dead-{os.getpid()}"]

    assert left_of(root) == [network.name(f"living-{os.getpid()}")] * 2
    leftovers.end(root / "worlds" / f"living-{os.getpid()}")
    assert left_of(root) == []
