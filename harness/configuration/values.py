"""A core's config as values: dotted keys, layers that win over each other, secrets, engines and the places that it names."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.deed import Login, Role, Secret
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from harness.container import Container

SECRET = re.compile(r"(secret|password|passphrase|pass|pwd|token|key|credentials?)$", re.IGNORECASE)
SECRET_TOO = re.compile(r"(authorization|cookie|tokens|keyid)$", re.IGNORECASE)
IN_URL = re.compile(r"^\w[\w+.-]*://[^/@\s:]*:([^/@\s]+)@")
FILE_URL = "file://"
SAFE = 2**53  # from here on a double does not hold every whole number
KINDS = ("base", "platform", "series", "file", "audit")
ENGINES = "storages.engines"
RQLITE_DIR = f"{ENGINES}.rqlite.dataDir"
# Where data lie, by key; and for which kind and engine that counts. What the core makes anew by itself is a cache.
DATA: tuple[tuple[str, str, str], ...] = (
    (f"{ENGINES}.sqlite.path", "", ""),  # users' folders: also where no kind is in SQLite
    (f"{ENGINES}.filesystem.previewsDirPath", "", ""),
    (RQLITE_DIR, "platform", "rqlite"),
)
CACHES = frozenset({f"{ENGINES}.filesystem.previewsDirPath"})
# What a core keeps beside its data, used only where the switch is on (and "" is always on).
KEPT_BESIDE: tuple[tuple[str, str], ...] = (
    ("letsEncrypt.tlsDir", "letsEncrypt.enabled"),
    ("cluster.ca.path", "dns.domain"),
)
FILES = (
    "http.ssl.keyFile",
    "http.ssl.certFile",
    "http.ssl.caFile",
    f"{ENGINES}.rqlite.tls.caFile",
    f"{ENGINES}.rqlite.tls.certFile",
    f"{ENGINES}.rqlite.tls.keyFile",
    "letsEncrypt.onRotateScript",
    "customExtensions.defaultFolder",
    "customExtensions.customAuthStepFn",
    "services.email.templatesRootDir",
    "eventFiles.engine.modulePath",
)
# The store of one-time join tokens: one file, named where the switch is on.
TOKENS, TOKENS_SWITCH = "cluster.tokens.path", "dns.domain"
# What a core has where its tree ships no default-config.yml.
DEFAULTS: dict[str, Any] = {
    "core": {"id": "single"},
    "http": {"ip": "127.0.0.1", "port": 3000, "hfsPort": 4000, "previewsPort": 3001},
    "storages": {
        "base": {"engine": "postgresql"},
        "platform": {"engine": "rqlite"},
        "series": {"engine": "postgresql"},
        "audit": {"engine": "sqlite"},
        "engines": {
            "postgresql": {"host": "127.0.0.1", "port": 5432, "database": "pryv-node", "user": "pryv"},
            "rqlite": {
                "url": "http://localhost:4001",
                "raftPort": 4002,
                "dataDir": "var-pryv/rqlite-data",
                "binPath": "bin-ext/rqlited",
            },
        },
    },
}


class ConfigError(HarnessError):
    """The core's config cannot be read for what it is; the text names host and file, never a value."""


def number(value: float) -> float:
    """Return a number as JavaScript has it: all are doubles, and a whole one prints as an integer."""
    if isinstance(value, bool) or (isinstance(value, int) and abs(value) < SAFE):
        return value
    try:
        double = float(value)
    except OverflowError:
        double = math.inf if value > 0 else -math.inf
    return int(double) if double.is_integer() else double


def flat(values: Mapping[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Return {dotted key: leaf}; lists and empty mappings are leaves, a dot inside a key is written as backslash and dot."""
    leaves: dict[str, Any] = {}
    for key, value in values.items():
        name = prefix + str(key).replace(".", "\\.")
        leaves |= flat(value, f"{name}.") if isinstance(value, dict) and value else {name: value}
    return leaves


def overlaid(*layers: Mapping[str, Any]) -> dict[str, Any]:
    """Return flat layers as one, each winning over those before it, as a core reads a key: the first layer that has it tells.

    A mapping wins over a plain value below it; a plain value hides no key that lies deeper (as observed on the real core).
    """
    values: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            parts = key.split(".")
            for length in range(1, len(parts)):
                values.pop(".".join(parts[:length]), None)
            if value != {} or not any(one.startswith(f"{key}.") for one in values):
                values[key] = value
    return values


def own_paths(app: str) -> dict[str, Any]:
    """Return what the real core's tree puts in place of its defaults' "REPLACE ME" (config/plugins/paths-config.js)."""
    return {
        "storages.engines.sqlite.path": f"{app}/var-pryv/users",
        "storages.engines.filesystem.previewsDirPath": f"{app}/var-pryv/previews",
        "storages.engines.mongodb.mongoFolder": f"{app}/var-pryv/mongodb-bin",
        "customExtensions.defaultFolder": f"{app}/custom-extensions",
    }


def is_secret(key: str) -> bool:
    """Whether a dotted key names a secret, by the last word of it."""
    last = key.rsplit(".", maxsplit=1)[-1]
    return bool(SECRET.search(last) or SECRET_TOO.search(last))


def secrets_in(key: str, value: object) -> Iterator[str]:
    """Yield the secrets in a leaf of the config: what a key names, also in lists, and the passwords of URLs."""
    if isinstance(value, list):
        for item in value:
            for name, leaf in (flat(item) if isinstance(item, dict) else {key: item}).items():
                yield from secrets_in(name, leaf)
    elif value and value is not True and is_secret(key):
        yield str(value)
    elif isinstance(value, str) and (found := IN_URL.match(value)):
        yield found[1]


def secrets_of(values: Mapping[str, Any]) -> tuple[Secret, ...]:
    """Return every secret of a flat layer."""
    return tuple(Secret(text) for key, value in values.items() for text in secrets_in(key, value))


@dataclass(frozen=True, slots=True)
class Place:
    """A path that the config names under `key`; a `cache` is made anew by the core, `beside` is kept beside the core's data."""

    key: str
    path: str
    cache: bool = False
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Config:
    """A core's effective config: dotted keys, and the files it came from in the order in which they win.

    `known` says how its arguments and environment are known, `folder` is the one that its relative paths begin at. The core's own
    paths are in `values`; where each is on its host is told by `path` and the places, for a core in a container by that.
    """

    values: Mapping[str, Any] = field(repr=False)
    files: tuple[str, ...]
    known: str = ""
    folder: str = ""
    container: Container | None = None

    def __getitem__(self, key: str) -> Any:  # noqa: ANN401 - a config value is any
        if key not in self.values:
            raise ConfigError(f"the core's config has no {key} (read: {', '.join(self.files) or 'no file'})")
        return self.values[key]

    def get(self, key: str, default: object = None) -> Any:  # noqa: ANN401 - a config value is any
        """Return a value or the default."""
        return self.values.get(key, default)

    def secrets(self) -> tuple[Secret, ...]:
        """Return every secret value, those inside of lists and URLs too."""
        return secrets_of(self.values)

    def user_folders(self) -> tuple[str, ...]:
        """Return the folders that hold users' files."""
        own = [value for key, value in self.values.items() if key.startswith("storages.") and isinstance(value, str)]
        paths = [*own, *(self.container.on_host(path) for path in own if self.container)]
        return tuple(sorted({path.rstrip("/") for path in paths if path.startswith("/") and path.strip("/").count("/") > 1}))

    def changed(self, changes: Mapping[str, Any]) -> Config:
        """Return this config with some dotted keys changed."""
        return replace(self, values={**self.values, **changes})

    def engines(self) -> dict[str, str]:
        """Return the engine of each kind of storage that has one: base, platform, series, file, audit."""
        found = {kind: self.get(f"storages.{kind}.engine") for kind in KINDS}
        return {kind: str(engine) for kind, engine in found.items() if engine}

    def data_places(self) -> tuple[Place, ...]:
        """Return every path that the config names for data of the engines in use, and for what the core keeps beside them."""
        engines = self.engines()
        keys = [key for key, kind, engine in DATA if not kind or engines.get(kind) == engine]
        beside = {key for key, switch in KEPT_BESIDE if self.get(switch)}
        return tuple(Place(key, path, key in CACHES, key in beside) for key in (*keys, *sorted(beside)) for path in self._kept(key))

    def path(self, key: str) -> str:
        """Return where the data that a key names are on the host; raises ConfigError where that cannot be told."""
        found = self._kept(key)
        if not found:
            raise ConfigError(f"the core's config names no place by {key}")
        return found[0]

    def port(self, port: int) -> tuple[int, ...]:
        """Return the ports of the host by which a port of the core is reached: itself, but for a container's."""
        return (port,) if self.container is None else self.container.published(port)

    def named_files(self) -> tuple[Place, ...]:
        """Return every file or folder that the config names and that is no data: TLS files, extensions, file URLs."""
        keys = (*FILES, TOKENS) if self.get(TOKENS_SWITCH) else FILES
        found = [Place(key, path) for key in keys for path in self._on_host(self.get(key))]
        urls = [(key, value) for key, value in self.values.items() if isinstance(value, str) and value.startswith(FILE_URL)]
        return (*found, *(Place(key, path) for key, value in sorted(urls) for path in self._on_host(value.removeprefix(FILE_URL))))

    def _own(self, value: object) -> tuple[str, ...]:
        """Return the absolute path that a value is, or none; a relative one begins at the folder that the core runs in."""
        if not isinstance(value, str) or not value or "REPLACE" in value:
            return ()
        whole = PurePosixPath(self.folder or "/", value)
        return (str(whole),)

    def _on_host(self, value: object) -> tuple[str, ...]:
        """Return where a path is on the host; none for what a container has in its image alone."""
        own = self._own(value)
        return own if self.container is None else tuple(path for path in map(self.container.on_host, own) if path)

    def _kept(self, key: str) -> tuple[str, ...]:
        """Return where data are on the host; raises ConfigError for those that a container has nowhere else."""
        own, found = self._own(self.get(key)), self._on_host(self.get(key))
        if own and not found:
            raise ConfigError(
                f"the core keeps data in {own[0]} ({key}), which is in its container alone, on no mount and no volume: they are "
                "lost with it. Copy them out (docker cp), make the container anew with a mount for them, then run again"
            )
        return found

    def login(self, host: Role) -> Login:
        """Return how the core signs in to its PostgreSQL."""
        part = f"{ENGINES}.postgresql."
        address, port = str(self[f"{part}host"]), int(self[f"{part}port"])
        secret = Secret(str(self.get(f"{part}password", "")))
        return Login(host, address, port, str(self[f"{part}database"]), str(self[f"{part}user"]), secret)


def top_keys(layers: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the first words of the keys of flat layers."""
    return frozenset(key.split(".", 1)[0] for layer in layers for key in layer)
