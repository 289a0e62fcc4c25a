"""Rehearses with every declared fault and control in turn (`make prove`): a fault must be red first at its check, a control green.

Usage: python -m tests.prove_red [--only NAME …] [--matrix FILE]

The baseline, a rehearsal without a fault, comes first and must be green. Each fault strikes on fresh hosts. The matrix is written
as Markdown; a whole one is also kept beside the records, which show it from then on.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures.faults import FAULTS, caught, keep_proof, named
from harness.run.session import code_digest
from tests.runbook.rehearsing import ROOT, Rehearsal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fixtures.faults import Caught
    from fixtures.faults.fault import Fault

AT_ONCE = 2
SHOWN = 160
HEAD = """\
# Proof of red

Each check of the runbook is worth what it has been seen to catch. `make prove` rehearses with every declared fault in turn: it must
turn its check red first, with its message; a control, a harmless difference, must turn nothing red.
{told}

| fault | what is done | after the scenario | red first | its message | as declared |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Tried:
    """What became of a rehearsal with a fault."""

    fault: Fault
    found: Caught
    code: int
    printed: str

    @property
    def as_declared(self) -> bool:
        """Whether it was red first where the fault says, or green for a control; and the command's exit code says the same."""
        return self.found.as_declared(self.fault) and self.code == (0 if self.fault.red is None else 1)


def rehearsed(name: str, folder: Path) -> Tried:
    """Rehearse with a fault, on fresh hosts that are ended with it."""
    folder.mkdir()
    rehearsal = Rehearsal(folder)
    try:
        code = rehearsal.run("--fault", name)
        return Tried(FAULTS[name], caught(rehearsal.lines, name), code, rehearsal.printed)
    finally:
        rehearsal.close()


def row(tried: Tried) -> str:
    """Return a row of the matrix."""
    fault, red = tried.fault, tried.found.first_red
    when = fault.after if fault.once_green else f"{fault.after} (its act)"
    first = f"{red.scenario}: {red.check}" if red else "nothing (a control)" if fault.red is None else "nothing"
    cells = (fault.name, fault.text, when, first, shortened(red.message) if red else "", "yes" if tried.as_declared else "**no**")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def as_kept(tried: Tried) -> dict[str, object]:
    """Return what a record tells of a fault."""
    fault, red = tried.fault, tried.found.first_red
    first, message = (f"{red.scenario}: {red.check}", shortened(red.message)) if red else ("", "")
    about = {"fault": fault.name, "text": fault.text, "after": fault.after, "red": first, "message": message}
    return {**about, "as_declared": tried.as_declared}


def shortened(message: str) -> str:
    """Return a message in one line that fits a cell."""
    line = " ".join(message.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN // 2]} … {line[-SHOWN // 2 :]}"


def told(tried: Sequence[Tried]) -> str:
    """Return the outcome in a sentence."""
    faults, controls = [one for one in tried if one.fault.red], [one for one in tried if one.fault.red is None]
    good = [sum(one.as_declared for one in group) for group in (faults, controls)]
    return f"{good[0]} of {len(faults)} faults red first as declared, {good[1]} of {len(controls)} controls green."


def baseline(folder: Path) -> None:
    """Rehearse without a fault; ends the program when that is not green."""
    folder.mkdir()
    rehearsal = Rehearsal(folder)
    try:
        if rehearsal.run():
            raise SystemExit(f"the baseline is not green:\n{rehearsal.printed}")
    finally:
        rehearsal.close()


def _try(name: str, top: Path) -> Tried:
    tried = rehearsed(name, top / name)
    sys.stdout.write(f"{'as declared    ' if tried.as_declared else 'NOT AS DECLARED'} {name}: {tried.found.first_red}\n")
    if not tried.as_declared:
        sys.stdout.write(tried.printed[-3000:])
    sys.stdout.flush()
    return tried


def main() -> int:
    """Try every fault (or those named), print each, and return 1 if one was not as declared."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--matrix", type=Path)
    wanted = parser.parse_args()
    names = [named(name).name for name in wanted.only or FAULTS]
    with tempfile.TemporaryDirectory() as top, ThreadPoolExecutor(AT_ONCE) as pool:
        baseline(Path(top) / "baseline")
        tried = list(pool.map(lambda name: _try(name, Path(top)), names))
    sys.stdout.write(f"{told(tried)}\n")
    if not wanted.only:
        keep_proof(ROOT / "reports", code_digest(ROOT), [as_kept(one) for one in tried])
    if wanted.matrix:
        rows = "\n".join(row(one) for one in tried)
        wanted.matrix.write_text(f"{HEAD.format(told=told(tried))}{rows}\n", encoding="utf-8")
    return int(not all(one.as_declared for one in tried))


if __name__ == "__main__":
    sys.exit(main())
