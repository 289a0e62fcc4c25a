"""What an operator reads at night, line by line."""

from __future__ import annotations

import re
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

    assert after(lines, "      after   ✗ fingerprints are equal: 1 of 4 differ", 7) == [
        "      after   ✗ fingerprints are equal: 1 of 4 differ",
        '                accesses  expected  {"rows": 2412, "sha256": "0000096c0…6c0000096c0000096c0000096c"}',
        '                          observed  {"rows": 2411, "sha256": "a09b77e1a…e1a09b77e1a09b77e1a09b77e1"}',
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

    assert lines_of(tmp_path, tell)[-1] == "    ■ 1 scenarios not run: blocked by: something earlier"


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
def test_no_line_is_wider_than_it_may_be(tmp_path: Path, width: int) -> None:
    lines = lines_of(tmp_path, journals.red, width=width)

    assert max(map(len, lines)) <= width
    assert any("…" in line for line in lines)


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
