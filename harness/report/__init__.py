"""The record's views: the HTML report, the JUnit file and the Cucumber JSON, pure functions of the journal's lines."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from harness.errors import JournalBroken
from harness.journal import read
from harness.report.cucumber import cucumber
from harness.report.html import render
from harness.report.junit import junit

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cucumber", "junit", "render", "write"]


def write(folder: Path) -> Path:
    """Write report.html, junit.xml and cucumber.json beside a folder's journal.jsonl, for the owner alone; return the page's path.

    Raises JournalBroken when the chain does not hold or no whole line is there, and OSError when a file cannot be read or
    written. A torn last line is no obstacle: what is whole is shown, and the verdict says that the end is missing.
    """
    journal = folder / "journal.jsonl"
    recorded = read(journal)
    if not recorded.lines:
        raise JournalBroken(f"{journal} holds no whole line: there is nothing to report")
    torn = len(recorded.torn)
    _write(folder / "junit.xml", junit(recorded.lines, torn=torn))
    _write(folder / "cucumber.json", cucumber(recorded.lines, torn=torn))
    return _write(folder / "report.html", render(recorded.lines, torn=torn))


def _write(path: Path, text: str) -> Path:
    """Write a file whole or not at all, 0600 from its first byte."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    return part.replace(path)
