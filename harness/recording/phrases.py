"""How parts of a journal's lines are said in few words on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.check import Outcome
from harness.shown import differing, one_line, rate, sent, side, size

if TYPE_CHECKING:
    from harness.journal import Line


def named(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Return who or what a `run` line names: a text, or a mapping as "name value" pairs."""
    if isinstance(value, dict):
        return ", ".join(f"{one_line(name)} {one_line(part)}" for name, part in value.items())
    return one_line(value) if value else ""


def title_of(line: Line) -> str:
    """Return a scenario's name, the placeholders of an Outline filled in, and the row where the name does not tell it."""
    title, example = str(line.get("scenario", "")), line.get("example")
    row = example if isinstance(example, dict) else {}
    for name, value in row.items():
        title = title.replace(f"<{name}>", str(value))
    left = [str(value) for value in (row.values() if row else [example]) if value and str(value) not in title]
    return one_line(f"{title} ({', '.join(left)})" if left else title)


def sent_of(line: Line, took: float) -> str:
    """Return how much a deed sent from host to host, and how fast."""
    count = sent(str(line.get("tail") or ""))
    return f", {size(count)}, {rate(count, took)}" if count else ""


def because(line: Line) -> str:
    """Return the cause behind a colon, empty where there is none."""
    return f": {one_line(line['cause'])}" if line.get("cause") else ""


def said_of(line: Line, *, held: bool) -> str:
    """Return a check in one line: its name and what was seen, or how much was examined where it held."""
    name = one_line(line.get("name", ""))
    examined = line.get("examined") or 0
    observed = line.get("observed")
    if held:
        plain = isinstance(observed, str | int | float) and not isinstance(observed, bool)
        return f"{name}{f': {one_line(observed)}' if plain else ''}{f' ({examined:,} examined)' if examined > 1 else ''}"
    if line.get("outcome") == Outcome.ABSENT and not isinstance(observed, str):
        return f"{name}: not there yet"
    rows = differences(line)
    if not rows or not rows[0][0]:
        return f"{name}: {one_line(observed)}"
    return f"{name}: {len(rows)} of {len({**line['expected'], **line['observed']})} differ"


def differences(line: Line) -> list[tuple[str, str, str]]:
    """Return (key, expected, observed) of what differs between two mappings, or one row without a key for other values."""
    expected, observed = line.get("expected"), line.get("observed")
    if not (isinstance(expected, dict) and isinstance(observed, dict)) or expected == observed:
        return [("", one_line(expected), one_line(observed))]
    return [(f"{one_line(key)}  ", side(expected, key), side(observed, key)) for key in differing(expected, observed)]
