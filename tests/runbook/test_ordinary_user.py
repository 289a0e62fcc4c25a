"""The rehearsal without root: the same runbook, green, continued and cleaned by somebody who may do nothing special.

Where the tests run as root, nobody is made for this: the commands are run with a free number, in a mount namespace whose
/etc/passwd has a line for it (ssh asks for the name), and in which the interpreter can be reached also if it lies behind closed
folders. Nothing of that outlives them.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures.hosts.disks import prefixes
from fixtures.hosts.processes import identify, namespaces_of
from tests.runbook.rehearsing import LONGEST_S, ROOT, Rehearsal

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.rehearsal

NUMBERS = range(54321, 65000)
CHECKOUT = ("conftest.py", "pyproject.toml", "features", "fixtures", "harness", "steps")
STAGE = "/mnt"
# A user namespace in which no other may be made, entered with our own number and without any right in it.
FORBID = 'echo 0 > /proc/sys/user/max_user_namespaces; exec setpriv --inh-caps=-all --ambient-caps=-all -- "$@"'
WITHOUT_NAMESPACES = ("unshare", "--user", "--map-current-user", "--keep-caps", "sh", "-c", FORBID, "forbid")
# $1 is the user's number, $2 the file to have as /etc/passwd, $3 the closed folders, $4 the paths to have behind them, both with
# a space between; then the command. What is to be had is held at /mnt while the closed folders are covered.
ENTER = f"""set -e
user=$1 passwd=$2 closed=$3 paths=$4; shift 4
mount -t tmpfs -o mode=755 tmpfs {STAGE}
for path in $paths; do mkdir -p "{STAGE}$path"; mount --bind "$path" "{STAGE}$path"; done
mount --bind "$passwd" /etc/passwd
for folder in $closed; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
for path in $paths; do mkdir -p "$path"; mount --bind "{STAGE}$path" "$path"; done
cd "$HOME"
exec setpriv --reuid="$user" --regid="$user" --clear-groups -- "$@"
"""


def users() -> list[tuple[int, int]]:
    """Return pid and user of every process."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it may have ended
            found.append((int(path.name), path.stat().st_uid))
    return found


def free_number() -> int:
    """Return a number that no user and no process has."""
    taken = {one.pw_uid for one in pwd.getpwall()} | {number for _, number in users()}
    return next(number for number in NUMBERS if number not in taken)


def closed(path: Path) -> list[Path]:
    """Return the topmost folder above a path that not everybody may pass through, if there is one."""
    return [parent for parent in reversed(path.parents) if not parent.stat().st_mode & 0o001][:1]


@dataclass
class Ordinary(Rehearsal):
    """A rehearsal whose commands are typed by an ordinary user, with a checkout of its own.

    `number` is that user's, `has_name` whether /etc/passwd has it; `before` is put before each command.
    """

    number: int = os.getuid()
    has_name: bool = True
    before: tuple[str, ...] = ()

    @property
    def checkout(self) -> Path:
        """The user's checkout."""
        return self.folder / "checkout"

    def prepare(self) -> None:
        """Make the checkout, and give it and the home folder to the user."""
        self.checkout.mkdir()
        for name in CHECKOUT:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, self.checkout / name)
        if os.geteuid() == 0:
            line = f"ordinary:x:{self.number}:{self.number}::{self.folder}:/bin/sh\n" if self.has_name else ""
            (self.folder / "passwd").write_text(Path("/etc/passwd").read_text(encoding="utf-8") + line, encoding="utf-8")
            subprocess.run(("chown", "-R", f"{self.number}:{self.number}", str(self.folder)), check=True, timeout=30)

    def typed(self, *words: str) -> subprocess.Popen[str]:
        """Type a command of the project's Python as the user, in its checkout."""
        become: tuple[str, ...] = ()
        if os.geteuid() == 0:
            paths = [self.folder, *(Path(prefix) for prefix in prefixes())]
            behind = [path for path in paths if closed(path)]
            folders = {str(folder) for path in behind for folder in closed(path)}
            told = (str(self.number), str(self.folder / "passwd"), " ".join(sorted(folders)), " ".join(map(str, behind)))
            become = ("unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "enter", *told)
        environment = {"HOME": str(self.checkout), "PATH": os.environ["PATH"], "LANG": "C.UTF-8", **self.environment}
        argv = (*become, *self.before, sys.executable, *words)
        with (self.folder / "printed").open("a", encoding="utf-8") as out:
            return subprocess.Popen(argv, cwd=self.checkout, stdout=out, stderr=subprocess.STDOUT, text=True, env=environment)

    def begin(self, *more: str, features: str = "features/") -> None:
        """Type the command as the user."""
        where = ("--worlds", str(self.worlds), "--reports", str(self.folder / "reports"), "--hosts", "loopback")
        self.process = self.typed("-m", "pytest", features, *where, *self.arguments, *more)

    def processes(self) -> list[int]:
        """Return the processes of this rehearsal's hosts as seen from outside, and all of a user who has a free number."""
        hosts = {process.pid for process in namespaces_of(self.folder)}
        if os.geteuid() == 0:
            hosts |= {pid for pid, number in users() if number == self.number and identify(pid)}
        return sorted(hosts)


def made_for(folder: Path, *, has_name: bool = True) -> Ordinary:
    """Return a rehearsal of an ordinary user in a folder that is made for it."""
    made = Ordinary(folder, number=free_number() if os.geteuid() == 0 else os.getuid(), has_name=has_name)
    made.folder.mkdir()
    made.prepare()
    return made


@pytest.fixture
def ordinary(tmp_path: Path) -> Iterator[Ordinary]:
    """Return a rehearsal of an ordinary user; its hosts are ended with the test."""
    made = made_for(tmp_path / "ordinary")
    yield made
    made.close()


def test_without_root_a_core_is_moved_end_to_end(ordinary: Ordinary) -> None:
    assert ordinary.run() == 0, ordinary.printed[-3000:]

    [header] = [line for line in ordinary.lines if line["kind"] == "run"]
    assert "without root" in header["hosts"]
    assert f"making loopback hosts in {ordinary.worlds}" in ordinary.printed
    assert ordinary.came_to() == {"green"}
    assert [line["step"] for line in ordinary.lines if line.get("vacuous")] == []
    assert {path.stat().st_uid for path in ordinary.record.rglob("*")} == {ordinary.number}
    assert [path for path in (ordinary.worlds / "worlds").iterdir() if path.is_dir()] == []
    assert ordinary.processes() == []


def test_without_root_a_killed_run_is_continued_and_what_is_kept_is_cleaned(ordinary: Ordinary) -> None:
    ordinary.begin()
    ordinary.until(lambda: ordinary.begun("The source core is fenced"), "the freeze")
    ordinary.slow_down("dest", "pg_restore", 8)
    ordinary.until(lambda: ordinary.slow_log("dest", "pg_restore"), "the restore")
    ordinary.kill()
    assert ordinary.processes() != []

    ordinary.begin()
    ordinary.until(lambda: ordinary.begun("The data roots arrive unchanged"), "the files")
    ordinary.kill()
    notes = [line["text"] for line in ordinary.lines if line["kind"] == "note"]
    assert "waited for a deed that a killed run had begun on the dest: restore-postgresql" in notes
    assert [line.split()[0] for line in ordinary.slow_log("dest", "pg_restore")] == ["begin", "end"]

    cleaned = ordinary.typed("-m", "fixtures.hosts", "clean", str(ordinary.worlds))
    assert cleaned.wait(LONGEST_S) == 0
    assert [path for path in (ordinary.worlds / "worlds").iterdir() if path.is_dir()] == []
    assert ordinary.processes() == []


def test_where_namespaces_are_forbidden_nothing_is_made_and_what_to_allow_is_said(ordinary: Ordinary) -> None:
    ordinary.before = WITHOUT_NAMESPACES

    assert ordinary.run() == 13, ordinary.printed

    assert "REFUSED  namespaces are forbidden here, and loopback hosts are made of them: bwrap: " in ordinary.printed
    assert "sysctl user.max_user_namespaces above 0" in ordinary.printed
    assert not ordinary.worlds.exists()


def test_a_folder_of_somebody_else_is_refused(ordinary: Ordinary) -> None:
    ordinary.worlds.mkdir()
    ordinary.worlds.chmod(0o555)
    if os.geteuid() == 0:
        os.chown(ordinary.worlds, 0, 0)

    assert ordinary.run() == 13, ordinary.printed

    assert f"REFUSED  rehearsal hosts cannot lie in {ordinary.worlds}: Permission denied" in ordinary.printed
    ordinary.worlds.chmod(0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can run a command as a user without a name")
def test_a_user_without_a_name_is_told_so(tmp_path: Path) -> None:
    nameless = made_for(tmp_path / "nameless", has_name=False)

    assert nameless.run() == 13, nameless.printed

    assert f"OpenSSH works for users with a name only: /etc/passwd has none for {nameless.number}" in nameless.printed
    nameless.close()
