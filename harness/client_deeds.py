"""What is done with the client of the public name, as values; see harness.client."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class BeginClient:
    """A deed: the client is begun, told this on its stdin (JSON, which holds its token); one that is at work is ended first.

    `errors` is the file that gets what it writes to stderr.
    """

    told: str = field(repr=False)
    errors: str
    says: str

    def __str__(self) -> str:
        return self.says


@dataclass(frozen=True, slots=True)
class EndClient:
    """A deed: the client is ended; it answers whether one was at work. With `after_s` it is given so long to work before."""

    after_s: float = 0.0

    def __str__(self) -> str:
        return "end the client of the public name"


@dataclass(frozen=True, slots=True)
class AskClient:
    """An observation: whether a client is at work."""

    def __str__(self) -> str:
        return "whether the client of the public name is at work"
