"""What the tests of the loopback hosts share: plain ssh by the plan, and looking for what a world has left behind."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures.hosts.accounts import POSTGRES
from fixtures.hosts.processes import identify, namespaces_of
from fixtures.hosts.product import APP
from fixtures.hosts.ready import accepts
from fixtures.hosts.servers import PORTS
from harness.deed import Role
from harness.host import as_user
from harness.plan import load

if TYPE_CHECKING:
    from fixtures.hosts.world import World
    from fixtures.worlds import World as AnyWorld
    from harness.plan import SshPart


def ssh(part: SshPart, line: str, *, stdin: str = "", known_hosts: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a line on a host by plain OpenSSH, its key pinned."""
    settings = (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        "IdentitiesOnly=yes",
        "LogLevel=ERROR",
        f"UserKnownHostsFile={known_hosts or part.known_hosts}",
        "GlobalKnownHostsFile=/dev/null",
    )
    options = [word for setting in settings for word in ("-o", setting)]
    argv = (
        "ssh",
        "-F",
        "/dev/null",
        *options,
        "-i",
        str(part.identity_file),
        "-p",
        str(part.port),
        "-l",
        str(part.user),
        part.host,
        line,
    )
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=30, check=False)


def on(world: AnyWorld, role: Role, line: str, stdin: str = "") -> str:
    """Run a line on a host of a world; it must exit 0. Returns its output."""
    ran = ssh(load(world.plan_path).host(role).ssh, line, stdin=stdin)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


def psql(world: World, role: Role, sql: str) -> str:
    """Ask a host's PostgreSQL as its administrator."""
    argv = ("psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-f", "-")
    return on(world, role, shlex.join(as_user(POSTGRES.known_as, argv)), stdin=sql).strip()


def core_processes(world: World, role: Role) -> list[str]:
    """Return the argv of a host's processes of the core; its user tells nothing where there is one user only."""
    return [args for args in on(world, role, "ps -eo args=").splitlines() if f"{APP}/" in args]


def left_of(world: World, spaces: set[str]) -> list[str]:
    """Return what is still there of a world that was ended: processes, listeners, files."""
    processes = [f"process {process.pid}" for process in namespaces_of(world.folder)]
    members = [int(path.name) for path in Path("/proc").glob("[0-9]*") if space_of(path) in spaces]
    inside = [f"in its namespace: {pid}" for pid in members if identify(pid)]  # one that waits to be reaped does nothing any more
    record = world.record
    places = [(address, port) for address in (record.source, record.dest) for port in PORTS]
    places += [("127.0.0.1", port) for port in (record.primary, record.secondary, record.broker)]
    listeners = [f"{address}:{port}" for address, port in places if accepts(address, port)]
    return processes + inside + listeners + ([str(world.folder)] if world.folder.exists() else [])


def space_of(process: Path) -> str:
    """Return the pid namespace of a process (its folder in /proc), or nothing when it is gone."""
    try:
        return str((process / "ns" / "pid").readlink())
    except OSError:
        return ""


def spaces_of(world: World) -> set[str]:
    """Return the pid namespaces of a world's hosts."""
    return {space_of(Path("/proc", str(pid))) for pid in world.pids().values()}
