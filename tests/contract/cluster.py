"""A throw-away PostgreSQL and free ports, all on one loopback address."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from harness import waiting

if TYPE_CHECKING:
    from collections.abc import Callable

IP = "127.62.7.2"
LOWEST, WORKERS, PORTS_EACH = 20000, 8, 1500
PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/bin"))


def until(ask: Callable[[], bool | None], message: Callable[[], str], within_s: float = 30.0) -> None:
    """Wait, looking every 10 ms, until the answer is not None."""
    waiting.until(ask, within_s=within_s, message=message, sleep=lambda _: time.sleep(0.01))


def free_port(ip: str = IP) -> int:
    """Return a port that was free a moment ago, below those that clients are given; another for each pytest worker."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % WORKERS
    first = LOWEST + number * PORTS_EACH
    for port in range(first + os.getpid() % (PORTS_EACH // 2), first + PORTS_EACH):
        with socket.socket() as probe, suppress(OSError):
            probe.bind((ip, port))
            return port
    raise RuntimeError("no free port")


def ports(count: int) -> list[int]:
    """Return different free ports."""
    found: list[int] = []
    while len(found) < count:
        start = found[-1] + 1 if found else free_port()
        found += [port for port in range(start, start + 50) if is_free(port)][:1]
    return found


def is_free(port: int) -> bool:
    """Whether nothing listens on a port."""
    with socket.socket() as probe:
        return probe.connect_ex((IP, port)) != 0


def _as_postgres(*argv: str) -> list[str]:
    """Return a command run as `postgres` when we are root, as PostgreSQL refuses root."""
    who = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
    return [*who, str(PROGRAMS / argv[0]), *argv[1:]]


@dataclass
class Postgres:
    """A cluster in a folder; `trust` for everybody, on one loopback address."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Initialise the cluster."""
        self.folder.mkdir(mode=0o700)
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres", "postgres")
        options = ("-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D", str(self.folder))
        subprocess.run(_as_postgres("initdb", *options), check=True, capture_output=True, cwd="/")

    def start(self) -> None:
        """Start the server and wait for it."""
        settings = {
            "listen_addresses": IP,
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
            "shared_buffers": "16MB",
        }
        words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = _as_postgres("postgres", "-D", str(self.folder), *words)
        with self.folder.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", start_new_session=True)
        until(self._answers, lambda: "PostgreSQL does not answer")

    def _answers(self) -> bool | None:
        with suppress(psycopg.OperationalError):
            psycopg.connect(host=IP, port=self.port, user="postgres", dbname="postgres").close()
            return True
        return None

    def sql(self, text: str, *values: object, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the administrator."""
        with psycopg.connect(host=IP, port=self.port, user="postgres", dbname=database, autocommit=True) as connection:
            done = connection.execute(text.encode(), values or None)
            return done.fetchall() if done.description else []

    def stop(self) -> None:
        """End the server at once."""
        if self.process:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(10)
            self.process = None
