"""The geometry of the timeline: when each scenario ran, what was transferred, the marks, the time users waited, what a client saw.

Places are in percent of an attempt's length. The client has a lane only where the record has its lines, of kind "client".
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from harness.report.client import NO_CLIENT, saw
from harness.report.moved import transfers
from harness.report.verdict import outage
from harness.shown import moment, rate, seconds, size

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.report.moved import Transfer
    from harness.report.tree import Attempt, Feature, Record, Turn

NARROWEST = 0.4
TICKS = 4
LABELS_TURN_AT = 70.0
ROOM_FOR_A_RATE = 18.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time, in percent from the left; `label` is what is written on it, where there is room."""

    left: float
    width: float
    status: str
    title: str
    label: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """A feature and the scenarios of it that ran; `row` is what a table says of it: begun, ended, how long, how they ended."""

    label: str
    bars: tuple[Bar, ...]
    row: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pin:
    """A mark or a tick: `anchor` says to which side its label is written (SVG text-anchor)."""

    left: float
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Picture:
    """The timeline of one attempt."""

    number: int
    lanes: tuple[Lane, ...]
    marks: tuple[Pin, ...]
    ticks: tuple[Pin, ...]
    outage: Bar | None
    said: str


@dataclass(frozen=True, slots=True)
class _Scale:
    """The first moment of an attempt and its length."""

    begin: datetime
    length: timedelta

    def at(self, time: datetime) -> float:
        """Return the place of a moment, from 0 to 100."""
        return min(100.0, max(0.0, 100 * (time - self.begin) / self.length))

    @property
    def end(self) -> datetime:
        """The last moment of the attempt."""
        return self.begin + self.length


def pictures(record: Record) -> tuple[Picture, ...]:
    """Return a picture of each attempt in which a scenario ran."""
    drawn = (_picture(record, attempt) for attempt in record.attempts)
    return tuple(picture for picture in drawn if picture and picture.lanes)


def _picture(record: Record, attempt: Attempt) -> Picture | None:
    begin, end = moment(attempt.begun), moment(attempt.ended)
    if begin is None or end is None:
        return None
    scale = _Scale(begin, max(end - begin, timedelta(milliseconds=1)))
    return Picture(
        number=attempt.number,
        lanes=tuple(lane for lane in _lanes(record, attempt, scale) if lane.bars),
        marks=_marks(record, attempt, scale),
        ticks=tuple(_pin(100 * part / TICKS, f"{begin + scale.length * part / TICKS:%H:%M:%S}") for part in range(TICKS + 1)),
        outage=_outage(record, scale, end),
        said=f"{begin:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S} UTC, {seconds(scale.length.total_seconds())}",
    )


def _pin(left: float, label: str) -> Pin:
    return Pin(left, label, "end" if left > LABELS_TURN_AT else "start")


def _lanes(record: Record, attempt: Attempt, scale: _Scale) -> Iterator[Lane]:
    yield from (_lane(feature, attempt, scale) for feature in record.features)
    yield _transfers(record, attempt, scale)
    yield _client(record, scale)


def _lane(feature: Feature, attempt: Attempt, scale: _Scale) -> Lane:
    turns = [(scenario, turn) for scenario in feature.scenarios for turn in scenario.turns if turn.attempt == attempt.number]
    ran = sorted(((scenario, turn) for scenario, turn in turns if moment(turn.begun)), key=lambda pair: pair[1].begun)
    bars = tuple(_ran(scale, turn, scenario.name) for scenario, turn in ran)
    return Lane(f"{feature.number} {feature.title}".strip(), bars, _row([turn for _, turn in ran], scale))


def _ran(scale: _Scale, turn: Turn, name: str) -> Bar:
    begin = moment(turn.begun) or scale.begin
    return _bar(scale, begin, moment(turn.ended) or scale.end, turn.status, f"{name}: {turn.status}")


def _row(turns: Sequence[Turn], scale: _Scale) -> tuple[str, ...]:
    """Return when the first of several turns began and the last ended, how long that was, and how many ended how."""
    if not turns:
        return ()
    begin, end = moment(turns[0].begun) or scale.begin, moment(turns[-1].ended) or scale.end
    counts = Counter("not ended" if turn.status == "begun" else turn.status for turn in turns)
    ended = ", ".join(f"{count} {status}" for status, count in counts.items())
    return f"{begin:%H:%M:%S}", f"{end:%H:%M:%S}", seconds((end - begin).total_seconds()), ended


def _transfers(record: Record, attempt: Attempt, scale: _Scale) -> Lane:
    """Return the lane of what was sent from host to host, with its rate."""
    here = [transfer for transfer in transfers(record) if transfer.deed.attempt == attempt.number]
    bars = []
    for transfer in here:
        begin = moment(transfer.deed.begun)
        if begin:
            end = begin + timedelta(seconds=transfer.deed.seconds or 0)
            bar = _bar(scale, begin, end, "transfer", f"{transfer.deed.deed}: {size(transfer.sent)}, {transfer.rate}")
            bars.append(replace(bar, label=transfer.rate if bar.width >= ROOM_FOR_A_RATE else ""))
    return Lane(f"Transfers between the hosts: {_in_all(here)}", tuple(bars))


def _in_all(here: Sequence[Transfer]) -> str:
    """Return how much was sent in all, and how fast the fastest transfer was."""
    fastest = max((one.sent / one.deed.seconds for one in here if one.deed.seconds), default=0.0)
    return f"{size(sum(one.sent for one in here))}, up to {rate(int(fastest), 1)}"


def _client(record: Record, scale: _Scale) -> Lane:
    """Return the lane of the clients of the public name: one bar as long as they were answered the same."""
    placed = [(moment(one.begun), moment(one.ended), one) for one in saw(record) if one.outcome != NO_CLIENT]
    bars = [
        _bar(scale, max(begun, scale.begin), min(ended, scale.end), one.status, one.said)
        for begun, ended, one in placed
        if begun and ended and begun <= scale.end and ended >= scale.begin
    ]
    return Lane("A client of the public name", tuple(bars))


def _bar(scale: _Scale, begin: datetime, end: datetime, status: str, name: str) -> Bar:
    left, right = scale.at(begin), scale.at(end)
    width = max(right - left, NARROWEST)
    return Bar(min(left, 100 - width), width, status, f"{name}, {seconds((end - begin).total_seconds())}")


def _marks(record: Record, attempt: Attempt, scale: _Scale) -> tuple[Pin, ...]:
    marks = [entry.line for entry in record.of_kind("mark") if entry.attempt == attempt.number]
    placed = [(moment(str(line.get("time", ""))), str(line.get("mark", ""))) for line in marks]
    return tuple(_pin(scale.at(time), f"{name} {time:%H:%M:%S}") for time, name in placed if time)


def _outage(record: Record, scale: _Scale, end: datetime) -> Bar | None:
    """Return the part of the outage that falls into an attempt; it goes on while nothing was opened."""
    waited = outage(record)
    stopped = moment(waited.stopped)
    opened = moment(waited.opened) or datetime.max.replace(tzinfo=UTC)
    if stopped is None or stopped >= end or opened <= scale.begin:
        return None
    left, right = scale.at(stopped), scale.at(min(opened, end))
    return Bar(left, right - left, "outage", "users wait")
