"""Cut-over by DNS as values: what is changed by each provider, what is asked, and when the answers hold."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from harness.check import Check, Outcome
from harness.cutover import changing, dns
from harness.deed import DnsAnswer, DnsUpdate, OperatorDeed, Resolve, Role
from harness.errors import StoppedForApproval, Unreachable
from harness.plan import Plan
from harness.run.driving import drive
from harness.run.performing import Performer
from tests.plans import CONTENT, plan

SERVERS = [{"address": "203.0.113.53"}, {"address": "2001:db8::54", "port": 5353}]
NAMES = ["example.com", "core.example.com", "*.example.com"]
MANUAL = {"provider": "manual", "servers": SERVERS, "ttl": 60}
COMMAND = {"provider": "command", "servers": SERVERS, "ttl": 60, "command": {"argv": ["set-dns"]}}
OLD, NEW = {"A": "203.0.113.10", "AAAA": "2001:db8::10"}, {"A": "203.0.113.20", "AAAA": "2001:db8::20"}


def moving(provider: dict[str, Any] | None = None, *, six: tuple[str, ...] = ("source", "dest"), **changes: Any) -> Plan:  # noqa: ANN401 - parts of a plan
    """Return a plan whose hosts have IPv6 too where `six` says so."""
    content = copy.deepcopy(CONTENT)
    for role, addresses in (("source", OLD), ("dest", NEW)):
        content[role] |= {"address6": addresses["AAAA"]} if role in six else {}
    content["cutover"]["dns"] = {**(provider or content["cutover"]["dns"]), **changes}
    return plan(**content)


def deeds(of: Plan) -> list[Any]:
    return list(dns.point(of, Role.DEST))


def looked(of: Plan, answer: Callable[[Resolve], tuple[str, ...]], code: str = "NOERROR", ttl: int = 60) -> Check:
    """Return the check that every server answers the dest's addresses, when each question is answered so."""

    def perform(asked: tuple[Resolve, ...]) -> list[DnsAnswer]:
        return [DnsAnswer(one.server, code, answer(one), ttl) for one in asked]

    return drive(dns.every_server_answers(of, Role.DEST), perform)


def new(asked: Resolve) -> tuple[str, ...]:
    return (NEW[asked.kind],)


# --- what is changed


def test_each_name_gets_both_addresses_of_the_dest() -> None:
    both = (("A", "203.0.113.20"), ("AAAA", "2001:db8::20"))

    assert deeds(moving(names=NAMES)) == [DnsUpdate("example.com", name, 60, both) for name in NAMES]


def test_a_dest_without_ipv6_has_no_aaaa_left() -> None:
    [deed] = deeds(moving(six=("source",)))

    assert deed == DnsUpdate("example.com", "core.example.com", 60, (("A", "203.0.113.20"),))
    assert changing.words(deed, "A") == ("core.example.com", "A", "60", "203.0.113.20")
    assert changing.words(deed, "AAAA") == ("core.example.com", "AAAA", "60")


def test_a_dest_with_ipv6_alone_has_no_a_left() -> None:
    content = {**CONTENT["dest"], "address": "2001:db8::20"}

    [deed] = deeds(plan(dest=content))

    assert deed.addresses == (("AAAA", "2001:db8::20"),)


def test_a_command_is_given_no_zone_and_is_shown_what_it_does() -> None:
    [deed] = deeds(moving(COMMAND))

    assert (deed.zone, str(deed)) == ("", "DNS core.example.com → A 203.0.113.20, AAAA 2001:db8::20 (TTL 60 s)")


def test_a_person_is_asked_once_for_all_names() -> None:
    [deed] = deeds(moving(MANUAL, names=NAMES))

    assert deed == OperatorDeed(
        "please point example.com, core.example.com, *.example.com to A 203.0.113.20 and AAAA 2001:db8::20 (TTL 60 s) "
        "at your DNS provider, and leave no other A or AAAA record"
    )


def test_people_are_given_more_time_than_programs_and_programs_more_than_name_servers() -> None:
    assert [dns.patience_s(moving(one)) for one in (None, COMMAND, MANUAL)] == [30.0, 300.0, 900.0]
    assert dns.patience_s(moving(MANUAL, within_s=60)) == 60.0


# --- a person


DEED = OperatorDeed("please point it")


@pytest.mark.parametrize("answer", ["done", " Done\n"])
def test_a_person_who_says_done_is_believed_no_further_than_the_next_look(answer: str) -> None:
    asked: list[str] = []

    def prompt(text: str) -> str:
        asked.append(text)
        return answer

    dns.ask_person(DEED, prompt)

    assert asked == ["please point it\ntype done once it is done: "]


@pytest.mark.parametrize("answer", ["", "no", "not done", "y"])
def test_any_other_word_stops_the_run_for_an_approval(answer: str) -> None:
    with pytest.raises(StoppedForApproval, match="please point it; nobody said done"):
        dns.ask_person(DEED, lambda _: answer)


def test_where_nobody_can_be_asked_the_run_stops_and_says_what_to_do() -> None:
    def gone(_: str) -> str:
        raise EOFError

    for prompt in (None, gone):
        with pytest.raises(StoppedForApproval, match="please point it; once it is done, type the same command again"):
            dns.ask_person(DEED, prompt)
    with pytest.raises(StoppedForApproval):
        Performer(moving(MANUAL), {}).do(DEED)


def test_a_manual_provider_takes_no_update() -> None:
    with pytest.raises(TypeError, match="OperatorDeed"):
        dns.update(moving(MANUAL).cutover.dns, DnsUpdate("", "core.example.com", 60, ()))


# --- what is looked at


def test_every_server_is_asked_for_every_name_and_both_types_and_a_wildcard_by_a_label_below_it() -> None:
    asked: list[Resolve] = []

    check = looked(moving(names=NAMES), lambda one: (asked.append(one), new(one))[1])  # type: ignore[func-returns-value]

    assert (check.outcome, check.examined, check.minimum) == (Outcome.HELD, 6, 6)
    assert {one.server for one in asked} == {"203.0.113.53:53", "203.0.113.54:53"}
    assert len(asked) == 12
    below = {one.name for one in asked} - {"example.com", "core.example.com"}
    assert len(below) == 1
    assert next(iter(below)).removesuffix(".example.com").startswith("any-")
    assert "*.example.com at 203.0.113.53:53" in check.observed


def test_two_looks_ask_a_wildcard_by_two_labels() -> None:
    first, second = (next(dns.every_server_answers(moving(names=["*.example.com"]), Role.DEST)) for _ in range(2))

    assert {one.name for one in first} & {one.name for one in second} == {"core.example.com"}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("server", "name", "kind", "texts"),
    [
        ("203.0.113.54:53", "core.example.com", "A", ("203.0.113.10",)),
        ("203.0.113.54:53", "core.example.com", "AAAA", ("2001:db8::10",)),
        ("203.0.113.53:53", "example.com", "A", ()),
        ("203.0.113.53:53", "example.com", "AAAA", ()),
        ("203.0.113.53:53", "any-", "A", ("203.0.113.10",)),
        ("203.0.113.53:53", "any-", "AAAA", ("2001:db8::20", "2001:db8::10")),
    ],
)
def test_one_wrong_answer_is_red_and_told_by_name_and_server(server: str, name: str, kind: str, texts: tuple[str, ...]) -> None:
    def answer(asked: Resolve) -> tuple[str, ...]:
        return texts if (asked.server, asked.kind) == (server, kind) and asked.name.startswith(name) else new(asked)

    check = looked(moving(names=NAMES), answer)

    wrong = {key for key in check.expected if check.expected[key] != check.observed[key]}
    assert check.outcome is Outcome.NOT_HELD
    assert wrong == {f"{'*.example.com' if name == 'any-' else name} at {server}"}


def test_the_old_aaaa_must_be_gone_when_the_dest_has_none() -> None:
    of = moving(six=("source",))

    assert looked(of, lambda one: (NEW["A"],) if one.kind == "A" else (OLD["AAAA"],)).outcome is Outcome.NOT_HELD
    assert looked(of, lambda one: (NEW["A"],) if one.kind == "A" else ()).outcome is Outcome.HELD


def test_the_same_address_in_other_letters_is_the_same() -> None:
    assert looked(moving(), lambda one: (NEW[one.kind].replace("db8::", "0DB8:0::").lower(),)).outcome is Outcome.HELD


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED"])
def test_a_code_that_says_nothing_about_the_name_is_no_answer(code: str) -> None:
    with pytest.raises(Unreachable, match=f"it answered {code}"):
        looked(moving(six=()), lambda _: (), code)


@pytest.mark.parametrize(
    ("ttl", "kinds", "outcome"),
    [(60, ("A", "AAAA"), Outcome.HELD), (61, ("A", "AAAA"), Outcome.NOT_HELD), (60, ("A",), Outcome.NOT_HELD)],
)
def test_the_ttl_of_every_name_and_type_is_low(ttl: int, kinds: tuple[str, ...], outcome: Outcome) -> None:
    def perform(asked: tuple[Resolve, ...]) -> list[DnsAnswer]:
        return [DnsAnswer(one.server, "NOERROR", (OLD[one.kind],) if one.kind in kinds else (), ttl) for one in asked]

    check = drive(dns.ttl_is_low(moving(names=NAMES)), perform)

    assert (check.outcome, check.examined, check.minimum) == (outcome, 6 * len(kinds), 12)
