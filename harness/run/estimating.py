"""What the newest green rehearsal took tells what this run will take: its measured times, scaled by how much there is to move."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.journal import read
from harness.run.endings import closed_green
from harness.run.fold import fold, key
from harness.shown import seconds, size
from harness.stated import total

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from harness.run.fold import State

FROZEN_FROM, SIZED_BELOW, OPENED_BY = 50, 80, 85
# A rehearsal of much less than this says how long commands take, not how long data do.
MOST_SCALED = 10.0


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A rehearsal (or a live run: `mode`) that was closed green.

    `took` are the seconds of its scenarios by their keys, `deeds` those of each scenario's deeds in their order, `numbers` the
    numbers of the scenarios' features, `bytes` how much it moved (0: its record does not say). `digest` is that of its record.
    """

    run: str
    at: str
    hosts: str
    core: str
    digest: str
    digests: Mapping[str, str]
    bytes: int
    took: Mapping[str, float]
    deeds: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    numbers: Mapping[str, int] = field(default_factory=dict)
    mode: str = "rehearsal"

    @property
    def told(self) -> dict[str, str]:
        """What the record of a live run says of it."""
        return {"run": self.run, "at": self.at, "hosts": self.hosts, "core": self.core, "digest": self.digest}

    def unlike(self, digests: Mapping[str, str]) -> list[str]:
        """Return what was rehearsed with others: features, code."""
        return [name for name in ("features", "code") if self.digests.get(name) != digests.get(name)]


def newest_rehearsal(reports: Path) -> Rehearsed | None:
    """Return the newest rehearsal that was closed green, or None."""
    return next((found for path in closed_green(reports) if (found := of_record(path)).mode == "rehearsal"), None)


def to_move(lines: Sequence[Mapping[str, Any]]) -> int:
    """Return how many bytes there are to move, as the newest facts in a record say; 0 where it has none."""
    return next((total(line["facts"]) for line in reversed(lines) if line["kind"] == "facts"), 0)


def of_record(folder: Path) -> Rehearsed:
    """Return what the record of a run in a folder tells of times and sizes."""
    recorded = read(folder / "journal.jsonl")
    run = next((line for line in recorded.lines if line["kind"] == "run"), {})
    green = [line for line in recorded.lines if line["kind"] == "scenario" and line["status"] == "green"]
    return Rehearsed(
        run=str(run.get("run")),
        at=str(recorded.lines[-1]["time"]),
        hosts=str(run.get("hosts")),
        core=str(run.get("core")),
        digest=recorded.last,
        mode=str(run.get("mode")),
        digests=run.get("digests") or {},
        bytes=to_move(recorded.lines),
        took={_key(line): float(line["seconds"]) for line in green},
        deeds=_deeds(recorded.lines),
        numbers=fold(recorded.lines).numbers,
    )


def _key(line: Mapping[str, Any]) -> str:
    return key(line["feature"], line["scenario"], line["example"])


def _deeds(lines: Iterable[Mapping[str, Any]]) -> dict[str, tuple[float, ...]]:
    found: dict[str, tuple[float, ...]] = {}
    for line in lines:
        if line["kind"] == "deed":
            found[_key(line)] = (*found.get(_key(line), ()), float(line["seconds"]))
    return found


@dataclass(frozen=True, slots=True)
class Estimate:
    """How many seconds users will wait from the freeze to the cut-over, or None with the reason why nobody can say."""

    seconds: float | None
    said: str


def scale(rehearsed: Rehearsed, now: int) -> float | None:
    """Return how much longer data take than in a rehearsal, at least 1; None where that moved too little to tell."""
    if not rehearsed.bytes or not now:
        return None
    found = max(1.0, now / rehearsed.bytes)
    return found if found <= MOST_SCALED else None


def expected(rehearsed: Rehearsed | None, scenario: str, took: float, now: int) -> float | None:
    """Return what will take so long that took `took` seconds in a rehearsal, or None where nobody can say."""
    if rehearsed is None:
        return None
    by = scale(rehearsed, now) if _is_of_data(rehearsed, scenario) else 1.0
    return None if by is None else took * by


def _is_of_data(rehearsed: Rehearsed, scenario: str) -> bool:
    return FROZEN_FROM <= rehearsed.numbers.get(scenario, 0) < SIZED_BELOW


def of_freeze(rehearsed: Rehearsed | None, now: int) -> Estimate:
    """Return how long users will wait, by the newest green rehearsal; `now` are the bytes that are to be moved."""
    if rehearsed is None:
        return Estimate(None, "no estimate: there is no record of a green rehearsal here")
    moved = f"{rehearsed.run}, which moved {size(rehearsed.bytes) or 'an unknown size'}, this is {size(now) or 'an unknown size'}"
    frozen = [name for name, number in rehearsed.numbers.items() if FROZEN_FROM <= number <= OPENED_BY]
    times = [expected(rehearsed, name, rehearsed.took.get(name, 0.0), now) for name in frozen]
    known = [one for one in times if one is not None]
    if len(known) < len(times):
        return Estimate(None, f"no estimate: the newest green rehearsal is {moved}: too far apart to tell from")
    return Estimate(sum(known), f"users wait about {seconds(sum(known))}, by the times of the rehearsal {moved}")


def of_rest(earlier: Rehearsed | None, state: State, now: int) -> float | None:
    """Return how many seconds the scenarios up to the cut-over that are not green here will take, or None where nobody can say."""
    wanted = [one for one in state.numbered(lambda number: FROZEN_FROM <= number <= OPENED_BY) if one not in state.green]
    times = [expected(earlier, one, earlier.took.get(one, 0.0), now) for one in wanted] if earlier else [None]
    known = [one for one in times if one is not None]
    return sum(known) if len(known) == len(times) else None
