"""Forwards outlive the connection that made them: an idle one ends, and the next command makes another."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fixtures.hosts.servers import API_PORT
from fixtures.hosts.world import open_world
from harness.core_api import by_socket
from harness.plan import load
from harness.transport import ssh

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_forward_is_made_again_on_a_connection_that_another_command_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "KEPT_OPEN_S", 1)
    world = open_world(tmp_path, fresh=True, say=lambda _: None)
    try:
        part = load(world.plan_path).source.ssh
        transport = ssh.Ssh("source", part)
        by_socket(transport.forward(part.host, API_PORT), 5).close()
        time.sleep(3)
        transport.execute("true")
        by_socket(transport.forward(part.host, API_PORT), 5).close()
        transport.close()
    finally:
        world.end()
