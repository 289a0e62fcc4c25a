"""The plan (migration.yml): who moves where, how, under which change number.

It is validated whole before anything runs, and all problems are reported at once, each with its path and line in the file. Secrets
are references to the environment or to a file, never values. Any bytes are answered by a Plan or a PlanError.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from harness.errors import PlanError
from harness.plan.contradictions import contradictions, covers
from harness.plan.model import Change, CorePart, ForwardPart, HostPart, JumpPart, Plan, SshPart, Window
from harness.plan.names import CommandPart, DnsPart, ManualPart, NameServer, Rfc2136Part
from harness.plan.part import Part, SecretReference
from harness.plan.text import LARGEST_BYTES, LONGEST_TEXT, Document, read, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from pydantic_core import ErrorDetails

    from harness.plan.text import Where

MOST_SHOWN = 50
KEY = "[key]"  # pydantic's last step of a path to a mapping's key
# Why the plan's values must have these types, in the operator's words; the rest is said by pydantic or by the kinds.
SAID: Mapping[str, str] = {
    "missing": "is missing",
    "extra_forbidden": "is not a part of the plan",
    "model_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "tuple_type": "must be a list",
    "too_short": "must not be empty",
    "int_type": "must be a whole number, without quotes",
    "float_type": "must be a number, without quotes",
    "union_tag_not_found": "its provider is missing",
}


def load(path: Path) -> Plan:
    """Read and validate a plan; raises PlanError with every problem and its path in the file."""
    name = shown(str(path), LONGEST_TEXT)
    try:
        with path.open("rb") as file:
            text = file.read(LARGEST_BYTES + 1)  # a device or pipe may never end
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else "it is no path"
        raise PlanError(f"the plan {name} cannot be read", [cause or type(error).__name__]) from error
    return parse(text, name)


def parse(text: bytes, name: str = "migration.yml") -> Plan:
    """Validate a plan's text; raises PlanError with every problem. What parts say against each other is told once each is valid."""
    document = read(text, name)
    plan, problems = _validated(document)
    if plan is None or problems:
        count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
        told = [_told(document, where, what) for where, what in problems[:MOST_SHOWN]]
        more = [f"… and {len(problems) - MOST_SHOWN} more"] if len(problems) > MOST_SHOWN else []
        raise PlanError(f"the plan {name} has {count}", told + more)
    return plan


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a plan, for editors; it knows all of a plan but its contradictions."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Plan.model_json_schema(),
        "title": "Pryv.io core migration plan",
    }


def _validated(document: Document) -> tuple[Plan | None, list[tuple[Where, str]]]:
    known = list(document.problems)
    try:
        # JSON's types are the plan's: so a list is a tuple and text an address, but text is no number.
        plan = Plan.model_validate_json(json.dumps(document.content), strict=True)
    except ValidationError as error:
        return None, known + list(_new(known, _problems(document, error.errors())))
    return plan, known + list(contradictions(plan))


def _new(known: Iterable[tuple[Where, str]], found: Iterable[tuple[Where, str]]) -> Iterator[tuple[Where, str]]:
    """Leave out what only follows from a problem of the text: the value was not read."""
    broken = [where for where, _ in known]
    return ((where, what) for where, what in found if not any(where[: len(one)] == one for one in broken if one))


def _problems(document: Document, errors: Iterable[ErrorDetails]) -> Iterator[tuple[Where, str]]:
    found = list(errors)
    for error in found:
        # Of a list with a bad item pydantic may also say that it is too short, as the item was left out.
        at = len(error["loc"])
        if error["type"] != "too_short" or not any(one["loc"][:at] == error["loc"] for one in found if len(one["loc"]) > at):
            yield _in_file(document.content, error["loc"]), _said(error)


def _in_file(content: Any, location: Where) -> Where:  # noqa: ANN401 - a YAML value is any
    """Return pydantic's path as one in the file: without the provider's name and the word for a key."""
    where: list[str | int] = []
    for step in location:
        if step == KEY or (isinstance(content, dict) and step not in content and content.get("provider") == step):
            continue
        where.append(step)
        content = _below(content, step)
    return tuple(where)


def _below(content: Any, step: str | int) -> Any:  # noqa: ANN401 - a YAML value is any
    if isinstance(content, dict):
        return content.get(step)
    return content[step] if isinstance(content, list) and isinstance(step, int) and step < len(content) else None


def _said(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "union_tag_invalid":
        return f"its provider must be one of {error['ctx']['expected_tags']}"
    if kind == "string_type":
        return "must be text: put it in quotes" if isinstance(error["input"], bool | int | float) else "must be text"
    return SAID.get(kind, error["msg"].replace("Input should be", "must be"))


def _told(document: Document, where: Where, what: str) -> str:
    path = ".".join(shown(str(step)) for step in where) or "the whole plan"
    lines = (document.lines.get(where[:depth]) for depth in range(len(where), 0, -1))
    line = next((line for line in lines if line), None)
    return f"{path}: {what}" + (f" (line {line})" if line else "")


__all__ = [
    "Change",
    "CommandPart",
    "CorePart",
    "DnsPart",
    "ForwardPart",
    "HostPart",
    "JumpPart",
    "ManualPart",
    "NameServer",
    "Part",
    "Plan",
    "Rfc2136Part",
    "SecretReference",
    "SshPart",
    "Window",
    "covers",
    "load",
    "parse",
    "schema",
]
