"""What an operator reads at night, line by line."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

import pytest

from harness.recording.terminal import Narrator
from tests.unit import journals
from tests.unit.story import SECRET, Story

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.journal import Line

ESCAPE = re.compile("\x1b\\[[0-9]+m")


def lines_of(
    path: Path, tell: Callable[[Path, Callable[[Line], None]], object], *, colour: bool = False, width: int = 100
) -> list[str]:
    lines: list[str] = []
    narrator = Narrator(lines.append, colour=colour, width=width)
    tell(path / "journal.jsonl", narrator)
    narrator.close()
    return lines


def after(lines: list[str], first: str, count: int) -> list[str]:
    at = lines.index(first)
    return lines[at : at + count]


def test_the_first_lines_say_what_runs_where(tmp_path: Path) -> None:
    title, where = "CHG0031337  Move core-a to Geneva-2", "rehearsal · source 127.0.0.11 (loopback), dest 127.0.0.12 (loopback)"
    run = "run         2026-12-01-CHG0031337-r3"

    assert lines_of(tmp_path, journals.green, width=140)[:2] == [f"{title:50}{where} · stand-in core 2.0.1", run]
    (tmp_path / "narrow").mkdir()
    assert lines_of(tmp_path / "narrow", journals.green)[:3] == [title, f"{where} · stand-in core 2.0.1", run]


def test_a_scenario_is_told_as_before_act_after(tmp_path: Path) -> None:
    assert after(lines_of(tmp_path, journals.green), "60  A restored database equals its source", 11) == [
        "60  A restored database equals its source",
        "    The PostgreSQL dump is complete",
        "      before  ✗ tables in the dump: no dump on the source",
        "      act     source as postgres$ env PGPASSWORD=••• pg_dump -Fc -f /var/lib/dump.part pryv",
        "              took 12.4 s",
        "      after   ✓ tables in the dump (4 examined)",
        "    \N{EN DASH} The MongoDB dump is complete: not applicable: the source has no MongoDB",
        "    The PostgreSQL database arrives unchanged",
        "      before  ✗ fingerprints are equal: not there yet",
        "      act     dest as postgres$ pg_restore --single-transaction -d pryv /var/lib/dump",
        "              took 31.0 s",
    ]


def test_a_red_check_says_both_sides_why_and_what_to_do_and_what_is_blocked_is_told_once(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, journals.red)

    assert after(lines, "      after   ✗ fingerprints are equal: 1 of 4 differ", 11) == [
        "      after   ✗ fingerprints are equal: 1 of 4 differ",
        '                accesses  source  {"rows": 2412, "sha256":',
        f'                                  "{"0000096c" * 8}"',
        "                                  }",
        '                          dest    {"rows": 2411, "sha256":',
        f'                                  "{"a09b77e1" * 8}"',
        "                                  }",
        "              why it matters   an access is a user's permission; a lost one cuts a device off",
        "              what to do       run again: this run made that database and will clear it first;",
        "                               nothing was opened yet",
        "    ■ 3 scenarios not run: blocked by the line above",
    ]
    assert lines[-4:] == ["", "red at 60 · source frozen since 02:05:04: used 1 of 15 min · users see 503", *journals.RED_STATE]


def test_settled_scenarios_take_one_line_and_marks_say_how_long_users_waited(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, journals.continued)

    assert "run         2026-12-01-CHG0031337-r3, continued" in lines
    assert [line for line in lines if "settled" in line] == ["    ✓ 3 scenarios settled: green in this run, not looked at again"]
    assert "      mark    T_open 02:11:16 UTC, 6 min 14 s after T_stop" in lines
    assert lines[-5:-4] == ["GREEN the core was moved and 9 scenarios prove it"]


def test_a_deed_is_told_before_it_is_done(tmp_path: Path) -> None:
    assert lines_of(tmp_path, journals.unfinished)[-1].startswith("      act     dest as postgres$ pg_restore")


def test_what_is_blocked_is_told_though_no_verdict_comes(tmp_path: Path) -> None:
    def tell(path: Path, listener: Callable[[Line], None]) -> None:
        story = Story(path, listener)
        story.run()
        story.without("F", "S", "blocked", "blocked by: something earlier")

    assert lines_of(tmp_path, tell)[-1] == "    ■ 1 scenario not run: blocked by: something earlier"


def test_an_error_a_failed_deed_and_too_little_examined_are_told(tmp_path: Path) -> None:
    def tell(path: Path, listener: Callable[[Line], None]) -> None:
        story = Story(path, listener)
        story.run()
        story.begin("F", "S")
        first, second = story.intend("source$ one"), story.intend("dest$ two")
        story.write("deed", id=first, deed="source$ one", exit=0, seconds=2.0, tail="", ok=True)
        story.write("deed", id=second, deed="dest$ two", exit=1, seconds=0.1, tail="first\nlast", ok=False)
        story.look("after", "the fact", "the check", "not held", examined=0)
        story.write("step", keyword="Then", step="it", phase="after", status="error", cause="dest is unreachable")
        story.end("red", "dest is unreachable")

    assert after(lines_of(tmp_path, tell), "    S", 12) == [
        "    S",
        "      act     source$ one",
        "              dest$ two",
        "              took 2.0 s: source$ one",
        "              ✗ failed, exit 1, 0.1 s",
        "                first",
        "                last",
        "      after   ✗ the check: true",
        "                examined 0 of at least 1",
        "                expected  true",
        "                observed  true",
        "      ✗ it: dest is unreachable",
    ]


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("tell", [journals.green, journals.red, journals.continued])
def test_no_line_is_wider_than_it_may_be_and_no_word_is_lost(
    tmp_path: Path, width: int, tell: Callable[[Path, Callable[[Line], None]], object]
) -> None:
    (tmp_path / "wide").mkdir()
    narrow, wide = lines_of(tmp_path, tell, width=width), lines_of(tmp_path / "wide", tell, width=1000)
    without_spaces = ["".join(" ".join(lines).split()) for lines in (narrow, wide)]

    # What is to be typed is one word a path or command: it is never parted, and may be wider.
    assert [line for line in narrow if len(line) > width and " " in line.strip()] == []
    assert without_spaces[0] == without_spaces[1] or width == 60


def test_a_long_value_ends_after_a_few_rows(tmp_path: Path) -> None:
    def tell(path: Path, listener: Callable[[Line], None]) -> None:
        story = Story(path, listener)
        story.run()
        story.begin("F", "S")
        story.look("after", "it", "paths", "not held", expected="none", observed=[f"path-{number}" for number in range(400)])
        story.end("red", "paths: not held")

    lines = lines_of(tmp_path, tell)

    assert [line.endswith(" …") for line in lines if "path-" in line] == [False, False, True, False, False, False, True]


def test_both_sides_stand_on_one_row_where_there_is_room_and_are_called_source_and_dest_where_they_are(tmp_path: Path) -> None:
    def tell(path: Path, listener: Callable[[Line], None]) -> None:
        story = Story(path, listener)
        story.run()
        story.tell("digest", name="PostgreSQL", role="source", parts={"accesses": {"rows": 8, "sha256": "143da40e6212ff"}})
        story.begin("F", "S")
        expected, observed = {"accesses": "8 rows 143da40e6212"}, {"accesses": "7 rows 76d09b3aa4e1"}
        story.look("after", "it", "fingerprints", "not held", expected=expected, observed=observed)
        story.look("after", "that", "modes", "not held", expected={"path": "0600"}, observed={"path": "0644"})
        story.end("red", "fingerprints: not held")

    lines = lines_of(tmp_path, tell)

    assert "                accesses  source  8 rows 143da40e6212    dest  7 rows 76d09b3aa4e1" in lines
    assert "                path  expected  0600    observed  0644" in lines


def test_a_transfer_says_how_much_and_how_fast(tmp_path: Path) -> None:
    def tell(path: Path, listener: Callable[[Line], None]) -> None:
        story = Story(path, listener)
        story.run()
        story.begin("F", "S")
        story.do("source$ rsync", 4.0, tail="Total bytes sent: 8,000,000\nsent 8,000,000 bytes  received 9 bytes")

    assert lines_of(tmp_path, tell)[-1] == "              took 4.0 s, 8.0 MB, 2.0 MB/s"


def test_a_deviation_says_what_why_and_who_accepts_it_until_when(tmp_path: Path) -> None:
    def tell(path: Path, listener: Callable[[Line], None]) -> None:
        story = Story(path, listener)
        story.run()
        accepted = {"reason": "known", "approver": "the board", "until": "2026-12-02"}
        story.tell("deviation", scenario="S", what="waived: it", cause="check: not held", **accepted)

    assert lines_of(tmp_path, tell)[-1] == (
        "      deviation: waived: it: check: not held (reason known, approver the board, until 2026-12-02)"
    )


def test_a_state_block_keeps_its_columns_when_it_is_wrapped(tmp_path: Path) -> None:
    def tell(path: Path, listener: Callable[[Line], None]) -> None:
        story = Story(path, listener)
        story.run()
        story.verdict("red", "it", ["source  frozen", "time    users have waited 6 s of 1 min 00 s; decide by 16:17:49 UTC"])

    assert lines_of(tmp_path, tell, width=60)[-3:] == [
        "source  frozen",
        "time    users have waited 6 s of 1 min 00 s; decide by",
        "        16:17:49 UTC",
    ]


def test_a_deed_that_lasts_is_said_again_until_it_ends(tmp_path: Path) -> None:
    lines: list[str] = []
    said_twice = threading.Event()

    def write(line: str) -> None:
        lines.append(line)
        if sum("still at it" in one for one in lines) > 1:
            said_twice.set()

    narrator = Narrator(write, colour=False)
    narrator.reminders.after_s = (0.02, 0.04, 60.0)
    story = Story(tmp_path / "journal.jsonl", narrator)
    story.run()
    story.begin("F", "S")
    story.write("intent", deed="rsync of a data root", command="source$ rsync", id="1")
    story.write("intent", deed="please turn the key", command="please turn the key", id="2")

    assert said_twice.wait(20)
    story.write("deed", id="1", deed="rsync of a data root", seconds=0.05, ok=True, exit=0, tail="")
    narrator.close()
    assert [line for line in lines if "still" in line] == [
        "              … still at it, 0.0 s: rsync of a data root",
        "              … still at it, 0.0 s: rsync of a data root",
    ]
    assert narrator.reminders.waiting == ()


def test_a_command_to_type_is_never_shortened(tmp_path: Path) -> None:
    lines = lines_of(tmp_path, journals.green, width=60)

    assert " ".join(" ".join(lines).split()).endswith(" ".join(journals.STATE[-1].split()))


def test_without_colour_there_is_no_escape_and_with_it_the_words_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    plain, coloured = lines_of(tmp_path / "a", journals.red), lines_of(tmp_path, journals.red, colour=True)

    assert not any("\x1b" in line for line in plain)
    assert any("\x1b[31m" in line for line in coloured)
    assert [ESCAPE.sub("", line) for line in coloured] == plain


def test_a_host_cannot_steer_the_terminal_and_a_secret_stays_masked(tmp_path: Path) -> None:
    bad = f"\x1b]0;owned\x07\x1b[2J\r{SECRET}\u202e"

    def tell(path: Path, listener: Callable[[Line], None]) -> None:
        story = Story(path, listener)
        story.run(title=bad, hosts=bad, core=bad, run=bad)
        story.begin(bad, bad)
        story.look("given", bad, bad, "not held", expected={bad: 1, "x": 1}, observed={bad: bad}, why=bad, remedy=bad)
        story.do(f"source$ {bad}", tail=bad, exit=1)
        story.tell("note", text=bad)
        story.tell("deviation", text=bad)
        story.tell("gate", approved=True, by=bad)
        story.tell("mark", mark=bad)
        story.end("red", bad)
        story.without(bad, bad, "not applicable", bad)
        story.verdict("red", bad, [bad])

    text = "".join(lines_of(tmp_path, tell))

    assert text.count("owned") > 10
    assert not re.search("[\x00-\x1f\x7f-\x9f\u202e]", text)
    assert SECRET not in text
