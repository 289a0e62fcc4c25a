"""The run folder on each host: its lock, a copy of the journal, and the detached deeds that a killed run left at work."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.deed import Command, CommandResult, Role
from harness.errors import DeedFailed, LockHeld
from harness.host import python
from harness.leaving import removal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.host import Host
    from harness.plan import Plan

# Appends what comes on stdin if the file has the length that is said, else exits 3: the copy is then written whole.
APPEND = 'umask 077; touch "$0"; [ "$(stat -c %s "$0")" = "$1" ] || exit 3; cat >> "$0" && sync "$0"'
OTHER_LENGTH = 3
WRITE_PRIVATE = 'umask 077; mkdir -p "$(dirname "$0")"; cat > "$0.part" && mv "$0.part" "$0"'


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

    @property
    def line(self) -> str:
        """The holder, for a person."""
        return f"run {self.run} of {self.who} since {self.since} (process {self.pid} on machine {self.machine[:12]})"


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def started(pid: int) -> str:
    """Return when a process was started, or nothing when there is none, or only what is left of one (a zombie)."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return fields[19] if fields and fields[0] not in {"Z", "X"} else ""


def this_process(plan: Plan, run: str) -> Holder:
    """Return this process as the holder of a lock."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    machine, boot = _read("/etc/machine-id") or os.uname().nodename, _read("/proc/sys/kernel/random/boot_id")
    return Holder(plan.change.id, run, plan.change.operator, now, machine, boot, os.getpid(), started(os.getpid()))


def is_over(holder: Holder, me: Holder, now_started: str) -> bool:
    """Whether a holder is known to be dead: on this machine, and rebooted since, or its process is gone.

    `now_started` is the start time of the process that has the holder's pid now. What another machine does is not known.
    """
    if holder.machine != me.machine:
        return False
    return holder.boot != me.boot or holder.started != now_started or holder.pid == me.pid


@dataclass(frozen=True, slots=True)
class RunFolder:
    """What the run keeps on one host."""

    host: Host
    me: Holder

    def _lock(self, *words: str) -> dict[str, Any]:
        try:
            done = self.host.run(python(self.host.role, "lock", words[0], self.host.run_folder, *words[1:]))
        except DeedFailed as error:
            told = error.result.tail() if isinstance(error.result, CommandResult) else str(error)
            raise DeedFailed(f"the lock in {self.host.run_folder} on the {self.host.role}: {told}", error.result) from error
        answer: dict[str, Any] = done.json()
        return answer

    def take(self, *, adopt: bool = False) -> int:
        """Take the lock and return its number; raises LockHeld, naming the holder, unless that is dead or the run is adopted."""
        lock = self._lock("read")
        holder = Holder(**lock["holder"]) if lock["holder"] else None
        if holder and not adopt and not is_over(holder, self.me, started(holder.pid)):
            raise LockHeld(
                f"the {self.host.role} is held by {holder.line}: wait for it, or end it there; "
                f"if that machine is lost, go on from the copy on a host: --adopt {self.host.role}"
            )
        taken = self._lock("take", str(lock["number"]), json.dumps(asdict(self.me)))
        if not taken["done"]:
            raise LockHeld(f"the {self.host.role} was taken by another run at this moment: try again")
        return int(taken["number"])

    def release(self, number: int) -> None:
        """Give the lock back."""
        self._lock("release", str(number))

    def remove(self) -> None:
        """Remove the run folder, the lock with it."""
        self.host.run(removal(self.host.role, self.host.run_folder))

    def await_unfinished(self) -> list[str]:
        """Wait for the detached deeds that a killed run left at work; returns their names."""
        names = self.host.unfinished()
        for name in names:
            self.host.follow(Command(self.host.role, (name,)), f"{self.host.run_folder}/deeds/{name}")
        return names

    def end_unfinished(self) -> list[str]:
        """End the detached deeds that run; returns their names."""
        names = self.host.unfinished()
        for name in names:
            self.host.run(python(self.host.role, "lasting", "end", f"{self.host.run_folder}/deeds/{name}"))
        return names

    def copy(self, journal: bytes, length: int) -> None:
        """Bring the copy of the journal up to date; `length` is how long it was after the last time."""
        path = f"{self.host.run_folder}/journal.jsonl"
        appended = Command(self.host.role, ("sh", "-c", APPEND, path, str(length)), input=journal[length:], exits=(0, OTHER_LENGTH))
        if self.host.run(appended).exit == OTHER_LENGTH:
            self.keep("journal.jsonl", journal)

    def keep(self, name: str, content: bytes) -> None:
        """Write a file of the run folder, 0600, in one step."""
        path = f"{self.host.run_folder}/{name}"
        self.host.run(Command(self.host.role, ("sh", "-c", WRITE_PRIVATE, path), input=content, private=True))

    def fetch(self, name: str) -> bytes:
        """Return a file of the run folder; raises DeedFailed when it is not there."""
        return self.host.run(Command(self.host.role, ("cat", f"{self.host.run_folder}/{name}"), private=True)).out

    def kept(self) -> list[str]:
        """Return the names of the files in the folder's private part."""
        listed = Command(
            self.host.role, ("find", f"{self.host.run_folder}/private", "-name", "*.json", "-printf", "%f\\n"), exits=(0, 1)
        )
        return self.host.run(listed).lines


def folders(hosts: Mapping[Role, Host], me: Holder) -> tuple[RunFolder, ...]:
    """Return the run folders of both hosts."""
    return tuple(RunFolder(host, me) for host in hosts.values())
