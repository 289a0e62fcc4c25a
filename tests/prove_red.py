"""Rehearses with every declared fault and control in turn (`make prove`): a fault must be red first at its check, a control green.

Usage: python -m tests.prove_red [--only NAME …] [--matrix FILE] [--fresh]

The baseline, a rehearsal without a fault, comes first and must be green. Each fault strikes on fresh hosts; once all have, the same
moves are made where only the guide's own checks look. The matrix is written as Markdown after both; a whole one is also kept beside
the records, which show it from then on. What came of each is kept at once: the same command again tries what was not as declared,
or not tried with the code as it is; --fresh tries all.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fixtures.containers import engine
from fixtures.faults import FAULTS, caught, keep_proof, named
from fixtures.hosts.records import CONTAINERS, LOOPBACK
from harness.run.session import code_digest, digest_of
from tests import guide_list
from tests.runbook.rehearsing import ROOT, Rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fixtures.faults import Caught
    from fixtures.faults.fault import Fault

Kept = dict[str, Any]
AT_ONCE = 2
SHOWN = 160
HEAD = """\
# Proof of red

Each check of the runbook is worth what it has been seen to catch. `make prove` rehearses with every declared fault in turn: it must
turn its check red first, with its message; a control, a harmless difference, must turn nothing red.
{told}

The last column is what an operator sees who follows the guide by hand: the same move with the same fault, where no check of ours
stops it, then the guide's own checks as a literal list (a clean log, the sign-in, recent events, calls that arrive on the dest, the
documented healthchecks 2 to 4, the list of cores; tests/guide_list.py). "Nothing" is a false pass.

| fault | what is done | after the scenario | red first | its message | as declared | the guide's own checks see |
|---|---|---|---|---|---|---|
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
    with fresh(folder, hosts_for(name)) as ours:
        code = ours.run("--fault", name)
        return Tried(FAULTS[name], caught(ours.lines, name), code, ours.printed)


def hosts_for(name: str) -> str:
    """Return which hosts a fault needs; loopback hosts are made the quickest."""
    return CONTAINERS if FAULTS[name].deploy else LOOPBACK


@contextlib.contextmanager
def fresh(folder: Path, hosts: str = LOOPBACK) -> Iterator[Rehearsal]:
    """Give a rehearsal in a folder of its own, ended whatever happens."""
    folder.mkdir(parents=True)
    rehearsal = Rehearsal(folder, hosts=hosts)
    try:
        yield rehearsal
    finally:
        rehearsal.close()


def as_kept(tried: Tried) -> Kept:
    """Return what is kept of a fault, and what a record tells of it."""
    fault, red = tried.fault, tried.found.first_red
    first, message = (f"{red.scenario}: {red.check}", shortened(red.message)) if red else ("", "")
    when = fault.after if fault.once_green else f"{fault.after} (its act)"
    about = {"fault": fault.name, "text": fault.text, "after": fault.after, "when": when, "control": fault.red is None}
    return {**about, "red": first, "message": message, "as_declared": tried.as_declared, "guide": ""}


def row(kept: Kept) -> str:
    """Return a row of the matrix."""
    first = kept["red"] or ("nothing (a control)" if kept["control"] else "nothing")
    declared = "yes" if kept["as_declared"] else "**no**"
    cells = (kept["fault"], kept["text"], kept["when"], first, kept["message"], declared, kept["guide"] or "not tried yet")
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def shortened(message: str) -> str:
    """Return a message in one line that fits a cell."""
    line = " ".join(message.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN // 2]} … {line[-SHOWN // 2 :]}"


def told(tried: Sequence[Kept]) -> str:
    """Return the outcome in a sentence."""
    faults, controls = [one for one in tried if not one["control"]], [one for one in tried if one["control"]]
    good = [sum(bool(one["as_declared"]) for one in group) for group in (faults, controls)]
    looked = [one["guide"] for one in faults if one["guide"]]
    unseen = f"nothing of {looked.count(guide_list.NOTHING)} of {len(looked)} faults"
    said = f"{good[0]} of {len(faults)} faults red first as declared, {good[1]} of {len(controls)} controls green."
    return f"{said} The guide's own checks see {unseen}."


def baseline(folder: Path, kept: Path) -> None:
    """Rehearse without a fault; ends the program when that is not green, or when the guide's checks see anything."""
    if (kept / "baseline").exists():
        return
    with fresh(folder / "ours") as ours, fresh(folder / "guide") as theirs:
        if ours.run():
            raise SystemExit(f"the baseline is not green:\n{ours.printed}")
        if (seen := guide_list.verdict(theirs, "")) != guide_list.NOTHING:
            raise SystemExit(f"the guide's own checks are not green without a fault: {seen}\n{theirs.printed}")
    (kept / "baseline").touch()


def _try(name: str, top: Path, kept: Path) -> Kept:
    """Try a fault, unless it was tried with this very code and was as declared; what came of it is kept at once."""
    before = _kept(kept, name)
    if before.get("as_declared"):
        return before
    tried = rehearsed(name, top / name)
    declared = "as declared    " if tried.as_declared else "NOT AS DECLARED"
    _say(f"{declared} {name}: {tried.found.first_red}{'' if tried.as_declared else tried.printed[-3000:]}")
    return _keep(kept, {**as_kept(tried), "guide": before.get("guide", "")})


def _look_as_the_guide(found: Kept, top: Path, kept: Path) -> Kept:
    """Make the move with the fault where only the guide's own checks look, unless that was done."""
    if found["guide"]:
        return found
    with fresh(top / found["fault"] / "guide", hosts_for(found["fault"])) as theirs:
        seen = guide_list.verdict(theirs, found["fault"])
    _say(f"the guide sees  {found['fault']}: {seen}")
    return _keep(kept, {**found, "guide": seen})


def _kept(kept: Path, name: str) -> Kept:
    file = kept / f"{name}.json"
    found: Kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return found


def _keep(kept: Path, found: Kept) -> Kept:
    (kept / f"{found['fault']}.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    return found


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def possible(names: Sequence[str]) -> list[str]:
    """Return the faults that can be tried on this machine; those of containers need an engine, and it is told without one."""
    found = engine.look()
    without = [name for name in names if FAULTS[name].deploy and isinstance(found, str)]
    if without:
        sys.stdout.write(f"not tried, as they need hosts that are containers ({found}): {', '.join(without)}\n")
    return [name for name in names if name not in without]


def folder_of_this_code() -> Path:
    """Return where it is kept what came of faults with the runbook and the faults as they are now."""
    parts = [path for folder in ("harness", "steps", "fixtures", "features") for path in (ROOT / folder).rglob("*")]
    made = ROOT / "reports" / "faults" / digest_of([path for path in parts if path.suffix in {".py", ".feature"}])[:16]
    made.mkdir(parents=True, exist_ok=True)
    return made


def main() -> int:
    """Try every fault (or those named), print each, and return 1 if one was not as declared."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--matrix", type=Path)
    parser.add_argument("--fresh", action="store_true")
    wanted = parser.parse_args()
    names, kept = possible([named(name).name for name in wanted.only or FAULTS]), folder_of_this_code()
    if wanted.fresh:
        for file in kept.iterdir():
            file.unlink()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        top = Path(folder)
        baseline(top / "baseline", kept)
        tried = list(pool.map(lambda name: _try(name, top, kept), names))
        _write(tried, wanted.matrix)
        tried = list(pool.map(lambda one: _look_as_the_guide(one, top, kept), tried))
        _write(tried, wanted.matrix)
    if not wanted.only:
        keep_proof(ROOT / "reports", code_digest(ROOT), tried)
    return int(not all(one["as_declared"] for one in tried))


def _write(tried: Sequence[Kept], matrix: Path | None) -> None:
    _say(told(tried))
    if matrix:
        rows = "\n".join(row(one) for one in tried)
        matrix.write_text(f"{HEAD.format(told=told(tried))}{rows}\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
