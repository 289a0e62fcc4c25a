"""A client's ledger read as figures: stretches, the outage, what was lost; and what is looked at and told of them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from harness import client
from harness.check import Outcome
from harness.client import ledger, waited
from harness.client.ledger import Answer, Seen, Stretch, compared, seen, stretches
from harness.client_deeds import AskClient, BeginClient, EndClient
from harness.configuration import Config
from harness.deed import Ask, HttpAnswer, HttpRequest, Secret
from harness.errors import Refused
from harness.run.approving import waivers
from harness.run.driving import drive
from tests.plans import CONTENT, plan

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SOURCE, DEST = "203.0.113.10", "203.0.113.20"
KNOWN = {"personal": "token-of-the-verification-user"}
MARKS = {"T_stop": "1970-01-01T00:01:40Z", "T_open": "1970-01-01T00:01:50Z"}


def write(time: float, at: str = "source", why: str = "") -> Answer:
    return Answer(time, "write", not why, at, f"text {time:g}", "" if why else f"id {time:g}", why)


MOVE = (
    write(98),
    write(99.5),
    write(100.2, why="503"),
    write(101, at="", why="ConnectionRefusedError"),
    write(109, why="503"),
    write(111, at="dest"),
    write(112, at="dest"),
)


def laid(folder: Path, *found: Answer, number: int = 1) -> Path:
    """Write answers as a client does."""
    addresses = {"source": SOURCE, "dest": DEST}
    told: list[dict[str, Any]] = [{"t": 0, "kind": "begun"}]
    told += [
        {"t": one.time, "kind": one.kind, "ok": one.ok, "at": addresses.get(one.at, one.at), "text": one.text}
        | ({"id": one.id} if one.ok else {"why": one.why})
        | ({"took": one.took} if one.took else {})
        for one in found
    ]
    ledger.path_of(folder, number).write_text("".join(f"{json.dumps(line)}\n" for line in told) + '{"t": 1')
    return folder


def test_a_ledger_is_read_line_by_line_and_its_torn_end_left_out(tmp_path: Path) -> None:
    laid(tmp_path, *MOVE)
    laid(tmp_path, write(120, at="dest"), number=10)
    other = replace(write(120, at="dest"), client=10)

    assert list(ledger.all_answers(tmp_path, ledger.roles(plan()))) == [*MOVE, other]
    assert ledger.numbers(tmp_path) == [1, 10]


def test_answers_alike_are_one_stretch_until_the_next_begins() -> None:
    assert stretches(1, MOVE, (100, None)) == [
        Stretch(1, "answered", 98, 100.2, "source", 2),
        Stretch(1, "refused", 100.2, 101, "source", 1),
        Stretch(1, "refused", 101, 109, "", 1),
        Stretch(1, "refused", 109, 111, "source", 1),
        Stretch(1, "answered", 111, 112, "dest", 2),
    ]


@pytest.mark.parametrize(
    ("answer", "back", "told"),
    [
        (write(101), None, "wrong host"),
        (write(101, why="403"), None, "wrong host"),
        (write(101, why="200"), None, "wrong host"),
        (write(101, why="503"), None, "refused"),
        (write(101, at="", why="TimeoutError"), None, "refused"),
        (write(99), None, "answered"),
        (replace(write(101), took=2), None, "answered"),
        (write(101, at="dest"), None, "answered"),
        (write(101, at="198.51.100.7"), None, "wrong host"),
        (write(130), 120, "answered"),
    ],
)
def test_a_core_that_answers_on_the_source_after_its_stop_or_elsewhere_is_the_wrong_host(
    answer: Answer, back: float | None, told: str
) -> None:
    assert ledger.outcome(answer, (100, back)) == told


def test_there_are_only_so_many_stretches_and_no_answer_of_them_is_forgotten() -> None:
    flapping = [write(time / 10, why="503" if time % 2 else "") for time in range(5000)]

    made = stretches(1, flapping, (None, None))

    assert len(made) <= ledger.STRETCHES_AT_MOST
    assert sum(one.writes for one in made) == 5000


def test_the_outage_is_from_the_last_write_before_the_stop_to_the_first_after_the_open() -> None:
    assert seen(MOVE, 100, 110) == Seen(99.5, 111, (100.2, 109), 0)
    assert seen(MOVE, 100, 110).seconds == 11.5
    assert seen((), 100, 110) == Seen(None, None, None, 0)
    two = [one if one.time < 105 else replace(one, client=2) for one in MOVE]
    assert seen(two, 100, 110) == Seen(99.5, 111, (100.2, 109), 8)
    # What the source took after its stop ends no outage.
    assert seen((write(99), write(105), write(112, at="dest")), 100, 110).first == 112


def told(folder: Path, *found: Answer, planned: float = 900, marks: dict[str, str] = MARKS) -> dict[str, Any]:
    return waited.outage(plan(change={**CHANGE, "expected_downtime_s": planned}), laid(folder, *found), marks)


CHANGE = {"id": "CHG0031337", "title": "Move", "operator": "one", "approver": "another"}
STEADY = (write(99.5), *(write(100 + second, why="503") for second in range(1, 11)), write(111, at="dest"))


@pytest.mark.parametrize(
    ("found", "planned", "deviations"),
    [
        (STEADY, 900, []),
        (STEADY, 11.4, [waited.LONGER]),
        ((write(90), *STEADY[1:]), 900, [waited.APART]),
        ((write(97.9), write(98, why="503"), *STEADY[1:]), 900, [waited.APART]),
        (STEADY[:-1], 900, [waited.NOBODY_SAW]),
        ((), 5, [waited.NOBODY_SAW, waited.LONGER]),
    ],
)
def test_what_the_client_and_the_marks_do_not_tell_alike_is_a_deviation_and_red_only_when_untold(
    tmp_path: Path, found: tuple[Answer, ...], planned: float, deviations: list[str]
) -> None:
    outage = told(tmp_path, *found, planned=planned)

    assert waited.told_apart(outage) == deviations
    checks = waited.agrees(outage, deviations), waited.in_time(outage, deviations)
    assert [check.outcome for check in checks] == [Outcome.HELD, Outcome.HELD]
    untold = waited.agrees(outage, []), waited.in_time(outage, [])
    assert [check.outcome is Outcome.HELD for check in untold] == [
        not set(deviations) - {waited.LONGER},
        waited.LONGER not in deviations,
    ]


def test_writes_are_compared_by_id_and_content_and_a_failed_one_may_be_there() -> None:
    there = {"id 98": "text 98", "id 99.5": "another", "id x": "text 101"}

    assert compared(MOVE, there) == {
        "acknowledged": 4,
        "lost": ["id 111", "id 112"],
        "changed": ["id 99.5"],
        "failed": 3,
        "failed but present": 1,
    }


def serving(events: list[dict[str, str]], *, alive: bool = True) -> Callable[[Any], Any]:
    """Return what answers as a core that has these events, page by page."""

    def answer(wanted: Any) -> Any:  # noqa: ANN401 - any observation
        if isinstance(wanted, AskClient):
            return alive
        assert isinstance(wanted, Ask)
        assert isinstance(wanted.of, HttpRequest)
        skip = int(wanted.of.path.rpartition("=")[2])
        return HttpAnswer(wanted.of, 200, {}, json.dumps({"events": events[skip : skip + client.PAGE]}).encode(), 0.0)

    return answer


def stored(*found: Answer) -> list[dict[str, str]]:
    return [{"id": one.id, "content": one.text} for one in found if one.ok]


def test_a_write_that_is_lost_is_red_until_so_many_are_accepted(tmp_path: Path) -> None:
    many = [write(time, at="dest") for time in range(2500)]
    laid(tmp_path, *many)

    def outcome(lost: int, accepted: int | None) -> Outcome:
        look = client.nothing_lost(plan(), KNOWN, tmp_path, accepted)
        check = drive(look, serving(stored(*many[lost:])))
        assert (check.examined, check.observed["lost"]) == (2500, lost)
        return check.outcome

    assert [outcome(*case) for case in ((0, None), (1, None), (2, 1), (2, 2))] == [
        Outcome.HELD,
        Outcome.NOT_HELD,
        Outcome.NOT_HELD,
        Outcome.HELD,
    ]


def test_no_ledger_is_no_proof(tmp_path: Path) -> None:
    assert drive(client.nothing_lost(plan(), KNOWN, tmp_path, None), serving([])).outcome is Outcome.NOT_HELD
    assert client.no_wrong_host(plan(), tmp_path, MARKS).outcome is Outcome.NOT_HELD


def test_the_loss_of_a_write_is_not_waived_without_its_count() -> None:
    with pytest.raises(Refused, match="by its count only"):
        waivers([client.LOST_NOTHING], "why", "who", "2999-01-01T00:00:00Z")


def test_a_client_is_absent_until_it_is_at_work_and_held_once_it_was_answered(tmp_path: Path) -> None:
    laid(tmp_path, *MOVE[:2])
    look = drive(client.at_work(plan(), tmp_path, "write"), serving([], alive=False))
    assert look.outcome is Outcome.ABSENT
    assert drive(client.at_work(plan(), tmp_path, "write"), serving([])).outcome is Outcome.NOT_HELD
    laid(tmp_path, *MOVE)
    assert drive(client.at_work(plan(), tmp_path, "write"), serving([])).outcome is Outcome.HELD
    assert drive(client.at_work(plan(), tmp_path, "read"), serving([])).outcome is Outcome.NOT_HELD


def test_the_source_saves_again_what_it_ever_told_was_saved(tmp_path: Path) -> None:
    laid(tmp_path, *MOVE)
    now = [write(200 + count) for count in range(client.ENOUGH)]
    laid(tmp_path, *now, number=2)

    def outcomes(events: list[dict[str, str]]) -> list[Outcome]:
        checks = drive(client.saved_again(plan(), Config({}, ()), KNOWN, tmp_path, 2, MARKS), serving(events))
        return [check.outcome for check in checks]

    # What the dest took in the meantime is not on the source, and is told elsewhere.
    assert outcomes(stored(*MOVE[:2], *now)) == [Outcome.HELD, Outcome.HELD]
    assert outcomes(stored(*MOVE[1:2], *now)) == [Outcome.HELD, Outcome.NOT_HELD]


def test_where_nobody_can_write_the_source_is_asked_all_the_same(tmp_path: Path) -> None:
    deeds = list(client.write_again(plan(), None, tmp_path))

    assert [str(deed) for deed in deeds] == ["GET /reg/service/info (by public)"]


def test_a_token_is_neither_in_the_name_nor_in_the_text_of_a_deed(tmp_path: Path) -> None:
    deeds = list(begun(tmp_path))

    assert [type(deed) for deed in deeds] == [HttpRequest, BeginClient, EndClient]
    assert KNOWN["personal"] in deeds[1].told
    assert all(KNOWN["personal"] not in f"{deed} {deed!r}" for deed in deeds)
    assert deeds[0].headers["Authorization"] == Secret(KNOWN["personal"])


def begun(folder: Path) -> Any:  # noqa: ANN401 - a generator of deeds
    return client.write_again(plan(), KNOWN, folder)


def test_the_journal_is_told_each_stretch(tmp_path: Path) -> None:
    told = client.lines(plan(), laid(tmp_path, *MOVE), 1, MARKS)

    assert [(line["outcome"], line["at"], line["writes"]) for line in told] == [
        ("answered", "source", 2),
        ("refused", "source", 1),
        ("refused", "", 1),
        ("refused", "source", 1),
        ("answered", "dest", 2),
    ]
    assert (told[0]["from"], told[0]["until"]) == ("1970-01-01T00:01:38.000Z", "1970-01-01T00:01:40.200Z")


def test_by_proxy_the_sources_address_is_right_again_once_it_forwards_to_the_dest() -> None:
    proxy = {"config_file": "/etc/nginx/sites-enabled/core", "ca_file": "/etc/ca.pem"}
    by_proxy = plan(cutover={**CONTENT["cutover"], "strategy": "proxy", "proxy": proxy})

    assert client.shut(plan(), MARKS) == (100, None)
    assert client.shut(plan(), MARKS | {"T_back": "1970-01-01T00:02:00Z"}) == (100, 120)
    assert client.shut(by_proxy, MARKS) == (100, 110)
    assert client.shut(by_proxy, {}) == (None, None)


def test_a_client_is_served_by_the_dest_once_some_writes_were_saved_there_after_users_were_led_to_it(tmp_path: Path) -> None:
    proxy = {"config_file": "/etc/nginx/sites-enabled/core", "ca_file": "/etc/ca.pem"}
    by_proxy = plan(cutover={**CONTENT["cutover"], "strategy": "proxy", "proxy": proxy})
    laid(tmp_path, *MOVE)
    assert client.served_by_dest(plan(), tmp_path, MARKS).outcome is Outcome.NOT_HELD
    laid(tmp_path, *MOVE, write(113, at="dest"))
    assert client.served_by_dest(plan(), tmp_path, MARKS).outcome is Outcome.HELD
    assert client.served_by_dest(plan(), tmp_path, {}).outcome is Outcome.NOT_HELD
    assert client.served_by_dest(by_proxy, tmp_path, MARKS).outcome is Outcome.NOT_HELD
    laid(tmp_path, *(write(111 + count) for count in range(3)))
    assert client.served_by_dest(by_proxy, tmp_path, MARKS).outcome is Outcome.HELD


def read(time: float, took: float, at: str = "source") -> Answer:
    return Answer(time, "read", ok=True, at=at, id="e1", took=took)


SLOW_AT_FIRST = (read(98, 0.01), read(99, 0.02), read(99.9, 0.03), read(100.01, 9.0))


@pytest.mark.parametrize(
    ("took", "told"), [((0.02, 0.03, 0.04), []), ((0.06, 0.07, 0.08), []), ((0.08, 0.09, 2.0), [waited.SLOWER])]
)
def test_reads_are_as_fast_as_before_or_it_is_told(tmp_path: Path, took: tuple[float, ...], told: list[str]) -> None:
    after = (read(111 + at, one, "dest") for at, one in enumerate(took))

    found = waited.pace(plan(), laid(tmp_path, *SLOW_AT_FIRST, *after), MARKS)

    assert found == {"before the freeze": 0.02, "since users are served": took[1], "reads": [3, 3]}
    assert waited.told_slower(found) == told
    assert waited.as_fast(found, told).outcome is Outcome.HELD
    assert waited.as_fast(found, []).held is not bool(told)


def test_too_few_reads_show_nothing_and_none_before_are_told(tmp_path: Path) -> None:
    few = waited.pace(plan(), laid(tmp_path, read(111, 0.01, "dest")), MARKS)

    assert waited.told_slower(few) == [waited.NOT_PACED]
    assert waited.as_fast(few, [waited.NOT_PACED]).outcome is Outcome.NOT_HELD
