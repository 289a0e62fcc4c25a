"""A core in a container: where its paths are on its host, how it is controlled, and what is made of its description."""

from __future__ import annotations

import copy
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from harness import remade
from harness.configuration import Config, ConfigError, effective
from harness.container import Container, policy_at_boot
from harness.deed import Ask, Command, CommandResult, Role
from harness.preflight.images import alone, copy_image, pull_image
from harness.roots import data_roots
from harness.run.driving import drive
from harness.service import starts_at_boot
from tests.plans import CONTENT, plan

if TYPE_CHECKING:
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


# --- its config, its policy, its image


def archive(text: str) -> bytes:
    """Return what `docker cp … -` prints of a file."""
    out, content = io.BytesIO(), text.encode()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("file")
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def telling(inside: dict[str, str], answers: dict[str, str], described_as: Container = CONTAINER) -> Any:  # noqa: ANN401 - what drives
    """Return what answers for a host with that container: `inside` are files of its image, answers go by a word of the command."""

    def one(wanted: Any) -> Any:  # noqa: ANN401 - any deed or observation
        if isinstance(wanted, tuple):
            return [one(part) for part in wanted]
        command = wanted.of if isinstance(wanted, Ask) else wanted
        if not isinstance(command, Command):
            return None
        words = " ".join(command.argv)
        if command.argv[:2] == ("docker", "cp"):
            path = command.argv[3].partition(":")[2]
            found = archive(inside[path]) if path in inside else b""
            return CommandResult(command, int(not found), found, b"Could not find the file" if not found else b"", 0.0)
        text = json.dumps([dict(described_as.told)]) if "describe" in command.argv else ""
        text = next((answer for word, answer in answers.items() if word in words), text)
        return CommandResult(command, int(text == "exit 1"), text.encode(), b"", 0.0)

    return one


RUNNING = {
    "running": [
        {"pid": 7, "argv": ["node", "bin/master.js", *TOLD["Args"][1:]], "environ": ["NODE_ENV=production"], "cwd": "/app"}
    ],
    "kept": None,
}


def test_config_is_read_where_it_is_mounted_and_above_what_the_image_ships() -> None:
    shipped = {"/app/config/default-config.yml": "http: {port: 3000, hfsPort: 4000}\n"}
    host = telling(shipped, {"started": json.dumps(RUNNING), "find": "/etc/pryv/override.yml", "cat": "http: {port: 9000}\n"})

    found = drive(effective(of_docker(), Role.SOURCE), host)

    assert found
    assert found.files == ("/etc/pryv/override.yml",)
    assert (found["http.port"], found["http.hfsPort"], found["http.ip"]) == (9000, 4000, "203.0.113.10")


def test_an_override_file_in_the_container_alone_is_an_error_before_anything_is_moved() -> None:
    inside = {"/app/config/override-config.yml": "http: {port: 9000}\n"}
    other = Container({**TOLD, "Id": "ab" * 32})

    with pytest.raises(ConfigError, match=r"override-config\.yml is in the source's container alone"):
        drive(effective(of_docker(), Role.SOURCE), telling(inside, {"started": json.dumps(RUNNING)}, other))


@pytest.mark.parametrize(("policy", "at_boot"), [("always", "always"), ("no", "unless-stopped"), ("on-failure", "unless-stopped")])
def test_a_boot_starts_the_dests_container_as_it_started_the_sources_or_at_all(policy: str, at_boot: str) -> None:
    source = Container({**TOLD, "Name": f"/pryvio_open_pryv_io-fenced-{policy}"})

    assert drive(policy_at_boot(of_docker()), telling({}, {}, source)) == at_boot
    check = drive(starts_at_boot(of_docker(), Role.DEST), telling({}, {"told": f"running, enabled ({at_boot})"}, source))
    assert check.held


def deeds(act: Any, answer: Any) -> list[str]:  # noqa: ANN401 - an act, and what answers it
    """Return what an act does, as it is told to people."""
    told: list[str] = []

    def done(deed: Any) -> Any:  # noqa: ANN401 - any deed
        told.append(deed.says)
        return answer(deed)

    drive(act, done)
    return told


def test_an_image_is_copied_once_and_its_file_is_removed() -> None:
    at = "/var/lib/pryv-migration/CHG0031337/image/image.tar"

    assert deeds(copy_image(of_docker()), telling({}, {"image inspect": "exit 1"})) == [
        "look at the source's container",
        "look for the image on the dest",
        "write the image to a file on the source (docker save)",
        f"rsync {at} from the source to the dest",
        "load the image on the dest (docker load)",
        "remove the image's file on the source",
        "remove the image's file on the dest",
        "call the image pryvio/open-pryv.io:2.0.0 on the dest",
    ]
    assert len(deeds(copy_image(of_docker()), telling({}, {"image inspect": "sha256:1c20baf300e0 9"}))) == 5


def test_an_image_is_pulled_by_its_digest() -> None:
    digests = "other/image@sha256:9 pryvio/open-pryv.io@sha256:77"

    told = deeds(pull_image(of_docker()), telling({}, {"RepoDigests": digests, "image inspect": "exit 1"}))

    assert "pull pryvio/open-pryv.io@sha256:77 on the dest" in told
