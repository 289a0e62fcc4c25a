"""Features are collected from their own files, and linted whole before anything runs.

pytest-bdd keeps scenarios in a dict, where the second of one name replaces the first: so the Gherkin documents themselves are
read for what must hold of a runbook.
"""

from __future__ import annotations

import re
import types
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from gherkin.parser import Parser
from pytest_bdd.feature import get_feature
from pytest_bdd.scenario import (
    find_fixturedefs_for_step,
    get_python_name_generator,
    scenario,
    scenario_wrapper_template_registry,
)
from pytest_bdd.steps import step_function_context_registry

from harness.recording import applicable
from harness.recording.words import ARGUMENTS, FIXTURES, definition_of
from harness.run.values import Scenario

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from pytest_bdd.parser import Scenario as GherkinScenario
    from pytest_bdd.parser import ScenarioTemplate, Step

NUMBERED = re.compile(r"^\d\d_")
PROBLEMS = pytest.StashKey[list[str]]()
TAGS = frozenset({"gate", "probe", "repeat", "remote", "retire", *applicable.TAGS})


class FeatureFile(pytest.Module):
    """A feature file as a module of scenarios, so that `pytest features/` collects it without a Python file beside it."""

    def _getobj(self) -> types.ModuleType:
        module = types.ModuleType(self.path.stem)
        module.__file__ = str(self.path)
        try:
            problems = list(document_problems(self.path))
            self._fill(module)
        except Exception as error:
            raise self.CollectError(f"{self.path.name}: {error}") from error
        self.session.stash.setdefault(PROBLEMS, []).extend(problems)
        return module

    def _fill(self, module: types.ModuleType) -> None:
        base = str(self.path.parent)
        for name in get_feature(base, self.path.name).scenarios:
            function: Any = scenario(self.path.name, name, features_base_dir=base)(lambda: None)
            function.__name__ = next(one for one in get_python_name_generator(name) if not hasattr(module, one))
            setattr(module, function.__name__, function)


def is_wanted(path: Path, named: Iterable[Path]) -> bool:
    """Whether a feature file is collected: numbered ones always, others only when named on the command line."""
    return path.suffix == ".feature" and (bool(NUMBERED.match(path.name)) or path in named)


def template_of(item: pytest.Item) -> ScenarioTemplate | None:
    """Return the scenario (template) behind an item, or None for an ordinary test."""
    return scenario_wrapper_template_registry.get(getattr(item, "obj", None))  # type: ignore[arg-type]


def rendered(item: pytest.Item, template: ScenarioTemplate) -> tuple[Scenario, GherkinScenario]:
    """Return a scenario as the runbook names it, and with its steps."""
    callspec = getattr(item, "callspec", None)
    row: dict[str, str] = callspec.params.get("_pytest_bdd_example", {}) if callspec else {}
    real = template.render(row)
    # The name of a row is what its own scenario's name says of it; what is left of the row stands behind it.
    rest = ", ".join(value for key, value in row.items() if f"<{key}>" not in template.name)
    rule = template.rule.tags if template.rule else set()
    examples = {mark.name for mark in item.iter_markers()} & TAGS
    tags = frozenset({*template.tags, *template.feature.tags, *rule, *examples})
    return Scenario(template.feature.name or template.feature.filename, real.name, rest, tags), real


def document_problems(path: Path) -> Iterator[str]:
    """Find what a document must not have: two scenarios of one name, an Outline without rows, a tag of no meaning, several acts."""
    document: Any = Parser().parse(path.read_text(encoding="utf-8"))
    feature = document.get("feature") or {}
    children = list(_scenarios(feature.get("children", [])))
    for name, times in Counter(child["name"] for child in children).items():
        if times > 1:
            yield f"{path.name}: {times} scenarios are named “{name}”: only one of them would run"
    for child in children:
        yield from (f"{path.name}: {problem}" for problem in _scenario_problems(child))
    for tag in sorted({tag["name"].lstrip("@") for node in _tagged(feature) for tag in node.get("tags", [])} - TAGS):
        yield f"{path.name}: unknown tag @{tag}"


def _scenarios(children: Iterable[Any]) -> Iterator[Any]:
    for child in children:
        if "rule" in child:
            yield from _scenarios(child["rule"]["children"])
        elif "scenario" in child:
            yield child["scenario"]


def _tagged(node: Any) -> Iterator[Any]:  # noqa: ANN401 - a parsed document
    """Return everything that may carry tags: the feature, its rules, scenarios and Examples."""
    yield node
    for child in node.get("children", []):
        yield from _tagged(child.get("rule") or child.get("scenario") or {})
    yield from node.get("examples", [])


def _scenario_problems(child: Any) -> Iterator[str]:  # noqa: ANN401 - a parsed document
    name = child["name"]
    texts = " ".join([name, *(step["text"] for step in child["steps"])])
    rows = [row for examples in child["examples"] for row in examples.get("tableBody", [])]
    outline = child["keyword"].strip() in {"Scenario Outline", "Scenario Template"} or bool(child["examples"])
    if (outline or re.search(r"<\w+>", texts)) and not rows:
        yield f"“{name}” is an Outline without rows: it would run once with the placeholder itself"


def step_problems(item: pytest.Item, scenario: GherkinScenario) -> Iterator[str]:
    """Find steps that no definition, or more than one, matches; acts without facts; arguments that nothing gives."""
    for step in scenario.steps:
        yield from _one_step(item, step)
    keywords = [step.type for step in scenario.steps]
    if keywords.count("when") > 1:
        yield "has more than one When"
    if "when" in keywords and "then" not in keywords[keywords.index("when") :]:
        yield "has an act without facts: no Then comes after its When"
    if "then" not in keywords:
        yield "proves nothing: it has no Then"


def _one_step(item: pytest.Item, step: Step) -> Iterator[str]:
    manager = item.session._fixturemanager  # noqa: SLF001 - pytest has no public list of fixtures
    found = [step_function_context_registry[one.func] for one in find_fixturedefs_for_step(step, manager, item)]
    if len(found) != 1:
        yield f"{len(found) or 'no'} definition(s) match: {step.type.capitalize()} {step.name}"
        return
    definition = definition_of(found[0])
    if definition is None:
        yield f"is not declared with given, when or then: {step.name}"
        return
    given = (found[0].parser.parse_arguments(step.name) or {}).keys() | FIXTURES | ARGUMENTS | definition.optional
    if unknown := [name for name in definition.parameters if name not in given]:
        yield f"{step.name}: nothing gives {', '.join(unknown)}"
