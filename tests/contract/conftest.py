"""The core under test: the one that CONTRACT_CORE_URL names, else the stand-in."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .client import Client, Contract
from .lifecycle import stored
from .stage import ORIGIN, Stage, staged

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """Start a stand-in; what looks behind the API needs it, and is skipped for a core given by its URL."""
    if "CONTRACT_CORE_URL" in os.environ:
        pytest.skip("a core was given: only its API is examined")
    with tempfile.TemporaryDirectory(prefix="standin-") as name:
        Path(name).chmod(0o755)
        with staged(Path(name)) as running:
            running.start()
            yield running


@pytest.fixture(scope="session")
def contract(request: pytest.FixtureRequest) -> Contract:
    """Tell where the core under test is, and what opens it."""
    if url := os.environ.get("CONTRACT_CORE_URL"):
        hfs = os.environ.get("CONTRACT_HFS_URL")
        return Contract(url, hfs, os.environ["CONTRACT_ADMIN_KEY"], os.environ["CONTRACT_ORIGIN"])
    stage: Stage = request.getfixturevalue("stage")
    return Contract(stage.url, stage.hfs_url, stage.admin_key, ORIGIN)


@pytest.fixture(scope="session")
def client(contract: Contract) -> Iterator[Client]:
    """Register a user of our own, deleted at the end."""
    made = Client.registered(contract)
    yield made
    made.admin("DELETE", f"/users/{made.username}")
    made.session.close()


@pytest.fixture(scope="session")
def stopped() -> Iterator[Stage]:
    """Stage a second stand-in, which each test of its process starts and stops."""
    with tempfile.TemporaryDirectory(prefix="standin-") as name:
        Path(name).chmod(0o755)
        with staged(Path(name)) as made:
            yield made


@pytest.fixture(scope="session")
def known(stopped: Stage) -> Iterator[dict[str, Any]]:
    """Store a user's data in the second stand-in: {client, note, file, series}."""
    made = stored(stopped)
    yield made
    made["client"].session.close()
