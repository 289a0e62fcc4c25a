"""The set-up, really run: in a copy of it beside a lock file without packages, so that nothing is fetched.

What it installs on a machine (tools/packages) cannot be run here: it would change this machine.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import tomllib
from pathlib import Path

import pytest

from fixtures.hosts.spaces import rooted
from tests.engine import NOW

ROOT = Path(__file__).parents[2]
TOOLS = ("Makefile", "tools/setup", "tools/packages", "tools/lock", "tools/with-engine")
MADE = "set-up: installing the Python packages of requirements.lock into .venv"


def run(tree: Path, *argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    of_make = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")  # the tests themselves are run by make
    variables = {name: value for name, value in os.environ.items() if name not in of_make} | environment
    return subprocess.run(argv, cwd=tree, env=variables, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in TOOLS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / "requirements.lock").write_text("# no packages\n", encoding="utf-8")
    return tmp_path


@pytest.fixture
def without(tree: Path) -> tuple[str, ...]:
    """Return the words that run a command as an ordinary user who cannot see some programs."""
    tree.chmod(0o755)
    hidden = (Path(found) for name in ("nginx", "named") if (found := shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")))
    hide = (word for path in hidden for word in ("--ro-bind", "/dev/null", str(path.resolve())))
    return ("bwrap", "--unshare-user", "--uid", "1000", "--dev-bind", "/", "/", *hide)


def test_the_environment_is_made_once_then_found_at_once_and_made_anew_for_another_lock(tree: Path) -> None:
    first = run(tree, "tools/setup")
    began = time.monotonic()
    second = run(tree, "tools/setup")
    seconds = time.monotonic() - began
    (tree / ".venv/of-before").touch()
    (tree / "requirements.lock").write_text("# other packages\n", encoding="utf-8")
    third = run(tree, "tools/setup")

    assert [done.returncode for done in (first, second, third)] == [0, 0, 0]
    assert (first.stderr.startswith(MADE), second.stderr, third.stderr.startswith(MADE)) == (True, "", True)
    assert seconds < 3
    assert not (tree / ".venv/of-before").exists()


def test_a_set_up_that_was_cut_short_is_begun_again(tree: Path) -> None:
    (tree / "requirements.lock").write_text("nowhere-to-be-had @ file:///nowhere\n", encoding="utf-8")
    cut = run(tree, "tools/setup")
    repeated = run(tree, "tools/setup")

    assert cut.returncode != 0
    assert repeated.returncode != 0
    assert repeated.stderr.startswith(MADE)


def test_two_set_ups_at_once_make_one_environment(tree: Path) -> None:
    both = [subprocess.Popen([tree / "tools/setup"], stderr=subprocess.PIPE, text=True) for _ in range(2)]

    said = [process.communicate(timeout=120)[1] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert sorted(text.startswith(MADE) for text in said) == [False, True]


def test_what_is_missing_is_told_by_the_line_to_type(tree: Path, without: tuple[str, ...]) -> None:
    done = run(tree, *without, "make", "test")

    assert done.returncode == 2
    assert "set-up: these Debian packages are missing, and may not be installed without root. Type:\n" in done.stderr
    assert "\nset-up: sudo apt-get update && sudo apt-get install --no-install-recommends nginx bind9\n" in done.stderr
    assert not (tree / ".venv").exists()


def test_a_python_that_is_too_old_or_absent_is_told(tree: Path, tmp_path: Path) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in Path("/usr/bin").iterdir():
        if not program.name.startswith("python"):
            (programs / program.name).symlink_to(program)

    done = run(tree, "/bin/bash", "tools/setup", PATH=str(programs))

    assert done.returncode == 1
    assert done.stderr == "set-up: Python 3.11 or newer is needed, as python3.11 or python3\n"


def test_make_fails_when_what_it_runs_fails(tree: Path) -> None:
    for target in ("rehearse", "test", "check"):
        done = run(tree, "make", target)  # there is no pytest and no ruff in an environment without packages

        assert done.returncode == 2
        assert "No module named" in done.stderr


def test_make_lists_its_targets(tree: Path) -> None:
    listed = [line.split()[1] for line in run(tree, "make").stdout.splitlines()]

    assert listed == [
        "help",
        "rehearse",
        "test",
        "check",
        "prove",
        "prove-words",
        "prove-kill",
        "prove-hosts",
        "prove-back",
        "bench",
        "clean",
        "lock",
    ]


def test_there_is_nothing_to_clean_before_the_first_set_up(tree: Path) -> None:
    assert run(tree, "make", "clean").returncode == 0


def test_the_lock_holds_every_dependency_with_hashes_and_names_no_index() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {re.split(r"[\[<>=]", text)[0].replace(".", "-") for text in wanted}
    pinned = dict(re.findall(r"^([a-z0-9-]+)==\S+.*\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", lock, re.MULTILINE))

    assert names - pinned.keys() == set()
    assert len(pinned) == len(re.findall(r"^[a-z]", lock, re.MULTILINE))
    assert re.findall(r"://|--(?:extra-)?index|--find-links|--trusted-host", lock) == []


def test_a_command_is_run_with_an_engine_that_answers_and_its_exit_code_is_told() -> None:
    if why := NOW:
        pytest.skip(why)

    done = run(ROOT, "tools/with-engine", "sh", "-c", "docker version --format '{{.Server.Os}}'; exit 7")

    assert (done.returncode, done.stdout, done.stderr) == (7, "linux\n", "")


def test_without_an_engine_that_answers_only_root_starts_one(tree: Path) -> None:
    tree.chmod(0o755)
    user = ("bwrap", "--unshare-user", "--uid", "1000", "--dev-bind", "/", "/", "--tmpfs", "/run")

    done = run(tree, *user, "tools/with-engine", "true", DOCKER_HOST="unix:///nowhere.sock")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "engine: no Docker engine answers, and only root may start one\n"


@pytest.mark.skipif(not (rooted() and shutil.which("dockerd")), reason="an engine is started by root, where one is installed")
def test_an_engine_that_was_started_for_a_command_ends_after_it(tree: Path) -> None:
    own = "ip link set lo up; for at in /run /var/log /var/lib/docker; do mkdir -p $at; mount -t tmpfs tmpfs $at; done"
    typed = "tools/with-engine sh -c 'docker version --format {{.Server.Os}}; exit 7'; code=$?; pgrep -x dockerd; exit $code"
    apart = ("unshare", "--mount", "--propagation", "private", "--net", "--pid", "--fork", "--mount-proc")

    done = run(tree, *apart, "sh", "-c", f"{own}; {typed}", DOCKER_HOST="unix:///run/docker.sock")

    assert (done.returncode, done.stdout) == (7, "linux\n"), done.stderr
    assert re.fullmatch(r"engine: started one \(\S+\), for this command\n", done.stderr)
