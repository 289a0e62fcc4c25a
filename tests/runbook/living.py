"""A live run for a test: hosts known by a plan alone, and the commands of docs/live.md as an operator types them."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import stat
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fixtures.hosts.world import open_world
from harness.deed import Command, Role
from harness.host import Host
from harness.plan import load
from harness.run.endings import runs
from harness.transport.ssh import Ssh
from tests.runbook.rehearsing import LONGEST_S, ROOT

if TYPE_CHECKING:
    from fixtures.worlds import World

DOC = ROOT / "docs" / "live.md"
NUMBER, FILE, FOLDER, NAME = "CHG0031337", "migration.yml", "reports/2026-12-01-CHG0031337-plan1", "Name of the approver"
# Logs tell of looks; PostgreSQL's own files change by themselves: what its databases hold is compared by their dump.
LEFT_OUT = ("var/log", "var/lib/postgresql")


def of_the_doc() -> list[str]:
    """Return the commands of docs/live.md in their order."""
    return re.findall(r"^    ((?:pytest|python) .*)$", DOC.read_text(encoding="utf-8"), re.MULTILINE)


@dataclass
class LiveMove:
    """Two hosts with a core to move, a plan of them in a file of its own, and what was printed last."""

    folder: Path
    world: World
    printed: str = ""
    typed: list[str] = field(default_factory=list)
    longest_s: float = LONGEST_S
    made: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    @property
    def plan_path(self) -> Path:
        """The plan."""
        return self.folder / FILE

    @property
    def reports(self) -> Path:
        """Where the records go."""
        return self.folder / "reports"

    @property
    def number(self) -> str:
        """The change's number."""
        return f"REHEARSAL-{self.world.record.id}"

    def write_plan(self, *, begins_h: float = -1, ends_h: float = 6) -> None:
        """Write the world's plan with a window that begins and ends so many hours after the hosts were made."""
        content: dict[str, Any] = yaml.safe_load(self.world.plan_path.read_text(encoding="utf-8"))
        hours = {"start": begins_h, "end": ends_h}
        content["change"]["window"] = {name: (self.made + timedelta(hours=one)).isoformat() for name, one in hours.items()}
        content["change"]["expected_downtime_s"] = 900
        self.plan_path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def type(self, command: str, *more: str, answers: str | None = None, reports: Path | None = None) -> int:
        """Type a command of the page, for these hosts; with answers at a terminal, else without one. Returns its exit code."""
        self.typed.append(command)
        where = reports or self.reports
        words = [self._word(word) for word in command.replace(f'"{NAME}"', NAME.replace(" ", "\0")).split()]
        if words[0] == "pytest":
            words = ["-m", *words, "--reports", str(where), *more]
        with _stdin(answers) as stdin:
            done = subprocess.run(
                (sys.executable, *[word for word in words if word != "python"]),
                cwd=ROOT,
                stdin=stdin,
                capture_output=True,
                text=True,
                timeout=self.longest_s,
                check=False,
            )
        self.printed = " ".join((done.stdout + done.stderr).split())
        return done.returncode

    def _word(self, word: str) -> str:
        if word == FOLDER:
            return str(max(self.reports.glob("*-plan*"), key=lambda path: path.stat().st_mtime))
        return word.replace("\0", " ").replace(NUMBER, self.number).replace(FILE, str(self.plan_path))

    def manifests(self) -> dict[str, str]:
        """Return what lies on both hosts: each path with its mode, owner and content, and what the databases hold."""
        found: dict[str, str] = {}
        for name in ("source", "dest"):
            top = self.world.folder / name / "fs"
            found |= {f"{name}/{path.relative_to(top)}": _told(path) for path in _paths(top)}
            found[f"databases of the {name}"] = self._databases(Role(name))
        return found

    def _databases(self, role: Role) -> str:
        dumped = self.on(role, "pg_dumpall", as_user="postgres")
        # Each dump has a key of its own, by which psql knows its end.
        return hashlib.sha256("\n".join(line for line in dumped.splitlines() if "restrict " not in line).encode()).hexdigest()

    def on(self, role: Role, *argv: str, as_user: str = "") -> str:
        """Run a command on a host, as somebody else than the run does."""
        plan = load(self.plan_path)
        host = Host(role, plan.host(role).ssh, Ssh(role, plan.host(role).ssh), plan.run_folder)
        try:
            return host.run(Command(role, argv, as_user=as_user)).text
        finally:
            host.transport.close()

    @property
    def record(self) -> Path:
        """The folder of the newest run's record."""
        return runs(self.reports, self.number)[-1]

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of the newest run's journal."""
        return [json.loads(line) for line in (self.record / "journal.jsonl").read_text(encoding="utf-8").splitlines()]

    def marks(self) -> list[str]:
        """Return the marks of the newest run."""
        return [line["mark"] for line in self.lines if line["kind"] == "mark"]


def made(folder: Path) -> LiveMove:
    """Return hosts that nothing was ever run on, and their plan."""
    world = open_world(folder / "worlds", fresh=True, say=lambda _: None)
    move = LiveMove(folder, world)
    move.write_plan()
    return move


class _stdin:  # noqa: N801 - used as a word: with _stdin(…)
    """The standard input of a command: a terminal at which so much is typed, or nothing."""

    def __init__(self, answers: str | None) -> None:
        self.answers, self.open = answers, ()  # type: str | None, tuple[int, ...]

    def __enter__(self) -> int:
        if self.answers is None:
            return subprocess.DEVNULL
        self.open = pty.openpty()
        os.write(self.open[0], self.answers.encode())
        return self.open[1]

    def __exit__(self, *_: object) -> None:
        for one in self.open:
            os.close(one)


def _paths(top: Path) -> list[Path]:
    found = []
    for folder, folders, files in os.walk(top):
        here = Path(folder)
        folders[:] = [name for name in folders if str((here / name).relative_to(top)) not in LEFT_OUT]
        found += [here / name for name in (*folders, *files)]
    return found


def _told(path: Path) -> str:
    about = path.lstat()
    what = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(about.st_mode) else ""
    leads = str(path.readlink()) if stat.S_ISLNK(about.st_mode) else ""
    return f"{about.st_mode:o} {about.st_uid} {what}{leads}"
