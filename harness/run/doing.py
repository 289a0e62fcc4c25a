"""Deeds are written to the journal before they are done and after; observations are asked; what is said beside them is kept."""

from __future__ import annotations

import json
import os
import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import count
from typing import TYPE_CHECKING, Any

from harness.deed import Command, CommandResult, HttpAnswer, Keep, Learn, Measured
from harness.errors import DeedFailed, HarnessError, StoppedByOperator
from harness.run.fold import fold
from harness.run.values import Performs, Scenario
from harness.tails import meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from harness.deed import Role
    from harness.journal import Journal

SERVER_ERROR = 500
RAW_TAILS = "tails.jsonl"
RAW_IS_KEPT = f"(the raw output is in private/{RAW_TAILS})"
LARGEST_RAW_BYTES = 1 << 16
# What is secret of what an act keeps: the names that it is kept under.
SECRET_NAME = re.compile(r"(token|key|secret|password|personal|shared)$", re.IGNORECASE)


@dataclass
class Doing:
    """Does what acts and looks yield, for one run; `stopping` is set by the operator's first Ctrl-C.

    `missing` stands for what no act has kept yet.
    """

    journal: Journal
    performer: Performs
    private: Path
    scenario: Scenario = field(default_factory=lambda: Scenario("", ""))
    stopping: bool = False
    kept_too: Callable[[str, bytes], None] | None = None
    let_go: Callable[[Role], None] = lambda _: None
    missing: Any = None
    _ids: Any = field(default_factory=count)

    def write(self, kind: str, **fields: object) -> None:
        """Write a line that belongs to the scenario."""
        scenario = self.scenario
        self.journal.append(kind, feature=scenario.feature, scenario=scenario.name, example=scenario.example, **fields)

    def observe(self, wanted: Any) -> Any:  # noqa: ANN401 - each observation has its own answer
        """Ask what a look yields."""
        self._may_go_on()
        if isinstance(wanted, Learn | Keep | Measured):
            return self._aside(wanted)
        return together(self._ask, wanted) if isinstance(wanted, tuple) else self._ask(wanted)

    def _ask(self, wanted: Any) -> Any:  # noqa: ANN401 - each observation has its own answer
        try:
            return self.performer.observe(wanted)
        except HarnessError as error:
            self._make_safe(error)
            raise

    def do(self, wanted: Any) -> Any:  # noqa: ANN401 - each deed has its own answer
        """Do what an act yields; raises DeedFailed, with its result, when a command exits otherwise than it may."""
        self._may_go_on()
        if isinstance(wanted, Learn | Keep | Measured):
            return self._aside(wanted)
        return together(self._deed, wanted) if isinstance(wanted, tuple) else self._deed(wanted)

    def _may_go_on(self) -> None:
        if self.stopping:
            raise StoppedByOperator("stopped by the operator (Ctrl-C) after the deed that was being done")

    def _aside(self, aside: Learn | Keep | Measured) -> None:
        match aside:
            case Learn():
                self._learn(aside)
            case Keep():
                self._keep(aside.name, aside.content)
            case Measured():
                fields = {name: getattr(aside, name) for name in ("name", "role", "digest", "examined", "bytes", "parts")}
                self.journal.append("digest", **fields)

    def _learn(self, learn: Learn) -> None:
        masker = self.journal.masker
        masker.know(*(secret.value for secret in learn.secrets))
        if learn.people or learn.below:
            masker.key = self.secret_key
            masker.meet(learn.people)
            masker.hide_below(learn.below)

    def _keep(self, name: str, content: Any) -> Any:  # noqa: ANN401 - JSON is any
        self.private.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.private / f"{name}.json"
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        raw = json.dumps(content, ensure_ascii=False).encode()
        part.write_bytes(raw)
        part.replace(path)
        self.journal.masker.know(*secrets_in(content))
        if self.kept_too:
            self.kept_too(name, raw)
        return content

    def kept(self, name: str) -> Any:  # noqa: ANN401 - JSON is any
        """Return what an act kept in the private folder, or None; the secrets in it are masked from now on."""
        path = self.private / f"{name}.json"
        if not path.exists():
            return self.missing
        content = json.loads(path.read_text(encoding="utf-8"))
        self.journal.masker.know(*secrets_in(content))
        return content

    @cached_property
    def secret_key(self) -> bytes:
        """The key of this run's digests of secrets and pseudonyms; it never leaves the private folder."""
        kept = self.kept("key")
        if kept is self.missing:
            kept = self._keep("key", {"key": secrets.token_hex(32)})
        return bytes.fromhex(kept["key"])

    def pseudonym(self, text: str) -> str:
        """Return what stands for a path or a user in the record."""
        self.journal.masker.key = self.secret_key
        return self.journal.masker.pseudonym(text)

    def _deed(self, deed: Any) -> Any:  # noqa: ANN401 - each deed has its own answer
        identity = f"{len(self.journal.lines)}-{next(self._ids)}"
        if isinstance(deed, Command) and deed.lasting in fold(self.journal.lines).ahead:
            deed = replace(deed, begun=True)
        self.write("intent", deed=said(deed), command=str(deed), id=identity, **_of_lasting(deed))
        began = time.monotonic()
        try:
            result = self.performer.do(deed)
        except HarnessError as error:
            self._make_safe(error, identity)
            self._write_deed(deed, identity, began, ok=False, tail=str(error))
            raise
        self._write_deed(deed, identity, began, **self._told(identity, deed, result))
        if isinstance(result, CommandResult) and not result.ok:
            tail = "\n".join(part for part in (result.tail(), RAW_IS_KEPT) if part)
            means = meaning(result.command.argv[0], result.exit)
            raise DeedFailed(self.journal.masker.text(f"{said(deed)}: exit {result.exit}{means}\n{tail}"), result)
        if isinstance(deed, Command) and deed.lets_go:
            self.let_go(deed.host)
        return result

    def _told(self, identity: str, deed: Any, result: Any) -> dict[str, Any]:  # noqa: ANN401 - any deed and its answer
        """Return what the record tells of a result; what it may not tell is kept in the private folder."""
        if isinstance(result, HttpAnswer):
            return {"ok": result.status < SERVER_ERROR, "exit": result.status, "tail": ""}
        if not isinstance(result, CommandResult):
            return {"ok": True, "tail": "" if result is None else str(result)}
        tail = result.tail()
        if not result.ok or not (deed.private or result.is_told_whole):
            self._keep_raw(identity, result)
            tail = "\n".join(part for part in (tail, RAW_IS_KEPT) if part)
        return {"ok": result.ok, "exit": result.exit, "tail": tail}

    def _make_safe(self, error: HarnessError, identity: str = "") -> None:
        """Take out of an error what may not be shown; what a host printed is kept in the private folder."""
        if isinstance(error, DeedFailed) and isinstance(error.result, CommandResult):
            self._keep_raw(identity, error.result)
            error.args = (f"{error}\n{RAW_IS_KEPT}",)
        self.journal.masker.error(error)

    def _keep_raw(self, identity: str, result: CommandResult) -> None:
        """Append what a command printed, as it did, to a file that is not part of the record; `id` is the deed's (none: a look)."""
        self.private.mkdir(mode=0o700, parents=True, exist_ok=True)
        streams = {
            name: raw[-LARGEST_RAW_BYTES:].decode(errors="replace") for name, raw in (("out", result.out), ("err", result.err))
        }
        line = {"id": identity, "scenario": self.scenario.name, "command": str(result.command), "exit": result.exit, **streams}
        file = os.open(self.private / RAW_TAILS, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(file, json.dumps(line, ensure_ascii=False).encode(errors="backslashreplace") + b"\n")
        finally:
            os.close(file)

    def _write_deed(self, deed: Any, identity: str, began: float, **fields: object) -> None:  # noqa: ANN401 - any deed
        host = deed.host if isinstance(deed, Command) else ""
        seconds = round(time.monotonic() - began, 3)
        self.write("deed", id=identity, deed=said(deed), host=host, seconds=seconds, **_of_lasting(deed), **fields)


def said(deed: Any) -> str:  # noqa: ANN401 - any deed
    """Return what a deed does, for people."""
    if not isinstance(deed, Command):
        return str(deed)
    how = f", begun ahead of: {deed.ahead_of}" if deed.ahead_of else ", begun ahead: waited for" if deed.begun else ""
    return f"{deed.says or deed}{how}"


def _of_lasting(deed: Any) -> dict[str, str]:  # noqa: ANN401 - any deed
    """Return what the record tells of a deed that may last: its name on the host, and the scenario that will wait for it."""
    if not (isinstance(deed, Command) and deed.lasting):
        return {}
    return {"lasting": deed.lasting} | ({"ahead_of": deed.ahead_of} if deed.ahead_of else {})


def secrets_in(content: Any, name: str = "") -> Iterator[str]:  # noqa: ANN401 - JSON is any
    """Yield the secrets of what an act keeps: every text under a name that says so, however deep."""
    if isinstance(content, str) and SECRET_NAME.search(name):
        yield content
    elif isinstance(content, dict):
        for key, value in content.items():
            yield from secrets_in(value, key)
    elif isinstance(content, list | tuple):
        for value in content:
            yield from secrets_in(value, name)


def together(perform: Callable[[Any], Any], wanted: tuple[Any, ...]) -> list[Any]:
    """Perform several things at once; all have ended before the first error is raised."""
    with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
        futures = [pool.submit(perform, one) for one in wanted]
    return [future.result() for future in futures]
