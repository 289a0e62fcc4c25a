"""What the launch holds back, how it is told from other differences, and how it is given back; users and strangers meanwhile."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness import closed, configuration, door, launching
from harness.check import Outcome
from harness.configuration import edited
from harness.control import control
from harness.deed import Command, CommandResult, HttpAnswer, HttpRequest, Role
from harness.errors import HarnessError, Unreachable
from harness.run.driving import drive
from harness.run.fold import State
from harness.run.standing import CONFIG as STANDING_CONFIG
from harness.run.standing import CONFIG_FILES, STANDING
from tests.plans import CONFIG, CONTENT, plan
from tests.unit.test_configuration import FILE, MASTER, Hosts

PLANNED = plan(planned_changes={"core.ip": "203.0.113.20"})
AS_PLANNED = edited(CONFIG, {"core.ip": "203.0.113.20"})
HOLDING = edited(CONFIG, {"core.ip": "203.0.113.20", "webhooks.inProcess": False})
DOOR = {"close": ["door", "close"], "open": ["door", "open"], "status": ["door", "status"]}
REFUSED = Unreachable("the dest", "asking", "ConnectionRefusedError: refused")


@dataclass
class Stored(Hosts):
    """Hosts whose databases answer how many webhooks there are, and how often they were posted to."""

    stored: str = "3"
    posted: dict[Role, str] = field(default_factory=dict)
    mine: str = ""

    def _answer(self, command: Command) -> CommandResult:
        said = command.input
        if launching.STORED.encode() in said:
            return CommandResult(command, 0, self.stored.encode(), b"", 0.0)
        if launching.POSTED.encode() in said:
            return CommandResult(command, 0, self.posted[command.host].encode(), b"", 0.0)
        if CONFIG_FILES in command.argv:
            sums = (f"{hashlib.sha256(str(text).encode()).hexdigest()}  {path}" for path, text in self.dest.items())
            return CommandResult(command, 0, "\n".join(sums).encode(), b"", 0.0)
        if command.argv[-1].endswith("/made"):
            return CommandResult(command, 0, self.mine.encode(), b"", 0.0)
        if command.argv[:4] == ("stat", "-L", "-c", "%.Y"):
            return CommandResult(command, 0, b"100.25\n90.0", b"", 0.0)
        return super()._answer(command)


def hosts(dest: str, source: str = CONFIG, **more: Any) -> Stored:  # noqa: ANN401 - fields of Hosts
    """Return hosts with these config files."""
    return Stored({FILE: source}, {FILE: dest} if dest else {}, **more)


def held(on: Stored, marks: dict[str, str] | None = None) -> tuple[str, Any]:
    """Return the outcome of the look at what is held back, and what it observed."""
    source = on.read(configuration.of_source(PLANNED))
    check = on.read(launching.is_held_back(PLANNED, source, marks or {}))
    return check.outcome, check.observed


def keys(on: Stored) -> dict[str, Any]:
    """Return what is held back."""
    return on.read(launching.held_back(PLANNED, on.read(configuration.of_source(PLANNED))))  # type: ignore[no-any-return]


def test_held_back_is_what_would_do_something() -> None:
    certificates = f"{CONFIG}letsEncrypt: {{enabled: true}}\n"

    assert keys(hosts("")) == {"webhooks.inProcess": False}
    assert keys(hosts("", stored="0")) == {}
    assert keys(hosts("", source=f"{CONFIG}webhooks: {{inProcess: false}}\n")) == {}
    assert keys(hosts("", source=certificates, stored="0")) == {"letsEncrypt.enabled": False}


def test_of_another_base_engine_it_is_not_known_whether_webhooks_are_stored_so_they_are_held_back() -> None:
    source = CONFIG.replace("storages:\n", "storages:\n  base: {engine: mongodb}\n")

    assert keys(hosts("", source=source, stored="0")) == {"webhooks.inProcess": False}


def test_the_config_holds_back_exactly_that_and_no_other_key_differs() -> None:
    assert held(hosts(HOLDING))[0] is Outcome.HELD
    assert held(hosts(AS_PLANNED)) == (Outcome.NOT_HELD, {"core.ip": "203.0.113.20"})
    assert held(hosts(HOLDING + "audit: {active: false}\n"))[0] is Outcome.NOT_HELD


def test_once_it_is_given_back_a_core_that_is_started_once_more_holds_nothing_back() -> None:
    opened = {"T_open": "2026-12-01T02:00:00Z"}

    assert held(hosts(HOLDING), opened)[0] is Outcome.HELD
    assert held(hosts(AS_PLANNED, mine=launching.GIVEN), opened)[0] is Outcome.HELD
    assert held(hosts(AS_PLANNED, mine=launching.GIVEN))[0] is Outcome.NOT_HELD


def test_the_acts_write_the_files_with_and_without_it_and_the_restart_comes_last() -> None:
    on = hosts(AS_PLANNED)
    files = on.read(launching.differing_files(PLANNED, keys(on)))
    done: list[Command] = []

    drive(launching.hold_back(PLANNED, keys(on), files), done.append)
    drive(launching.give_back(PLANNED, files), done.append)

    assert [command.input.decode() for command in done if command.argv[-1] == FILE] == [HOLDING, AS_PLANNED]
    ended, begun = control(PLANNED).stop(Role.DEST), control(PLANNED).start(Role.DEST)
    assert [command.argv for command in done[-2:]] == [ended.argv, begun.argv]


def test_given_back_a_file_without_planned_changes_is_the_sources_byte_by_byte() -> None:
    odd = CONFIG.replace("auth: {", "auth:   {")
    on = hosts(odd, source=odd)
    files = on.read(launching.differing_files(plan(planned_changes={}), {"webhooks.inProcess": False}))

    [(before, _)] = files
    assert edited(before.text, before.changes) == odd


def standing(on: Stored, green: list[str]) -> bool:
    """Return whether the standing fact of the dest's config holds, which began with the planned config."""
    began = hashlib.sha256(f"{hashlib.sha256(AS_PLANNED.encode()).hexdigest()}  {FILE}".encode()).hexdigest()
    [fact] = [one for one in STANDING if one.name == STANDING_CONFIG]
    [check] = on.read(fact.look(PLANNED, State(facts={STANDING_CONFIG: began}, green=green)))
    return bool(check.held)


def test_the_standing_fact_knows_what_is_held_back_and_nothing_else_and_is_strict_once_that_is_given_back() -> None:
    given = [f"Something: {launching.GIVEN_BACK}"]

    assert [standing(hosts(text), []) for text in (AS_PLANNED, HOLDING, f"{HOLDING}# more\n")] == [True, True, False]
    assert [standing(hosts(text), given) for text in (AS_PLANNED, HOLDING)] == [True, False]


@pytest.mark.parametrize(("dest", "opened", "outcome"), [("3|4", {}, Outcome.HELD), ("3|5", {}, Outcome.NOT_HELD),
                                                         ("3|5", {"T_open": "…"}, Outcome.HELD)])  # fmt: skip
def test_a_post_to_a_stored_webhook_is_noticed_until_users_are_there(dest: str, opened: dict[str, str], outcome: Outcome) -> None:
    on = hosts(HOLDING, posted={Role.SOURCE: "3|4", Role.DEST: dest})
    source = on.read(configuration.of_source(PLANNED))

    assert on.read(launching.nobody_noticed(PLANNED, source, source, opened)).outcome is outcome


@pytest.mark.parametrize(("began", "outcome"), [(100.3, Outcome.HELD), (100.2, Outcome.NOT_HELD), (None, Outcome.NOT_HELD)])
def test_a_core_that_was_started_before_its_config_was_written_has_not_read_it(began: float | None, outcome: Outcome) -> None:
    running = {"pid": 7, "argv": MASTER, "environ": [], "cwd": "/", "began": began}

    check = hosts(AS_PLANNED, dest_running=running if began else None).read(launching.runs_with_its_config(PLANNED))
    assert check.outcome is outcome


# --- strangers, and users meanwhile


def answering(**said: int | Unreachable) -> Any:  # noqa: ANN401 - an answerer
    """Return what answers requests by where they lead."""

    def one(asked: Any) -> Any:  # noqa: ANN401 - any observation
        request = asked.of
        assert isinstance(request, HttpRequest)
        found = said[str(request.via)]
        if isinstance(found, Unreachable):
            raise found
        return HttpAnswer(request, found, {"retry-after": "5"} if found == 503 else {}, b"", 0.0)

    return one


@pytest.mark.parametrize(("answer", "held"), [(503, True), (REFUSED, True), (200, False), (404, False)])
def test_a_stranger_is_kept_out_by_503_or_by_no_connection(answer: int | Unreachable, held: bool) -> None:
    theirs, ours = drive(door.strangers_kept_out({}), answering(outside=answer, dest=200))

    assert (theirs.held, ours.held) == (held, True)


def test_what_a_stranger_is_answered_is_as_it_may_be_where_users_are_on_the_dest_and_we_must_be_served() -> None:
    checks = [drive(door.strangers_kept_out({"T_open": "now"}), answering(outside=200, dest=dest)) for dest in (200, 503)]

    assert [[check.held for check in both] for both in checks] == [[True, True], [True, False]]


def test_what_keeps_a_stranger_from_looking_is_no_door() -> None:
    wrong = Unreachable("the dest", "asking", "SSLCertVerificationError: expired")

    with pytest.raises(Unreachable, match="expired"):
        drive(door.strangers_kept_out({}), answering(outside=wrong, dest=200))
    assert drive(door.strangers_served(), answering(outside=wrong)).observed == "SSLCertVerificationError: expired"


def test_a_door_that_the_plan_does_not_name_cannot_be_opened_and_one_that_was_shut_is_opened_on_the_way_back() -> None:
    named = plan(dest={**CONTENT["dest"], "door": DOOR})
    done: list[Command] = []

    with pytest.raises(HarnessError, match=r"dest\.door"):
        drive(door.open_(plan()), done.append)
    drive(door.reopen(named, set()), done.append)
    assert done == []
    drive(door.reopen(named, {door.DOOR}), done.append)
    assert [command.argv for command in done] == [("door", "open")]


ANSWERS = [(503, True, False), (502, True, True), (REFUSED, True, True), (200, False, False), (401, False, False)]


@pytest.mark.parametrize(("answer", "held", "gap"), ANSWERS)
def test_users_who_are_not_told_to_come_back_are_a_deviation_and_users_who_are_served_are_red(
    answer: int | Unreachable, held: bool, gap: bool
) -> None:
    check, told = drive(closed.users_are_told(), answering(public=answer))

    assert (check.held, bool(told)) == (held, gap)


def test_a_core_that_is_launched_once_more_when_users_are_there_is_hidden_from_nobody_and_serves_us() -> None:
    opened = {"T_open": "2026-12-01T02:20:00+00:00"}

    assert all(check.held for check in drive(door.strangers_kept_out(opened), answering(outside=200, dest=200)))
    assert not all(check.held for check in drive(door.strangers_kept_out(opened), answering(outside=200, dest=502)))
