"""given, when and then of our own: a Given or Then looks, a When is an act that is done only as look, act, look allows.

`define(types)` gives the three for a set of typed nouns. Built on the insides of pytest-bdd 9.0 (the step registry and
get_step_function), which is why its version is pinned.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

import pytest_bdd
from _pytest.outcomes import OutcomeException
from pytest_bdd import parsers
from pytest_bdd.scenario import get_step_function, parse_step_arguments

from harness.errors import CollectError, HarnessError
from harness.run.values import Action, Fact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import pytest
    from pytest_bdd.parser import Scenario, Step
    from pytest_bdd.steps import StepFunctionContext

    from harness.run import Run

FIXTURES = frozenset({"run", "plan", "source", "dest", "platform"})
ARGUMENTS = frozenset({"datatable", "docstring"})
STEP_OF = "_runbook_step"
DEFINED = "_runbook_definition"


class BannedInStepError(HarnessError):
    """A step called pytest.skip, pytest.fail or pytest.xfail: a step looks or acts, it does not decide about itself."""


@dataclass
class Definition:
    """A step as declared; `body` is looked up at each call, so that a test can empty it."""

    keyword: Literal["Given", "When", "Then"]
    text: str
    body: Callable[..., Any]
    parameters: tuple[str, ...]
    optional: frozenset[str] = frozenset()
    options: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, values: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a generator for an act, nothing for a look
        """Call the body with what it asks for."""
        try:
            return self.body(**values)
        except OutcomeException as outcome:
            raise BannedInStepError(f"{type(outcome).__name__.lower()} is banned in steps: {self.text}") from outcome


class Word(Protocol):
    """A decorator factory: @then("text")."""

    def __call__(self, text: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # noqa: ANN401 - by word
        """Declare a step."""


@dataclass(frozen=True)
class Words:
    """The three words."""

    given: Word
    when: Word
    then: Word


def define(types: Mapping[str, Callable[[str], Any]]) -> Words:
    """Return the three words, with typed nouns for their texts ("{role:Role}")."""
    return Words(
        given=_word("Given", types, frozenset()),
        when=_word("When", types, frozenset({"idempotent", "mark_before", "mark_after", "clears"})),
        then=_word("Then", types, frozenset({"within_s"})),
    )


def _word(keyword: Literal["Given", "When", "Then"], types: Mapping[str, Any], known: frozenset[str]) -> Word:
    def word(text: str, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:  # noqa: ANN401 - by word
        if unknown := options.keys() - known:
            raise CollectError("a step cannot be used", [f"{keyword} {text}: unknown {', '.join(sorted(unknown))}"])

        def decorate(body: Callable[..., Any]) -> Callable[..., Any]:
            definition = _definition(keyword, text, body, options)
            step = _wrapper(definition)
            parser = parsers.parse(text, extra_types=dict(types))
            pytest_bdd.step(parser, keyword.lower(), stacklevel=2)(step)  # type: ignore[arg-type]
            return body

        return decorate

    return word


def _definition(
    keyword: Literal["Given", "When", "Then"], text: str, body: Callable[..., Any], options: Mapping[str, Any]
) -> Definition:
    is_generator = inspect.isgeneratorfunction(body)
    if is_generator is not (keyword == "When"):
        rule = "an act yields its deeds" if keyword == "When" else "only an act may be a generator"
        raise CollectError("a step cannot be used", [f"{keyword} {text}: {rule}"])
    parameters = inspect.signature(body).parameters
    optional = frozenset(name for name, one in parameters.items() if one.default is not one.empty)
    return Definition(keyword, text, body, tuple(parameters), optional, options)


def _wrapper(definition: Definition) -> Callable[..., None]:
    """Return what pytest-bdd calls: it hands the step to the run."""

    def step(request: pytest.FixtureRequest, run: Run) -> None:
        scenario, at = getattr(request.node, STEP_OF)
        if definition.keyword == "When":
            later = scenario.steps[scenario.steps.index(at) + 1 :]
            facts = [_fact(request, one) for one in later if one.type == "then"]
            (run.dry or run).act(_action(request, at, definition), facts)
        else:
            (run.dry or run).fact(_fact(request, at))

    setattr(step, DEFINED, definition)
    return step


def definition_of(context: StepFunctionContext | None) -> Definition | None:
    """Return the definition behind a pytest-bdd step function."""
    found: Definition | None = getattr(context.step_func, DEFINED, None) if context else None
    return found


def remember(request: pytest.FixtureRequest, scenario: Scenario, step: Step) -> None:
    """Remember which step is about to be called (pytest-bdd does not hand it to the step)."""
    setattr(request.node, STEP_OF, (scenario, step))


def values(request: pytest.FixtureRequest, step: Step, context: StepFunctionContext, definition: Definition) -> dict[str, Any]:
    """Bind a step's arguments as pytest-bdd does: what its text names, its table and text, then fixtures; defaults stay."""
    parsed = parse_step_arguments(step=step, context=context)
    if step.datatable is not None:
        parsed["datatable"] = step.datatable.raw()
    if step.docstring is not None:
        parsed["docstring"] = step.docstring
    bound = {name: parsed[name] for name in definition.parameters if name in parsed}
    wanted = [name for name in definition.parameters if name not in bound and name not in definition.optional]
    return bound | {name: request.getfixturevalue(name) for name in wanted}


def _bound(request: pytest.FixtureRequest, step: Step) -> tuple[Definition, Callable[[], Any]]:
    context = get_step_function(request, step)
    definition = definition_of(context)
    if context is None or definition is None:
        raise CollectError("a step cannot be used", [f"not declared with given, when or then: {step.name}"])
    return definition, lambda: definition(values(request, step, context, definition))


def _fact(request: pytest.FixtureRequest, step: Step) -> Fact:
    definition, call = _bound(request, step)
    within = definition.options.get("within_s", 0.0)
    return Fact(step.type.capitalize(), step.name, call, within(request.getfixturevalue("plan")) if callable(within) else within)


def _action(request: pytest.FixtureRequest, step: Step, definition: Definition) -> Action:
    options = dict(definition.options)
    if clears := options.pop("clears", None):
        context = get_step_function(request, step)
        assert context is not None  # noqa: S101 - the step is being called
        options["clears"] = lambda: clears(**values(request, step, context, definition))
    return Action(step.name, _bound(request, step)[1], **options)
