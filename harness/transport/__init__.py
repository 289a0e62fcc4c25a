"""How a host is reached: OpenSSH, or the shipped fake. The only package that starts processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from harness.errors import Unreachable


@dataclass(frozen=True, slots=True)
class Completed:
    """What a remote command line answered; `seconds` is wall time, transport included."""

    exit: int
    out: bytes = field(default=b"", repr=False)
    err: bytes = field(default=b"", repr=False)
    seconds: float = 0.0


class Transport(Protocol):
    """A way to one host. Every method raises Unreachable, naming what was being done, when the host does not answer."""

    def execute(self, line: str, *, input: bytes = b"", timeout_s: float = 60.0) -> Completed:  # noqa: A002 - subprocess' word
        """Run a command line in the host's shell."""

    def stream(self, line: str) -> Iterator[bytes]:
        """Yield the lines that a command line prints, as they come; raises DeedFailed if it exits with another code than 0."""

    def forward(self, address: str, port: int) -> Path:
        """Return a Unix socket here that leads to a TCP port as the host sees it."""

    def give_up(self, error: Unreachable) -> None:
        """From now on raise this error at once: the host has been asked for the last time."""

    def close(self) -> None:
        """End the connection and its forwards."""
