"""The unit of the core, where systemd runs it: whether it can be fenced and moved, and the source's unit on the dest.

The dest gets the source's unit with its drop-ins, and the environment files that do not come with the config. Variables that say
what the plan changes are changed in them. A unit that lies on the dest already, and not by this run, is compared and left alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.configuration.started import after_program, arguments, from_environment
from harness.configuration.units import assignments, changed, planned, unit_of
from harness.control.systemd import OWN
from harness.deed import Ask, Command, Role
from harness.errors import HalfDone
from harness.sending import claim

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.configuration.units import Text, Unit
    from harness.deed import Act, CommandResult, Reading
    from harness.plan import Plan

# What systemd must say of the source's unit. Nothing can be read of what a unit prints elsewhere than to its journal or a file.
WANTED = {
    "LoadState": ("loaded",),
    "NeedDaemonReload": ("no",),
    "UnitFileState": ("enabled", "disabled"),
    "StandardOutput": ("journal", "journal+console", "append", "file", "truncate"),
}
# Of [Service]: compared by what they come to, as a variable may stand in the unit or in a file.
START = ("ExecStart", "Environment", "EnvironmentFile", "WorkingDirectory")
# Where a host says what is started; the core's tree is named there by nothing but its unit.
STARTERS = (
    *(f"{folder}/systemd/system" for folder in ("/etc", "/run", "/usr/local/lib", "/usr/lib")),
    *("/etc/init.d", "/etc/rc.local", "/etc/inittab", "/etc/supervisor", "/etc/crontab", "/etc/cron.d", "/var/spool/cron"),
)
# Prints the files that name the tree $0, then how many were read.
NAMING = """\
tree=$0; count=0
for place; do
    [ -e "$place" ] || continue
    grep -rlF -- "$tree/" "$place"; [ $? -le 1 ] || exit 2
    count=$((count + $(find "$place" -type f | wc -l)))
done
echo "$count"
"""
PLACE = """\
set -e
umask 022; mkdir -p -- "${0%/*}"
umask 077; cat > "$0.part"
chmod "$1" "$0.part"
mv -- "$0.part" "$0"
sync -- "$0" "${0%/*}"
"""
FORGET = '[ ! -d "$0" ] || rmdir --ignore-fail-on-non-empty -- "$0"; systemctl daemon-reload'


# --- whether it can be moved


def unit_can_be_moved(plan: Plan) -> Reading[list[Check]]:
    """Look at the source's unit: systemd has read it as it lies there, a boot may be told to start it, the plan can change it."""
    unit = yield from unit_of(plan, Role.SOURCE)
    wanted = {"Id": (unit.name,), **WANTED}
    said = {key: unit.said.get(key, "") for key in wanted}
    held = all(said[key] in values for key, values in wanted.items())
    expected = {key: " or ".join(values) for key, values in wanted.items()}
    remedy = "name the unit itself in the plan, not another name of it; systemctl daemon-reload; give it an [Install] section"
    command = arguments(after_program((unit.process() or {"argv": ()})["argv"]) or ())
    with_config = [text for path, text in unit.environment_files.items() if _comes_with_config(plan, path)]
    given = {key for one in with_config for key in from_environment(dict(assignments(one.text)))}
    fixed = sorted((_keys(command) | given) & plan.planned_changes.keys())
    why = "what stands in the command wins over every file, and a unit's command is not changed by this move"
    return [
        Check(
            "what systemd says of the source's unit", Witness.PROCESSES, expected, said, held, len(said), len(said), remedy=remedy
        ),
        equal(
            "user that the unit runs the core as",
            Witness.FILES,
            plan.core.user,
            unit.value("User") or "root",
            why="whose the core's files and processes are is told by it",
            remedy="name it in the plan: core.user",
        ),
        equal(
            "planned changes that stand in the unit's command, or in its environment files among the config",
            Witness.FILES,
            [],
            fixed,
            1 + len(plan.planned_changes),
            why=why,
            remedy="move them into a config file, or into Environment= of the unit, and restart the source core",
        ),
    ]


def _keys(given: Mapping[str, Any]) -> set[str]:
    return {name.replace(":", ".") for name in given}


def nothing_else_starts_it(plan: Plan) -> Reading[list[Check]]:
    """Look for what starts the source core beside its unit: units that trigger it, and files that name its tree."""
    unit = yield from unit_of(plan, Role.SOURCE)
    triggers = sorted(unit.said.get("TriggeredBy", "").split())
    listed: CommandResult = yield Ask(Command(Role.SOURCE, ("sh", "-c", NAMING, plan.core.app_path, *STARTERS)))
    *naming, count = listed.lines
    own = {path.removeprefix("/usr") for path in unit.files}
    others = sorted({path for path in naming if path.removeprefix("/usr") not in own})
    return [
        equal(
            "units that trigger the source's unit",
            Witness.PROCESSES,
            [],
            triggers,
            1,
            why="the fence refuses them too, but they are not moved",
            remedy="make them on the dest yourself, then accept this (--waive)",
        ),
        equal(
            "files that may start the core beside its unit",
            Witness.FILES,
            [],
            others,
            int(count),
            why="the fence stops the unit, and nothing that runs the core's tree by itself",
            remedy="take it out of there; where it does not start the core, accept it (--waive)",
        ),
    ]


def users_of_unit_are_known(plan: Plan) -> Reading[Check]:
    """Look whether the dest knows the user and the group that the source's unit names."""
    unit = yield from unit_of(plan, Role.SOURCE)
    named = {"passwd": unit.value("User"), "group": unit.value("Group")}
    asked = tuple(Ask(Command(Role.DEST, ("getent", kind, name), exits=(0, 2))) for kind, name in named.items() if name)
    answers: list[CommandResult] = (yield asked) if asked else []
    missing = [one.command.argv[2] for one in answers if one.exit]
    remedy = "make them there, with the same numbers if files keep them"
    return equal("users and groups of the unit that the dest lacks", Witness.FILES, [], missing, 1 + len(answers), remedy=remedy)


# --- the dest gets it


def to_write(plan: Plan, unit: Unit) -> dict[str, Text]:
    """Return {path on the dest: what it is to hold}: the source's unit in /etc, its drop-ins, its environment files.

    Files that lie in the folders of the config come with the config.
    """
    fragment, *drop_ins = unit.files
    places = {fragment: f"{OWN}/{unit.name}", **{path: f"{OWN}/{unit.name}.d/{path.rpartition('/')[2]}" for path in drop_ins}}
    texts = {places[path]: replace(file, text=planned(file.text, plan.planned_changes)) for path, file in unit.files.items()}
    return texts | {
        path: replace(file, text=planned(file.text, plan.planned_changes, environment_file=True))
        for path, file in unit.environment_files.items()
        if not _comes_with_config(plan, path)
    }


def _comes_with_config(plan: Plan, path: str) -> bool:
    return any(path.startswith(f"{folder.rstrip('/')}/") for folder in plan.core.config_paths)


def both_units(plan: Plan) -> Reading[tuple[Unit, Unit]]:
    """Read the unit on the source and on the dest."""
    source = yield from unit_of(plan, Role.SOURCE)
    return source, (yield from unit_of(plan, Role.DEST))


def install_unit(plan: Plan, source: Unit, dest: Unit, mine: set[str]) -> Act:
    """Write the source's unit on the dest; raises HalfDone where another lies there, which is left as it is."""
    if dest.is_there and f"path {OWN}/{dest.name}" not in mine:
        raise HalfDone(f"the dest has a unit {dest.name} that is not the source's, and not by this run: change or remove it there")
    for path, file in to_write(plan, source).items():
        yield from claim(plan, Role.DEST, f"path {path}")
        says = f"write {path} on the dest"
        yield Command(Role.DEST, ("sh", "-c", PLACE, path, file.mode), input=file.text.encode(), private=True, says=says)
    yield Command(Role.DEST, ("systemctl", "daemon-reload"), says="the dest's systemd reads its units anew")


def forget_unit(plan: Plan, mine: set[str]) -> Act:
    """Have the dest's systemd forget the unit that this run made there, once its files are removed."""
    if plan.core.systemd and f"path {OWN}/{plan.core.systemd.unit_name}" in mine:
        folder = f"{OWN}/{plan.core.systemd.unit_name}.d"
        yield Command(Role.DEST, ("sh", "-c", FORGET, folder), says="the dest's systemd forgets the unit that was removed")


def unit_is_forgotten(plan: Plan, mine: set[str]) -> Reading[list[Check]]:
    """Look whether the dest's systemd still knows the unit that this run made there; nothing where it made none."""
    if plan.core.systemd is None or f"path {OWN}/{plan.core.systemd.unit_name}" not in mine:
        return []
    argv = ("systemctl", "show", "--property=FragmentPath", "--value", "--", plan.core.systemd.unit_name)
    known = (yield Ask(Command(Role.DEST, argv))).text
    expected = f"not {OWN}/{plan.core.systemd.unit_name}"
    held = known != expected.removeprefix("not ")
    return [Check("where the dest's systemd has the unit from", Witness.PROCESSES, expected, known or "no unit", held, 1)]


def unit_is_the_same(plan: Plan) -> Reading[list[Check]]:
    """Look whether the dest's unit says what the source's does, and starts the core in the same way but for the planned changes."""
    source, dest = yield from both_units(plan)
    name = "settings of the unit that differ"
    if not dest.is_there:
        return [equal(name, Witness.FILES, [], "no such unit on the dest", 0, absent=True)]
    read = equal(
        "NeedDaemonReload", Witness.PROCESSES, "no", dest.said.get("NeedDaemonReload"), remedy="systemctl daemon-reload there"
    )
    expected, observed = _settings(source), _settings(dest)
    different = sorted(".".join(where) for where in expected.keys() | observed.keys() if expected.get(where) != observed.get(where))
    remedy = "make the dest's unit say what the source's says, or remove it: this run then makes it"
    settings = equal(name, Witness.FILES, [], different, len(observed), remedy=remedy)
    return [read, settings, _starts_the_same(plan, source, dest)]


def _settings(unit: Unit) -> dict[tuple[str, str], list[str]]:
    return {where: values for where, values in unit.settings.items() if where[0] != "Service" or where[1] not in START}


def _starts_the_same(plan: Plan, source: Unit, dest: Unit) -> Check:
    """Compare what both units start; a variable's value is not shown, as it may be a secret."""
    expected, observed = _start(plan, source, plan.planned_changes), _start(plan, dest, {})
    different = sorted(key for key in expected.keys() | observed.keys() if expected.get(key) != observed.get(key))
    why = "what stands in the unit wins over the config files"
    name = "what the unit starts, where it differs"
    return equal(name, Witness.FILES, [], different, len(observed), len(expected), why=why, remedy="correct the dest's unit")


def _start(plan: Plan, unit: Unit, changes: Mapping[str, Any]) -> dict[str, object]:
    """Return {what: its value}: the command, the folder, each variable; those in files that come with the config are left out."""
    files = {path: text for path, text in unit.environment_files.items() if not _comes_with_config(plan, path)}
    here = replace(unit, environment_files=files)
    given = {f"variable {name}": changed(name, text, changes) for name, text in here.environment.items()}
    return {
        "command": unit.values("ExecStart"),
        "folder": unit.value("WorkingDirectory"),
        "files": unit.values("EnvironmentFile"),
        **given,
    }
