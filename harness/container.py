"""A core's container as Docker describes it: where what the core calls by its own paths and ports is on its host.

This is the one place where the paths of a core that runs as a container become paths of its host. Where a core runs on its host
itself there is no container, and its paths are the host's.
"""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harness.control.docker import FENCED, FIND, fenced_as, pattern
from harness.deed import Ask, Command, Role
from harness.errors import DeedFailed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.deed import CommandResult, Reading
    from harness.plan import Plan

HOST_NETWORK = "host"
UNLESS_STOPPED = "unless-stopped"
AT_BOOT = ("always", UNLESS_STOPPED)
CONTAINED = "* "
MASTER = "master"
# Prints what is known of the container that has the name, or had it before it was fenced; [] where there is none.
DESCRIBE = f'{FIND}; [ -n "$id" ] || {{ echo "[]"; exit 0; }}; exec docker inspect --type container "$id"'
PID = f'{FIND}; shift 2; pid=0; [ -z "$id" ] || pid=$(docker inspect -f "{{{{.State.Pid}}}}" "$id") || exit 4'
# In the network of the container: what it listens at on its own loopback address is there for nobody else.
ENTER = f'{PID}; exec nsenter -t "$pid" -n -- "$@"'
# Containers of the same image count, whatever they are called: somebody may have made one beside it.
PROCESSES = (
    f'{FIND}; shift 2; [ -z "$id" ] || {{ image=$(docker inspect -f "{{{{.Image}}}}" "$id") && '
    'running=$(docker ps -q --no-trunc --filter "ancestor=$image") || exit 4; }; for one in $running; do '
    'docker top "$one" -eo pid,user,args | tail -n +2 | sed "s/^ */* /"; done; exec "$@"'
)
WITH_PID = f'{PID}; exec "$@" "$pid"'


READ: dict[tuple[Role, str], dict[str, bytes | None]] = {}


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder or file of the host that a container has at `inside`; of a volume `name` tells which, else it is empty."""

    kind: str
    name: str
    host: str
    inside: str
    writable: bool


@dataclass(frozen=True, slots=True)
class Container:
    """A container by what `docker inspect` tells of it, which holds secrets (its environment)."""

    told: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.told["Name"]).removeprefix("/")

    @property
    def called(self) -> str:
        """Its name as it is when it is not fenced."""
        return self.name.partition(FENCED)[0]

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.told["Id"])

    @property
    def image(self) -> str:
        """The id of its image."""
        return str(self.told["Image"])

    @property
    def pid(self) -> int:
        """The number of its first process as its host sees it; 0 when it does not run."""
        return int(self.told["State"]["Pid"])

    @property
    def environ(self) -> tuple[str, ...]:
        """Its environment as it was made ("NAME=text"), with its image's; it holds secrets."""
        return tuple(self.told["Config"].get("Env") or ())

    def process(self) -> dict[str, Any]:
        """Return how it starts the core, as harness/hostside/started.py tells of a process; its image may name the program only."""
        argv, folder = [str(self.told["Path"]), *map(str, self.told["Args"])], str(self.told["Config"]["WorkingDir"] or "/")
        named = any(word.rpartition("/")[2].startswith(MASTER) for word in argv)
        return {"pid": self.name, "argv": argv if named else [*argv, MASTER], "environ": list(self.environ), "cwd": folder}

    @property
    def policy(self) -> str:
        """The restart policy that it was given; fencing takes it away, and its name keeps it."""
        given = self.told["HostConfig"]["RestartPolicy"]
        count = f":{given['MaximumRetryCount']}" if given.get("MaximumRetryCount") else ""
        return fenced_as(self.name) or f"{given['Name'] or 'no'}{count}"

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """What it has of its host, anonymous volumes too; what is in memory only (tmpfs) has no place there."""
        memory = [Mount("tmpfs", "", "", path, writable=True) for path in self.told["HostConfig"].get("Tmpfs") or {}]
        return (
            *(
                Mount(one["Type"], one.get("Name", ""), one.get("Source", ""), one["Destination"], bool(one.get("RW", True)))
                for one in self.told["Mounts"]
            ),
            *memory,
        )

    def on_host(self, path: str) -> str:
        """Return where a path of the core is on the host; nothing where it is in the container alone, or in memory."""
        holding = [one for one in self.mounts if path == one.inside or path.startswith(f"{one.inside.rstrip('/')}/")]
        nearest = max(holding, key=lambda one: len(one.inside), default=None)
        return f"{nearest.host}{path[len(nearest.inside.rstrip('/')) :]}" if nearest and nearest.host else ""

    def published(self, port: int) -> tuple[int, ...]:
        """Return the host's ports by which a port of the core is reached."""
        if self.told["HostConfig"]["NetworkMode"] == HOST_NETWORK:
            return (port,)
        bound = (self.told["HostConfig"].get("PortBindings") or {}).get(f"{port}/tcp") or ()
        return tuple(sorted({int(one["HostPort"]) for one in bound if one["HostPort"]}))


def described(plan: Plan, role: Role) -> Reading[Container | None]:
    """Return the core's container on a host, fenced or not; None where it is not there, or the core runs on the host itself."""
    return None if plan.core.docker is None else parsed((yield Ask(describing(plan, role))))


def describing(plan: Plan, role: Role) -> Command:
    """Return the command that describes the core's container."""
    name = plan.core.docker.container if plan.core.docker else ""
    return Command(role, ("sh", "-c", DESCRIBE, "describe", name, pattern(name)), private=True)


def parsed(answer: CommandResult) -> Container | None:
    """Return the container that was described; None where there is none."""
    found = answer.json()
    return Container(found[0]) if found else None


def demanded(found: Container | None) -> Container:
    """Return the source's container; raises DeedFailed where there is none."""
    if found is None:
        raise DeedFailed("there is no container of the core on the source: name it in the plan (core.docker.container)")
    return found


def policy_at_boot(plan: Plan) -> Reading[str]:
    """Return the restart policy by which a boot starts the dest's container: the source's, or one where a boot did not start that.

    Nothing where the core is no container.
    """
    source = yield from described(plan, Role.SOURCE)
    if source is None:
        return UNLESS_STOPPED if plan.core.docker else ""
    return source.policy if source.policy in AT_BOOT else UNLESS_STOPPED


def update_policy(plan: Plan, role: Role, policy: str) -> Command:
    """Return the command that gives the core's container a restart policy."""
    name = plan.core.docker.container if plan.core.docker else ""
    return Command(role, ("docker", "update", f"--restart={policy}", name))


def processes(plan: Plan, listing: Command) -> Command:
    """Return a command that lists processes, with those in containers of the core's image before it, each after CONTAINED."""
    return _by(plan, PROCESSES, listing)


def shipped(role: Role, container: Container | None, paths: Iterable[str]) -> Reading[dict[str, bytes]]:
    """Return {path: content} of the files that a container has from its image, which are read once; it need not run."""
    if container is None:
        return {}
    known = READ.setdefault((role, container.id), {})
    missing = [path for path in paths if path not in known]
    known |= dict.fromkeys(missing) | (yield from copied_out(role, container, missing))
    return {path: content for path, content in known.items() if content is not None}


def copied_out(role: Role, container: Container | None, paths: Iterable[str]) -> Reading[dict[str, bytes]]:
    """Return {path: content} of the files that are in a container, on no mount, and there at all; it need not run."""
    wanted = tuple(paths)
    if container is None or not wanted:
        return {}
    asked = tuple(
        Ask(Command(role, ("docker", "cp", "-L", f"{container.id}:{path}", "-"), exits=(0, 1), private=True)) for path in wanted
    )
    found = zip(wanted, (yield asked), strict=True)
    return {path: _of_archive(answer) for path, answer in found if answer.exit == 0 or not _is_missing(answer)}


def _is_missing(answer: CommandResult) -> bool:
    """Whether there is no such file in a container; raises DeedFailed for every other answer than the file."""
    told = answer.err.decode(errors="replace")
    if "Could not find the file" not in told and "No such container:path" not in told:
        raise DeedFailed(f"{answer.command}\nexit {answer.exit}: {told.strip()}", answer)
    return True


def _of_archive(answer: CommandResult) -> bytes:
    """Return the content of the one file in an archive."""
    with tarfile.open(fileobj=io.BytesIO(answer.out)) as archive:
        file = next((archive.extractfile(one) for one in archive if one.isfile()), None)
        return file.read() if file else b""


def of_image(container: Container) -> Reading[str]:
    """Return the id of the image that the dest's container of this name is made of."""
    answer = yield Ask(Command(Role.DEST, ("docker", "inspect", "-f", "{{.Image}}", container.called), exits=(0, 1)))
    return str(answer.text) or "no container"


def in_its_network(container: Container | None, command: Command) -> Command:
    """Return a command as it is run in the network that the core has: its container's, or the host's own."""
    return _with(container.called, ENTER, command) if container else command


def with_pid(plan: Plan, command: Command) -> Command:
    """Return a command whose last argument is the number of the container's first process, 0 where none runs."""
    return _by(plan, WITH_PID, command)


def _by(plan: Plan, script: str, command: Command) -> Command:
    return _with(plan.core.docker.container, script, command) if plan.core.docker else command


def _with(name: str, script: str, command: Command) -> Command:
    return replace(command, argv=("sh", "-c", script, "in", name, pattern(name), *command.argv))
