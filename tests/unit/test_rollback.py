"""Going back: what may be lost and who accepts it, what is compared, what is cleared, and what a run may still do then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import yaml

from harness import booting
from harness.check import Outcome
from harness.configuration import Config
from harness.configuration.values import flat
from harness.deed import Command, CommandResult, Measured, Role
from harness.errors import LossNotAccepted, Refused
from harness.journal import Journal
from harness.rollback import POSTGRESQL, changed, clear, close_dest, differences_told, differing, loss_accepted, measure_again
from harness.run.approving import accepted_loss
from harness.run.driving import drive
from harness.run.endings import closes, demand_may_begin, ending, is_closed, newest_green
from harness.run.fold import State
from harness.run.values import Loss
from tests.plans import CONFIG, CONTENT, plan
from tests.unit.test_retiring import telling

if TYPE_CHECKING:
    from pathlib import Path

OPENED = {"T_open": "2026-11-25T17:00:00+00:00"}
CORE = Config(flat(yaml.safe_load(CONFIG)) | {"storages.engines.postgresql.port": 5432}, ("override.yml",))
AT_REST = {
    POSTGRESQL: Measured(POSTGRESQL, Role.SOURCE, "aa", 2, 0, {"users_index": {"rows": 3}, "series_data": {"rows": 50}}),
    "/var/lib/pryv/data": Measured("/var/lib/pryv/data", Role.SOURCE, "bb", 9),
    "seal": Measured("seal", Role.SOURCE, "cc", 2),
}


def closing(accepted: int | None, *counts: str) -> list[str]:
    """Return what is done on the dest, one count after the other; ends as close_dest does."""
    left, done = list(counts), []

    def do(deed: Command) -> CommandResult:
        done.append(deed.argv[-1] if deed.argv[0] == "core" else "count")
        return CommandResult(deed, 0, (left.pop(0) if done[-1] == "count" else "").encode(), b"", 0.0)

    try:
        drive(close_dest(plan(), CORE, OPENED, AT_REST, accepted), do)
    except LossNotAccepted as error:
        done.append(str(error))
    return done


def test_nothing_is_done_on_the_dest_unless_a_person_accepts_as_many_writes_as_are_there() -> None:
    [asked, said] = closing(None, "events|2\nusers|1\nstreams|0")

    assert asked == "count"
    assert "3 write(s) (events 2, users 1); nobody accepts that they are lost" in said
    assert said.endswith("--accept-loss 3 --approver NAME")
    assert closing(2, "events|3")[:1] == ["count"]
    assert len(closing(2, "events|3")) == 2


def test_with_the_dest_stopped_it_is_counted_anew_and_more_than_was_accepted_starts_it_again() -> None:
    assert closing(2, "events|1", "events|2") == ["count", "stop", "count"]

    *done, said = closing(2, "events|1", "events|3")

    assert done == ["count", "stop", "count", "start"]
    assert "counted with the dest core stopped; at most 2 are accepted as lost" in said


def test_what_is_counted_is_since_t_open_beside_what_was_measured_at_rest() -> None:
    counted: Any = next(close_dest(plan(), CORE, OPENED, AT_REST, 0))

    sets = counted.input.decode().split("SELECT")[0].splitlines()
    assert sets[:4] == ["\\set ours 'verify01'", "\\set since '1795626000.000'", "\\set users '3'", "\\set points '50'"]
    assert counted.private


@pytest.mark.parametrize(("accepted", "outcome"), [(None, Outcome.NOT_HELD), (2, Outcome.NOT_HELD), (3, Outcome.HELD)])
def test_a_loss_is_accepted_up_to_its_count(accepted: int | None, outcome: Outcome) -> None:
    _, counted = drive(loss_accepted(plan(), CORE, OPENED, AT_REST, accepted), telling("", "events|2\nusers|1"))

    assert counted.outcome is outcome


def test_before_t_open_nothing_can_be_lost_and_nothing_is_asked() -> None:
    [check] = drive(loss_accepted(plan(), CORE, {}, AT_REST, None), telling())

    assert check.held


def test_a_difference_from_what_was_measured_must_be_told() -> None:
    compared = {POSTGRESQL: ["aa", "zz"], "/var/lib/pryv/data": ["bb", "bb"]}

    assert differing(compared) == [POSTGRESQL]
    assert not differences_told(compared, []).held
    assert differences_told(compared, [changed(POSTGRESQL)]).held
    assert differences_told({"figures": [None, {"rows": "1"}]}, []).observed == {"figures": "read, nothing was measured at rest"}


def test_where_nothing_was_measured_at_rest_only_cheap_figures_are_read() -> None:
    first: Any = next(measure_again(plan(), CORE, {}))

    assert [deed.argv[0] for deed in first] == ["psql", "sh"]


def test_only_what_this_run_made_is_cleared() -> None:
    mine = {"database pryv", "path /etc/pryv", "path /opt/elsewhere/override.yml"}

    said = [deed.says for deed in clear(plan(), CORE, CORE, mine)]  # type: ignore[union-attr]

    assert said == [
        "drop the database pryv on the dest",
        "remove /etc/pryv on the dest",
        "remove /opt/elsewhere/override.yml on the dest",
    ]
    assert list(clear(plan(), CORE, CORE, set())) == []


def test_a_loss_is_accepted_by_somebody() -> None:
    assert accepted_loss(None, "") is None
    assert accepted_loss(0, "board") == Loss(0, "board")
    for count, who in ((3, ""), (-1, "board")):
        with pytest.raises(Refused, match="--accept-loss N needs"):
            accepted_loss(count, who)


def test_a_rollback_ends_with_11_and_a_retire_that_waits_for_a_yes_with_10() -> None:
    at_98 = State(numbers={"R: one": 98, "F: two": 50}, red="R: one")
    at_50 = State(numbers={"R: one": 98, "F: two": 50}, red="F: two")
    back = State(marks={"T_back": "02:00"})

    assert [ending(at_98, code) for code in (1, 12)] == [1, 10]
    assert [ending(at_50, code) for code in (1, 12)] == [1, 12]
    assert [ending(back, code) for code in (0, 1, 12, 13)] == [11, 1, 12, 13]
    assert [closes(code, whole=whole) for code, whole in ((0, True), (0, False), (11, False), (10, True), (1, True))] == [
        True,
        False,
        True,
        False,
        False,
    ]


def record(reports: Path, name: str, *lines: dict[str, Any]) -> Path:
    """Write a run's record."""
    journal = Journal(reports / f"2026-11-25-CHG1-{name}" / "journal.jsonl")
    journal.open()
    for line in lines:
        journal.append(line.pop("kind"), **line)
    return journal.path.parent


def test_a_run_that_is_being_rolled_back_is_continued_by_the_rollback_alone(tmp_path: Path) -> None:
    record(tmp_path, "r1", {"kind": "mark", "mark": "T_back"}, {"kind": "verdict", "status": "red", "closes": False})

    demand_may_begin(tmp_path, "CHG1", going_back=True)
    with pytest.raises(Refused, match=r"is being rolled back since .* only pytest features/rollback.feature continues it"):
        demand_may_begin(tmp_path, "CHG1", going_back=False)


def test_what_is_closed_or_was_never_begun_is_not_rolled_back(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="there is no run of CHG1"):
        demand_may_begin(tmp_path, "CHG1", going_back=True)
    for at, (status, how) in enumerate((("green", "moved and retired"), ("rolled back", "rolled back"))):
        back = {"kind": "mark", "mark": "T_back"}
        closed = record(tmp_path, f"r{at}", *([back] if at else []), {"kind": "verdict", "status": status, "closes": True})

        assert is_closed(closed)
        demand_may_begin(tmp_path, "CHG1", going_back=False)
        with pytest.raises(Refused, match=rf"closed \({how} at .*nothing is left to be rolled back"):
            demand_may_begin(tmp_path, "CHG1", going_back=True)


def test_what_the_rest_takes_is_learnt_from_a_move_and_not_from_a_rollback(tmp_path: Path) -> None:
    moved = record(tmp_path, "r1", {"kind": "verdict", "status": "green", "closes": True})
    record(tmp_path, "r2", {"kind": "verdict", "status": "rolled back", "closes": True})

    assert newest_green(tmp_path) == moved


@pytest.mark.parametrize(
    ("status", "before", "deeds", "held_enabled"),
    [
        ("core is running (pid 7), enabled", "enabled", ["enable"], True),
        ("core is running (pid 7), disabled", "disabled", ["disable"], False),
        ("core is running", "", ["enable"], True),
    ],
)
def test_a_rollback_leaves_the_boot_as_the_freeze_found_it(
    status: str, before: str, deeds: list[str], *, held_enabled: bool
) -> None:
    part = {**CONTENT["core"], "command": {**CONTENT["core"]["command"], "disable": ["core", "disable"]}}
    wanted = plan(core=part)
    noting = booting.note(wanted)
    asked: Any = next(noting)
    claimed: Any = noting.send(CommandResult(asked, 0, status.encode(), b"", 0.0))

    assert claimed.argv[-1] == f"{booting.NOTED}{before}"
    assert [deed.argv[-1] for deed in booting.restore(wanted, before)] == deeds  # type: ignore[union-attr]
    look = [f"{booting.NOTED}{before}", "core is running, enabled"]
    assert drive(booting.as_before(wanted), telling(*look)).held is held_enabled


def test_of_a_core_that_was_found_stopped_nothing_is_noted_and_a_boot_starts_it() -> None:
    assert drive(booting.noted(plan()), telling("")) is None
    assert [deed.argv[-1] for deed in booting.restore(plan(), None)] == ["enable"]  # type: ignore[union-attr]
    assert not drive(booting.as_before(plan()), telling("", "core is running, disabled")).held
