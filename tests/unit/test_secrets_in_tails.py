"""What a program printed is shown without what a server says of users' rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.deed import Command, CommandResult, Role
from harness.tails import cleaned, meaning, without_values

VALUES = st.text(max_size=60).map(lambda text: f"{text}MARKER{text}")
LABELS = st.sampled_from(
    ["DETAIL", "CONTEXT", "STATEMENT", "QUERY", "HINT", "LOCATION", "DÉTAIL ", "ANWEISUNG", "ПОДРОБНОСТИ", "詳細"]
)
FIRST = st.sampled_from(
    [
        "ERROR:  duplicate key value violates unique constraint",
        "psql:<stdin>:3: ERROR:  duplicate key",
        "pg_restore: error: COPY failed for table events: ERROR:  bad row",
        "pg_dump: error: query failed: FATAL:  the server is shutting down",
        "FEHLER:  doppelter Schlüsselwert",
        "2026-12-01 02:14:07.120 UTC [4711] ERROR:  duplicate key",
    ]
)


@given(first=FIRST, label=LABELS, value=VALUES)
def test_whatever_a_servers_detail_holds_nothing_of_it_is_shown(first: str, label: str, value: str) -> None:
    shown, left_out = cleaned(f"rsync: before\n{first}\n{label}:  {value}\npg_restore: after\n")

    assert "MARKER" not in "\n".join(shown)
    assert (shown[0], shown[-1]) == ("rsync: before", "pg_restore: after")
    assert left_out >= 1


@given(value=VALUES)
def test_whatever_value_a_servers_error_quotes_it_is_not_shown(value: str) -> None:
    shown, _ = cleaned(f'ERROR:  invalid input syntax for type json: "{value}"')

    assert "MARKER" not in "\n".join(shown)


@given(rows=st.lists(VALUES.filter(lambda text: "\\." not in text), min_size=1))
def test_rows_are_not_shown(rows: list[str]) -> None:
    whole = "\n".join(
        ["pg_restore: from table", "Command was: COPY public.events (id, content) FROM stdin;", *rows, "\\.", "sh: after"]
    )

    assert "MARKER" not in "\n".join(cleaned(whole)[0])
    assert "MARKER" not in "\n".join(cleaned("\n".join(f"{row}\t{row}" for row in ["MARKER", "id MARKER"]))[0])


SAID = """\
pg_restore: error: could not execute query: ERROR:  new row for relation "events" violates check constraint "spoiled"
DETAIL:  Failing row contains (c0ffee, "Fièvre
légère", alice).
CONTEXT:  COPY events, line 1
Command was: ALTER TABLE x;
pg_restore: from TOC entry 215; 0 16390 TABLE DATA events pryv
pg_restore: detail: Query was: SELECT 1
"""


def test_what_helps_is_still_told() -> None:
    shown, left_out = cleaned(SAID)

    assert shown == [SAID.splitlines()[0], "pg_restore: from TOC entry 215; 0 16390 TABLE DATA events pryv"]
    assert left_out == 5


@pytest.mark.parametrize(
    "line",
    [
        'psql: error: connection to server at "127.0.0.1", port 5432 failed: FATAL:  role "pryv" is not permitted to log in',
        'ERROR:  null value in column "id" of relation "events" violates not-null constraint',
        'FATAL:  password authentication failed for user "pryv"',
    ],
)
def test_names_of_the_database_are_told(line: str) -> None:
    assert without_values(line) == line
    assert cleaned(line) == ([line], 0)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('ERROR:  invalid input syntax for type json: "a"b secret"', "ERROR:  invalid input syntax for type json: …"),
        ('ERROR:  value "secret" is out of range', "ERROR:  value …"),
        ('ERROR:  relation "two words" secret', "ERROR:  relation …"),
    ],
)
def test_what_else_is_quoted_is_cut_off(line: str, shown: str) -> None:
    assert without_values(line) == shown


def test_ordinary_output_is_shown_as_it_is() -> None:
    text = (
        "Number of files: 12 (reg: 8, dir: 4)\nsent 1,204 bytes  received 35 bytes\nrsync error: some could not be sent (code 23)"
    )

    assert cleaned(text) == (text.splitlines(), 0)


def test_a_tail_is_the_last_ten_lines_that_may_be_shown_of_each_stream_and_nothing_of_a_private_command() -> None:
    out, err = b"\n".join(b"%d" % number for number in range(20)), SAID.encode()

    told = CommandResult(Command(Role.DEST, ("x",)), 1, out, err, 0.0)
    private = CommandResult(Command(Role.DEST, ("x",), private=True), 1, out, err, 0.0)

    assert told.tail().splitlines() == [*(str(number) for number in range(10, 20)), *cleaned(SAID)[0]]
    assert (told.is_told_whole, private.tail(), private.is_told_whole) == (False, "", False)


def test_what_an_exit_code_of_rsync_means_is_told_though_its_words_were_lost_and_that_of_others_is_not() -> None:
    assert meaning("rsync", 11) == " (a file could not be written or read: is a disk full?)"
    assert (meaning("rsync", 1), meaning("psql", 11)) == ("", "")
