"""Every error that this project raises on purpose.

HarnessError
├── PlanError            the plan has problems (all of them, each with its path)
├── CollectError         the features or steps are not a runbook (all problems)
├── Refused              nothing was changed, and nothing may be (exit code 13)
│   ├── LockHeld         another run holds a host
│   └── LossNotAccepted  users have written on the dest, and no person accepts that this is lost
├── StoppedForApproval   a gate waits for a person's yes (exit code 12)
├── StoppedByOperator    the operator pressed Ctrl-C
├── Stuck                a run that has frozen the source cannot be taken up
├── JournalBroken        the record cannot be written or its chain does not hold
├── Unreachable          a host or server did not answer; says what was being done
│   ├── HostKeyRefused   the host's key is not the pinned one
│   └── NotLetBecomeRoot sudo does not make us root without a question
├── DeedFailed           a deed was answered with something else than success; carries its result
├── TakenOver            another machine goes on with this run: the hosts refuse our deeds
├── NotKnownYet          a dry run has done nothing, so nobody has this answer
├── NotHeld              a fact of a step does not hold (its checks are in the record)
├── HalfDone             what an act would make is partly there, and not by this run
├── StandingFactBroken   a fact that must hold until a mark does not
├── NothingExamined      a step recorded no check, or a check examined less than its minimum
└── TimedOut             a wait reached its deadline
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


class HarnessError(Exception):
    """The base of all errors raised on purpose; its text is for the operator."""


class Problems(HarnessError):
    """An error that lists every problem found, not only the first."""

    def __init__(self, headline: str, problems: Sequence[str]) -> None:
        self.headline = headline
        self.problems = tuple(problems)
        super().__init__("\n".join([headline, *(f"  - {problem}" for problem in self.problems)]))


class PlanError(Problems):
    """The plan cannot be used."""


class CollectError(Problems):
    """The features and steps do not form a runbook."""


class Refused(HarnessError):
    """The run may not go on; nothing was changed."""


class LockHeld(Refused):
    """Another run holds a host's run folder."""


class LossNotAccepted(Refused):
    """Users have written on the dest, and no person accepts that this is lost; both hosts are as they were."""


class Stuck(HarnessError):
    """A run that has frozen the source cannot be taken up; says since when users wait."""


class StoppedForApproval(HarnessError):
    """A gate waits for a person's yes."""


class StoppedByOperator(HarnessError):
    """The operator pressed Ctrl-C: the deed being done was ended, and nothing after it was begun."""


class JournalBroken(HarnessError):
    """The record cannot be written, or its chain does not hold."""


class Unreachable(HarnessError):
    """A host or server did not answer."""

    def __init__(self, who: str, doing: str, cause: str) -> None:
        self.who = who
        self.doing = doing
        self.cause = cause
        super().__init__(f"{who} is unreachable while {doing}: {cause}")


class HostKeyRefused(Unreachable):
    """A host answered with a key that is not the pinned one."""


class NotLetBecomeRoot(Unreachable):
    """A host was reached, but its sudo does not make us root without a question: nothing can be looked at, or done."""


class DeedFailed(HarnessError):
    """A deed ended badly; `result` holds what it answered."""

    def __init__(self, message: str, result: object = None) -> None:
        self.result = result
        super().__init__(message)


class TakenOver(HarnessError):
    """Another machine goes on with this run, and the hosts refuse our deeds."""


class NotKnownYet(HarnessError):
    """A dry run has done nothing, so nobody has this answer."""


class NotHeld(HarnessError):
    """A fact does not hold."""


class HalfDone(HarnessError):
    """What an act would make is partly there, and not known to be this run's."""


class StandingFactBroken(HarnessError):
    """A fact that must hold until a mark does not hold."""


class NothingExamined(HarnessError):
    """A step looked at nothing."""


class TimedOut(HarnessError):
    """A wait reached its deadline."""
