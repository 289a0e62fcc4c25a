"""What each line of the guide and each numbered pitfall comes to: a check of the runbook, by its step, or the reason why not.

Usage: python -m tests.coverage [--write]

docs/coverage.yml says it, this makes docs/coverage.md of it. A step that is quoted stands in features/, with the scenario that has
it; a fault is one that `make prove` tries.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SAID = ROOT / "docs" / "coverage.yml"
PAGE = ROOT / "docs" / "coverage.md"
SCENARIO = re.compile(r"^ *Scenario(?: Outline)?: (.+)$")
STEP = re.compile(r"^ *(?:Given|Then|And) (.+)$")
HEAD = """\
# Coverage

What each line of the public guide and each known pitfall of a move come to:
the steps of the runbook that check it (in the scenarios named with them), or the reason why there is none. Made by
`python -m tests.coverage --write` from coverage.yml; a test keeps both, and the features, in step.
{told}
"""
COLUMNS = "|  | what it says | checked by | faults that were tried | not checked, or not all of it |\n|---|---|---|---|---|\n"


@dataclass(frozen=True)
class Entry:
    """A line of the guide (its numbers) or a pitfall (its id), and what it comes to."""

    key: str
    says: str
    checks: tuple[str, ...]
    faults: tuple[str, ...]
    why: str


def entries(part: str) -> list[Entry]:
    """Return what coverage.yml says of the guide or of the pitfalls."""
    said: list[dict[str, Any]] = yaml.safe_load(SAID.read_text(encoding="utf-8"))[part]
    return [
        Entry(
            str(one.get("lines", one.get("id"))),
            str(one["says"]),
            tuple(one.get("checks", ())),
            tuple(one.get("faults", ())),
            one.get("why", ""),
        )
        for one in said
    ]


def steps() -> dict[str, list[str]]:
    """Return the scenarios of every Given, Then and And of the runbook, by the step's text."""
    found: dict[str, list[str]] = {}
    for path in sorted((ROOT / "features").glob("*.feature")):
        for step, scenario in _steps(path.read_text(encoding="utf-8")):
            found.setdefault(step, [])
            if scenario not in found[step]:
                found[step].append(scenario)
    return found


def _steps(text: str) -> Iterator[tuple[str, str]]:
    scenario = "(every scenario)"
    for line in text.splitlines():
        if matched := SCENARIO.match(line):
            scenario = matched[1]
        elif matched := STEP.match(line):
            yield matched[1], scenario


def _row(entry: Entry, known: dict[str, list[str]]) -> str:
    checks = "<br>".join(f"{check} (*{known[check][0]}*)" for check in entry.checks)
    return f"| {entry.key} | {entry.says} | {checks} | {', '.join(entry.faults)} | {entry.why} |\n".replace("<engine>", "database")


def page() -> str:
    """Return docs/coverage.md."""
    known = steps()
    guide, pitfalls = entries("guide"), entries("pitfalls")
    checked = [sum(bool(entry.checks) for entry in part) for part in (guide, pitfalls)]
    told = (
        f"Of {len(guide)} passages of the guide {checked[0]} are checked, of {len(pitfalls)} pitfalls {checked[1]}; "
        "of each of the rest the reason is given."
    )
    tables = [COLUMNS + "".join(_row(entry, known) for entry in part) for part in (guide, pitfalls)]
    return f"{HEAD.format(told=told)}\n## The guide, by its lines\n\n{tables[0]}\n## Pitfalls\n\n{tables[1]}"


def main() -> int:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    if parser.parse_args().write:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
