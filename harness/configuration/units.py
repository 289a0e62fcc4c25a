"""The unit of systemd that runs a core: its files as they lie on a host, what they say, and how it starts the core by them.

A unit's text is its fragment and its drop-ins in the order in which systemd reads them; the fence's own is no part of it. Read are
files, not what `systemctl show` makes of them: that puts arguments side by side without quotes.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.configuration.started import after_program, from_environment
from harness.configuration.values import ConfigError
from harness.control.systemd import BySystemd
from harness.deed import Ask, Command, Role

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from harness.deed import CommandResult, Reading
    from harness.plan import Plan

SHOWN = (
    "LoadState",
    "Id",
    "Names",
    "FragmentPath",
    "DropInPaths",
    "NeedDaemonReload",
    "UnitFileState",
    "StandardOutput",
    "TriggeredBy",
)
NOT_THERE = "not-found"
PREFIXES = "@-:+!"  # of a command: how it is run, no part of its path
# What systemd would put something else in place of: a specifier, a variable.
REPLACED = re.compile(r"%[^%]|\$")
MISSING = 4
READ = f'[ -e "$0" ] || exit {MISSING}; stat -L -c %a -- "$0" && exec cat -- "$0"'
Directive = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Text:
    """A file of a unit: what stands in it, and its mode (octal)."""

    text: str = field(repr=False)
    mode: str


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit on a host: what systemd says of it, its files in the order in which they count, and the environment files it names.

    Those that are not there are left out.
    """

    name: str
    said: Mapping[str, str]
    files: Mapping[str, Text]
    environment_files: Mapping[str, Text]

    @property
    def is_there(self) -> bool:
        """Whether the host has this unit."""
        return self.said.get("LoadState") != NOT_THERE

    @property
    def settings(self) -> dict[tuple[str, str], list[str]]:
        """Return {(section, key): its values in the end}: an empty value takes those before it away."""
        kept: dict[tuple[str, str], list[str]] = {}
        for section, key, value in (one for file in self.files.values() for one in directives(file.text)):
            kept[section, key] = [*kept.get((section, key), []), value] if value else []
        return {where: values for where, values in kept.items() if values}

    def values(self, key: str) -> list[str]:
        """Return the values of a key of [Service]."""
        return self.settings.get(("Service", key), [])

    def value(self, key: str) -> str:
        """Return the last value of a key of [Service], or nothing."""
        return next(reversed(self.values(key)), "")

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment that it gives; what the files say wins."""
        pairs = [word.partition("=") for value in self.values("Environment") for word in _words(value)]
        given = {name: text for name, _, text in pairs}
        for path in environment_paths(self.values("EnvironmentFile")):
            given |= dict(assignments(self.environment_files[path].text)) if path in self.environment_files else {}
        return given

    def process(self) -> dict[str, Any] | None:
        """Return how it starts the core, as harness/hostside/started.py tells of a process; None where that cannot be told."""
        commands = self.values("ExecStart")
        words = _words(commands[0].lstrip(PREFIXES)) if len(commands) == 1 else []
        folder = self.value("WorkingDirectory")
        if after_program(words) is None or any(REPLACED.search(text) for text in (*words, folder, *self.values("Environment"))):
            return None
        environ = [f"{name}={text}" for name, text in self.environment.items()]
        return {"pid": self.name, "argv": words, "environ": environ, "cwd": folder.lstrip("-") or "/"}


def directives(text: str) -> Iterator[Directive]:
    """Yield (section, key, value) of a unit's file: without comments, continued lines joined."""
    section = ""
    for line in _joined(text):
        if line.startswith("["):
            section = line.strip("[]")
        elif "=" in line:
            key, _, value = line.partition("=")
            yield section, key.strip(), value.strip()


def _joined(text: str) -> Iterator[str]:
    """Yield the lines that say something; one that ends with a backslash goes on in the next, comments between them left out."""
    begun = ""
    for line in text.splitlines():
        if line.lstrip().startswith(("#", ";")):
            continue
        if line.rstrip().endswith("\\"):
            begun += f"{line.rstrip()[:-1]} "
            continue
        whole, begun = f"{begun}{line}".strip(), ""
        if whole:
            yield whole


def assignments(text: str) -> Iterator[tuple[str, str]]:
    """Yield (name, value) of an environment file; a value in quotes is what stands in them."""
    for line in _joined(text):
        name, equals, value = line.partition("=")
        if equals:
            quoted = value.strip()[:1] in {"'", '"'}
            yield name.strip(), "".join(_words(value)) if quoted else value.strip()


def environment_paths(values: Sequence[str]) -> list[str]:
    """Return the environment files that a unit names; one with "-" before it need not be there."""
    return [value.removeprefix("-") for value in values]


def _words(text: str) -> list[str]:
    """Return the words of a value; raises ConfigError, without the text, where its quotes do not close."""
    try:
        return shlex.split(text)
    except ValueError:
        raise ConfigError("a value in the unit of the core has a quote that does not close") from None


def planned(text: str, changes: Mapping[str, Any], *, environment_file: bool = False) -> str:
    """Return the text of a unit, or of an environment file, with the planned changes in the variables that say them.

    A line that says none of them stays as it is, byte for byte.
    """
    change = _variable_changed if environment_file else _environment_changed
    return "".join(change(line, changes) for line in text.splitlines(keepends=True))


def _variable_changed(line: str, changes: Mapping[str, Any]) -> str:
    given = dict(assignments(line))
    new = {name: changed(name, text, changes) for name, text in given.items()}
    return line if new == given else "".join(f"{name}={_quoted(text)}\n" for name, text in new.items())


def _environment_changed(line: str, changes: Mapping[str, Any]) -> str:
    key, _, value = line.strip().partition("=")
    if key.strip() != "Environment":
        return line
    given = {name: text for name, _, text in (word.partition("=") for word in _words(value.removesuffix("\\")))}
    new = {name: changed(name, text, changes) for name, text in given.items()}
    if new == given:
        return line
    end = " \\" if value.endswith("\\") else ""
    return f"Environment={' '.join(_quoted(f'{name}={text}') for name, text in new.items())}{end}\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def changed(name: str, text: str, changes: Mapping[str, Any]) -> str:
    """Return the text of a variable, or what the plan makes of the config key that it says."""
    keys = list(from_environment({name: text}))
    if len(keys) != 1 or keys[0] not in changes:
        return text
    value = changes[keys[0]]
    return value if isinstance(value, str) else json.dumps(value)


def unit_of(plan: Plan, role: Role) -> Reading[Unit]:
    """Read the unit of a role's core, for a plan that deploys by systemd; the fence's drop-in is left out."""
    if plan.core.systemd is None:
        raise ConfigError(f"the core is deployed by {plan.core.deploy}: it has no unit")
    control = BySystemd(plan.core.systemd)
    asked: CommandResult = yield Ask(Command(role, ("systemctl", "show", f"--property={','.join(SHOWN)}", "--", control.unit)))
    said = dict(line.partition("=")[::2] for line in asked.lines)
    paths = [path for path in (said["FragmentPath"], *said["DropInPaths"].split()) if path and path not in control.own_files]
    unit = Unit(control.unit, said, (yield from _texts(role, paths)), {})
    named = environment_paths(unit.values("EnvironmentFile"))
    return Unit(unit.name, said, unit.files, (yield from _texts(role, named)))


def _texts(role: Role, paths: Sequence[str]) -> Reading[dict[str, Text]]:
    """Return {path: its text and mode} of those that are there."""
    if not paths:
        return {}
    asked = tuple(Ask(Command(role, ("sh", "-c", READ, path), private=True, exits=(0, MISSING))) for path in paths)
    answers: list[CommandResult] = yield asked
    return {path: _text(one) for path, one in zip(paths, answers, strict=True) if one.exit == 0}


def _text(read: CommandResult) -> Text:
    mode, _, text = read.out.decode(errors="replace").partition("\n")
    return Text(text, mode)
