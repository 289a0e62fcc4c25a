"""A dry run: the first look of every scenario, and what its act would do. Nothing is done, on no host and by no name server.

Acts are generators that yield deeds: here each deed is written down and answered by `Unknown`. An act that only goes on from deed
to deed is told whole; one that asks its answer something is told up to there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

from harness.check import Outcome
from harness.deed import Ask, Command, Keep, Learn, Measured
from harness.errors import HarnessError, NotKnownYet
from harness.run.approving import gate_of
from harness.run.doing import said
from harness.run.values import Phase

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from harness.run import Run
    from harness.run.values import Action, Fact, Looked, Scenario

MOST_DEEDS = 200
WRITES = "--out"  # of our programs on hosts: the list of what they read goes there
LEFT = "what earlier scenarios leave"


class Unknown:
    """Stands for an answer that nobody has: whatever is asked of it raises NotKnownYet, with whose answer it is."""

    def __init__(self, whose: str) -> None:
        self._whose = whose

    def _ask(self, *_: object) -> NoReturn:
        raise NotKnownYet(self._whose)

    def __getattr__(self, _: str) -> NoReturn:
        self._ask()

    __getitem__ = __contains__ = __iter__ = __len__ = __bool__ = __eq__ = __ne__ = __lt__ = __gt__ = _ask
    __call__ = __str__ = __format__ = __int__ = __float__ = __hash__ = _ask


@dataclass
class Dry:
    """Stands in for a run's own `fact` and `act`; has what did not hold so far although nothing had been done before it.

    `expected` says how many seconds the n-th deed of a scenario took in the newest green rehearsal, scaled; None: nobody knows.
    `sizes` are the bytes that deeds move, by a word of their commands (a data root as rsync is given it, a dump's name).
    """

    run: Run
    expected: Callable[[str, int], float | None] = lambda _scenario, _at: None
    sizes: Mapping[str, int] = field(default_factory=dict)
    open_points: list[str] = field(default_factory=list)
    _scenario: Scenario | None = None
    _acted: bool = False
    _acts_here: bool = False
    _held: bool = True

    def _enter(self) -> None:
        if self._scenario is not self.run.doing.scenario:
            self._scenario, self._acts_here, self._held = self.run.doing.scenario, False, True

    def fact(self, fact: Fact) -> None:
        """Look at a fact once. What an act here or before would make true cannot be asked for yet: a Given is taken for granted."""
        self._enter()
        if self._acts_here or (self._acted and fact.keyword == "Given"):
            return
        looked = self._looked(fact)
        self._held = self._held and looked.outcome is Outcome.HELD
        if not self._acted and looked.outcome is not Outcome.HELD:
            self.open_points.append(f"{self.run.doing.scenario.name}: {why(looked)}")

    def _looked(self, fact: Fact) -> Looked:
        """Look once; after the first act, that something cannot be looked at yet is no error."""
        looked = self.run.attempt(fact)
        if self._acted and looked.error:
            self.run.doing.write("planned", depends=_left(looked.error))
        else:
            self.run.write_look(fact, Phase.BEFORE, looked)
        return looked

    def act(self, action: Action, facts: Sequence[Fact]) -> None:
        """Look at the facts of an act, and tell what it would do unless they all hold."""
        self._enter()
        self._acted = self._acts_here = True
        run, scenario = self.run, self.run.doing.scenario
        if "gate" in scenario.tags:
            run.doing.write("planned", gate=gate_of(run.state.numbers.get(scenario.key, 0), scenario.name))
        outcomes = [] if scenario.always_acts else [self._looked(fact).outcome for fact in facts]
        self._held = bool(outcomes) and all(outcome is Outcome.HELD for outcome in outcomes)
        self._tell(action)

    def _tell(self, action: Action) -> None:
        run, told = self.run, 0
        for deed in would_do(action.generator):
            if isinstance(deed, str):
                run.doing.write("planned", depends=deed)
            elif isinstance(deed, Learn):
                run.doing.do(deed)
            elif not isinstance(deed, Keep | Measured):
                run.doing.write("planned", **self._deed(run.doing.scenario.key, told, deed))
                told += 1

    def _deed(self, scenario: str, at: int, deed: Any) -> dict[str, Any]:  # noqa: ANN401 - any deed
        on_host = isinstance(deed, Command)
        return {
            "deed": said(deed),
            "command": str(deed),
            "host": deed.host if on_host else "",
            "input_bytes": len(deed.input) if on_host else 0,
            "moves_bytes": sum(size for word, size in self.sizes.items() if on_host and word in str(deed)),
            "expected_s": self.expected(scenario, at),
        }

    @property
    def status(self) -> str:
        """How the scenario is told when it ends: green or red before the first act, else what would be done or looked at then."""
        if not self._acted:
            return "green" if self._held else "red"
        return "holds now" if self._held else "planned" if self._acts_here else "later"

    @property
    def cause(self) -> str:
        """Why the scenario is red."""
        return self.open_points[-1].partition(": ")[2] if self.status == "red" else ""


def would_do(act: Callable[[], Generator[Any, Any, Any]]) -> list[Any]:
    """Return what an act yields while nothing is done; its last part is a text that says on what the rest depends, if it does."""
    found: list[Any] = []
    generator = act()
    try:
        wanted = next(generator)
        while len(found) < MOST_DEEDS:
            several = wanted if isinstance(wanted, tuple) else (wanted,)
            found.extend(several)
            answers = [Unknown(f"what this answers: {_name(one)}") for one in several]
            wanted = generator.send(answers if isinstance(wanted, tuple) else answers[0])
    except StopIteration:
        return found
    except Exception as error:  # noqa: BLE001 - it was made with what is not there yet: that is what is told
        return [*found, _left(error)]
    return [*found, f"more than {MOST_DEEDS} deeds"]


def _left(error: Exception) -> str:
    """Return on what depends what cannot be told or looked at yet."""
    if isinstance(error, NotKnownYet):
        return str(error)
    return f"{LEFT} (now: {str(error).splitlines()[0]})" if isinstance(error, HarnessError) else LEFT


def _name(deed: Any) -> str:  # noqa: ANN401 - any deed
    return "" if isinstance(deed, Learn | Keep | Measured) else said(deed)


def why(looked: Looked) -> str:
    """Return why a fact does not hold, for a list of what is to be mended."""
    return " ".join(looked.cause.split())


def changes_nothing(observation: Any) -> bool:  # noqa: ANN401 - each observation has its own shape
    """Whether an observation leaves nothing on a host: some of our programs write what they have read to the run folder there."""
    return not (isinstance(observation, Ask) and isinstance(observation.of, Command) and WRITES in observation.of.argv)
