"""What tests need that make hosts of containers: an engine. They are skipped where none answers, but never in CI."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from fixtures.containers import engine

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fixtures.containers.engine import Engine


def why_skipped(found: Engine | str, environment: Mapping[str, str]) -> str:
    """Return why tests of containers are skipped, or nothing: in CI a missing engine is a failure."""
    return found if isinstance(found, str) and not environment.get("CI") else ""


NOW = why_skipped(engine.look(), os.environ)
NEEDS_ENGINE = pytest.mark.skipif(bool(NOW), reason=NOW)
