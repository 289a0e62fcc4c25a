"""What was moved: what was measured at rest and on arrival, and the transfers between, each with its rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.shown import one_line, rate, sent

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.journal import Line
    from harness.report.tree import DeedView, Record, Scenario

SEAL = "seal"
ROWS, SHA256 = "rows", "sha256"
SHOWN_OF_A_DIGEST = 16


@dataclass(frozen=True, slots=True)
class Part:
    """One part of what was measured, such as a table: what it was on each side, as text, empty where it was not."""

    name: str
    source: str
    dest: str

    @property
    def same(self) -> bool:
        """Whether both sides are equal; one that only one side has is not."""
        return self.source == self.dest


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured under one name: the newest digest line of each role, empty where there is none."""

    name: str
    source: Line
    dest: Line

    @property
    def same(self) -> str:
        """How the two sides compare."""
        if not (self.source and self.dest):
            return "source only" if self.source else "dest only"
        return "equal" if self.source.get("digest") == self.dest.get("digest") else "different"

    @property
    def rows(self) -> int:
        """How many rows the tables hold, where the parts are tables; else 0."""
        parts = (self.source or self.dest).get("parts") or {}
        return sum(part[ROWS] for part in parts.values() if isinstance(part, dict) and isinstance(part.get(ROWS), int))

    @property
    def noun(self) -> str:
        """What was counted: tables have rows, a data root is named by its path."""
        return "table" if self.rows else "path" if self.name.startswith("/") else "part"

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of both sides, those that differ first."""
        source, dest = self.source.get("parts") or {}, self.dest.get("parts") or {}
        parts = [Part(name, _said(source, name), _said(dest, name)) for name in {**source, **dest}]
        return tuple(sorted(parts, key=lambda part: part.same))


@dataclass(frozen=True, slots=True)
class Transfer:
    """A deed that moved files from host to host: `sent` counts the bytes that went over the wire."""

    scenario: Scenario
    deed: DeedView
    sent: int

    @property
    def rate(self) -> str:
        """Bytes a second, empty where it took no time that was measured."""
        return rate(self.sent, self.deed.seconds)


def _said(parts: Mapping[str, object], name: str) -> str:
    """Return what is told of a part: rows and the beginning of its digest of a table, else its value."""
    value = parts.get(name)
    if isinstance(value, dict) and SHA256 in value:
        return f"{value.get(ROWS, 0):,} rows {str(value[SHA256])[:SHOWN_OF_A_DIGEST]}"
    return "" if value is None else one_line(value)


def measurements(record: Record) -> tuple[Measurement, ...]:
    """Return the newest measurements by name and role, what was moved only: not the seal of the source."""
    return tuple(one for one in _measured(record) if one.name != SEAL)


def seal(record: Record) -> Line:
    """Return the line of the newest seal of the source, empty where there is none."""
    return next((one.source for one in _measured(record) if one.name == SEAL), {})


def _measured(record: Record) -> tuple[Measurement, ...]:
    newest = {(str(entry.line.get("name")), str(entry.line.get("role"))): entry.line for entry in record.of_kind("digest")}
    names = dict.fromkeys(name for name, _ in newest)
    return tuple(Measurement(name, newest.get((name, "source"), {}), newest.get((name, "dest"), {})) for name in names)


def at_rest(record: Record) -> dict[str, object]:
    """Return the parts of everything that was measured on the source at rest, by their names."""
    return {name: value for one in _measured(record) for name, value in (one.source.get("parts") or {}).items()}


def transfers(record: Record) -> tuple[Transfer, ...]:
    """Return every deed that says how many bytes it sent, in the order of the journal."""
    deeds = [(scenario, deed) for scenario in record.scenarios for turn in scenario.turns for deed in turn.deeds]
    found = [(scenario, deed, sent(deed.tail)) for scenario, deed in deeds]
    moved = [Transfer(scenario, deed, count) for scenario, deed, count in found if count is not None]
    return tuple(sorted(moved, key=lambda transfer: transfer.deed.seq))
