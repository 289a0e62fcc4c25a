"""What is read ahead counts at rest only where nothing can have changed: the manifest is what a full reading gives."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import ahead, files
from harness.check import Check, Outcome
from harness.deed import Command, Role
from harness.host import helper
from tests.plans import plan
from tests.unit.trees import Trees, config

FEATURES = Path(__file__).parents[2] / "features"
ROOT = "/var/lib/pryv/data"
PRESEED = plan(transfer="preseed")


def run(name: str, root: Path, *options: str) -> dict[str, Any]:
    argv = (sys.executable, "-I", "-S", "-", str(root), *options)
    done = subprocess.run(argv, input=helper(name), capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def flip(path: Path) -> None:
    """Change a byte, and set the time back that a program can set."""
    facts = path.stat()
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert path.stat().st_mtime_ns == facts.st_mtime_ns


def filled(root: Path) -> Path:
    """Make a tree whose names try the order of the walk, with databases and a path that no line can hold."""
    for name in ("a/b/c", "a.txt", "a/z", "b/deep/er/file", "-x", "same", "B", "ü", "user.sqlite", "user.sqlite-wal", "od\td"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode() * 50)
    return root


def test_only_what_may_have_changed_is_read_again_and_the_manifest_is_the_full_one(tmp_path: Path) -> None:
    root, known = filled(tmp_path / "root"), tmp_path / "known"
    head = run("ahead", root, "--out", str(known))
    flip(root / "a/z")
    (root / "B").write_bytes(b"another")
    (root / "same").unlink()
    (root / "a/b/new").write_bytes(b"new")
    (root / "user.sqlite").write_bytes(b"other rows")

    full = run("manifest", root, "--out", str(tmp_path / "full"))
    quick = run("manifest", root, "--known", str(known), "--out", str(tmp_path / "quick"))

    counts = {name: head[name] for name in ("files", "known", "databases", "changed")}
    assert counts == {"files": 11, "known": 8, "databases": 2, "changed": 1}
    assert known.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "quick").read_bytes() == (tmp_path / "full").read_bytes()
    assert quick["digest"] == full["digest"]
    content = hashlib.sha256((root / "a/z").read_bytes()).hexdigest()
    assert content in (tmp_path / "quick").read_text()

    # That the others were not read is seen by what is not so.
    real = hashlib.sha256(b"a/b/c" * 50).hexdigest()
    known.write_text(known.read_text().replace(real, "f" * 64).replace(hashlib.sha256(b"B" * 50).hexdigest(), "e" * 64))
    run("manifest", root, "--known", str(known), "--out", str(tmp_path / "believed"))
    assert "f" * 64 in (tmp_path / "believed").read_text()
    assert "e" * 64 not in (tmp_path / "believed").read_text()

    for other in ({"boot": "another"}, {"root": "/another"}):
        first, _, rest = known.read_text().partition("\n")
        (tmp_path / "other").write_text(json.dumps({**json.loads(first), **other}) + "\n" + rest)
        run("manifest", root, "--known", str(tmp_path / "other"), "--out", str(tmp_path / "unbelieved"))
        assert (tmp_path / "unbelieved").read_bytes() == (tmp_path / "full").read_bytes()


def test_a_file_that_was_young_or_changing_while_it_was_read_is_not_known(tmp_path: Path) -> None:
    root, known = tmp_path / "root", tmp_path / "known"
    root.mkdir()
    (root / "still").write_bytes(b"still")
    (root / "busy").write_bytes(b"busy")
    argv = (sys.executable, "-I", "-S", "-", str(root), "--out", str(known))
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.write(helper("ahead"))
        process.stdin.close()
        while process.poll() is None:
            (root / "busy").touch()
            time.sleep(0.005)
    assert [line.split("\t")[1] for line in known.read_text().splitlines()[1:]] == ["still"]


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    made = Trees(tmp_path)
    for role in Role:
        for name in ("one", "two"):
            (made.data(role) / name).write_bytes(name.encode())
    return made


def known_on_both(trees: Trees) -> list[Check]:
    checks: list[Check] = trees.drive(ahead.roots_are_known(PRESEED, config()))
    return checks


def test_a_byte_that_is_another_on_the_dest_since_it_was_read_ahead_is_seen(trees: Trees) -> None:
    before = known_on_both(trees)
    trees.drive(ahead.read_roots(PRESEED, config()))
    after = known_on_both(trees)
    flip(trees.data(Role.DEST) / "two")

    trees.drive(files.measure(PRESEED, config(audit="postgresql")))
    [check] = trees.drive(files.arrived_unchanged(PRESEED, config(), {ROOT: trees.at_rest(ROOT)}, str))

    assert [one.outcome for one in before] == [Outcome.ABSENT, Outcome.ABSENT]
    assert [one.outcome for one in after] == [Outcome.HELD, Outcome.HELD]
    assert [one.observed["known"] for one in after] == [2, 2]
    assert check.outcome is Outcome.NOT_HELD
    assert [row.split()[0] for row in check.observed["only on the dest"]] == ["users/two"]


def test_acts_begin_ahead_only_where_the_plan_says_so_and_not_once_the_dest_core_was_started() -> None:
    command = Command(Role.SOURCE, ("pg_dump",), lasting="dump")

    begun = list(ahead.begun(PRESEED, {"T_stop": "02:14"}, "Later", [command]))

    assert begun == [replace(command, ahead_of="Later")]
    assert list(ahead.begun(plan(), {"T_stop": "02:14"}, "Later", [command])) == []
    assert list(ahead.begun(PRESEED, {"T_stop": "02:14", "T_start": "02:20"}, "Later", [command])) == []


@pytest.mark.parametrize("name", [ahead.DUMPED, ahead.SENT, ahead.RESTORED, ahead.READY, ahead.FILES])
def test_the_scenarios_that_begin_ahead_are_those_of_the_features(name: str) -> None:
    texts = [path.read_text(encoding="utf-8") for path in FEATURES.glob("[67]0_*.feature")]

    assert any(f": {name.replace('{engine}', '<engine>')}\n" in text for text in texts)


def test_what_goes_ahead_is_written_down_as_this_runs_before_it_is_sent_so_that_a_rollback_removes_it() -> None:
    claimed, sent = list(ahead.send_roots(PRESEED, config()))

    assert isinstance(claimed, Command)
    assert isinstance(sent, Command)
    assert (claimed.host, claimed.argv[-1]) == (Role.DEST, f"path {ROOT}")
    assert (sent.host, sent.argv[-1], sent.exits) == (Role.SOURCE, f"root@203.0.113.20:{ROOT}/", (0, 24))
    assert {"--delete", "--modify-window=-1", "--exclude=*-shm"} <= set(sent.argv)
