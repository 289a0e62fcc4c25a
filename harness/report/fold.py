"""Folds the lines of a journal into the tree of harness.report.tree.

The order of the lines says what belongs to what: what stands between the line that begins a scenario and the line that ends it is
that scenario's, and what comes after a `run` line is that attempt's. A deed is joined to its intent by the intent's id, wherever
its line stands: a lasting deed is often answered in a later scenario or a later attempt.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.journal import digest
from harness.report.steps import figure, gathered, text, whole
from harness.report.tree import Attempt, Entry, Feature, Record, Scenario, Turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.journal import Line

SHOWN_AS_IT_STANDS = frozenset({"mark", "gate", "fact", "note", "digest", "deviation"})
FOLDED = frozenset({"run", "feature", "scenario", "step", "intent", "deed", "check", "verdict", "client"})


@dataclass
class _RawTurn:
    """A scenario's lines in one attempt, while they are being gathered."""

    first: Line
    attempt: int
    lines: list[Line] = field(default_factory=list)
    end: Line | None = None


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
        clients=tuple(line for line in lines if line.get("kind") == "client"),
    )


def _stands_alone(line: Line) -> bool:
    """Whether a line is shown as it stands: so is one of a kind that is not known here, as a record hides nothing."""
    return line.get("kind") in SHOWN_AS_IT_STANDS or line.get("kind") not in FOLDED


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
        begun=text(chunk[0], "time"),
        ended=text(chunk[-1], "time"),
    )


def _answers(lines: Iterable[Line]) -> Mapping[int, Line]:
    """Return the deed line that answered each intent, by the intent's seq."""
    open_intents: dict[str, int] = {}
    answers: dict[int, Line] = {}
    for line in lines:
        if line.get("kind") == "intent":
            open_intents[text(line, "id")] = whole(line.get("seq"))
        elif line.get("kind") == "deed" and text(line, "id") in open_intents:
            answers[open_intents.pop(text(line, "id"))] = line
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
    return re.sub(r"<([^<>]+)>", lambda found: str(row.get(found[1], found[0])), text(line, "scenario"))


def _key(line: Line) -> tuple[str, str, str]:
    return text(line, "feature"), _title(line), _example(line)


def _left_to_tell(title: str, line: Line) -> str:
    """Return the example's row unless every value of it stands in the title."""
    example = line.get("example")
    values = example.values() if isinstance(example, dict) else [example]
    return "" if all(str(value) in title for value in values if value) else _example(line)


def _features(lines: Sequence[Line], turns: Sequence[_RawTurn], answers: Mapping[int, Line]) -> tuple[Feature, ...]:
    told = {text(line, "feature"): line for line in lines if line.get("kind") == "feature"}
    grouped: dict[str, dict[tuple[str, str, str], list[_RawTurn]]] = {title: {} for title in told}
    for turn in turns:
        grouped.setdefault(text(turn.first, "feature"), {}).setdefault(_key(turn.first), []).append(turn)
    return tuple(
        _feature(title, told.get(title, {}), tuple(scenarios.values()), answers)
        for title, scenarios in grouped.items()
        if scenarios
    )


def _feature(title: str, line: Line, groups: Sequence[list[_RawTurn]], answers: Mapping[int, Line]) -> Feature:
    """Return a feature; `line` is the newest one that names it, with the outline of its file where the record has it."""
    file, found = text(line, "file"), line.get("outline")
    outline = found if isinstance(found, dict) else {}
    return Feature(title, _number(file), tuple(_scenario(group, answers, outline) for group in groups), file, outline)


def _outlined(outline: Mapping[str, Any], line: Line) -> Mapping[str, Any]:
    """Return what the outline of a feature says of a scenario; a mapping without anything where it says nothing."""
    key = (text(line, "scenario"), text(line, "example"))
    told = (one for one in outline.get("scenarios", ()) if (one.get("scenario"), one.get("example")) == key)
    return next(told, {})


def _number(file: str) -> str:
    found = re.match(r"\d+", PurePosixPath(file).name)
    return found[0] if found else ""


def _scenario(turns: Sequence[_RawTurn], answers: Mapping[int, Line], outline: Mapping[str, Any]) -> Scenario:
    line = turns[-1].first
    title = _title(line)
    newest_first = tuple(_turn(turn, answers) for turn in reversed(turns))
    return Scenario(text(line, "feature"), title, _left_to_tell(title, line), newest_first, _outlined(outline, line))


def _turn(raw: _RawTurn, answers: Mapping[int, Line]) -> Turn:
    last = raw.end or raw.first
    was_begun = raw.first.get("status") == "begun"
    return Turn(
        attempt=raw.attempt,
        status=text(last, "status"),
        cause=text(last, "cause"),
        begun=text(raw.first, "time") if was_begun else "",
        ended=text(last, "time") if raw.end else "",
        seconds=figure(last.get("seconds")),
        steps=gathered(raw.attempt, text(raw.first, "time"), raw.lines, answers),
    )
