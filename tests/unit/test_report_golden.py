"""The whole page of one small record, as a reader meets it: whatever changes in it is changed here on purpose."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

from harness.report import render
from tests.unit import journals
from tests.unit.story import Story

if TYPE_CHECKING:
    from pathlib import Path

IN_A_LINE = frozenset({"span", "code", "a", "strong", "br"})
GOLDEN = """\
RED · CHG0031337 Move core-a to Geneva-2
Skip to the verdict
Record of a Pryv.io core migration · rehearsal
CHG0031337 · Move core-a to Geneva-2
Verdict
✗ Red: processes: not held
✗ processes : not held
What differs in “processes”
What | expected | observed
processes | [] | ["rqlited (840)"]
Why it matters: it writes
What to type: mend the cause, then type again: pytest features/
The whole of it: 50 Nothing is copied while users can write → The source core is stopped.
State of both hosts
source
not known
Not shown: The stand-in core was used in place of a real one. This was a rehearsal on disposable hosts: the hosts of the \
change itself were not touched. 1 scenario not run (blocked by: the line above): “The dest core starts clean, silent to the \
outside”.
Change
Timeline
What moved
Runbook
Deviations
What it would have caught
Gates, standing facts, notes
Sign-off
Change
Change
CHG0031337
Title
Move core-a to Geneva-2
Run
2026-12-01-CHG0031337-r3
Operator
the operator on duty
Approver
the change board
Mode
rehearsal
Window
02:00 to 04:00
Core
stand-in core 2.0.1
source
127.0.0.11 (loopback)
dest
127.0.0.12 (loopback)
Digest of plan
sha256:1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f
Digest of features
sha256:2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e
Digest of code
not in this record
Outage: the source is stopped since 02:05:02 UTC and the dest was not opened; planned: 15 min 00 s
Time | Planned | Measured
Users wait | 15 min 00 s | it goes on: the dest is not open
The command was typed 1 time; each attempt continued the one before unless it says “fresh”.
Attempt | Begun | Last line | Command | Verdict
1 (fresh) | 2026-12-01 02:05:00 UTC | 02:05:03 | pytest features/ | ✗ red processes: not held
Timeline
2026-12-01 02:05:00 to 02:05:03 UTC, 3.1 s
Timeline of attempt 1
The scenarios of each feature and the transfers over time, from left to right; T_stop 02:05:02. The table after the picture \
tells the same.
users wait
02:05:00
02:05:01
02:05:03
T_stop 02:05:02
The source core is stopped: red, 2.6 s
50 Nothing is copied while users can write
The same as a table
Attempt 1: when each feature was run
Feature | Begun | Ended | Took | Scenarios
50 Nothing is copied while users can write | 02:05:00 | 02:05:02 | 2.6 s | 1 red
Marks
Mark | Time | Attempt
T_stop | 2026-12-01 02:05:02 UTC | 1
The deeds that took the longest
Scenario | Deed | Took
The source core is stopped | source$ systemctl stop pryv-core | 2.4 s
What moved
Nothing was measured in this record.
Runbook
How each feature ended in the last attempt
Feature | Scenarios | Checks | Took
50 Nothing is copied while users can write | ✗ 1 red | 1 | 2.6 s
80 The dest serves what the source served | ■ 1 not run | 0 | 0.0 s
A step's checks are looked at before the act and again after it, for good. “Absent” before the act means: not there yet, as \
it should be.
50 Nothing is copied while users can write
The source core is stopped
✗ red 2.6 s · 02:05:00 UTC
Red because: processes: not held
When the source core is stopped · ✓ done
1 deed: what was run
source$ systemctl stop pryv-core 02:05:00 UTC · ✓ done · on source · exit 0 · 2.4 s
stopped
Then no process runs · ✗ not held
Checks of “no process runs”
Check | Expected | Observed
| processeswitness: sql · examined 1, at least 1 | [] | ✗ not held ["rqlited (840)"]
✗ processes : not held
Why it matters: it writes
80 The dest serves what the source served
The dest core starts clean, silent to the outside
■ blocked
Not run: blocked by: the line above
Deviations
No difference was accepted.
What this runbook would have caught
Not rehearsed with faults yet: this record holds no fault matrix.
Gates, standing facts, notes
Gates
No gate was asked.
Standing facts
No standing fact was begun.
Notes
None.
Sign-off
Signed for the record of run 2026-12-01-CHG0031337-r3 with the digest below
Name | Role | Meaning of the signature | Date and signature
the operator on duty | operator | performed: I ran this runbook, and this record is of that run |
reviewed: I read this record and its deviations |
the change board | approver | approved: I accept the result for this change |
Digest of this record: sha256:eba18789ddb95d176d6ff24042450ea3793918c91260370a8818833b2a491449
It is the SHA-256 of the last whole line of journal.jsonl (line 18), without its line end. Each line holds the digest of the \
line before it in prev , so this one stands for them all, and this page, junit.xml and cucumber.json are drawn from those \
lines alone. By hand, in the folder of the run:
sed -n 18p journal.jsonl | tr -d '\\n' | sha256sum
That no line before it was changed is checked by python -m harness report DIR, DIR being that folder: it draws this page \
again, and refuses a journal whose chain does not hold.
Drawn from 18 lines of the journal and nothing else. Times are UTC.
"""


class Blocks(HTMLParser):
    """The text of a page, one line a block; cells of a table are parted by bars."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows = [""]
        self.hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - what HTMLParser calls
        self.hidden = tag == "style"
        if tag in {"td", "th"} and self.rows[-1]:
            self.rows[-1] += " | "
        elif tag not in IN_A_LINE | {"td", "th"}:
            self.rows.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag not in IN_A_LINE | {"td", "th"}:
            self.rows.append("")

    def handle_data(self, data: str) -> None:
        if not self.hidden:
            self.rows[-1] += " ".join(data.split()).join(" " if data[:1].isspace() or data[-1:].isspace() else "" for _ in "ab")


def blocks(html: str) -> list[str]:
    rows = (" ".join(row.split()) for row in Blocks(html).rows)
    return [row for row in rows if row]


def told(folder: Path) -> str:
    """Return the page of a record of two scenarios: one is red, the other blocked by it."""
    story = Story(folder / "journal.jsonl")
    story.run(command="pytest features/", window={"start": "02:00", "end": "04:00"})
    story.begin(journals.FREEZE, "The source core is stopped")
    story.act("the source core is stopped", "begun")
    story.do("source$ systemctl stop pryv-core", 2.4, tail="stopped")
    story.act("the source core is stopped", "done")
    story.tell("mark", mark="T_stop")
    story.look("after", "no process runs", "processes", "not held", expected=[], observed=["rqlited (840)"], why="it writes")
    story.end("red", "processes: not held")
    story.without(journals.LAUNCH, journals.LAUNCHED, "blocked", "blocked by: the line above")
    story.verdict("red", "processes: not held", ["source  not known", "next    mend the cause, then type again: pytest features/"])
    return render(story.journal.lines)


def test_the_page_of_a_small_record(tmp_path: Path) -> None:
    assert "\n".join(blocks(told(tmp_path))) + "\n" == GOLDEN
