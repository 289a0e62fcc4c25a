"""The plan document: what a dry run found and what its acts would do, drawn from its journal alone; the page that is approved."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from harness.errors import JournalBroken
from harness.journal import read
from harness.report.files import write_whole
from harness.report.html import HERE, environment
from harness.shown import state_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness.journal import Line


@dataclass(frozen=True, slots=True)
class Planned:
    """A scenario of a dry run: what was looked at, what its act would do, and on what the rest depends."""

    name: str
    status: str
    cause: str
    gate: str
    looks: tuple[Line, ...]
    deeds: tuple[Line, ...]
    depends: str

    @property
    def expected_s(self) -> float | None:
        """How long its deeds will take together, or None where nobody knows it of any."""
        known = [line["expected_s"] for line in self.deeds if line.get("expected_s") is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class Part:
    """A feature of a dry run."""

    number: str
    name: str
    scenarios: tuple[Planned, ...] = field(default=())


def write_plan(folder: Path) -> Path:
    """Write plan.html beside a dry run's journal.jsonl, for the owner alone; raises JournalBroken when its chain does not hold."""
    journal = folder / "journal.jsonl"
    recorded = read(journal)
    if not recorded.lines:
        raise JournalBroken(f"{journal} holds no whole line: there is nothing to draw")
    return write_whole(folder / "plan.html", render_plan(recorded.lines, recorded.last, folder.name))


def render_plan(lines: Sequence[Line], last: str, folder: str) -> str:
    """Return the plan document of a dry run's lines; `last` is the digest of the last of them."""
    verdict = _last(lines, "verdict")
    return (
        environment()
        .get_template("plan.html.j2")
        .render(
            run=_last(lines, "run"),
            verdict=verdict,
            state=state_rows(map(str, verdict.get("state", []))),
            facts=_last(lines, "facts").get("facts", {}),
            estimate=_last(lines, "estimate"),
            notes=[line["text"] for line in lines if line["kind"] == "note"],
            parts=parts(lines),
            record=last,
            folder=folder,
            style=Markup((HERE / "report.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file, without a value in it
        )
    )


def _last(lines: Sequence[Line], kind: str) -> Line:
    return next((line for line in reversed(lines) if line["kind"] == kind), {})


def parts(lines: Sequence[Line]) -> tuple[Part, ...]:
    """Return the features of a dry run with their scenarios."""
    numbers = {line["feature"]: str(line["file"])[:2] for line in lines if line["kind"] == "feature"}
    ended = [line for line in lines if line["kind"] == "scenario" and line["status"] != "begun"]
    return tuple(
        Part(number, name, tuple(_planned(lines, line) for line in ended if line["feature"] == name))
        for name, number in numbers.items()
    )


def _planned(lines: Sequence[Line], ended: Line) -> Planned:
    of = [line for line in lines if _key(line) == _key(ended)]
    told = [line for line in of if line["kind"] == "planned"]
    example = f" ({ended['example']})" if ended["example"] else ""
    return Planned(
        name=f"{ended['scenario']}{example}",
        status=ended["status"],
        cause=ended["cause"],
        gate=_text(told, "gate"),
        looks=tuple(line for line in of if line["kind"] == "check"),
        deeds=tuple(line for line in told if "deed" in line),
        depends=_text(told, "depends"),
    )


def _key(line: Line) -> tuple[Any, ...]:
    return (line.get("feature"), line.get("scenario"), line.get("example"))


def _text(lines: Sequence[Line], name: str) -> str:
    return next((str(line[name]) for line in lines if name in line), "")
