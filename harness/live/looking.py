"""Looks at hosts before a run is opened: nothing is locked, recorded or left there."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from harness.deed import Command, Keep, Learn, Measured, Role
from harness.errors import HarnessError, LockHeld, NotKnownYet
from harness.masking import Masker
from harness.run.doing import together
from harness.run.driving import drive
from harness.run.dry import changes_nothing
from harness.run.folder import Holder, is_over, started, this_process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.deed import Reading
    from harness.run.performing import Performer

T = TypeVar("T")
FREE = b'{"holder": null}'


class Looks(Protocol):
    """Makes a look and returns what it has found."""

    def __call__(self, reading: Reading[T]) -> T:
        """Make the look."""


@contextmanager
def looking(performer: Performer) -> Iterator[Looks]:
    """Give what makes looks; errors are raised without the secrets that were read meanwhile."""
    masker = Masker()

    def observe(wanted: Any) -> Any:  # noqa: ANN401 - each observation has its own answer
        if isinstance(wanted, Learn):
            masker.know(*(secret.value for secret in wanted.secrets))
        if isinstance(wanted, Learn | Keep | Measured):
            return None
        return together(performer.observe, wanted) if isinstance(wanted, tuple) else performer.observe(wanted)

    try:
        yield lambda reading: drive(reading, observe)
    except HarnessError as error:
        masker.error(error)
        raise


class ReadOnly:
    """A performer that does nothing: deeds are refused, and so are the looks that would leave a file on a host."""

    def __init__(self, performer: Performer) -> None:
        self._performer = performer

    def do(self, deed: Any) -> Any:  # noqa: ANN401 - any deed
        """Refuse a deed."""
        raise NotKnownYet(f"nothing is done in a dry run: {deed}")

    def observe(self, observation: Any) -> Any:  # noqa: ANN401 - each observation has its own answer
        """Ask, if that leaves nothing on the host; raises NotKnownYet otherwise."""
        if not changes_nothing(observation):
            raise NotKnownYet("a list that is made on the host: not in a dry run")
        return self._performer.observe(observation)


def demand_free(performer: Performer) -> None:
    """Refuse while a run that lives holds a host; raises LockHeld, and Unreachable when a host does not answer."""
    plan = performer.plan
    for role in Role:
        asked = Command(role, ("cat", f"{plan.run_folder}/lock"), exits=(0, 1))
        answer = performer.hosts[role].run(asked)
        held = json.loads(FREE if answer.exit else answer.out)["holder"]
        holder = Holder(**held) if held else None
        if holder and not is_over(holder, this_process(plan, "dry run"), started(holder.pid)):
            raise LockHeld(f"the {role} is held by {holder.line}: a dry run is made before a run or after it")
