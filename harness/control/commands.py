"""A core that is neither a unit nor a container: the plan gives the commands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.deed import Command, Role

if TYPE_CHECKING:
    from harness.plan.model import CommandControl


class ByCommands:
    """A core controlled by the commands that the plan gives."""

    def __init__(self, commands: CommandControl) -> None:
        self._commands = commands

    def start(self, role: Role) -> Command:
        """Return the plan's start command."""
        return Command(role, self._commands.start)

    def stop(self, role: Role) -> Command:
        """Return the plan's stop command."""
        return Command(role, self._commands.stop)

    def status(self, role: Role) -> Command:
        """Return the plan's status command."""
        return Command(role, self._commands.status, exits=(0, 3))

    def logs(self, role: Role) -> Command:
        """Return the plan's log command."""
        return Command(role, self._commands.logs, exits=(0, 1))

    def fence(self, role: Role) -> Command:
        """Return the plan's fence command."""
        return Command(role, self._commands.fence)

    def unfence(self, role: Role) -> Command:
        """Return the plan's unfence command."""
        return Command(role, self._commands.unfence)

    def enable(self, role: Role) -> Command:
        """Return the plan's command for starting the core at boot."""
        return Command(role, self._commands.enable)

    def disable(self, role: Role) -> Command | None:
        """Return the plan's command for not starting the core at boot."""
        return Command(role, self._commands.disable) if self._commands.disable else None
