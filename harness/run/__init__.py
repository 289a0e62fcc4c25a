"""Look, act, look: a scenario's facts are looked at, its act is done unless they hold, then they are looked at again for good.

Every look and every deed of a run goes through Run, which writes it to the journal.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from harness import waiting
from harness.check import Check, Outcome
from harness.errors import HalfDone, NotHeld, NothingExamined, StandingFactBroken, TimedOut
from harness.run.asking import ask_ahead, ask_gate
from harness.run.doing import together
from harness.run.driving import drive
from harness.run.fold import State, fold
from harness.run.standing import STANDING, Standing, begun_by, in_force
from harness.run.values import Action, Fact, Looked, Loss, Phase, Result, Scenario, Waiver, attempted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.deed import Reading
    from harness.journal import Journal
    from harness.plan import Plan
    from harness.run.asking import Live
    from harness.run.doing import Doing
    from harness.run.dry import Dry

T = TypeVar("T")
OPENED = "T_open"  # made once: the first deed that can bring users counts
CHECK_FIELDS = ("name", "witness", "expected", "observed", "examined", "minimum", "outcome", "why", "remedy")


@dataclass
class Run:
    """One change between two hosts, however often the command is typed."""

    plan: Plan
    doing: Doing
    rehearsal: bool = False
    fresh: bool = False
    standing: tuple[Standing, ...] = STANDING
    waivers: Mapping[str, Waiver] = field(default_factory=dict)
    loss: Loss | None = None
    asked_ahead: bool = False
    dry: Dry | None = None
    live: Live | None = None
    approve: Callable[[str], str] = lambda _: ""
    after_act: Callable[[Scenario], None] = lambda _: None
    after_green: Callable[[Scenario], None] = lambda _: None
    before_mark: Callable[[], None] = lambda: None
    _checks: list[Check] = field(default_factory=list)
    _mark_after: str = ""
    _result: Result | None = None
    _began: float = 0.0

    # --- what steps use

    def look(self, reading: Reading[Check | list[Check]]) -> None:
        """Make a look and record its checks."""
        found = self.read(reading)
        self._checks.extend(found if isinstance(found, list) else [found])

    def read(self, reading: Reading[T]) -> T:
        """Ask observations and return what the reading makes of the answers; nothing is recorded."""
        return drive(reading, self.doing.observe)

    def check(self, *checks: Check) -> None:
        """Record checks that asked no host."""
        self._checks.extend(checks)

    @property
    def state(self) -> State:
        """The state of the run, from its journal."""
        return fold(self.journal.lines)

    @property
    def journal(self) -> Journal:
        """The run's journal."""
        return self.doing.journal

    def kept(self, name: str) -> Any:  # noqa: ANN401 - JSON is any
        """Return what an act kept in the private folder, or None."""
        return self.doing.kept(name)

    @property
    def deviations(self) -> list[str]:
        """What the record has accepted as deviations."""
        return [line["what"] for line in self.journal.lines if line["kind"] == "deviation"]

    @property
    def accepted_loss(self) -> int | None:
        """How many writes of users a person accepts as lost, where one does; the record says who."""
        return self.loss.count if self.loss else None

    def pseudonym(self, text: str) -> str:
        """Return what stands for a path or a user in the record."""
        return self.doing.pseudonym(text)

    @property
    def secret_key(self) -> bytes:
        """The key of this run's digests of secrets."""
        return self.doing.secret_key

    @property
    def result(self) -> Any:  # noqa: ANN401 - what the act returned
        """What the @probe or @repeat act of this scenario has left; raises NothingExamined when there was none."""
        if self._result is None:
            raise NothingExamined("no act of this scenario has left a result")
        return self._result.value

    # --- scenarios and steps

    def begin(self, scenario: Scenario) -> None:
        """Begin a scenario."""
        self.doing.scenario, self._mark_after, self._result, self._began = scenario, "", None, time.monotonic()
        self.doing.write("scenario", status="begun")

    def ask_ahead(self) -> None:
        """Ask for a yes that a whole feature needs, before anything of it is looked at; raises StoppedForApproval."""
        ask_ahead(self)

    def end(self, *, green: bool, cause: str = "") -> None:
        """End the scenario; green, it marks and begins what it is to mark and begin."""
        if self.dry:
            self.doing.write("scenario", status=self.dry.status if green else "red", cause=cause or self.dry.cause, seconds=0.0)
            return
        if green and self._mark_after:
            self.mark(self._mark_after)
        seconds = round(time.monotonic() - self._began, 3)
        begins = begun_by(self.doing.scenario.name, self.state, self.standing) if green else []
        for fact in begins:
            self.begin_fact(fact)
        self.doing.write("scenario", status="green" if green else "red", cause=cause, seconds=seconds)
        if green:
            self.after_green(self.doing.scenario)

    def not_run(self, scenario: Scenario, status: str, cause: str) -> None:
        """Record a scenario that is blocked, settled or not applicable."""
        self.doing.scenario = scenario
        self.doing.write("scenario", status=status, cause=cause)

    def fact(self, fact: Fact) -> None:
        """Look at a Given or Then for good; raises NotHeld, or the error that kept it from being looked at."""
        looked = self.looked(fact, Phase.GIVEN if fact.keyword == "Given" else Phase.AFTER)
        if looked.error:
            raise looked.error
        if looked.outcome is not Outcome.HELD and not self._waived(fact, looked):
            raise NotHeld(looked.cause)

    def _waived(self, fact: Fact, looked: Looked) -> bool:
        waiver = self.waivers.get(self.doing.scenario.name)
        if waiver is None or "gate" in self.doing.scenario.tags or waiver.until < datetime.now(UTC):
            return False
        accepted = {"reason": waiver.reason, "approver": waiver.approver, "until": waiver.until.isoformat()}
        self.deviation(f"waived: {fact.text}", looked.cause, **accepted)
        return True

    def act(self, action: Action, facts: Sequence[Fact]) -> None:
        """Look at the facts, do the act unless they hold; raises HalfDone when it may not be done.

        An act that was begun ahead is in the middle of being done: there is nothing to look at before it is.
        """
        self._look_at_all_standing()
        self._mark_after = action.mark_after
        begun_ahead = any(waits == self.doing.scenario.name for waits, _ in self.state.ahead.values())
        if not (self.doing.scenario.always_acts or begun_ahead):
            before = [self.looked(fact, Phase.BEFORE) for fact in facts]
            for looked in before:
                if looked.error:
                    raise looked.error
            if all(looked.outcome is Outcome.HELD for looked in before):
                self._already_held(action)
                return
            self._make_room(action, before)
        ask_gate(self)
        if action.mark_before and not (action.mark_before == OPENED and OPENED in self.state.marks):
            self.mark(action.mark_before)
        self._do_all(action)

    def _already_held(self, action: Action) -> None:
        """Do nothing; a mark that nobody has made yet is still made, after a person's yes (a core that was found stopped)."""
        self.doing.write("step", keyword="When", step=action.text, status="already held", vacuous=self.fresh)
        state = self.state
        if action.mark_after in state.marks and not state.over:
            self._mark_after = ""
        elif action.mark_after:
            self.note(f"found so, and not done by this run: {self.doing.scenario.name}")
            ask_gate(self)

    def _make_room(self, action: Action, before: Sequence[Looked]) -> None:
        there = [check for looked in before for check in looked.checks if check.outcome is Outcome.NOT_HELD]
        if not there or action.idempotent:
            return
        if action.clears is None:
            found = "; ".join(f"{check.name}: {check.observed}" for check in there)
            raise HalfDone(f"half done, not known to be by this run: {found}")
        self.note(f"half done by this run, cleared first: {', '.join(check.name for check in there)}")
        drive(action.clears(), self.doing.do)

    def _do_all(self, action: Action) -> None:
        self.doing.write("step", keyword="When", step=action.text, status="begun")
        first = len(self.journal.lines)
        value = drive(action.generator(), self.doing.do)
        deeds = sum(line["kind"] == "deed" for line in self.journal.lines[first:])
        if not deeds:
            raise NothingExamined(f"the act did nothing: {action.text}")
        self._result = Result(value, deeds)
        self.doing.write("step", keyword="When", step=action.text, status="done")
        self.after_act(self.doing.scenario)

    # --- what is written beside scenarios

    def mark(self, name: str) -> None:
        """Write a mark; the hosts' copies of the journal are brought up to it first."""
        self.before_mark()
        self.journal.append("mark", mark=name)

    def note(self, text: str) -> None:
        """Write a note."""
        self.journal.append("note", text=text)

    def deviation(self, what: str, cause: str, **accepted: str) -> None:
        """Write a difference that is accepted, with its reason."""
        self.journal.append("deviation", scenario=self.doing.scenario.name, what=what, cause=cause, **accepted)

    def begin_fact(self, fact: Standing) -> None:
        """Begin a standing fact, with the value it is compared with from now on."""
        value = self.read(fact.value(self.plan)) if fact.value else ""
        self.journal.append("fact", name=fact.name, status="begun", value=value, **{"from": fact.since, "until": fact.until})

    def break_fact(self, name: str, unsettles: str) -> None:
        """Write that a standing fact does not hold; the runbook begins again at a scenario."""
        self.journal.append("fact", name=name, status="broken", unsettles=self.state.at_or_after(unsettles))

    # --- looks

    def look_at_standing(self, *standing: Standing) -> list[Looked]:
        """Look at standing facts, side by side; each is recorded only when it does not hold."""
        state = self.state
        found: list[Looked] = together(lambda one: attempted(one.name, lambda: self.read(one.look(self.plan, state))), standing)
        for one, looked in zip(standing, found, strict=True):
            if looked.outcome is not Outcome.HELD:
                self.write_look(Fact("Given", one.name, lambda: None), Phase.STANDING, looked)
        return found

    def _look_at_all_standing(self) -> None:
        facts = in_force(self.state, self.standing)
        for standing, looked in zip(facts, self.look_at_standing(*facts), strict=True):
            if looked.error:
                raise looked.error
            if looked.outcome is not Outcome.HELD:
                self.break_fact(standing.name, standing.unsettles)
                raise StandingFactBroken(
                    f"no longer so: {standing.name} ({looked.cause}); the same command begins again at: {standing.unsettles}"
                )

    def looked(self, fact: Fact, phase: Phase) -> Looked:
        """Look at a fact and record it; the last look of a Then may wait."""
        looked = self.attempt(fact)
        if phase is Phase.AFTER and fact.within_s and looked.outcome in {Outcome.NOT_HELD, Outcome.ABSENT}:
            looked = self._awaited(fact)
        self.write_look(fact, phase, looked)
        return looked

    def _awaited(self, fact: Fact) -> Looked:
        last: list[Looked] = []

        def again() -> Looked | None:
            last[:] = [self.attempt(fact)]
            return last[0] if last[0].outcome in {Outcome.HELD, Outcome.ERROR} else None

        try:
            return waiting.until(again, within_s=fact.within_s, message=lambda: fact.text)
        except TimedOut:
            return last[0]

    def attempt(self, fact: Fact) -> Looked:
        """Look at a fact once, without recording it."""
        self._checks = []

        def look() -> list[Check]:
            fact.call()
            return self._checks

        return attempted(fact.text, look, self._checks)

    def write_look(self, fact: Fact, phase: Phase, looked: Looked) -> None:
        """Record a look with its checks."""
        for check in looked.checks:
            self.doing.write("check", step=fact.text, phase=phase, **{name: getattr(check, name) for name in CHECK_FIELDS})
        self.doing.write("step", keyword=fact.keyword, step=fact.text, phase=phase, status=looked.outcome, cause=looked.cause)
