"""Tells a journal line by line, as a run writes it: with harness.journal.Journal, its clock set by the story."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from harness.journal import Journal
from harness.masking import Masker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.journal import Line

SECRET = "Wz7-kept-from-the-record"
HOSTILE = "<script>alert(1)</script>"
FILES = {
    "Nothing is touched before everything is known": "features/10_preflight.feature",
    "Nothing is copied while users can write": "features/50_freeze.feature",
    "A restored database equals its source": "features/60_databases.feature",
    "Every file arrives, unchanged": "features/70_files.feature",
    "The dest serves what the source served": "features/80_launch.feature",
    "Users' traffic moves": "features/85_cutover.feature",
}


@dataclass
class Clock:
    """Stands in for datetime in harness.journal: the story says what time it is."""

    time: datetime = datetime(2026, 12, 1, 2, 5, 0, tzinfo=UTC)

    def now(self, zone: object) -> datetime:
        """Return the story's time, which is UTC as the journal's is."""
        assert zone is UTC
        return self.time


@dataclass
class Story:
    """Writes a journal as time passes; `listener` gets each line as it is written."""

    path: Path
    listener: Callable[[Line], None] | None = None
    clock: Clock = field(default_factory=Clock)
    feature: str = ""
    scenario: str = ""
    example: str = ""
    deeds: int = 0

    def __post_init__(self) -> None:
        masker = Masker()
        masker.know(SECRET)
        self.journal = Journal(self.path, masker, [self.listener] if self.listener else [])
        self.journal.open()

    def tell(self, kind: str, **fields: object) -> Line:
        """Write one line at the story's time."""
        with patch("harness.journal.datetime", self.clock):
            return self.journal.append(kind, **fields)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.time += timedelta(seconds=seconds)

    def run(self, **changed: object) -> None:
        """Write the line that begins an attempt."""
        fields: dict[str, Any] = {
            "run": "2026-12-01-CHG0031337-r3",
            "change": "CHG0031337",
            "title": "Move core-a to Geneva-2",
            "operator": "the operator on duty",
            "approver": "the change board",
            "mode": "rehearsal",
            "hosts": {"source": "127.0.0.11 (loopback)", "dest": "127.0.0.12 (loopback)"},
            "core": "stand-in core 2.0.1",
            "fresh": True,
            "command": "pytest features/",
            "digests": {"plan": "sha256:" + "1f" * 32, "features": "sha256:" + "2e" * 32},
            "expected_downtime_s": 900,
        }
        self.tell("run", **{**fields, **changed})
        for title, file in FILES.items():
            self.tell("feature", feature=title, file=file)

    def begin(self, feature: str, scenario: str) -> None:
        """Begin a scenario."""
        self.feature, self.scenario, self.begun = feature, scenario, self.clock.time
        self.write("scenario", status="begun")
        self.wait(0.2)

    def end(self, status: str = "green", cause: str = "") -> None:
        """End the scenario that was begun."""
        self.write("scenario", status=status, cause=cause, seconds=(self.clock.time - self.begun).total_seconds())

    def without(self, feature: str, scenario: str, status: str, cause: str = "") -> None:
        """Write a scenario that is not run: blocked, settled or not applicable."""
        self.tell("scenario", feature=feature, scenario=scenario, example="", status=status, cause=cause)

    def write(self, kind: str, **fields: object) -> None:
        """Write a line that belongs to the scenario that was begun."""
        self.tell(kind, feature=self.feature, scenario=self.scenario, example=self.example, **fields)

    def act(self, step: str, status: str) -> None:
        """Write the line of an act: begun, done or already held."""
        self.write("step", keyword="When", step=step, status=status)

    def look(self, phase: str, fact: str, name: str, outcome: str = "held", **fields: object) -> None:
        """Write a look at a fact: its one check, then the step's line."""
        about: dict[str, Any] = {
            "witness": "sql",
            "expected": True,
            "observed": True,
            "examined": 1,
            "minimum": 1,
            "why": "",
            "remedy": "",
        }
        self.wait(0.05)
        self.write("check", step=fact, phase=phase, name=name, outcome=outcome, **(about | fields))
        keyword = "Given" if phase == "given" else "Then"
        cause = "" if outcome == "held" else f"{name}: {outcome}"
        self.write("step", keyword=keyword, step=fact, phase=phase, status=outcome, cause=cause)

    def intend(self, deed: str) -> str:
        """Write an intent and return its id."""
        self.deeds += 1
        identity = f"d{self.deeds}"
        self.write("intent", deed=deed, id=identity)
        return identity

    def do(self, deed: str, seconds: float = 1.0, *, exit: int = 0, tail: str = "") -> None:  # noqa: A002 - the field's name
        """Write an intent and, once the time has passed, what answered it."""
        identity = self.intend(deed)
        self.wait(seconds)
        host = deed.split(maxsplit=1)[0].rstrip("$")
        self.write("deed", id=identity, deed=deed, host=host, exit=exit, seconds=seconds, tail=tail, ok=exit == 0)

    def verdict(self, status: str, text: str, state: list[str]) -> None:
        """Write the line that ends an attempt."""
        self.wait(0.5)
        self.tell("verdict", status=status, text=text, state=state)
