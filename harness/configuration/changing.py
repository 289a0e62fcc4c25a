"""The config is sent to the dest as it is, then changed there only where the plan says, in the file that wins for each key."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from harness.configuration.sources import sources
from harness.configuration.values import ConfigError
from harness.deed import Command, Role
from harness.sending import claim, send

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.configuration.values import Place
    from harness.deed import Act, Reading
    from harness.plan import Plan

WRITE = 'umask 077; cat > "$0.part" && chown --reference="$0" "$0.part" && chmod --reference="$0" "$0.part" && mv "$0.part" "$0"'


@dataclass(frozen=True, slots=True)
class Edit:
    """A config file of the source, and what is changed in it on the dest."""

    path: str
    text: str = field(repr=False)
    changes: Mapping[str, Any] = field(default_factory=dict)


def edited(text: str, changes: Mapping[str, Any], where: str = "the config") -> str:
    """Return a config file's text with some dotted keys changed; its comments, order and quotes stay."""
    if not changes:
        return text
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 4096
    try:
        document = editor.load(text) or {}
    except YAMLError as error:  # its own text quotes the file, secrets included
        raise ConfigError(f"{where} cannot be edited in place: {type(error).__name__} (a key stands twice?)") from None
    for key, value in changes.items():
        *parents, last = key.split(".")
        at = document
        for parent in parents:
            if not isinstance(at.get(parent), dict):
                at[parent] = {}
            at = at[parent]
        at[last] = value
    out = io.StringIO()
    editor.dump(document, out)
    return out.getvalue()


def edits(plan: Plan, more: Mapping[str, Any] | None = None) -> Reading[tuple[Edit, ...]]:
    """Return the source's config files, each with the planned changes that belong in it; raises ConfigError for one without a file.

    With `more`, those changes are in it too. A key belongs in the file that wins for it, a new key in the last one. What only
    the arguments or the environment say is changed where the dest's core is started.
    """
    whole = yield from sources(plan, Role.SOURCE)
    layers = {path: whole.layer(Role.SOURCE, path) for path in whole.files}
    wanted: dict[str, dict[str, Any]] = {path: {} for path in whole.files}
    for key, value in {**plan.planned_changes, **(more or {})}.items():
        place = next((path for path, layer in layers.items() if key in layer), None)
        if place is None and whole.started.sets(key):
            continue
        if place is None and not layers:
            raise ConfigError(f"the planned change of {key} has no file to go into: the source's config is in its start alone")
        wanted[place or list(layers)[-1]][key] = value
    return tuple(Edit(path, whole.files[path].decode(), changes) for path, changes in wanted.items())


def apart(plan: Plan, whole: tuple[Edit, ...]) -> list[str]:
    """Return the config files that are sent on their own; raises ConfigError for one that lies where nothing is sent to."""
    folders = [path.rstrip("/") for path in plan.core.config_paths]
    others = [edit.path for edit in whole if not any(edit.path.startswith(f"{folder}/") for folder in folders)]
    strange = [path for path in others if not path.startswith(f"{plan.core.app_path}/")]
    if strange:
        raise ConfigError(f"the core is started with {strange[0]}, which is in none of core.config_paths: name its folder there")
    return others


def transfer(plan: Plan, whole: tuple[Edit, ...], data: Iterable[Place] = ()) -> Act:
    """Send the config folders, and what lies apart (the override file); then write the planned changes into the copies.

    The product's own wizard lays the data into the config's folder: they are left out here, and arrive on their own.
    """
    alone, inside = apart(plan, whole), [place.path for place in data]
    for folder in (path.rstrip("/") for path in plan.core.config_paths):
        excludes = [f"--exclude={path.removeprefix(folder)}" for path in inside if path.startswith(f"{folder}/")]
        yield from claim(plan, Role.DEST, f"path {folder}")
        yield send(plan, f"{folder}/", options=("--delete", *excludes))
    for path in alone:
        yield from claim(plan, Role.DEST, f"path {path}")
        yield send(plan, path)
    for edit in whole:
        if edit.changes:
            yield written(edit)


def written(edit: Edit) -> Command:
    """Return the command that writes the planned changes into a file on the dest, at once, its owner and mode kept."""
    changed = edited(edit.text, edit.changes, f"{edit.path} on the {Role.SOURCE}")
    says = f"write the planned changes into {edit.path} on the dest ({', '.join(sorted(edit.changes))})"
    return Command(Role.DEST, ("sh", "-c", WRITE, edit.path), input=changed.encode(), private=True, says=says)
