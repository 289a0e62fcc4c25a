"""A core that is an app of Dokku (0.38 or newer), controlled by its command.

Dokku itself has nothing that keeps a person from starting an app: its restart policy counts from the next deploy on only, and
`ps:stop` takes it away from the containers anyway; its deploy lock is not asked by ps:start. What it has is plugins, whose hooks it
runs in the order of their names until one fails. The fence is a plugin of two hooks: `pre-start` (ps:start, and the boot's
ps:restore) and `scheduler-deploy` (everything that makes a container: ps:restart, ps:rebuild, ps:scale, config:set, a push), and a
third, `scheduler-run`, for one-off containers on the app's data. It refuses the apps that a file in its folder names, and no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.deed import Command, Role

if TYPE_CHECKING:
    from harness.plan.model import DokkuControl

PLUGINS = "/var/lib/dokku/plugins"
# Before all that Dokku brings but 00_dokku-standard, which has none of these hooks.
PLUGIN = "00_pryv-migration-fence"
HOOKS = {"pre-start": 1, "scheduler-deploy": 2, "scheduler-run": 2}  # and which of its arguments is the app
LONGEST_S = 900.0  # a start is a deploy, with its checks
EVERY_LINE = "1000000"  # without a number Dokku prints the last hundred
# $0 is the app, $1 the folder of plugins, $2 the fence's name there.
STATUS = """\
told=$(dokku ps:report "$0") || exit 2
value() { printf '%s\\n' "$told" | sed -n "s/^ *$1: *//p" | tail -n 1; }
case $(value Running) in
    true) said=running; code=0 ;;
    false) said=stopped; code=3 ;;
    *) said="running in part ($(value Running))"; code=1 ;;
esac
if [ -e "$1/available/$2/fenced/$0" ] && [ -x "$1/enabled/$2/pre-start" ] && [ -x "$1/enabled/$2/scheduler-deploy" ]; then
    said="$said, fenced"
fi
case $(value Restore) in
    true) said="$said, enabled" ;;
    false) said="$said, disabled" ;;
esac
echo "$said"
exit $code
"""
HOOK = """\
#!/bin/sh
# Dokku runs this before it starts something of an app; the app is argument {argument}.
[ ! -e "${{0%/*}}/fenced/${{{argument}}}" ] || {{
    echo " !     The app ${{{argument}}} is fenced: it has moved to another host, or is being moved" >&2
    exit 1
}}
"""
ABOUT = '[plugin]\\ndescription = "refuses to start apps that are moved to another host"\\nversion = "1.0.0"\\n[plugin.config]\\n'
FENCE = (
    'set -e; umask 022; own="$1/available/$2"; mkdir -p -- "$own/fenced"; '
    f"printf '{ABOUT}' > \"$own/plugin.toml\"; "
    + "".join(
        f'cat > "$own/{name}" <<\'HOOK\'\n{HOOK.format(argument=argument)}HOOK\nchmod 755 "$own/{name}"\n'
        for name, argument in HOOKS.items()
    )
    + ': > "$own/fenced/$0"; sync -- "$own"/* "$own/fenced/$0"\n'
    + '[ -e "$1/enabled/$2" ] || dokku plugin:enable "$2"\n'
)
UNFENCE = """\
set -e
own="$1/available/$2"
rm -f -- "$own/fenced/$0"
[ -z "$(ls -A "$own/fenced" 2>/dev/null)" ] || exit 0
[ ! -e "$1/enabled/$2" ] || dokku plugin:disable "$2"
rm -rf -- "$own"
"""
START = 'dokku ps:start "$0" && dokku proxy:build-config "$0"'
LOGS = 'told=$(dokku ps:report "$0" --deployed) || exit 2; [ "$told" = true ] || exit 1; exec dokku logs "$0" --quiet --num "$1"'


class ByDokku:
    """A core controlled by the dokku command; a start makes a new container, and builds the proxy's configuration anew."""

    def __init__(self, part: DokkuControl) -> None:
        self._app = part.app
        self._fence = (part.app, PLUGINS, PLUGIN)

    def start(self, role: Role) -> Command:
        """Return ps:start, and the building of the proxy's configuration once it has started."""
        return Command(role, ("sh", "-c", START, self._app), timeout_s=LONGEST_S)

    def stop(self, role: Role) -> Command:
        """Return ps:stop."""
        return Command(role, ("dokku", "ps:stop", self._app), timeout_s=LONGEST_S)

    def status(self, role: Role) -> Command:
        """Return what prints "running" or "stopped", whether the app is fenced, and whether a boot starts it."""
        return Command(role, ("sh", "-c", STATUS, *self._fence), exits=(0, 1, 3))

    def logs(self, role: Role) -> Command:
        """Return what prints the log of the app's container: those of containers before it are gone with them."""
        return Command(role, ("sh", "-c", LOGS, self._app, EVERY_LINE), exits=(0, 1))

    def fence(self, role: Role) -> Command:
        """Return what makes the plugin and has Dokku run it."""
        return Command(role, ("sh", "-c", FENCE, *self._fence), says=f"fence the app {self._app} on the {role} (a plugin)")

    def unfence(self, role: Role) -> Command:
        """Return what lets the app go, and removes the plugin where it fences no other."""
        return Command(role, ("sh", "-c", UNFENCE, *self._fence))

    def enable(self, role: Role) -> Command:
        """Return what has Dokku start the app at boot."""
        return Command(role, ("dokku", "ps:set", self._app, "restore", "true"))

    def disable(self, role: Role) -> Command:
        """Return what has Dokku not start the app at boot."""
        return Command(role, ("dokku", "ps:set", self._app, "restore", "false"))
