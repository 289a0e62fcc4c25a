"""The report: one HTML file that needs no network and no script, drawn from a journal's lines alone.

Everything in a journal may come from a host, so the template escapes all of it, and the page's own content security policy allows
nothing but its style.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from harness import shown
from harness.report import client, moved, summary, timeline
from harness.report.fold import fold
from harness.report.summary import anchor
from harness.report.verdict import judge, outage, outage_said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.journal import Line
    from harness.report.tree import DeedView, Record, Scenario, Step, Turn

HERE = Path(__file__).parent
LONGEST_DEEDS = 5
SHOWN_BY_NAME = frozenset({"mark", "gate", "fact", "note", "digest", "deviation", "facts"})
GLYPHS = {
    "green": "✓",
    "held": "✓",
    "done": "✓",
    "already held": "✓",
    "settled": "✓",
    "waived": "△",
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
    "waived": "odd",
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
    "transfer": "moved",
    "answered": "good",
    "no client": "idle",
    "wrong host": "bad",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A standing fact: the line that began it, and the fact or mark line that ended it; empty where there is none."""

    name: str
    begun: Line
    ended: Line


def render(lines: Sequence[Line], *, torn: int = 0) -> str:
    """Return the report of a journal's lines (at least one); `torn` counts the bytes of an unfinished last line."""
    record = fold(lines, torn=torn)
    return environment().get_template("report.html.j2").render(_told(record))


def _told(record: Record) -> dict[str, Any]:
    """Return what the page shows, by the names that its templates use."""
    run, verdict, waited = record.newest.run, judge(record), outage(record)
    return {
        "record": record,
        "run": run,
        "verdict": verdict,
        "state": shown.state_rows(verdict.state),
        "type_next": summary.type_next(record, verdict),
        "outage": waited,
        "waited": outage_said(waited),
        "client": client.saw(record),
        "client_waited": client.outage_seen(record),
        "pictures": timeline.pictures(record),
        "reds": summary.reds(record),
        "overview": summary.overview(record),
        "longest": longest(record),
        "measurements": moved.measurements(record),
        "seal": moved.seal(record),
        "transfers": moved.transfers(record),
        "planned_changes": summary.planned_changes(record),
        "faults": summary.fault_matrix(run),
        "standing": standing(record),
        "versions": versions(record),
        "other": [entry for entry in record.entries if entry.kind not in SHOWN_BY_NAME],
        "style": Markup((HERE / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file, without a value in it
    }


def environment() -> Environment:
    """Return what draws our pages: every value is escaped, and made printable."""
    made = Environment(loader=FileSystemLoader(HERE), autoescape=True, finalize=_finalize, trim_blocks=True, lstrip_blocks=True)
    made.filters.update(
        clock=shown.clock,
        day=shown.day,
        duration=shown.seconds,
        size=shown.size,
        pretty=shown.pretty,
        shown=shown.shown,
        glyph=lambda status: GLYPHS.get(status, "?"),
        tone=lambda status: TONES.get(status, "odd"),
        looks_before=looks_before,
        span=span,
    )
    made.globals.update(
        compared=shown.compared,
        anchor=anchor,
        plural=shown.plural,
        phase_heading=phase_heading,
        counted=counted,
        broken=summary.broken,
    )
    return made


def _finalize(value: object) -> object:
    """Make every text that enters the page printable; what is markup already is the template's own."""
    return shown.printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def looks_before(step: Step) -> bool:
    """Whether any check of the step was looked at before the act."""
    return any(pair.before for pair in step.pairs)


def phase_heading(step: Step) -> str:
    """Return the heading of the column of the looks that count."""
    if looks_before(step):
        return "After the act"
    return "Before anything was done" if all(pair.newest.phase == "given" for pair in step.pairs) else "Observed"


def span(window: object) -> object:
    """Return a window {start, end} as one text; anything else as it is."""
    if isinstance(window, dict) and window.keys() == {"start", "end"}:
        return f"{window['start']} to {window['end']}"
    return window


def counted(turn: Turn) -> str:
    """Return how much evidence a turn holds."""
    parts = [shown.plural(len(turn.pairs), "check")] if turn.pairs else []
    parts += [shown.plural(len(turn.deeds), "deed")] if turn.deeds else []
    return ", ".join(parts)


def longest(record: Record) -> tuple[tuple[Scenario, DeedView], ...]:
    """Return the deeds that took the longest, with their scenarios."""
    deeds = [(scenario, deed) for scenario in record.scenarios for turn in scenario.turns for deed in turn.deeds if deed.seconds]
    return tuple(sorted(deeds, key=lambda pair: pair[1].seconds or 0, reverse=True)[:LONGEST_DEEDS])


def versions(record: Record) -> dict[str, Any]:
    """Return the versions that were found on the hosts, as the newest facts in the record say."""
    found = [entry.line.get("facts") for entry in record.of_kind("facts")]
    return dict(found[-1].get("versions", {})) if found and isinstance(found[-1], dict) else {}


def standing(record: Record) -> tuple[Standing, ...]:
    """Return every standing fact: the line that begins it, with what ended it: that it was broken, or the mark it stood until."""
    facts: list[Standing] = []
    for entry in record.of_kind("fact", "mark"):
        line, name = entry.line, str(entry.line.get("name", ""))
        if entry.kind == "fact" and line.get("status") != "broken":
            facts.append(Standing(name, line, {}))
            continue
        ended = [fact for fact in facts if not fact.ended and _is_ended_by(fact, line)]
        facts = [replace(fact, ended=line) if fact in ended else fact for fact in facts]
        if entry.kind == "fact" and not ended:
            facts.append(Standing(name, {}, line))
    return tuple(facts)


def _is_ended_by(fact: Standing, line: Line) -> bool:
    """Whether a line ends a fact that stands."""
    if line.get("kind") == "mark":
        return bool(fact.begun.get("until")) and fact.begun.get("until") == line.get("mark")
    return fact.name == line.get("name")
