"""Drained, and nothing lies about: what is made of what the source tells."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from harness.check import Outcome
from harness.deed import Ask, Command, CommandResult, HttpAnswer, Role
from harness.errors import DeedFailed
from harness.hostside import requests
from harness.leaving import REMOVE, delete_user, key_is_gone, nothing_kept, remove_folders, user_is_gone
from harness.retiring import no_public_listener, nobody_connected, nothing_of_the_guide, proxy_not_at_boot, quiet, stop_proxy
from harness.run.driving import drive
from harness.verification import DEPARTED, MADE
from tests.plans import CONTENT, plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.check import Check

OPENED = "2026-11-25T17:00:00+00:00"
OPENED_AT = 1795626000.0


def telling(*texts: str) -> Callable[[Any], Any]:
    """Return what answers observations in turn, a tuple of them by a list."""
    left = list(texts)

    def answer(wanted: Any) -> Any:  # noqa: ANN401 - any observation
        if isinstance(wanted, tuple):
            return [answer(one) for one in wanted]
        command = wanted.of if isinstance(wanted, Ask) else wanted
        if isinstance(command, Command):
            return CommandResult(command, 0, left.pop(0).encode(), b"", 0.0)
        return HttpAnswer(command, 200, {}, left.pop(0).encode(), 0.0)

    return answer


def logs(**told: float | None) -> str:
    return json.dumps({"files": 1, "lines": 9, "timed": 9, "since": 0, "last": None, "now": OPENED_AT, **told})


def drained(**told: float | None) -> Check:
    part = {**CONTENT["cutover"], "drain_s": 100}
    return drive(quiet(plan(cutover=part), OPENED), telling(logs(**told)))


@pytest.mark.parametrize(
    ("told", "outcome"),
    [
        ({"now": OPENED_AT + 99}, Outcome.NOT_HELD),
        ({"now": OPENED_AT + 100}, Outcome.HELD),
        ({"now": OPENED_AT + 100, "last": OPENED_AT + 1, "since": 1}, Outcome.NOT_HELD),
        ({"now": OPENED_AT + 101, "last": OPENED_AT + 1, "since": 1}, Outcome.HELD),
        ({"now": OPENED_AT + 500, "last": OPENED_AT - 500}, Outcome.HELD),
        ({"now": OPENED_AT + 500, "timed": 0}, Outcome.NOT_HELD),
    ],
)
def test_the_source_is_drained_once_its_log_was_quiet_for_the_drain_time_after_t_open(
    told: dict[str, float], outcome: Outcome
) -> None:
    assert drained(**told).outcome is outcome


def test_the_time_for_which_the_old_address_was_kept_is_told() -> None:
    observed = drained(now=OPENED_AT + 500, last=OPENED_AT + 61.5, since=7).observed

    assert observed == {"requests since T_open": 7, "the last one, seconds after T_open": 61.5, "quiet for, seconds": 438.5}


def test_the_drain_is_never_shorter_than_resolvers_may_keep_the_old_address() -> None:
    dns = {**CONTENT["cutover"]["dns"], "ttl": 3600}

    assert plan(cutover={**CONTENT["cutover"], "dns": dns, "drain_s": 10}).cutover.drained_after_s == 3600


@pytest.mark.parametrize(
    ("local", "outcome"),
    [
        ("203.0.113.10:443", Outcome.NOT_HELD),
        ("10.0.0.4:443", Outcome.NOT_HELD),  # the address behind a NAT
        ("[::ffff:10.0.0.4]:443", Outcome.NOT_HELD),
        ("203.0.113.10:22", Outcome.HELD),
        ("127.0.0.1:443", Outcome.HELD),  # of this host alone
    ],
)
def test_a_connection_to_the_public_port_is_somebody_who_would_be_cut_off(local: str, outcome: Outcome) -> None:
    connected = drive(nobody_connected(plan()), telling(f"0 0 {local} 198.51.100.7:50000\n0 0 203.0.113.10:22 198.51.100.9:40000"))
    listening = drive(no_public_listener(plan()), telling(f"LISTEN 0 511 {local} 0.0.0.0:*"))

    assert (connected.outcome, listening.outcome) == (outcome, outcome)


def test_a_proxy_is_kept_from_starting_before_it_is_stopped_and_says_so() -> None:
    assert [deed.argv[1] for deed in stop_proxy(plan())] == ["disable", "stop"]  # type: ignore[union-attr]
    assert drive(proxy_not_at_boot(plan()), telling("disabled")).held
    assert not drive(proxy_not_at_boot(plan()), telling("enabled")).held


def test_what_the_guide_leaves_in_tmp_is_told_by_host_and_not_removed() -> None:
    found = drive(nothing_of_the_guide(), telling("/tmp/pryv_db.dump", ""))

    assert (found.held, found.observed, found.examined) == (False, ["source: /tmp/pryv_db.dump"], 6)


def test_the_key_is_told_by_its_line_on_the_dest_and_by_its_file_on_the_source() -> None:
    line = 'restrict,from="203.0.113.10",command="/var/lib/pryv-migration/CHG0031337/receive" ssh-ed25519 AAAA move'

    there = drive(key_is_gone(plan()), telling(f"ssh-ed25519 BBBB operator\n{line}", "/var/lib/pryv-migration/CHG0031337/key"))
    gone = drive(key_is_gone(plan()), telling("", ""))

    assert [check.held for check in there] == [False, False]
    assert [check.outcome for check in gone] == [Outcome.HELD, Outcome.HELD]


@pytest.mark.parametrize(
    ("made", "keep", "reserved", "held"),
    [
        (MADE, False, "true", False),
        (MADE, False, "false", True),
        (MADE, True, "true", True),
        ("", False, "true", True),  # an account of somebody else's is never deleted
    ],
)
def test_the_verification_user_goes_when_this_run_made_it_and_the_plan_does_not_keep_it(
    made: str, *, keep: bool, reserved: str, held: bool
) -> None:
    part = {**CONTENT["verification_user"], "keep": keep}

    found = drive(user_is_gone(plan(verification_user=part), Role.DEST), telling(made, f'{{"reserved": {reserved}}}'))

    assert [check.held for check in found] == [held]


@pytest.mark.parametrize(("reserved", "held"), [("true", False), ("false", True)])
def test_the_account_that_was_made_to_be_deleted_is_gone_whatever_the_plan_keeps(reserved: str, *, held: bool) -> None:
    keeping = plan(verification_user={**CONTENT["verification_user"], "keep": True})

    _, departed = drive(user_is_gone(keeping, Role.DEST), telling(DEPARTED, '{"reserved": true}', f'{{"reserved": {reserved}}}'))

    assert (departed.name, departed.held) == ("the account verify01-gone on the dest", held)


def test_only_accounts_that_this_run_has_made_are_deleted() -> None:
    config: Any = {"auth.adminAccessKey": "key"}

    def paths(made: str, *, keep: bool = False) -> list[str]:
        deed: Any = delete_user(plan(verification_user={**CONTENT["verification_user"], "keep": keep}), config, Role.SOURCE)
        asked: Any = next(deed)
        answer: Any = CommandResult(asked, 0, made.encode(), b"", 0.0)
        found = []
        with contextlib.suppress(StopIteration):
            while request := deed.send(answer):
                found.append(request.path)
                answer = HttpAnswer(request, 200, {}, b"{}", 0.0)
        return found

    assert paths("") == []
    assert paths(MADE) == ["/users/verify01"]
    assert paths(f"{MADE}\n{DEPARTED}") == ["/users/verify01", "/users/verify01-gone"]
    assert paths(f"{MADE}\n{DEPARTED}", keep=True) == ["/users/verify01-gone"]


def test_a_core_that_will_not_delete_the_user_is_told() -> None:
    config: Any = {"auth.adminAccessKey": "key"}
    deed = delete_user(plan(), config, Role.SOURCE)
    asked: Any = next(deed)
    request: Any = deed.send(CommandResult(asked, 0, MADE.encode(), b"", 0.0))

    assert (request.method, request.path, request.via) == ("DELETE", "/users/verify01", Role.SOURCE)
    with pytest.raises(DeedFailed, match="answered 403"):
        deed.send(HttpAnswer(request, 403, {}, b"{}", 0.0))


def test_run_folders_go_with_their_locks_the_sources_last() -> None:
    deeds: list[Any] = list(remove_folders(plan()))

    assert [(deed.host, deed.lets_go, deed.argv[2:]) for deed in deeds] == [
        (role, True, (REMOVE, "/var/lib/pryv-migration/CHG0031337")) for role in (Role.DEST, Role.SOURCE)
    ]
    assert not drive(nothing_kept(plan(), Role.DEST), telling("/var/lib/pryv-migration/CHG0031337")).held


def test_a_log_is_read_line_by_line_and_a_line_without_a_time_is_no_request(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    log.write_text(
        '198.51.100.7 - - [25/Nov/2026:16:59:59 +0000] "GET /a HTTP/1.1" 200 1\n'
        "garbage \udc80 without a time\n"
        '198.51.100.7 - - [25/Nov/2026:18:00:05 +0100] "GET /b HTTP/1.1" 503 1\n',
        encoding="utf-8",
        errors="surrogateescape",
    )

    told = requests.main(OPENED_AT, [str(log), str(tmp_path / "access.log.1")])

    assert {name: told[name] for name in ("files", "lines", "timed", "since", "last")} == {
        "files": 1,
        "lines": 3,
        "timed": 2,
        "since": 1,
        "last": OPENED_AT + 5,
    }
