"""The record as Cucumber JSON, for the tools that read it: one element a scenario, with its Background before it.

Shapes and words are those of the published JSON Schema of the format (cucumber/cucumber-json-schema 0.2.1, canonical and
cucumber-ruby): durations in nanoseconds, one status of passed, failed, skipped, undefined a step. Every step of the feature file is
there, reached or not: one that was not reached is skipped, and the first of them says why. Readers take a file without a failed
step as a success, so a record that is unfinished or in doubt gets a failed scenario of its own that says so.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from harness.report.fold import fold
from harness.report.tree import told
from harness.report.verdict import judge
from harness.shown import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.journal import Line
    from harness.report.tree import Feature, Record, Scenario, Step, Turn
    from harness.report.verdict import Verdict

NANOSECONDS = 1_000_000_000
FOLDER = "features"
UNDEFINED = "StepDefinitionNotFoundError"
STATUSES = {
    "held": "passed",
    "done": "passed",
    "already held": "passed",
    "waived": "skipped",
    "not run": "skipped",
    "": "skipped",
    "undefined": "undefined",
}
Node = dict[str, Any]


def cucumber(lines: Sequence[Line], *, torn: int = 0) -> str:
    """Return the Cucumber JSON of a journal's lines; `torn` counts the bytes of an unfinished last line."""
    record = fold(lines, torn=torn)
    whole = [_feature(feature, record) for feature in record.features]
    return json.dumps([*whole, *_doubt(judge(record))], ensure_ascii=False, indent=1) + "\n"


def _feature(feature: Feature, record: Record) -> Node:
    outline = feature.outline
    return {
        "uri": f"{FOLDER}/{feature.file.rpartition('/')[2]}",
        "id": _identity([feature.title]),
        "keyword": outline.get("keyword", "Feature"),
        "name": printable(feature.title),
        "line": outline.get("line", 1),
        "description": outline.get("description", ""),
        "tags": outline.get("tags", []),
        "elements": [element for scenario in feature.scenarios for element in _elements(scenario, record)],
    }


def _identity(parts: Sequence[str]) -> str:
    """Return an id as Cucumber makes it: names in small letters with hyphens, parted by semicolons."""
    return ";".join(re.sub(r"[\s'_,!]", "-", printable(part)).lower() for part in parts)


def _elements(scenario: Scenario, record: Record) -> Iterator[Node]:
    """Yield a scenario's Background, where it has one, and the scenario."""
    outline, turn = scenario.outline, scenario.evidence
    told_steps = _steps(scenario, record)
    background = outline.get("background")
    own = [step for of, step in told_steps if of != "background"]
    begun = {"start_timestamp": turn.begun} if turn.begun else {}
    if background:
        steps = [step for of, step in told_steps if of == "background"]
        yield {"type": "background", **background, "description": "", "steps": steps}
    yield {
        "type": "scenario",
        "id": _identity(outline.get("id", [scenario.feature, scenario.title])),
        "keyword": outline.get("keyword", "Scenario"),
        "name": printable(scenario.name),
        "line": outline.get("line", 1),
        "description": _described(scenario, outline.get("description", "")),
        "tags": outline.get("tags", []),
        **begun,
        "steps": own,
    }


def _described(scenario: Scenario, description: str) -> str:
    """Return a scenario's description, and of a settled one which attempt its steps are shown of."""
    if scenario.last.status != "settled":
        return description
    return f"{description}\nsettled: green in attempt {scenario.evidence.attempt}, not looked at again".strip()


def _steps(scenario: Scenario, record: Record) -> list[tuple[str, Node]]:
    """Return every step of a scenario, with what it is of (background or scenario), in the order of the file."""
    reached = _reached(scenario, record)
    recorded = {step.text: step for step in reached.steps if step.text} if reached else {}
    wanted = scenario.outline.get("steps") or [_recorded(step) for step in recorded.values()]
    pairs = [(_told(one, recorded.get(str(one["text"]))), one) for one in wanted or [_no_step()]]
    _say_why([node for node, _ in pairs], scenario, record)
    return [(str(one.get("of", "scenario")), node) for node, one in pairs]


def _reached(scenario: Scenario, record: Record) -> Turn | None:
    """Return the turn whose steps are told: none where the newest attempt did not come to the scenario."""
    return scenario.evidence if scenario.last.attempt == record.newest.number else None


def _recorded(step: Step) -> Node:
    return {"keyword": f"{step.keyword} ", "text": step.text, "line": 1}


def _no_step() -> Node:
    """Return what stands for the steps of a scenario of which the record holds none: readers drop a scenario without steps."""
    return {"keyword": "* ", "text": "its steps are not in this record", "line": 1}


def _told(wanted: Node, step: Step | None) -> Node:
    """Return a step with its result; `wanted` is what the feature file says of it, `step` what the record does."""
    result: Node = {"status": STATUSES.get(step.status, "failed") if step else "skipped"}
    if step and result["status"] in {"passed", "failed"}:
        result["duration"] = round(step.seconds * NANOSECONDS)
    if step and result["status"] == "failed":
        result["error_message"] = _why(step)
    if step and step.status == "waived":
        result["error_message"] = printable(f"waived: {step.cause}")
    node = {"keyword": wanted["keyword"], "name": printable(str(wanted["text"])), "line": wanted["line"], "result": result}
    if "rows" in wanted:
        node["rows"] = [{"cells": row} for row in wanted["rows"]]
    return node | ({"doc_string": wanted["doc_string"]} if "doc_string" in wanted else {})


def _why(step: Step) -> str:
    """Return what made a step fail: its red checks with both sides and the remedy, or its cause."""
    red = [look for pair in step.pairs for look in (pair.before, pair.after) if look and look.red]
    ending = "begun, and the record does not say how it ended" if step.status == "begun" else step.status
    return printable("\n\n".join(map(told, red)) or step.cause or ending)


def _say_why(nodes: Sequence[Node], scenario: Scenario, record: Record) -> None:
    """Write on the first step that was not passed why, where no step of the scenario says it."""
    last = scenario.last
    results = [node["result"] for node in nodes if node["result"]["status"] != "passed"]
    if not any(result["status"] == "failed" for result in results):
        first = (results or [nodes[-1]["result"]])[0]
        if last.attempt != record.newest.number:
            first["error_message"] = f"not reached in the last attempt; {last.status} in attempt {last.attempt}"
        elif last.status in {"blocked", "not applicable"}:
            cause = last.cause or "no cause given"
            first["error_message"] = printable(cause if cause.startswith(last.status) else f"{last.status}: {cause}")
        elif last.status == "settled" and scenario.evidence is last:
            first["error_message"] = "settled, and no attempt in this record shows it green"
        elif last.status not in {"green", "settled"}:
            first["status"] = "undefined" if last.cause.startswith(UNDEFINED) else "failed"
            first["error_message"] = printable(last.cause or ("begun and not ended" if last.status == "begun" else last.status))


def _doubt(verdict: Verdict) -> list[Node]:
    """Return the feature that fails where the record does not stand."""
    if verdict.status not in {"unfinished", "in doubt"}:
        return []
    message = "\n".join([verdict.sentence, *verdict.doubts])
    text = "the record bears out its verdict"
    step = {"keyword": "Then ", "name": text, "line": 1, "result": {"status": "failed", "error_message": printable(message)}}
    about = {"description": "", "tags": [], "line": 1}
    name = "The record bears out its verdict"
    element = {"type": "scenario", "id": _identity(["The record", name]), "keyword": "Scenario", "name": name, **about}
    whole = {"uri": "journal.jsonl", "id": "the-record", "keyword": "Feature", "name": "The record", **about}
    return [{**whole, "elements": [{**element, "steps": [step]}]}]
