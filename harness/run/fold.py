"""What is settled, which epoch it is and what stands: pure functions of the journal's lines. No state is kept anywhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.deed import Measured, Role

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from harness.journal import Line


@dataclass(frozen=True, slots=True)
class State:
    """The run as its journal tells it. `green` are scenario keys in the order in which they were proven."""

    green: tuple[str, ...] = ()
    facts: tuple[str, ...] = ()
    marks: Mapping[str, str] = field(default_factory=dict)
    epoch: int = 0
    measured: Mapping[str, Measured] = field(default_factory=dict)
    red: str = ""

    @property
    def frozen(self) -> bool:
        """Whether the source has been stopped in this run: from then on green scenarios are settled."""
        return "T_stop" in self.marks

    def settled(self, key: str) -> bool:
        """Whether a scenario is shown with its evidence instead of being looked at again."""
        return self.frozen and key in self.green


def key(feature: str, scenario: str, example: str = "") -> str:
    """Return the name of a scenario in the whole runbook."""
    return f"{feature}: {scenario}" + (f" [{example}]" if example else "")


def _from(order: Sequence[str], scenario: str) -> set[str]:
    """Return the keys of a scenario (by its own name) and of all that come after it."""
    at = next((index for index, one in enumerate(order) if one.partition(": ")[2] == scenario), len(order))
    return set(order[at:])


def _measured(line: Line) -> Measured:
    return Measured(line["name"], Role(line["role"]), line["digest"], line["examined"], line["bytes"], line["parts"])


def fold(lines: Iterable[Line], order: Sequence[str]) -> State:  # noqa: C901 - one case for each kind of line
    """Read the state of a run from its journal; `order` holds the keys of all scenarios of the runbook."""
    green: list[str] = []
    facts: list[str] = []
    marks: dict[str, str] = {}
    measured: dict[str, Measured] = {}
    epoch, red = 0, ""
    for line in lines:
        match line["kind"]:
            case "run":
                red = ""
            case "scenario":
                name = key(line["feature"], line["scenario"], line["example"])
                if line["status"] == "green" and name not in green:
                    green.append(name)
                if line["status"] == "red":
                    green = [one for one in green if one != name]
                    red = red or name
            case "mark":
                marks[line["mark"]] = line["time"]
                if line["mark"] == "T_stop":
                    epoch, measured = epoch + 1, {}
            case "digest" if line["role"] == Role.SOURCE:
                measured.setdefault(line["name"], _measured(line))
            case "fact" if line["status"] == "begun":
                facts.append(line["name"])
            case "fact":
                unsettled = _from(order, line["unsettles"])
                green = [one for one in green if one not in unsettled]
                facts = [one for one in facts if one != line["name"]]
    return State(tuple(green), tuple(facts), marks, epoch, measured, red)


def unfinished_intents(lines: Iterable[Line]) -> list[dict[str, Any]]:
    """Return the intents that have no result: what a killed run was doing."""
    open_intents: dict[Any, dict[str, Any]] = {}
    for line in lines:
        if line["kind"] == "intent":
            open_intents[line["id"]] = line
        elif line["kind"] == "deed":
            open_intents.pop(line["id"], None)
    return list(open_intents.values())
