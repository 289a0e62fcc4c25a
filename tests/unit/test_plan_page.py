"""docs/plan.md: every field stands there as the model has it, with an example that the schema takes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from harness.__main__ import _parser
from harness.plan import schema
from tests.plan_page import EXAMPLES, PAGE, page, parts, reference
from tests.schemas import faults

WHOLE = schema()
FIELDS = [(name, key, field) for _, name, one in parts(WHOLE) for key, field in one["properties"].items() if not reference(field)]


def test_the_page_is_the_models() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert text == page(text), "write it anew: python -m tests.plan_page"
    assert len(FIELDS) > 80


@pytest.mark.parametrize(("name", "key", "field"), FIELDS, ids=lambda one: one if isinstance(one, str) else "")
def test_every_field_has_an_example_that_the_schema_takes(name: str, key: str, field: dict[str, Any]) -> None:
    assert list(faults(EXAMPLES[name][key], field, WHOLE)) == []


def test_there_is_no_example_of_what_no_plan_has() -> None:
    assert {(name, key) for name, of in EXAMPLES.items() for key in of} <= {(name, key) for name, key, _ in FIELDS}


def test_every_option_of_init_stands_on_the_page() -> None:
    told = set(re.findall(r"--[a-z-]+", PAGE.read_text(encoding="utf-8")))
    [commands] = [action for action in _parser()._actions if action.choices]
    assert isinstance(commands.choices, dict)
    options = {word for action in commands.choices["init"]._actions for word in action.option_strings if word.startswith("--")}

    assert options - {"--help"} <= told
