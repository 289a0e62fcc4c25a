"""A stand-in core with a throw-away PostgreSQL, for tests."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import requests
import yaml

from fixtures.standin import install
from harness import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

IP = "127.61.7.2"
ORIGIN = "http://127.0.0.1:8080"
PROGRAMS = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/bin"))
TYPES = {
    "note/txt": {"type": "string"},
    "mass/kg": {"type": "number"},
    "position/wgs84": {
        "type": "object",
        "properties": {"latitude": {"type": "number"}, "longitude": {"type": "number"}},
        "required": ["latitude", "longitude"],
    },
}


def until(ask: Callable[[], bool | None], message: Callable[[], str], within_s: float = 10.0) -> None:
    """Wait, looking every 10 ms, until the answer is not None."""
    waiting.until(ask, within_s=within_s, message=message, sleep=lambda _: time.sleep(0.01))


def free_port(ip: str = IP) -> int:
    """Return a port that was free a moment ago, below the ports that clients are given."""
    for port in range(20000 + os.getpid() % 5000, 32000):
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


@dataclass
class Stage:
    """An installed stand-in with its config, database and data folder."""

    folder: Path
    postgres: Postgres
    config: dict[str, Any]
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The API's address."""
        return f"http://{IP}:{self.config['http']['port']}"

    @property
    def hfs_url(self) -> str:
        """The HFS's address."""
        return f"http://{IP}:{self.config['http']['hfsPort']}"

    @property
    def admin_key(self) -> str:
        """The administrator's key."""
        return str(self.config["auth"]["adminAccessKey"])

    @property
    def users(self) -> Path:
        """The users' folders."""
        return Path(self.config["storages"]["engines"]["sqlite"]["path"])

    @property
    def log(self) -> str:
        """What the core has printed so far."""
        return (self.folder / "core.log").read_text()

    def launch(self, *argv: str, prefix: tuple[str, ...] = ()) -> subprocess.Popen[bytes]:
        """Start a master process without waiting; its output is added to core.log."""
        (self.folder / "override.yml").write_text(yaml.safe_dump(self.config))
        command = [
            *prefix,
            sys.executable,
            str(self.folder / "app/bin/master.py"),
            "--config",
            str(self.folder / "override.yml"),
            *argv,
        ]
        with (self.folder / "core.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder / "app", start_new_session=True)

    def start(self, *argv: str, prefix: tuple[str, ...] = ()) -> None:
        """Start the core and wait until API and HFS answer; core.log begins anew."""
        (self.folder / "core.log").unlink(missing_ok=True)
        self.process = self.launch(*argv, prefix=prefix)
        for url in (f"{self.url}/reg/service/info", f"{self.hfs_url}/system/status"):
            until(partial(answers, url), lambda: f"no core: {self.log}")

    def stop(self, how: int = signal.SIGTERM) -> int:
        """End the core; return its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(10)
        self.process = None
        return code


def answers(url: str) -> bool | None:
    """Whether something answers at a URL (None: not yet)."""
    with suppress(requests.RequestException):
        requests.get(url, timeout=2)
        return True
    return None


def config(folder: Path, postgres: Postgres) -> dict[str, Any]:
    """Return a config that boots, as core-facts has it."""
    api, hfs, previews, broker = ports(4)
    types = folder / "flat.json"
    types.write_text(json.dumps({"version": "1.0.0", "types": TYPES}))
    database = {"host": IP, "port": postgres.port, "database": "pryv", "user": "pryv", "password": "p", "max": 10}
    service = {name: f"http://core.test/{name}" for name in ("home", "support", "terms")}
    return {
        "auth": {
            "adminAccessKey": "k" * 40,
            "filesReadTokenSecret": "f" * 40,
            "trustedApps": "*@http://127.0.0.1*, *@http://core.test*",
        },
        "services": {"email": {"enabled": {"welcome": False, "resetPassword": False, "verifyEmail": False}}},
        "dnsLess": {"isActive": True, "publicUrl": "http://core.test:3000/"},
        "http": {"ip": IP, "port": api, "hfsPort": hfs, "previewsPort": previews},
        "tcpBroker": {"port": broker},
        "core": {"ip": IP},
        "service": {"name": "Test Pryv", "serial": "2026112201", "eventTypes": f"file://{types}", **service},
        "platform": {"piiMode": "hashed", "piiHmacKey": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="},
        "storages": {
            "platform": {"engine": "postgresql"},
            "engines": {
                "postgresql": database,
                "filesystem": {"previewsDirPath": str(folder / "data/previews")},
                "sqlite": {"path": str(folder / "data/users")},
            },
        },
        "logs": {"console": {"active": True}},
        "standin": {"bcryptCost": 4},
    }


@contextmanager
def staged(folder: Path) -> Iterator[Stage]:
    """Make a stage, not started yet; whatever runs of it is ended for sure."""
    postgres = Postgres(folder / "pg", free_port())
    stage = Stage(folder, postgres, {})
    try:
        postgres.make()
        postgres.start()
        postgres.sql("CREATE ROLE pryv LOGIN PASSWORD 'p'")
        postgres.sql("CREATE DATABASE pryv OWNER pryv")
        install(folder / "app")
        stage.config = config(folder, postgres)
        yield stage
    finally:
        if stage.process:
            stage.stop()
        postgres.stop()
