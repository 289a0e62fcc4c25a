"""What is masked, in which forms, and what stands for people: whatever text is around, nothing of a secret is left."""

from __future__ import annotations

import base64
import json
import resource
import shlex
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from harness.masking import MASK, SHORTEST_SECRET, Masker, our_words

SECRETS = st.text(st.characters(exclude_characters=MASK, codec="utf-8"), min_size=SHORTEST_SECRET, max_size=40)
PEOPLE = st.from_regex(r"[a-z0-9][a-z0-9-]{3,30}[0-9]", fullmatch=True)
AROUND = st.text(st.characters(exclude_characters=MASK), max_size=30)
WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON in ASCII": lambda text: json.dumps(text)[1:-1],
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1],
    "URL": lambda text: quote(text, safe=""),
    "path of a URL": quote,
    "form": quote_plus,
    "shell": lambda text: shlex.quote(f" {text}")[2:-1],
    "SQL": lambda text: text.replace("'", "''"),
    "psql": lambda text: text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n"),
    "Python": lambda text: repr(text)[1:-1],
    "hexadecimal": lambda text: text.encode().hex(),
}


def knowing(*secrets: str) -> Masker:
    masker = Masker()
    masker.know(*secrets)
    return masker


def met(*people: str, key: bytes = b"key") -> Masker:
    masker = Masker(key)
    masker.meet(people)
    return masker


@pytest.mark.parametrize("way", WAYS)
@given(secret=SECRETS, before=AROUND, after=AROUND)
@example(secret='it\'s \\"odd"\n%+/ö体🩺', before="x", after="y")
def test_whatever_is_around_a_secret_nothing_of_it_is_left(way: str, secret: str, before: str, after: str) -> None:
    assume(secret not in our_words())
    written = WAYS[way](secret)

    masked = knowing(secret).text(f"{before}{written}{after}")

    assert written not in masked
    assert MASK in masked


@given(
    secret=SECRETS.filter(lambda text: len(text.encode()) > 9 and text not in our_words()),
    before=st.binary(max_size=7),
    after=st.binary(max_size=7),
)
def test_a_secret_inside_of_base64_is_masked_wherever_it_begins(secret: str, before: bytes, after: bytes) -> None:
    whole = base64.b64encode(before + secret.encode() + after).decode()

    masked = knowing(secret).text(f"Basic {whole}")

    # What is left is what its neighbours share a character with: not enough for one byte of it more than at its ends.
    assert MASK in masked
    assert len(masked.replace(MASK, "")) <= len("Basic ") + len(whole) - (len(secret.encode()) * 8 // 6 - 1)


@given(first=SECRETS, rest=SECRETS, shared=st.integers(1, 6))
def test_secrets_that_overlap_hide_no_end_of_each_other(first: str, rest: str, shared: int) -> None:
    second = first[-shared:] + rest
    assume(first not in our_words())

    assert knowing(first, second).text(first + rest) == MASK


def test_short_secrets_and_what_is_no_secret_stay() -> None:
    text = "short hunter2 hunter2 on the source"

    assert knowing("short", "hunter2hunter2", "source").text(text) == text


def test_every_line_of_a_key_is_masked() -> None:
    assert knowing("-----BEGIN KEY-----\nAAAAB3NzaC1yc2E\n-----END KEY-----").text("ssh: AAAAB3NzaC1yc2E") == f"ssh: {MASK}"


def test_thousands_of_secrets_cost_no_more_than_a_few() -> None:
    masker = knowing(*(f"secret-{number:06d}-{number * 7919:x}" for number in range(5000)))
    text = "pg_restore: processing data for table public.events, 12 rows of 1,204,881\n" * 100

    began = time.process_time()
    assert masker.text(f"{text}secret-004711-{4711 * 7919:x}") == f"{text}{MASK}"

    assert time.process_time() - began < 0.5  # measured: 0.01 s


@given(person=PEOPLE, before=AROUND, after=AROUND)
def test_a_person_is_nowhere_beside_what_is_no_letter_and_no_digit(person: str, before: str, after: str) -> None:
    assume(person not in before + after)
    text = f"{before} {person}/{after} {person}: {after} “{person}”, {person}.{after}|{person}@example.org {person}_{after}"

    assert person not in met(person).text(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("user rehearsal-1-1 is there", "user {0} is there"),
        ("Rehearsal-1-1.", "{0}."),
        ("rehearsal-1-11 is another", "rehearsal-1-11 is another"),
        ("https://core.example.com/rehearsal-1-1/events?limit=1: refused", "{1}: refused"),
        ("o'brien@example.com asked", f"{MASK} asked"),
        ("alice%40example.org", "{2}"),
        (".rehearsal-1-1.Xa7Z2k", ".{0}.Xa7Z2k"),
    ],
)
def test_people_are_found_as_words_and_their_paths_go_whole(text: str, shown: str) -> None:
    masker = met("rehearsal-1-1", "o'brien@example.com", "alice@example.org")
    stand_ins = ("rehearsal-1-1", "https://core.example.com/rehearsal-1-1/events?limit", "alice%40example.org")

    found = masker.text(text)

    assert found.replace("=1", "") == shown.format(*(masker.pseudonym(one) for one in stand_ins))


def test_pseudonyms_are_the_same_in_a_run_and_others_in_another() -> None:
    first, same, other = met("alice-01", key=b"1"), met("alice-01", key=b"1"), met("alice-01", key=b"2")

    assert first.text("alice-01 and alice-01") == same.text("alice-01 and alice-01")
    assert len(set(first.text("alice-01 and alice-01").split())) == 2
    assert first.text("alice-01") != other.text("alice-01")
    assert len(first.text("alice-01")) == len("~") + 12


def test_who_is_called_like_a_word_of_ours_changes_no_word_of_ours() -> None:
    masker = met("source", "restored", "alice")
    line = {"kind": "check", "status": "green", "role": "source", "text": "restored on the source for alice"}

    assert {"source", "restored", "frozen"} <= our_words()
    assert masker.line(line) == {**line, "text": f"restored on the source for {masker.pseudonym('alice')}"}


def test_in_the_fields_that_a_run_is_folded_from_only_secrets_are_masked() -> None:
    masker = met("blocked-1")
    masker.know("hunter2hunter2")

    assert masker.line({"kind": "mark", "mark": "blocked-1 hunter2hunter2", "seq": 1}) == {
        "kind": "mark",
        "mark": f"blocked-1 {MASK}",
        "seq": 1,
    }


def test_what_is_compared_later_is_not_renamed_for_a_table_that_somebody_is_called_like() -> None:
    masker = met("waypoints", "alice-01")
    line = {"kind": "digest", "name": "PostgreSQL", "parts": {"waypoints": {"rows": 1}, "user.alice-01": {"rows": 2}}}

    assert masker.line(line)["parts"] == {"waypoints": {"rows": 1}, f"user.{masker.pseudonym('alice-01')}": {"rows": 2}}


RSYNC = 'rsync: [receiver] mkstemp "/data/users/{}" failed: No space left on device (28)'
DU = "du: cannot read directory \u2018/data/users/{}\u2019: Permission denied"
FIND = "find: /data/users/{}: Permission denied"
PATHS = [
    (RSYNC.format('a/b/c/x y "z".bin'), RSYNC, 'a/b/c/x y "z".bin'),
    (FIND.format("a/b"), FIND, "a/b"),
    (DU.format("a b"), DU, "a b"),
    ("rsync /data/users/ from the source", "rsync /data/users/ from the source", ""),
    ("find /data/users -maxdepth 2", "find /data/users -maxdepth 2", ""),
    ("/data/users/previews: gone", "/data/users/previews: gone", ""),
    ("/data/users/*) exec", "/data/users/*) exec", ""),
]


@pytest.mark.parametrize(("text", "shown", "hidden"), PATHS)
def test_of_a_path_below_a_folder_of_users_only_the_folder_is_shown(text: str, shown: str, hidden: str) -> None:
    masker = Masker(b"key")
    masker.hide_below(("/data/users/", "/data/users/previews"))

    assert masker.text(text) == shown.format(masker.pseudonym(hidden))


def test_a_hundred_thousand_users_are_learnt_in_seconds_and_looked_up_at_once() -> None:
    people = [word for number in range(100_000) for word in (f"user-{number}", f"c{number:023x}", f"user-{number}@example.org")]
    text = "rsync: [sender] file has vanished: a word of ours and user-99999 in it\n" * 50
    masker, before, began = Masker(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()

    masker.meet(people)
    learnt = time.process_time()
    assert "user-99999" not in masker.text(text)

    assert learnt - began < 10  # seconds; measured: 1.4
    assert time.process_time() - learnt < 0.5  # measured: 0.002
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes
