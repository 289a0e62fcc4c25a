"""OpenSSH: the operator's own configuration, keys and jump hosts work; one connection is shared by all commands of a run."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tempfile
import threading
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.deed import Role
from harness.errors import DeedFailed, HostKeyRefused, PlanError, Unreachable
from harness.plan import SecretReference
from harness.tails import cleaned
from harness.transport import Completed

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pydantic import BaseModel

    from harness.plan import HostPart, JumpPart, Plan, SshPart

CONNECT_TIMEOUT_S = 10
KEPT_OPEN_S = 30
SSH_FAILED = 255
SSH_PORT = 22


def options(part: SshPart, control: Path) -> tuple[str, ...]:
    """Return ssh's options for a host: its key pinned and checked strictly, no questions, one shared connection.

    What the plan does not say (port, user, keys, jump hosts, the name behind an alias) is left to the operator's ssh_config.
    """
    shared = {
        "ControlMaster": "auto",
        "ControlPath": str(control),
        "ControlPersist": str(KEPT_OPEN_S),
        "StreamLocalBindUnlink": "yes",
    }
    by = {"ProxyCommand": _by_jump(part, part.jump)} if part.jump else {}
    return _words(part, part, shared | by)


def _by_jump(part: SshPart, jump: JumpPart) -> str:
    """Return the command that leads through a jump host, by the shell: its key is as strictly checked as the host's own."""
    own = {"ControlMaster": "no", "ControlPath": "none", "ForwardAgent": "no"}
    return shlex.join(("ssh", *_words(part, jump, own), "-W", "[%h]:%p", "--", jump.host))


def _words(part: SshPart, to: SshPart | JumpPart, more: Mapping[str, str]) -> tuple[str, ...]:
    settings = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": part.known_hosts,
        "GlobalKnownHostsFile": "/dev/null",
        "UpdateHostKeys": "no",
        "ConnectTimeout": str(CONNECT_TIMEOUT_S),
        "ServerAliveInterval": "5",
        "ServerAliveCountMax": "3",
        "LogLevel": "ERROR",
        **more,
    }
    if to.identity_file:
        settings |= {"IdentityFile": to.identity_file, "IdentitiesOnly": "yes"}
    flags = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
    file = ("-F", part.config_file) if part.config_file else ()
    port = ("-p", str(to.port)) if to.port else ()
    return (*file, *flags, *port, *(("-l", to.user) if to.user else ()))


@cache
def as_configured(part: SshPart) -> Mapping[str, str]:
    """Return what OpenSSH makes of a host by the plan and the operator's ssh_config (ssh -G): {setting, in lower case: value}."""
    argv = ("ssh", *options(part, Path("none")), "-G", "--", part.host)
    try:
        asked = subprocess.run(argv, capture_output=True, timeout=CONNECT_TIMEOUT_S, check=False, start_new_session=True)
    except FileNotFoundError as error:
        raise Unreachable(part.host, "starting ssh", "OpenSSH's client is not installed here") from error
    if asked.returncode:
        raise Unreachable(part.host, "reading the ssh_config for it", told(asked.stderr) or f"exit {asked.returncode}")
    lines = [text.partition(" ") for text in asked.stdout.decode(errors="replace").splitlines()]
    return {key: value for key, _, value in reversed(lines)}


def settled(plan: Plan) -> Plan:
    """Return a plan whose hosts have a port and a user: what it leaves to the ssh_config is what OpenSSH makes of it now.

    Raises PlanError where two names lead to one host.
    """
    source, dest = (as_configured(plan.host(role).ssh) for role in Role)
    if (source["hostname"], source["port"]) == (dest["hostname"], dest["port"]):
        raise PlanError("the plan's hosts are one", [f"source and dest are both {dest['hostname']}, port {dest['port']}"])
    return plan.model_copy(update={role.value: _settled(plan.host(role)) for role in Role})


def _settled(host: HostPart) -> HostPart:
    found = as_configured(host.ssh)
    ssh = host.ssh.model_copy(update={"port": int(found["port"]), "user": found["user"]})
    return host.model_copy(update={"ssh": ssh})


def secret_variables(part: BaseModel) -> frozenset[str]:
    """Return the environment variables that hold secrets of a plan: the programs that we start do not get them."""
    own = {part.env} if isinstance(part, SecretReference) and part.env else set()
    inner = (value for _, value in part if hasattr(value, "model_fields_set"))
    return frozenset(own).union(*(secret_variables(value) for value in inner))


def told(err: bytes) -> str:
    """Return in one line what a program printed, as far as it may be shown."""
    return " ".join(" ".join(cleaned(err.decode(errors="replace"))[0]).split())


def failure(who: str, doing: str, err: bytes) -> Unreachable:
    """Return the error for ssh's own failure, from what it printed."""
    text = told(err) or "ssh ended without a word"
    if "Host key verification failed" in text or "IDENTIFICATION HAS CHANGED" in text:
        return HostKeyRefused(who, doing, "the host's key is not the one in known_hosts: find out why before going on")
    return Unreachable(who, doing, text)


def pinned_keys(part: SshPart) -> tuple[str, ...]:
    """Return the keys that known_hosts pins for a host, as "type base64"; hashed names are found too."""
    found_as = as_configured(part)
    host, port = found_as.get("hostname", part.host), int(found_as["port"])
    name = found_as.get("hostkeyalias") or (host if port == SSH_PORT else f"[{host}]:{port}")
    argv = ("ssh-keygen", "-F", name, "-f", part.known_hosts)
    found = subprocess.run(argv, capture_output=True, timeout=CONNECT_TIMEOUT_S, check=False, start_new_session=True)
    lines = [text for text in found.stdout.decode().splitlines() if text and not text.startswith("#")]
    return tuple(" ".join(text.split()[1:3]) for text in lines)


class Ssh:
    """A host reached by OpenSSH; connects when first used. `without` are environment variables that ssh does not get."""

    def __init__(self, who: str, part: SshPart, without: Collection[str] = ()) -> None:
        self.who = who
        self.part = part
        self._environment = {name: value for name, value in os.environ.items() if name not in without}
        # A Unix socket's path has room for about 100 characters, so the folder is a short one; mkdtemp makes it 0700.
        self._folder = Path(tempfile.mkdtemp(prefix="pm-"))
        self._options = options(part, self._folder / "c")
        self._forwards: set[Path] = set()
        self._forwarding_by = b""
        self._forwarding = threading.Lock()
        self._given_up: Unreachable | None = None

    def _argv(self, *before: str) -> tuple[str, ...]:
        return ("ssh", *self._options, *before, "--", self.part.host)

    def give_up(self, error: Unreachable) -> None:
        """Ask the host nothing any more; see Transport."""
        self._given_up = error

    def _may_ask(self) -> None:
        if self._given_up:
            raise self._given_up

    def execute(self, line: str, *, input: bytes = b"", timeout_s: float = 60.0) -> Completed:  # noqa: A002 - subprocess' word
        """Run a command line in the host's shell; see Transport."""
        self._may_ask()
        began = time.monotonic()
        completed = self._local((*self._argv(), line), input, timeout_s, line)
        if completed.returncode == SSH_FAILED:
            raise self._failure(f"running {line[:200]}", completed.stderr)
        return Completed(completed.returncode, completed.stdout, completed.stderr, time.monotonic() - began)

    def _local(self, argv: tuple[str, ...], data: bytes, timeout_s: float, line: str) -> subprocess.CompletedProcess[bytes]:
        """Run ssh in a session of its own, so that the operator's Ctrl-C does not end it in the middle of a deed."""
        try:
            return subprocess.run(
                argv,
                input=data,
                capture_output=True,
                timeout=timeout_s,
                check=False,
                start_new_session=True,
                env=self._environment,
            )
        except subprocess.TimeoutExpired as error:
            raise Unreachable(self.who, f"running {line[:200]}", f"no answer in {timeout_s:g} s") from error
        except FileNotFoundError as error:
            raise Unreachable(self.who, "starting ssh", "OpenSSH's client is not installed here") from error

    def _failure(self, doing: str, err: bytes) -> Unreachable:
        """Return the error for ssh's own failure. A jump host's words are asked for: a shared connection hides them."""
        if {"proxyjump", "proxycommand"} & set(as_configured(self.part)):
            alone = ("ssh", "-o", "ControlPath=none", *self._options, "--", self.part.host, "true")
            asked = self._local(alone, b"", 4 * CONNECT_TIMEOUT_S, doing)
            err = asked.stderr if asked.returncode == SSH_FAILED else err
        return failure(self.who, doing, err)

    def stream(self, line: str) -> Iterator[bytes]:
        """Yield the lines of a command's output as they come; see Transport."""
        with tempfile.TemporaryFile() as errors:
            argv = (*self._argv(), line)
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,
                env=self._environment,
            )
            try:
                yield from process.stdout or ()
            finally:
                process.stdout.close() if process.stdout else None
                code = process.wait(CONNECT_TIMEOUT_S)
            errors.seek(0)
            if code == SSH_FAILED:
                raise self._failure(f"reading {line[:200]}", errors.read())
            if code:
                raise DeedFailed(f"{self.who}: exit {code} from {line[:200]}: {told(errors.read())[:500]}")

    def forward(self, address: str, port: int) -> Path:
        """Return a socket here that leads to a port as the host sees it; its name is what libpq looks for."""
        socket = self._folder / f"{address.replace(':', '.')}-{port}" / f".s.PGSQL.{port}"
        self._may_ask()
        with self._forwarding:
            if not self._connection():
                self.execute("true")  # makes the shared connection, or a clear error
            # An idle connection ends, and a later command makes another, which has none of the forwards.
            if self._forwarding_by != (now := self._connection()):
                self._forwards.clear()
                self._forwarding_by = now
            if socket not in self._forwards:
                self._forward(socket, address, port)
        return socket

    def _connection(self) -> bytes:
        """Return what tells one shared connection from another ("Master running (pid=…)"), or nothing when there is none."""
        asked = self._local(self._argv("-O", "check"), b"", CONNECT_TIMEOUT_S, "checking the connection")
        return b"" if asked.returncode else asked.stdout + asked.stderr

    def _forward(self, socket: Path, address: str, port: int) -> None:
        socket.parent.mkdir(exist_ok=True)
        spec = f"{socket}:[{address}]:{port}" if ":" in address else f"{socket}:{address}:{port}"
        asked = self._local((*self._argv("-O", "forward", "-L", spec),), b"", CONNECT_TIMEOUT_S, f"forwarding {spec}")
        if asked.returncode:
            raise failure(self.who, f"forwarding to {address}:{port}", asked.stderr)
        self._forwards.add(socket)

    def close(self) -> None:
        """End the shared connection and remove its sockets."""
        with contextlib.suppress(Unreachable):
            self._local(self._argv("-O", "exit"), b"", CONNECT_TIMEOUT_S, "closing")
        shutil.rmtree(self._folder, ignore_errors=True)
