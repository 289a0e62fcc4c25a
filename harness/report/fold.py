"""Folds the lines of a journal into the tree of harness.report.tree.

The order of the lines says what belongs to what: what stands between the line that begins a scenario and the line that ends it is
that scenario's, and what comes after a `run` line is that attempt's. A deed is joined to its intent by the intent's id, wherever
its line stands: a lasting deed is often answered in a later scenario or a later attempt.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness.journal import digest
from harness.report.tree import Attempt, DeedView, Entry, Feature, Look, Pair, Record, Scenario, Step, Turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.journal import Line

SHOWN_AS_IT_STANDS = frozenset({"mark", "gate", "fact", "note", "digest", "deviation"})
THEN = 2
READING_ORDER = {"Given": 0, "When": 1, "": 1, "Then": THEN}
FOLDED = frozenset({"run", "feature", "scenario", "step", "intent", "deed", "check", "verdict"})


@dataclass
class _RawTurn:
    """A scenario's lines in one attempt, while they are being gathered."""

    first: Line
    attempt: int
    lines: list[Line] = field(default_factory=list)
    end: Line | None = None


@dataclass
class _RawStep:
    """A step's lines while they are being gathered."""

    text: str
    keyword: str = "Then"
    status: str = ""
    cause: str = ""
    looks: list[Look] = field(default_factory=list)
    deeds: list[DeedView] = field(default_factory=list)


def fold(lines: Sequence[Line], *, torn: int = 0) -> Record:
    """Fold a journal's lines (at least one); `torn` counts the bytes of an unfinished last line."""
    if not lines:
        raise ValueError("a journal without lines has nothing to fold")
    answers = _answers(lines)
    chunks = _chunks(lines)
    raw = [turn for number, chunk in enumerate(chunks, start=1) for turn in _raw_turns(number, chunk)]
    return Record(
        attempts=tuple(_attempt(number, chunk) for number, chunk in enumerate(chunks, start=1)),
        features=_features(lines, raw, answers),
        entries=tuple(Entry(number, line) for number, chunk in enumerate(chunks, start=1) for line in chunk if _stands_alone(line)),
        digest=digest(json.dumps(lines[-1], ensure_ascii=False).encode()),
        count=len(lines),
        torn=torn,
    )


def _stands_alone(line: Line) -> bool:
    """Whether a line is shown as it stands: so is one of a kind that is not known here, as a record hides nothing."""
    return line.get("kind") in SHOWN_AS_IT_STANDS or line.get("kind") not in FOLDED


def _text(line: Line, name: str) -> str:
    value = line.get(name)
    return "" if value is None else str(value)


def _figure(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _whole(value: object) -> int:
    return int(_figure(value) or 0)


def _chunks(lines: Sequence[Line]) -> list[list[Line]]:
    """Split the journal at its `run` lines: one chunk per attempt."""
    chunks: list[list[Line]] = []
    for line in lines:
        if line.get("kind") == "run" or not chunks:
            chunks.append([])
        chunks[-1].append(line)
    return chunks


def _attempt(number: int, chunk: Sequence[Line]) -> Attempt:
    verdicts = [line for line in chunk if line.get("kind") == "verdict"]
    return Attempt(
        number=number,
        run=chunk[0] if chunk[0].get("kind") == "run" else {},
        verdict=verdicts[-1] if verdicts else None,
        begun=_text(chunk[0], "time"),
        ended=_text(chunk[-1], "time"),
    )


def _answers(lines: Iterable[Line]) -> Mapping[int, Line]:
    """Return the deed line that answered each intent, by the intent's seq."""
    open_intents: dict[str, int] = {}
    answers: dict[int, Line] = {}
    for line in lines:
        if line.get("kind") == "intent":
            open_intents[_text(line, "id")] = _whole(line.get("seq"))
        elif line.get("kind") == "deed" and _text(line, "id") in open_intents:
            answers[open_intents.pop(_text(line, "id"))] = line
    return answers


def _raw_turns(number: int, chunk: Iterable[Line]) -> list[_RawTurn]:
    """Gather the turns of one attempt; one that no line ends stays without an end."""
    turns: list[_RawTurn] = []
    current: _RawTurn | None = None
    for line in chunk:
        if line.get("kind") == "verdict":
            current = None
        elif line.get("kind") != "scenario":
            if current:
                current.lines.append(line)
        elif line.get("status") == "begun":
            current = _RawTurn(line, number)
            turns.append(current)
        elif current and _key(current.first) == _key(line):
            current.end, current = line, None
        else:
            turns.append(_RawTurn(line, number, end=line))
    return turns


def _example(line: Line) -> str:
    example = line.get("example")
    if isinstance(example, dict):
        return ", ".join(f"{name}: {value}" for name, value in example.items())
    return "" if not example else str(example)


def _title(line: Line) -> str:
    """Return the scenario's name with the placeholders of an Outline filled in from its row."""
    example = line.get("example")
    row = example if isinstance(example, dict) else {}
    return re.sub(r"<([^<>]+)>", lambda found: str(row.get(found[1], found[0])), _text(line, "scenario"))


def _key(line: Line) -> tuple[str, str, str]:
    return _text(line, "feature"), _title(line), _example(line)


def _left_to_tell(title: str, line: Line) -> str:
    """Return the example's row unless every value of it stands in the title."""
    example = line.get("example")
    values = example.values() if isinstance(example, dict) else [example]
    return "" if all(str(value) in title for value in values if value) else _example(line)


def _features(lines: Sequence[Line], turns: Sequence[_RawTurn], answers: Mapping[int, Line]) -> tuple[Feature, ...]:
    files = {_text(line, "feature"): _text(line, "file") for line in lines if line.get("kind") == "feature"}
    grouped: dict[str, dict[tuple[str, str, str], list[_RawTurn]]] = {title: {} for title in files}
    for turn in turns:
        grouped.setdefault(_text(turn.first, "feature"), {}).setdefault(_key(turn.first), []).append(turn)
    return tuple(
        Feature(title, _number(files.get(title, "")), tuple(_scenario(group, answers) for group in scenarios.values()))
        for title, scenarios in grouped.items()
        if scenarios
    )


def _number(file: str) -> str:
    found = re.match(r"\d+", PurePosixPath(file).name)
    return found[0] if found else ""


def _scenario(turns: Sequence[_RawTurn], answers: Mapping[int, Line]) -> Scenario:
    line = turns[-1].first
    title = _title(line)
    return Scenario(
        _text(line, "feature"), title, _left_to_tell(title, line), tuple(_turn(turn, answers) for turn in reversed(turns))
    )


def _turn(raw: _RawTurn, answers: Mapping[int, Line]) -> Turn:
    last = raw.end or raw.first
    was_begun = raw.first.get("status") == "begun"
    return Turn(
        attempt=raw.attempt,
        status=_text(last, "status"),
        cause=_text(last, "cause"),
        begun=_text(raw.first, "time") if was_begun else "",
        ended=_text(last, "time") if raw.end else "",
        seconds=_figure(last.get("seconds")),
        steps=_steps(raw, answers),
    )


def _steps(raw: _RawTurn, answers: Mapping[int, Line]) -> tuple[Step, ...]:
    """Gather checks under the step they name, deeds under the step that had begun."""
    steps: dict[str, _RawStep] = {}
    current = ""
    answered = {_whole(line.get("seq")) for line in answers.values()}
    for line in raw.lines:
        kind = line.get("kind")
        if kind == "step":
            current = _text(line, "step")
            _step_line(steps.setdefault(current, _RawStep(current)), line)
        elif kind == "check":
            text = _text(line, "step") or current
            steps.setdefault(text, _RawStep(text, keyword="" if not text else "Then")).looks.append(_look(line))
        elif kind == "intent":
            steps.setdefault(current, _RawStep(current, keyword="")).deeds.append(
                _deed(raw.attempt, line, answers.get(_whole(line.get("seq"))))
            )
        elif kind == "deed" and _whole(line.get("seq")) not in answered:
            steps.setdefault(current, _RawStep(current, keyword="")).deeds.append(_deed(raw.attempt, line, line))
    return tuple(_step(step) for step in sorted(steps.values(), key=lambda step: READING_ORDER.get(step.keyword, THEN)))


def _step_line(step: _RawStep, line: Line) -> None:
    """Take in a step's line; what a first look finds is no end of the step, unless it could not look."""
    step.keyword, status = _text(line, "keyword"), _text(line, "status")
    if line.get("phase") == "before" and status != "error":
        step.status = step.status or "not run"
        return
    step.status, step.cause = status, _text(line, "cause")
    if line.get("vacuous"):
        step.cause = "vacuous: every fact held already on fresh hosts"


def _step(raw: _RawStep) -> Step:
    return Step(raw.keyword.strip(), raw.text, raw.status, raw.cause, _pairs(raw.looks), tuple(raw.deeds))


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
        seq=_whole(line.get("seq")),
        phase=_text(line, "phase"),
        name=_text(line, "name"),
        witness=_text(line, "witness"),
        outcome=_text(line, "outcome"),
        expected=line.get("expected"),
        observed=line.get("observed"),
        examined=_whole(line.get("examined")),
        minimum=_whole(line.get("minimum")),
        why=_text(line, "why"),
        remedy=_text(line, "remedy"),
    )


def _deed(attempt: int, intent: Line, answer: Line | None) -> DeedView:
    answer = answer or {}
    return DeedView(
        seq=_whole(intent.get("seq")),
        attempt=attempt,
        begun=_text(intent, "time"),
        deed=_text(intent, "deed"),
        command=_text(intent, "command"),
        host=_text(answer, "host"),
        exit=answer.get("exit"),
        seconds=_figure(answer.get("seconds")),
        tail=_text(answer, "tail"),
        ok=bool(answer.get("ok")) if answer else None,
    )
