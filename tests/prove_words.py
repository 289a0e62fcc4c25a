"""Empties the body of every step of the runbook in turn: each must be red (`make prove-words`).

Usage: python -m tests.prove_words

With RQLITED=BIN the core's platform is in rqlite, and the steps about it are emptied too. Those of a new raft address are emptied
nowhere: it needs an rqlited that listens at every address, and two loopback hosts have one network.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gherkin.parser import Parser
from pytest_bdd.steps import StepFunctionContext, step_function_context_registry

from fixtures.containers import engine
from fixtures.hosts.records import CONTAINERS, LOOPBACK
from harness.recording.words import definition_of
from tests.runbook.rehearsing import ROOT, Rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_ONCE = 2
RQLITED = os.environ.get("RQLITED", "")
WITHOUT = (set() if RQLITED else {"@rqlite"}) | ({"@docker"} if isinstance(engine.look(), str) else set())
APART = frozenset({"@raft_address", "@systemd", "@dokku", "@git_clone"} | WITHOUT)  # scenarios that do not apply here
ROWS = {"<engine>": "PostgreSQL", "<path>": "API", "<credential>": "password"}  # an example of each outline, as steps match it
SAID = {"When": "the act did nothing", "Given": "the step records no check", "Then": "the step records no check"}


@dataclass(frozen=True)
class Tried:
    """What became of one emptied step: red with the words that say why, or not."""

    text: str
    red: bool
    cause: str
    printed: str


def texts(*keywords: str) -> list[str]:
    """Return the steps of the runbook with these keywords, in the order of their text."""
    for module in sorted((ROOT / "steps").glob("[a-z]*.py")):
        importlib.import_module(f"steps.{module.stem}")
    names = {name_of(context) for context in step_function_context_registry.values()}
    return sorted(name for name in names if name.partition(" ")[0] in keywords)


def emptied(text: str, folder: Path) -> Tried:
    """Rehearse with one step emptied, with what goes ahead; a step that only one way of cutting over has is run in that."""
    arguments = ("--transfer", "preseed", "--cutover", strategy(text), *(("--rqlited", RQLITED) if RQLITED else ()))
    hosts, how = (CONTAINERS, ("--deploy", "docker")) if only("@docker", text) else (LOOPBACK, ())
    rehearsal = Rehearsal(folder, (*arguments, *how), environment={"EMPTIED": text}, hosts=hosts)
    try:
        code = rehearsal.run("-p", "tests.emptied")
        cause = rehearsal.cause() if code == 1 else f"exit {code}"
        return Tried(text, code == 1 and cause.startswith(SAID[text.partition(" ")[0]]), cause, rehearsal.printed)
    finally:
        rehearsal.close()


def used(text: str) -> bool:
    """Whether a step stands in a numbered feature (reset_dest and others are run by name, and tested by themselves)."""
    return any(not tags & APART for tags in _tags_of_uses(text))


def strategy(text: str) -> str:
    """Return by which cut-over a step is rehearsed: by proxy where only its scenarios have it."""
    return "proxy" if only("@by_proxy", text) else "dns"


def only(tag: str, text: str) -> bool:
    """Whether only scenarios with a tag have a step."""
    uses = _tags_of_uses(text)
    return bool(uses) and all(tag in tags for tags in uses)


def _tags_of_uses(text: str) -> list[frozenset[str]]:
    """Return, for each use of a step in a numbered feature, the tags that its scenario has (its rule's and feature's too)."""
    [parser] = [one.parser for one in step_function_context_registry.values() if name_of(one) == text]
    found = []
    for path in sorted((ROOT / "features").glob("[0-9]*.feature")):
        for tags, line in _steps(Parser().parse(path.read_text(encoding="utf-8"))["feature"], frozenset()):
            if parser.is_matching(reduce(lambda text, name: text.replace(name, ROWS[name]), ROWS, line)):
                found.append(tags)
    return found


def _steps(block: Any, tags: frozenset[str]) -> Iterator[tuple[frozenset[str], str]]:  # noqa: ANN401 - a document of gherkin's
    """Yield every step below a feature, rule or scenario with the tags that apply to it."""
    tags |= {tag["name"] for tag in block.get("tags", [])}
    for step in block.get("steps", []):
        yield tags, step["text"]
    for child in block.get("children", []):
        for inner in child.values():
            yield from _steps(inner, tags)


def name_of(context: StepFunctionContext) -> str:
    """Return the text that a declared step is emptied by."""
    definition = definition_of(context)
    return f"{definition.keyword} {definition.text}" if definition else ""


def main() -> int:
    """Empty every step, print each, and return 1 if one was not red."""
    wanted = [text for text in texts("Given", "When", "Then") if used(text)]
    with tempfile.TemporaryDirectory() as top, ThreadPoolExecutor(AT_ONCE) as pool:
        tried = list(pool.map(lambda numbered: _try(numbered[1], Path(top) / str(numbered[0])), enumerate(wanted)))
    red = sum(one.red for one in tried)
    sys.stdout.write(f"{len(tried)} steps emptied: {red} red as they must be, {len(tried) - red} not\n")
    return int(red != len(tried))


def _try(text: str, folder: Path) -> Tried:
    folder.mkdir()
    tried = emptied(text, folder)
    sys.stdout.write(f"{'red  ' if tried.red else 'NOT RED'} {text}: {tried.cause[:100]}\n")
    sys.stdout.flush()
    return tried


if __name__ == "__main__":
    sys.exit(main())
