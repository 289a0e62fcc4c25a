"""Kills the harness, the source and the dest in every phase of a move between containers (`make prove-hosts`).

Usage: python -m tests.prove_kill_hosts [--whom harness,source,dest] [--moments before,middle,after] [--phases 10,60,…] [--back]
       [--lost] [--baseline JOURNAL] [--table FILE]

A host is killed as a power cut does it, and gets its power back at once. One move meets a kill in each of its phases: a point
counts as continued when the same command, typed again, comes to the next point or ends green; and at the end what arrived must be
what was measured at rest, and no write may be missing that a client was told was saved. With --back each point is followed by a
rollback, with --lost the harness dies with all its records, and another machine adopts the run from the source or the dest in turn.
How many deeds a phase has is counted in an undisturbed move, or in the journal of an earlier one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.runbook.breaking import Hosts, hosts_of
from tests.runbook.rehearsing import arrived_as_measured

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

WHOM, MOMENTS = ("harness", "source", "dest"), ("before", "middle", "after")
LAST_BEFORE_OPEN, FROZEN, RETIRE = 80, 50, 98
SHOWN = 5000
COMPARED, LEDGER = "the source beside what was measured at rest", "acknowledged writes on the "
SAME = {"as at rest", "read, nothing was measured at rest"}
SERVES = "the source saves its writes again, and has lost none that it was told was saved"
BACK = "features/rollback.feature"


@dataclass(frozen=True)
class Point:
    """Where somebody dies: in which phase, at which of its intents (or scenarios, where it does nothing), when and who."""

    phase: int
    moment: str
    whom: str
    nth: int = 0
    of: str = "intents"


@dataclass
class Tried:
    """What became of one point: where it struck ("" when the run never came there), and how the command typed after it went on."""

    point: Point
    where: str
    went_on: bool = False
    whole: bool = False
    printed: str = field(default="", repr=False)

    @property
    def verdict(self) -> str:
        """What is told of it."""
        return "not met" if not self.where else "green" if self.went_on and self.whole else "RED"


def points(lines: Iterable[dict[str, Any]], whom: Sequence[str], moments: Sequence[str], phases: Sequence[int]) -> list[Point]:
    """Return the points of a green run's journal, phase by phase, for each who may die at each moment."""
    intents, scenarios = Counter[int](), Counter[int]()
    phase = 0
    for line in lines:
        if line["kind"] == "feature":
            phase = int(line["file"][:2])
        intents[phase] += line["kind"] == "intent"
        scenarios[phase] += line["kind"] == "scenario" and line["status"] == "begun"
    found = []
    for phase in sorted(number for number, count in scenarios.items() if count):
        of = "intents" if intents[phase] else "scenarios"
        count = (intents if intents[phase] else scenarios)[phase]
        nth = {"before": 0, "middle": count // 2, "after": count - 1}
        found += [Point(phase, moment, who, nth[moment], of) for who in whom for moment in moments]
    return [point for point in found if not phases or point.phase in phases]


def strike(hosts: Hosts, point: Point) -> tuple[int, str]:
    """Type the command and let somebody die in it; returns its exit code, and where it struck. A host has booted by then."""
    rehearsal, struck = hosts.rehearsal, hosts.rehearsal.folder / "struck"
    struck.unlink(missing_ok=True)
    container = "" if point.whom == "harness" else hosts.world.host(point.whom).container_name
    rehearsal.environment = {
        "KILL_PHASE": str(point.phase),
        "KILL_NTH": str(point.nth),
        "KILL_MOMENT": point.moment,
        "KILL_OF": point.of,
        "KILL_WHOM": container,
        "KILL_STRUCK": str(struck),
    }
    code = rehearsal.run("-p", "tests.killing_hosts")
    rehearsal.environment = {}
    if not struck.exists():
        return code, ""
    if container:
        hosts.settle(point.whom)
    return code, struck.read_text(encoding="utf-8")


def is_whole(lines: Sequence[dict[str, Any]]) -> bool:
    """Whether what arrived is what was measured at rest, and every write is there that a client was told was saved."""
    return arrived_as_measured(lines) and nothing_lost(lines)


def nothing_lost(lines: Sequence[dict[str, Any]]) -> bool:
    """Whether the last look into a client's ledger found writes, and all of them."""
    looked = [line for line in lines if line["kind"] == "check" and line["name"].startswith(LEDGER)]
    return bool(looked) and looked[-1]["outcome"] == "held" and looked[-1]["observed"]["lost"] == 0


def continued(folder: Path, wanted: Sequence[Point]) -> list[Tried]:
    """Let one move meet each point in turn (phases in their order); on new hosts where a move came to its end before the last."""
    left, tried, number = list(wanted), [], 0
    while left:
        number += 1
        of_this = one_move(_folder(folder, f"move-{number}"), left)
        tried += of_this
        left = left[len(of_this) :]
    return tried


def one_move(folder: Path, wanted: Sequence[Point]) -> list[Tried]:
    """Let one move meet points, until it has come to its end: a death that nobody has noticed may be its last."""
    hosts, tried, code = hosts_of(folder), list[Tried](), 1
    try:
        for point in wanted:
            code, where = strike(hosts, point)
            if tried:
                tried[-1].went_on = bool(where) or code == 0
                tried[-1].printed = hosts.rehearsal.printed
            tried.append(Tried(point, where))
            if code == 0:
                break
        else:
            code = hosts.rehearsal.run()
        tried[-1].went_on, tried[-1].printed = code == 0, hosts.rehearsal.printed
        for one in tried:
            one.whole = is_whole(hosts.rehearsal.lines)
        return tried
    finally:
        hosts.end()


def rolled_back(folder: Path, wanted: Sequence[Point]) -> Iterator[Tried]:
    """Give the move up after each point, and move the same hosts anew; a move that has not noticed the death comes to its end."""
    hosts: Hosts | None = None
    try:
        for number, point in enumerate(wanted):
            hosts = hosts or hosts_of(_folder(folder, f"back-{number}"))
            code, where = strike(hosts, point)
            tried = Tried(point, where)
            if code:
                tried.went_on = hosts.rehearsal.named(BACK) == 11
                tried.whole, tried.printed = _is_as_before(hosts.rehearsal.lines), hosts.rehearsal.printed
            else:
                tried.went_on, tried.whole = True, is_whole(hosts.rehearsal.lines)
                tried.where += "; nobody noticed, and the move came to its end"
            if code == 0 or tried.verdict == "RED":
                hosts.end()
                hosts = None
            yield tried
    finally:
        if hosts:
            hosts.end()


def _is_as_before(lines: Sequence[dict[str, Any]]) -> bool:
    """Whether the source is as measured, and saves and has what clients write; without anybody to write, whether it answers."""
    checks = [line for line in lines if line["kind"] == "check"]
    compared = [line for line in checks if line["name"] == COMPARED]
    serves = [line["outcome"] == "held" for line in checks if line["step"] == SERVES and line["phase"] == "after"]
    return bool(compared) and set(compared[-1]["observed"].values()) <= SAME and bool(serves) and all(serves)


def lost(folder: Path, wanted: Sequence[Point]) -> Iterator[Tried]:
    """Let the harness die with all that lies here, each on new hosts; the run is adopted from the source and the dest in turn."""
    for number, point in enumerate(wanted):
        hosts = hosts_of(_folder(folder, f"lost-{number}"))
        try:
            _, where = strike(hosts, point)
            shutil.rmtree(hosts.rehearsal.folder / "reports")
            code = hosts.rehearsal.run("--adopt", ("source", "dest")[number % 2])
            yield Tried(point, where, code == 0, is_whole(hosts.rehearsal.lines), hosts.rehearsal.printed)
        finally:
            hosts.end()


def _folder(top: Path, name: str) -> Path:
    folder = top / name
    folder.mkdir()
    return folder


def _baseline(folder: Path) -> list[dict[str, Any]]:
    """Return the journal of an undisturbed move."""
    hosts = hosts_of(folder)
    try:
        if hosts.rehearsal.run() or not is_whole(hosts.rehearsal.lines):
            raise SystemExit(f"the baseline is not green:\n{hosts.rehearsal.printed}")
        return hosts.rehearsal.lines
    finally:
        hosts.end()


def _read(journal: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in journal.read_text(encoding="utf-8").splitlines()]


def _tried(top: Path, wanted: argparse.Namespace, found: Sequence[Point]) -> Iterator[Tried]:
    if wanted.lost:
        yield from lost(top, [point for point in found if point.whom == "harness" and FROZEN <= point.phase < RETIRE])
    elif wanted.back:
        yield from rolled_back(top, [point for point in found if point.phase <= LAST_BEFORE_OPEN])
    else:
        for who in wanted.whom:
            for moment in wanted.moments:
                of_this = [point for point in found if (point.whom, point.moment) == (who, moment)]
                yield from continued(_folder(top, f"{who}-{moment}"), of_this)


def main() -> int:
    """Try the points, print each, and return 1 if one was not green."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--whom", type=lambda text: text.split(","), default=list(WHOM))
    parser.add_argument("--moments", type=lambda text: text.split(","), default=list(MOMENTS))
    parser.add_argument("--phases", type=lambda text: [int(one) for one in text.split(",")], default=[])
    parser.add_argument("--back", action="store_true")
    parser.add_argument("--lost", action="store_true")
    parser.add_argument("--baseline", type=Path)
    parser.add_argument("--table", type=Path)
    wanted = parser.parse_args()
    tried: list[Tried] = []
    with tempfile.TemporaryDirectory() as top:
        lines = _read(wanted.baseline) if wanted.baseline else _baseline(_folder(Path(top), "baseline"))
        found = points(lines, wanted.whom, wanted.moments, wanted.phases)
        began = time.monotonic()
        for one in _tried(Path(top), wanted, found):
            tried.append(one)
            _say(one, time.monotonic() - began)
            if wanted.table:
                wanted.table.write_text(json.dumps([_row(one) for one in tried], indent=1), encoding="utf-8")
    told = Counter(one.verdict for one in tried)
    sys.stdout.write(f"{len(tried)} points: {', '.join(f'{count} {verdict}' for verdict, count in sorted(told.items()))}\n")
    return int(bool(told["RED"]))


def _row(one: Tried) -> dict[str, Any]:
    return {**vars(one.point), "where": one.where, "verdict": one.verdict}


def _say(one: Tried, seconds: float) -> None:
    point = one.point
    more = f"\n{one.printed[-SHOWN:]}" if one.verdict == "RED" else ""
    sys.stdout.write(f"{seconds:6.0f} s  {point.phase} {point.moment:6} {point.whom:7} {one.verdict:8} {one.where}{more}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
