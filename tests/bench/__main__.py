"""Measure: `python -m tests.bench [--only SECTION] [--quick] [--write FILE]`, in about 25 minutes.

SECTION is rehearsal, containers, frozen, fingerprint or manifest.
Figures of one measurement are taken in turn on one machine, so their ratios say more than their seconds. --quick takes a tenth of
the data, to see whether the programs work. --write puts all into FILE, as docs/benchmarks.md has it.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench import containers, fingerprints, frozen, manifests, rehearsals
from tests.bench.telling import Section, markdown

if TYPE_CHECKING:
    from collections.abc import Iterator

INTRODUCTION = """\
# Benchmarks

Written by `{command}`, on {cores} cores; to measure again, type it. Ratios are within one run, of ways that were tried in turn.
"""


def sections(only: str | None, *, quick: bool) -> Iterator[Section]:
    """Yield what is measured, each as soon as it is."""
    part = 10 if quick else 1
    if only in {None, "rehearsal"}:
        yield rehearsals.measured(("1", "2") if quick else ("1", "20"), 1 if quick else 3)
    if only in {None, "containers"}:
        yield containers.measured(1 if quick else 3)
    if only in {None, "frozen"}:
        yield from (frozen.measured(times) for times in ((1,) if quick else (1, 10)))
    if only in {None, "fingerprint"}:
        yield from fingerprints.measured(5_000_000 // part, 3)
    if only in {None, "manifest"}:
        yield manifests.measured(100_000 // part, 5)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument("--only", choices=("rehearsal", "containers", "frozen", "fingerprint", "manifest"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--write", type=Path, metavar="FILE")
    asked = parser.parse_args()
    command = "make bench" if not asked.only and not asked.quick else " ".join(["python -m tests.bench", *sys.argv[1:]])
    texts = [INTRODUCTION.format(command=command, cores=len(os.sched_getaffinity(0)))]
    for section in sections(asked.only, quick=asked.quick):
        texts.append(markdown(section))
        sys.stdout.write(f"{texts[-1]}\n")
        sys.stdout.flush()
    if asked.write:
        asked.write.write_text("\n".join(texts), encoding="utf-8")


if __name__ == "__main__":
    main()
