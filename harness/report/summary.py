"""The report's first page and its short tables: what broke, how each feature ended, what was planned to differ."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import shown
from harness.report.moved import at_rest
from harness.run.standing import CONFIGURED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.journal import Line
    from harness.report.tree import Feature, Look, Record, Scenario
    from harness.report.verdict import Verdict

ROWS_AT_MOST = 3
LONGEST_SIDE = 300
TOLD_OF_A_FAULT = ("fault", "text", "after", "red", "message", "guide")


@dataclass(frozen=True, slots=True)
class Broken:
    """A look that does not hold: what is wrong in a few words, the rows that differ (what, one side, the other), why, remedy."""

    name: str
    said: str
    sides: tuple[str, str]
    rows: tuple[tuple[str, str, str], ...]
    more: int
    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Red:
    """A red scenario for the first page: where it stands in the page and what made it red."""

    anchor: str
    feature: str
    scenario: Scenario
    broken: tuple[Broken, ...]
    cause: str


@dataclass(frozen=True, slots=True)
class Row:
    """How a feature ended: the place of its first scenario, its scenarios by status, how many checks were looked at for good."""

    anchor: str
    name: str
    counts: Mapping[str, int]
    checks: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Tried:
    """A fault of the last rehearsal: what was done, what was red first, and what the guide's own checks say of it."""

    fault: str
    text: str
    after: str
    red: str
    message: str
    guide: str
    as_declared: bool


def anchor(record: Record, scenario: Scenario) -> str:
    """Return the place of a scenario in the page."""
    return f"scenario-{record.scenarios.index(scenario) + 1}"


def broken(look: Look, parts: Mapping[str, Any]) -> Broken:
    """Return what is wrong in a look; `parts` are those measured on the source at rest, which say what the sides are called."""
    expected, observed = look.expected, look.observed
    if isinstance(expected, dict) and isinstance(observed, dict) and observed and expected != observed:
        keys = shown.differing(expected, observed)
        said = f"{len(keys)} of {len({**expected, **observed})} differ"
        rows = [(shown.one_line(key), shown.side(expected, key), shown.side(observed, key)) for key in keys]
        sides = shown.sides({key: expected[key] for key in keys if key in expected}, parts)
    else:
        said, sides = look.outcome, ("expected", "observed")
        left, right = (shown.middle(shown.one_line(value), LONGEST_SIDE) for value in (expected, observed))
        rows = [("", left, right)]
    kept = tuple(rows[:ROWS_AT_MOST])
    return Broken(look.name, look.shortfall or said, sides, kept, len(rows) - len(kept), look.why, look.remedy)


def reds(record: Record) -> tuple[Red, ...]:
    """Return what is red in the newest attempt, in the order of the runbook."""
    parts = at_rest(record)
    return tuple(
        _red(record, feature, scenario, parts)
        for feature in record.features
        for scenario in feature.scenarios
        if scenario.last.status == "red" and scenario.last.attempt == record.newest.number
    )


def _red(record: Record, feature: Feature, scenario: Scenario, parts: Mapping[str, Any]) -> Red:
    looks = [look for pair in scenario.last.pairs for look in (pair.before, pair.after) if look and look.red]
    cause = scenario.last.cause or next((step.cause for step in scenario.last.steps if step.cause), "")
    name = f"{feature.number} {feature.title}".strip()
    return Red(anchor(record, scenario), name, scenario, tuple(broken(look, parts) for look in looks), cause)


def type_next(record: Record, verdict: Verdict) -> tuple[str, str]:
    """Return what to do next and the command to type, which is empty where the record does not say one."""
    said = next((text for label, text in shown.state_rows(verdict.state) if label == "next"), "")
    command = str(record.newest.run.get("command") or "")
    if not said:
        return ("type the same command again:", command) if verdict.status == "unfinished" and command else ("", "")
    head, found, _ = said.partition(command) if command else (said, "", "")
    return (head.strip(), said[len(head) :].strip()) if found else (said, "")


def overview(record: Record) -> tuple[Row, ...]:
    """Return how each feature ended."""
    return tuple(_row(record, feature) for feature in record.features)


def _row(record: Record, feature: Feature) -> Row:
    here = [scenario for scenario in feature.scenarios if scenario.last.attempt == record.newest.number]
    counts = Counter(scenario.last.status for scenario in here)
    if len(here) < len(feature.scenarios):
        counts["not reached"] = len(feature.scenarios) - len(here)
    checks = sum(bool(pair.after) for scenario in feature.scenarios for pair in scenario.evidence.pairs)
    took = sum(scenario.evidence.seconds or 0 for scenario in feature.scenarios)
    name = f"{feature.number} {feature.title}".strip()
    return Row(anchor(record, feature.scenarios[0]), name, counts, checks, took)


def planned_changes(record: Record) -> tuple[tuple[str, str], ...]:
    """Return the keys of the config that were planned to differ and do, with their values on the dest."""
    scenario = next((scenario for scenario in record.scenarios if scenario.title == CONFIGURED), None)
    looks = [pair.after for pair in scenario.evidence.pairs if pair.after] if scenario else []
    held = [look.observed for look in looks if look.held and isinstance(look.observed, dict) and look.observed == look.expected]
    return tuple((shown.one_line(key), shown.one_line(value)) for observed in held for key, value in observed.items())


def fault_matrix(run: Line) -> tuple[Tried, ...]:
    """Return the faults of the last rehearsal that the run line tells of; none where it tells of none.

    The line's `faults` is a list of {fault, text, after, red, message, guide, as_declared}: `red` is the scenario and check that
    was red first, empty for a control; `guide` what the guide's own checks say of the same fault.
    """
    told = run.get("faults")
    return tuple(_tried(row) for row in told if isinstance(row, dict)) if isinstance(told, list) else ()


def _tried(row: Mapping[str, Any]) -> Tried:
    fault, text, after, red, message, guide = (shown.one_line(row.get(name) or "") for name in TOLD_OF_A_FAULT)
    return Tried(fault, text, after, red, message, guide, row.get("as_declared") is True)
