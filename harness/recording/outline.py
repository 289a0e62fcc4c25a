"""What a feature file holds, as the record keeps it: every scenario with its steps and where each stands in the file.

A record tells what was reached. With the outline beside it the record also tells what was not: the steps that come after a red one,
and those of the scenarios that were left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gherkin.parser import Parser
from gherkin.pickles.compiler import Compiler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Node = dict[str, Any]


def outline(path: Path) -> Node:
    """Return {keyword, line, tags, description, scenarios} of a feature file; lines count from 1, a row of Examples is a scenario.

    A scenario is {scenario, example, id, keyword, line, tags, description, background, steps}: its name and the rest of its row as
    the journal writes them, the parts of its id as Cucumber makes them, and steps as {keyword, text, line, of}, `of` being
    "background" or "scenario", with `rows` or `doc_string` where the step has a table or a text.
    """
    document: Any = {**Parser().parse(path.read_text(encoding="utf-8")), "uri": path.name}
    feature = document["feature"]
    nodes, rules = _by_id(feature), _rules(feature)
    compiled = Compiler().compile(document)
    return {
        "keyword": feature["keyword"],
        "line": feature["location"]["line"],
        "tags": _tags(feature["tags"]),
        "description": feature["description"].strip(),
        "scenarios": [_scenario(pickle, nodes, rules, feature["name"]) for pickle in compiled],
    }


def _scenario(pickle: Any, nodes: dict[str, Node], rules: dict[str, str], feature: str) -> Node:  # noqa: ANN401 - a compiled one
    node = nodes[pickle["astNodeIds"][0]]
    row = nodes[pickle["astNodeIds"][1]] if len(pickle["astNodeIds"]) > 1 else {}
    steps = [_step(step, nodes[step["astNodeIds"][0]]) for step in pickle["steps"]]
    background = next(
        (nodes[step["astNodeIds"][0]]["background"] for step in pickle["steps"] if "background" in nodes[step["astNodeIds"][0]]),
        None,
    )
    rule = rules.get(node["id"], "")
    parts = [feature, *([rule] if rule else []), node["name"], *row.get("place", ())]
    return {
        "scenario": pickle["name"],
        "example": ", ".join(value for name, value in row.get("cells", {}).items() if f"<{name}>" not in node["name"]),
        "id": parts,
        "keyword": node["keyword"],
        "line": pickle["location"]["line"],
        "tags": _tags([nodes[tag["astNodeId"]] for tag in pickle["tags"]]),
        "description": node["description"].strip(),
        "background": background,
        "steps": steps,
    }


def _step(step: Any, node: Node) -> Node:  # noqa: ANN401 - a compiled one
    argument = step.get("argument", {})
    told: Node = {"keyword": node["keyword"], "text": step["text"], "line": node["location"]["line"]}
    told["of"] = "background" if "background" in node else "scenario"
    if "dataTable" in argument:
        told["rows"] = [[cell["value"] for cell in row["cells"]] for row in argument["dataTable"]["rows"]]
    if "docString" in argument:
        told["doc_string"] = {"value": argument["docString"]["content"], "line": node["docString"]["location"]["line"]}
    return told


def _tags(nodes: list[Node]) -> list[Node]:
    return [{"name": tag["name"], "line": tag["location"]["line"]} for tag in nodes]


def _by_id(feature: Node) -> dict[str, Node]:
    """Return scenarios, steps, tags and rows of Examples by id; a row gets its cells by name and its place among the rows."""
    return {node["id"]: node for node in _nodes(feature)}


def _nodes(parent: Node) -> Iterator[Node]:
    yield from parent.get("tags", [])
    for child in parent["children"]:
        if "rule" in child:
            yield from _nodes(child["rule"])
        elif "background" in child:
            background = child["background"]
            said = {"keyword": background["keyword"], "name": background["name"], "line": background["location"]["line"]}
            yield from ({**step, "background": said} for step in background["steps"])
        else:
            yield from _of_scenario(child["scenario"])


def _of_scenario(scenario: Node) -> Iterator[Node]:
    yield scenario
    yield from scenario["tags"]
    yield from scenario["steps"]
    for examples in scenario["examples"]:
        yield from examples["tags"]
        names = [cell["value"] for cell in examples["tableHeader"]["cells"]]
        for place, row in enumerate(examples["tableBody"], start=2):
            cells = dict(zip(names, (cell["value"] for cell in row["cells"]), strict=True))
            yield {"id": row["id"], "cells": cells, "place": [examples["name"], str(place)]}


def _rules(feature: Node) -> dict[str, str]:
    """Return the name of the rule that a scenario stands under, by the scenario's id."""
    rules = [child["rule"] for child in feature["children"] if "rule" in child]
    return {child["scenario"]["id"]: rule["name"] for rule in rules for child in rule["children"] if "scenario" in child}
