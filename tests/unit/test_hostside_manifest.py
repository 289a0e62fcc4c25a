"""The manifest program, run as hosts run it: its text on the stdin of a bare Python."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from harness.host import helper

if TYPE_CHECKING:
    from pathlib import Path

EMPTY = hashlib.sha256(b"").hexdigest()


def run(root: Path, *options: str) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-I", "-S", "-", str(root), *options]
    return subprocess.run(argv, input=helper("manifest"), capture_output=True, check=False, timeout=60)


def manifest(root: Path, out: Path, *options: str) -> tuple[dict[str, object], list[bytes]]:
    done = run(root, *options, "--out", str(out))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), out.read_bytes().splitlines()


def paths(lines: list[bytes]) -> list[str]:
    return [os.fsdecode(line.split(b"\t")[5]) for line in lines]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for folder in ("users/1", "previews/deep", "a"):
        (root / folder).mkdir(parents=True)
    (root / "users/1/events.sqlite").write_bytes(b"content")
    (root / "users/1/events.sqlite-shm").write_bytes(b"rebuilt")
    (root / "users/1/events.sqlite-wal").write_bytes(b"")
    (root / "previews/deep/one.jpg").write_bytes(b"cache")
    (root / "a-b").write_bytes(b"between a and a/ by its bytes")
    (root / "a/x").write_bytes(b"x")
    return root


def test_a_line_holds_type_mode_owner_size_digest_and_path(tree: Path, tmp_path: Path) -> None:
    (tree / "users/1/events.sqlite").chmod(0o640)
    owner = f"{tree.owner()}:{tree.group()}"

    _, lines = manifest(tree, tmp_path / "out")

    digest = hashlib.sha256(b"content").hexdigest()
    assert f"f\t0640\t{owner}\t7\t{digest}\tusers/1/events.sqlite".encode() in lines
    assert f"f\t0644\t{owner}\t0\t{EMPTY}\tusers/1/events.sqlite-wal".encode() in lines
    assert f"d\t0755\t{owner}\t0\t-\tusers/1".encode() in lines


def test_the_order_is_depth_first_by_bytes_and_the_root_comes_first(tree: Path, tmp_path: Path) -> None:
    _, lines = manifest(tree, tmp_path / "out", "--exclude", "users/*", "--exclude", "previews")

    assert paths(lines) == [".", "a", "a/x", "a-b", "users"]


def test_what_matches_is_left_out_with_all_that_is_in_it(tree: Path, tmp_path: Path) -> None:
    _, lines = manifest(tree, tmp_path / "out", "--exclude", "/previews/*", "--exclude", "*-shm")

    assert "previews" in paths(lines)
    assert not [path for path in paths(lines) if path.startswith("previews/") or path.endswith("-shm")]
    assert "users/1/events.sqlite-wal" in paths(lines)


def test_the_answer_counts_what_the_manifest_holds(tree: Path, tmp_path: Path) -> None:
    answer, lines = manifest(tree, tmp_path / "out")

    assert answer["digest"] == hashlib.sha256((tmp_path / "out").read_bytes()).hexdigest()
    assert (answer["paths"], answer["files"], answer["bytes"]) == (len(lines), 6, 49)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "out.part").exists()


def test_links_are_not_followed_and_special_files_not_opened(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "link").symlink_to("/etc")
    os.mkfifo(root / "pipe", 0o600)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(root / "socket"))

    _, lines = manifest(root, tmp_path / "out")

    assert [line[:1] for line in lines] == [b"d", b"l", b"p", b"s"]
    assert lines[1].endswith(f"\t4\t{hashlib.sha256(b'/etc').hexdigest()}\tlink -> /etc".encode())
    assert lines[2].endswith(b"\t0\t-\tpipe")


def test_a_path_of_any_bytes_is_one_line(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / os.fsdecode(b"new\nline\ttab\\back\xff")).write_bytes(b"")

    _, lines = manifest(root, tmp_path / "out")

    assert len(lines) == 2
    assert lines[1].split(b"\t")[5] == b"new\\nline\\ttab\\\\back\xff"


@pytest.mark.parametrize("change", ["content", "mode", "path", "empty folder"])
def test_a_difference_changes_the_digest(tree: Path, tmp_path: Path, change: str) -> None:
    before, _ = manifest(tree, tmp_path / "out")

    file = tree / "users/1/events.sqlite"
    match change:
        case "content":
            file.write_bytes(b"c0ntent")
        case "mode":
            file.chmod(0o600)
        case "path":
            file.rename(file.with_name("other"))
        case _:
            (tree / "users/2").mkdir()

    assert manifest(tree, tmp_path / "out")[0]["digest"] != before["digest"]


def test_times_and_the_place_of_the_tree_do_not_change_the_digest(tree: Path, tmp_path: Path) -> None:
    before, _ = manifest(tree, tmp_path / "out")
    shutil.copytree(tree, tmp_path / "elsewhere")
    os.utime(tmp_path / "elsewhere/a/x", (1, 1))

    assert manifest(tmp_path / "elsewhere", tmp_path / "out")[0]["digest"] == before["digest"]


def test_many_batches_arrive_in_order(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for number in range(3000):
        folder = root / f"{number % 7}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05}").write_bytes(str(number).encode())

    answer, lines = manifest(root, tmp_path / "out")

    assert answer["files"] == 3000
    assert paths(lines)[1:] == sorted(paths(lines)[1:])
    by_path = dict(zip(paths(lines), lines, strict=True))
    assert hashlib.sha256(b"2999").hexdigest().encode() in by_path["3/02999"]


def test_a_file_larger_than_a_chunk_is_read_whole(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    content = os.urandom(3 * (1 << 20) + 5)
    (root / "large").write_bytes(content)

    _, lines = manifest(root, tmp_path / "out")

    assert hashlib.sha256(content).hexdigest().encode() in lines[1]


def test_a_tree_that_is_not_there_is_an_error_without_a_manifest(tmp_path: Path) -> None:
    done = run(tmp_path / "missing", "--out", str(tmp_path / "out"))

    assert done.returncode == 1
    assert done.stderr.decode() == f'manifest: "{tmp_path / "missing"}/": No such file or directory\n'
    assert sorted(tmp_path.iterdir()) == []


def test_a_file_that_grows_while_it_is_read_is_an_error_that_names_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with (root / "large").open("wb") as large:
        large.truncate(1 << 28)  # a sparse file, long enough to read
        argv = [sys.executable, "-I", "-S", "-", str(root), "--out", str(tmp_path / "out")]
        with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            assert process.stdin
            process.stdin.write(helper("manifest"))
            process.stdin.close()
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                large.write(b"more")
                large.flush()
                time.sleep(0.005)
            assert process.stderr
            said = process.stderr.read().decode()

    assert process.returncode == 1
    assert said == f'manifest: "{root}/large": changed while it was read\n'
    assert not (tmp_path / "out").exists()


def linked(tmp_path: Path) -> Path:
    """Make a tree with links to files and folders, inside of it and elsewhere."""
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for folder in (root / "users" / "1", elsewhere / "deep"):
        folder.mkdir(parents=True)
    (root / "users/1/file").write_bytes(b"content")
    (elsewhere / "scan").write_bytes(b"on a larger disk")
    (elsewhere / "scan").chmod(0o640)
    (elsewhere / "deep/one-shm").write_bytes(b"left out")
    (elsewhere / "deep/one").write_bytes(b"1")
    (root / "file").symlink_to("users/1/file")
    (root / "scan").symlink_to(elsewhere / "scan")
    (root / "users/2").symlink_to(elsewhere)
    (root / "users/3").symlink_to("1")
    (root / "users/again").symlink_to("2")
    (root / "left-shm").symlink_to("nowhere")
    return root


def test_links_that_are_followed_have_the_manifest_of_what_rsync_makes_of_them(tmp_path: Path) -> None:
    root, arrived = linked(tmp_path), tmp_path / "arrived"
    subprocess.run(("rsync", "--archive", "--copy-links", "--exclude=*-shm", f"{root}/", str(arrived)), check=True)

    followed, lines = manifest(root, tmp_path / "followed", "--follow", "--exclude", "*-shm")

    _, expected = manifest(arrived, tmp_path / "out", "--exclude", "*-shm")
    assert lines == expected
    assert followed["files"] == 8
    assert paths(lines)[-4:] == ["users/again", "users/again/deep", "users/again/deep/one", "users/again/scan"]
    assert manifest(root, tmp_path / "out", "--exclude", "*-shm")[0]["digest"] != followed["digest"]


@pytest.mark.parametrize(
    ("links", "named", "problem"),
    [
        ({"users/gone": "nowhere"}, "users/gone", "a link that leads nowhere"),
        ({"one": "two", "two": "one"}, "one|two", "a link that leads in a ring"),
        ({"users/up": "../users"}, "users/up", "a link that leads back to a folder that it lies in"),
        ({"users/up": "../.."}, "users/up(/root/users/up)?", "a link that leads back to a folder that it lies in"),
        (
            {"a/to-b": "../b", "b/to-a": "../a"},
            "a/to-b/to-a|b/to-a/to-b",
            "a link that leads back to a folder that it lies in",
        ),
    ],
)
def test_a_link_that_cannot_be_followed_is_an_error_that_names_it(
    tmp_path: Path, links: dict[str, str], named: str, problem: str
) -> None:
    root = tmp_path / "root"
    for link, target in links.items():
        (root / link).parent.mkdir(parents=True, exist_ok=True)
        (root / link).symlink_to(target)

    done = run(root, "--follow", "--out", str(tmp_path / "out"))

    assert done.returncode == 1
    assert re.fullmatch(f'manifest: "{root}/({named})": {problem}\n', done.stderr.decode())
    assert not list(tmp_path.glob("out*"))
    assert run(root, "--out", str(tmp_path / "out")).returncode == 0
