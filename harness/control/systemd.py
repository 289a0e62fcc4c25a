"""A core that is a unit of systemd, also where its unit lies in /etc/systemd/system (which `systemctl mask` cannot mask).

The fence is a drop-in that asserts that a fence file is not there: a start is then refused whoever asks for it (a person, a boot, a
socket, a timer, another unit, Restart=), and the start command fails and says so. Both lie in the unit's own folder of drop-ins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.deed import Command, Role

if TYPE_CHECKING:
    from harness.plan.model import SystemdControl

OWN = "/etc/systemd/system"
DROP_IN = "zz-pryv-migration-fence.conf"  # drop-ins are read by name: a later one could take the assertion back
FENCE_FILE = "pryv-migration.fence"
# $0 is the unit, $1 its fence file, $2 the drop-in. A unit between two states is neither running nor stopped: exit 1.
STATUS = """\
shown=$(systemctl show --property=LoadState,ActiveState,UnitFileState,DropInPaths -- "$0") || exit 2
value() { printf '%s\\n' "$shown" | sed -n "s/^$1=//p"; }
case $(value ActiveState) in
    active|reloading) said=running; code=0 ;;
    inactive|failed) said=stopped; code=3 ;;
    *) said=$(value ActiveState); code=1 ;;
esac
[ "$(value LoadState)" = loaded ] || said="$said, $(value LoadState)"
case " $(value DropInPaths) " in
    *" $2 "*) [ ! -e "$1" ] || ! grep -qxF "AssertPathExists=!$1" "$2" 2>/dev/null || said="$said, fenced" ;;
esac
case $(value UnitFileState) in
    enabled) said="$said, enabled" ;;
    disabled|enabled-runtime|linked|linked-runtime|indirect) said="$said, disabled" ;;
    ?*) said="$said, $(value UnitFileState)" ;;
esac
echo "$said"
exit $code
"""
FENCE = """\
set -e
umask 022
mkdir -p -- "${2%/*}"
echo "The core of this unit has moved, or is being moved: it must not be started here." > "$1"
printf '[Unit]\\nAssertPathExists=!%s\\n' "$1" > "$2.part"
mv -- "$2.part" "$2"
sync -- "$1" "$2" "${2%/*}"
systemctl daemon-reload
"""
UNFENCE = """\
set -e
rm -f -- "$1" "$2" "$2.part"
[ ! -d "${2%/*}" ] || rmdir --ignore-fail-on-non-empty -- "${2%/*}"
systemctl daemon-reload
"""
# What a unit prints goes to its journal, or to the file that it names (`systemctl show` leaves the name out).
# Coloured lines are blobs to journalctl without --all.
LOGS = """\
unit=$0
where=$(systemctl cat -- "$unit" 2>/dev/null | sed -n "s/^[[:space:]]*StandardOutput[[:space:]]*=[[:space:]]*//p" | tail -n 1)
case $where in
    append:*|file:*|truncate:*) [ -e "${where#*:}" ] || exit 1; exec cat -- "${where#*:}" ;;
esac
[ -n "$(journalctl --quiet --all --output=cat --lines=1 --unit="$unit")" ] || exit 1
exec journalctl --quiet --no-pager --all --output=cat --unit="$unit" "$@"
"""
# The source's log is only asked for what came to it since the move began; a core may have written for years.
OF_LATE = "--since=-2d"


class BySystemd:
    """A core controlled by systemctl; its log is the unit's journal, whole on the dest, of the last two days on the source."""

    def __init__(self, part: SystemdControl) -> None:
        self.unit = part.unit_name
        folder = f"{OWN}/{self.unit}.d"
        self._fence = (f"{folder}/{FENCE_FILE}", f"{folder}/{DROP_IN}")

    @property
    def own_files(self) -> tuple[str, ...]:
        """Return the files of the fence."""
        return self._fence

    def start(self, role: Role) -> Command:
        """Return systemctl start."""
        return Command(role, ("systemctl", "start", self.unit))

    def stop(self, role: Role) -> Command:
        """Return systemctl stop."""
        return Command(role, ("systemctl", "stop", self.unit))

    def status(self, role: Role) -> Command:
        """Return what prints "running" or "stopped", and whether the unit is fenced and what a boot does with it."""
        return Command(role, ("sh", "-c", STATUS, self.unit, *self._fence), exits=(0, 1, 3))

    def logs(self, role: Role) -> Command:
        """Return what prints what the unit has printed."""
        since = (OF_LATE,) if role is Role.SOURCE else ()
        return Command(role, ("sh", "-c", LOGS, self.unit, *since), exits=(0, 1))

    def fence(self, role: Role) -> Command:
        """Return what makes the fence and has systemd read it."""
        return Command(role, ("sh", "-c", FENCE, self.unit, *self._fence), says=f"fence {self.unit} on the {role} (a drop-in)")

    def unfence(self, role: Role) -> Command:
        """Return what removes the fence, and nothing that is not its own."""
        return Command(role, ("sh", "-c", UNFENCE, self.unit, *self._fence))

    def enable(self, role: Role) -> Command:
        """Return systemctl enable."""
        return Command(role, ("systemctl", "enable", self.unit))

    def disable(self, role: Role) -> Command:
        """Return systemctl disable."""
        return Command(role, ("systemctl", "disable", self.unit))
