"""What every kind of deploy can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from harness.deed import Command, Role


class Control(Protocol):
    """The commands that control a core; `status` exits 0 when it runs and 3 when it is stopped (as systemctl)."""

    def start(self, role: Role) -> Command:
        """Return the usual start command."""

    def stop(self, role: Role) -> Command:
        """Return the usual stop command."""

    def status(self, role: Role) -> Command:
        """Return the status command."""

    def logs(self, role: Role) -> Command:
        """Return the command that prints the core's log (exit 1: there is none yet)."""

    def fence(self, role: Role) -> Command:
        """Return the command after which neither a reboot nor the start command starts the core."""

    def unfence(self, role: Role) -> Command:
        """Return the command that takes the fence away."""

    def enable(self, role: Role) -> Command:
        """Return the command after which a boot starts the core; its status then says "enabled"."""

    def disable(self, role: Role) -> Command | None:
        """Return the command after which a boot does not start the core, where there is one."""
