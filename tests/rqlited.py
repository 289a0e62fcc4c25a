"""A real rqlited for tests: started in a folder, as a single core starts it, on the loopback address and free ports."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.hosts import addresses

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HERE = "127.0.0.1"
LONGEST_S = 30.0
NODE = "single"


def program(config: pytest.Config) -> str:
    """Return the rqlited to test with; skips where there is none."""
    found = config.getoption("--rqlited") or os.environ.get("RQLITED") or shutil.which("rqlited")
    if not found:
        pytest.skip("no rqlited on this machine: name one by --rqlited BIN or in RQLITED")
    return str(found)


@dataclass
class Rqlited:
    """A node: its program, its folder and its ports; `raft_ip` is the address that it is started at."""

    program: str
    folder: Path
    http: int
    raft: int
    raft_ip: str = HERE

    @contextlib.contextmanager
    def running(self, raft_ip: str = HERE) -> Iterator[Rqlited]:
        """Start it, wait until it is ready, and end it in good order."""
        words = ("-node-id", NODE, "-http-addr", f"{HERE}:{self.http}", "-raft-addr", f"{raft_ip}:{self.raft}", str(self.folder))
        with (self.folder.parent / "rqlited.log").open("ab") as log:
            process = subprocess.Popen((self.program, *words), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            self._ready(process)
            yield self
        finally:
            process.terminate()
            process.wait(LONGEST_S)

    def _ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + LONGEST_S
        while self._status() != 200:
            assert process.poll() is None, "rqlited has ended"
            assert time.monotonic() < deadline, "rqlited does not become ready"
            time.sleep(0.05)

    def _status(self) -> int:
        connection = http.client.HTTPConnection(HERE, self.http, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def execute(self, *statements: list[str]) -> Any:  # noqa: ANN401 - JSON is any
        """Write rows."""
        connection = http.client.HTTPConnection(HERE, self.http, timeout=20)
        connection.request("POST", "/db/execute", json.dumps(statements), {"Content-Type": "application/json"})
        try:
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


def made(config: pytest.Config, folder: Path) -> Rqlited:
    """Return a node that has never been started."""
    http_port = addresses.port(HERE)
    return Rqlited(program(config), folder / "data", http_port, addresses.port(HERE, {http_port}))
