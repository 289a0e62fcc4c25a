"""Where a core's config comes from, read from its host.

Precedence (verified on the real core), the highest first: <app>/config/override-config.yml, the arguments, the environment, then
the file that --config (or the variable `config`) names or else config/$NODE_ENV-config.yml, then the tree's own paths and its
config/default-config.yml. A --config that names a missing file is passed over in silence, and no other is read in its place. What
the core derives from these by itself (core.url, service.api, …) is left out: it follows from them.

How the source's core was started is read from its running master. It is kept in the run's private folder, as it holds secrets, and
is known from there once the core is stopped. A core that was stopped before anybody looked is known by its unit, where it has one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from posixpath import normpath
from typing import TYPE_CHECKING, Any

from harness.configuration.started import CHOOSERS, Started, after_program, meaning_config
from harness.configuration.texts import LARGEST_BYTES, parsed
from harness.configuration.units import unit_of
from harness.configuration.values import DEFAULTS, Config, ConfigError, flat, overlaid, own_paths, secrets_of, top_keys
from harness.container import copied_out, described, shipped, with_pid
from harness.control import control
from harness.deed import Ask, Command, Keep, Learn, Role, Secret
from harness.host import python

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.container import Container
    from harness.deed import CommandResult, Reading
    from harness.plan import Plan

KEPT = "started"
RUNNING = "the running core"
KEPT_FROM = "kept from when the core ran"
UNIT = "the unit or the container of the stopped core"
PLANNED = "the plan's start command"
UNKNOWN = "not known"
SUFFIXES = (".yml", ".yaml", ".json")
ALONE = (
    "{path} is in the source's container alone, on no mount, and wins over every other config: it is lost with the container. "
    "Copy it out (docker cp), make the container anew with a mount for it, then run again"
)
FORBIDDEN = 5  # of harness/hostside/started.py


@dataclass(frozen=True, slots=True)
class Sources:
    """What a core's config is read from: its start, the files in the order in which they win, and what the tree ships.

    Files are named by where they are on the host, and what a container has from its image counts as shipped.
    """

    started: Started
    files: Mapping[str, bytes] = field(repr=False)
    shipped: Mapping[str, Any] = field(repr=False)
    override: str = ""
    container: Container | None = None

    def layer(self, role: Role, path: str) -> dict[str, Any]:
        """Return the flat layer of a file; raises ConfigError."""
        return flat(parsed(f"{path} on the {role}", self.files[path]))

    def config(self, role: Role) -> Config:
        """Return the effective config."""
        layers = {path: self.layer(role, path) for path in self.files}
        below = [layer for path, layer in reversed(layers.items()) if path != self.override]
        environment, arguments = self.started.layers()
        values = overlaid(self.shipped, *below, environment, arguments, layers.get(self.override, {}))
        return Config(values, tuple(self.files), self.started.known, self.started.folder, self.container)

    def secrets(self, role: Role) -> tuple[Secret, ...]:
        """Return the secrets of every layer: one that is overruled is a secret too."""
        layers = [*self.started.layers(), *(self.layer(role, path) for path in self.files)]
        return tuple(secret for layer in layers for secret in secrets_of(layer))


def override_path(plan: Plan) -> str:
    """Return the file that silently wins over every other config of the core."""
    return f"{plan.core.app_path}/config/override-config.yml"


def default_path(plan: Plan) -> str:
    """Return the file with the defaults that the core's tree ships."""
    return f"{plan.core.app_path}/config/default-config.yml"


# --- how the core was started


def masters(plan: Plan, role: Role) -> Reading[dict[str, Any]]:
    """Return what harness/hostside/started.py tells of a role's host; raises ConfigError when it may not be read."""
    arguments = (plan.core.app_path, plan.core.user, f"{plan.run_folder}/private/{KEPT}.json")
    asked = replace(python(role, "started", *arguments), private=True, exits=(0, FORBIDDEN))
    answer: CommandResult = yield Ask(with_pid(plan, asked))
    if answer.exit:
        remedy = "come as root or as the core's user (ssh.user, or become: sudo)"
        raise ConfigError(f"{answer.text} on the {role} may not be read, and the core's config may stand there: {remedy}")
    found: dict[str, Any] = answer.json()
    if len(found["running"]) > 1:
        raise ConfigError(f"the {role} runs {len(found['running'])} masters of the core: stop all but the one that serves users")
    return found


def seen(role: Role, process: Mapping[str, Any], tops: frozenset[str]) -> Started:
    """Return how a master was started; raises ConfigError for what is no text, naming where and never a value."""
    environment = meaning_config(process["environ"], tops)
    argv = after_program(process["argv"]) or ()
    for name, texts in (("environ", [*environment, *environment.values()]), ("cmdline", argv)):
        if not all(_is_utf8(text) for text in texts):
            raise ConfigError(
                f"/proc/{process['pid']}/{name} on the {role} is not UTF-8: the core would read other bytes than these"
            )
    return Started(argv, environment, process["cwd"], RUNNING)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def planned_start(plan: Plan) -> Started:
    """Return what the plan's start command says, where it names the core's program."""
    argv = after_program(control(plan).start(Role.SOURCE).argv)
    return Started(argv or (), {}, "", UNKNOWN if argv is None else PLANNED)


def _planned(plan: Plan, found: Mapping[str, Any]) -> Reading[dict[str, Any] | None]:
    """Return how the source's unit or container would start a core that nobody saw run, as of a process.

    None where that cannot be told.
    """
    if found["running"] or found["kept"] or plan.core.command:
        return None
    if plan.core.docker:
        container = yield from described(plan, Role.SOURCE)
        return container.process() if container else None
    unit = yield from unit_of(plan, Role.SOURCE)
    return unit.process()


def _before_files(plan: Plan, role: Role, found: Mapping[str, Any]) -> Started:
    """Return how the source was started, as far as it chooses config files; for the dest what is kept of it comes first."""
    if found["running"] and not (role is Role.DEST and found["kept"]):
        return seen(Role.SOURCE, found["running"][0], frozenset())
    if found["kept"]:
        kept = found["kept"]
        return Started(tuple(kept["argv"]), kept["environment"], kept["folder"], KEPT_FROM)
    if found["planned"]:
        return replace(seen(Role.SOURCE, found["planned"], frozenset()), known=UNIT)
    return planned_start(plan)


# --- files


def chosen_file(plan: Plan, started: Started) -> str:
    """Return the file that the start names, by --config or by NODE_ENV, whether it is there or not; nothing where it names none."""
    if named := started.chooser("config"):
        return normpath(PurePosixPath(started.folder or plan.core.app_path, named))
    environment = started.chooser("NODE_ENV")
    return f"{plan.core.app_path}/config/{environment}-config.yml" if environment else ""


def _listed(plan: Plan, role: Role, named: Sequence[str]) -> Reading[list[str]]:
    """Return the files of the host at the places where config may lie: those that are named, and in the config folders."""
    big = ("-size", f"+{LARGEST_BYTES // 1024}k", "-printf", "huge %p\\n", "-o", "-print")
    where = (*named, *plan.core.config_paths)
    argv = ("find", "-H", *dict.fromkeys(where), "-maxdepth", "1", "-type", "f", "(", *big, ")")
    answer: CommandResult = yield Ask(Command(role, argv, exits=(0, 1)))
    told = answer.err.decode(errors="replace").splitlines()
    if strange := [text for text in told if not text.endswith("No such file or directory")]:
        raise ConfigError(f"the {role}'s config cannot be looked for: {strange[0]}")
    if huge := [text.removeprefix("huge ") for text in answer.lines if text.startswith("huge ")]:
        relevant = [path for path in huge if path in where or path.endswith(SUFFIXES[:2])]
        if relevant:
            raise ConfigError(f"{relevant[0]} on the {role} is larger than {LARGEST_BYTES} bytes: that is no config")
    return answer.lines


def _files(plan: Plan, role: Role, started: Started, listed: Sequence[str], at: Mapping[str, str]) -> tuple[str, ...]:
    """Return the config files that the core reads, the winning one first; raises ConfigError when that cannot be told.

    `at` tells where on the host the core's own paths are.
    """
    override = [path for path in (at[override_path(plan)],) if path in listed]
    chosen = at.get(chosen_file(plan, started), "")
    if started.chooser("config") or chosen in listed:
        return (*override, *([chosen] if chosen in listed else []))
    if override and started.known in {RUNNING, KEPT_FROM, UNIT}:  # it is started without --config: it reads no other file
        return tuple(override)
    folders = [path.rstrip("/") for path in plan.core.config_paths]
    others = sorted(path for path in listed if path.endswith(SUFFIXES[:2]) and path.rpartition("/")[0] in folders)
    if len(others) > 1:
        raise ConfigError(f"the {role} has several config files ({', '.join(others)}): name the one that the core is started with")
    return (*override, *others)


def _readable(role: Role, path: str) -> str:
    if not path.endswith(SUFFIXES):
        raise ConfigError(f"{path} on the {role} is no YAML and no JSON: what a program makes of it is not known here")
    return path


def sources(plan: Plan, role: Role) -> Reading[Sources]:
    """Read everything that makes a role's config; the dest's core is to be started as the source's is, but for planned changes."""
    found = yield from masters(plan, Role.SOURCE)
    container = yield from described(plan, role)
    found["planned"] = yield from _planned(plan, found)
    started = _before_files(plan, role, found)
    chosen = chosen_file(plan, started)
    own = [path for path in (override_path(plan), default_path(plan), chosen) if path]
    at = {path: container.on_host(path) if container else "" if plan.core.docker else path for path in own}
    listed = yield from _listed(plan, role, [path for path in at.values() if path])
    files = [_readable(role, path) for path in _files(plan, role, started, listed, at)]
    default = [path for path in (at[default_path(plan)],) if path in listed]
    texts = yield tuple(Ask(Command(role, ("cat", path), private=True)) for path in (*files, *default))
    raw = {path: text.out for path, text in zip((*files, *default), texts, strict=True)}
    alone = [path for path, place in at.items() if not place]
    inside = yield from shipped(role, container, [path for path in alone if path != override_path(plan)])
    inside |= yield from copied_out(role, container, [path for path in alone if path == override_path(plan)])
    below = [raw.pop(path) for path in default] or [inside[path] for path in (default_path(plan),) if path in inside]
    given = flat(DEFAULTS)
    if below:
        given = overlaid(flat(parsed(f"{default_path(plan)} on the {role}", below[0])), own_paths(plan.core.app_path))
    if chosen in inside:
        given = overlaid(given, flat(parsed(f"{chosen} on the {role}", inside[chosen])))
    override = at[override_path(plan)] or override_path(plan)
    if override in inside:
        if role is Role.SOURCE:
            raise ConfigError(ALONE.format(path=override))
        raw = {override: inside[override], **raw}
    whole = Sources(started, raw, given, override, container)
    if started.known == RUNNING:
        whole = yield from _kept(whole, role, found)
    elif started.known == UNIT:
        whole = replace(whole, started=replace(_whole_start(whole, role, found["planned"]), known=UNIT))
    _refuse_another(whole, role)
    yield Learn(whole.secrets(role))
    return whole if role is Role.SOURCE else replace(whole, started=whole.started.changed(plan.planned_changes))


def _whole_start(whole: Sources, role: Role, process: Mapping[str, Any]) -> Started:
    layers = [whole.layer(role, path) for path in whole.files]
    return seen(Role.SOURCE, process, top_keys([whole.shipped, *layers]))


def _kept(whole: Sources, role: Role, found: Mapping[str, Any]) -> Reading[Sources]:
    """Return the sources with every variable that means config, and keep how the core was started when that is new."""
    started = _whole_start(whole, role, found["running"][0])
    content = started.kept()
    if role is Role.SOURCE and content != found["kept"]:
        yield Learn(tuple(secret for layer in started.layers() for secret in secrets_of(layer)))
        yield Keep(KEPT, content)
    return replace(whole, started=started)


def _refuse_another(whole: Sources, role: Role) -> None:
    """Refuse an override file that names the file to read below it: the core would follow it."""
    if whole.override in whole.files and any(name in whole.layer(role, whole.override) for name in CHOOSERS):
        raise ConfigError(f"{whole.override} on the {role} names another config file: say that where the core is started")


# --- the effective config


def effective(plan: Plan, role: Role) -> Reading[Config | None]:
    """Read the effective config of a role's core; None when it has no config yet, in no file and in no argument."""
    whole = yield from sources(plan, role)
    if not whole.files and not any(whole.started.layers()):
        return None
    config = whole.config(role)
    yield Learn(config.secrets(), below=config.user_folders())
    return config


def of_source(plan: Plan) -> Reading[Config]:
    """Read the effective config of the source's core; raises ConfigError when it has none."""
    config = yield from effective(plan, Role.SOURCE)
    if config is None:
        raise ConfigError(f"the source has no config in {', '.join(plan.core.config_paths)}")
    return config


def as_json(value: object) -> str:
    """Return a config's value as text that tells types apart."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
