"""A host: its role, how it is reached, and the verbs for running commands there.

`run` demands one of the command's exit codes, `test` allows 0 and 1 and answers yes or no, `attempt` takes any exit code.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from harness.deed import Command, CommandResult, Differences, Role
from harness.errors import DeedFailed, NotLetBecomeRoot, TakenOver, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.plan import SshPart
    from harness.transport import Completed, Transport

SHOWN_DIFFERENCES = 20
SHOWN_CHARACTERS = 120
FOLLOW_S = 10.0
TAKEN_OVER = 97
BECOME = ("sudo", "-n", "--")
ROOT_NOW = "pryv-migration: root now"  # the first line on stderr of what sudo runs: before it, what is told is sudo's own
AS_USER = (
    # Who is that user already needs no right to change users: not everybody may use setpriv, even for nothing.
    'user=$1; shift; [ "$(id -u "$user")" = "$(id -u)" ] && exec "$@"; '
    'exec setpriv --reuid="$user" --regid="$(id -g "$user")" --init-groups -- "$@"'
)


@cache
def helper(name: str) -> bytes:
    """Return the text of a program that runs on hosts (harness/hostside), to be sent to `python3 -`."""
    return resources.files("harness.hostside").joinpath(f"{name}.py").read_bytes()


def python(host: Role, name: str, *arguments: str, timeout_s: float = 60.0, lasting: str = "") -> Command:
    """Return the command that runs one of our programs on a host, its text sent on stdin."""
    return Command(host, ("python3", "-I", "-S", "-", *arguments), input=helper(name), timeout_s=timeout_s, lasting=lasting)


def as_user(user: str, argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return the argv, run as another system user (by setpriv, which asks no PAM and keeps no terminal)."""
    return ("sh", "-c", AS_USER, "as-user", user, *argv)


def line(command: Command, part: SshPart, guard: str = "") -> str:
    """Return the line for the host's shell: in the root folder, in the C.UTF-8 locale, as root where the plan says sudo.

    `guard` is a condition that must hold first; else nothing is done and the exit code is 97. By sudo a first line on stderr tells
    that we are root: sudo's own refusal has the exit code 1, which many commands have for "no".
    """
    argv = as_user(command.as_user, command.argv) if command.as_user else command.argv
    whole = ("env", "LC_ALL=C.UTF-8", *argv)
    first = f"{{ {guard}; }} || exit {TAKEN_OVER}; " if guard else ""
    if part.become == "sudo":
        script = f'echo "{ROOT_NOW}" >&2; {first}exec "$@"'
        return f"cd / && exec {shlex.join((*BECOME, 'sh', '-c', script, 'as-root', *whole))}"
    return f"cd / && {first}exec {shlex.join(whole)}"


def _as_root(done: Completed, role: Role, part: SshPart) -> Completed:
    """Return what was answered without the line that tells that sudo let us; raises NotLetBecomeRoot where there is none."""
    before, mark, after = done.err.partition(f"{ROOT_NOW}\n".encode())
    if mark:
        return replace(done, err=after)
    said = " ".join(before.decode(errors="replace").split()) or f"exit {done.exit}"
    user = part.user or "USER"
    remedy = f'let {user} use it (in /etc/sudoers.d: "{user} ALL=(ALL) NOPASSWD: ALL"), or come as root'
    raise NotLetBecomeRoot(role, "becoming root by sudo", f"{said[:300]}; {remedy}")


@dataclass(frozen=True, slots=True)
class Host:
    """One of the two hosts of a move; `run_folder` is what the run keeps there."""

    role: Role
    part: SshPart
    transport: Transport
    run_folder: str
    number: int = 0

    def holding(self, number: int) -> Host:
        """Return this host for one who holds its lock by this number: it refuses what comes once another has taken the lock."""
        return replace(self, number=number)

    @property
    def _guard(self) -> str:
        return f'[ "$(cat {shlex.quote(self.run_folder)}/number)" = {self.number} ]' if self.number else ""

    def attempt(self, command: Command) -> CommandResult:
        """Run a command and return what it answered, whatever the exit code; raises TakenOver when the lock is another's."""
        if command.lasting:
            return self._last(command)
        done = self._execute(command)
        if self.part.become == "sudo":
            done = _as_root(done, self.role, self.part)
        if self.number and done.exit == TAKEN_OVER:
            raise TakenOver(
                f"the {self.role} refuses: this run was taken over elsewhere (--adopt); nothing was done for: {command}"
            )
        return CommandResult(command, done.exit, done.out, done.err, done.seconds)

    def _execute(self, command: Command) -> Completed:
        """Run a command; where the host does not answer, the error says which it was, without what we wrap it in."""
        wrapped = line(command, self.part, self._guard)
        try:
            return self.transport.execute(wrapped, input=command.input, timeout_s=command.timeout_s)
        except Unreachable as error:
            doing = f"running {(command.says or shlex.join(command.argv))[:SHOWN_CHARACTERS]}"
            raise type(error)(error.who, doing, error.cause) from error

    def run(self, command: Command) -> CommandResult:
        """Run a command that must succeed; raises DeedFailed with its result."""
        result = self.attempt(command)
        if not result.ok:
            raise DeedFailed(f"{command}\nexit {result.exit} after {result.seconds:.1f} s\n{result.tail()}".rstrip(), result)
        return result

    def test(self, command: Command) -> bool:
        """Ask a yes-or-no command: 0 is yes, 1 is no; anything else raises DeedFailed."""
        result = self.attempt(command)
        if result.exit not in {0, 1}:
            raise DeedFailed(f"{command}\nexit {result.exit}\n{result.tail()}", result)
        return result.exit == 0

    def forward(self, address: str, port: int) -> Path:
        """Return a Unix socket here that leads to a TCP port as the host sees it."""
        return self.transport.forward(address, port)

    def lines(self, command: Command) -> Iterator[bytes]:
        """Stream the lines a command prints."""
        return self.transport.stream(line(command, self.part))

    def _helper(self, *arguments: str, timeout_s: float = 60.0) -> Any:  # noqa: ANN401 - JSON is any
        return self.run(python(self.role, "lasting", *arguments, timeout_s=timeout_s)).json()

    def _last(self, command: Command) -> CommandResult:
        """Run a deed detached and follow it to its end; a deed of that name that still runs is followed, not begun again.

        One that was begun ahead is followed too when it has ended; where it ended badly, or its end is not known, it is done again.
        One that is ahead of another scenario is not waited for.
        """
        folder = f"{self.run_folder}/deeds/{command.lasting}"
        only_begun = CommandResult(command, command.exits[0], b"", b"", 0.0)
        if command.begun:
            now = self._helper("wait", folder, "0") if command.ahead_of else self._ended(folder)
            if command.ahead_of and now["state"] in {"running", "done"}:
                return only_begun
            if now["state"] == "done" and now["exit"] in command.exits:
                return _result(command, now)
        argv = as_user(command.as_user, command.argv) if command.as_user else command.argv
        self._helper("start", folder, json.dumps(("env", "LC_ALL=C.UTF-8", *argv)))
        return only_begun if command.ahead_of else self.follow(command, folder)

    def follow(self, command: Command, folder: str) -> CommandResult:
        """Wait for a detached deed; raises DeedFailed when the host knows no end of it (it was killed, or the host rebooted)."""
        state = self._ended(folder)
        if state["state"] != "done":
            raise DeedFailed(f"{command}\nits end is not known on the host ({state['state']}): look at {folder} there")
        return _result(command, state)

    def _ended(self, folder: str) -> dict[str, Any]:
        """Wait until a detached deed runs no longer; returns what its host knows of it."""
        while True:
            state: dict[str, Any] = self._helper("wait", folder, str(FOLLOW_S), timeout_s=FOLLOW_S + 60)
            if state["state"] != "running":
                return state

    def unfinished(self) -> list[str]:
        """Return the names of the detached deeds that still run on the host."""
        listed = self._helper("list", f"{self.run_folder}/deeds")
        return [name for name, state in listed.items() if state["state"] == "running"]


def _result(command: Command, state: dict[str, Any]) -> CommandResult:
    return CommandResult(command, state["exit"], state["out"].encode(), state["tail"].encode(), state["seconds"])


def compare(left: tuple[Host, Command], right: tuple[Host, Command]) -> Differences:
    """Compare two sorted outputs line by line as they stream; memory does not grow with them."""
    counts = [0, 0]
    only: tuple[list[str], list[str]] = ([], [])
    sides = [left[0].lines(left[1]), right[0].lines(right[1])]
    heads = [next(side, None) for side in sides]
    while heads[0] is not None or heads[1] is not None:
        behind = _behind(heads)
        for index in behind:
            counts[index] += 1
            if len(behind) == 1 and len(only[index]) < SHOWN_DIFFERENCES:
                only[index].append((heads[index] or b"").decode(errors="replace").rstrip("\n"))
            heads[index] = next(sides[index], None)
    return Differences(tuple(only[0]), tuple(only[1]), counts[0], counts[1])


def _behind(heads: list[bytes | None]) -> tuple[int, ...]:
    """Return which sides to advance: both when their lines are equal, else the one with the lower line."""
    first, second = heads
    if first == second:
        return (0, 1)
    if second is None or (first is not None and first < second):
        return (0,)
    return (1,)
