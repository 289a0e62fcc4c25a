"""What is settled, which epoch it is and what stands: pure functions of the journal's lines. No state is kept anywhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.deed import Measured, Role

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from harness.journal import Line

SEAL = "seal"
STOPPED = "The source core is stopped"
CLEARED_BY_RESET = 40
CLEARED_FROM = 60


@dataclass
class State:
    """The run as its journal tells it.

    `order` are the scenarios' keys as first met, `numbers` the number of each one's feature, `green` those proven and not unsettled
    since. `facts` are the standing facts that have begun, with the value they began with; `broken` those that did not hold when
    last looked at. `stopping` says that the stop of the source core was begun and no T_stop made; `over` that the source must be
    frozen anew. `launches` counts the starts of the dest core by this run, those before a reset too. `ahead` holds the deeds
    that were begun ahead of a scenario whose act has not waited for them yet, by their names on the host: the names of that
    scenario and of the one that began it; red or unsettled, neither has begun anything. `epoch` counts
    the freezings of the source; `measured` holds what was measured at rest in this one.
    """

    order: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    green: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    stopping: bool = False
    over: bool = False
    launches: int = 0
    ahead: dict[str, tuple[str, str]] = field(default_factory=dict)
    epoch: int = 0
    measured: dict[str, Measured] = field(default_factory=dict)
    red: str = ""
    _features: dict[str, int] = field(default_factory=dict)
    _begun_by: dict[str, str] = field(default_factory=dict)

    @property
    def frozen(self) -> bool:
        """Whether the source has been stopped in this run: from then on green scenarios are settled."""
        return "T_stop" in self.marks

    def settled(self, key: str) -> bool:
        """Whether a scenario is shown with its evidence instead of being looked at again.

        One that is run by name is settled only on the way back: from T_back on, that is all that continues the run.
        """
        by_name = not self.numbers.get(key, 0)
        return key in self.green and (self.going_back if by_name else self.frozen)

    @property
    def going_back(self) -> bool:
        """Whether this run is being rolled back: nothing else continues it."""
        return "T_back" in self.marks

    @property
    def retired(self) -> bool:
        """Whether the source is retired: nothing of the run is left on the hosts."""
        return "retired" in self.marks

    def at_or_after(self, scenario: str) -> list[str]:
        """Return the keys of a scenario (by its own name) and of all that come after it."""
        at = next((index for index, one in enumerate(self.order) if name_of(one) == scenario), len(self.order))
        return self.order[at:]

    def numbered(self, wanted: Callable[[int], bool]) -> list[str]:
        """Return the keys of the scenarios whose feature has a wanted number."""
        return [one for one in self.order if wanted(self.numbers.get(one, 0))]

    def unsettle(self, keys: Iterable[str]) -> None:
        """Forget that scenarios are green, and the standing facts that they began."""
        gone = set(keys)
        self.green = [one for one in self.green if one not in gone]
        names = {name_of(one) for one in gone}
        self.ahead = {deed: scenarios for deed, scenarios in self.ahead.items() if not names.intersection(scenarios)}
        self.over = self.over or STOPPED in names
        self.facts = {name: value for name, value in self.facts.items() if self._begun_by.get(name) not in names}


def key(feature: str, scenario: str, example: str = "") -> str:
    """Return the name of a scenario in the whole runbook."""
    return f"{feature}: {scenario}" + (f" [{example}]" if example else "")


def name_of(key: str) -> str:
    """Return a scenario's own name from its key (features' names hold no colon: collect sees to it)."""
    return key.partition(": ")[2].partition(" [")[0]


def fold(lines: Iterable[Line]) -> State:
    """Read the state of a run from its journal."""
    state = State()
    for line in lines:
        if fold_one := FOLDS.get(line["kind"]):
            fold_one(state, line)
    return state


def _run(state: State, _: Line) -> None:
    state.red = ""


def _feature(state: State, line: Line) -> None:
    digits = line["file"][:2]
    state._features[line["feature"]] = int(digits) if digits.isdigit() else 0  # noqa: SLF001 - the fold's own


def _scenario(state: State, line: Line) -> None:
    name = key(line["feature"], line["scenario"], line["example"])
    if name not in state.numbers:
        state.order.append(name)
        state.numbers[name] = state._features.get(line["feature"], 0)  # noqa: SLF001 - the fold's own
    if line["status"] == "green" and name not in state.green:
        state.green.append(name)
    if line["status"] == "red":
        state.unsettle([name])
        state.red = state.red or name


def _mark(state: State, line: Line) -> None:
    if line["mark"] == "T_back" and state.going_back:
        return  # begun once, however often it is taken up
    state.marks[line["mark"]] = line["time"]
    if line["mark"] in {"T_stop", "T_reset"}:
        state.ahead = {}
    if line["mark"] == "T_stop":
        state.epoch, state.measured, state.stopping, state.over = state.epoch + 1, {}, False, False
    if line["mark"] == "T_start":
        state.launches += 1
    if line["mark"] == "T_reset":
        state.marks.pop("T_start", None)
        state.unsettle(state.numbered(lambda number: number == CLEARED_BY_RESET or number >= CLEARED_FROM))


def _intent(state: State, line: Line) -> None:
    state.stopping = state.stopping or line["scenario"] == STOPPED


def _deed(state: State, line: Line) -> None:
    if line.get("ahead_of") and line["ok"]:
        state.ahead[line["lasting"]] = (line["ahead_of"], line["scenario"])
    elif line.get("lasting") and not line.get("ahead_of"):
        state.ahead.pop(line["lasting"], None)


def _digest(state: State, line: Line) -> None:
    if line["role"] == Role.SOURCE and (line["name"] == SEAL or line["name"] not in state.measured):
        parts = (line["name"], Role(line["role"]), line["digest"], line["examined"], line["bytes"], line["parts"])
        state.measured[line["name"]] = Measured(*parts)


def _fact(state: State, line: Line) -> None:
    if line["status"] == "begun":
        state.facts[line["name"]] = line.get("value", "")
        state._begun_by[line["name"]] = line.get("from", "")  # noqa: SLF001 - the fold's own
        state.broken = [one for one in state.broken if one != line["name"]]
    else:
        state.facts.pop(line["name"], None)
        state.broken.append(line["name"])
        state.unsettle(line["unsettles"])


FOLDS: Mapping[str, Callable[[State, Line], None]] = {
    "run": _run,
    "feature": _feature,
    "scenario": _scenario,
    "mark": _mark,
    "intent": _intent,
    "deed": _deed,
    "digest": _digest,
    "fact": _fact,
}


def unfinished_intents(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Return the intents that have no result: what a killed run was doing."""
    open_intents: dict[Any, dict[str, Any]] = {}
    for line in lines:
        if line["kind"] == "intent":
            open_intents[line["id"]] = line
        elif line["kind"] == "deed":
            open_intents.pop(line["id"], None)
    return list(open_intents.values())
