"""The client as a program of its own: `python -m harness.client.process`, told on stdin what to do, ended by the end of its stdin.

It reads and writes under the public name as users' programs do: by addresses that a stub resolver gives it, over verified TLS, by
connections that are kept alive and made anew when the address changes. Of every answer it writes a line to its ledger:
{t, took, kind (write|read), text, ok, id, at, why}; t is when the answer came, in seconds since 1970. Its memory does not grow.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import socket
import ssl
import threading
import time
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from harness.cutover.dns import resolve
from harness.deed import Resolve
from harness.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWERED = {"write": 201, "read": 200}
LARGEST_ANSWER = 1 << 20
ASK_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Told:
    """What a client is told: where to go, who it is, how often it asks a second, and for how long at most.

    It ends by itself once so many writes were acknowledged as are `enough`, where that is said.
    """

    name: str
    port: int
    servers: tuple[str, ...]
    ca_file: str | None
    user: str
    token: str = field(repr=False)
    stream: str
    number: int
    ledger: str
    hertz: float = 10.0
    longest_s: float = 21600.0
    enough: int = 0
    timeout_s: float = 3.0

    @classmethod
    def of(cls, raw: bytes) -> Self:
        """Read it from JSON."""
        told = json.loads(raw)
        return cls(**{**told, "servers": tuple(told["servers"])})


@dataclass
class Stub:
    """Asks the zone's servers in turn and keeps an answer for its TTL, as resolvers do; raises Unreachable when none answers."""

    name: str
    servers: tuple[str, ...]
    ask: Callable[[Resolve], Any] = resolve
    clock: Callable[[], float] = time.monotonic
    _address: str = ""
    _until: float = 0.0
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def address(self) -> str:
        """Return the first address of the name."""
        with self._asking:
            if self.clock() >= self._until:
                self._address, ttl = self._asked()
                self._until = self.clock() + ttl
            if not self._address:
                raise Unreachable(self.name, "resolving it", "the name server knows no address")
            return self._address

    def _asked(self) -> tuple[str, float]:
        for at, server in enumerate(self.servers, start=1):
            try:
                for kind in ("A", "AAAA"):
                    answer = self.ask(Resolve(server, self.name, kind))
                    if answer.texts:
                        return answer.texts[0], float(answer.ttl)
            except Unreachable:
                if at == len(self.servers):
                    raise
        return "", ASK_AGAIN_S


class _Connection(http.client.HTTPSConnection):
    """A connection to an address under the public name; its certificate must be that name's."""

    def __init__(self, address: str, told: Told, context: ssl.SSLContext) -> None:
        super().__init__(told.name, told.port, context=context, timeout=told.timeout_s)
        self.address, self.context, self.limit_s = address, context, told.timeout_s

    def connect(self) -> None:
        """Connect to the address, not to what this machine knows of the name."""
        plain = socket.create_connection((self.address, self.port), self.limit_s)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.sock = self.context.wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise


@dataclass
class Caller:
    """Sends requests one after the other; a connection is kept until it fails or the address is another."""

    told: Told
    stub: Stub
    context: ssl.SSLContext
    _connection: _Connection | None = None

    def send(self, method: str, path: str, body: object = None) -> tuple[str, int, bytes]:
        """Return which address answered, the status and the body; raises OSError, HTTPException or Unreachable when none did."""
        address = self.stub.address()
        if self._connection and self._connection.address != address:
            self.close()
        connection = self._connection = self._connection or _Connection(address, self.told, self.context)
        headers = {"Authorization": self.told.token, "Content-Type": "application/json"}
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            return address, answer.status, answer.read(LARGEST_ANSWER)
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        if self._connection:
            self._connection.close()
        self._connection = None


@dataclass
class Client:
    """A writer and a reader, each at its own pace, and their ledger; the reader waits for the first write that was acknowledged."""

    told: Told
    over: threading.Event = field(default_factory=threading.Event)
    acknowledged: int = 0
    _numbers: Any = field(default_factory=count)

    def __post_init__(self) -> None:
        self._file = os.open(self.told.ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._context = ssl.create_default_context(cafile=self.told.ca_file)
        self._stub = Stub(self.told.name, self.told.servers)

    def run(self, told_to_end: Callable[[], bool]) -> None:
        """Read and write until told to end, or until its time is over."""
        began = time.monotonic()
        self._note(kind="begun")
        threads = [threading.Thread(target=self._paced, args=(one,)) for one in (self.write, self.read)]
        for thread in threads:
            thread.start()
        while time.monotonic() - began < self.told.longest_s and not (told_to_end() or self._has_enough()):
            pass
        self.over.set()
        for thread in threads:
            thread.join()
        self._note(kind="ended")

    def _has_enough(self) -> bool:
        return bool(self.told.enough) and self.acknowledged >= self.told.enough

    def _paced(self, once: Callable[[Caller], None]) -> None:
        caller, due = Caller(self.told, self._stub, self._context), time.monotonic()
        while not self.over.is_set():
            once(caller)
            due = max(due + 1 / self.told.hertz, time.monotonic())
            self.over.wait(due - time.monotonic())
        caller.close()

    def write(self, caller: Caller) -> None:
        """Store a text that no other write has."""
        text = f"client {self.told.number} write {next(self._numbers)} {os.urandom(8).hex()}"
        event = {"streamIds": [self.told.stream], "type": "note/txt", "content": text}
        if self._answer(caller, "write", "POST", "/events", event, text=text):
            self.acknowledged += 1

    def read(self, caller: Caller) -> None:
        """Read the newest event, as an app does that is opened: slow where the database has no statistics (downtime-facts.md)."""
        if self.acknowledged:
            self._answer(caller, "read", "GET", "/events?limit=1")

    def _answer(self, caller: Caller, kind: str, method: str, path: str, body: object = None, **more: str) -> Any:  # noqa: ANN401 - JSON is any
        began = time.time()
        try:
            at, status, raw = caller.send(method, f"/{self.told.user}{path}", body)
            found = json.loads(raw) if status == ANSWERED[kind] else None
            known = {"id": _event(found)["id"]} if found else {"why": str(status)}
        except (OSError, http.client.HTTPException, Unreachable, ValueError, LookupError, TypeError) as error:
            self._note(kind=kind, took=_since(began), ok=False, at="", why=type(error).__name__, **more)
            return None
        self._note(kind=kind, took=_since(began), ok=found is not None, at=at, **known, **more)
        return found

    def _note(self, **line: object) -> None:
        os.write(self._file, json.dumps({"t": round(time.time(), 3), **line}).encode() + b"\n")


def _event(found: dict[str, Any]) -> dict[str, Any]:
    """Return the event of an answer, or the first of its events."""
    event: dict[str, Any] = found["event"] if "event" in found else found["events"][0]
    return event


def _since(began: float) -> float:
    return round(time.time() - began, 3)


def _told_to_end() -> bool:
    """Wait a moment for the end of stdin."""
    ready, _, _ = select.select([0], [], [], 0.1)
    return bool(ready) and not os.read(0, 1)


def main() -> None:
    """Be told, and go on until stdin ends."""
    with open(0, "rb", buffering=0, closefd=False) as stdin:  # unbuffered: select sees its end
        told = Told.of(stdin.readline())
    Client(told).run(_told_to_end)


if __name__ == "__main__":
    main()
