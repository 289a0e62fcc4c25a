"""How long the manifest of many small files takes, beside what else would read them all."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from harness.host import helper
from tests.bench.telling import Section, compared, medians

if TYPE_CHECKING:
    from collections.abc import Callable

FILE_BYTES = 4096
FOLDERS = 2000
OURS, RSYNC, SUMS = "manifest.py", "rsync -a -c -n of two local trees", "sha256sum by find and xargs"


def make(root: Path, files: int) -> None:
    """Make a tree of small files, all different, in folders of folders."""
    chance = random.Random(1)  # noqa: S311 - content that is the same every time
    for number in range(files):
        folder = root / f"{number % FOLDERS % 40}" / f"{number % FOLDERS}"
        if number < FOLDERS:
            folder.mkdir(parents=True)
        (folder / f"{number}").write_bytes(chance.randbytes(FILE_BYTES))


def ways(folder: Path) -> dict[str, Callable[[], object]]:
    """Return the ways to read all files of one tree, ours first: started anew each time, as on a host."""
    one, other = folder / "one", folder / "other"

    def ours() -> None:
        argv = [sys.executable, "-I", "-S", "-", str(one), "--follow", "--out", str(folder / "manifest")]
        subprocess.run(argv, input=helper("manifest"), check=True, stdout=subprocess.DEVNULL)

    def rsync() -> None:
        told = subprocess.run(("rsync", "-a", "-c", "-n", "-i", f"{one}/", str(other)), check=True, capture_output=True)
        assert told.stdout == b"", "the trees differ"

    def sums() -> None:
        find = ("find", str(one), "-type", "f", "-print0")
        with subprocess.Popen(find, stdout=subprocess.PIPE) as found:
            subprocess.run(("xargs", "-0", "sha256sum"), stdin=found.stdout, check=True, stdout=subprocess.DEVNULL)

    return {OURS: ours, RSYNC: rsync, SUMS: sums}


def measured(files: int, times: int) -> Section:
    """Return what the ways take."""
    with tempfile.TemporaryDirectory(prefix="bench-manifest-") as name:
        folder = Path(name)
        make(folder / "one", files)
        subprocess.run(("rsync", "-a", f"{folder / 'one'}/", str(folder / "other")), check=True)
        found = medians(ways(folder), times)
    about = (
        f"{files:,} files of {FILE_BYTES // 1024} KiB in {FOLDERS:,} folders, in the machine's cache. Medians of {times}, start"
        " of the programs included. rsync reads both trees, by two processes; the others read one, as each host reads its own."
    )
    return compared(f"Manifest of {files:,} files", about, found, (RSYNC, SUMS))
