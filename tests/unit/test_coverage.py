"""docs/coverage.md: every line of the guide and every numbered pitfall of one core is there once, with checks that exist."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from fixtures.faults import FAULTS
from tests.coverage import PAGE, ROOT, entries, page, steps

DOMAIN = ROOT.parent / "shared" / "domain"
NUMBERED = re.compile(r"^(\d\.\d+b?) ")
TABLES = {"### 1b": "1b", "### 1c": "1c", "### 1e": "1e", "## 2.": "2", "## 7.": "7"}
LISTS = {"### 1a": "1a.", "Strong proofs": "6.s"}
HERE = {"0", "4", "5"}


def part(text: str, head: str) -> list[str]:
    """Return the lines below a heading."""
    rest = text[text.index(head) :].splitlines()[1:]
    end = next((number for number, line in enumerate(rest) if line.startswith("#")), len(rest))
    return rest[:end]


def numbered(text: str) -> set[str]:
    """Return the ids of the pitfalls of one core, read from their list."""
    found = {match[1] for line in text.splitlines() if (match := NUMBERED.match(line)) and match[1][0] in HERE}
    found |= {f"5.3.{letter}" for letter in re.findall(r"\(([a-o])\) ", text[text.index("\n5.3 ") : text.index("\n5.4 ")])}
    for head, name in TABLES.items():
        rows = [line for line in part(text, head) if line.startswith("|")][2:]
        found |= {f"{name}.{number}" for number in range(1, len(rows) + 1)}
    for head, name in LISTS.items():
        found |= {f"{name}{number}" for number in range(1, sum(line.lstrip().startswith("- ") for line in part(text, head)) + 1)}
    return (found | {"1d", "6.1", "6.2", "6.3", "6.4"}) - {"5.3"}


def test_the_page_is_what_the_list_and_the_features_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "python -m tests.coverage --write"


@pytest.mark.parametrize("which", ["guide", "pitfalls"])
def test_every_entry_has_a_check_that_exists_or_a_reason(which: str) -> None:
    known = steps()

    assert [entry.key for entry in entries(which) if not entry.checks and not entry.why] == []
    assert [(entry.key, check) for entry in entries(which) for check in entry.checks if check not in known] == []
    assert [(entry.key, fault) for entry in entries(which) for fault in entry.faults if fault not in FAULTS] == []


@pytest.mark.skipif(not DOMAIN.is_dir(), reason="the guide and the list of pitfalls do not lie beside this checkout")
def test_every_line_of_the_guide_and_every_numbered_pitfall_is_there_once() -> None:
    lines = (DOMAIN / "core-migration-guide.txt").read_text(encoding="utf-8").splitlines()
    said = [entry.key.split("-") for entry in entries("guide")]
    covered = [number for ends in said for number in range(int(ends[0]), int(ends[-1]) + 1)]
    assert Counter(covered) == Counter(range(1, len(lines) + 1))

    pitfalls = (DOMAIN / "pitfalls.md").read_text(encoding="utf-8")
    assert Counter(entry.key for entry in entries("pitfalls")) == Counter(numbered(pitfalls))
