"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.runbook.rehearsing import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def rehearsal(tmp_path: Path) -> Iterator[Rehearsal]:
    """Return a rehearsal in a folder of its own; its hosts are ended with the test."""
    made = Rehearsal(tmp_path)
    yield made
    made.close()
