"""Going back: wherever a run stopped, the source serves again as it did, and nothing of the run is left on the dest."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest

from harness.deed import Role
from tests.runbook.rehearsing import Rehearsal, on
from tests.runbook.test_words_hold import SEED

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.rehearsal

BACK = "features/rollback.feature"
COMPARED = "the source beside what was measured at rest"
# What is told of both hosts: what serves, what lies there, who may come.
DEST = "ls -A /etc/pryv /opt/pryv/app /var/lib/pryv/data 2>/dev/null; ls -A /var/lib/pryv-migration 2>/dev/null; grep -c pryv-migration ~/.ssh/authorized_keys"  # noqa: E501
SOURCE = "host-init status core; ls -A /var/lib/pryv-migration 2>/dev/null; true"


def stopped_at_the_freeze(rehearsal: Rehearsal) -> None:
    """Stop where the freeze waits for a yes: nothing is frozen, and much is made on the dest."""
    assert rehearsal.run("--ask") == 12, rehearsal.printed[-3000:]


def killed_at(scenario: str) -> Callable[[Rehearsal], None]:
    """Return what kills the harness once a scenario has begun."""

    def kill(rehearsal: Rehearsal) -> None:
        rehearsal.begin()
        rehearsal.until(lambda: rehearsal.begun(scenario), scenario)
        rehearsal.kill()

    return kill


def stopped_at_the_cutover(rehearsal: Rehearsal) -> None:
    """Stop where the dest core runs and users are not there."""
    assert rehearsal.run("--ask", "--approve", "freeze") == 12, rehearsal.printed[-3000:]


EARLIER: dict[str, Callable[[Rehearsal], None]] = {
    "verification user": killed_at("The verification user can sign in on the source"),
    "config": killed_at("Only the core can read its secrets"),
    "the freeze waits": stopped_at_the_freeze,
    "stopping": killed_at("The source core is stopped"),
    "fencing": killed_at("The source core is fenced"),
    "measuring": killed_at("The files are measured at rest"),
    "dump": killed_at("The PostgreSQL dump is complete"),
    "restore": killed_at("The PostgreSQL database arrives unchanged"),
    "files": killed_at("The data roots arrive unchanged"),
    "launch": killed_at("The dest core starts clean"),
}


def sample() -> list[str]:
    """Return two points before users are on the dest, other ones each day; all of them for `make prove-back`."""
    if "ALL_POINTS" in os.environ:
        return sorted(EARLIER)
    return random.Random(SEED).sample(sorted(EARLIER), 2)  # noqa: S311 - a sample, not a secret


def back(rehearsal: Rehearsal, *more: str) -> int:
    """Type the rollback and wait for its end."""
    rehearsal.begin(*more, features=BACK)
    return rehearsal.end()


def checks(rehearsal: Rehearsal, name: str) -> list[dict[str, Any]]:
    return [line for line in rehearsal.lines if line["kind"] == "check" and line["name"] == name]


def marks(rehearsal: Rehearsal) -> list[str]:
    return [line["mark"] for line in rehearsal.lines if line["kind"] == "mark"]


def assert_as_before(rehearsal: Rehearsal) -> None:
    """Demand that the source's core runs, unfenced and enabled, and that nothing of the run is left on the dest or kept here."""
    assert on(rehearsal, Role.SOURCE, "sh", "-c", SOURCE).split("(")[0] == "core is running "
    assert on(rehearsal, Role.SOURCE, "sh", "-c", SOURCE).endswith("), enabled")
    assert on(rehearsal, Role.DEST, "sh", "-c", f"{DEST}; true") == "0"
    assert on(rehearsal, Role.DEST, "/usr/local/sbin/pryv-door", "status") == "open"
    databases = on(
        rehearsal, Role.DEST, "psql", "-XqAt", "-d", "postgres", "-c", "SELECT rolname FROM pg_roles", as_user="postgres"
    )
    assert "pryv" not in databases.splitlines()
    assert not (rehearsal.record / "private").exists()
    assert "users   are led to the source and are served" in rehearsal.printed


@pytest.mark.parametrize("point", sample())
def test_before_users_are_on_the_dest_nothing_is_lost_and_all_is_as_it_was(rehearsal: Rehearsal, point: str) -> None:
    EARLIER[point](rehearsal)

    assert back(rehearsal) == 11, f"SAMPLE_SEED={SEED}: {rehearsal.printed[-4000:]}"
    assert marks(rehearsal)[-1] == "T_back"
    assert set(checks(rehearsal, COMPARED)[-1]["observed"].values()) <= {"as at rest", "read, nothing was measured at rest"}
    assert [line for line in rehearsal.lines if line["kind"] == "deviation"] == []
    assert checks(rehearsal, "a client's writes now")[-1]["observed"] == {"acknowledged": 5, "by": ["source"]}
    assert checks(rehearsal, "acknowledged writes on the source")[-1]["observed"]["lost"] == 0
    assert_as_before(rehearsal)

    before = len(rehearsal.lines)
    assert back(rehearsal) == 13
    assert "is closed (rolled back at " in rehearsal.printed
    assert len(rehearsal.lines) == before


def test_with_the_dest_launched_a_rollback_that_was_begun_is_all_that_goes_on_and_then_the_core_can_be_moved_anew(
    rehearsal: Rehearsal,
) -> None:
    stopped_at_the_cutover(rehearsal)
    rehearsal.begin(features=BACK)
    rehearsal.until(lambda: rehearsal.begun("The source is not frozen any more"), "the way back")
    rehearsal.kill()

    assert rehearsal.run() == 13
    assert "is being rolled back since" in rehearsal.printed
    assert "only pytest features/rollback.feature continues it" in rehearsal.printed

    assert back(rehearsal) == 11, rehearsal.printed[-4000:]
    assert marks(rehearsal) == ["T_stop", "T_start", "T_back"]
    assert set(checks(rehearsal, COMPARED)[-1]["observed"].values()) == {"as at rest"}
    assert_as_before(rehearsal)
    world = rehearsal.world

    assert rehearsal.run() == 0, rehearsal.printed[-4000:]
    assert not world.exists()
    assert rehearsal.record.name.endswith("-r2")
    assert rehearsal.came_to() == {"green"}


def test_a_source_that_was_changed_while_frozen_is_told_and_not_kept_frozen(rehearsal: Rehearsal) -> None:
    stopped_at_the_cutover(rehearsal)
    change = "DELETE FROM series_data WHERE ctid = '(0,1)'"
    on(rehearsal, Role.SOURCE, "psql", "-d", "pryv", "-c", change, as_user="postgres")

    assert back(rehearsal) == 11, rehearsal.printed[-4000:]
    told = [line["what"] for line in rehearsal.lines if line["kind"] == "deviation"]
    assert told == ["the source was changed while it was frozen: PostgreSQL"]


def test_with_users_on_the_dest_what_they_wrote_is_counted_and_lost_only_when_a_person_accepts_so_much(
    rehearsal: Rehearsal,
) -> None:
    assert rehearsal.run("--ask", "--approve", "freeze,cutover") == 10, rehearsal.printed[-3000:]
    write = "UPDATE events SET modified = extract(epoch FROM now()) WHERE id IN (SELECT id FROM events WHERE user_id <> (SELECT user_id FROM users_index WHERE username = 'verify01') ORDER BY id LIMIT 3)"  # noqa: E501
    on(rehearsal, Role.DEST, "psql", "-d", "pryv", "-c", write, as_user="postgres")

    for more in ((), ("--accept-loss", "2", "--approver", "the board")):
        assert back(rehearsal, *more) == 13, rehearsal.printed[-3000:]
        assert "3 write(s) (events 3)" in " ".join(rehearsal.printed.split())
        assert "T_back" not in marks(rehearsal)
        assert "users   are led to the dest and are served" in rehearsal.printed
    assert back(rehearsal, "--accept-loss", "3") == 13

    assert back(rehearsal, "--accept-loss", "3", "--approver", "the board") == 11, rehearsal.printed[-4000:]
    assert [line["approver"] for line in rehearsal.lines if line["kind"] == "deviation"][-1] == "the board"
    assert_as_before(rehearsal)
