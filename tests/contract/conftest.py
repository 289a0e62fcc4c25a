"""The core under test: the stand-in, or the real one.

`pytest tests/contract` starts the stand-in. `pytest tests/contract --core-tree DIR --node BIN` (options of the runbook's own, see
the conftest.py of the checkout) starts the native checkout of a real core in DIR by its bin/master.js, with the same config, on a
PostgreSQL of its own; the tree is linked into a folder of the test's, nothing is written to it. With CONTRACT_CORE_URL (and
CONTRACT_ADMIN_KEY, CONTRACT_ORIGIN, CONTRACT_HFS_URL) a core that runs elsewhere is examined by its API alone.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.hosts.product import STAND_IN, Product, checkout

from .client import Client, Contract
from .lifecycle import stored
from .stage import ORIGIN, Stage, staged

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def product(pytestconfig: pytest.Config) -> Product:
    """Tell which core is examined."""
    tree, node = pytestconfig.option.core_tree, pytestconfig.option.node
    return checkout(tree, node) if tree and node else STAND_IN


@pytest.fixture(scope="session")
def stage(product: Product) -> Iterator[Stage]:
    """Start a core; what looks behind the API needs it, and is skipped for a core given by its URL."""
    if "CONTRACT_CORE_URL" in os.environ:
        pytest.skip("a core was given: only its API is examined")
    with tempfile.TemporaryDirectory(prefix="contract-") as name:
        Path(name).chmod(0o755)
        with staged(Path(name), product) as running:
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
def stopped(product: Product) -> Iterator[Stage]:
    """Stage a second core, which each test of its process starts and stops."""
    with tempfile.TemporaryDirectory(prefix="contract-") as name:
        Path(name).chmod(0o755)
        with staged(Path(name), product) as made:
            yield made


@pytest.fixture(scope="session")
def known(stopped: Stage) -> Iterator[dict[str, Any]]:
    """Store a user's data in the second core: {client, note, file, series}."""
    made = stored(stopped)
    yield made
    made["client"].session.close()
