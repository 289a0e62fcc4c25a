"""How figures, moments and values are shown to a person, in the report and on the terminal."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

SHORT = 96
LONGEST = 20_000
STEERS_A_TERMINAL = (*range(9), *range(11, 32), *range(127, 160))
NOT_TEXT = (*range(0xD800, 0xE000), 0xFFFE, 0xFFFF)
TURNS_THE_READING_DIRECTION = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
REPLACED = dict.fromkeys((*STEERS_A_TERMINAL, *NOT_TEXT, *TURNS_THE_READING_DIRECTION), "\N{REPLACEMENT CHARACTER}")
MINUTE, HOUR = 60, 3600
KILO = 1000


@dataclass(frozen=True, slots=True)
class Shown:
    """A value in its short form; `whole` is empty where the short form is all of it."""

    short: str
    whole: str = ""


def printable(text: str) -> str:
    """Return the text with control characters replaced, so that a host's answer steers no terminal, parser or reader."""
    return text.translate(REPLACED)


def moment(time: str) -> datetime | None:
    """Read a journal's time (ISO 8601, UTC), or None where there is none."""
    try:
        return datetime.fromisoformat(time)
    except ValueError:
        return None


def between(begin: str, end: str) -> float | None:
    """Return the seconds from one journal time to another, or None where one is missing."""
    first, last = moment(begin), moment(end)
    return (last - first).total_seconds() if first and last else None


def clock(time: str) -> str:
    """Return the time of day, to the second, UTC."""
    at = moment(time)
    return f"{at:%H:%M:%S}" if at else time


def day(time: str) -> str:
    """Return the day and time of day, UTC."""
    at = moment(time)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else time


def seconds(value: float | None) -> str:
    """Return a duration given in seconds as a person says it."""
    if value is None:
        return ""
    if value < MINUTE:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < HOUR:
        return f"{whole // MINUTE} min {whole % MINUTE:02d} s"
    return f"{whole // HOUR} h {whole % HOUR // MINUTE:02d} min"


def size(count: object) -> str:
    """Return a number of bytes with a decimal unit, empty for none."""
    if not isinstance(count, int | float) or not count:
        return ""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < KILO:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= KILO
    return f"{value:.1f} TB"


def plural(count: int, noun: str) -> str:
    """Return the count with its noun, in the plural where it is due."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def text(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a JSON value as one text: a string bare, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def one_line(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a JSON value on one printable line."""
    return printable(" ".join(text(value).split()))


def pretty(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return a JSON value over several lines, cut where it is longer than a person reads."""
    whole = printable(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2))
    return whole if len(whole) <= LONGEST else f"{whole[:LONGEST]}\n… {len(whole) - LONGEST:,} characters more, in the journal"


def middle(line: str, width: int) -> str:
    """Shorten the middle of a line to the width (at least one character)."""
    if len(line) <= width:
        return line
    head = (width - 1) * 2 // 3
    return f"{line[:head]}…{line[len(line) - (width - 1 - head) :]}"


def shown(value: Any, width: int = SHORT) -> Shown:  # noqa: ANN401 - any JSON value
    """Return a value to read at a glance, and the whole of it where that leaves something out."""
    line = one_line(value)
    short = middle(line, width)
    return Shown(short, pretty(value) if short != line else "")


def differing(expected: dict[str, Any], observed: dict[str, Any]) -> list[str]:
    """Return the keys whose values differ, or that only one side has."""
    both = {**expected, **observed}
    return [key for key in both if (key in expected, expected.get(key)) != (key in observed, observed.get(key))]


def side(mapping: dict[str, Any], key: str) -> str:
    """Return one side's value of a key that differs, on one line."""
    return one_line(mapping[key]) if key in mapping else "(not there)"


def compared(expected: Any, observed: Any) -> tuple[Shown, Shown]:  # noqa: ANN401 - any JSON values
    """Return both sides for reading; of two mappings that differ, only the differing keys are in the short form."""
    if not (isinstance(expected, dict) and isinstance(observed, dict)) or expected == observed:
        return shown(expected), shown(observed)
    if not observed:
        return shown(expected), Shown("nothing")
    keys = differing(expected, observed)
    equal = len({**expected, **observed}) - len(keys)
    return _half(expected, keys, equal), _half(observed, keys, equal)


def _half(mapping: dict[str, Any], keys: list[str], equal: int) -> Shown:
    parts = "; ".join(f"{one_line(key)}: {side(mapping, key)}" for key in keys)
    return Shown(middle(parts, 2 * SHORT) + (f" (and {equal:,} equal)" if equal else ""), pretty(mapping))
