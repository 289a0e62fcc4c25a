"""Fixtures of all tests."""

from __future__ import annotations

import pytest

from tests.inner import Inner

pytest_plugins = ["pytester"]


@pytest.fixture
def inner(pytester: pytest.Pytester) -> Inner:
    """Return an inner runbook."""
    return Inner(pytester)
