"""Fixtures of all tests."""

from __future__ import annotations

import pytest
from hypothesis import settings

from tests.inner import Inner

pytest_plugins = ["pytester"]
# How long an example takes tells of the machine, not of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture
def inner(pytester: pytest.Pytester) -> Inner:
    """Return an inner runbook."""
    return Inner(pytester)
