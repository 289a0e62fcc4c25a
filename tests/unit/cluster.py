"""Throw-away PostgreSQL servers for tests, and what performs deeds and observations on them as a host would."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.databases.postgresql import ask
from harness.deed import Ask, Command, CommandResult, Keep, Learn, Measured, Query, Role
from harness.host import as_user
from harness.run.driving import drive

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

RUN_FOLDERS = "/var/lib/pryv-migration"
RICH = Path(__file__).with_name("rich.sql")
ROLES = "CREATE ROLE pryv LOGIN PASSWORD 'secret-password'; CREATE ROLE reader; CREATE ROLE \"Odd role\";"


def programs() -> Path:
    """Return the folder of PostgreSQL's newest programs."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))


@dataclass(frozen=True, slots=True)
class Cluster:
    """A server that listens on a socket in its folder only; its log is the file `log` there."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What leads PostgreSQL's programs to this server."""
        path = f"{self.folder / 'bin'}:{programs()}:{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "PGHOST": str(self.folder), "PGUSER": "postgres", "LC_ALL": "C.UTF-8"}

    def psql(self, database: str = "postgres") -> list[str]:
        """Return the argv of psql as the administrator."""
        return [str(programs() / "psql"), "-h", str(self.folder), "-U", "postgres", "-d", database]

    def sql(self, text: str, database: str = "postgres") -> str:
        """Run SQL as the administrator, each statement on its own; returns what was printed."""
        argv = [*self.psql(database), "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", "-"]
        return subprocess.run(argv, input=text, check=True, capture_output=True, text=True).stdout.strip()

    def run(self, command: Command) -> CommandResult:
        """Run a command as its host would; the run folder is this server's folder."""
        argv = as_user(command.as_user, command.argv) if command.as_user else command.argv
        here = [word.replace(RUN_FOLDERS, str(self.folder)) for word in argv]
        done = subprocess.run(here, input=command.input, capture_output=True, check=False, env=self.environment, cwd="/")
        return CommandResult(command, done.returncode, done.stdout, done.stderr, 0.0)


@dataclass
class Hosts:
    """Two servers, as source and dest; what was measured is kept by role and name."""

    clusters: dict[Role, Cluster]
    measured: dict[tuple[Role, str], Measured] = field(default_factory=dict)
    done: list[Command] = field(default_factory=list)

    def drive(self, generator: Generator[Any, Any, Any]) -> Any:  # noqa: ANN401 - what the act or look returns
        """Drive an act or a look to its end."""
        return drive(generator, self._perform)

    def _perform(self, wanted: Any) -> Any:  # noqa: ANN401 - each has its own answer
        match wanted:
            case tuple():
                return [self._perform(one) for one in wanted]
            case Ask(Command() as command) | (Command() as command):
                return self._command(command)
            case Query():
                return ask(wanted, self.clusters[wanted.login.host].folder / ".s.PGSQL.5432")
            case Measured():
                self.measured[wanted.role, wanted.name] = wanted
        assert isinstance(wanted, Measured | Learn | Keep)
        return None

    def _command(self, command: Command) -> CommandResult:
        result = self.clusters[command.host].run(command)
        self.done.append(command)
        assert result.ok, (command.argv, result.tail())
        return result


@contextmanager
def cluster(*settings: str) -> Iterator[Cluster]:
    """Make a server and end it; `settings` are name=value. As root it runs as the system user postgres, as it refuses root."""
    folder = Path(tempfile.mkdtemp(prefix="cluster-"))
    become = [] if os.getuid() else ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    if become:
        shutil.chown(folder, "postgres", "postgres")
    else:
        _stay_oneself(folder / "bin")
    folder.chmod(0o755)
    control = [*become, str(programs() / "pg_ctl"), "-D", str(folder / "data"), "-w"]
    chosen = " ".join(f"-c {one}" for one in ("listen_addresses=", "fsync=off", "port=5432", *settings))
    try:
        how = ("-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        initdb = [*become, str(programs() / "initdb"), "-D", str(folder / "data"), *how]
        subprocess.run(initdb, check=True, stdout=subprocess.DEVNULL, cwd="/")
        start = [*control, "-l", str(folder / "log"), "-o", f"-k {folder} {chosen}", "start"]
        subprocess.run(start, check=True, stdout=subprocess.DEVNULL, cwd="/")
        yield Cluster(folder)
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, stdout=subprocess.DEVNULL, cwd="/")
        shutil.rmtree(folder)


def _stay_oneself(folder: Path) -> None:
    """Without root nobody else can be become: commands for another system user are run as oneself."""
    folder.mkdir()
    shim = folder / "setpriv"
    shim.write_text('#!/bin/sh\nwhile [ "$1" != -- ]; do shift; done\nshift\nexec "$@"\n')
    shim.chmod(0o755)


def rich(server: Cluster, database: str = "rich") -> None:
    """Make the database that has something of every kind, and the roles it names where they are missing."""
    if not server.sql("SELECT 1 FROM pg_roles WHERE rolname = 'pryv'"):
        server.sql(ROLES)
    server.sql(f"CREATE DATABASE {database} OWNER pryv")
    server.sql(RICH.read_text(encoding="utf-8"), database)
