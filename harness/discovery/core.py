"""The source's core, found by its running master: on the host itself, under systemd or not, or in a container."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePosixPath
from posixpath import normpath
from typing import TYPE_CHECKING, Any

from harness.configuration.sources import FORBIDDEN, seen
from harness.configuration.started import MASTERS, Started, after_program, meaning_config
from harness.container import Container
from harness.deed import Ask, Command, Role
from harness.discovery.found import FoundCore
from harness.errors import HarnessError
from harness.host import python
from harness.plan.kinds import SHARED
from harness.preflight.data import V1_GUIDE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.deed import CommandResult, Reading

EVERY_TREE, EVERY_USER, NOTHING_KEPT = "", "", "/nonexistent"
IN_CONTAINERS = r"""
command -v docker >/dev/null || exit 0
for id in $(docker ps -q); do
    docker top "$id" -eo args 2>/dev/null | grep -Eq '(^|[ /])master(\.js|\.py)?( |$)' && echo "$id"
done; true"""
V1_SIGNS = r"""
ps -eo args= | grep -E 'components/(api-server|register)/bin/server|/register/source/server' | grep -v grep | head -n 3
command -v docker >/dev/null &&
    docker ps --format '{{.Image}} {{.Names}}' | grep -E 'pryvio/(core|register|hfs|preview)[:@]|pryvio_(core|register)( |$)'
true"""
UNIT_OF = r"""
unit=$(sed -n 's,.*/\([^/]*\.service\)$,\1,p' "/proc/$0/cgroup" | head -n 1)
[ -n "$unit" ] && command -v systemctl >/dev/null || exit 0
[ "$(systemctl show -p MainPID --value "$unit")" = "$0" ] && echo "$unit"; true"""


class NotFound(HarnessError):
    """What a plan is written from cannot be found; says where, why, and what to do."""


def core() -> Reading[FoundCore]:
    """Return the one core that runs on the source; raises NotFound where there is none, several, or one of v1."""
    masters = yield from _masters()
    containers = (yield Ask(Command(Role.SOURCE, ("sh", "-c", IN_CONTAINERS)))).lines
    found = [f"process {one['pid']}" for one in masters] + [f"container {one}" for one in containers]
    if not found:
        yield from _refuse_v1()
        raise NotFound(
            "no core runs on the source: start it (its config and data are told by the running core), then type this again"
        )
    if len(found) > 1:
        raise NotFound(f"the source runs several cores ({', '.join(found)}): stop all but the one that moves, then type this again")
    return (yield from _native(masters[0])) if masters else (yield from _contained(containers[0]))


def _refuse_v1() -> Reading[None]:
    signs = (yield Ask(Command(Role.SOURCE, ("sh", "-c", V1_SIGNS)))).lines
    if signs:
        raise NotFound(f"the source runs a v1 core ({signs[0].strip()[:80]}): this runbook moves v2; {V1_GUIDE}")


def _masters() -> Reading[list[dict[str, Any]]]:
    """Return the masters that run on the host itself: a program of that name that an interpreter runs."""
    there = yield Ask(Command(Role.SOURCE, ("sh", "-c", "command -v python3"), exits=(0, 1, 127)))
    if there.exit:
        raise NotFound("the source has no python3: install it (what is looked at there is looked at by it)")
    asked = python(Role.SOURCE, "started", EVERY_TREE, EVERY_USER, NOTHING_KEPT)
    answer: CommandResult = yield Ask(replace(asked, private=True, exits=(0, FORBIDDEN)))
    if answer.exit:
        raise NotFound(f"{answer.text} on the source may not be read: come as root, or as somebody whom sudo makes root")
    return [one for one in answer.json()["running"] if _program(one["argv"])]


def _program(argv: Sequence[str]) -> str:
    """Return the word that names the master; not where it is the program itself (Postfix has a master too)."""
    return next((word for word in argv[1:] if word.rpartition("/")[2] in MASTERS), "")


def _native(master: Mapping[str, Any]) -> Reading[FoundCore]:
    started = seen(Role.SOURCE, master, frozenset())
    tree = PurePosixPath(normpath(PurePosixPath(master["cwd"], _program(master["argv"])))).parent
    app = str(tree.parent if tree.name == "bin" else tree)
    user = (yield Ask(Command(Role.SOURCE, ("ps", "-o", "user:32=", "-p", str(master["pid"]))))).text.strip()
    unit = (yield Ask(Command(Role.SOURCE, ("sh", "-c", UNIT_OF, str(master["pid"]))))).text
    deploy, part = ("systemd", {"unit": unit.removesuffix(".service")}) if unit else ("command", None)
    runs = (yield Ask(Command(Role.SOURCE, (master["argv"][0], "--version"), exits=tuple(range(256))))).text
    return FoundCore(app, user, (config_folder(app, started),), deploy, part, _how(master, started), runs)


def config_folder(app: str, started: Started) -> str:
    """Return the folder of the file that the start names, the tree's own where it names none; raises NotFound for /etc itself."""
    named = started.chooser("config")
    folder = str(PurePosixPath(normpath(PurePosixPath(started.folder or app, named))).parent) if named else f"{app}/config"
    if folder in SHARED:
        raise NotFound(f"the core's config lies in {folder} among others' files: put it into a folder of its own first (--config)")
    return f"{folder}/"


def _how(master: Mapping[str, Any], started: Started) -> str:
    """Return how it was started: programs, and the names of what is set, without values."""
    files = [f"config file {started.chooser('config')}"] if started.chooser("config") else []
    environment, arguments = started.layers()
    names = [
        f"by {where}: {', '.join(sorted(layer))}"
        for where, layer in (("arguments", arguments), ("environment", environment))
        if layer
    ]
    program = f"{PurePosixPath(master['argv'][0]).name} {_program(master['argv'])} in {master['cwd']}"
    return "; ".join([program, *files, *names])


def _contained(container: str) -> Reading[FoundCore]:
    """Return a core that runs in a container, by what the engine tells of it (its environment's values are not told on)."""
    answer = yield Ask(Command(Role.SOURCE, ("docker", "inspect", container), private=True))
    told = json.loads(answer.out)[0]
    labels, name = told["Config"].get("Labels") or {}, told["Name"].lstrip("/")
    if app := labels.get("com.dokku.app-name"):
        deploy, part = "dokku", {"app": app}
    else:
        deploy, part = "docker", {"container": name}
    words = [*(told["Config"].get("Entrypoint") or []), *(told["Config"].get("Cmd") or [])]
    at = _program(["", *words]) or "bin/master.js"
    tree = PurePosixPath(normpath(PurePosixPath(told["Config"].get("WorkingDir") or "/app", at))).parent
    inside = str(tree.parent if tree.name == "bin" else tree)
    image = f"image {told['Config']['Image']} ({told['Image']})"
    where = _folder_on_host(told, inside, words)
    return FoundCore(inside, told["Config"].get("User") or "root", (where,), deploy, part, image, notes=_notes(told))


def _folder_on_host(told: Mapping[str, Any], inside: str, words: Sequence[str]) -> str:
    """Return where on the host a container has its config: the mounted folder of its file, or of its override file."""
    container, folder = Container(told), str(told["Config"].get("WorkingDir") or "/app")
    started = Started(after_program(words) or (), meaning_config(container.environ, frozenset()), folder)
    named = config_folder(inside, started)
    override = container.on_host(f"{inside}/config/override-config.yml").rpartition("/")[0]
    found = container.on_host(named.rstrip("/")) or override
    return f"{found}/" if found and found not in SHARED else named


def _notes(told: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what the engine tells of mounts, ports and restarts, for the plan's comments."""
    mounts = [
        f"{'anonymous ' if one['Type'] == 'volume' and len(one.get('Name', '')) == 64 else ''}{one['Type']} "  # noqa: PLR2004 - a hash
        f"{one.get('Source', '')} at {one['Destination']}"
        for one in told.get("Mounts", [])
    ]
    ports = sorted((told["HostConfig"].get("PortBindings") or {}).keys())
    restart = told["HostConfig"].get("RestartPolicy", {}).get("Name") or "no"
    return (*(f"mount: {text}" for text in mounts), f"published ports: {', '.join(ports) or 'none'}", f"restart policy: {restart}")
