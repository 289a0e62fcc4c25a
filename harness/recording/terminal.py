"""The journal as an operator reads it while it is written: whole lines, one after the other, no cursor moved.

A deed is printed when its intent is written, so the last line always says what is being done; one that lasts is said again, with
how long it has taken so far. Values are wrapped, never cut within a word; what is longer than a few rows is whole in the report.
"""

from __future__ import annotations

import re
import shutil
import textwrap
import threading
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.check import Outcome
from harness.recording.phrases import because, differences, named, said_of, sent_of, title_of
from harness.recording.reminding import Reminders
from harness.shown import (
    between,
    clock,
    one_line,
    plural,
    printable,
    seconds,
    sides,
    size,
    state_rows,
    wrapped,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.journal import Line

GREEN, RED, YELLOW, BOLD, DIM = "32", "31", "33", "1", "2"
COLOURS = {"green": GREEN, "red": RED}
SCENARIO, DETAIL, VALUE = 4, 6, 16
LABEL = 8
TAIL_LINES = 4
DIFFERENCES = 5
ROWS_OF_A_LINE, ROWS_OF_A_VALUE = 3, 4
# A command on a host, as deeds are shown; a person is not reminded of what is asked of a person.
ON_A_HOST = re.compile(r"(source|dest)( as \S+)?\$ ")
WORTH_SAYING_S = 1.0


def width() -> int:
    """Return how wide the terminal's lines may be: as wide as it is, within what reads well; 100 without one."""
    return min(max(shutil.get_terminal_size((100, 24)).columns, 60), 120)


@dataclass
class Narrator:
    """Prints a journal's lines as they are written: a listener of harness.journal.Journal.

    `write` gets whole lines, without their end; `width` is in characters. What it remembers is only what the next line needs.
    """

    write: Callable[[str], None]
    colour: bool = field(kw_only=True)
    width: int = field(default=100, kw_only=True)
    _features: dict[str, str] = field(default_factory=dict)
    _heading: str = ""
    _label: str = ""
    _settled: int = 0
    _blocked: list[str] = field(default_factory=list)
    _not_applicable: int = 0
    _intent: str = ""
    _at_rest: dict[str, Any] = field(default_factory=dict)
    _told_red: bool = False
    _red_above: bool = False
    _stopped: str = ""
    _printing: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        self.reminders = Reminders(self._still)

    def __call__(self, line: Line) -> None:
        """Print one line of the journal; kinds that an operator need not see at night print nothing."""
        teller = getattr(self, f"_tell_{line.get('kind')}", None)
        if teller:
            with self._printing:
                teller(line)

    def close(self) -> None:
        """End what is pending, for a run that ends without a verdict."""
        self.reminders.end_all()
        self._flush()

    # -- how lines are put on the page

    def _put(self, indent: int, text: str, style: str = "", label: str = "", at_most: int = ROWS_OF_A_LINE) -> None:
        """Print a text in as many rows as it needs, those after the first below where the text begins; at most so many."""
        hang = " " * (indent + len(label))
        for row in wrapped(text, self.width, " " * indent + label, hang, at_most):
            self.write(self._paint(row.rstrip(), style))

    def _wrap(self, indent: int, text: str, style: str = "", label: str = "") -> None:
        """Print a text whole over as many lines as it needs: words, paths and commands are never cut."""
        hang = " " * (indent + len(label))
        wrapped = textwrap.wrap(
            one_line(text),
            self.width,
            initial_indent=" " * indent + label,
            subsequent_indent=hang,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for row in wrapped or [""]:
            self.write(self._paint(row, style))

    def _paint(self, text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self.colour and style and text else text

    def _labelled(self, label: str, text: str, style: str = "") -> None:
        """Print a line under a label, which stands only on the first of several."""
        shown = label if label != self._label else ""
        rows = wrapped(text, self.width, f"{'':{DETAIL}}{shown:{LABEL}}", " " * VALUE, ROWS_OF_A_LINE)
        for row in rows:
            self.write(self._paint(row, style))
        self._label = label

    def _flush(self) -> None:
        """Print how many scenarios were settled or blocked, once for all of them."""
        if self._settled:
            self._put(0, "")
            self._put(SCENARIO, f"✓ {plural(self._settled, 'scenario')} settled: green in this run, not looked at again", DIM)
        if self._blocked:
            cause = "blocked by the line above" if self._red_above else self._blocked[0] or "blocked by an earlier red"
            more = f" · {self._not_applicable} not applicable" if self._not_applicable else ""
            self._put(SCENARIO, f"■ {plural(len(self._blocked), 'scenario')} not run: {cause}{more}", YELLOW)
        self._settled, self._not_applicable = 0, 0
        self._blocked.clear()

    # -- the kinds

    def _tell_run(self, line: Line) -> None:
        self._flush()
        self._heading = ""
        where = " · ".join(part for part in (line.get("mode"), named(line.get("hosts")), named(line.get("core"))) if part)
        title = f"{one_line(line.get('change', ''))}  {one_line(line.get('title', ''))}"
        if len(title) + len(where) + 2 <= self.width:
            self._put(0, f"{title}{' ' * (self.width - len(title) - len(where))}{where}", BOLD)
        else:
            self._put(0, title, BOLD)
            self._wrap(0, where)
        continued = not line.get("fresh") and line.get("continued", True)
        settled = f" ({line['settled']} scenarios settled)" if line.get("settled") else ""
        self._put(0, f"{'run':12}{one_line(line.get('run', ''))}{f', continued{settled}' if continued else ''}")

    def _tell_feature(self, line: Line) -> None:
        number = PurePosixPath(str(line.get("file", ""))).name.split("_")[0]
        self._features[str(line.get("feature"))] = number if number.isdigit() else ""

    def _tell_scenario(self, line: Line) -> None:
        status = line.get("status")
        if status == "settled":
            self._settled += 1
        elif status == "blocked":
            self._blocked.append(one_line(line.get("cause") or ""))
        elif status == "not applicable" and self._blocked:
            self._not_applicable += 1
        elif status == "begun":
            self._begin(line)
        elif status == "not applicable":
            self._begin(line, f"\N{EN DASH} {title_of(line)}: not applicable{because(line)}", DIM)
        else:
            self._end(line)

    def _begin(self, line: Line, text: str = "", style: str = "") -> None:
        self._flush()
        feature = str(line.get("feature") or "")
        if feature != self._heading:
            self._heading = feature
            self._put(0, "")
            self._put(0, f"{self._features.get(feature, ''):4}{one_line(feature)}", BOLD)
        self._label, self._told_red, self._red_above = "", False, False
        self._put(SCENARIO, text or title_of(line), style)

    def _end(self, line: Line) -> None:
        if line.get("status") == "red":
            self._red_above = True
            if not self._told_red:
                self._wrap(DETAIL, str(line.get("cause") or "red"), RED, label="✗ ")

    def _tell_step(self, line: Line) -> None:
        status = line.get("status")
        if status == "already held":
            self._labelled("act", "already held: not done again", DIM)
        elif status == "error" or (status == "not held" and line.get("phase") != "before" and not self._told_red):
            self._told_red = True
            self._wrap(DETAIL, f"{line.get('step')}: {line.get('cause') or status}", RED, label="✗ ")

    def _tell_intent(self, line: Line) -> None:
        """Say what is being done before it is: an operator who waits reads what for."""
        deed = one_line(line.get("deed", ""))
        self._labelled("act", deed)
        self._intent = str(line.get("id"))
        if ON_A_HOST.match(str(line.get("command") or "")):
            self.reminders.begin(self._intent, deed)

    def _tell_planned(self, line: Line) -> None:
        """Say what a dry run would do."""
        if line.get("gate"):
            self._labelled("gate", f"asks for a yes: {one_line(line['gate'])}", BOLD)
        elif line.get("depends"):
            self._labelled("then", f"depends on {one_line(line['depends'])}", DIM)
        else:
            took = line.get("expected_s")
            known = [size(line.get("moves_bytes")), f"about {seconds(took)}" if took is not None else ""]
            told = ", ".join(one for one in known if one)
            self._labelled("would", f"{one_line(line.get('deed', ''))}{f' ({told})' if told else ''}")

    def _still(self, deed: str, took: float) -> None:
        """Say that a deed is still being done."""
        with self._printing:
            self._labelled("act", f"… still at it, {seconds(took)}: {deed}", DIM)

    def _tell_deed(self, line: Line) -> None:
        """Say how long it took where that was long, and how it failed; which deed it was, where several are done side by side."""
        self.reminders.end(str(line.get("id")))
        took, ok = line.get("seconds") or 0, line.get("ok")
        which = "" if str(line.get("id")) == self._intent else f": {one_line(line.get('deed', ''))}"
        if not ok:
            self._labelled("act", f"✗ failed, exit {one_line(line.get('exit', 'none'))}, {seconds(took)}{which}", RED)
            for row in printable(str(line.get("tail") or "")).splitlines()[-TAIL_LINES:]:
                self._put(VALUE, one_line(row), DIM, at_most=2)
        elif took >= WORTH_SAYING_S:
            self._labelled("act", f"took {seconds(took)}{sent_of(line, took)}{which}", DIM)

    def _tell_check(self, line: Line) -> None:
        phase, outcome = str(line.get("phase")), line.get("outcome")
        held = outcome == Outcome.HELD
        if held and phase in {"given", "standing"}:
            return
        red = outcome == Outcome.ERROR or (not held and phase != "before")
        label = "stands" if phase == "standing" else phase
        self._labelled(label, f"{'✓' if held else '✗'} {said_of(line, held=held)}", GREEN if held else RED if red else DIM)
        if red:
            self._told_red = True
            self._explain(line)

    def _explain(self, line: Line) -> None:
        """Print both sides of a red check, why it matters and what to do."""
        examined, least = line.get("examined") or 0, max(1, line.get("minimum") or 1)
        if examined < least:
            self._put(VALUE, f"examined {examined} of at least {least}", RED)
        rows = differences(line)
        for key, expected, observed in rows[:DIFFERENCES]:
            self._sides(key, *sides({key.strip(): expected} if key else None, self._at_rest), expected, observed)
        if len(rows) > DIFFERENCES:
            self._put(VALUE, f"and {len(rows) - DIFFERENCES} more that differ: see the report")
        for label, name in (("why it matters   ", "why"), ("what to do       ", "remedy")):
            if line.get(name):
                self._wrap(VALUE - 2, str(line[name]), label=label)

    def _sides(self, key: str, left: str, right: str, expected: str, observed: str) -> None:
        """Print both sides of a difference: on one row where there is room, else one below the other."""
        row = f"{key}{left}  {expected}    {right}  {observed}"
        if key and VALUE + len(row) <= self.width:
            self._put(VALUE, f"{key.strip()}  {left}  {expected}    {right}  {observed}", at_most=1)
            return
        longest = max(len(left), len(right))
        for label, name, value in ((key, left, expected), (" " * len(key), right, observed)):
            self._put(VALUE, value, label=f"{label}{name:{longest}}  ", at_most=ROWS_OF_A_VALUE)

    def _tell_digest(self, line: Line) -> None:
        """Remember what was measured at rest: a difference from it is told as source and dest."""
        if line.get("role") == "source" and isinstance(line.get("parts"), dict):
            self._at_rest |= line["parts"]

    def _tell_mark(self, line: Line) -> None:
        mark, time = str(line.get("mark")), str(line.get("time"))
        waited = f", {seconds(between(self._stopped, time))} after T_stop" if mark == "T_open" and self._stopped else ""
        self._stopped = time if mark == "T_stop" else self._stopped
        self._put(DETAIL, f"{'mark':{LABEL}}{one_line(mark)} {clock(time)} UTC{waited}", BOLD)

    def _tell_gate(self, line: Line) -> None:
        answer = "approved" if line.get("approved") else "not approved"
        self._put(DETAIL, f"{'gate':{LABEL}}{answer} by {one_line(line.get('by') or 'nobody')}", BOLD)

    def _tell_deviation(self, line: Line) -> None:
        """Say what is accepted, why, and by whom."""
        what = line.get("what") or line.get("text") or line.get("reason") or ""
        accepted = ", ".join(
            f"{name} {line[name]}" for name in ("reason", "approver", "until") if line.get(name) and line[name] != what
        )
        because = f": {line['cause']}" if line.get("cause") else ""
        self._wrap(DETAIL, f"deviation: {what}{because}{f' ({accepted})' if accepted else ''}", YELLOW)

    def _tell_note(self, line: Line) -> None:
        self._wrap(DETAIL, str(line.get("text") or ""), DIM, label=f"{'note':{LABEL}}")

    def _tell_verdict(self, line: Line) -> None:
        self.close()
        self._put(0, "")
        status, text = str(line.get("status") or ""), str(line.get("text") or "")
        said = text if text.lower().startswith(status.lower()) else f"{status.upper()} {text}"
        self._wrap(0, said, COLOURS.get(status, YELLOW))
        state = line.get("state") or []
        for label, text in state_rows(map(str, state) if isinstance(state, list) else str(state).splitlines()):
            self._wrap(0, text, label=f"{label:{LABEL}}" if label else "")
