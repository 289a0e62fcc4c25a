"""The record's views: the HTML report, the JUnit file and the Cucumber JSON, pure functions of the journal's lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import JournalBroken
from harness.journal import read
from harness.report.cucumber import cucumber
from harness.report.files import write_whole
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
    write_whole(folder / "junit.xml", junit(recorded.lines, torn=torn))
    write_whole(folder / "cucumber.json", cucumber(recorded.lines, torn=torn))
    return write_whole(folder / "report.html", render(recorded.lines, torn=torn))
