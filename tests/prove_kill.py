"""Kills the harness at every point of a rehearsal in turn and types the same command again (`make prove-kill`).

Usage: python -m tests.prove_kill [--every N] [--from POINT] [--hosts containers|loopback] [--power-off] [--table FILE]

Each point is tried on fresh hosts: one run is killed there, the same command is typed until it ends by itself, and must be green
with the fingerprints and manifests that were measured at rest. With --power-off the hosts have a power cut in between. The table is
written as it grows.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixtures.hosts import records
from tests.runbook.rehearsing import Rehearsal, arrived_as_measured

POINTS_EXPECTED = 480
AT_ONCE = 2


@dataclass(frozen=True)
class Tried:
    """What became of one point."""

    point: int
    where: str
    killed: bool
    green: bool
    same_fingerprints: bool
    seconds: float
    printed: str


def killed_at(point: int, folder: Path, hosts: str = "loopback", *, power: bool = True) -> Tried:
    """Kill a rehearsal at a point, type the same command again, and say what became of it."""
    return killed(point, folder, {"KILL_AT": str(point)}, hosts, power=power)


def killed(point: int, folder: Path, how: dict[str, str], hosts: str = "loopback", *, power: bool = True) -> Tried:
    """Kill a rehearsal as the environment says (see tests.killing), type the same command again, and say what became of it.

    Without `power` the hosts have a power cut between the two commands.
    """
    rehearsal = Rehearsal(folder, environment=how, hosts=hosts)
    began = time.monotonic()
    try:
        code = rehearsal.run("-p", "tests.killing")
        if code != -signal.SIGKILL:
            return Tried(point, "", False, code == 0, False, time.monotonic() - began, rehearsal.printed)
        where = _where(rehearsal.lines)
        if not power:
            with records.choosing(rehearsal.worlds):
                records.tidy(rehearsal.worlds)
        code = rehearsal.run()
        return Tried(
            point, where, True, code == 0, arrived_as_measured(rehearsal.lines), time.monotonic() - began, rehearsal.printed
        )
    finally:
        rehearsal.close()


def _where(lines: list[dict[str, Any]]) -> str:
    last: dict[str, Any] = next((line for line in reversed(lines) if line["kind"] in {"scenario", "intent", "deed"}), {})
    return f"{last.get('kind', 'opening')} in “{last.get('scenario', '')}”: {last.get('deed', '')}".rstrip(": ")


def count_points(folder: Path, hosts: str = "loopback") -> int:
    """Return how many points a rehearsal has."""
    rehearsal = Rehearsal(folder, hosts=hosts, environment={"KILL_AT": "-1", "KILL_COUNT": str(folder / "count")})
    try:
        if rehearsal.run("-p", "tests.killing"):
            raise SystemExit(f"the baseline is not green:\n{rehearsal.printed}")
        return int((folder / "count").read_text(encoding="utf-8"))
    finally:
        rehearsal.close()


def main() -> int:
    """Try every point (or every Nth), print each, and return 1 if one was not green."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--from", type=int, default=0, dest="first")
    parser.add_argument("--hosts", choices=("containers", "loopback"), default="loopback")
    parser.add_argument("--power-off", action="store_true")
    parser.add_argument("--table", type=Path)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        points = count_points(_folder(Path(top), "count"), wanted.hosts)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            tried = list(pool.map(lambda point: _try(point, Path(top), wanted), range(wanted.first, points, wanted.every)))
    told = Counter("green" if one.green and one.same_fingerprints else "RED" for one in tried)
    good, bad = told["green"], told["RED"]
    line = f"{len(tried)} of {points} points: {good} ended green with the fingerprints measured at rest, {bad} did not"
    sys.stdout.write(f"{line}\n")
    if wanted.table:
        wanted.table.write_text(json.dumps([line, *({**vars(one), "printed": ""} for one in tried)], indent=1), encoding="utf-8")
    return int(bool(bad))


def _folder(top: Path, name: str) -> Path:
    folder = top / name
    folder.mkdir()
    return folder


def _try(point: int, top: Path, wanted: argparse.Namespace) -> Tried:
    tried = killed_at(point, _folder(top, str(point)), wanted.hosts, power=not wanted.power_off)
    verdict = "green" if tried.green and tried.same_fingerprints else f"RED\n{tried.printed}"
    sys.stdout.write(f"{tried.point:4} {tried.seconds:5.1f} s  {tried.where}  {verdict}\n")
    sys.stdout.flush()
    return tried


if __name__ == "__main__":
    sys.exit(main())
