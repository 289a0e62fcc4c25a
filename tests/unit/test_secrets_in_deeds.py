"""What is recorded and raised of deeds and looks holds no secret and no person; what is left out the operator alone can read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from harness.core_api import attachment
from harness.deed import Command, CommandResult, HttpRequest, Keep, Learn, Role, Secret
from harness.errors import DeedFailed, HarnessError, Unreachable
from harness.journal import Journal
from harness.masking import MASK, Masker
from harness.run.doing import RAW_IS_KEPT, Doing


def test_the_text_of_an_error_is_masked_with_all_that_it_carries_and_that_led_to_it() -> None:
    masker = Masker()
    masker.know("hunter2hunter2")
    led = HarnessError("with hunter2hunter2")
    error = Unreachable("the source", "asking hunter2hunter2", "hunter2hunter2")
    error.__cause__ = led

    masker.error(error)

    assert str(error) == f"the source is unreachable while asking {MASK}: {MASK}"
    assert (error.cause, str(led)) == (MASK, f"with {MASK}")


def test_a_links_token_is_in_no_text_of_its_request() -> None:
    asked = attachment("verify01", "e1", "f1", read="abc-def?&x", via=Role.DEST)

    assert "readToken=abc-def%3F%26x" in asked.path
    assert "abc-def" not in f"{asked} {asked!r}"
    assert str(asked) == f"GET /verify01/events/e1/f1?readToken={MASK} (by dest)"
    assert (
        str(HttpRequest("GET", "/u/events?limit=1&auth=tok&state=all"))
        == f"GET /u/events?limit=1&auth={MASK}&state=all (by public)"
    )


class Answering:
    """Performs by giving what it was made with: a command's result, or an error."""

    def __init__(self, answer: CommandResult | HarnessError) -> None:
        self.answer = answer

    def do(self, _: object) -> CommandResult:
        """Give the answer."""
        if isinstance(self.answer, HarnessError):
            raise self.answer
        return self.answer

    observe = do


def doing(folder: Path, answer: CommandResult | HarnessError) -> Doing:
    journal = Journal(folder / "journal.jsonl")
    journal.open()
    made = Doing(journal, Answering(answer), folder / "private")
    made.do(Learn((Secret("hunter2hunter2"),), people=("alice-01",), below=("/data/users",)))
    return made


DETAIL = b"pg_restore: error: could not execute query: ERROR:  duplicate key\nDETAIL:  Key (email)=(eve@example.org) exists.\n"
RESTORE = Command(Role.DEST, ("pg_restore", "/data/users/a/b"))


def test_a_deed_that_failed_is_told_without_details_and_its_raw_output_is_kept_for_the_operator_alone(tmp_path: Path) -> None:
    made = doing(tmp_path, CommandResult(RESTORE, 1, b"alice-01 hunter2hunter2\n", DETAIL, 0.1))

    with pytest.raises(DeedFailed) as failed:
        made.do(RESTORE)

    recorded = (tmp_path / "journal.jsonl").read_text()
    for shown in (recorded, str(failed.value)):
        assert "ERROR:  duplicate key" in shown
        assert RAW_IS_KEPT in shown
        assert not [word for word in ("eve@", "alice-01", "hunter2", "/data/users/a") if word in shown]
    tails = tmp_path / "private" / "tails.jsonl"
    [kept] = [json.loads(text) for text in tails.read_text().splitlines()]
    assert (kept["id"], kept["err"]) == (made.journal.lines[-1]["id"], DETAIL.decode())
    assert tails.stat().st_mode & 0o777 == 0o600


def test_of_a_deed_that_ended_well_and_was_told_whole_nothing_is_kept_raw(tmp_path: Path) -> None:
    made = doing(tmp_path, CommandResult(RESTORE, 0, b"fine\n", b"", 0.1))

    made.do(RESTORE)

    assert made.journal.lines[-1]["tail"] == "fine"
    assert not (tmp_path / "private" / "tails.jsonl").exists()


def test_what_a_look_could_not_see_is_told_safely_too(tmp_path: Path) -> None:
    result = CommandResult(RESTORE, 1, b"", DETAIL, 0.1)
    made = doing(tmp_path, DeedFailed(f"alice-01 hunter2hunter2\n{result.tail()}", result))

    with pytest.raises(
        DeedFailed, match=r"^~[0-9a-f]{12} •••\npg_restore: error: could not execute query: ERROR:  duplicate key\n\(the raw"
    ):
        made.observe(RESTORE)

    assert "eve@example.org" in (tmp_path / "private" / "tails.jsonl").read_text()


def test_a_private_command_tells_nothing_and_says_where_its_output_is(tmp_path: Path) -> None:
    secret = Command(Role.DEST, ("cat", "override.yml"), private=True)
    made = doing(tmp_path, CommandResult(secret, 1, b"adminAccessKey: x\n", b"denied\n", 0.1))

    with pytest.raises(DeedFailed, match=r"^dest\$ cat override.yml: exit 1\n\(the raw output"):
        made.do(secret)

    assert made.journal.lines[-1]["tail"] == RAW_IS_KEPT


def test_what_was_kept_is_masked_when_it_is_kept_and_when_it_is_taken_up_again_links_included(tmp_path: Path) -> None:
    kept = {
        "personal": "personal-token",
        "series": "series-id",
        "events": [{"id": "event-id", "attachments": [{"readToken": "link-token"}]}],
    }
    text = "personal-token series-id event-id link-token"
    first, again = doing(tmp_path, HarnessError()), doing(tmp_path, HarnessError())

    first.do(Keep("verification", kept))
    again.kept("verification")

    for made in (first, again):
        assert made.journal.masker.text(text) == f"{MASK} series-id event-id {MASK}"


def test_the_runs_own_key_is_masked_from_the_moment_it_is_made(tmp_path: Path) -> None:
    made = doing(tmp_path, HarnessError())

    assert made.journal.masker.text(f"key {made.secret_key.hex()}") == f"key {MASK}"
    assert made.pseudonym("alice-01") == made.journal.masker.text("alice-01")
