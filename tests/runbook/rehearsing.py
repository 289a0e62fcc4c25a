"""One rehearsal for a test: worlds and records in a folder of its own, ended with the test whatever happens."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fixtures.hosts.loopback import LoopbackHost
from fixtures.hosts.world import World, open_world
from harness.deed import Command, Role
from harness.host import Host
from harness.plan import load
from harness.transport.ssh import Ssh

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ROOT = Path(__file__).parents[2]
LONGEST_S = 180.0
# TRANSFER=preseed runs every rehearsal of the tests so.
TRANSFER = ("--transfer", os.environ.get("TRANSFER", "literal"))
SLOW = """#!/bin/sh
# Stands before the real program: writes when it begins and ends, and takes its time, or until it is let go.
echo "begin $$" >> /var/log/slow-{name}.log
tenths=0
while [ $tenths -lt {tenths} ] && [ ! -e /var/log/go-{name} ]; do sleep 0.1; tenths=$((tenths + 1)); done
{program} "$@"
code=$?
echo "end $$" >> /var/log/slow-{name}.log
exit $code
"""


@dataclass
class Rehearsal:
    """Types `pytest features/` and reads what became of it."""

    folder: Path
    arguments: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = None
    printed: str = ""
    code: int | None = None
    environment: dict[str, str] = field(default_factory=dict)
    hosts: str = "loopback"
    longest_s: float = LONGEST_S

    @property
    def worlds(self) -> Path:
        """Where the hosts lie."""
        return self.folder / "worlds"

    @property
    def world(self) -> Path:
        """The folder of the one world there is."""
        [world] = [path for path in (self.worlds / "worlds").iterdir() if path.is_dir()]
        return world

    def begin(self, *more: str, features: str = "features/") -> None:
        """Type the command."""
        where = (
            "--worlds",
            str(self.worlds),
            "--reports",
            str(self.folder / "reports"),
            "--scale",
            "small",
            *TRANSFER,
            "--hosts",
            self.hosts,
        )
        argv = (sys.executable, "-m", "pytest", features, *where, *self.arguments, *more)
        environment = {**os.environ, **self.environment}
        with (self.folder / "printed").open("a", encoding="utf-8") as out:
            self.process = subprocess.Popen(argv, cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, text=True, env=environment)

    def end(self) -> int:
        """Wait for the command to end and return its exit code."""
        assert self.process
        self.code = self.process.wait(self.longest_s)
        self.printed = (self.folder / "printed").read_text(encoding="utf-8")
        return self.code

    def run(self, *more: str) -> int:
        """Type the command and wait for its end."""
        self.begin(*more)
        return self.end()

    def named(self, feature: str) -> int:
        """Type the command for one feature by name and wait for its end."""
        self.begin(features=feature)
        return self.end()

    def reopened(self) -> World:
        """Take the kept world, powered on, as a run would."""
        return open_world(self.worlds, say=lambda _: None)

    def inside(self, host: str, *argv: str) -> None:
        """Run a command in a host's namespaces, as its console would."""
        pid = json.loads((self.world / "world.json").read_text())["hosts"][host]["pid"]
        subprocess.run(("nsenter", "-t", str(pid), "-a", *argv), check=True, timeout=30, capture_output=True)

    def speed_up(self, host: str, name: str) -> None:
        """Take a slow program away."""
        (self.world / host / "fs" / "usr" / "local" / "bin" / name).unlink()

    def kill(self) -> None:
        """End the harness without a word (SIGKILL)."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(LONGEST_S)

    def kill_if_running(self) -> None:
        """End the harness where it still runs."""
        if self.process and self.process.poll() is None:
            self.kill()

    def until(self, there: Callable[[], Any], what: str, within_s: float = 90.0) -> None:
        """Wait until something is there; the command must not have ended before."""
        deadline = time.monotonic() + within_s
        while not there():
            assert self.process
            assert self.process.poll() is None, f"ended before {what}:\n{(self.folder / 'printed').read_text()}"
            assert time.monotonic() < deadline, f"never: {what}"
            time.sleep(0.02)

    @property
    def record(self) -> Path:
        """The folder of the newest record."""
        return max((self.folder / "reports").iterdir(), key=lambda path: path.stat().st_mtime)

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The journal's whole lines."""
        try:
            text = (self.record / "journal.jsonl").read_text(encoding="utf-8")
        except (OSError, ValueError):
            return []
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def begun(self, scenario: str) -> bool:
        """Whether a scenario has begun."""
        return any(line["kind"] == "scenario" and line["scenario"] == scenario for line in self.lines)

    def statuses(self) -> dict[str, str]:
        """Return the last status of every scenario."""
        return {line["scenario"]: line["status"] for line in self.lines if line["kind"] == "scenario"}

    def came_to(self) -> set[str]:
        """Return what the scenarios that apply to this move came to."""
        return {status for status in self.statuses().values() if status != "not applicable"}

    def cause(self) -> str:
        """Return the cause of the last red scenario."""
        return [line["cause"] for line in self.lines if line["kind"] == "scenario" and line["status"] == "red"][-1]  # type: ignore[no-any-return]

    def slow_down(self, host: str, name: str, seconds: float) -> None:
        """Put a slow program before a real one on a host."""
        program = self.world / host / "fs" / "usr" / "local" / "bin" / name
        log = self.world / host / "fs" / "var" / "log" / f"slow-{name}.log"
        log.touch()
        log.chmod(0o666)
        program.write_text(
            SLOW.format(
                name=name,
                tenths=int(seconds * 10),
                program=f"/usr/lib/postgresql/15/bin/{name}" if name.startswith("pg_") else f"/usr/bin/{name}",
            )
        )
        program.chmod(0o755)

    def let_go(self, host: str, name: str) -> None:
        """Let a slow program go on at once."""
        (self.world / host / "fs" / "var" / "log" / f"go-{name}").touch()

    def waits(self, deed: str) -> set[str]:
        """Return the processes that wait at this moment for a detached deed of this run; a killed harness's go on for seconds."""
        wanted = f"\0wait\0/var/lib/pryv-migration/REHEARSAL-{self.world.name}/deeds/{deed}\0".encode()
        return {path.parent.name for path in Path("/proc").glob("[0-9]*/cmdline") if wanted in _cmdline(path)}

    def until_taken_up(self, deed: str) -> None:
        """Type the command again, until it waits for a detached deed that an earlier one had begun."""
        earlier = self.waits(deed)
        self.begin()
        self.until(lambda: self.waits(deed) - earlier, f"the wait for {deed}")

    def slow_log(self, host: str, name: str) -> list[str]:
        """Return what the slow program has written: begin and end, each with its pid."""
        log = self.world / host / "fs" / "var" / "log" / f"slow-{name}.log"
        return log.read_text().splitlines() if log.exists() else []

    def close(self) -> None:
        """End what is left."""
        self.kill_if_running()
        subprocess.run((sys.executable, "-m", "fixtures.hosts", "clean", str(self.worlds)), cwd=ROOT, check=True, timeout=60)


def _cmdline(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""


def arrived_as_measured(lines: Iterable[dict[str, Any]]) -> bool:
    """Whether what arrived is what was measured at rest, each thing measured on both hosts, by a journal's lines."""
    digests = {(line["name"], line["role"]): line["digest"] for line in lines if line["kind"] == "digest"}
    names = {name for name, _ in digests} - {"seal"}
    return bool(names) and all(digests.get((name, "source")) == digests.get((name, "dest")) for name in names)


def on(rehearsal: Rehearsal, role: Role, *argv: str, as_user: str = "") -> str:
    """Run a command on a host of a rehearsal, as somebody else than the run does."""
    plan = load(rehearsal.world / "plan.yml")
    host = Host(role, plan.host(role).ssh, Ssh(role, plan.host(role).ssh), plan.run_folder)
    try:
        return host.run(Command(role, argv, as_user=as_user)).text
    finally:
        host.transport.close()


def service(rehearsal: Rehearsal, host: str, verb: str, name: str) -> None:
    """Control a service of a rehearsal host from outside, as its console would."""
    assert LoopbackHost(host, rehearsal.world / host).ask(verb, name).exit == 0
