"""Two file trees for tests, as source and dest, and what runs commands on them as their hosts would: the same path on both."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harness.configuration import Config, flat
from harness.deed import Ask, Command, CommandResult, Compare, Differences, Measured, Role
from harness.host import Host, as_user, compare
from harness.run.driving import drive
from harness.transport import Completed
from tests.plans import plan

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping
    from pathlib import Path

    from harness.errors import Unreachable

RUN_FOLDERS = "/var/lib/pryv-migration"
PRYV = "/var/lib/pryv"


def config(**engines: str) -> Config:
    """Return the config of a core that keeps its audit in SQLite, unless told otherwise: kind=engine."""
    kinds = {"base": "postgresql", "audit": "sqlite", **engines}
    places = {
        "sqlite": {"path": f"{PRYV}/data/users"},
        "filesystem": {"previewsDirPath": f"{PRYV}/data/previews"},
        "postgresql": {"host": "127.0.0.1", "port": 5432, "database": "postgres", "user": "pryv"},
    }
    return Config(flat({"storages": {**{kind: {"engine": engine} for kind, engine in kinds.items()}, "engines": places}}), ())


@dataclass(frozen=True, slots=True)
class Local:
    """Streams what a command line prints here: all that comparing asks of a transport."""

    environment: Mapping[str, str]

    def stream(self, line: str) -> Iterator[bytes]:
        """Yield the lines that a command line prints."""
        done = subprocess.run(("sh", "-c", line), capture_output=True, check=True, env=self.environment)
        yield from done.stdout.splitlines(keepends=True)

    def execute(self, line: str, *, input: bytes = b"", timeout_s: float = 60.0) -> Completed:  # noqa: A002 - as in Transport
        """Nothing here is run so."""
        raise NotImplementedError(line, input, timeout_s)

    def forward(self, address: str, port: int) -> Path:
        """Nothing here is reached so."""
        raise NotImplementedError(address, port)

    def give_up(self, error: Unreachable) -> None:
        raise error

    def close(self) -> None:
        """Nothing is open."""


@dataclass
class Trees:
    """Both trees below a folder; while a command runs, `host` there is the tree that it runs on. Measurements are kept by role."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=lambda: {**os.environ, "LC_ALL": "C.UTF-8"})
    measured: dict[tuple[Role, str], Measured] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for role in Role:
            self.data(role).mkdir(parents=True)
            (self.folder / role / "run" / plan().change.id).mkdir(parents=True)

    def data(self, role: Role) -> Path:
        """Return the folder of a host's users, and its data root above it."""
        return self.folder / role / "data" / "users"

    def at_rest(self, name: str) -> Measured:
        """Return what was measured on the source."""
        return self.measured[Role.SOURCE, name]

    def drive(self, generator: Generator[Any, Any, Any]) -> Any:  # noqa: ANN401 - what the act or look returns
        """Drive an act or a look to its end."""
        return drive(generator, self._perform)

    def _perform(self, wanted: Any) -> Any:  # noqa: ANN401 - each has its own answer
        match wanted:
            case tuple():
                return [self._perform(one) for one in wanted]
            case Ask(Command() as command) | (Command() as command):
                return self._command(command)
            case Compare():
                return self._compare(wanted)
        assert isinstance(wanted, Measured)
        self.measured[wanted.role, wanted.name] = wanted
        return None

    def _there(self, command: Command, top: Path) -> Command:
        """Return the command with the paths that it has here."""
        moved = {RUN_FOLDERS: f"{top}/run", PRYV: str(top)}
        argv = command.argv
        for old, new in moved.items():
            argv = tuple(word.replace(old, new) for word in argv)
        return replace(command, argv=argv)

    def _command(self, command: Command) -> CommandResult:
        host = self.folder / "host"
        host.unlink(missing_ok=True)
        host.symlink_to(self.folder / command.host)
        here = self._there(command, host)
        argv = as_user(here.as_user, here.argv) if here.as_user else here.argv
        done = subprocess.run(argv, input=here.input, capture_output=True, check=False, env=self.environment)
        result = CommandResult(command, done.returncode, done.stdout.replace(bytes(host), PRYV.encode()), done.stderr, 0.0)
        assert result.ok, (command.argv, result.tail())
        return result

    def _compare(self, wanted: Compare) -> Differences:
        sides = [(self._host(one.host), self._there(one, self.folder / one.host)) for one in (wanted.left, wanted.right)]
        found = compare(sides[0], sides[1])
        left, right = (
            tuple(line.replace(str(self.folder / "host"), PRYV) for line in lines) for lines in (found.left_only, found.right_only)
        )
        return Differences(left, right, found.left_lines, found.right_lines)

    def _host(self, role: Role) -> Host:
        return Host(role, plan().host(role).ssh, Local(self.environment), plan().run_folder)
