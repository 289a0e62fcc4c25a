"""`python -m harness init`: a plan written from what two hosts tell, on which nothing is changed."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from fixtures.hosts.world import open_world
from harness.errors import PlanError
from harness.plan import load, parse
from tests.runbook.rehearsing import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.hosts.world import World

pytestmark = pytest.mark.rehearsal

# What a host does by itself: sshd's and the core's logs, PostgreSQL's own files.
BY_ITSELF = ("var/log/", "var/lib/postgresql/", "var/lib/nginx/")
VERBS = ("start", "stop", "status", "logs", "enable", "disable", "fence", "unfence")
CHANGE = ("id", "operator", "approver", "expected_downtime_s")


@dataclass
class Typed:
    """What `init` printed, and its exit code."""

    code: int
    printed: str


@dataclass
class Written:
    """A plan that was written, and the hosts' disks before and after."""

    out: Path
    before: dict[str, str]
    after: dict[str, str]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = open_world(tmp_path_factory.mktemp("init"), fresh=True, say=lambda _: None)
    yield made
    made.end()


def manifest(world: World) -> dict[str, str]:
    """Return what lies on both hosts' disks: of each path its kind, mode, time and content."""
    found = {}
    for role in ("source", "dest"):
        fs = world.folder / role / "fs"
        for path in fs.rglob("*"):
            name = str(path.relative_to(fs))
            if not name.startswith(BY_ITSELF):
                info = path.lstat()
                content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() and not path.is_symlink() else ""
                found[f"{role}:{name}"] = f"{info.st_mode:o} {info.st_uid} {info.st_size} {info.st_mtime_ns} {content}"
    return found


def words(world: World, out: Path, known_hosts: Path | None = None) -> list[str]:
    plan = load(world.plan_path)
    servers = [word for server in plan.cutover.dns.servers for word in ("--name-server", str(server))]
    hosts = [f"{one.ssh.user}@{one.ssh.host}:{one.ssh.port}" for one in (plan.source, plan.dest)]
    keys = world.folder / "keys"
    files = (
        "--known-hosts",
        known_hosts or keys / "known_hosts",
        "--identity-file",
        keys / "operator",
        "--tls-ca",
        keys / "ca.pem",
    )
    return ["--source", hosts[0], "--dest", hosts[1], "--out", str(out), *map(str, files), *servers]


def init(*typed: str) -> Typed:
    argv = (sys.executable, "-m", "harness", "init", *typed)
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60, stdin=subprocess.DEVNULL)
    return Typed(done.returncode, done.stdout + done.stderr)


@pytest.fixture(scope="module")
def written(world: World, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Return what `init` wrote, and the hosts' disks before and after it."""
    out = tmp_path_factory.mktemp("written") / "migration.yml"
    before = manifest(world)
    typed = init(*words(world, out))
    assert typed.code == 0, typed.printed
    return Written(out, before, manifest(world))


def filled_in(text: str, world: World) -> dict[str, Any]:
    """Return the plan that was written, what only the operator knows taken from the world's own."""
    plan, own = yaml.safe_load(text), yaml.safe_load(world.plan_path.read_text(encoding="utf-8"))
    plan["change"] |= {key: own["change"][key] for key in CHANGE}
    plan["core"]["command"] = own["core"]["command"]
    plan["backup"]["file"] = own["backup"]["file"]
    return dict(plan)


def test_a_plan_is_written_from_what_both_hosts_tell_and_nothing_is_changed_on_them(world: World, written: Written) -> None:
    assert written.after == written.before
    assert len(written.before) > 100
    text = written.out.read_text(encoding="utf-8")
    found, own = parse(yaml.safe_dump(filled_in(text, world)).encode()), load(world.plan_path)
    assert (found.core, found.planned_changes, found.source.ssh, found.dest.ssh) == (
        own.core,
        own.planned_changes,
        own.source.ssh,
        own.dest.ssh,
    )
    assert (found.source.address, found.dest.address, found.tls_ca_file) == (own.source.address, own.dest.address, own.tls_ca_file)
    assert (found.cutover.dns.servers, found.cutover.dns.ttl) == (own.cutover.dns.servers, own.cutover.dns.ttl)
    config = yaml.safe_load((world.folder / "source/fs/etc/pryv/override.yml").read_text(encoding="utf-8"))
    assert config["auth"]["adminAccessKey"] not in text
    assert config["storages"]["engines"]["postgresql"]["password"] not in text
    for said in ("a single core", "PostgreSQL 15", "data: /var/lib/pryv/data", "config_file: /etc/nginx/sites-enabled/pryv.conf"):
        assert said in text


def test_what_is_not_filled_in_yet_is_named_with_its_line_and_nothing_else_is_wrong(written: Written) -> None:
    with pytest.raises(PlanError) as error:
        load(written.out)

    lines = written.out.read_text(encoding="utf-8").splitlines()
    marked = [number for number, line in enumerate(lines, 1) if ":  # FILL IN: " in line]
    assert [int(problem.rpartition("(line ")[2].rstrip(")")) for problem in error.value.problems] == marked
    assert [problem.partition(":")[0] for problem in error.value.problems] == [
        *(f"change.{key}" for key in CHANGE),
        *(f"core.command.{verb}" for verb in VERBS),
        "backup.file",
    ]
    assert all(": is to be filled in: " in problem for problem in error.value.problems)


def test_a_file_that_is_there_is_not_overwritten(world: World, tmp_path: Path) -> None:
    out = tmp_path / "migration.yml"
    out.write_text("mine\n")

    typed = init(*words(world, out))

    assert (typed.code, out.read_text()) == (1, "mine\n")
    assert typed.printed == f"{out} is there already and is not overwritten: name another (--out), or remove it\n"


def test_a_host_key_that_is_not_pinned_is_shown_and_never_accepted(world: World, tmp_path: Path) -> None:
    known, out = tmp_path / "known_hosts", tmp_path / "migration.yml"

    typed = init(*words(world, out, known))

    assert typed.code == 1
    assert "the source's key is not known" in typed.printed
    argv = ("ssh-keygen", "-lf", str(world.folder / "source/fs/etc/ssh/ssh_host_ed25519_key.pub"))
    fingerprint = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=10).stdout.split()[1]
    assert fingerprint in typed.printed
    assert not known.exists()
    assert not out.exists()
    # The command that is told pins it.
    [told] = [line for line in typed.printed.splitlines() if line.startswith("    echo ")]
    subprocess.run(("sh", "-c", told), check=True, timeout=10)
    assert "the dest's key is not known" in init(*words(world, out, known)).printed


def test_a_host_that_does_not_answer_is_named(world: World, tmp_path: Path) -> None:
    typed = words(world, tmp_path / "migration.yml")
    typed[1] = f"{typed[1].rpartition(':')[0]}:1"

    assert "source is unreachable while" in init(*typed).printed
