"""What a core says of itself, before the move and after: its own errors are no failure, new ones are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from harness import own_checks
from harness.check import Outcome
from harness.deed import Ask, Command, CommandResult, HttpAnswer, Role
from harness.errors import DeedFailed
from harness.hostside import integrity
from harness.run.driving import drive
from tests.plans import plan

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG: Any = {"auth.adminAccessKey": "key"}
ROWS = {"exit": 0, "users": 3, "events": 9, "accesses": 4, "errors": []}


def core(errors: list[str], users: int = 3, rows: object = ROWS, status: int = 200) -> Callable[[Any], Any]:
    """Return a core that says so of itself."""
    bodies = {
        "/system/check-platform-integrity": {"checks": [{"title": "a", "errors": errors}, {"title": "b", "errors": []}]},
        "/system/admin/cores": {"cores": [{"id": "single", "userCount": users}]},
    }

    def answer(asked: Any) -> Any:  # noqa: ANN401 - any observation or deed
        if isinstance(asked, tuple):
            return [answer(one) for one in asked]
        wanted = asked.of if isinstance(asked, Ask) else asked
        if isinstance(wanted, Command):
            return CommandResult(wanted, 0, json.dumps(rows).encode(), b"", 0.0)
        return HttpAnswer(wanted, status, {}, json.dumps(bodies[wanted.path]).encode(), 0.0) if hasattr(wanted, "path") else None

    return answer


def before(*errors: str, users: int = 3, rows: object = ROWS) -> Any:  # noqa: ANN401 - what is kept
    return drive(own_checks.note(plan(), CONFIG), core(list(errors), users, rows))


@pytest.mark.parametrize(
    ("now", "users", "outcomes"),
    [
        (["an old one"], 3, [Outcome.HELD, Outcome.HELD]),
        (["an old one"], 4, [Outcome.HELD, Outcome.HELD]),  # users came until the source was frozen
        (["an old one"], 2, [Outcome.HELD, Outcome.NOT_HELD]),
        (["an old one", "a new one"], 3, [Outcome.NOT_HELD, Outcome.HELD]),
        (["a new one"], 3, [Outcome.NOT_HELD, Outcome.HELD]),
        ([], 3, [Outcome.NOT_HELD, Outcome.HELD]),
    ],
)
def test_errors_of_the_platform_from_before_are_no_failure_and_new_ones_are(
    now: list[str], users: int, outcomes: list[Outcome]
) -> None:
    checks = drive(own_checks.platform_as_before(CONFIG, before("an old one"), Role.DEST), core(now, users))

    assert [check.outcome for check in checks] == outcomes


def test_no_text_of_an_error_reaches_the_record() -> None:
    kept = before("somebody@example.com is not on the platform")
    checks = drive(own_checks.platform_as_before(CONFIG, kept, Role.DEST), core(["somebody@example.com is not on the platform"]))

    assert "somebody" not in json.dumps(kept) + repr(checks)
    assert own_checks.told(kept) == "errors that the source had before the move: 1 of its platform, 0 of its rows"
    assert own_checks.told(before()) == ""


def test_a_platform_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(DeedFailed, match="answered 404"):
        drive(own_checks.platform_as_before(CONFIG, before(), Role.DEST), core([], status=404))


@pytest.mark.parametrize(
    ("rows", "outcomes"),
    [
        (ROWS, [Outcome.HELD, Outcome.HELD]),
        ({**ROWS, "exit": 1, "errors": ["old"]}, [Outcome.HELD, Outcome.HELD]),
        ({**ROWS, "exit": 1, "errors": ["new", "old"]}, [Outcome.HELD, Outcome.NOT_HELD]),
        ({**ROWS, "users": 0, "events": 0}, [Outcome.NOT_HELD, Outcome.HELD]),  # it has read another database
        ({"missing": "/opt/pryv/app/bin/integrity-check.js"}, [Outcome.NOT_HELD, Outcome.NOT_HELD]),
        ({"running": 0}, [Outcome.NOT_HELD, Outcome.NOT_HELD]),
    ],
)
def test_the_cores_own_check_must_have_examined_users_and_events(rows: dict[str, Any], outcomes: list[Outcome]) -> None:
    old = rows.get("errors", [])[-1:]
    checks = drive(own_checks.rows_as_before(plan(), before(rows={**ROWS, "errors": old})), core([], rows=rows))

    assert [check.outcome for check in checks] == outcomes


def test_what_was_noted_is_noted_again_when_the_source_says_another_thing() -> None:
    kept = before()

    looks = [drive(own_checks.noted(CONFIG, one), core([], users)).outcome for one, users in ((None, 3), (kept, 3), (kept, 4))]
    assert looks == [Outcome.ABSENT, Outcome.HELD, Outcome.NOT_HELD]


def test_the_check_gets_the_masters_arguments_by_its_environment_and_no_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(integrity, "words", lambda *_: [b"NODE_ENV=production", b"auth__adminAccessKey=secret"])

    found = integrity.environment("1", [b"--config", b"/etc/pryv/override.yml", b"--http:port=3000", b"--flag"])

    assert found[b"config"] == b"/etc/pryv/override.yml"
    assert (found[b"http__port"], found[b"NODE_ENV"]) == (b"3000", b"production")
    assert found[b"logs__console__active"] == b"false"


def test_what_the_check_found_is_told_in_counts_and_digests() -> None:
    wrong = {"eventId": "e1", "error": "integrity mismatch", "expected": "a", "actual": "b"}
    reports = [
        {"userId": "u1", "events": {"checked": 5, "errors": [wrong]}, "accesses": {"checked": 2, "errors": []}},
        {"userId": "u2", "events": {"checked": 4, "errors": []}, "accesses": {"checked": 1, "errors": [{"accessId": "e1"}]}},
    ]

    told = integrity.told(reports, 1)
    assert {name: told[name] for name in ("exit", "users", "events", "accesses")} == {
        "exit": 1,
        "users": 2,
        "events": 9,
        "accesses": 3,
    }
    assert len(set(told["errors"])) == 2
    assert "e1" not in json.dumps(told)
