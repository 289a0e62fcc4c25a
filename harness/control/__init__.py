"""How a core is started, stopped, fenced and seen on its host: `CONTROLS` has one entry for each kind of deploy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.control.commands import ByCommands
from harness.control.docker import ByDocker
from harness.control.dokku import ByDokku
from harness.control.systemd import BySystemd

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.control.kind import Control
    from harness.plan import Plan

STOPPED = 3  # systemctl's code for a unit that does not run
# Each is made of the part of the plan that has its name.
CONTROLS: dict[str, Callable[[Any], Control]] = {
    "command": ByCommands,
    "docker": ByDocker,
    "dokku": ByDokku,
    "systemd": BySystemd,
}


def control(plan: Plan) -> Control:
    """Return the control for the plan's kind of deploy."""
    kind = plan.core.deploy
    return CONTROLS[kind](getattr(plan.core, kind))
