"""A pytest plugin: the move as it is made where nobody looks. Every act is done, no fact that does not hold stops it.

So a fault that our checks would have stopped at goes on to the end, and the guide's own list (tests/guide_list.py) can be asked
what it sees of it. Only an act that cannot be done ends the move. The hosts run on.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from fixtures.hosts.world import World
from harness.errors import HarnessError
from harness.run import Run

if TYPE_CHECKING:
    from harness.run.values import Fact

REAL_FACT, REAL_STANDING = Run.fact, Run._look_at_all_standing


def _fact(run: Run, fact: Fact) -> None:
    with contextlib.suppress(HarnessError):
        REAL_FACT(run, fact)


def _standing(run: Run) -> None:
    with contextlib.suppress(HarnessError):
        REAL_STANDING(run)


def _keep(world: World) -> None:
    world.keep("the guide's own checks come")


def pytest_configure() -> None:
    """Go on over every fact that does not hold from now on."""
    patch = pytest.MonkeyPatch()
    patch.setattr(Run, "fact", _fact)
    patch.setattr(Run, "_look_at_all_standing", _standing)
    patch.setattr(World, "end", _keep)
