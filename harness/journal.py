"""The journal: append-only JSON lines, each holding the SHA-256 of the line before it.

A line is {seq, time (UTC, ISO 8601), kind, …, prev}. Intents, marks and gates are on the disk (fsync) before anything else is
done. Kinds and their fields:

run       run, change, title, operator, approver, mode (rehearsal|live|dry run), hosts, core, fresh, continued, command, digests,
          expected_downtime_s, approval (of, by whom, when, digest), follows (the rehearsal)
facts     facts: {versions, sizes, topology} of what is to be moved, as harness.stated reads them
feature   feature, file
scenario  feature, scenario, example, status (begun|green|red|blocked|settled|not applicable), cause, seconds
step      scenario, keyword, step, status (begun|held|not held|error|done|already held|not run), cause
intent    scenario, deed (for people), command (as it is run, masked), id
deed      scenario, id, deed, host, exit, seconds, tail, ok
check     scenario, step, phase (given|before|after|standing), name, witness, expected, observed, examined, minimum,
          outcome, why, remedy
mark      mark (T_stop|T_start|T_open)
gate      scenario, approved, by
fact      name, from or until: a standing fact begins or ends
note      text
client    client (its number), outcome (answered|refused|wrong host), at (who answered), from, until, writes, reads
digest    name, role, digest, examined: a measurement taken at rest (fingerprint of a table, manifest of a data root)
estimate  seconds, text: of a dry run, how long users will wait
planned   scenario, deed, command, host, input_bytes, moves_bytes, expected_s | depends | gate: of a dry run, what an act would do
verdict   status (green|red|refused), text, state (the lines of the state block)
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness.errors import JournalBroken
from harness.masking import Masker

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Line = dict[str, Any]
DURABLE = frozenset({"run", "intent", "mark", "gate", "fact", "verdict"})
FIRST = "sha256:" + "0" * 64


def digest(raw: bytes) -> str:
    """Return the digest that the next line's `prev` holds."""
    return "sha256:" + hashlib.sha256(raw).hexdigest()


@dataclass(frozen=True, slots=True)
class Recorded:
    """A journal as read: its whole lines, and the torn last one if a writer was killed in the middle of it."""

    lines: list[Line]
    last: str = FIRST
    torn: bytes = b""
    length: int = 0


def read(path: Path) -> Recorded:
    """Read a journal and check its chain; raises JournalBroken naming the line where it does not hold."""
    raw = path.read_bytes()
    whole, _, torn = raw.rpartition(b"\n")
    lines: list[Line] = []
    previous = FIRST
    for number, text in enumerate(whole.split(b"\n") if whole else [], start=1):
        try:
            line = json.loads(text)
        except ValueError as error:
            raise JournalBroken(f"{path}, line {number} is not JSON: the journal was changed") from error
        if not isinstance(line, dict) or line.get("prev") != previous or line.get("seq") != number:
            raise JournalBroken(f"{path}, line {number} does not follow the line before it: the journal was changed")
        previous = digest(text)
        lines.append(line)
    return Recorded(lines, previous, torn, len(whole) + 1 if whole else 0)


@dataclass
class Journal:
    """A journal being written; `listeners` are called with each line once it is written."""

    path: Path
    masker: Masker = field(default_factory=Masker)
    listeners: list[Callable[[Line], None]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    _previous: str = FIRST
    _writing: threading.RLock = field(default_factory=threading.RLock)

    def open(self) -> None:
        """Take up the lines already written; a torn last line is set aside in a file beside the journal, and noted."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self.path.exists():
            self.path.touch(mode=0o600)
            return
        recorded = read(self.path)
        self.lines = recorded.lines
        self._previous = recorded.last
        if recorded.torn:
            self.path.with_suffix(f".torn-{len(self.lines)}").write_bytes(recorded.torn)
            os.truncate(self.path, recorded.length)
            self.append("note", text="the last line was torn: a writer was killed; it was set aside")

    def append(self, kind: str, **fields: object) -> Line:
        """Write a line, masked; raises JournalBroken when it cannot be written (then no deed may start)."""
        with self._writing:  # deeds done side by side write from several threads
            return self._append(kind, fields)

    def _append(self, kind: str, fields: dict[str, object]) -> Line:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        masked = self.masker.line({"seq": len(self.lines) + 1, "time": now, "kind": kind, **fields, "prev": self._previous})
        raw = json.dumps(masked, ensure_ascii=False, default=str).encode(errors="backslashreplace")
        line: Line = json.loads(raw)
        try:
            with self.path.open("ab", buffering=0) as file:
                file.write(raw + b"\n")
                if kind in DURABLE:
                    os.fsync(file.fileno())
        except OSError as error:
            raise JournalBroken(f"the journal {self.path} cannot be written: {error}; free space or mend the disk") from error
        self._previous = digest(raw)
        self.lines.append(line)
        for listener in self.listeners:
            listener(line)
        return line
