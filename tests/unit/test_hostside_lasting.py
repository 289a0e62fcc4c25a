"""The program for deeds that last, run as hosts run it: real processes, really killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.host import helper

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LASTING = [sys.executable, "-I", "-S", "-"]


def ask(*arguments: str) -> dict[str, Any]:
    done = subprocess.run([*LASTING, *arguments], input=helper("lasting"), capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def start(folder: Path, *argv: str) -> dict[str, Any]:
    return ask("start", str(folder), json.dumps(argv))


def wait(folder: Path, seconds: float = 20) -> dict[str, Any]:
    return ask("wait", str(folder), str(seconds))


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def runs(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def state(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "state.json").read_bytes())
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "deeds/dump"
    yield folder
    if folder.exists():
        ask("end", str(folder))


def test_a_deed_is_followed_to_its_end(folder: Path) -> None:
    assert start(folder, "sh", "-c", "echo said; echo 1 >&2; echo 2 >&2; exit 3") == {"state": "running"}

    done = wait(folder)

    assert (done["state"], done["exit"], done["out"], done["out_bytes"], done["tail"]) == ("done", 3, "said\n", 5, "1\n2")
    assert 0 <= done["seconds"] < 10


def test_long_output_is_kept_whole_and_shown_in_part(folder: Path) -> None:
    start(folder, "sh", "-c", "head -c 100000 /dev/zero | tr '\\0' x; seq 1 5000 >&2")

    done = wait(folder)

    assert (done["out_bytes"], len(done["out"])) == (100000, 65536)
    assert done["tail"].split("\n") == [str(number) for number in range(4991, 5001)]


def test_the_files_of_a_deed_are_the_owners_alone(folder: Path) -> None:
    start(folder, "touch", str(folder / "made"))
    wait(folder)

    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o077 for path in folder.iterdir()} == dict.fromkeys(
        ("err", "exit", "made", "out", "state.json"), 0
    )


def test_a_program_that_cannot_be_run_is_done_with_127(folder: Path) -> None:
    start(folder, "/nowhere/program")

    done = wait(folder)

    assert (done["state"], done["exit"], done["tail"]) == ("done", 127, "/nowhere/program: No such file or directory")


def test_a_deed_ended_by_a_signal_says_so(folder: Path) -> None:
    start(folder, "sh", "-c", "kill -USR1 $$")

    assert wait(folder)["exit"] == 128 + signal.SIGUSR1


def test_a_deed_dies_of_a_closed_pipe_as_programs_do(folder: Path) -> None:
    start(folder, "sh", "-c", "yes | head -n 1; echo done")

    assert wait(folder)["out"] == "y\ndone\n"


def test_a_wait_ends_when_its_seconds_have_passed(folder: Path) -> None:
    start(folder, "sleep", "60")

    began = time.monotonic()
    waited = wait(folder, 0.2)

    assert (waited["state"], waited["exit"]) == ("running", None)
    assert 0.2 <= time.monotonic() - began < 5


def test_a_deed_that_runs_is_not_started_again(folder: Path) -> None:
    start(folder, "sleep", "60")
    first = state(folder)

    assert start(folder, "sleep", "60") == {"state": "running"}
    assert state(folder) == first
    assert sorted(path.name for path in folder.parent.iterdir()) == ["dump", "dump.lock"]


def test_starts_at_the_same_moment_run_it_once(folder: Path) -> None:
    argv = [*LASTING, "start", str(folder), json.dumps(["sh", "-c", f"echo once >> {folder.parent}/count; sleep 1"])]
    starters = [subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(8)]
    for starter in starters:
        assert starter.stdin
        starter.stdin.write(helper("lasting"))
    said = [starter.communicate(timeout=30)[0] for starter in starters]

    assert said == [b'{"state": "running"}\n'] * 8
    assert wait(folder)["exit"] == 0
    assert (folder.parent / "count").read_text(encoding="utf-8") == "once\n"


def test_a_finished_attempt_is_set_aside(folder: Path) -> None:
    for word in ("first", "second", "third"):
        start(folder, "echo", word)
        assert wait(folder)["out"] == f"{word}\n"

    aside = {path.name: (path / "out").read_text(encoding="utf-8") for path in folder.parent.iterdir() if path.is_dir()}
    assert aside == {"dump": "third\n", "dump.1": "first\n", "dump.2": "second\n"}


def test_killing_the_starter_and_all_its_session_does_not_end_the_deed(folder: Path) -> None:
    argv = [*LASTING, "start", str(folder), json.dumps(["sh", "-c", "sleep 0.5; echo whole"])]
    script = 'trap "" TERM; "$@"; sleep 60'
    with subprocess.Popen(["/bin/sh", "-c", script, "sh", *argv], stdin=subprocess.PIPE, start_new_session=True) as starter:
        assert starter.stdin
        starter.stdin.write(helper("lasting"))
        starter.stdin.close()
        until((folder / "state.json").exists)
        os.killpg(starter.pid, signal.SIGHUP)
        os.killpg(starter.pid, signal.SIGKILL)

    done = wait(folder)
    assert (done["state"], done["exit"], done["out"]) == ("done", 0, "whole\n")


def test_ending_a_deed_ends_its_children(folder: Path) -> None:
    start(folder, "sh", "-c", "sleep 60 & echo $!; wait")
    until(lambda: (folder / "out").read_text(encoding="utf-8"))
    child = int((folder / "out").read_text(encoding="utf-8"))

    ended = ask("end", str(folder))

    assert (ended["state"], ended["exit"]) == ("done", 128 + signal.SIGTERM)
    assert not runs(child)


def test_a_deed_that_ignores_the_request_is_killed(folder: Path) -> None:
    start(folder, "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
    until(lambda: (folder / "out").read_text(encoding="utf-8"))

    assert ask("end", str(folder))["exit"] == 128 + signal.SIGKILL


def test_a_killed_watcher_is_a_lost_deed_whose_rest_is_ended_before_the_next_start(folder: Path) -> None:
    start(folder, "sh", "-c", "sleep 60 & wait")
    lost = state(folder)
    os.kill(lost["pid"], signal.SIGKILL)
    until(lambda: not runs(lost["pid"]))

    assert wait(folder)["state"] == "lost"
    assert runs(lost["deed"]["pid"])

    start(folder, "echo", "again")

    assert not runs(lost["deed"]["pid"])
    assert wait(folder)["out"] == "again\n"
    assert ask("wait", f"{folder}.1", "0")["state"] == "lost"


def test_what_survived_of_a_lost_deed_can_be_ended(folder: Path) -> None:
    start(folder, "sleep", "60")
    lost = state(folder)
    os.kill(lost["pid"], signal.SIGKILL)
    until(lambda: not runs(lost["pid"]))

    assert ask("end", str(folder))["state"] == "lost"
    assert not runs(lost["deed"]["pid"])


def test_a_process_that_got_the_pid_of_a_deed_is_left_alone(folder: Path) -> None:
    start(folder, "true")
    wait(folder)
    (folder / "exit").unlink()
    with subprocess.Popen(["/bin/sleep", "60"], start_new_session=True) as stranger:
        taken = {"pid": stranger.pid, "start": "1"}
        (folder / "state.json").write_text(json.dumps({**state(folder), **taken, "deed": taken}), encoding="utf-8")

        assert ask("end", str(folder))["state"] == "lost"
        assert runs(stranger.pid)
        stranger.kill()


def test_a_reboot_is_a_lost_deed(folder: Path) -> None:
    start(folder, "sleep", "60")
    now = state(folder)
    (folder / "state.json").write_text(json.dumps({**now, "boot": "another"}), encoding="utf-8")

    assert wait(folder, 0)["state"] == "lost"

    (folder / "state.json").write_text(json.dumps(now), encoding="utf-8")


def test_the_deeds_of_a_folder_are_listed(folder: Path) -> None:
    start(folder, "sleep", "60")
    start(folder.with_name("send"), "true")
    wait(folder.with_name("send"))

    assert ask("list", str(folder.parent)) == {"dump": {"state": "running"}, "send": {"state": "done"}}
    assert ask("list", str(folder / "missing")) == {}


def test_a_deed_that_never_was_is_none(folder: Path) -> None:
    assert wait(folder, 0)["state"] == "none"
    assert ask("end", str(folder))["state"] == "none"
