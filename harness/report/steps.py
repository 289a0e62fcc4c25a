"""Gathers the steps of one scenario in one attempt: the checks that name a step, and the deeds done while it was being taken.

How long a step took is the time from the end of the step before it (or the beginning of the scenario) to its own line; a Then that
is looked at before the act and after it took both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

from harness.report.tree import DeedView, Look, Pair, Step
from harness.shown import between

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.journal import Line

THEN = 2
WAIVED = "waived: "
READING_ORDER = {"Given": 0, "When": 1, "": 1, "Then": THEN}


@dataclass
class _RawStep:
    """A step's lines while they are being gathered."""

    text: str
    keyword: str = "Then"
    status: str = ""
    cause: str = ""
    looks: list[Look] = field(default_factory=list)
    deeds: list[DeedView] = field(default_factory=list)
    seconds: float = 0.0


def text(line: Line, name: str) -> str:
    """Return a field of a line as text, empty where there is none."""
    value = line.get(name)
    return "" if value is None else str(value)


def figure(value: object) -> float | None:
    """Return a JSON number, or None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def whole(value: object) -> int:
    """Return a JSON number as a whole one, 0 for anything else."""
    return int(figure(value) or 0)


@dataclass
class _Gathering:
    """The steps met so far, the one that is being taken, and when the step before it ended."""

    attempt: int
    answers: Mapping[int, Line]
    at: str
    steps: dict[str, _RawStep] = field(default_factory=dict)
    current: str = ""

    def step(self, named: str, keyword: str = "") -> _RawStep:
        """Return the step of a text; one without a text holds what was recorded outside any step."""
        return self.steps.setdefault(named, _RawStep(named, keyword))

    def take(self, line: Line) -> None:
        """Take in one line of the scenario."""
        match line.get("kind"):
            case "step":
                self.current = text(line, "step")
                self._take_step(self.step(self.current), line)
            case "check":
                named = text(line, "step") or self.current
                self.step(named, "Then" if named else "").looks.append(_look(line))
            case "intent":
                answer = self.answers.get(whole(line.get("seq")))
                self.step(self.current).deeds.append(_deed(self.attempt, line, answer))
            case "deed" if all(answer is not line for answer in self.answers.values()):
                self.step(self.current).deeds.append(_deed(self.attempt, line, line))
            case "deviation" if text(line, "what").startswith(WAIVED):
                step = self.step(text(line, "what").removeprefix(WAIVED))
                step.status, step.cause = "waived", text(line, "reason")

    def _take_step(self, step: _RawStep, line: Line) -> None:
        """Take in a step's line; what a first look finds is no end of the step, unless it could not look."""
        step.seconds += between(self.at, text(line, "time")) or 0.0
        self.at = text(line, "time")
        step.keyword, status = text(line, "keyword"), text(line, "status")
        if line.get("phase") == "before" and status != "error":
            step.status = step.status or "not run"
            return
        step.status, step.cause = status, text(line, "cause")
        if line.get("vacuous"):
            step.cause = "vacuous: every fact held already on fresh hosts"


def gathered(attempt: int, begun: str, lines: Sequence[Line], answers: Mapping[int, Line]) -> tuple[Step, ...]:
    """Return the steps of the lines between a scenario's beginning (`begun`, UTC) and its end, in the order they are read in.

    `answers` are the deed lines by the seq of the intent that each answers.
    """
    gathering = _Gathering(attempt, answers, begun)
    for line in lines:
        gathering.take(line)
    in_order = sorted(gathering.steps.values(), key=lambda step: READING_ORDER.get(step.keyword, THEN))
    return tuple(_step(step) for step in in_order)


def _step(raw: _RawStep) -> Step:
    return Step(raw.keyword.strip(), raw.text, raw.status, raw.cause, _pairs(raw.looks), tuple(raw.deeds), round(raw.seconds, 3))


def _pairs(looks: Sequence[Look]) -> tuple[Pair, ...]:
    """Pair the looks of each name: the first before with the first after, and so on."""
    names = dict.fromkeys(look.name for look in looks)
    pairs = []
    for name in names:
        before = [look for look in looks if look.name == name and look.phase == "before"]
        after = [look for look in looks if look.name == name and look.phase != "before"]
        pairs += [Pair(early, late) for early, late in zip_longest(before, after)]
    return tuple(pairs)


def _look(line: Line) -> Look:
    return Look(
        seq=whole(line.get("seq")),
        phase=text(line, "phase"),
        name=text(line, "name"),
        witness=text(line, "witness"),
        outcome=text(line, "outcome"),
        expected=line.get("expected"),
        observed=line.get("observed"),
        examined=whole(line.get("examined")),
        minimum=whole(line.get("minimum")),
        why=text(line, "why"),
        remedy=text(line, "remedy"),
    )


def _deed(attempt: int, intent: Line, answer: Line | None) -> DeedView:
    answer = answer or {}
    return DeedView(
        seq=whole(intent.get("seq")),
        attempt=attempt,
        begun=text(intent, "time"),
        deed=text(intent, "deed"),
        command=text(intent, "command"),
        host=text(answer, "host"),
        exit=answer.get("exit"),
        seconds=figure(answer.get("seconds")),
        tail=text(answer, "tail"),
        ok=bool(answer.get("ok")) if answer else None,
    )
