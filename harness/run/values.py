"""What a run is told of and what it finds, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - a value of the data
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from harness.check import Check, Outcome
from harness.errors import HarnessError, NothingExamined
from harness.run.fold import key

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence


class Performs(Protocol):
    """What does deeds and makes observations: harness.run.performing, or a test's own."""

    def do(self, deed: Any) -> Any:  # noqa: ANN401 - each deed has its own answer
        """Do a deed."""

    def observe(self, observation: Any) -> Any:  # noqa: ANN401 - each observation has its own answer
        """Ask, changing nothing."""


class Phase(StrEnum):
    """When a look is made."""

    GIVEN = "given"
    BEFORE = "before"
    AFTER = "after"
    STANDING = "standing"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario as the runbook names it."""

    feature: str
    name: str
    example: str = ""
    tags: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """Its name in the whole runbook."""
        return key(self.feature, self.name, self.example)

    @property
    def always_acts(self) -> bool:
        """Whether its act leaves a result and is done without a first look (@probe, @repeat)."""
        return bool(self.tags & {"probe", "repeat"})


@dataclass(frozen=True, slots=True)
class Fact:
    """A Given or Then, ready to be looked at; the last look of a Then may wait `within_s` seconds for it."""

    keyword: str
    text: str
    call: Callable[[], None]
    within_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Action:
    """A When, ready to be done.

    Marks are written before its first deed, or once its scenario is green. `clears` makes room where something is half done, and
    raises HalfDone where that is not this run's; an idempotent act needs no such room.
    """

    text: str
    generator: Callable[[], Generator[Any, Any, Any]]
    idempotent: bool = False
    mark_before: str = ""
    mark_after: str = ""
    clears: Callable[[], Generator[Any, Any, Any]] | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What a @probe or @repeat act has left: what it returned, after how many deeds."""

    value: Any
    deeds: int


@dataclass(frozen=True, slots=True)
class Waiver:
    """A person's acceptance of a red fact: of one scenario, with a reason, until a moment."""

    scenario: str
    reason: str
    approver: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Loss:
    """A person's acceptance that what users wrote on the dest is lost: so many writes at most."""

    count: int
    approver: str


@dataclass(frozen=True, slots=True)
class Looked:
    """How a look ended, and with which checks."""

    outcome: Outcome
    checks: tuple[Check, ...] = ()
    error: Exception | None = None

    @property
    def cause(self) -> str:
        """The reason of an outcome that is not held, for a person."""
        if self.error is not None:
            return f"{self.error}" if isinstance(self.error, HarnessError) else f"{type(self.error).__name__}: {self.error}"
        return "; ".join(
            f"{check.name}: {check.shortfall or check.outcome}" for check in self.checks if check.outcome is not Outcome.HELD
        )


def attempted(text: str, look: Callable[[], Sequence[Check]], so_far: Sequence[Check] = ()) -> Looked:
    """Look, and return how that ended; whatever keeps it from looking is an error, never a pass (`so_far` was examined by then)."""
    try:
        checks = look()
    except Exception as error:  # noqa: BLE001 - see above
        return Looked(Outcome.ERROR, tuple(so_far), error)
    return looked_at(text, checks)


def looked_at(text: str, checks: Sequence[Check]) -> Looked:
    """Return how a look ended whose body returned: not held wins over absent, absent over held; no check at all is an error."""
    if not checks:
        return Looked(Outcome.ERROR, (), NothingExamined(f"the step records no check: {text}"))
    outcomes = {check.outcome for check in checks}
    outcome = next((one for one in (Outcome.NOT_HELD, Outcome.ABSENT) if one in outcomes), Outcome.HELD)
    return Looked(outcome, tuple(checks))
