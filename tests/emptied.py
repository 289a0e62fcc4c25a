"""A pytest plugin for proving that the words hold: it empties the body of one step (environment: EMPTIED=its text)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from pytest_bdd.steps import step_function_context_registry

from harness.recording.words import Definition, definition_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def _nothing_seen(**_: Any) -> None:  # noqa: ANN401 - whatever the step asks for
    """Look at nothing."""


def _nothing_done(**_: Any) -> Iterator[Any]:  # noqa: ANN401 - whatever the act asks for
    """Do nothing."""
    return
    yield


def definitions() -> list[Definition]:
    """Return every step that is declared."""
    found = [definition_of(context) for context in step_function_context_registry.values()]
    return [one for one in found if one is not None]


def pytest_collection_modifyitems(session: pytest.Session) -> None:
    """Empty the step."""
    wanted = os.environ["EMPTIED"]
    emptied = [one for one in definitions() if f"{one.keyword} {one.text}" == wanted]
    assert len(emptied) == 1, f"{wanted}: {len(emptied)} definitions ({len(session.items)} scenarios)"
    emptied[0].body = _nothing_done if emptied[0].keyword == "When" else _nothing_seen
