"""The run folder on each host: its lock, and the detached deeds that a killed run left at work."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.deed import Command, Role
from harness.errors import LockHeld
from harness.host import python

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.host import Host
    from harness.plan import Plan


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a lock; `started` is the process's start time in clock ticks since boot, which tells two uses of a pid apart."""

    change: str
    run: str
    who: str
    since: str
    machine: str
    boot: str
    pid: int
    started: str


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def started(pid: int) -> str:
    """Return when a process was started, or nothing when there is none."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if fields else ""


def this_process(plan: Plan, run: str) -> Holder:
    """Return this process as the holder of a lock."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    machine, boot = _read("/etc/machine-id") or os.uname().nodename, _read("/proc/sys/kernel/random/boot_id")
    return Holder(plan.change.id, run, plan.change.operator, now, machine, boot, os.getpid(), started(os.getpid()))


def is_over(holder: Mapping[str, Any], me: Holder, now_started: str) -> bool:
    """Whether a holder is known to be dead: on this machine, and rebooted since, or its process is gone.

    `now_started` is the start time of the process that has the holder's pid now. What another machine does is not known.
    """
    if holder["machine"] != me.machine:
        return False
    return bool(holder["boot"] != me.boot or holder["started"] != now_started or holder["pid"] == me.pid)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """What the run keeps on one host."""

    host: Host
    me: Holder

    def _lock(self, *words: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.host.run(python(self.host.role, "lock", words[0], self.host.run_folder, *words[1:])).json()
        return answer

    def take(self) -> int:
        """Take the lock and return its number; raises LockHeld, naming the holder, when another run has it."""
        lock = self._lock("read")
        holder = lock["holder"]
        if holder and not is_over(holder, self.me, started(holder["pid"])):
            raise LockHeld(
                f"the {self.host.role} is held by run {holder['run']} of {holder['who']} since {holder['since']} "
                f"(process {holder['pid']} on machine {holder['machine'][:12]}): wait for it, or end it there"
            )
        taken = self._lock("take", str(lock["number"]), json.dumps(asdict(self.me)))
        if not taken["done"]:
            raise LockHeld(f"the {self.host.role} was taken by another run at this moment: try again")
        return int(taken["number"])

    def release(self, number: int) -> None:
        """Give the lock back."""
        self._lock("release", str(number))

    def await_unfinished(self) -> list[str]:
        """Wait for the detached deeds that a killed run left at work; returns their names."""
        names = self.host.unfinished()
        for name in names:
            self.host.follow(Command(self.host.role, (name,)), f"{self.host.run_folder}/deeds/{name}")
        return names


def folders(hosts: Mapping[Role, Host], me: Holder) -> tuple[RunFolder, ...]:
    """Return the run folders of both hosts."""
    return tuple(RunFolder(host, me) for host in hosts.values())
