"""The record's views: the HTML report, the JUnit file and the Cucumber JSON, pure functions of the journal's lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import JournalBroken
from harness.journal import read
from harness.report.cucumber import cucumber
from harness.report.files import write_whole
from harness.report.html import render
from harness.report.junit import junit
from harness.report.planned import write_plan
from harness.run.approved import DRY

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["cucumber", "junit", "render", "write"]


def write(folder: Path) -> Path:
    """Write report.html, junit.xml and cucumber.json beside a folder's journal.jsonl, for the owner alone; return the page's path.

    Of a dry run the page is the plan document, and the only one.

    Raises JournalBroken when the chain does not hold or no whole line is there, and OSError when a file cannot be read or
    written. A torn last line is no obstacle: what is whole is shown, and the verdict says that the end is missing.
    """
    journal = folder / "journal.jsonl"
    recorded = read(journal)
    if not recorded.lines:
        raise JournalBroken(f"{journal} holds no whole line: there is nothing to report")
    if recorded.lines[0].get("mode") == DRY:
        return write_plan(folder)
    torn = len(recorded.torn)
    write_whole(folder / "junit.xml", junit(recorded.lines, torn=torn))
    write_whole(folder / "cucumber.json", cucumber(recorded.lines, torn=torn))
    return write_whole(folder / "report.html", render(recorded.lines, torn=torn))
