"""The core's own config: read from its host, compared between hosts, changed only where the plan says.

Precedence (core-facts: verified on a real core): <app>/config/override-config.yml wins over everything, then the file given by
--config, then the core's defaults. This reader knows those files and the few defaults that a move needs; a config that is spread
over several files is refused, never guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from harness.check import Check, Witness, equal
from harness.deed import Ask, Command, Learn, Login, Role, Secret
from harness.errors import HarnessError
from harness.sending import claim, send

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.deed import Act, Reading
    from harness.plan import Plan

SECRET = re.compile(r"(secret|password|passphrase|pass|pwd|token|key|credentials?)$", re.IGNORECASE)
IN_URL = re.compile(r"^\w[\w+.-]*://[^/@\s:]*:([^/@\s]+)@")
DEFAULTS: dict[str, Any] = {
    "core": {"id": "single"},
    "http": {"ip": "127.0.0.1", "port": 3000, "hfsPort": 4000, "previewsPort": 3001},
    "storages": {
        "base": {"engine": "postgresql"},
        "platform": {"engine": "rqlite"},
        "series": {"engine": "postgresql"},
        "audit": {"engine": "sqlite"},
        "engines": {"postgresql": {"host": "127.0.0.1", "port": 5432, "database": "pryv-node", "user": "pryv"}},
    },
}


class ConfigError(HarnessError):
    """The core's config cannot be read for what it is."""


def merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """Return both mappings merged deeply, the second winning."""
    result = dict(low)
    for key, value in high.items():
        below = result.get(key)
        result[key] = merged(below, value) if isinstance(value, dict) and isinstance(below, dict) else value
    return result


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return {dotted key: leaf}; lists are leaves."""
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        leaves |= flat(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return leaves


def is_secret(key: str) -> bool:
    """Whether a dotted key names a secret, by the last word of it."""
    return bool(SECRET.search(key.rsplit(".", maxsplit=1)[-1]))


def _secrets(key: str, value: object) -> Iterator[str]:
    """Yield the secrets in a leaf of the config."""
    if isinstance(value, list):
        for item in value:
            for name, leaf in (flat(item) if isinstance(item, dict) else {key: item}).items():
                yield from _secrets(name, leaf)
    elif value and is_secret(key):
        yield str(value)
    elif isinstance(value, str) and (found := IN_URL.match(value)):
        yield found[1]


@dataclass(frozen=True, slots=True)
class Config:
    """A core's effective config: dotted keys, and the files it came from in the order in which they win."""

    values: Mapping[str, Any] = field(repr=False)
    files: tuple[str, ...]

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - a config value is any
        if key not in self.values:
            raise ConfigError(f"the core's config has no {key} (read: {', '.join(self.files)})")
        return self.values[key]

    def get(self, key: str, default: object = None) -> Any:  # noqa: ANN401 - a config value is any
        """Return a value or the default."""
        return self.values.get(key, default)

    def secrets(self) -> tuple[Secret, ...]:
        """Return every secret value, those inside of lists and URLs too."""
        return tuple(Secret(text) for key, value in self.values.items() for text in _secrets(key, value))

    def user_folders(self) -> tuple[str, ...]:
        """Return the folders that hold users' files."""
        paths = (value for key, value in self.values.items() if key.startswith("storages.") and isinstance(value, str))
        return tuple(sorted({path.rstrip("/") for path in paths if path.startswith("/") and path.strip("/").count("/") > 1}))

    def changed(self, changes: Mapping[str, Any]) -> Config:
        """Return this config with some dotted keys changed."""
        return Config({**self.values, **changes}, self.files)

    def login(self, host: Role) -> Login:
        """Return how the core signs in to its PostgreSQL."""
        part = "storages.engines.postgresql."
        address, port = str(self[f"{part}host"]), int(self[f"{part}port"])
        secret = Secret(str(self.get(f"{part}password", "")))
        return Login(host, address, port, str(self[f"{part}database"]), str(self[f"{part}user"]), secret)


def override_path(plan: Plan) -> str:
    """Return the file that silently wins over every other config of the core."""
    return f"{plan.core.app_path}/config/override-config.yml"


def _files(plan: Plan, role: Role) -> Reading[tuple[str, ...]]:
    """Find the config files, the winning one first."""
    where = (override_path(plan), *plan.core.config_paths)
    argv = ("find", *where, "-maxdepth", "1", "-type", "f", "(", "-name", "*.yml", "-o", "-name", "*.yaml", ")")
    found = (yield Ask(Command(role, argv, exits=(0, 1)))).lines
    override = [path for path in found if path == override_path(plan)]
    others = sorted(path for path in found if path != override_path(plan))
    if len(others) > 1:
        raise ConfigError(f"the {role} has several config files ({', '.join(others)}): name the one that the core is started with")
    return (*override, *others)


def effective(plan: Plan, role: Role) -> Reading[Config | None]:
    """Read the effective config of a role's core; None when there is no config file yet."""
    files = yield from _files(plan, role)
    if not files:
        return None
    texts = yield tuple(Ask(Command(role, ("cat", path), private=True)) for path in files)
    values: dict[str, Any] = DEFAULTS
    for path, text in reversed(list(zip(files, texts, strict=True))):
        values = merged(values, _parsed(path, text.text))
    config = Config(flat(values), files)
    yield Learn(config.secrets(), below=config.user_folders())
    return config


def of_source(plan: Plan) -> Reading[Config]:
    """Read the effective config of the source's core; raises ConfigError when it has none."""
    config = yield from effective(plan, Role.SOURCE)
    if config is None:
        raise ConfigError(f"the source has no config in {', '.join(plan.core.config_paths)}")
    return config


def _parsed(path: str, text: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        raise ConfigError(f"{path} is not YAML{f' (line {where.line + 1})' if where else ''}") from None
    if not isinstance(values, dict):
        raise ConfigError(f"{path} is not a mapping")
    return values


def edited(text: str, changes: Mapping[str, Any]) -> str:
    """Return a config file's text with some dotted keys changed; its comments, order and quotes stay."""
    editor = YAML()
    editor.preserve_quotes = True
    editor.width = 4096
    try:
        document = editor.load(text)
    except YAMLError as error:  # its own text quotes the file, secrets included
        raise ConfigError(f"the config cannot be edited in place: {type(error).__name__} (a key stands twice?)") from None
    for key, value in changes.items():
        *parents, last = key.split(".")
        at = document
        for parent in parents:
            at = at.setdefault(parent, {})
        at[last] = value
    out = io.StringIO()
    editor.dump(document, out)
    return out.getvalue()


def text_of(plan: Plan, role: Role) -> Reading[tuple[str, str]]:
    """Return path and text of the config file that the plan's changes belong in."""
    files = yield from _files(plan, role)
    if not files:
        raise ConfigError(f"the {role} has no config in {', '.join(plan.core.config_paths)}")
    text = yield Ask(Command(role, ("cat", files[-1]), private=True))
    return files[-1], text.out.decode()


WRITE = 'umask 077; cat > "$0.part" && chown --reference="$0" "$0.part" && chmod --reference="$0" "$0.part" && mv "$0.part" "$0"'


def transfer(plan: Plan, path: str, text: str) -> Act:
    """Send the config folders, then write the planned changes into the copy on the dest, in place and at once."""
    for folder in plan.core.config_paths:
        yield from claim(plan, Role.DEST, f"path {folder.rstrip('/')}")
        yield send(plan, f"{folder.rstrip('/')}/", options=("--delete",))
    changed = edited(text, plan.planned_changes)
    says = f"write the planned changes into {path} on the dest ({', '.join(sorted(plan.planned_changes))})"
    yield Command(Role.DEST, ("sh", "-c", WRITE, path), input=changed.encode(), private=True, says=says)


def _digests(config: Config, key: bytes) -> dict[str, str]:
    secret = {name: str(value) for name, value in config.values.items() if is_secret(name) and value}
    return {name: hmac.new(key, value.encode(), hashlib.sha256).hexdigest()[:16] for name, value in secret.items()}


def _shown(key: str, value: object) -> object:
    return "(a secret)" if any(_secrets(key, value)) else value


def differs_only_as_planned(plan: Plan, source: Config) -> Reading[Check]:
    """Look whether the dest's effective config is the source's with exactly the planned changes."""
    dest = yield from effective(plan, Role.DEST)
    name = "differences between the effective configs"
    if dest is None:
        return equal(name, Witness.FILES, "the planned ones", "no config on the dest", 0, absent=True)
    keys = sorted(source.values.keys() | dest.values.keys())
    missing = json.loads('"(not set)"')
    found = {key: _shown(key, dest.get(key, missing)) for key in keys if source.get(key, missing) != dest.get(key, missing)}
    planned = {key: value for key, value in plan.planned_changes.items() if source.get(key, missing) != value}
    why = "a key that differs by accident changes who the core is or where its data are"
    return equal(
        name, Witness.FILES, planned, found, len(keys), len(source.values), why=why, remedy="run again: the config is sent anew"
    )


def secrets_are_equal(plan: Plan, source: Config, key: bytes) -> Reading[Check]:
    """Look whether every secret of the source is the same on the dest, by keyed digests."""
    dest = yield from effective(plan, Role.DEST)
    expected = _digests(source, key)
    observed = {} if dest is None else _digests(dest, key)
    why = "a secret that changed ends sessions, links or the platform's e-mail index in silence"
    return equal("keyed digests of the secrets", Witness.FILES, expected, observed, len(observed), len(expected), why=why)


def no_override_wins(plan: Plan, source: Config) -> Reading[Check]:
    """Look whether the dest has an override file that the source has not; it would win over everything in silence."""
    files = yield from _files(plan, Role.DEST)
    why = "override-config.yml wins over --config, the command line and the environment without a word"
    return equal("config files, the winning one first", Witness.FILES, list(source.files), list(files), len(files), why=why)


def only_the_core_reads(plan: Plan) -> Reading[list[Check]]:
    """Look whether the files that hold secrets belong to the core and are closed to others."""
    files = yield from _files(plan, Role.DEST)
    listed = yield Ask(Command(Role.DEST, ("stat", "-c", "%U %a %n", *files)))
    found = {path: (owner, mode) for owner, mode, path in (text.split(" ", 2) for text in listed.lines)}
    owners = {path: owner for path, (owner, _) in found.items()}
    others = {path: f"{int(mode, 8) & 0o077:03o}" for path, (_, mode) in found.items()}
    remedy = "chown and chmod the file on the source, then run again"
    return [
        equal("owner", Witness.FILES, dict.fromkeys(files, plan.core.user), owners, len(owners), remedy=remedy),
        equal("rights of group and others", Witness.FILES, dict.fromkeys(files, "000"), others, len(others), remedy=remedy),
    ]
