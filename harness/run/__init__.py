"""Look, act, look: a scenario's facts are looked at, its act is done unless they hold, then they are looked at again for good.

Every look and every deed of a run goes through Run, which writes it to the journal before (intents) and after it is done.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import count
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from harness import waiting
from harness.check import Check, Outcome
from harness.deed import Command, CommandResult, HttpAnswer, Keep, Learn, Measured
from harness.errors import (
    DeedFailed,
    HalfDone,
    HarnessError,
    NotHeld,
    NothingExamined,
    StandingFactBroken,
    StoppedForApproval,
    TimedOut,
)
from harness.run.driving import drive
from harness.run.fold import State, fold, key
from harness.run.standing import STANDING, Standing, begun_by

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from harness.deed import Act, Reading
    from harness.journal import Journal
    from harness.plan import Plan

T = TypeVar("T")
REFUSED = 400


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


@dataclass(frozen=True, slots=True)
class Fact:
    """A Given or Then, ready to be looked at; the last look of a Then may wait `within_s` seconds for it."""

    keyword: str
    text: str
    call: Callable[[], None]
    within_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Action:
    """A When, ready to be done. Marks are written before its first deed, or once its scenario is green."""

    text: str
    generator: Callable[[], Act]
    idempotent: bool = False
    mark_before: str = ""
    mark_after: str = ""


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


def outcome_of(checks: Sequence[Check]) -> Outcome:
    """Return the outcome of a step: not held wins over absent, absent over held."""
    outcomes = {check.outcome for check in checks}
    return next((one for one in (Outcome.NOT_HELD, Outcome.ABSENT) if one in outcomes), Outcome.HELD)


@dataclass
class Run:
    """One change between two hosts, however often the command is typed."""

    plan: Plan
    journal: Journal
    performer: Performs
    private: Path
    order: Sequence[str] = ()
    rehearsal: bool = False
    fresh: bool = False
    standing: tuple[Standing, ...] = STANDING
    after_act: Callable[[Scenario], None] | None = None
    _scenario: Scenario = field(default_factory=lambda: Scenario("", ""))
    _step: str = ""
    _checks: list[Check] = field(default_factory=list)
    _mark_after: str = ""
    _ids: Any = field(default_factory=count)
    _began: float = 0.0

    # --- what steps use

    def look(self, reading: Reading[Check | list[Check]]) -> None:
        """Make a look and record its checks."""
        found = self.read(reading)
        self._checks.extend(found if isinstance(found, list) else [found])

    def read(self, reading: Reading[T]) -> T:
        """Ask observations and return what the reading makes of the answers; nothing is recorded."""
        return drive(reading, self._observe)

    def check(self, check: Check) -> None:
        """Record a check that asked no host."""
        self._checks.append(check)

    @property
    def state(self) -> State:
        """The state of the run, from its journal."""
        return fold(self.journal.lines, self.order)

    def kept(self, name: str) -> Any:  # noqa: ANN401 - JSON is any
        """Return what an act kept in the private folder, or None."""
        path = self.private / f"{name}.json"
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        self.journal.masker.know(*(value for value in (content or {}).values() if isinstance(value, str)))
        return content

    @property
    def secret_key(self) -> bytes:
        """The key of this run's digests of secrets and pseudonyms; it never leaves the private folder."""
        kept = self.kept("key") or self._keep(Keep("key", {"key": secrets.token_hex(32)}))
        return bytes.fromhex(kept["key"])

    def pseudonym(self, text: str) -> str:
        """Return what stands for a path or a user in the record."""
        return "~" + hmac.new(self.secret_key, text.encode(), hashlib.sha256).hexdigest()[:12]

    # --- scenarios and steps

    def begin(self, scenario: Scenario) -> None:
        """Begin a scenario."""
        self._scenario, self._mark_after, self._began = scenario, "", time.monotonic()
        self._write("scenario", status="begun")

    def end(self, *, green: bool, cause: str = "") -> None:
        """End the scenario; green, it marks and begins what it is to mark and begin."""
        if green and self._mark_after:
            self.journal.append("mark", mark=self._mark_after)
        self._write("scenario", status="green" if green else "red", cause=cause, seconds=round(time.monotonic() - self._began, 3))
        in_force = self.state.facts
        for fact in begun_by(self._scenario.name, self.standing) if green else ():
            if fact.name not in in_force:
                self.journal.append("fact", name=fact.name, status="begun", **{"from": self._scenario.name})

    def not_run(self, scenario: Scenario, status: str, cause: str) -> None:
        """Record a scenario that is blocked, settled or not applicable."""
        self._scenario = scenario
        self._write("scenario", status=status, cause=cause)

    def fact(self, fact: Fact) -> None:
        """Look at a Given or Then for good; raises NotHeld, or the error that kept it from being looked at."""
        phase = Phase.GIVEN if fact.keyword == "Given" else Phase.AFTER
        looked = self._looked(fact, phase)
        if looked.error:
            raise looked.error
        if looked.outcome is not Outcome.HELD:
            raise NotHeld(looked.cause)

    def act(self, action: Action, facts: Sequence[Fact]) -> None:
        """Look at the facts, do the act unless they hold; raises HalfDone when it may not be done."""
        self._look_at_standing()
        before = [self._looked(fact, Phase.BEFORE) for fact in facts]
        self._step = action.text
        for looked in before:
            if looked.error:
                raise looked.error
        self._mark_after = action.mark_after
        if all(looked.outcome is Outcome.HELD for looked in before):
            self._write("step", keyword="When", step=action.text, status="already held", vacuous=self.fresh)
            return
        self._refuse_half_done(action, before)
        self._ask_gate()
        if action.mark_before:
            self.journal.append("mark", mark=action.mark_before)
        self._do_all(action)

    def _refuse_half_done(self, action: Action, before: Sequence[Looked]) -> None:
        there = [check for looked in before for check in looked.checks if check.outcome is Outcome.NOT_HELD]
        if there and not action.idempotent:
            found = "; ".join(f"{check.name}: {check.observed}" for check in there)
            raise HalfDone(f"half done, not known to be by this run: {found}")

    def _do_all(self, action: Action) -> None:
        self._write("step", keyword="When", step=action.text, status="begun")
        first = len(self.journal.lines)
        drive(action.generator(), self._do)
        if not any(line["kind"] == "deed" for line in self.journal.lines[first:]):
            raise NothingExamined(f"the act did nothing: {action.text}")
        self._write("step", keyword="When", step=action.text, status="done")
        if self.after_act:
            self.after_act(self._scenario)

    def _look_at_standing(self) -> None:
        in_force = self.state.facts
        for standing in self.standing:
            if standing.name in in_force:
                self._look_at(standing)

    def _look_at(self, standing: Standing) -> None:
        fact = Fact("Given", standing.name, lambda: self.look(standing.look(self.plan)))
        looked = self._looked(fact, Phase.STANDING)
        if looked.error:
            raise looked.error
        if looked.outcome is not Outcome.HELD:
            self.journal.append("fact", name=standing.name, status="broken", unsettles=standing.unsettles)
            raise StandingFactBroken(
                f"no longer so: {standing.name} ({looked.cause}); the same command begins again at: {standing.unsettles}"
            )

    def _ask_gate(self) -> None:
        if "gate" not in self._scenario.tags:
            return
        if not self.rehearsal:
            raise StoppedForApproval(f"a person's yes is needed before: {self._scenario.name}")
        self.journal.append("gate", scenario=self._scenario.name, approved=True, by="the rehearsal itself")

    # --- looks

    def _looked(self, fact: Fact, phase: Phase) -> Looked:
        looked = self._attempt(fact)
        if phase is Phase.AFTER and fact.within_s and looked.outcome in {Outcome.NOT_HELD, Outcome.ABSENT}:
            looked = self._awaited(fact)
        if phase is not Phase.STANDING or looked.outcome is not Outcome.HELD:
            self._write_look(fact, phase, looked)
        return looked

    def _awaited(self, fact: Fact) -> Looked:
        last: list[Looked] = []

        def again() -> Looked | None:
            last[:] = [self._attempt(fact)]
            return last[0] if last[0].outcome in {Outcome.HELD, Outcome.ERROR} else None

        try:
            return waiting.until(again, within_s=fact.within_s, message=lambda: fact.text)
        except TimedOut:
            return last[0]

    def _attempt(self, fact: Fact) -> Looked:
        self._checks, self._step = [], fact.text
        try:
            fact.call()
        except Exception as error:  # noqa: BLE001 - whatever keeps a look from looking is an error, never a pass
            return Looked(Outcome.ERROR, tuple(self._checks), error)
        if not self._checks:
            return Looked(Outcome.ERROR, (), NothingExamined(f"the step records no check: {fact.text}"))
        return Looked(outcome_of(self._checks), tuple(self._checks))

    def _write_look(self, fact: Fact, phase: Phase, looked: Looked) -> None:
        for check in looked.checks:
            self._write(
                "check",
                step=fact.text,
                phase=phase,
                name=check.name,
                witness=check.witness,
                expected=check.expected,
                observed=check.observed,
                examined=check.examined,
                minimum=check.minimum,
                outcome=check.outcome,
                why=check.why,
                remedy=check.remedy,
            )
        self._write("step", keyword=fact.keyword, step=fact.text, phase=phase, status=looked.outcome, cause=looked.cause)

    # --- deeds and observations

    def _observe(self, wanted: Any) -> Any:  # noqa: ANN401 - each observation has its own answer
        if isinstance(wanted, Learn | Measured):
            return self._aside(wanted)
        if isinstance(wanted, tuple):
            return _together(self.performer.observe, wanted)
        return self.performer.observe(wanted)

    def _do(self, wanted: Any) -> Any:  # noqa: ANN401 - each deed has its own answer
        if isinstance(wanted, Learn | Keep | Measured):
            return self._aside(wanted)
        if isinstance(wanted, tuple):
            return _together(self._deed, wanted)
        return self._deed(wanted)

    def _aside(self, aside: Learn | Keep | Measured) -> None:
        match aside:
            case Learn():
                self.journal.masker.know(*(secret.value for secret in aside.secrets))
            case Keep():
                self._keep(aside)
            case Measured():
                fields = {name: getattr(aside, name) for name in ("name", "role", "digest", "examined", "bytes", "parts")}
                self.journal.append("digest", **fields)

    def _keep(self, keep: Keep) -> Any:  # noqa: ANN401 - JSON is any
        self.private.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.private / f"{keep.name}.json"
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        part.write_text(json.dumps(keep.content, ensure_ascii=False), encoding="utf-8")
        part.replace(path)
        return keep.content

    def _deed(self, deed: Any) -> Any:  # noqa: ANN401 - each deed has its own answer
        number = next(self._ids)
        identity = f"{len(self.journal.lines)}-{number}"
        self._write("intent", deed=_said(deed), command=str(deed), id=identity)
        began = time.monotonic()
        try:
            result = self.performer.do(deed)
        except HarnessError as error:
            self._write_deed(deed, identity, began, ok=False, tail=str(error))
            raise
        self._write_deed(deed, identity, began, **_told(deed, result))
        if isinstance(result, CommandResult) and not result.ok:
            raise DeedFailed(f"{deed}: exit {result.exit}\n{'' if result.command.private else result.tail()}".rstrip(), result)
        return result

    def _write_deed(self, deed: Any, identity: str, began: float, **fields: object) -> None:  # noqa: ANN401 - any deed
        host = deed.host if isinstance(deed, Command) else ""
        self._write("deed", id=identity, deed=_said(deed), host=host, seconds=round(time.monotonic() - began, 3), **fields)

    def _write(self, kind: str, **fields: object) -> None:
        scenario = self._scenario
        self.journal.append(kind, feature=scenario.feature, scenario=scenario.name, example=scenario.example, **fields)


def _said(deed: Any) -> str:  # noqa: ANN401 - any deed
    """Return what a deed does, for people."""
    return (deed.says if isinstance(deed, Command) else "") or str(deed)


def _told(deed: Any, result: Any) -> dict[str, Any]:  # noqa: ANN401 - any deed and its answer
    """Return what the record tells of a result."""
    if isinstance(result, CommandResult):
        return {"ok": result.ok, "exit": result.exit, "tail": "" if deed.private else result.tail()}
    if isinstance(result, HttpAnswer):
        return {"ok": result.status < REFUSED, "exit": result.status, "tail": ""}
    return {"ok": True, "tail": str(result)}


def _together(perform: Callable[[Any], Any], wanted: tuple[Any, ...]) -> list[Any]:
    """Perform several things at once; all have ended before the first error is raised."""
    with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
        futures = [pool.submit(perform, one) for one in wanted]
    return [future.result() for future in futures]
