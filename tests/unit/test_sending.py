"""The migration key: what the dest runs for it lets rsync write into the move's folders, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from harness.deed import Command, Role
from harness.leaving import remove_key
from harness.plan import Plan
from harness.sending import AUTHORISE, authorise, key_line, keys_command, receiver, send
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


def by_sudo(**more: object) -> Plan:
    """Return the plan for a dest where we become root by sudo."""
    first = plan()
    ssh = first.dest.ssh.model_copy(update={"become": "sudo", "user": "ada"})
    return first.model_copy(update={"dest": first.dest.model_copy(update={"ssh": ssh}), **more})


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


def test_by_sudo_what_is_asked_reaches_the_program_as_one_word(program: Path, tmp_path: Path) -> None:
    line = key_line(by_sudo(), "ssh-ed25519 AAAAC3Nz some comment")
    own = "/var/lib/pryv-migration/CHG0031337/receive"

    assert line.startswith(f'restrict,from="203.0.113.10",command="sudo -n -- {own} \\"$SSH_ORIGINAL_COMMAND\\"" ssh-ed25519 ')
    # What sshd does: it takes the backslashes away, and hands the command to the user's shell.
    sudo = tmp_path / "bin" / "sudo"
    sudo.write_text('#!/bin/sh\nunset SSH_ORIGINAL_COMMAND\nshift 2\nexec "$@"\n')
    sudo.chmod(0o700)
    shell = line.partition('command="')[2].partition('" ssh-')[0].replace("\\", "").replace(own, str(program))
    asked = "rsync --server -logDtpre.iLsfxCIvu . /etc/pryv/"
    environment = {"SSH_ORIGINAL_COMMAND": asked, "PATH": f"{program.parent}/bin:{os.environ['PATH']}"}
    done = subprocess.run(["sh", "-c", shell], env=environment, capture_output=True, text=True, check=False, timeout=10)

    assert (done.returncode, done.stdout) == (0, "".join(f"{word}|" for word in asked.split()[1:]))


def test_by_sudo_the_key_is_let_in_and_removed_as_the_user_as_whom_we_come() -> None:
    asked = keys_command(by_sudo(), AUTHORISE)
    removed = next(remove_key(by_sudo()))

    assert (asked.host, asked.as_user) == (Role.DEST, "ada")
    assert isinstance(removed, Command)
    assert (removed.host, removed.as_user) == (Role.DEST, "ada")
    assert keys_command(plan(), AUTHORISE).as_user == ""


@pytest.mark.parametrize("sudo", [True, False])
def test_the_line_of_the_key_is_added_once_and_only_it_is_taken_away(sudo: bool, tmp_path: Path) -> None:
    of = by_sudo() if sudo else plan()
    line, file = key_line(of, "ssh-ed25519 AAAAC3Nz some comment"), tmp_path / ".ssh" / "authorized_keys"
    removed = next(remove_key(of))
    assert isinstance(removed, Command)
    home = f'getent() {{ echo "x:x:0:0::{tmp_path}:"; }}; '

    for _ in range(2):
        subprocess.run(("sh", "-c", home + AUTHORISE), input=f"{line}\n", text=True, check=True, timeout=10)
    file.write_text(f"{file.read_text()}ssh-ed25519 AAAAmine ada\n")
    assert file.read_text().splitlines() == [line, "ssh-ed25519 AAAAmine ada"]
    subprocess.run(("sh", "-c", home + removed.argv[2], removed.argv[3]), check=True, timeout=10)

    assert file.read_text() == "ssh-ed25519 AAAAmine ada\n"


def test_the_key_is_let_in_by_the_addresses_that_the_plan_names() -> None:
    seen = plan(sending={"seen_as": ["198.51.100.1", "2001:db8::1"]})

    assert 'from="198.51.100.1,2001:db8::1"' in key_line(seen, "ssh-rsa AAAA c")


def test_the_dest_may_be_reached_from_the_source_by_another_address_and_port() -> None:
    other = plan(sending={"address": "2001:db8::20", "port": 2200})

    command = send(other, "/etc/pryv/")

    assert command.argv[-1] == "root@[2001:db8::20]:/etc/pryv/"
    assert "ssh -p 2200 " in command.argv[command.argv.index("-e") + 1]


@pytest.mark.parametrize(("kind", "words"), [("ed25519", ("-t", "ed25519")), ("rsa-4096", ("-t", "rsa", "-b", "4096"))])
def test_the_key_is_of_the_kind_that_the_plan_asks_for(kind: str, words: tuple[str, ...], tmp_path: Path) -> None:
    made = next(authorise(plan(sending={"key": kind}), [], []))

    assert isinstance(made, Command)
    assert made.argv[5:] == words
    argv = (*made.argv[:3], str(tmp_path / "key"), *made.argv[4:])
    printed = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30).stdout
    assert printed.split()[::2] == [f"ssh-{kind.partition('-')[0]}", "pryv-migration-CHG0031337"]


def test_rsync_is_the_guides_with_what_the_guide_forgets() -> None:
    command = send(plan(), "/var/lib/pryv/data/", options=("--delete",), lasting="files")

    assert command.host is Role.SOURCE
    guides = ("--archive", "--copy-links", "--modify-window=-1", "--mkpath", "--stats", "--timeout=300", "--delete")
    assert command.argv[:8] == ("rsync", *guides)
    assert command.argv[-1] == "root@203.0.113.20:/var/lib/pryv/data/"
    assert {"StrictHostKeyChecking=yes", "ServerAliveInterval=5", "ServerAliveCountMax=3"} <= set(command.argv[9].split())
