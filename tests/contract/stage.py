"""A core with a throw-away PostgreSQL, for tests: the stand-in, or the real one when its tree and node are given."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import requests
import yaml

from fixtures.hosts.product import STAND_IN, Product
from fixtures.standin import install

from .cluster import IP, Postgres, free_port, ports, until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

START_S = 20
ORIGIN = "http://127.0.0.1:8080"
SCHEMAS = {
    "note/txt": {"type": "string"},
    "mass/kg": {"type": "number"},
    "position/wgs84": {
        "type": "object",
        "properties": {"latitude": {"type": "number"}, "longitude": {"type": "number"}},
        "required": ["latitude", "longitude"],
    },
}


@dataclass
class Stage:
    """An installed core with its config, database and data folder."""

    folder: Path
    postgres: Postgres
    config: dict[str, Any]
    product: Product = STAND_IN
    process: subprocess.Popen[bytes] | None = None

    @property
    def is_real(self) -> bool:
        """Whether the product itself runs here."""
        return self.product.node is not None

    @property
    def app(self) -> Path:
        """The installed tree."""
        return self.folder / "app"

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
        return self.folder / "data/users"

    @property
    def log(self) -> str:
        """What the core has printed so far."""
        return (self.folder / "core.log").read_text()

    @property
    def program(self) -> tuple[str, ...]:
        """The words that start the core, before its own arguments."""
        if self.product.node is None:
            return (sys.executable, str(self.app / "bin/master.py"))
        return (str(self.product.node), str(self.app / "bin/master.js"))

    def launch(
        self, *argv: str, prefix: tuple[str, ...] = (), env: Mapping[str, str] | None = None, named: bool = True
    ) -> subprocess.Popen[bytes]:
        """Start a master process without waiting; its output is added to core.log. Unless `named`, no --config is given."""
        file = self.folder / "override.yml"
        file.write_text(yaml.safe_dump(self.config))
        given = ("--config", str(file)) if named and "--config" not in argv else ()
        command = [*prefix, *self.program, *given, *argv]
        environment = {**os.environ, "NODE_ENV": "production", **(env or {})}
        with (self.folder / "core.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, cwd=self.app, start_new_session=True, env=environment)

    def start(self, *argv: str, prefix: tuple[str, ...] = (), env: Mapping[str, str] | None = None, named: bool = True) -> None:
        """Start the core and wait until API and HFS answer; core.log begins anew."""
        (self.folder / "core.log").unlink(missing_ok=True)
        self.process = self.launch(*argv, prefix=prefix, env=env, named=named)
        for url in (f"{self.url}/reg/service/info", f"{self.hfs_url}/system/status"):
            until(partial(answers, url), lambda: f"no core: {self.log}")

    def refused(self, *argv: str) -> str:
        """Launch a core that is to end with exit code 1 by itself; return what it printed."""
        (self.folder / "core.log").unlink(missing_ok=True)
        process = self.launch(*argv)
        try:
            assert process.wait(START_S) == 1
        finally:
            process.kill()
            process.wait()
        return self.log

    def stop(self, how: int = signal.SIGTERM) -> int:
        """End the core; return its exit code."""
        assert self.process is not None
        self.process.send_signal(how)
        code = self.process.wait(15)
        self.process = None
        return code


def answers(url: str) -> bool | None:
    """Whether something answers at a URL (None: not yet)."""
    with suppress(requests.RequestException):
        requests.get(url, timeout=2)
        return True
    return None


def config(folder: Path, postgres: Postgres) -> dict[str, Any]:
    """Return a config that boots, the stand-in and the real core alike."""
    api, hfs, previews, broker = ports(4)
    types = folder / "flat.json"
    types.write_text(json.dumps({"version": "1.0.0", "types": SCHEMAS, "extras": {}}))
    database = {"host": IP, "port": postgres.port, "database": "pryv", "user": "pryv", "password": "p", "max": 10}
    service = {name: f"http://core.test/{name}" for name in ("home", "support", "terms")}
    return {
        "auth": {
            "adminAccessKey": "k" * 40,
            "filesReadTokenSecret": "f" * 40,
            "ssoCookieSignSecret": "s" * 40,
            "trustedApps": "*@http://127.0.0.1*, *@http://core.test*",
            "passwordResetPageURL": "http://core.test/reset-password.html",
            "emailVerificationPageURL": "http://core.test/verify-email.html",
        },
        "services": {
            "email": {"method": "in-process", "enabled": {"welcome": False, "resetPassword": False, "verifyEmail": False}}
        },
        "dnsLess": {"isActive": True, "publicUrl": "http://core.test:3000/"},
        "http": {"ip": IP, "port": api, "hfsPort": hfs, "previewsPort": previews},
        "tcpBroker": {"port": broker},
        "cluster": {"apiWorkers": 2, "hfsWorkers": 1, "previewsWorker": True},
        "core": {"ip": IP},
        "service": {"name": "Test Pryv", "serial": "2026112201", "eventTypes": f"file://{types}", **service},
        "platform": {"piiMode": "hashed", "piiHmacKey": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="},
        "storages": {
            "base": {"engine": "postgresql"},
            "platform": {"engine": "postgresql"},
            "series": {"engine": "postgresql"},
            "file": {"engine": "filesystem"},
            "audit": {"engine": "sqlite"},
            "engines": {
                "postgresql": database,
                "filesystem": {"previewsDirPath": str(folder / "data/previews")},
                "sqlite": {"path": str(folder / "data/users")},
            },
        },
        "logs": {"console": {"active": True, "level": "info", "colorize": False}, "file": {"active": False}},
        "audit": {"active": True},
        "standin": {"bcryptCost": 4},
    }


def lay(product: Product, target: Path) -> None:
    """Install a core in a folder of our own, where a test may add a config; a real tree's files are linked, not copied."""
    if product.tree is None:
        install(target)
    else:
        ignore = shutil.ignore_patterns(".git")
        shutil.copytree(product.tree, target, symlinks=True, ignore=ignore, copy_function=_link)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)
    return target


@contextmanager
def staged(folder: Path, product: Product = STAND_IN) -> Iterator[Stage]:
    """Make a stage, not started yet; whatever runs of it is ended for sure."""
    postgres = Postgres(folder / "pg", free_port())
    stage = Stage(folder, postgres, {}, product)
    try:
        postgres.make()
        postgres.start()
        postgres.sql("CREATE ROLE pryv LOGIN PASSWORD 'p'")
        postgres.sql("CREATE DATABASE pryv OWNER pryv")
        lay(product, stage.app)
        (folder / "data").mkdir()
        stage.config = config(folder, postgres)
        yield stage
    finally:
        if stage.process:
            stage.stop()
        postgres.stop()
