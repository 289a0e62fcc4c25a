"""A reader of the JSON Schema that pydantic writes: the few words it uses, and a TypeError for any other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

TYPES: Mapping[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "integer": int,
    "null": type(None),
}
TOLD = {"$defs", "$schema", "title", "description", "default", "format", "discriminator", "required", "additionalProperties"}


def faults(value: Any, schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[str]:  # noqa: ANN401 - any JSON
    """Yield what a schema finds wrong with a JSON value; `whole` holds the definitions."""
    if isinstance(value, dict) and "properties" in schema:
        missing = [name for name in schema.get("required", ()) if name not in value]
        unknown = [name for name in value if name not in schema["properties"] and schema["additionalProperties"] is False]
        yield from (f"{name} is missing or unknown" for name in (*missing, *unknown))
    for word, told in schema.items():
        if word not in TOLD and not _holds(word, told, value, whole):
            yield f"{word} {told} does not hold for {value!r}"


def _fits(value: Any, schema: Mapping[str, Any], whole: Mapping[str, Any]) -> bool:  # noqa: ANN401 - any JSON
    return not list(faults(value, schema, whole))


def _is(value: Any, name: str) -> bool:  # noqa: ANN401 - any JSON
    return isinstance(value, bool) if name == "boolean" else isinstance(value, TYPES[name]) and not isinstance(value, bool)


def _holds(word: str, told: Any, value: Any, whole: Mapping[str, Any]) -> bool:  # noqa: ANN401, C901, PLR0911, PLR0912 - a word, a line
    match word:
        case "$ref":
            return _fits(value, whole["$defs"][told.rpartition("/")[2]], whole)
        case "type":
            return any(_is(value, name) for name in (told if isinstance(told, list) else [told]))
        case "anyOf":
            return any(_fits(value, one, whole) for one in told)
        case "oneOf":
            return sum(_fits(value, one, whole) for one in told) == 1
        case "const":
            return bool(value == told)
        case "enum":
            return value in told
        case "properties":
            return not isinstance(value, dict) or all(_fits(value[name], one, whole) for name, one in told.items() if name in value)
        case "patternProperties":
            return not isinstance(value, dict) or all(
                _fits(item, one, whole) for pattern, one in told.items() for name, item in value.items() if re.search(pattern, name)
            )
        case "propertyNames":
            return not isinstance(value, dict) or all(_fits(name, told, whole) for name in value)
        case "items":
            return not isinstance(value, list) or all(_fits(item, told, whole) for item in value)
        case "pattern":
            return not isinstance(value, str) or re.search(told, value) is not None
        case "minLength" | "minItems" | "minProperties":
            return not isinstance(value, str | list | dict) or len(value) >= told
        case "maxLength" | "maxItems" | "maxProperties":
            return not isinstance(value, str | list | dict) or len(value) <= told
        case "minimum" | "exclusiveMinimum":
            return not _is(value, "number") or bool(value > told or (word == "minimum" and value == told))
        case "maximum":
            return not _is(value, "number") or bool(value <= told)
    raise TypeError(f"this reader does not know {word}")
