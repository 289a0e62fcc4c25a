"""Deeds are written to the journal before they are done and after; observations are asked; what is said beside them is kept."""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any

from harness.deed import Command, CommandResult, HttpAnswer, Keep, Learn, Measured
from harness.errors import DeedFailed, HarnessError, StoppedByOperator
from harness.run.values import Performs, Scenario

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.journal import Journal

SERVER_ERROR = 500


@dataclass
class Doing:
    """Does what acts and looks yield, for one run; `stopping` is set by the operator's first Ctrl-C."""

    journal: Journal
    performer: Performs
    private: Path
    scenario: Scenario = field(default_factory=lambda: Scenario("", ""))
    stopping: bool = False
    kept_too: Callable[[str, bytes], None] | None = None
    _ids: Any = field(default_factory=count)

    def write(self, kind: str, **fields: object) -> None:
        """Write a line that belongs to the scenario."""
        scenario = self.scenario
        self.journal.append(kind, feature=scenario.feature, scenario=scenario.name, example=scenario.example, **fields)

    def observe(self, wanted: Any) -> Any:  # noqa: ANN401 - each observation has its own answer
        """Ask what a look yields."""
        self._may_go_on()
        if isinstance(wanted, Learn | Measured):
            return self._aside(wanted)
        return together(self.performer.observe, wanted) if isinstance(wanted, tuple) else self.performer.observe(wanted)

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
                self.journal.masker.know(*(secret.value for secret in aside.secrets))
            case Keep():
                self._keep(aside.name, aside.content)
            case Measured():
                fields = {name: getattr(aside, name) for name in ("name", "role", "digest", "examined", "bytes", "parts")}
                self.journal.append("digest", **fields)

    def _keep(self, name: str, content: Any) -> Any:  # noqa: ANN401 - JSON is any
        self.private.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self.private / f"{name}.json"
        part = path.with_suffix(".part")
        part.touch(mode=0o600)
        raw = json.dumps(content, ensure_ascii=False).encode()
        part.write_bytes(raw)
        part.replace(path)
        if self.kept_too:
            self.kept_too(name, raw)
        return content

    def kept(self, name: str) -> Any:  # noqa: ANN401 - JSON is any
        """Return what an act kept in the private folder, or None; the strings in it are masked from now on."""
        path = self.private / f"{name}.json"
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        self.journal.masker.know(*(value for value in (content or {}).values() if isinstance(value, str)))
        return content

    @property
    def secret_key(self) -> bytes:
        """The key of this run's digests of secrets and pseudonyms; it never leaves the private folder."""
        kept = self.kept("key") or self._keep("key", {"key": secrets.token_hex(32)})
        return bytes.fromhex(kept["key"])

    def pseudonym(self, text: str) -> str:
        """Return what stands for a path or a user in the record."""
        return "~" + hmac.new(self.secret_key, text.encode(), hashlib.sha256).hexdigest()[:12]

    def _deed(self, deed: Any) -> Any:  # noqa: ANN401 - each deed has its own answer
        identity = f"{len(self.journal.lines)}-{next(self._ids)}"
        self.write("intent", deed=said(deed), command=str(deed), id=identity)
        began = time.monotonic()
        try:
            result = self.performer.do(deed)
        except HarnessError as error:
            self._write_deed(deed, identity, began, ok=False, tail=str(error))
            raise
        self._write_deed(deed, identity, began, **_told(deed, result))
        if isinstance(result, CommandResult) and not result.ok:
            raise DeedFailed(f"{deed}: exit {result.exit}\n{'' if result.command.private else result.tail()}".rstrip(), result)
        return result

    def _write_deed(self, deed: Any, identity: str, began: float, **fields: object) -> None:  # noqa: ANN401 - any deed
        host = deed.host if isinstance(deed, Command) else ""
        self.write("deed", id=identity, deed=said(deed), host=host, seconds=round(time.monotonic() - began, 3), **fields)


def said(deed: Any) -> str:  # noqa: ANN401 - any deed
    """Return what a deed does, for people."""
    return (deed.says if isinstance(deed, Command) else "") or str(deed)


def _told(deed: Any, result: Any) -> dict[str, Any]:  # noqa: ANN401 - any deed and its answer
    """Return what the record tells of a result."""
    if isinstance(result, CommandResult):
        return {"ok": result.ok, "exit": result.exit, "tail": "" if deed.private else result.tail()}
    if isinstance(result, HttpAnswer):
        return {"ok": result.status < SERVER_ERROR, "exit": result.status, "tail": ""}
    return {"ok": True, "tail": str(result)}


def together(perform: Callable[[Any], Any], wanted: tuple[Any, ...]) -> list[Any]:
    """Perform several things at once; all have ended before the first error is raised."""
    with ThreadPoolExecutor(max_workers=max(1, len(wanted))) as pool:
        futures = [pool.submit(perform, one) for one in wanted]
    return [future.result() for future in futures]
