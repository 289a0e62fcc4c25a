"""The journal: chained, masked, and honest about a torn end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.errors import JournalBroken
from harness.journal import FIRST, Journal, digest, read


def journal(folder: Path) -> Journal:
    made = Journal(folder / "run" / "journal.jsonl")
    made.open()
    return made


def test_each_line_holds_the_digest_of_the_line_before(tmp_path: Path) -> None:
    written = journal(tmp_path)
    written.append("note", text="one")
    written.append("note", text="two")

    first, second = written.path.read_bytes().splitlines()

    assert json.loads(first)["prev"] == FIRST
    assert json.loads(second)["prev"] == digest(first)
    assert [line["text"] for line in read(written.path).lines] == ["one", "two"]


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    assert journal(tmp_path).path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("change", [("one", "eins"), ('"seq": 1', '"seq": 2')])
def test_a_changed_line_breaks_the_chain(tmp_path: Path, change: tuple[str, str]) -> None:
    written = journal(tmp_path)
    written.append("note", text="one")
    written.append("note", text="two")
    written.path.write_text(written.path.read_text().replace(*change, 1))

    with pytest.raises(JournalBroken, match="line"):
        read(written.path)


def test_a_removed_line_breaks_the_chain(tmp_path: Path) -> None:
    written = journal(tmp_path)
    for text in ("one", "two", "three"):
        written.append("note", text=text)
    lines = written.path.read_text().splitlines(keepends=True)
    written.path.write_text(lines[0] + lines[2])

    with pytest.raises(JournalBroken, match="line 2"):
        read(written.path)


def test_a_torn_last_line_is_set_aside_and_noted(tmp_path: Path) -> None:
    written = journal(tmp_path)
    written.append("note", text="one")
    with written.path.open("ab") as file:
        file.write(b'{"seq": 2, "ki')

    again = Journal(written.path)
    again.open()
    again.append("note", text="two")

    assert [line["text"][:13] for line in read(written.path).lines] == ["one", "the last line", "two"]
    assert written.path.with_suffix(".torn-1").read_bytes() == b'{"seq": 2, "ki'


def test_secrets_are_masked_in_every_string_keys_included(tmp_path: Path) -> None:
    written = journal(tmp_path)
    written.masker.know("hunter2hunter2", "short")

    line = written.append("note", text="password hunter2hunter2", deep=[{"hunter2hunter2": ("x hunter2hunter2",)}], kept="short")

    assert "hunter2" not in written.path.read_text()
    assert line["deep"] == [{"•••": ["x •••"]}]
    assert line["kept"] == "short"


def test_a_journal_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    written = journal(tmp_path)
    written.path.unlink()
    written.path.mkdir()

    with pytest.raises(JournalBroken, match="free space or mend the disk"):
        written.append("note", text="one")


def test_listeners_see_the_line_as_it_was_written(tmp_path: Path) -> None:
    seen: list[object] = []
    written = journal(tmp_path)
    written.listeners.append(seen.append)

    written.append("note", text=("a", "b"))

    assert [line["text"] for line in seen] == [["a", "b"]]  # type: ignore[index]
