"""How a core was started: what its arguments and its environment say of its config, read as the core reads them.

Observed on the real core (nconf 0.12 with yargs 16): values of both are parsed as JSON twice, text stays text where it is none;
`a__b=c` and `--a:b=c` nest, `--a.b=c` too; `undefined` is not set; an argument that is given twice is a list.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.configuration.values import SAFE, ConfigError, flat, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

MASTERS = ("master", "master.js", "master.py")
SEPARATOR = "__"
# What chooses a config file; not values of the config.
CHOOSERS = ("config", "NODE_ENV")
NUMBER = re.compile(r"-?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?", re.ASCII)
HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]+")
NEGATIVE = re.compile(r"-[0-9]+(?:\.[0-9]+)?(?:\s|$)|-\.[0-9]+")
UNSET = object()


def _not_json(text: str) -> Any:  # noqa: ANN401 - it raises
    raise ValueError(text)


def _as_text(value: object) -> str:
    """Return a value as JavaScript makes text of it: a list's items joined by commas."""
    if isinstance(value, list):
        return ",".join("" if item is None else _as_text(item) for item in value)
    if isinstance(value, dict):
        return "[object Object]"
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def _parsed(value: Any) -> Any:  # noqa: ANN401 - JSON is any
    """Return a value as the core parses it once."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = value if isinstance(value, str) else _as_text(value)
    try:
        found = json.loads(text, parse_constant=_not_json, parse_float=lambda one: number(float(one)))
    except (ValueError, RecursionError):
        return UNSET if value == "undefined" else value
    return number(found) if isinstance(found, int | float) else found


def value_of(value: Any) -> Any:  # noqa: ANN401 - JSON is any
    """Return what the core makes of the text of an argument or variable, or UNSET: parsed twice, as JSON where it is some."""
    once = _parsed(value)
    return once if once is UNSET else _parsed(once)


def _put(values: dict[str, Any], path: Sequence[str], value: object) -> None:
    if value is UNSET:
        return
    at = values
    for part in path[:-1]:
        if not isinstance(at.get(part), dict):
            at[part] = {}
        at = at[part]
    at[path[-1]] = value


def from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the flat layer of the variables that mean config."""
    values: dict[str, Any] = {}
    for name, text in environment.items():
        _put(values, name.replace(SEPARATOR, ":").split(":"), value_of(text))
    return {key: value for key, value in flat(values).items() if key not in CHOOSERS}


def _coerced(text: str) -> str | float:
    """Return an argument's text as yargs hands it on: without quotes around it, a number where it looks like one."""
    if len(text) > 1 and text[0] in "'\"" and text[-1] == text[0]:
        text = text[1:-1]
    if HEXADECIMAL.fullmatch(text):
        found: float = int(text, 16)
    elif NUMBER.fullmatch(text) and not re.match(r"0[^.]", text):
        found = number(float(text))
    else:
        return text
    return found if abs(found) < SAFE else text


def _pairs(words: Sequence[str]) -> Iterable[tuple[str, str | bool]]:
    """Yield name and text of each long option; words that belong to none are passed over, as the core does."""
    at = 0
    while at < len(words) and words[at] != "--":
        word, after = words[at], words[at + 1] if at + 1 < len(words) else None
        at += 1
        if re.match(r"--[^-=]", word) is None:
            continue
        name, equals, text = word[2:].partition("=")
        if equals:
            yield name, text
        elif name.startswith("no-"):
            yield name[3:], False
        elif after is not None and (not after.startswith("-") or NEGATIVE.match(after)):
            yield name, after
            at += 1
        else:
            yield name, True


def arguments(words: Sequence[str]) -> dict[str, Any]:
    """Return {option: value} as yargs gives them: one that is given twice has a list, dots in its name make mappings."""
    found: dict[str, Any] = {}
    for name, text in _pairs(words):
        *parents, last = name.split(".")
        at = found
        for parent in parents:
            at[parent] = at[parent] if isinstance(at.get(parent), dict) else {}
            at = at[parent]
        value = _coerced(text) if isinstance(text, str) else text
        before = at.get(last, [])
        at[last] = [*(before if isinstance(before, list) else [before]), value] if last in at else value
    return found


def from_arguments(words: Sequence[str]) -> dict[str, Any]:
    """Return the flat layer of the arguments that mean config."""
    values: dict[str, Any] = {}
    for name, value in arguments(words).items():
        _put(values, name.split(":"), value_of(value))
    return {key: value for key, value in flat(values).items() if key not in CHOOSERS}


@dataclass(frozen=True, slots=True)
class Started:
    """How a core was started: arguments after the program, variables that mean config, working folder, and how that is known."""

    argv: tuple[str, ...] = field(default=(), repr=False)
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    folder: str = ""
    known: str = ""
    changes: Mapping[str, Any] = field(default_factory=dict)

    def changed(self, changes: Mapping[str, Any]) -> Started:
        """Return how a core is to be started where some config keys change: those that stand here change here."""
        return Started(self.argv, self.environment, self.folder, self.known, changes)

    def layers(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the flat layers of the environment and, winning over it, of the arguments."""
        environment, arguments_ = from_environment(self.environment), from_arguments(self.argv)
        return self._with_changes(environment), self._with_changes(arguments_)

    def _with_changes(self, layer: dict[str, Any]) -> dict[str, Any]:
        return layer | {key: value for key, value in self.changes.items() if key in layer}

    def sets(self, key: str) -> bool:
        """Whether a key stands in the arguments or the environment."""
        return any(key in layer for layer in self.layers())

    def chooser(self, name: str) -> str:
        """Return what the arguments, else the environment, say of `config` or `NODE_ENV`; nothing where they do not."""
        given = arguments(self.argv).get(name, self.environment.get(name, ""))
        if not isinstance(given, str | int | float) or isinstance(given, bool):
            raise ConfigError(f"the core is started with more than one {name}, or with none after it")
        return str(given)

    def kept(self) -> dict[str, Any]:
        """Return what is kept of it in the run's private folder (JSON)."""
        return {"argv": list(self.argv), "environment": dict(self.environment), "folder": self.folder}

    def shown(self) -> dict[str, Any]:
        """Return {where and key: value}, with what chooses files; secrets as they are: not to be recorded so."""
        environment, arguments_ = self.layers()
        choosers = {f"environment {name}": self.environment[name] for name in CHOOSERS if name in self.environment}
        given = {f"argument {name}": value for name, value in arguments(self.argv).items() if name in CHOOSERS}
        named = {f"environment {key}": value for key, value in environment.items()}
        return {**choosers, **given, **named, **{f"argument {key}": value for key, value in arguments_.items()}}


def after_program(argv: Sequence[str]) -> tuple[str, ...] | None:
    """Return the arguments after the core's program (bin/master…); None where no word names it."""
    at = next((at for at, word in enumerate(argv) if word.rpartition("/")[2] in MASTERS), None)
    return None if at is None else tuple(argv[at + 1 :])


def meaning_config(environ: Iterable[str], tops: frozenset[str]) -> dict[str, str]:
    """Return the variables ("NAME=text") that mean config: with "__" inside their name, a first word of the config, a chooser."""
    pairs = (one.partition("=") for one in environ)
    return {
        name: text for name, _, text in pairs if SEPARATOR in name.strip("_") or name.partition(":")[0] in tops or name in CHOOSERS
    }
