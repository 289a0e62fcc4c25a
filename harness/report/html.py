"""The report: one HTML file that needs no network and no script, drawn from a journal's lines alone.

Everything in a journal may come from a host, so the template escapes all of it, and the page's own content security policy allows
nothing but its style.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from harness import shown
from harness.report import timeline
from harness.report.fold import fold
from harness.report.verdict import judge, outage, outage_said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.journal import Line
    from harness.report.tree import DeedView, Pair, Record, Scenario, Step, Turn

HERE = Path(__file__).parent
LONGEST_DEEDS = 5
GLYPHS = {
    "green": "✓",
    "held": "✓",
    "done": "✓",
    "already held": "✓",
    "settled": "✓",
    "red": "✗",
    "not held": "✗",
    "error": "‼",
    "absent": "○",
    "blocked": "■",
    "not run": "■",
    "not applicable": "\N{EN DASH}",
    "begun": "…",
    "unfinished": "…",
    "in doubt": "‼",
    "refused": "✗",
}
TONES = {
    "green": "good",
    "held": "good",
    "done": "good",
    "already held": "good",
    "settled": "good",
    "red": "bad",
    "not held": "bad",
    "error": "bad",
    "in doubt": "bad",
    "refused": "bad",
    "unfinished": "odd",
    "begun": "odd",
    "blocked": "idle",
    "not run": "idle",
    "not applicable": "idle",
    "absent": "idle",
}


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


@dataclass(frozen=True, slots=True)
class Standing:
    """A standing fact: the lines that began and ended it, empty where there is none."""

    name: str
    begun: Line
    ended: Line


@dataclass(frozen=True, slots=True)
class Red:
    """A red scenario for the first page: where it stands in the page and the checks that made it red."""

    anchor: str
    feature: str
    scenario: Scenario
    pairs: tuple[Pair, ...]
    cause: str


def render(lines: Sequence[Line], *, torn: int = 0) -> str:
    """Return the report of a journal's lines (at least one); `torn` counts the bytes of an unfinished last line."""
    record = fold(lines, torn=torn)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            record=record,
            run=record.newest.run,
            verdict=judge(record),
            waited=outage_said(outage(record)),
            pictures=timeline.pictures(record),
            reds=reds(record),
            longest=longest(record),
            measurements=measurements(record),
            standing=standing(record),
            other=[entry for entry in record.entries if entry.kind not in {"mark", "gate", "fact", "note", "digest", "deviation"}],
            style=Markup((HERE / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file, without a value in it
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, finalize=_finalize, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        clock=shown.clock,
        day=shown.day,
        duration=shown.seconds,
        size=shown.size,
        pretty=shown.pretty,
        shown=shown.shown,
        glyph=lambda status: GLYPHS.get(status, "?"),
        tone=lambda status: TONES.get(status, "odd"),
        looks_before=looks_before,
    )
    environment.globals.update(
        compared=shown.compared, anchor=anchor, plural=shown.plural, phase_heading=phase_heading, counted=counted
    )
    return environment


def _finalize(value: object) -> object:
    """Make every text that enters the page printable; what is markup already is the template's own."""
    return shown.printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def anchor(record: Record, scenario: Scenario) -> str:
    """Return the place of a scenario in the page."""
    return f"scenario-{record.scenarios.index(scenario) + 1}"


def looks_before(step: Step) -> bool:
    """Whether any check of the step was looked at before the act."""
    return any(pair.before for pair in step.pairs)


def phase_heading(step: Step) -> str:
    """Return the heading of the column of the looks that count."""
    if looks_before(step):
        return "After the act"
    return "Before anything was done" if all(pair.newest.phase == "given" for pair in step.pairs) else "Observed"


def counted(turn: Turn) -> str:
    """Return how much evidence a turn holds."""
    parts = [shown.plural(len(turn.pairs), "check")] if turn.pairs else []
    parts += [shown.plural(len(turn.deeds), "deed")] if turn.deeds else []
    return ", ".join(parts)


def reds(record: Record) -> tuple[Red, ...]:
    """Return what is red in the newest attempt, in the order of the runbook."""
    return tuple(
        Red(
            anchor(record, scenario),
            f"{feature.number} {feature.title}".strip(),
            scenario,
            tuple(pair for pair in scenario.last.pairs if pair.red),
            scenario.last.cause or next((step.cause for step in scenario.last.steps if step.cause), ""),
        )
        for feature in record.features
        for scenario in feature.scenarios
        if scenario.last.status == "red" and scenario.last.attempt == record.newest.number
    )


def longest(record: Record) -> tuple[tuple[Scenario, DeedView], ...]:
    """Return the deeds that took the longest, with their scenarios."""
    deeds = [(scenario, deed) for scenario in record.scenarios for turn in scenario.turns for deed in turn.deeds if deed.seconds]
    return tuple(sorted(deeds, key=lambda pair: pair[1].seconds or 0, reverse=True)[:LONGEST_DEEDS])


def measurements(record: Record) -> tuple[Measurement, ...]:
    """Return the newest measurements by name and role."""
    newest = {(str(entry.line.get("name")), str(entry.line.get("role"))): entry.line for entry in record.of_kind("digest")}
    names = dict.fromkeys(name for name, _ in newest)
    return tuple(Measurement(name, newest.get((name, "source"), {}), newest.get((name, "dest"), {})) for name in names)


def standing(record: Record) -> tuple[Standing, ...]:
    """Return every standing fact: each line that begins one, with the line that ended it."""
    facts: list[Standing] = []
    for entry in record.of_kind("fact"):
        name = str(entry.line.get("name", ""))
        if entry.line.get("status") != "broken" and "until" not in entry.line:
            facts.append(Standing(name, entry.line, {}))
            continue
        running = next((fact for fact in reversed(facts) if fact.name == name and not fact.ended), None)
        if running:
            facts[facts.index(running)] = Standing(name, running.begun, entry.line)
        else:
            facts.append(Standing(name, {}, entry.line))
    return tuple(facts)
