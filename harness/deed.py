"""Deeds, observations and their results as values, and how they are shown.

A deed changes something: a Command on a host, an HttpRequest, a DnsUpdate. An observation asks and changes nothing: an Ask around
a read-only Command or HttpRequest, a Query, a Resolve of a name. Acts yield deeds, looks observations; only harness.run does them.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from harness.client_deeds import AskClient, BeginClient, EndClient
from harness.masking import MASK
from harness.tails import cleaned

TAIL_LINES = 10
SECRET_IN_QUERY = re.compile(r"(?<=[?&])((?:readToken|auth)=)[^&#]*")


class Role(StrEnum):
    """The two roles of a move."""

    SOURCE = "source"
    DEST = "dest"


@dataclass(frozen=True, slots=True)
class Secret:
    """A value that is shown as a mask wherever it is printed."""

    value: str = field(repr=False)

    def __str__(self) -> str:
        return MASK


@dataclass(frozen=True, slots=True)
class Command:
    """A program run on a host.

    `argv` is shown in the record, so it never holds a secret: secrets go by `input` (bytes for its stdin, never recorded). `exits`
    are the exit codes that count as success. `lasting` names a deed that may last: it is run detached, outlives a lost link, and is
    waited for by a continued run. One `ahead_of` a scenario is only begun: that scenario's act waits for it, as for one that is
    `begun`. One that `lets_go` removes the run folder with its lock. What a `private` one prints is not shown. `says` tells people.
    """

    host: Role
    argv: tuple[str, ...]
    input: bytes = field(default=b"", repr=False)
    as_user: str = ""
    timeout_s: float = 60.0
    exits: tuple[int, ...] = (0,)
    lasting: str = ""
    ahead_of: str = ""
    begun: bool = False
    private: bool = False
    lets_go: bool = False
    says: str = ""

    def __str__(self) -> str:
        return f"{self.host}{f' as {self.as_user}' if self.as_user else ''}$ {shlex.join(self.argv)}"


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request to the core under its public name.

    `via` says which address answers: "public" is the address that the name's own servers give; a Role is that host's address,
    reached through its SSH connection; "outside" is the dest's address as anybody reaches it. Name and certificate are public.
    """

    method: str
    path: str = field(repr=False)
    headers: Mapping[str, str | Secret] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    via: Role | str = "public"
    timeout_s: float = 20.0

    def __str__(self) -> str:
        return f"{self.method} {self.shown_path} (by {self.via})"

    @property
    def shown_path(self) -> str:
        """The path without the secrets in its query (a link's readToken, a token in place of a header)."""
        return SECRET_IN_QUERY.sub(rf"\1{MASK}", self.path)


@dataclass(frozen=True, slots=True)
class DnsUpdate:
    """A replacement of the address records of a name (RFC 2136); `addresses` are (type, text) pairs."""

    zone: str
    name: str
    ttl: int
    addresses: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"DNS {self.name} → {', '.join(f'{kind} {text}' for kind, text in self.addresses)} (TTL {self.ttl} s)"


@dataclass(frozen=True, slots=True)
class OperatorDeed:
    """A deed that a person does: `text` asks for it ("please …")."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Ask:
    """An observation: a command or request that changes nothing."""

    of: Command | HttpRequest

    def __str__(self) -> str:
        return str(self.of)


@dataclass(frozen=True, slots=True)
class Login:
    """Where a core's PostgreSQL is, as its config says, and how the core signs in."""

    host: Role
    address: str
    port: int
    database: str
    user: str
    password: Secret


@dataclass(frozen=True, slots=True)
class Query:
    """An observation: a read-only SQL query made with the core's own credentials through its host's SSH connection."""

    login: Login
    sql: str
    parameters: tuple[object, ...] = ()

    def __str__(self) -> str:
        return f"{self.login.host} SQL as {self.login.user} in {self.login.database}: {' '.join(self.sql.split())}"


@dataclass(frozen=True, slots=True)
class Resolve:
    """An observation: what one authoritative name server answers for a name and record type."""

    server: str
    name: str
    kind: str

    def __str__(self) -> str:
        return f"DNS {self.kind} {self.name} at {self.server}"


@dataclass(frozen=True, slots=True)
class Compare:
    """An observation: two read-only commands whose sorted output lines are streamed side by side and compared."""

    left: Command
    right: Command

    def __str__(self) -> str:
        return f"compare {self.left} with {self.right}"


@dataclass(frozen=True, slots=True)
class PinnedKeys:
    """An observation: the host keys that the plan's known_hosts pins for a role, as "type base64" texts."""

    role: Role

    def __str__(self) -> str:
        return f"pinned keys of the {self.role}"


@dataclass(frozen=True, slots=True)
class Learn:
    """Not a deed: from here on masked are these secrets, what people are called by, and paths below users' folders."""

    secrets: tuple[Secret, ...] = ()
    people: tuple[str, ...] = field(default=(), repr=False)
    below: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Keep:
    """Not a deed: `content` (JSON) is kept under `name` in the run's private folder, which is not part of the record."""

    name: str
    content: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Measured:
    """Not a deed: a measurement is written to the record. The source's, taken at rest, belongs to the epoch and is never replaced.

    `name` is the engine or the data root; `parts` maps a table to its {rows, sha256}; `examined` counts tables or paths.
    """

    name: str
    role: Role
    digest: str
    examined: int
    bytes: int = 0
    parts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Differences:
    """What a Compare found: lines only left, only right (the first few of each), and how many lines were read on each side."""

    left_only: tuple[str, ...]
    right_only: tuple[str, ...]
    left_lines: int
    right_lines: int


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command answered; `seconds` is wall time."""

    command: Command
    exit: int
    out: bytes = field(repr=False)
    err: bytes = field(repr=False)
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the exit code is one that counts as success."""
        return self.exit in self.command.exits

    @property
    def text(self) -> str:
        """Standard output as text, without the last newline."""
        return self.out.decode(errors="replace").rstrip("\n")

    @property
    def lines(self) -> list[str]:
        """The lines of standard output."""
        return self.text.split("\n") if self.text else []

    def json(self) -> Any:  # noqa: ANN401 - JSON is any
        """Return standard output read as JSON."""
        return json.loads(self.out)

    def tail(self) -> str:
        """Return the last lines of both streams that may be shown: nothing of a private command, no server's details, no rows."""
        if self.command.private:
            return ""
        return "\n".join("\n".join(lines[-TAIL_LINES:]) for lines, _ in self._cleaned() if lines)

    @property
    def is_told_whole(self) -> bool:
        """Whether the tail leaves nothing out but earlier lines."""
        return not (self.command.private or any(left_out for _, left_out in self._cleaned()))

    def _cleaned(self) -> list[tuple[list[str], int]]:
        return [cleaned(stream.decode(errors="replace")) for stream in (self.out, self.err)]


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What a server answered; header names are lower case. `certificate_until` is when its certificate ends, as TLS tells it."""

    request: HttpRequest
    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    seconds: float
    certificate_until: str = ""

    def json(self) -> Any:  # noqa: ANN401 - JSON is any
        """Return the body read as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True, slots=True)
class DnsAnswer:
    """The records that one server gave: sorted texts, the TTL in seconds, the response code's name."""

    server: str
    code: str
    texts: tuple[str, ...]
    ttl: int


Deed = Command | HttpRequest | DnsUpdate | OperatorDeed | BeginClient | EndClient
Observation = Ask | Query | Resolve | Compare | PinnedKeys | AskClient
Aside = Learn | Keep | Measured
Result = CommandResult | HttpAnswer | DnsAnswer | Differences | list[tuple[Any, ...]] | bool | None
T = TypeVar("T")
# What was yielded is answered by its result, a tuple (done side by side) by a list; what an act returns its own Then lines read.
Act = Generator[Deed | Aside | tuple[Deed, ...], Any, Any]
Reading = Generator[Observation | Aside | tuple[Observation, ...], Any, T]
