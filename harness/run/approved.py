"""An approval: a person's yes to a plan document, which a dry run wrote; and what has changed since.

`approval.json` lies beside the document and names it by one digest over the plan, the features, the code and the facts that it
states. It is no signature: who may write in the folder of reports may write one. Its digest stands in the record of the live run.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness import stated
from harness.errors import Refused
from harness.journal import read
from harness.shown import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.journal import Line

FILE = "approval.json"
DRY = "dry run"
DIGESTS: Mapping[str, str] = {
    "plan": "the plan was changed",
    "features": "the features were changed",
    "code": "the code of the runbook was changed",
}
FIELDS = frozenset({"change", "document", "digests", "facts", "open_points", "approver", "at", "of"})


@dataclass(frozen=True, slots=True)
class Approval:
    """What was approved, by whom and when (UTC); `of` is the dry run, `open_points` are the facts that did not hold in it."""

    change: str
    document: str
    digests: Mapping[str, str]
    facts: Mapping[str, Any]
    open_points: tuple[str, ...]
    approver: str
    at: str
    of: str
    path: str = field(default="", compare=False)

    @property
    def told(self) -> dict[str, str]:
        """What the record of a live run says of it."""
        return {"approver": self.approver, "at": self.at, "of": self.of, "document": self.document}


def document_digest(digests: Mapping[str, str], facts: Mapping[str, Any]) -> str:
    """Return the digest of a plan document: over the plan, the features, the code and the facts that it states."""
    whole = {"digests": {name: digests.get(name, "") for name in DIGESTS}, "facts": facts}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def plan_folders(reports: Path, change: str) -> list[Path]:
    """Return the folders of a change's dry runs so far, the newest last."""
    found = [path for path in reports.glob(f"*-{change}-plan*") if path.name.rpartition("-plan")[2].isdigit()]
    return sorted(found, key=lambda path: int(path.name.rpartition("-plan")[2]))


def new_plan_folder(reports: Path, change: str, today: str) -> Path:
    """Return the folder of a new dry run: day, change, count."""
    earlier = plan_folders(reports, change)
    count = int(earlier[-1].name.rpartition("-plan")[2]) if earlier else 0
    return reports / f"{today}-{change}-plan{count + 1}"


def approve(folder: Path, approver: str, now: datetime | None = None) -> Path:
    """Write that a person approves the plan document in a folder; returns the file's path.

    Raises Refused when no finished dry run lies there, or when the approver is the operator; JournalBroken when its record was
    changed.
    """
    journal = folder / "journal.jsonl"
    if not journal.is_file():
        raise Refused(f"{folder} is not the folder of a dry run: it has no journal.jsonl")
    lines = read(journal).lines
    run, found, verdict = (_last(lines, kind) for kind in ("run", "facts", "verdict"))
    if run.get("mode") != DRY or not verdict or not found:
        raise Refused(f"{folder} holds no dry run that came to its end: pytest features/ --plan FILE --dry-run makes one")
    if not approver.strip() or approver.strip().casefold() == str(run.get("operator", "")).strip().casefold():
        raise Refused(f"the approver is a person with a name, and not the operator of the change ({run.get('operator')})")
    facts, digests = found["facts"], run["digests"]
    at = (now or datetime.now(UTC)).isoformat(timespec="seconds")
    document, points = document_digest(digests, facts), tuple(verdict.get("open_points", ()))
    given = Approval(run["change"], document, digests, facts, points, approver.strip(), at, folder.name)
    return _write(folder / FILE, {name: value for name, value in asdict(given).items() if name != "path"})


def _last(lines: list[Line], kind: str) -> Line:
    return next((line for line in reversed(lines) if line["kind"] == kind), {})


def _write(path: Path, content: dict[str, Any]) -> Path:
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1, ensure_ascii=False, sort_keys=True)
        file.write("\n")
    return part.replace(path)


def load(path: Path, change: str = "") -> Approval:
    """Read an approval (of a change, where one is named); raises Refused for what is none, or was changed after it was given."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(f"the approval {path} cannot be read: {error}") from error
    if not isinstance(content, dict) or content.keys() != FIELDS:
        raise Refused(f"{path} is no approval: `python -m harness approve` writes one")
    if content["document"] != document_digest(content["digests"], content["facts"]):
        raise Refused(f"the approval {path} was changed after it was given: its digest is another")
    if change and content["change"] != change:
        raise Refused(f"the approval {path} is that of {content['change']}, the plan that of {change}")
    return Approval(**{**content, "open_points": tuple(content["open_points"]), "path": str(path)})


def newest(reports: Path, change: str) -> Approval | None:
    """Return the approval of the newest plan document of a change that was approved, or None."""
    given = [folder / FILE for folder in plan_folders(reports, change) if (folder / FILE).is_file()]
    return load(given[-1], change) if given else None


def changed(approval: Approval | None, digests: Mapping[str, str], facts: Mapping[str, Any]) -> list[str]:
    """Return what is not as it was approved, one sentence for each; `facts` may be empty where they are not looked at."""
    if approval is None:
        return ["no approval of this move is known here"]
    told = [said for name, said in DIGESTS.items() if approval.digests.get(name) != digests.get(name)]
    found = stated.differences(approval.facts, facts) if facts else []
    return told + [one_line(text) for text in found]
