"""What measurements have in common: ways timed in turn, and what was found as text."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Section:
    """One measurement: what was measured, a table of figures as text (the first row names the columns), what it comes to."""

    title: str
    about: str
    table: Sequence[Sequence[str]]
    outcome: Sequence[str]


def medians(ways: Mapping[str, Callable[[], object]], times: int) -> dict[str, float]:
    """Return the median of a few tries of each way, in seconds; in turn, so that a busy moment of the machine meets them all."""
    tries: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(times):
        for name, run in ways.items():
            began = time.monotonic()
            run()
            tries[name].append(time.monotonic() - began)
    return {name: statistics.median(found) for name, found in tries.items()}


def compared(title: str, about: str, found: Mapping[str, float], targets: Sequence[str]) -> Section:
    """Return what became of ways, the first of which is ours and should not be slower than each of `targets`."""
    ours, own = next(iter(found.items()))
    rows = [("way", "seconds", "beside ours"), *((name, f"{took:.2f}", f"{took / own:.2f}") for name, took in found.items())]
    return Section(title, about, rows, [_met(ours, own / found[target], target) for target in targets])


def _met(ours: str, ratio: float, target: str) -> str:
    verdict = "met" if ratio <= 1 else "MISSED"
    return f"Target {verdict}: {ours} takes {ratio:.2f} of the time of {target}."


def markdown(section: Section) -> str:
    """Return a section as Markdown, its table in columns of one width."""
    widths = [max(len(row[column]) for row in section.table) for column in range(len(section.table[0]))]
    head, *rows = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in section.table]
    table = "\n".join(f"| {' | '.join(row)} |" for row in (head, ["-" * width for width in widths], *rows))
    outcome = "\n".join(f"- {line}" for line in section.outcome)
    return f"## {section.title}\n\n{section.about}\n\n{table}\n\n{outcome}\n"
