"""The geometry of the timeline: when each scenario ran, the marks, and the time users waited; in percent of an attempt's length."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from harness.report.verdict import outage
from harness.shown import moment, seconds

if TYPE_CHECKING:
    from harness.report.tree import Attempt, Feature, Record

NARROWEST = 0.4
TICKS = 4
LABELS_TURN_AT = 70.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time, in percent from the left."""

    left: float
    width: float
    status: str
    title: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A feature and the scenarios of it that ran."""

    label: str
    bars: tuple[Bar, ...]


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
        lanes=tuple(lane for feature in record.features if (lane := _lane(feature, attempt, scale)).bars),
        marks=_marks(record, attempt, scale),
        ticks=tuple(_pin(100 * part / TICKS, f"{begin + scale.length * part / TICKS:%H:%M:%S}") for part in range(TICKS + 1)),
        outage=_outage(record, scale, end),
        said=f"{begin:%Y-%m-%d %H:%M:%S} to {end:%H:%M:%S} UTC, {seconds(scale.length.total_seconds())}",
    )


def _pin(left: float, label: str) -> Pin:
    return Pin(left, label, "end" if left > LABELS_TURN_AT else "start")


def _lane(feature: Feature, attempt: Attempt, scale: _Scale) -> Lane:
    bars = []
    for scenario in feature.scenarios:
        for turn in scenario.turns:
            begin = moment(turn.begun)
            if turn.attempt == attempt.number and begin:
                end = moment(turn.ended) or scale.begin + scale.length
                bars.append(_bar(scale, begin, end, turn.status, scenario.name))
    return Lane(f"{feature.number} {feature.title}".strip(), tuple(sorted(bars, key=lambda bar: bar.left)))


def _bar(scale: _Scale, begin: datetime, end: datetime, status: str, name: str) -> Bar:
    left, right = scale.at(begin), scale.at(end)
    width = max(right - left, NARROWEST)
    return Bar(min(left, 100 - width), width, status, f"{name}: {status}, {seconds((end - begin).total_seconds())}")


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
