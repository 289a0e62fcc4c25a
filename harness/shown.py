"""How figures, moments and values are shown to a person, in the report and on the terminal."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SHORT = 96
LONGEST = 20_000
STEERS_A_TERMINAL = (*range(9), *range(11, 32), *range(127, 160))
NOT_TEXT = (*range(0xD800, 0xE000), 0xFFFE, 0xFFFF)
TURNS_THE_READING_DIRECTION = (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
REPLACED = dict.fromkeys((*STEERS_A_TERMINAL, *NOT_TEXT, *TURNS_THE_READING_DIRECTION), "\N{REPLACEMENT CHARACTER}")
MINUTE, HOUR = 60, 3600
KILO = 1000
TOLD_OF_A_DIGEST = 12
# Where a word that is longer than a line may be parted, so that a path or a list still reads as one.
PIECES = re.compile(r"[^/,;:=&_-]+[/,;:=&_-]*|[/,;:=&_-]+")
# rsync --stats ends with these lines (rsync(1), --stats): what went over the wire, protocol included.
SENT = re.compile(r"^(?:Total bytes sent: ([\d,]+)$|sent ([\d,]+) bytes)", re.MULTILINE)
STATE_LABEL = re.compile(r"(?P<label>source|dest|users|time|next|or|fault)\s+(?P<text>\S.*)", re.DOTALL)


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


def rate(count: int, took: float | None) -> str:
    """Return bytes a second with a decimal unit, empty where nothing was moved or no time was taken."""
    return f"{size(count / took)}/s" if count and took else ""


def sides(expected: Any, at_rest: Mapping[str, Any]) -> tuple[str, str]:  # noqa: ANN401 - any JSON value
    """Return what the two sides of a comparison are called.

    They are source and dest where what is expected is what was measured on the source at rest: `at_rest` are its parts, such as
    {"accesses": {"rows": 8, "sha256": "5f2c81…"}}, and each expected text holds the beginning of its part's digest.
    """
    told = isinstance(expected, dict) and expected and all(_is_of(text(value), at_rest.get(key)) for key, value in expected.items())
    return ("source", "dest") if told else ("expected", "observed")


def _is_of(told: str, part: Any) -> bool:  # noqa: ANN401 - any JSON value
    found = part.get("sha256") if isinstance(part, dict) else None
    return isinstance(found, str) and found[:TOLD_OF_A_DIGEST] in told


def state_rows(state: Iterable[str]) -> list[tuple[str, str]]:
    """Return the lines of a state block as (label, text); the label is empty where a line has none."""
    found = [(STATE_LABEL.match(line), line) for line in state]
    return [(match["label"], match["text"]) if match else ("", line) for match, line in found]


def sent(tail: str) -> int | None:
    """Return how many bytes a deed sent, as the end of what it printed tells; None where it tells nothing of it."""
    found = SENT.search(tail)
    return int((found[1] or found[2]).replace(",", "")) if found else None


def wrapped(line: str, width: int, first: str = "", rest: str = "", at_most: int = 0) -> list[str]:
    """Return a line in rows of the width, the first after `first`, the others after `rest`; words stay whole where they fit.

    Of more than `at_most` rows (0: any number) the last is ended with an ellipsis.
    """
    if len(first) + len(line) <= width:
        return [first + line]
    room = max(1, width - max(len(first), len(rest)))
    rows, row, at_start = [], first, True
    for word in line.split():
        for index, piece in enumerate(_pieces(word, room)):
            gap = " " if index == 0 and not at_start else ""
            if len(row) + len(gap) + len(piece) > width and not at_start:
                rows.append(row)
                row, gap = rest, ""
            row, at_start = f"{row}{gap}{piece}", False
    rows.append(row)
    if at_most and len(rows) > at_most:
        kept = rows[:at_most]
        return [*kept[:-1], f"{kept[-1][: width - 2]} …"]
    return rows


def _pieces(word: str, room: int) -> list[str]:
    """Return a word in pieces that fit in a row."""
    if len(word) <= room:
        return [word]
    return [part[at : at + room] for part in PIECES.findall(word) for at in range(0, len(part), room)]
