"""Hosts that are containers, broken from outside. Their world is the test's own, so nothing powers the hosts of a red run off."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fixtures.containers import network
from fixtures.containers.deploys import DEPLOYS
from fixtures.containers.making import answers
from fixtures.containers.world import World, open_world
from fixtures.hosts import ready, servers
from tests.runbook.rehearsing import SLOW, Rehearsal

if TYPE_CHECKING:
    from pathlib import Path

    from fixtures.hosts.loopback import Answer

WRITE = 'printf "%s" "$1" > "$0" && chmod 755 "$0"'
LONGEST_TENTHS = 1800
# A few bytes a second, so that a copy is found in its middle; the dest has a file of a hidden name then.
DRIPPING = '#!/bin/sh\nexec /usr/bin/rsync --bwlimit=4 "$@"\n'
RUN_FOLDERS = "/var/lib/pryv-migration"


@dataclass
class Hosts:
    """The hosts of a rehearsal, and what happens to them."""

    world: World
    rehearsal: Rehearsal

    def at_work(self, scenario: str) -> bool:
        """Whether this typing of the command has come to a scenario."""
        lines = self.rehearsal.lines
        first = max(at for at, line in enumerate(lines) if line["kind"] == "run") if lines else 0
        return any(
            line["kind"] == "scenario" and line["scenario"] == scenario and line["status"] == "begun" for line in lines[first:]
        )

    def ask(self, host: str, *argv: str) -> Answer:
        """Run a command on a host, as its console would."""
        return self.world.host(host).ask(*argv)

    def do(self, host: str, *argv: str) -> None:
        """Run a command on a host, which must succeed."""
        done = self.ask(host, *argv)
        assert done.exit == 0, done.text

    def mount(self, host: str, path: str, size: str) -> None:
        """Give a folder of a host a small disk of its own; that takes a right that only root of this machine has."""
        self.do(host, "mkdir", "-p", path)
        self._inside(host, "mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", path)

    def unmount(self, host: str, path: str) -> None:
        """Take that disk away, with what is on it."""
        self._inside(host, "umount", path)

    def _inside(self, host: str, *argv: str) -> None:
        pid = str(self.world.host(host).container.attrs["State"]["Pid"])
        subprocess.run(("nsenter", "-t", pid, "-m", "--", *argv), check=True, timeout=30, capture_output=True)

    def slow_down(self, host: str, name: str, text: str = "") -> None:
        """Put a program before a real one on a host: unless said, one that waits until it is let go."""
        log = f"/var/log/slow-{name}.log"
        program = f"/usr/bin/{name}"
        self.do(host, "sh", "-c", 'rm -f "$1"; : > "$0"; chmod 666 "$0"', log, f"/var/log/go-{name}")
        slow = text or SLOW.format(name=name, tenths=LONGEST_TENTHS, program=program)
        self.do(host, "sh", "-c", WRITE, f"/usr/local/bin/{name}", slow)

    def let_go(self, host: str, name: str) -> None:
        """Let what waits go on, and what comes after it not wait."""
        self.do(host, "touch", f"/var/log/go-{name}")
        self.speed_up(host, name)

    def speed_up(self, host: str, name: str) -> None:
        """Take a slow program away."""
        self.do(host, "rm", f"/usr/local/bin/{name}")

    def begun(self, host: str, name: str) -> bool:
        """Whether a program that waits was begun."""
        return "begin" in self.ask(host, "cat", f"/var/log/slow-{name}.log").text

    def receives(self, folder: str) -> bool:
        """Whether rsync is in the middle of a file in a folder of the dest."""
        found = self.ask("dest", "find", folder, "-name", ".*.??????", "-type", "f")
        return found.exit == 0 and bool(found.text)

    def cut(self) -> None:
        """Lose every packet between source and dest, both ways; each is reached from elsewhere."""
        self._link("-I")

    def join(self) -> None:
        """Mend that."""
        self._link("-D")

    def _link(self, verb: str) -> None:
        there = self.world.host("dest").address
        self.do("source", "iptables", verb, "OUTPUT", "-d", there, "-j", "DROP")
        self.do("source", "iptables", verb, "INPUT", "-s", there, "-j", "DROP")

    @property
    def _network(self) -> Any:  # noqa: ANN401 - the SDK ships no types
        return self.world.engine.api.networks.get(network.name(self.world.id))

    def unplug(self, host: str) -> None:
        """Take a host from its network: nobody reaches it."""
        self._network.disconnect(self.world.host(host).container)

    def plug(self, host: str) -> None:
        """Put it back, with its address."""
        self._network.connect(self.world.host(host).container, ipv4_address=self.world.host(host).address)

    def pause(self, host: str) -> None:
        """Freeze every process of a host: it takes connections and answers nothing."""
        self.world.host(host).container.pause()

    def unpause(self, host: str) -> None:
        """Let them go on."""
        self.world.host(host).container.unpause()

    def reboot(self, host: str) -> None:
        """Cut a host's power and switch it on again; returns when it has booted."""
        self.world.power_off(host)
        self.world.host(host).power_on()
        self.settle(host)

    def settle(self, host: str) -> None:
        """Wait until a host that was switched on has booted, and answers; its core too, where a boot starts it."""
        booting = self.world.host(host)
        answers(booting)
        if DEPLOYS[self.world.record.deploy].enabled(booting):
            ready.core(booting.address, servers.API_PORT)

    def end(self) -> None:
        """End the command and the hosts, paused or not."""
        self.rehearsal.kill_if_running()
        self.world.end()


def hosts_of(folder: Path) -> Hosts:
    """Return new hosts, and a rehearsal that knows them by their plan only."""
    rehearsal = Rehearsal(folder, hosts="containers")
    world = open_world(rehearsal.worlds, say=lambda _: None)
    rehearsal.arguments = ("--plan", str(world.plan_path))
    return Hosts(world, rehearsal)
