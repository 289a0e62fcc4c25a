"""How long a rehearsal takes and what it spends its time on, read from its journal; and the most memory that the harness had."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from harness.journal import read
from tests.bench.telling import Section

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.journal import Line

ROOT = Path(__file__).parents[2]
LONGEST_S = 600.0
LOOK_EVERY_S = 0.05
MEGABYTE = 1e6
FIRST, GIVEN, LAST = "first looks and standing facts", "facts given", "last looks"
DATA, DEEDS, HARNESS = "deeds that measure or move data", "other deeds", "the harness itself"
PARTS = (FIRST, GIVEN, LAST, DATA, DEEDS, HARNESS)
ABOUT_DATA = re.compile(r"^rsync |^pg_dump |^pg_restore |^fingerprint |^read the schema |^take the manifest |^ANALYZE ")
# What is aimed at: looks before acts cost users next to nothing; memory does not grow with the data.
MOST_OF_FROZEN = 0.05
MOST_MEGABYTES = 150
FLAT = 1.1


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """One rehearsal: seconds from the command to its end, until its first line was written, its lines, most memory in bytes."""

    seconds: float
    until_opened: float
    lines: Sequence[Line]
    memory: int


def rehearse(scale: str, hosts: str = "loopback") -> Rehearsed:
    """Rehearse on fresh hosts; ends the program unless all is green."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        argv = (
            sys.executable,
            "-m",
            "pytest",
            "features/",
            "--fresh",
            "--hosts",
            hosts,
            "--worlds",
            str(folder / "w"),
            "--scale",
            scale,
            "--reports",
            str(folder / "r"),
        )
        began, typed = time.monotonic(), time.time()
        with (folder / "printed").open("wb") as out:
            process = subprocess.Popen(argv, cwd=ROOT, stdout=out, stderr=out)
            memory = _watched(process)
        seconds = time.monotonic() - began
        if process.returncode:
            subprocess.run((sys.executable, "-m", "fixtures.hosts", "clean", str(folder / "w")), cwd=ROOT, check=False)
            sys.exit(f"a rehearsal at scale {scale} ended with {process.returncode}:\n{(folder / 'printed').read_text()[-2000:]}")
        [journal] = (folder / "r").glob("*/journal.jsonl")
        lines = read(journal).lines
    return Rehearsed(seconds, _at(lines[0]) - typed, lines, memory)


def _watched(process: subprocess.Popen[bytes]) -> int:
    """Wait for a process, killed when it takes too long; returns the most memory that it ever had (its high-water mark)."""
    memory, deadline = 0, time.monotonic() + LONGEST_S
    status = Path(f"/proc/{process.pid}/status")
    while process.poll() is None:
        if found := re.search(r"^VmHWM:\s+(\d+) kB$", status.read_text(), re.MULTILINE):
            memory = int(found[1]) * 1024
        if time.monotonic() > deadline:
            process.kill()
        time.sleep(LOOK_EVERY_S)
    return memory


def _at(line: Line) -> float:
    return datetime.fromisoformat(line["time"]).timestamp()


def split(lines: Iterable[Line]) -> dict[str, float]:
    """Return the seconds of each part of a run: the time before a line belongs to what that line tells."""
    parts, acting, before = dict.fromkeys(PARTS, 0.0), False, None
    for line in lines:
        parts[_part(line, acting=acting)] += _at(line) - (before or _at(line))
        before = _at(line)
        if line["kind"] == "step" and line["status"] in {"begun", "done"}:
            acting = line["status"] == "begun"
    return parts


def _part(line: Line, *, acting: bool) -> str:
    """Return what the time before a line was spent on. Standing facts that hold leave no line: they come before an act begins."""
    match line["kind"]:
        case "deed":
            return DATA if ABOUT_DATA.match(line["deed"]) else DEEDS
        case "digest":
            return DATA if acting else LAST
        case "check" | "step":
            return {"before": FIRST, "given": GIVEN, "after": LAST}.get(line.get("phase", ""), FIRST if not acting else HARNESS)
        case _:
            return HARNESS


def frozen(lines: Sequence[Line]) -> list[Line]:
    """Return the lines from T_stop to T_open: users wait meanwhile."""
    marks = {line["mark"]: at for at, line in enumerate(lines) if line["kind"] == "mark"}
    return list(lines[marks["T_stop"] : marks["T_open"] + 1])


def measured(scales: Sequence[str], times: int) -> Section:
    """Return the time of rehearsals and its split, at the smallest scale, several times, and at others, once."""
    runs = {scale: [rehearse(scale) for _ in range(times if scale == scales[0] else 1)] for scale in scales}
    table = [("seconds", *(f"scale {scale}" for scale in scales))]
    figures = {scale: [_figures(run) for run in runs[scale]] for scale in scales}
    table += [
        (name, *(f"{statistics.median(one[name] for one in figures[scale]):.2f}" for scale in scales))
        for name in figures[scales[0]][0]
    ]
    memory = {scale: max(run.memory for run in runs[scale]) / MEGABYTE for scale in scales}
    table.append(("most memory of the harness, MB", *(f"{memory[scale]:.0f}" for scale in scales)))
    outcome = [_share(scale, runs[scale]) for scale in scales]
    outcome.append(_memory(list(memory.values())))
    about = (
        f"`pytest features/ --fresh`; scale 1 is 20 people with 2,000 events. Medians of {times} at scale {scales[0]}, else of one."
        " Time is read from the journal: what lies before a line belongs to what the line tells."
    )
    return Section("Rehearsal", about, table, outcome)


def _figures(run: Rehearsed) -> dict[str, float]:
    whole, waiting = split(run.lines), split(frozen(run.lines))
    return {
        "from the command to its end": run.seconds,
        "hosts made and filled, until the run is opened": run.until_opened,
        "the run": sum(whole.values()),
        **{f"the run: {part}": seconds for part, seconds in whole.items()},
        "frozen, from T_stop to T_open": sum(waiting.values()),
        **{f"frozen: {part}": seconds for part, seconds in waiting.items()},
    }


def _share(scale: str, runs: Sequence[Rehearsed]) -> str:
    found = [split(frozen(run.lines)) for run in runs]
    first = statistics.median(one[FIRST] for one in found)
    share = statistics.median(one[FIRST] / sum(one.values()) for one in found)
    verdict = "met" if share <= MOST_OF_FROZEN else "MISSED"
    return (
        f"Target {verdict}: {FIRST} are {share:.0%} of the frozen time at scale {scale} (asked: {MOST_OF_FROZEN:.0%}); they take"
        f" {first:.1f} s, which is {MOST_OF_FROZEN:.0%} of a freeze of {first / MOST_OF_FROZEN / 60:.1f} minutes."
    )


def _memory(megabytes: Sequence[float]) -> str:
    most, growth = max(megabytes), max(megabytes) / megabytes[0]
    verdict = "met" if most < MOST_MEGABYTES and growth <= FLAT else "MISSED"
    return f"Target {verdict}: the harness had {most:.0f} MB at most (asked: under {MOST_MEGABYTES}), {growth:.2f} times scale 1."
