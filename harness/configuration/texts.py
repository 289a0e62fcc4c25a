"""The text of a config file as the core reads it (js-yaml 4: YAML 1.2), or a ConfigError that names the file and no value.

What PyYAML's own loader reads otherwise: yes, no, on, off and 12:30 are texts, 1e3 is a number, 012 is twelve, a date stays a
text here. A key that stands twice is refused, as the core refuses it. Aliases are counted out before anything is built of them.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from harness.configuration.values import ConfigError, number

LARGEST_BYTES = 1 << 20
MOST_NODES = 100_000
DEEPEST = 200
INTEGER = re.compile(r"[-+]?(?:0b[01]+|0o[0-7]+|0x[0-9A-Fa-f]+|[0-9]+)\Z")
FLOAT = re.compile(
    r"(?:[-+]?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|\.[0-9]+(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)
TAG = "tag:yaml.org,2002:"


class _Loader(yaml.CSafeLoader):
    """PyYAML's quick parser with the words of YAML 1.2."""


def _integer(loader: _Loader, node: ScalarNode) -> float:
    text = str(loader.construct_scalar(node))
    sign, digits = (-1 if text.startswith("-") else 1), text.lstrip("+-")
    base = {"0b": 2, "0o": 8, "0x": 16}.get(digits[:2], 10)
    return number(sign * int(digits[2:] if base != 10 else digits, base))  # noqa: PLR2004 - ten has no prefix


def _float(loader: _Loader, node: ScalarNode) -> float:
    text = str(loader.construct_scalar(node)).lower()
    return number(float(text.replace(".inf", "inf").replace(".nan", "nan")))


_Loader.yaml_implicit_resolvers = {}
_Loader.add_implicit_resolver(f"{TAG}null", re.compile(r"(?:~|null|Null|NULL|)\Z"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver(f"{TAG}bool", re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF"))
_Loader.add_implicit_resolver(f"{TAG}int", INTEGER, list("-+0123456789"))
_Loader.add_implicit_resolver(f"{TAG}float", FLOAT, list("-+.0123456789"))
_Loader.add_implicit_resolver(f"{TAG}merge", re.compile(r"<<\Z"), ["<"])
_Loader.add_constructor(f"{TAG}int", _integer)
_Loader.add_constructor(f"{TAG}float", _float)


def refuse_huge(where: str, size: int) -> None:
    """Raise ConfigError for a file that is no config by its size."""
    if size > LARGEST_BYTES:
        raise ConfigError(f"{where} is larger than {LARGEST_BYTES} bytes: that is no config")


def parsed(where: str, raw: bytes) -> dict[str, Any]:
    """Return the mapping in a config file's bytes; raises ConfigError, which says `where` and what is wrong, and never a value."""
    refuse_huge(where, len(raw))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where} is not UTF-8 (byte {error.start})") from None
    values = _loaded(where, text)
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{where} is not a mapping")
    return values


@lru_cache(maxsize=32)
def _loaded(where: str, text: str) -> Any:  # noqa: ANN401 - YAML is any
    if where.endswith(".json"):
        return _json(where, text)
    _refuse_deep(where, text)
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _refuse_bad(where, node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:  # its own text quotes the file, secrets included
        mark = getattr(error, "problem_mark", None)
        raise ConfigError(f"{where} is not YAML{f' (line {mark.line + 1})' if mark else ''}") from None
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:  # a tag that does not fit its text
        raise ConfigError(f"{where} holds what cannot be read as config ({type(error).__name__})") from None


def _json(where: str, text: str) -> Any:  # noqa: ANN401 - JSON is any
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(f"{where} is not JSON") from None


def _refuse_deep(where: str, text: str) -> None:
    """Refuse text whose nesting could exhaust the parser, before it is parsed: brackets, and steps of indentation."""
    depth = deepest = 0
    for sign in text:
        depth += (sign in "[{") - (sign in "]}")
        deepest = max(deepest, depth)
    indented = max((len(line) - len(line.lstrip(" -?")) for line in text.splitlines()), default=0)
    if deepest > DEEPEST or indented > 2 * DEEPEST:
        raise ConfigError(f"{where} is nested too deep for a config")


def _refuse_bad(where: str, node: Node) -> None:
    """Refuse keys that stand twice, aliases that lead back to themselves, and more nodes than a config has, aliases counted out."""
    if _size(where, node, {}, set()) > MOST_NODES:
        raise ConfigError(f"{where} has more than {MOST_NODES} nodes once its aliases are followed: that is no config")


def _size(where: str, node: Node, known: dict[int, int], above: set[int]) -> int:
    if id(node) in above:
        raise ConfigError(f"{where} has an alias that leads back to itself (line {node.start_mark.line + 1})")
    if id(node) not in known:
        above.add(id(node))
        known[id(node)] = 1 + sum(_size(where, child, known, above) for child in _children(where, node))
        above.discard(id(node))
    return known[id(node)]


def _children(where: str, node: Node) -> list[Node]:
    if isinstance(node, SequenceNode):
        return list(node.value)
    if not isinstance(node, MappingNode):
        return []
    keys: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, ScalarNode):
            raise ConfigError(f"{where} has a key that is no word (line {key.start_mark.line + 1})")
        if key.value in keys and key.tag != f"{TAG}merge":
            raise ConfigError(f"{where} has a key that stands twice (line {key.start_mark.line + 1})")
        keys.add(key.value)
    return [value for _, value in node.value]
