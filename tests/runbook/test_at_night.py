"""What happens at night: hosts that change, reboot, fill up or die in the middle; laptops that sleep; operators that stop."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from harness.deed import Role
from tests.runbook.rehearsing import Rehearsal, on, service

pytestmark = pytest.mark.rehearsal

STATISTICS = "The PostgreSQL database is ready for users"
RESTORED = "The PostgreSQL database arrives unchanged"


def during_the_restore(rehearsal: Rehearsal, seconds: float = 3) -> None:
    """Bring a rehearsal into the middle of the restore."""
    rehearsal.begin()
    rehearsal.until(lambda: rehearsal.begun("The source core is fenced"), "the freeze")
    rehearsal.slow_down("dest", "pg_restore", seconds)
    rehearsal.until(lambda: rehearsal.slow_log("dest", "pg_restore"), "the restore")


def deviations(rehearsal: Rehearsal) -> list[str]:
    return [f"{line['what']}: {line['cause']}" for line in rehearsal.lines if line["kind"] == "deviation"]


def notes(rehearsal: Rehearsal) -> list[str]:
    return [line["text"] for line in rehearsal.lines if line["kind"] == "note"]


@pytest.mark.parametrize("what", ["row", "file"])
def test_a_change_on_the_frozen_source_is_red_and_the_same_command_freezes_anew_and_ends_green(
    rehearsal: Rehearsal, what: str
) -> None:
    during_the_restore(rehearsal)
    if what == "row":
        on(rehearsal, Role.SOURCE, "psql", "-d", "pryv", "-c", "DELETE FROM series_data WHERE ctid = '(0,1)'", as_user="postgres")
    else:
        on(rehearsal, Role.SOURCE, "sh", "-c", "echo more > /var/lib/pryv/data/users/more")
        on(rehearsal, Role.SOURCE, "chown", "pryv:pryv", "/var/lib/pryv/data/users/more")

    assert rehearsal.end() == 1, rehearsal.printed[-3000:]
    assert rehearsal.cause().startswith("no longer so: the seal of the source is whole")
    assert rehearsal.run() == 0, rehearsal.printed[-3000:]
    assert any(note.startswith("this epoch is over: measured again, the source differs in") for note in notes(rehearsal))
    assert on_marks(rehearsal) == ["T_stop", "T_reset", "T_stop", "T_start", "T_open", "retired"]


def test_a_restarted_postgresql_is_measured_again_equal_and_noted_as_a_deviation(rehearsal: Rehearsal) -> None:
    during_the_restore(rehearsal)
    service(rehearsal, "source", "stop", "postgresql")
    service(rehearsal, "source", "start", "postgresql")

    assert rehearsal.end() == 1, rehearsal.printed[-3000:]
    assert rehearsal.run() == 0, rehearsal.printed[-3000:]
    assert any(
        text.startswith("the seal of the source was broken") and "measured again: equal" in text for text in deviations(rehearsal)
    )
    assert on_marks(rehearsal) == ["T_stop", "T_start", "T_open", "retired"]


def test_a_source_that_comes_back_after_the_freeze_is_red_and_frozen_anew(rehearsal: Rehearsal) -> None:
    during_the_restore(rehearsal)
    service(rehearsal, "source", "unfence", "core")
    on(rehearsal, Role.SOURCE, "psql", "-d", "postgres", "-c", "ALTER ROLE pryv LOGIN", as_user="postgres")
    service(rehearsal, "source", "start", "core")

    assert rehearsal.end() == 1, rehearsal.printed[-3000:]
    assert "the source core's fence" in rehearsal.cause()
    assert rehearsal.run() == 0, rehearsal.printed[-3000:]
    assert any("the source was found unfrozen" in note for note in notes(rehearsal))


def test_a_dest_that_was_rebooted_is_looked_at_again_and_a_broken_arrival_is_seen(rehearsal: Rehearsal) -> None:
    during_the_restore(rehearsal)
    rehearsal.until(lambda: rehearsal.begun(STATISTICS), "the statistics")
    rehearsal.kill()
    # Written to the disk before the power goes: a rehearsal's PostgreSQL is set to lose the last moments.
    lose = "DELETE FROM accesses WHERE ctid = '(0,1)'"
    on(rehearsal, Role.DEST, "psql", "-d", "pryv", "-c", lose, "-c", "CHECKPOINT", as_user="postgres")
    world = rehearsal.reopened()
    world.power_off("dest")
    world.power_on()
    world.keep("the test")

    assert rehearsal.run() == 0, rehearsal.printed[-3000:]
    assert any(note.startswith("no longer so: the dest has not been rebooted") for note in notes(rehearsal))
    assert any(note.startswith("half done by this run, cleared first: fingerprints of the tables") for note in notes(rehearsal))


def test_a_lost_laptop_is_no_lost_run_and_one_that_wakes_up_is_refused_by_the_hosts(rehearsal: Rehearsal, tmp_path: Path) -> None:
    during_the_restore(rehearsal, 4)
    assert rehearsal.process
    rehearsal.process.send_signal(signal.SIGSTOP)
    plan = str(rehearsal.world / "plan.yml")
    other = Rehearsal(tmp_path / "other")
    other.folder.mkdir()

    refused = other.run("--plan", plan)
    assert refused == 13
    assert "is held by run" in other.printed
    assert "since 20" in other.printed

    assert other.run("--plan", plan, "--adopt", "source") == 0, other.printed[-3000:]
    rehearsal.process.send_signal(signal.SIGCONT)
    assert rehearsal.end() == 1
    assert "refuses: this run was taken over elsewhere" in rehearsal.printed
    assert len({line["run"] for line in other.lines if line["kind"] == "run"}) == 1


def test_a_full_disk_on_the_dest_is_told_and_mended_the_same_command_ends_green(rehearsal: Rehearsal) -> None:
    rehearsal.begin()
    rehearsal.until(lambda: rehearsal.begun("The source core is fenced"), "the freeze")
    rehearsal.slow_down("source", "pg_dump", 2)
    rehearsal.until(lambda: rehearsal.slow_log("source", "pg_dump"), "the dump")
    fill = (
        "mkdir -p /var/lib/pryv/data && mount -t tmpfs -o size=64k tmpfs /var/lib/pryv/data && chown pryv:pryv /var/lib/pryv/data"
    )
    rehearsal.inside("dest", "sh", "-c", fill)

    assert rehearsal.end() == 1, rehearsal.printed[-3000:]
    assert "No space left on device" in " ".join(rehearsal.printed.split())
    assert "■" in rehearsal.printed

    world = rehearsal.reopened()
    world.power_off("dest")
    world.power_on()
    world.keep("the test")
    assert rehearsal.run() == 0, rehearsal.printed[-3000:]


def test_a_source_whose_postgresql_dies_in_the_dump_is_told_and_mended_ends_green(rehearsal: Rehearsal) -> None:
    rehearsal.begin()
    rehearsal.until(lambda: rehearsal.begun("The source core is fenced"), "the freeze")
    rehearsal.slow_down("source", "pg_dump", 2)
    rehearsal.until(lambda: rehearsal.slow_log("source", "pg_dump"), "the dump")
    service(rehearsal, "source", "stop", "postgresql")

    assert rehearsal.end() == 1, rehearsal.printed[-3000:]
    assert "pg_dump" in rehearsal.cause()
    assert "mend the cause, then type again" in rehearsal.printed
    assert rehearsal.run() == 0, rehearsal.printed[-3000:]


def test_ctrl_c_once_finishes_the_deed_and_twice_ends_it(rehearsal: Rehearsal) -> None:
    during_the_restore(rehearsal)
    assert rehearsal.process
    rehearsal.process.send_signal(signal.SIGINT)
    assert rehearsal.end() == 1, rehearsal.printed[-3000:]
    assert "stopped by the operator" in rehearsal.cause()
    assert [line.split()[0] for line in rehearsal.slow_log("dest", "pg_restore")] == ["begin", "end"]
    assert "source  frozen since" in rehearsal.printed

    rehearsal.slow_down("source", "rsync", 30)
    rehearsal.begin()
    rehearsal.until(lambda: rehearsal.slow_log("source", "rsync"), "the files")
    began = time.monotonic()
    rehearsal.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    rehearsal.process.send_signal(signal.SIGINT)
    assert rehearsal.end() == 1, rehearsal.printed[-3000:]
    assert time.monotonic() - began < 20
    assert "ended by the operator" in rehearsal.printed
    assert [line.split()[0] for line in rehearsal.slow_log("source", "rsync")] == ["begin"]

    rehearsal.speed_up("source", "rsync")
    assert rehearsal.run() == 0, rehearsal.printed[-3000:]


def test_a_gate_without_a_yes_stops_the_run_with_12_and_with_it_the_run_goes_on(rehearsal: Rehearsal) -> None:
    assert rehearsal.run("--ask") == 12, rehearsal.printed[-3000:]
    assert "T_stop" not in [line.get("mark") for line in rehearsal.lines]

    assert rehearsal.run("--ask", "--approve", "freeze") == 12, rehearsal.printed[-3000:]
    assert "T_open" not in [line.get("mark") for line in rehearsal.lines]

    assert rehearsal.run("--ask", "--approve", "cutover") == 10, rehearsal.printed[-3000:]
    assert "retired" not in [line.get("mark") for line in rehearsal.lines]
    assert "moved, retire pending: it may be done from 20" in rehearsal.printed

    assert rehearsal.run("--ask", "--approve", "retire") == 0, rehearsal.printed[-3000:]
    assert [line["by"] for line in rehearsal.lines if line["kind"] == "gate"] == ["given ahead by --approve"] * 3


def test_the_dest_can_be_reset_by_name_before_users_are_there_and_the_run_goes_on(rehearsal: Rehearsal) -> None:
    assert rehearsal.run("--ask", "--approve", "freeze") == 12, rehearsal.printed[-3000:]

    assert rehearsal.named("features/reset_dest.feature") == 0, rehearsal.printed[-3000:]
    assert on_marks(rehearsal) == ["T_stop", "T_start", "T_reset"]

    assert rehearsal.run() == 0, rehearsal.printed[-3000:]
    assert on_marks(rehearsal) == ["T_stop", "T_start", "T_reset", "T_start", "T_open", "retired"]


def on_marks(rehearsal: Rehearsal) -> list[str]:
    return [line["mark"] for line in rehearsal.lines if line["kind"] == "mark"]
