"""The core's container on the dest: made anew as Docker describes the source's, with the planned changes, and not started.

It has the same image, program, environment, user, labels, mounts, published ports and network. An anonymous volume (the image
declares one for the platform's database) gets the source's own name there, so that its data are at the same place on both hosts.
Of three things the dest's differ as planned: config that stands in the environment or in the arguments; ports that are published
at the source's address, which are at the dest's there; and the restart policy, which comes once users are on the dest.
"""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.container import Container, described, describing, parsed
from harness.deed import Ask, Command, Role
from harness.sending import claim, claimed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.deed import Act, Reading
    from harness.plan import Plan

SOCKET = "/var/run/docker.sock"
# Makes a container of the description that comes on standard input: its environment holds secrets, and stands in no argv.
CREATE = """\
import http.client, json, socket, sys
path, name = sys.argv[1:]
connection = http.client.HTTPConnection("localhost", timeout=60)
connection.sock = socket.socket(socket.AF_UNIX)
connection.sock.connect(path)
connection.request("POST", f"/containers/create?name={name}", sys.stdin.read(), {"Content-Type": "application/json"})
answer = connection.getresponse()
told = json.load(answer)
print(told.get("Id") or told.get("message"))
sys.exit(answer.status != 201)
"""
GONE = 'docker rm "$0" 2>&1 || ! docker inspect --type container "$0" >/dev/null 2>&1'
NO_VOLUME = 'for name; do ! docker volume inspect "$name" >/dev/null 2>&1 || docker volume rm "$name" || exit; done'
THERE = (
    'docker ps -a --format "container {{.Names}}" && docker volume ls --format "volume {{.Name}}" && '
    'docker image ls -a --no-trunc --format "image {{.ID}}"'
)
BIND, VOLUME = "bind", "volume"
# Of the host, not of the container; or told in the mounts; or as each engine has it by itself.
LEFT_OUT = {"Binds", "CgroupnsMode", "ConsoleSize", "ContainerIDFile", "Isolation", "MaskedPaths", "Mounts", "ReadonlyPaths"}
LEFT_OUT |= {"RestartPolicy", "Tmpfs", "VolumesFrom"}
OF_ITSELF = {"AttachStderr", "AttachStdin", "AttachStdout", "Env", "Hostname", "Image", "OnBuild", "Volumes"}
PLAIN_NETWORKS = ("default", "bridge", "host", "none")
WHY = "another container reads or writes elsewhere, or is another core"


# --- what it is to be


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _environ(entry: str, changes: Mapping[str, Any]) -> str:
    name = entry.partition("=")[0]
    key = name.replace("__", ":").replace(":", ".")
    return f"{name}={_text(changes[key])}" if key in changes else entry


def _arguments(words: list[str], changes: Mapping[str, Any]) -> Iterator[str]:
    """Yield arguments, `--key=text` and `--key text` with the planned text where the key is to change."""
    key = ""
    for word in words:
        name, equals, _ = word.partition("=")
        if key in changes and not word.startswith("--"):
            yield _text(changes[key])
            key = ""
            continue
        key = name.removeprefix("--").replace(":", ".") if word.startswith("--") else ""
        yield f"{name}={_text(changes[key])}" if equals and key in changes else word
        key = "" if equals else key


def planned(plan: Plan, source: Container) -> Container:
    """Return what the dest's container is to be like."""
    told = copy.deepcopy(dict(source.told))
    config, changes = told["Config"], plan.planned_changes
    config["Env"] = [_environ(entry, changes) for entry in config["Env"] or ()]
    for part in ("Entrypoint", "Cmd"):
        config[part] = list(_arguments(config[part], changes)) if config[part] else config[part]
    for bindings in (told["HostConfig"].get("PortBindings") or {}).values():
        for one in bindings or ():
            if one.get("HostIp") == str(plan.source.address):
                one["HostIp"] = str(plan.dest.address)
    return Container(told)


def _bind(mount: Mapping[str, Any]) -> str:
    """Return a mount as one text; an empty volume is not filled from the image, as what belongs in it comes from the source."""
    modes = [mode for mode in str(mount.get("Mode") or "").split(",") if mode in {"z", "Z"}]
    modes += [] if mount["RW"] else ["ro"]
    if mount["Type"] == VOLUME:
        return ":".join((mount["Name"], mount["Destination"], ",".join([*modes, "nocopy"])))
    modes += [mount["Propagation"]] if mount.get("Propagation") not in {"", "rprivate", None} else []
    return ":".join((mount["Source"], mount["Destination"], *([",".join(modes)] if modes else [])))


def _endpoints(container: Container) -> dict[str, Any]:
    """Return how it is in networks that somebody has made: its other names there, and its address where it was given one."""
    networks = container.told["NetworkSettings"]["Networks"] or {}
    if container.told["HostConfig"]["NetworkMode"] in PLAIN_NETWORKS:
        return {}
    return {
        name: {
            "Aliases": [alias for alias in one.get("Aliases") or () if not container.id.startswith(alias)],
            "IPAMConfig": one.get("IPAMConfig"),
        }
        for name, one in networks.items()
    }


def request(container: Container) -> dict[str, Any]:
    """Return the request by which an engine makes a container like this one, that no boot starts."""
    config, host = dict(container.told["Config"]), dict(container.told["HostConfig"])
    if container.id.startswith(config.get("Hostname") or "-"):
        config.pop("Hostname")
    mounts = container.told["Mounts"]
    host["Binds"] = [_bind(one) for one in mounts if one["Type"] in {BIND, VOLUME}]
    host["Mounts"] = [one for one in host.get("Mounts") or () if one["Type"] not in {BIND, VOLUME}]
    host |= {"RestartPolicy": {"Name": "no"}, "VolumesFrom": None, "ContainerIDFile": ""}
    return {**config, "HostConfig": host, "NetworkingConfig": {"EndpointsConfig": _endpoints(container)}}


def volumes(container: Container) -> tuple[str, ...]:
    """Return the names of its volumes, the anonymous ones too."""
    return tuple(sorted(one.name for one in container.mounts if one.kind == VOLUME))


def make(plan: Plan, source: Container) -> Act:
    """Make the volumes, empty, and the container, which is not started."""
    name, wanted = source.called, planned(plan, source)
    for volume in volumes(source):
        yield from claim(plan, Role.DEST, f"volume {volume}")
        yield Command(Role.DEST, ("docker", "volume", "create", volume), says=f"make the volume {volume} on the dest, empty")
    yield from claim(plan, Role.DEST, f"container {name}")
    yield Command(Role.DEST, ("sh", "-c", GONE, name), says=f"remove a container {name} that this run has made before")
    yield creating(name, request(wanted))


def creating(name: str, wanted: Mapping[str, Any]) -> Command:
    """Return the command that makes a container on the dest."""
    argv = ("python3", "-I", "-S", "-c", CREATE, SOCKET, name)
    says = f"make the container {name} on the dest (docker create), as the source's is"
    return Command(Role.DEST, argv, input=json.dumps(wanted).encode(), says=says)


# --- whether it is so


def facts(container: Container) -> dict[str, Any]:
    """Return everything that makes a container what it is, by name; what an engine leaves out and what is empty are the same."""
    config, host = container.told["Config"], container.told["HostConfig"]
    of_itself = {f"Config.{name}": value for name, value in config.items() if name not in OF_ITSELF}
    on_its_host = {f"HostConfig.{name}": value for name, value in host.items() if name not in LEFT_OUT}
    environ = {f"environment {name}": text for name, _, text in (one.partition("=") for one in container.environ)}
    mounts = {f"mount {one.inside}": [one.kind, one.name or one.host, "rw" if one.writable else "ro"] for one in container.mounts}
    networks = {f"network {name}": one for name, one in _endpoints(container).items()}
    hostname = "" if container.id.startswith(config.get("Hostname") or "-") else config.get("Hostname")
    whole = {"image": container.image, "hostname": hostname, **of_itself, **on_its_host, **environ, **mounts, **networks}
    return {name: value for name, value in whole.items() if value or name.startswith("environment ")}


def _shown(name: str, value: object) -> object:
    """Return a fact for the record: of the environment nothing is shown, as it holds secrets."""
    return "(a text)" if name.startswith("environment ") else value


def is_as_planned(plan: Plan) -> Reading[Check]:
    """Look whether the dest's container is what the source's is, with the planned changes; its restart policy comes later."""
    source, dest = yield from _both(plan)
    name = "what the dest's container is, beside the source's"
    if source is None or dest is None:
        missing = "source" if source is None else "dest"
        return equal(name, Witness.PROCESSES, "the same", f"no container on the {missing}", 0, absent=source is not None)
    expected, observed = facts(planned(plan, source)), facts(dest)
    different = sorted(key for key in expected.keys() | observed.keys() if expected.get(key) != observed.get(key))
    told = {key: _shown(key, observed[key]) if key in observed else "(not there)" for key in different}
    wanted = {key: _shown(key, expected[key]) if key in expected else "(not there)" for key in different}
    for key in different:
        if told[key] == wanted[key]:
            told[key] = "(another text)"
    remedy = "run again: it is made anew"
    return equal(name, Witness.PROCESSES, wanted, told, len(observed), len(expected) // 2, why=WHY, remedy=remedy)


def _both(plan: Plan) -> Reading[tuple[Container | None, Container | None]]:
    source, dest = yield (Ask(describing(plan, Role.SOURCE)), Ask(describing(plan, Role.DEST)))
    return parsed(source), parsed(dest)


def nothing_overwritten(plan: Plan) -> Reading[Check]:
    """Look for a container and for volumes of the source's names on the dest that this run has not made."""
    source = yield from described(plan, Role.SOURCE)
    mine = yield from claimed(plan, Role.DEST)
    there = (yield Ask(Command(Role.DEST, ("sh", "-c", THERE)))).lines
    wanted = [f"container {source.called}", *(f"volume {name}" for name in volumes(source))] if source else []
    found = [thing for thing in wanted if thing in there and thing not in mine]
    remedy = "remove them from the dest yourself, once you know what they are for"
    return equal("containers and volumes that would be overwritten", Witness.PROCESSES, [], found, len(wanted), remedy=remedy)


# --- and taken away again


def remove(plan: Plan, mine: set[str]) -> Act:
    """Remove the container and the volumes that this run has made on the dest; the image stays."""
    name = plan.core.docker.container if plan.core.docker else ""
    made = [thing.removeprefix("volume ") for thing in sorted(mine) if thing.startswith("volume ")]
    if f"container {name}" in mine:
        yield Command(Role.DEST, ("sh", "-c", GONE, name), says=f"remove the container {name} on the dest; its image stays")
    if made:
        yield Command(Role.DEST, ("sh", "-c", NO_VOLUME, "volumes", *made), says=f"remove {len(made)} volume(s) on the dest")


def is_gone(plan: Plan) -> Reading[list[Check]]:
    """Look for a container and for volumes that this run has made on the dest; that its image stays is told."""
    if plan.core.docker is None:
        return []
    mine = yield from claimed(plan, Role.DEST)
    there = (yield Ask(Command(Role.DEST, ("sh", "-c", THERE)))).lines
    left = sorted(set(there) & {thing for thing in mine if thing.startswith(("container ", "volume "))})
    name = "this run's container and volumes on the dest (the image stays)"
    return [equal(name, Witness.PROCESSES, [], left, len(there) + 1)]
