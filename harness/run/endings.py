"""How a run ends, and what may still be done with one that has: exit codes, closing, and what may continue it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.errors import JournalBroken, Refused
from harness.journal import read
from harness.run.fold import fold

if TYPE_CHECKING:
    from pathlib import Path

    from harness.run.fold import State

GREEN, RED, RETIRE_PENDING, ROLLED_BACK, STOPPED, REFUSED = 0, 1, 10, 11, 12, 13
STATUSES = {
    GREEN: "green",
    RETIRE_PENDING: "moved, retire pending",
    ROLLED_BACK: "rolled back",
    STOPPED: "stopped for an approval",
    REFUSED: "refused",
}
RETIRE = 98
BACK = "pytest features/rollback.feature"


def ending(state: State, code: int) -> int:
    """Return the exit code of a run: 11 for a rollback that came to its end, 10 where only the retire waits for a yes."""
    if code == GREEN and state.going_back:
        return ROLLED_BACK
    return RETIRE_PENDING if code == STOPPED and state.numbers.get(state.red) == RETIRE else code


def closes(code: int, *, whole: bool) -> bool:
    """Whether a run is closed by this ending: rolled back, or the whole runbook green, the retire included."""
    return code == ROLLED_BACK or (code == GREEN and whole)


def verdict(folder: Path) -> dict[str, Any]:
    """Return the last verdict of a run's record; empty where there is none."""
    journal = folder / "journal.jsonl"
    verdicts = [line for line in read(journal).lines if line["kind"] == "verdict"] if journal.exists() else []
    return verdicts[-1] if verdicts else {}


def is_closed(folder: Path) -> bool:
    """Whether a run's record ends in a verdict that closes it: then it is never continued."""
    last = verdict(folder)
    return last.get("status") in {STATUSES[GREEN], STATUSES[ROLLED_BACK]} and last.get("closes", True) is True


def runs(reports: Path, change: str) -> list[Path]:
    """Return the folders of a change's runs so far, the newest last."""
    return sorted(reports.glob(f"*-{change}-r*"), key=lambda path: int(path.name.rpartition("-r")[2]))


def record_folder(reports: Path, change: str, today: str) -> Path:
    """Return the folder of the newest run of a change that is not closed, else of a new one (day, change, count)."""
    earlier = runs(reports, change)
    if earlier and not is_closed(earlier[-1]):
        return earlier[-1]
    return reports / f"{today}-{change}-r{len(earlier) + 1}"


def newest_green(reports: Path) -> Path | None:
    """Return the folder of the newest run that was closed green: what its scenarios took tells what the rest of another needs."""
    return next(iter(closed_green(reports)), None)


def closed_green(reports: Path) -> list[Path]:
    """Return the folders of the runs that were closed green, the newest first; a record that cannot be read is none of them."""
    closed = [path for path in reports.glob("*-r*") if _is_green(path)]
    return sorted(closed, key=lambda path: path.stat().st_mtime, reverse=True)


def _is_green(folder: Path) -> bool:
    try:
        return is_closed(folder) and verdict(folder)["status"] == STATUSES[GREEN]
    except (JournalBroken, OSError):
        return False


def demand_may_begin(reports: Path, change: str, *, going_back: bool) -> None:
    """Refuse a rollback of what is closed or was never begun, and everything else once a run is being rolled back."""
    earlier = runs(reports, change)
    if going_back and not earlier:
        raise Refused(f"there is no run of {change} in {reports}: nothing was begun, nothing is to be rolled back")
    if not earlier:
        return
    newest, last = earlier[-1], verdict(earlier[-1])
    if is_closed(newest):
        if going_back:
            how = "moved and retired" if last["status"] == STATUSES[GREEN] else last["status"]
            raise Refused(f"the run {newest.name} is closed ({how} at {last['time'][:19]} UTC): nothing is left to be rolled back")
        return
    journal = newest / "journal.jsonl"
    state = fold(read(journal).lines) if journal.exists() else None
    if state and state.going_back and not going_back:
        since = state.marks["T_back"][:19]
        raise Refused(f"the run {newest.name} is being rolled back since {since} UTC: only {BACK} continues it")
