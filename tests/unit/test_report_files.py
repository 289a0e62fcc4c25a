"""junit.xml, and the command that writes every view of the record."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from harness.__main__ import main
from harness.journal import read
from harness.report import junit, write
from tests.unit import journals
from tests.unit.story import HOSTILE, SECRET, Story

ROOT = Path(__file__).parents[2]


def cases(folder: Path) -> dict[str, ET.Element]:
    suites = ET.fromstring(junit(read(folder / "journal.jsonl").lines))  # noqa: S314 - written a moment ago by ourselves
    return {case.get("name", ""): case for case in suites.iter("testcase")}


def test_each_scenario_is_a_test_case_of_its_feature(tmp_path: Path) -> None:
    journals.green(tmp_path / "journal.jsonl")
    found = cases(tmp_path)

    assert len(found) == 11
    assert found[journals.RESTORED].get("classname") == journals.DATABASES
    assert found[journals.RESTORED].get("time") == "31.300"
    assert [name for name, case in found.items() if len(case)] == [
        "The platform can do without this core for a while",
        "The MongoDB dump is complete",
    ]


def test_a_red_scenario_fails_with_both_sides_and_the_remedy_and_those_behind_it_are_skipped(tmp_path: Path) -> None:
    journals.red(tmp_path / "journal.jsonl")
    root = ET.fromstring(junit(read(tmp_path / "journal.jsonl").lines))  # noqa: S314 - written a moment ago by ourselves
    failure = root.find(f".//testcase[@name='{journals.RESTORED}']/failure")

    assert failure is not None
    assert failure.get("message") == "fingerprints are equal"
    assert [part in (failure.text or "") for part in ("expected: accesses", "observed: accesses", journals.REMEDY)] == [True] * 3
    assert (root.get("tests"), root.get("failures"), root.get("errors"), root.get("skipped")) == ("11", "1", "0", "5")
    assert cases(tmp_path)[journals.LAUNCHED][0].get("message") == f"blocked by: {journals.DATABASES}: {journals.RESTORED}"


def test_a_settled_scenario_passes_and_says_where_its_evidence_is(tmp_path: Path) -> None:
    journals.continued(tmp_path / "journal.jsonl")
    settled = cases(tmp_path)["The PostgreSQL dump is complete"]

    assert [(child.tag, child.text) for child in settled] == [
        ("system-out", "settled: green in attempt 1, not looked at again"),
    ]


def test_an_unfinished_record_is_never_a_success(tmp_path: Path) -> None:
    journals.unfinished(tmp_path / "journal.jsonl")
    found = cases(tmp_path)

    assert found[journals.RESTORED].find("error") is not None
    whole = found["The record bears out its verdict"].find("error")
    assert whole is not None
    assert "the record ends without a verdict" in whole.get("message", "")


def test_what_xml_cannot_hold_is_replaced(tmp_path: Path) -> None:
    story = Story(tmp_path / "journal.jsonl")
    story.run()
    story.begin("F", "S")
    story.look("after", "fact", f"check\x07 {HOSTILE}", "not held", observed="\x00\x1b[2J\x9b", expected="\ufffe")
    story.end("red", "\x07")
    case = cases(tmp_path)["S"]

    assert case[0].get("message") == f"check\ufffd {HOSTILE}"
    assert "observed: \ufffd\ufffd[2J\ufffd" in (case[0].text or "")


def test_every_file_is_written_for_the_owner_alone_and_replaced(tmp_path: Path) -> None:
    journals.green(tmp_path / "journal.jsonl")
    (tmp_path / "report.html").write_text("old")
    (tmp_path / "report.html").chmod(0o644)
    page = write(tmp_path)

    assert page == tmp_path / "report.html"
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in tmp_path.iterdir()} == {
        "cucumber.json": "0o600",
        "journal.jsonl": "0o600",
        "junit.xml": "0o600",
        "report.html": "0o600",
    }
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert not [path.name for path in tmp_path.iterdir() if SECRET in path.read_text(encoding="utf-8")]


def test_the_command_prints_the_path(tmp_path: Path) -> None:
    journals.green(tmp_path / "journal.jsonl")
    command = [sys.executable, "-m", "harness", "report", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path}/report.html\n", "")


def test_a_torn_last_line_is_no_obstacle_and_is_told(tmp_path: Path) -> None:
    path = journals.green(tmp_path / "journal.jsonl")
    with path.open("ab") as file:
        file.write(b'{"seq": 99, "ki')

    assert main(["report", str(tmp_path)]) == 0
    assert "the last line of the journal is torn (15 bytes)" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_changed_journal_gets_no_report(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = journals.red(tmp_path / "journal.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"status": "red"', b'"status": "green"', 1))

    assert main(["report", str(tmp_path)]) == 1
    assert "does not follow the line before it: the journal was changed" in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("content", [b"", b'{"seq": 1, "ki'])
def test_a_journal_without_a_whole_line_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes) -> None:
    (tmp_path / "journal.jsonl").write_bytes(content)

    assert main(["report", str(tmp_path)]) == 1
    assert "holds no whole line" in capsys.readouterr().err


def test_a_folder_without_a_journal_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(tmp_path / "none")]) == 1
    assert capsys.readouterr().err == f"{tmp_path}/none/journal.jsonl: No such file or directory\n"
