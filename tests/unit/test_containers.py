"""What is decided of containers before an engine is asked: which engine will do, which images, networks, labels, files, units."""

from __future__ import annotations

import io
import ipaddress
import os
import re
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fixtures import worlds
from fixtures.containers import engine, images, labels, leftovers, network, units
from fixtures.containers.archive import write_tar
from fixtures.containers.ground import Way
from fixtures.hosts import __main__ as command
from fixtures.hosts import records
from fixtures.hosts.accounts import ALL, BIND, POSTGRES, PRYV
from fixtures.hosts.disks import Disk
from fixtures.hosts.processes import Process
from fixtures.hosts.services import RunFolder, Service
from harness.errors import Refused
from tests.engine import why_skipped

if TYPE_CHECKING:
    from collections.abc import Mapping

DOCKERFILE = images.FOLDER / "host" / "Dockerfile"
FITS: Mapping[str, Any] = {"OSType": "linux", "OperatingSystem": "Debian GNU/Linux 12", "SecurityOptions": ["name=seccomp"]}


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ({}, ""),
        ({"SecurityOptions": None}, ""),
        ({"OSType": "windows"}, "the Docker engine runs windows containers"),
        ({"OperatingSystem": "Docker Desktop"}, "the Docker engine is Docker Desktop's: its containers have no address"),
        ({"SecurityOptions": ["name=seccomp", "name=rootless"]}, "the Docker engine is a rootless one"),
    ],
)
def test_an_engine_will_do_whose_containers_are_reached_by_their_own_addresses(told: dict[str, Any], why: str) -> None:
    found = engine.why_unfit({**FITS, **told})

    assert found.startswith(why)
    assert bool(found) == bool(why)


def test_hosts_are_containers_where_an_engine_answers_and_the_line_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "look", lambda: "no Docker engine answers (refused)")
    assert worlds.chosen(None) == ("loopback", "no Docker engine answers (refused)")
    assert worlds.chosen("containers") == ("containers", "asked for")
    with pytest.raises(Refused, match=r"need an engine: no Docker engine answers \(refused\); start one, or take"):
        engine.demand()

    monkeypatch.setattr(engine, "look", lambda: engine.Engine(None, "20.10.24", "1"))  # type: ignore[arg-type]  # it is not asked
    assert worlds.chosen(None) == ("containers", "a Docker engine answers, 20.10.24")


def test_a_world_of_containers_stays_until_its_engine_answers_and_the_others_are_cleaned_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dead = Process(os.getpid(), 1, "another boot")
    ports = dict.fromkeys(("primary", "secondary", "broker", "rqlite", "raft"), 1)
    with records.choosing(tmp_path):
        folder, record = records.begin(tmp_path, network="10.0.0", provider=records.CONTAINERS, **ports)
        other, _ = records.begin(tmp_path, network="127.0.0", **ports)
    records.write(folder, replace(record, owner=dead))
    (other / "world.json").unlink()
    for module in (engine, leftovers):
        monkeypatch.setattr(module, "look", lambda: "no Docker engine answers (refused)")
    monkeypatch.setattr(leftovers, "demand", engine.demand)

    assert command.main(["clean", str(tmp_path)]) == 1

    assert "hosts that are containers need an engine: no Docker engine answers (refused)" in capsys.readouterr().err
    assert (folder.is_dir(), other.exists()) == (True, False)
    with records.choosing(tmp_path):
        records.tidy(tmp_path)
    assert folder.is_dir()


def test_a_deploy_that_loopback_hosts_do_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="--deploy systemd needs hosts that are containers"):
        worlds.open_world("loopback", tmp_path, way=Way(), say=lambda _: None)


def test_tests_of_containers_are_skipped_without_an_engine_but_never_in_ci() -> None:
    assert why_skipped("no Docker engine answers", {}) == "no Docker engine answers"
    assert why_skipped("no Docker engine answers", {"CI": "true"}) == ""
    run = Path(__file__).parents[2].joinpath(".ci/run").read_text(encoding="ascii")
    assert re.search(r"^export CI=true", run, re.MULTILINE)
    assert 'tools/with-engine make "$target"' in run


def test_an_images_tag_changes_with_what_it_is_built_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, below in (("below", None), ("above", "below")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text(f"# {name}\n", encoding="ascii")
        monkeypatch.setitem(images.ON, name, below)
    monkeypatch.setattr(images, "FOLDER", tmp_path)
    before = [images.reference(name) for name in ("below", "above")]
    assert [images.reference(name) for name in ("below", "above")] == before

    (tmp_path / "below" / "file").write_text("more\n", encoding="ascii")

    after = [images.reference(name) for name in ("below", "above")]
    assert [one.rpartition(":")[0] for one in after] == ["pryv-core-migration/below", "pryv-core-migration/above"]
    assert all(re.fullmatch(r"[^:]+:[0-9a-f]{12}", one) for one in (*before, *after))
    assert len({*before, *after}) == 4


def test_the_classic_builder_can_build_the_image_and_its_users_have_the_numbers_that_files_are_laid_by() -> None:
    text = DOCKERFILE.read_text(encoding="ascii")
    instructions = [line for line in text.splitlines() if line and not line.startswith("#")]

    assert instructions[:2] == ["ARG BASE_IMAGE=debian:bookworm-slim", "FROM ${BASE_IMAGE}"]
    assert [line for line in instructions if re.search(r"--mount|<<", line)] == []
    assert not text.startswith("# syntax")
    made = re.findall(r"useradd --system --uid (\d+) --gid (\d+) .* (\w+) *\\?$", text, re.MULTILINE)
    assert {(name, int(uid), int(gid)) for uid, gid, name in made} == {
        (one.name, one.number, one.number) for one in (BIND, POSTGRES, PRYV)
    }
    assert len({one.number for one in ALL}) == len(ALL)


def test_networks_that_this_machine_has_a_route_to_are_known_from_its_table() -> None:
    table = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n"
    table += "eth0 00000000 0100000A 0003 0 0 0 00000000 0 0 0\neth0 0000000A 0 1 0 0 0 000000FF 0 0 0\n"
    table += "eth1 0005640A 0 1 0 0 0 00FFFFFF 0 0 0\n"

    assert list(network.routed(table)) == [ipaddress.ip_network("10.100.5.0/24")]
    assert list(network.routed("")) == []


def test_labels_say_whose_something_is_and_what_has_none_is_nobodys() -> None:
    ours = labels.Ours("abc", Path("/w"), Process(7, 8, "a-boot"))

    assert labels.maker(ours.labels()) == Process(7, 8, "a-boot")
    assert labels.maker({**ours.labels(), labels.OWNER: ""}) is None
    assert labels.maker({}) is None
    assert labels.of_world("abc", Path("/w")) == {"label": [f"{labels.WORLD}=abc", f"{labels.ROOT}=/w"]}


def test_only_what_was_laid_is_sent_with_its_owners_numbers_whoever_sends_it(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "fs", {})
    disk.write("/etc/pryv/override.yml", "secret", 0o600, PRYV)
    disk.folder("/var/lib/pryv", 0o750, PRYV)
    disk.link("/etc/systemd/system/a.wants/b", "/lib/b")
    disk.at("/opt/app/bin").mkdir(parents=True)
    disk.at("/opt/app/bin/master").write_text("#!", encoding="ascii")
    disk.give_tree("/opt/app", PRYV)
    file = io.BytesIO()

    write_tar(disk, file)

    file.seek(0)
    with tarfile.open(fileobj=file) as tar:
        sent = {one.name: (one.uid, one.gid, one.uname, oct(one.mode), one.linkname) for one in tar.getmembers()}
    own, mode = (PRYV.number, PRYV.number, ""), oct(0o777 & ~_umask())
    assert sent == {
        "etc/pryv/override.yml": (*own, "0o600", ""),
        "etc/systemd/system/a.wants/b": (0, 0, "", "0o777", "/lib/b"),
        "opt/app": (*own, mode, ""),
        "opt/app/bin": (*own, mode, ""),
        "opt/app/bin/master": (*own, oct(0o666 & ~_umask()), ""),
        "var/lib/pryv": (*own, "0o750", ""),
    }


def _umask() -> int:
    now = os.umask(0o022)
    os.umask(now)
    return now


def test_a_service_becomes_a_unit_that_a_boot_starts_where_it_is_enabled(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "fs", {})
    named = Service("primary", ("/usr/sbin/named", "-c", "a file"), BIND, listens=("10.0.0.4", 53), environment={"A": "b c"})
    units.lay(disk, "named-primary", named, [RunFolder("/run/named")])
    units.lay(disk, "pryv-core", Service("core", ("/usr/bin/node",), PRYV, "/opt/pryv/app", enabled=False, stop_s=7))

    unit = disk.at("/etc/systemd/system/named-primary.service").read_text(encoding="ascii").splitlines()
    assert set(unit) >= {
        "User=bind",
        'Environment="A=b c"',
        "RuntimeDirectory=named",
        "AmbientCapabilities=CAP_NET_BIND_SERVICE",
        "ExecStart=/usr/sbin/named -c 'a file'",
        "KillSignal=SIGTERM",
    }
    assert {path for path in disk.owners or {} if ".wants/" in path} == {f"{units.WANTED}/named-primary.service"}
    units.lay_firewall(disk, 4001, 4002)
    firewall = disk.at("/etc/systemd/system/firewall.service").read_text(encoding="ascii")
    assert "-A INPUT ! -i lo -p tcp -m multiport --dports 4001,4002 -j REJECT" in firewall
    core = disk.at("/etc/systemd/system/pryv-core.service").read_text(encoding="ascii")
    assert "TimeoutStopSec=7\n" in core
    assert "AmbientCapabilities" not in core
