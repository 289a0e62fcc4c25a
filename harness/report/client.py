"""What clients of the public name saw, from the journal's lines of kind "client".

Such a line is a time in which a client was answered the same: {client, outcome (answered|refused|wrong host), at (who answered),
from, until, writes, reads}. Between two clients none was at work: that time is told as such, neither as answered nor as outage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.steps import figure, text, whole
from harness.shown import between, seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.report.tree import Record

SAW = {"answered": "answered", "refused": "refused", "wrong host": "answered by the wrong host"}
NO_CLIENT = "no client"
OUTAGE = "The outage was no longer than planned"


@dataclass(frozen=True, slots=True)
class Saw:
    """A row: one time in which clients saw the same; `begun` and `ended` are UTC texts."""

    outcome: str
    at: str
    begun: str
    ended: str
    writes: int
    reads: int

    @property
    def took(self) -> str:
        """How long that was."""
        return seconds(between(self.begun, self.ended) or 0.0)

    @property
    def status(self) -> str:
        """How it is drawn: users who are refused wait, which is no defect where an outage is planned."""
        return "waited" if self.outcome == "refused" else self.outcome

    @property
    def said(self) -> str:
        """What it is called in the picture."""
        return f"a client was {SAW.get(self.outcome, self.outcome)} ({self.writes} writes, {self.reads} reads)"


def outage_seen(record: Record) -> float | None:
    """Return the outage in seconds as a client saw it, or None where none saw the whole of it."""
    turns = [one.evidence for one in record.scenarios if one.title == OUTAGE]
    looks = [pair.after for turn in turns for pair in turn.pairs if pair.after and isinstance(pair.after.observed, dict)]
    return next((found for look in looks if (found := figure(look.observed.get("by the client"))) is not None), None)


def saw(record: Record) -> tuple[Saw, ...]:
    """Return what clients saw, in the order of time, with the times between two clients."""
    return tuple(_with_gaps(record))


def _with_gaps(record: Record) -> Iterator[Saw]:
    previous, ended = 0, ""
    for line in record.clients:
        number, begun = whole(line.get("client")), text(line, "from")
        if ended and number != previous and ended < begun:
            yield Saw(NO_CLIENT, "", ended, begun, 0, 0)
        previous, ended = number, text(line, "until")
        figures = whole(line.get("writes")), whole(line.get("reads"))
        yield Saw(text(line, "outcome"), text(line, "at"), begun, ended, *figures)
