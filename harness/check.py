"""A check: one expected-versus-observed comparison, with what it examined."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How a look ended."""

    HELD = "held"
    NOT_HELD = "not held"
    ABSENT = "absent"
    ERROR = "error"


class Witness(StrEnum):
    """Where the evidence of a check comes from."""

    SQL = "sql"
    FILES = "files"
    API = "api"
    DNS = "dns"
    LOG = "log"
    PROCESSES = "processes"
    SSH = "ssh"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Check:
    """What was expected, what was observed, and of how many things.

    `expected` and `observed` are JSON values. `examined` counts the things looked at and must reach `minimum`, which is at least
    one. `absent` is said by a check that looked and found the thing not there yet, with the act still to come. `why` says why it
    matters and `remedy` what to do, for the operator who reads a red line at night.
    """

    name: str
    witness: Witness
    expected: Any
    observed: Any
    held: bool
    examined: int
    minimum: int = 1
    absent: bool = False
    why: str = ""
    remedy: str = ""

    @property
    def outcome(self) -> Outcome:
        """Held only if the comparison held and enough was examined."""
        if self.absent:
            return Outcome.ABSENT
        if self.examined < max(1, self.minimum):
            return Outcome.NOT_HELD
        return Outcome.HELD if self.held else Outcome.NOT_HELD

    @property
    def shortfall(self) -> str:
        """Why a check that compared well is still not held, or nothing."""
        least = max(1, self.minimum)
        return f"examined {self.examined} of at least {least}" if self.examined < least else ""


def equal(
    name: str,
    witness: Witness,
    expected: object,
    observed: object,
    examined: int = 1,
    minimum: int = 1,
    *,
    absent: bool = False,
    why: str = "",
    remedy: str = "",
) -> Check:
    """Return the check that two JSON values are equal."""
    return Check(name, witness, expected, observed, expected == observed, examined, minimum, absent, why, remedy)
