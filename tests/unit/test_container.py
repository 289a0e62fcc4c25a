"""A core in a container: where its paths are on its host, how it is controlled, and what is made of its description."""

from __future__ import annotations

import copy
import json
import subprocess
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.containers import engine
from fixtures.containers.images import Builder
from harness import remade
from harness.configuration import Config, ConfigError, effective
from harness.configuration.sources import masters
from harness.container import Container, described, processes
from harness.control import control
from harness.deed import Ask, Command, CommandResult, Role
from harness.preflight.images import alone, engines_fit, nothing_alone
from harness.roots import data_roots
from harness.run.driving import drive
from tests.engine import NEEDS_ENGINE
from tests.plans import CONTENT, plan

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.plan import Plan

VOLUME = "3c493622f6f64db7e5af433ec8c442c956f8b768e080746612e3a646d593f7e6"
IN_VOLUME = f"/var/lib/docker/volumes/{VOLUME}/_data"
TOLD: dict[str, Any] = {
    "Id": "5e12b261dee216aeb0dff35e8d0b5d0df3b2d5c4d9025b013de85249f78e67a5",
    "Name": "/pryvio_open_pryv_io",
    "Image": "sha256:1c20baf300e0",
    "Path": "node",
    "Args": ["bin/master.js", "--config", "/app/pryv/override.yml", "--http:ip=203.0.113.10"],
    "State": {"Pid": 25484, "Running": True},
    "Config": {
        "Hostname": "5e12b261dee2",
        "Image": "pryvio/open-pryv.io:2.0.0",
        "WorkingDir": "/app",
        "Entrypoint": None,
        "Cmd": ["node", "bin/master.js", "--config", "/app/pryv/override.yml", "--http:ip=203.0.113.10"],
        "Env": ["NODE_ENV=production", "core__ip=203.0.113.10", "PGPASSWORD=secret"],
        "Labels": {"team": "core"},
        "Volumes": {"/app/var-pryv/rqlite-data": {}},
    },
    "HostConfig": {
        "NetworkMode": "default",
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 5},
        "PortBindings": {"3000/tcp": [{"HostIp": "203.0.113.10", "HostPort": "13000"}]},
        "Binds": ["/etc/pryv:/app/pryv:ro"],
        "Mounts": None,
        "Tmpfs": {"/app/data/tmp": ""},
        "Memory": 1024,
    },
    "Mounts": [
        {"Type": "bind", "Source": "/etc/pryv", "Destination": "/app/pryv", "Mode": "ro", "RW": False, "Propagation": "rprivate"},
        {"Type": "bind", "Source": "/srv/pryv", "Destination": "/app/data", "Mode": "", "RW": True, "Propagation": "rprivate"},
        {
            "Type": "volume",
            "Name": VOLUME,
            "Source": IN_VOLUME,
            "Destination": "/app/var-pryv/rqlite-data",
            "Driver": "local",
            "Mode": "",
            "RW": True,
            "Propagation": "",
        },
    ],
    "NetworkSettings": {"Networks": {"bridge": {}}},
}
CONTAINER = Container(TOLD)


def of_docker(container: str = "pryvio_open_pryv_io", **changes: Any) -> Plan:  # noqa: ANN401 - parts of a plan
    """Return a plan of a core in a container."""
    core = {name: part for name, part in CONTENT["core"].items() if name != "command"}
    core |= {"deploy": "docker", "docker": {"container": container}, "app_path": "/app", "user": "root"}
    return plan(core=core, dest={**CONTENT["dest"], "install": "copy-image"}, **changes)


def config(**values: str) -> Config:
    """Return a config of a core in that container."""
    keys = {"users": "storages.engines.sqlite.path", "previews": "storages.engines.filesystem.previewsDirPath"}
    places = {keys[name]: path for name, path in values.items()}
    platform = {"storages.platform.engine": "rqlite", "storages.engines.rqlite.dataDir": "var-pryv/rqlite-data"}
    return Config({**places, **platform}, (), folder="/app", container=CONTAINER)


@pytest.mark.parametrize(
    ("path", "on_host"),
    [
        ("/app/pryv", "/etc/pryv"),
        ("/app/data/users/a", "/srv/pryv/users/a"),
        ("/app/var-pryv/rqlite-data/raft.db", f"{IN_VOLUME}/raft.db"),
        ("/app/database", ""),
        ("/app/data/tmp/x", ""),
        ("/app/var-pryv", ""),
    ],
)
def test_a_path_of_the_core_is_where_it_is_mounted_or_nowhere_on_the_host(path: str, on_host: str) -> None:
    assert CONTAINER.on_host(path) == on_host


def test_data_roots_are_places_of_the_host_volumes_that_nobody_named_too() -> None:
    found = data_roots(config(users="/app/data/users", previews="/app/data/previews"))

    assert [root.path for root in found] == ["/srv/pryv/users", "/srv/pryv/previews", IN_VOLUME]


def test_data_that_are_in_the_container_alone_are_no_data_root_but_an_error() -> None:
    with pytest.raises(ConfigError, match="in its container alone"):
        data_roots(config(users="/app/var-pryv/users", previews="/app/data/previews"))


def test_a_port_is_the_one_that_is_published_and_in_the_hosts_network_itself() -> None:
    assert (CONTAINER.published(3000), CONTAINER.published(4000)) == ((13000,), ())
    host = Container({**TOLD, "HostConfig": {**TOLD["HostConfig"], "NetworkMode": "host"}})
    assert host.published(4000) == (4000,)


def test_a_fenced_container_keeps_its_restart_policy_in_its_name() -> None:
    fenced = Container({**TOLD, "Name": "/pryvio_open_pryv_io-fenced-unless-stopped"})

    assert (CONTAINER.policy, CONTAINER.called) == ("on-failure:5", "pryvio_open_pryv_io")
    assert (fenced.policy, fenced.called) == ("unless-stopped", "pryvio_open_pryv_io")


def test_a_container_that_names_no_program_of_the_core_starts_its_master_without_arguments() -> None:
    plain = Container({**TOLD, "Path": "./scripts/docker-entrypoint.sh", "Args": []})

    assert plain.process()["argv"] == ["./scripts/docker-entrypoint.sh", "master"]
    assert CONTAINER.process()["argv"][0:2] == ["node", "bin/master.js"]


def test_the_request_for_the_dest_has_the_same_mounts_and_the_planned_changes_and_starts_at_no_boot() -> None:
    changed = remade.planned(of_docker(planned_changes={"core.ip": "203.0.113.20", "http.ip": "203.0.113.20"}), CONTAINER)
    asked = remade.request(changed)

    assert asked["Env"] == ["NODE_ENV=production", "core__ip=203.0.113.20", "PGPASSWORD=secret"]
    assert asked["Cmd"][-1] == "--http:ip=203.0.113.20"
    assert asked["HostConfig"]["Binds"] == [
        "/etc/pryv:/app/pryv:ro",
        "/srv/pryv:/app/data",
        f"{VOLUME}:/app/var-pryv/rqlite-data:nocopy",
    ]
    assert asked["HostConfig"]["PortBindings"] == {"3000/tcp": [{"HostIp": "203.0.113.20", "HostPort": "13000"}]}
    assert asked["HostConfig"]["RestartPolicy"] == {"Name": "no"}
    assert "Hostname" not in asked
    assert TOLD["Config"]["Env"][1] == "core__ip=203.0.113.10"


def answering(source: Container, dest: Container | None) -> Any:  # noqa: ANN401 - what a reading is driven by
    """Return what describes both containers."""

    def one(wanted: Any) -> Any:  # noqa: ANN401 - any observation
        if isinstance(wanted, tuple):
            return [one(part) for part in wanted]
        found = source if wanted.of.host is Role.SOURCE else dest
        return CommandResult(wanted.of, 0, json.dumps([dict(found.told)] if found else []).encode(), b"", 0.0)

    return one


def made(**changes: Any) -> Container:  # noqa: ANN401 - parts of a description
    """Return the dest's container, as it was planned but for some changes of its parts."""
    told = copy.deepcopy(dict(remade.planned(of_docker(), CONTAINER).told))
    told["Id"], told["Config"]["Hostname"] = "77" * 32, "77" * 6
    told["HostConfig"]["RestartPolicy"] = {"Name": "no", "MaximumRetryCount": 0}
    for part, values in changes.items():
        if isinstance(values, dict):
            told[part] |= values
        else:
            told[part] = values
    return Container(told)


@pytest.mark.parametrize(
    ("dest", "differing"),
    [
        (made(), {}),
        (made(Image="sha256:other"), {"image": "sha256:other"}),
        (made(Mounts=TOLD["Mounts"][:2]), {"mount /app/var-pryv/rqlite-data": "(not there)"}),
        (made(HostConfig={"Memory": 0}), {"HostConfig.Memory": "(not there)"}),
        (
            made(Config={"Env": ["NODE_ENV=production", "core__ip=203.0.113.20", "PGPASSWORD=other"]}),
            {"environment PGPASSWORD": "(another text)"},
        ),
    ],
)
def test_the_dests_container_is_compared_in_all_that_makes_it_and_no_secret_is_shown(
    dest: Container, differing: dict[str, object]
) -> None:
    check = drive(remade.is_as_planned(of_docker()), answering(CONTAINER, dest))

    assert check.observed == differing
    assert check.held is (differing == {})
    assert "secret" not in str(check.expected)


def test_no_container_on_the_dest_is_absent() -> None:
    assert drive(remade.is_as_planned(of_docker()), answering(CONTAINER, None)).outcome == "absent"


def test_files_of_a_container_alone_are_told_without_folders_mounts_and_what_passes() -> None:
    changed = ["C /app", "C /app/config", "A /app/config/override-config.yml", "A /app/data", "C /tmp", "A /tmp/x", "A /run/y"]

    assert alone(changed, ["/app/data"]) == ["/app/config/override-config.yml"]


# --- on a real engine

PROGRAM = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit()); time.sleep(600)"


def performed(wanted: Any) -> Any:  # noqa: ANN401 - any deed or observation
    """Do on this machine what is asked of a host."""
    if isinstance(wanted, tuple):
        return [performed(part) for part in wanted]
    command = wanted.of if isinstance(wanted, Ask) else wanted
    if not isinstance(command, Command) or "/made" in str(command.argv):
        return None
    ran = subprocess.run(command.argv, input=command.input, capture_output=True, check=False, timeout=60)
    result = CommandResult(command, ran.returncode, ran.stdout, ran.stderr, 0.0)
    assert result.ok, result
    return result


@pytest.fixture
def running(tmp_path: Path) -> Iterator[str]:
    """Run a container whose program looks like a core's; yields its name. It is removed with its volumes."""
    name = f"pryv-test-{uuid.uuid4().hex[:12]}"
    image = Builder(engine.demand(), lambda _: None).image("core")
    (tmp_path / "override.yml").write_text("http: {port: 3000}\n", encoding="utf-8")
    program = ("sh", "-c", f"mkdir -p bin; echo '{PROGRAM}' > bin/master.py; exec python3 bin/master.py --a:b=1")
    given = ("-v", f"{tmp_path}:/app/pryv:ro", "-v", "/app/kept", "-w", "/app", "-e", "config=/app/pryv/override.yml")
    argv = ("docker", "run", "-d", "--name", name, "--restart", "unless-stopped", *given, image, *program)
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    yield name
    listed = subprocess.run(("docker", "ps", "-aq", "--filter", f"name={name}"), capture_output=True, text=True, check=True)
    subprocess.run(("docker", "rm", "-fv", *listed.stdout.split()), check=True, capture_output=True, timeout=60)


@NEEDS_ENGINE
def test_a_real_container_is_seen_fenced_made_again_and_brought_back_as_it_was(running: str) -> None:
    on = of_docker(running)
    verbs, listing = control(on), Command(Role.SOURCE, ("ps", "-eo", "pid=,user:32=,args="))
    status = verbs.status(Role.SOURCE)
    found = drive(described(on, Role.SOURCE), performed)
    assert (performed(status).text, performed(status).exit) == ("running, enabled (unless-stopped)", 0)
    assert found
    assert found.policy == "unless-stopped"
    [master] = drive(masters(on, Role.SOURCE), performed)["running"]
    assert (master["argv"], master["cwd"]) == (["python3", "bin/master.py", "--a:b=1"], "/app")
    assert f"* {master['pid']}" in performed(processes(on, listing)).lines[0]
    fits = drive(engines_fit(on), performed)
    assert [check.name for check in fits if not check.held] == []
    assert fits[-1].name == "room for the image, kB"
    _, files, _ = drive(nothing_alone(on), performed)
    assert files.observed == ["/app/bin/master.py"]
    read = drive(effective(on, Role.SOURCE), performed)
    assert read
    assert read["a.b"] == 1

    performed(verbs.stop(Role.SOURCE))
    performed(verbs.fence(Role.SOURCE))
    performed(verbs.fence(Role.SOURCE))
    assert (performed(status).text, performed(status).exit) == ("stopped, fenced, disabled", 3)
    assert subprocess.run(verbs.start(Role.SOURCE).argv, check=False, capture_output=True, timeout=60).returncode == 1
    assert not any(line.startswith("* ") for line in performed(processes(on, listing)).lines)

    drive(remade.make(on, found), performed)
    again = Container(json.loads(subprocess.run(("docker", "inspect", running), check=True, capture_output=True).stdout)[0])
    assert remade.facts(again) == remade.facts(remade.planned(on, found))
    assert (again.policy, again.told["State"]["Status"]) == ("no", "created")

    kept = remade.volumes(found)
    drive(remade.remove(on, {f"container {running}"}), performed)
    assert performed(status).text == "stopped, fenced, disabled"
    assert subprocess.run(("docker", "volume", "inspect", *kept), check=False, capture_output=True, timeout=60).returncode == 0

    performed(verbs.unfence(Role.SOURCE))
    assert performed(status).text == "stopped, enabled (unless-stopped)"


@NEEDS_ENGINE
def test_what_a_run_has_made_of_containers_is_removed_and_nothing_else() -> None:
    name, other = (f"pryv-test-{uuid.uuid4().hex[:12]}" for _ in range(2))
    image = Builder(engine.demand(), lambda _: None).image("core")
    for volume in (name, other):
        subprocess.run(("docker", "volume", "create", volume), check=True, capture_output=True, timeout=60)
    subprocess.run(
        ("docker", "create", "--name", name, "-v", f"{name}:/kept", image, "true"), check=True, capture_output=True, timeout=60
    )
    mine = {f"container {name}", f"volume {name}", "path /etc/pryv"}

    drive(remade.remove(of_docker(name), mine), performed)
    drive(remade.remove(of_docker(name), mine), performed)

    listed = subprocess.run(("docker", "volume", "ls", "-q"), check=True, capture_output=True, text=True).stdout.split()
    assert (name in listed, other in listed) == (False, True)
    assert performed(control(of_docker(name)).status(Role.DEST)).text == "stopped: no container"
    subprocess.run(("docker", "volume", "rm", other), check=True, capture_output=True, timeout=60)


@NEEDS_ENGINE
def test_where_there_is_no_container_it_is_said_to_be_stopped_and_nothing_is_described() -> None:
    on = of_docker(f"pryv-test-{uuid.uuid4().hex[:12]}")

    answer = performed(control(on).status(Role.DEST))
    assert (answer.text, answer.exit) == ("stopped: no container", 3)
    assert drive(described(on, Role.DEST), performed) is None
    assert drive(masters(on, Role.DEST), performed)["running"] == []
