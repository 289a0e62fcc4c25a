"""The program that tells on a host how the core was started, run against real processes."""

from __future__ import annotations

import getpass
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from harness import hostside

PROGRAM = Path(next(iter(hostside.__path__))) / "started.py"
# A master that has a worker with its own arguments, as the core's cluster has, and says when both are there.
MASTER = """\
import subprocess, sys, time
if "worker" not in sys.stdin.readline():
    child = subprocess.Popen([sys.executable, *sys.argv], stdin=subprocess.PIPE, text=True)
    child.stdin.write("worker\\n")
    child.stdin.flush()
    print("up", flush=True)
    sys.stdin.read()
    child.kill()
    child.wait()
else:
    time.sleep(60)
"""


@contextmanager
def master(app: Path, *words: str | bytes, **environment: str | bytes) -> Iterator[int]:
    """Run a master in a tree of its own and yield its pid."""
    program = app / "bin" / "master.py"
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_text(MASTER)
    argv = (sys.executable, str(program), *words)
    started = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=app, env=environment)
    assert started.stdin
    assert started.stdout
    try:
        started.stdin.write(b"master\n")
        started.stdin.flush()
        assert started.stdout.readline() == b"up\n"
        yield started.pid
    finally:
        started.stdin.close()
        started.wait(10)
        started.stdout.close()


def told(app: Path, kept: Path, user: str = "nobody-of-this-name") -> dict[str, Any]:
    """Return what the program prints."""
    argv = (sys.executable, "-I", "-S", str(PROGRAM), str(app), user, str(kept))
    found: dict[str, Any] = json.loads(subprocess.run(argv, check=True, capture_output=True, timeout=30).stdout)
    return found


def test_the_master_is_told_without_its_worker_with_arguments_environment_and_folder(tmp_path: Path) -> None:
    app = tmp_path / "app"
    with master(app, "--config", "a.yml", "--core:id=é", http__port="3001", PATH="/bin") as pid:
        found = told(app, tmp_path / "kept")

    [running] = found["running"]
    assert running["pid"] == pid
    assert running["argv"] == [sys.executable, str(app / "bin" / "master.py"), "--config", "a.yml", "--core:id=é"]
    assert {"http__port=3001", "PATH=/bin"} <= set(running["environ"])
    assert running["cwd"] == str(app)
    assert found["kept"] is None


def test_a_master_of_another_tree_is_not_ours_and_one_that_has_ended_neither(tmp_path: Path) -> None:
    with master(tmp_path / "other"):
        assert told(tmp_path / "app", tmp_path / "kept")["running"] == []
        assert told(tmp_path / "oth", tmp_path / "kept")["running"] == []
        assert len(told(tmp_path / "other", tmp_path / "kept")["running"]) == 1
    assert told(tmp_path / "other", tmp_path / "kept")["running"] == []


def test_a_master_is_known_by_its_user_too(tmp_path: Path) -> None:
    with master(tmp_path / "app") as pid:
        assert pid in {one["pid"] for one in told(Path("/opt/elsewhere"), tmp_path / "kept", getpass.getuser())["running"]}


def test_odd_bytes_are_handed_on_and_what_was_kept_is_printed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text('{"argv": ["--a"]}')
    with master(tmp_path / "app", b"--core:id=\xff", auth__key=b"\xfe"):
        found = told(tmp_path / "app", kept)

    assert found["running"][0]["argv"][-1] == "--core:id=\udcff"
    assert "auth__key=\udcfe" in found["running"][0]["environ"]
    assert found["kept"] == {"argv": ["--a"]}


def test_what_was_kept_and_is_broken_is_an_error(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.write_text("{")

    with pytest.raises(subprocess.CalledProcessError):
        told(tmp_path / "app", kept)
