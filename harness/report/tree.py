"""The tree that a journal folds into; the HTML report and the JUnit file are drawn from it.

Record
├── Attempt      one typing of the command: its `run` line and its verdict
├── Feature
│   └── Scenario
│       └── Turn     the scenario in one attempt, the newest first
│           └── Step
│               ├── Pair       one check, before and after the act
│               │   └── Look
│               └── DeedView   one intent and what answered it
└── Entry        marks, gates, digests, standing facts, notes and deviations, as recorded
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.check import Outcome
from harness.shown import compared

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.journal import Line

GOOD_STEPS = frozenset({"held", "done", "already held", "waived"})


@dataclass(frozen=True, slots=True)
class Look:
    """One recorded look of a check; `phase` is given, before, after or standing, `seq` its line in the journal."""

    seq: int
    phase: str
    name: str
    witness: str
    outcome: str
    expected: Any
    observed: Any
    examined: int
    minimum: int
    why: str
    remedy: str

    @property
    def held(self) -> bool:
        """Whether the look says so and examined enough: a record is not believed on its word alone."""
        return self.outcome == Outcome.HELD and not self.shortfall

    @property
    def red(self) -> bool:
        """Whether this look alone makes its scenario red; before the act only an error does."""
        return self.outcome == Outcome.ERROR if self.phase == "before" else not self.held

    @property
    def shortfall(self) -> str:
        """How many things were examined, where that is fewer than it must be."""
        least = max(1, self.minimum)
        return f"examined {self.examined} of at least {least}" if self.examined < least else ""


def told(look: Look) -> str:
    """Return a look that does not hold in lines of text: both sides, why it matters and what to do."""
    expected, observed = compared(look.expected, look.observed)
    lines = [
        f"{look.name}: {look.shortfall or look.outcome} ({look.phase}, witness {look.witness})",
        f"expected: {expected.short}",
        f"observed: {observed.short}",
        f"why it matters: {look.why}" if look.why else "",
        f"what to do: {look.remedy}" if look.remedy else "",
    ]
    return "\n".join(line for line in lines if line)


@dataclass(frozen=True, slots=True)
class Pair:
    """A check before and after the act; `after` is also a Given's, a standing fact's and a pure look's."""

    before: Look | None
    after: Look | None

    @property
    def newest(self) -> Look:
        """The look that counts."""
        look = self.after or self.before
        if look is None:
            raise ValueError("a pair holds at least one look")
        return look

    @property
    def red(self) -> bool:
        """Whether this check makes its scenario red."""
        return any(look.red for look in (self.before, self.after) if look)


@dataclass(frozen=True, slots=True)
class DeedView:
    """An intent and what answered it; `ok` is None while nothing did. `begun` is when the intent was written (UTC)."""

    seq: int
    attempt: int
    begun: str
    deed: str
    command: str
    host: str
    exit: Any
    seconds: float | None
    tail: str
    ok: bool | None


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a scenario; without a text, what was recorded outside any step. `seconds`: how long it took, all looks together."""

    keyword: str
    text: str
    status: str
    cause: str
    pairs: tuple[Pair, ...]
    deeds: tuple[DeedView, ...]
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Turn:
    """A scenario in one attempt; `status` stays "begun" where no line ends it. Times are UTC texts, empty if not begun."""

    attempt: int
    status: str
    cause: str
    begun: str
    ended: str
    seconds: float | None
    steps: tuple[Step, ...]

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Every check of every step."""
        return tuple(pair for step in self.steps for pair in step.pairs)

    @property
    def deeds(self) -> tuple[DeedView, ...]:
        """Every deed of every step."""
        return tuple(deed for step in self.steps for deed in step.deeds)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario with its turns, the newest first; `example` is empty where the title already says it.

    `outline` is what its feature file says of it (harness.recording.outline), empty where the record does not hold that.
    """

    feature: str
    title: str
    example: str
    turns: tuple[Turn, ...]
    outline: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The title, with the example's row where there is one to tell."""
        return f"{self.title} ({self.example})" if self.example else self.title

    @property
    def last(self) -> Turn:
        """The newest turn: what this scenario came to."""
        return self.turns[0]

    @property
    def evidence(self) -> Turn:
        """The turn whose checks stand for the scenario: of a settled one, the turn in which it was green."""
        if self.last.status != "settled":
            return self.last
        return next((turn for turn in self.turns if turn.status == "green"), self.last)

    @property
    def earlier(self) -> tuple[Turn, ...]:
        """The turns that neither are the last nor stand for it, and have something to tell."""
        told = (turn for turn in self.turns if turn not in (self.last, self.evidence))
        return tuple(turn for turn in told if turn.steps or turn.status != self.last.status)


@dataclass(frozen=True, slots=True)
class Feature:
    """A feature; `number` is the prefix of its file's name, empty for one that is run by name; `outline` as of a scenario."""

    title: str
    number: str
    scenarios: tuple[Scenario, ...]
    file: str = ""
    outline: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One typing of the command: its `run` line, its verdict line if it came so far, its first and last times (UTC)."""

    number: int
    run: Line
    verdict: Line | None
    begun: str
    ended: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the journal that is shown as it stands, with the attempt it belongs to."""

    attempt: int
    line: Line

    @property
    def kind(self) -> str:
        """The line's kind."""
        return str(self.line.get("kind", ""))


@dataclass(frozen=True, slots=True)
class Record:
    """A whole journal; `digest` is that of its last line, `torn` counts the bytes of a line that was never finished.

    `clients` are the lines of a client that asked the public name all the while, empty where none was run.
    """

    attempts: tuple[Attempt, ...]
    features: tuple[Feature, ...]
    entries: tuple[Entry, ...]
    digest: str
    count: int
    torn: int = 0
    clients: tuple[Line, ...] = ()

    @property
    def newest(self) -> Attempt:
        """The attempt that counts."""
        return self.attempts[-1]

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        """Every scenario, in the order of the runbook."""
        return tuple(scenario for feature in self.features for scenario in feature.scenarios)

    def of_kind(self, *kinds: str) -> tuple[Entry, ...]:
        """Return the entries of these kinds, in the order of the journal."""
        return tuple(entry for entry in self.entries if entry.kind in kinds)
