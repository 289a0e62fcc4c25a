"""The core from a repository, with real git: what a checkout is asked, what the dest does, what passes for the same commit."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import preflight
from harness.deed import Ask, Command, CommandResult, Role
from harness.errors import PlanError
from harness.plan import Plan
from harness.preflight.git_clone import clone, same_commit
from harness.run.driving import drive
from tests.plans import CONTENT, plan

BUILD = ["sh", "-c", "mkdir -p built && echo done > built/it"]
ME = pwd.getpwuid(os.getuid()).pw_name


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=operator", "-c", "user.email=operator@example.com")
    return subprocess.run(("git", *who, "-C", folder, *words), check=True, capture_output=True, text=True).stdout.strip()


class Hosts:
    """Two hosts in folders, each with the core at its own place; the list of what this run made is a list of texts."""

    def __init__(self, folder: Path) -> None:
        self.trees = {Role.SOURCE: folder / "source", Role.DEST: folder / "dest"}
        self.repository = folder / "core.git"
        self.made: list[str] = []
        source = self.trees[Role.SOURCE]
        (source / "bin").mkdir(parents=True)
        (source / "bin/master.js").write_text("start()\n")
        (source / ".gitignore").write_text("built/\n")
        git(source, "init", "--quiet", "--initial-branch", "main")
        self.commit("The core")
        git(folder, "init", "--quiet", "--bare", str(self.repository))
        self.push()

    @property
    def plan(self) -> Plan:
        """The plan of a clone of the repository."""
        dest = {**CONTENT["dest"], "install": "git-clone", "git": {"url": f"file://{self.repository}", "build": [BUILD]}}
        return plan(dest=dest, core={**CONTENT["core"], "user": ME, "app_path": "/opt/pryv/app"})

    def commit(self, message: str) -> str:
        """Commit what is in the source's tree; returns the commit."""
        git(self.trees[Role.SOURCE], "add", "--all")
        git(self.trees[Role.SOURCE], "commit", "--quiet", "--allow-empty", "--message", message)
        return git(self.trees[Role.SOURCE], "rev-parse", "HEAD")

    def push(self) -> None:
        """Send the source's branch to the repository."""
        git(self.trees[Role.SOURCE], "push", "--quiet", str(self.repository), "main")

    def perform(self, wanted: Any) -> Any:  # noqa: ANN401 - any observation or deed
        """Run a command in its host's place."""
        if isinstance(wanted, tuple):
            return [self.perform(one) for one in wanted]
        command = wanted.of if isinstance(wanted, Ask) else wanted
        assert isinstance(command, Command)
        if command.argv[3:4] == ("/var/lib/pryv-migration/CHG0031337/made",):
            self.made += command.argv[4:]
            return CommandResult(command, 0, "\n".join(self.made).encode(), b"", 0.0)
        argv = [word.replace("/opt/pryv/app", str(self.trees[command.host])) for word in command.argv]
        done = subprocess.run(argv, input=command.input, capture_output=True, check=False, timeout=30)
        assert done.returncode in command.exits, (argv, done)
        return CommandResult(command, done.returncode, done.stdout, done.stderr, 0.0)

    def outcomes(self, look: Callable[[Plan], Any]) -> list[tuple[object, str]]:
        """Return observed and outcome of each check of a look."""
        return [(check.observed, str(check.outcome)) for check in drive(look(self.plan), self.perform)]


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    return Hosts(tmp_path)


def test_a_source_can_be_cloned_when_it_is_a_commit_that_the_repository_has(hosts: Hosts) -> None:
    pushed = hosts.outcomes(preflight.can_be_cloned)
    (hosts.trees[Role.SOURCE] / "config").mkdir()
    (hosts.trees[Role.SOURCE] / "config/override-config.yml").write_text("auth: {}\n")
    (hosts.trees[Role.SOURCE] / "note").write_text("of somebody\n")
    dirty = hosts.outcomes(preflight.can_be_cloned)
    hosts.commit("Not pushed")
    unpushed = hosts.outcomes(preflight.can_be_cloned)
    hosts.push()
    hosts.commit("A newer one")
    git(hosts.trees[Role.SOURCE], "push", "--quiet", str(hosts.repository), "main:newer")
    git(hosts.trees[Role.SOURCE], "checkout", "--quiet", "--detach", "HEAD~2")
    older = hosts.outcomes(preflight.can_be_cloned)

    assert pushed == [([], "held"), ("there", "held")]
    assert dirty == [(["?? note"], "not held"), ("there", "held")]
    assert unpushed == [([], "held"), ("not there", "not held")]
    assert older == [([], "held"), ("there", "held")]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a tree away")
def test_a_tree_that_belongs_to_another_user_is_read_too(hosts: Hosts) -> None:
    os.chown(hosts.trees[Role.SOURCE], 65534, 65534)
    os.chown(hosts.trees[Role.SOURCE] / ".git", 65534, 65534)

    assert hosts.outcomes(preflight.can_be_cloned) == [([], "held"), ("there", "held")]


def test_a_tree_without_git_cannot_be_cloned(hosts: Hosts) -> None:
    (hosts.trees[Role.SOURCE] / ".git").rename(hosts.trees[Role.SOURCE] / "no")

    assert hosts.outcomes(preflight.can_be_cloned) == [("no checkout of a commit", "not held")]


def test_a_changed_file_of_the_same_size_and_time_is_no_commit(hosts: Hosts) -> None:
    file = hosts.trees[Role.SOURCE] / "bin/master.js"
    before = file.stat()
    git(hosts.trees[Role.SOURCE], "status")
    file.write_text("start[]\n")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert hosts.outcomes(preflight.can_be_cloned)[0] == ([" M bin/master.js"], "not held")


def test_the_dest_gets_the_sources_commit_and_builds_it_and_an_earlier_try_is_gone_on_with(hosts: Hosts) -> None:
    none = hosts.outcomes(same_commit)
    hosts.trees[Role.DEST].mkdir()
    git(hosts.trees[Role.DEST], "init", "--quiet")
    begun = hosts.outcomes(same_commit)
    drive(clone(hosts.plan), hosts.perform)
    built = (hosts.trees[Role.DEST] / "built/it").read_text()
    done = hosts.outcomes(same_commit)
    hosts.made = []
    unbuilt = hosts.outcomes(same_commit)
    (hosts.trees[Role.DEST] / "bin/master.js").unlink()
    damaged = hosts.outcomes(same_commit)
    drive(clone(hosts.plan), hosts.perform)

    head = git(hosts.trees[Role.SOURCE], "rev-parse", "HEAD")
    command = f"built {head}: sh -c 'mkdir -p built && echo done > built/it'"
    assert (none, begun) == ([("no core on the dest", "absent")], [("no core on the dest", "absent")])
    assert (built, done) == ("done\n", [(head, "held"), ([], "held"), ([command], "held")])
    assert unbuilt == [(head, "held"), ([], "held"), ([], "absent")]
    assert damaged[1] == ([" D bin/master.js"], "not held")
    assert hosts.outcomes(same_commit) == done
    assert git(hosts.trees[Role.DEST], "remote", "get-url", "origin") == f"file://{hosts.repository}"


def test_another_commit_on_the_dest_is_told(hosts: Hosts) -> None:
    drive(clone(hosts.plan), hosts.perform)
    at_first = git(hosts.trees[Role.SOURCE], "rev-parse", "HEAD")
    git(hosts.trees[Role.SOURCE], "commit", "--quiet", "--allow-empty", "--message", "Another")

    assert hosts.outcomes(same_commit)[0] == (at_first, "absent")


def test_what_somebody_installed_is_compared_by_commit_where_both_are_checkouts_else_by_file() -> None:
    asked: list[tuple[str, ...]] = []

    def answer(exits: tuple[int, int]) -> Callable[[Any], Any]:
        def perform(wanted: Any) -> Any:  # noqa: ANN401 - any observation
            if isinstance(wanted, tuple) and wanted[0].of.argv[:2] == ("find", "/opt/pryv/app/.git"):
                return [CommandResult(one.of, code, b"", b"", 0.0) for one, code in zip(wanted, exits, strict=True)]
            one = wanted[0].of if isinstance(wanted, tuple) else wanted.of
            asked.append(one.argv[:2])
            results = [CommandResult(one, 1, b"", b"", 0.0)]
            return [*results, *results] if isinstance(wanted, tuple) else results[0]

        return perform

    somebodys = plan(dest={**CONTENT["dest"], "install": "none"})
    for exits in ((0, 0), (0, 1), (1, 1)):
        [check] = drive(preflight.same_version(somebodys), answer(exits))
        assert (check.observed, str(check.outcome)) == ("no core on the dest", "absent")

    assert asked == [("sh", "-c"), ("find", "/opt/pryv/app/package.json"), ("find", "/opt/pryv/app/package.json")]


@pytest.mark.parametrize(
    ("url", "valid"),
    [
        ("https://github.com/pryv/open-pryv.io.git", True),
        ("ssh://git@git.example.com:2222/core.git", True),
        ("git@git.example.com:pryv/core.git", True),
        ("file:///srv/core.git", True),
        ("https://me:secret@git.example.com/core.git", False),
        ("ext::sh -c id", False),
        ("--upload-pack=id", False),
        ("/srv/core.git", False),
        ("https://git.example.com/core.git; id", False),
    ],
)
def test_a_repository_is_an_address_without_a_password(url: str, *, valid: bool) -> None:

    dest = {**CONTENT["dest"], "install": "git-clone", "git": {"url": url}}
    if valid:
        assert plan(dest=dest).dest.git is not None
    else:
        with pytest.raises(PlanError, match="must be the address of a git repository"):
            plan(dest=dest)


def test_git_and_its_way_of_installing_belong_together() -> None:

    with pytest.raises(PlanError, match=r"dest.git: is needed for `install: git-clone`"):
        plan(dest={**CONTENT["dest"], "install": "git-clone"})
    with pytest.raises(PlanError, match=r"dest.git: belongs to `install: git-clone`"):
        plan(dest={**CONTENT["dest"], "git": {"url": "file:///srv/core.git"}})
