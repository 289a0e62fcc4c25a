"""The migration key: what the dest runs for it lets rsync write into the move's folders, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness.deed import Role
from harness.sending import key_line, receiver, send
from tests.plans import plan


@pytest.fixture
def program(tmp_path: Path) -> Path:
    (tmp_path / "bin").mkdir()
    rsync = tmp_path / "bin" / "rsync"
    rsync.write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    rsync.chmod(0o700)
    path = tmp_path / "receive"
    path.write_text(receiver(plan(), ["/var/lib/pryv/data"]))
    path.chmod(0o700)
    return path


def answer(program: Path, command: str) -> tuple[int, str]:
    environment = {"SSH_ORIGINAL_COMMAND": command, "PATH": f"{program.parent}/bin:{os.environ['PATH']}"}
    done = subprocess.run([program], env=environment, capture_output=True, text=True, check=False, timeout=10)
    return done.returncode, done.stdout


INTO = ("/var/lib/pryv/data/", "/etc/pryv/", "/opt/pryv/app/", "/var/lib/pryv-migration/CHG0031337/dumps/1-pryv.dump")


@pytest.mark.parametrize("path", INTO)
def test_rsync_may_write_into_the_folders_of_the_move(program: Path, path: str) -> None:
    sent = f"--server -logDtpre.iLsfxCIvu --delete . {path}"

    assert answer(program, f"rsync {sent}") == (0, "".join(f"{word}|" for word in sent.split()))


@pytest.mark.parametrize(
    "command",
    [
        "",
        "id",
        "rsync",
        "sh -c id",
        "rsync --server --sender -logDtpr . /var/lib/pryv/data/",
        "rsync --server -logDtpre . /etc/shadow",
        "rsync --server -logDtpre . /root/.ssh/authorized_keys",
        "rsync --server -logDtpre . /etc/pryv/../shadow",
        "rsync --server -logDtpre . /etc/pryvx/file",
        "rsync --server --log-file=/etc/cron.d/x . /etc/pryv/",
        "rsync --server -logDtpre . /etc/pryv/; id",
        "rsync --server -logDtpre . $(touch /tmp/owned)",
        "rsync --daemon",
    ],
)
def test_everything_else_is_refused(program: Path, command: str) -> None:
    code, out = answer(program, command)

    assert (code, out) == (77, "")


def test_the_key_is_restricted_to_the_sources_address_and_that_program() -> None:
    line = key_line(plan(), "ssh-ed25519 AAAAC3Nz some comment")

    assert line == (
        'restrict,from="203.0.113.10",command="/var/lib/pryv-migration/CHG0031337/receive" '
        "ssh-ed25519 AAAAC3Nz pryv-migration-CHG0031337"
    )


def test_rsync_is_the_guides_with_what_the_guide_forgets() -> None:
    command = send(plan(), "/var/lib/pryv/data/", options=("--delete",), lasting="files")

    assert command.host is Role.SOURCE
    assert command.argv[:7] == ("rsync", "--archive", "--copy-links", "--modify-window=-1", "--mkpath", "--stats", "--delete")
    assert command.argv[-1] == "root@203.0.113.20:/var/lib/pryv/data/"
    assert "StrictHostKeyChecking=yes" in command.argv[8]
