"""What a live command may be: the whole runbook in its order, or a feature that is run by name; no option of pytest's thins it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import Refused
from harness.recording.outline import outline
from harness.recording.plugin import SCENARIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pytest

    from harness.plan import Plan

BY_NAME = ("rollback.feature", "reset_dest.feature")
ROLLBACK = BY_NAME[0]
# Options of pytest and its plugins by which scenarios are left out, repeated or only shown; and those of a rehearsal.
REFUSED: Mapping[str, str] = {
    "keyword": "-k leaves scenarios out",
    "markexpr": "-m leaves scenarios out",
    "lf": "--lf leaves scenarios out",
    "failedfirst": "--ff changes the order",
    "newfirst": "--nf changes the order",
    "stepwise": "--stepwise leaves scenarios out",
    "deselect": "--deselect leaves scenarios out",
    "ignore": "--ignore leaves features out",
    "ignore_glob": "--ignore-glob leaves features out",
    "reruns": "--reruns does scenarios again",
    "setuponly": "--setup-only does nothing and looks like a run",
    "setupplan": "--setup-plan does nothing and looks like a run",
    "fault": "--fault is for rehearsals",
    "fresh": "--fresh is for rehearsals",
    "core_tree": "--core-tree is for rehearsals",
    "rqlited": "--rqlited is for rehearsals",
}
# Plugins that change the order of scenarios or do them again, by the names that they are registered under.
PLUGINS = frozenset(
    {"randomly", "random_order", "random-order", "rerunfailures", "flaky", "pytest_repeat", "pytest_order", "pytest_ordering"}
    | {"reverse", "pytest-retry", "pytest_retry"}
)
NOT_PART_OF_IT = frozenset({"--approve"})


@dataclass(frozen=True, slots=True)
class Terminal:
    """How an operator is told and asked: `say` prints a line, `ask` asks a question; None where nobody sits at a terminal."""

    say: Callable[[str], None]
    ask: Callable[[str], str] | None


def typed_again(words: Sequence[str]) -> str:
    """Return a command as it is typed again: without what was approved ahead this time."""
    at_once = [word for word in words if word.partition("=")[0] not in NOT_PART_OF_IT or "=" not in word]
    kept = [word for at, word in enumerate(at_once) if word not in NOT_PART_OF_IT and at_once[at - 1] not in NOT_PART_OF_IT]
    return " ".join(["pytest", *kept])


def demand_number(plan: Plan, live: str | None) -> None:
    """Refuse another change number than the plan's."""
    if live is not None and live != plan.change.id:
        raise Refused(f"--live {live}: the plan is that of {plan.change.id}; type the number of the change that you mean")


def demand_whole(session: pytest.Session, root: Path, *by_name: str) -> None:
    """Refuse everything but the whole runbook in its order, or one feature that is run by name; says all that is wrong."""
    problems = [*_options(session.config), *_selection(session, root / "features", by_name)]
    if problems:
        raise Refused("\n".join(["this is a run of the whole runbook, in its order:", *(f"  - {one}" for one in problems)]))


def _options(config: pytest.Config) -> Iterator[str]:
    option = vars(config.option)
    yield from (said for name, said in REFUSED.items() if option.get(name))
    named = {name for name, plugin in config.pluginmanager.list_name_plugin() if plugin is not None}
    yield from (f"the plugin {name} changes what is run, or in which order: -p no:{name}" for name in sorted(named & PLUGINS))


def _selection(session: pytest.Session, features: Path, by_name: Sequence[str]) -> Iterator[str]:
    arguments = session.config.args
    allowed = (features, *(features / name for name in by_name))
    if len(arguments) != 1 or "::" in arguments[0] or Path(arguments[0]).resolve() not in allowed:
        told = " or ".join(["features/", *(f"features/{name}" for name in by_name)])
        yield f"{' '.join(arguments)} is not {told} alone"
        return
    if found := strange(features):
        yield f"features/ holds more than features, whose digest is approved: {', '.join(found)}"
    one = Path(arguments[0]).resolve()
    paths = [one] if one.is_file() else sorted(features.glob("[0-9][0-9]_*.feature"))
    if _collected(session.items) != [(path.name, list(_told(path))) for path in paths]:
        yield "what was collected is not every scenario in its order"


def strange(features: Path) -> list[str]:
    """Return what lies beside the features: a conftest.py there could leave scenarios out, and no digest would tell."""
    return sorted(path.name for path in features.iterdir() if path.suffix != ".feature" and path.name != "__pycache__")


def _told(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (name, rest of its row) of every scenario of a feature file."""
    yield from ((one["scenario"], one["example"]) for one in outline(path)["scenarios"])


def _collected(items: Sequence[pytest.Item]) -> list[tuple[str, list[tuple[Any, Any]]]]:
    found = [(item.path.name, item.stash.get(SCENARIO, None)) for item in items]
    keyed = [(name, (scenario.name, scenario.example) if scenario else ("", "")) for name, scenario in found]
    return [(name, [key for _, key in group]) for name, group in groupby(keyed, lambda pair: pair[0])]
