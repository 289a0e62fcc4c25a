"""A core that is a unit: the commands, and what its status says of what systemctl tells. A real systemd is in tests/runbook."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.control import control
from harness.control.kind import Control
from harness.control.systemd import FENCE, LOGS, STATUS, UNFENCE
from harness.deed import Command, Role
from tests.plans import CONTENT, plan

Run = Callable[..., subprocess.CompletedProcess[str]]
UNIT = "pryv-core.service"
FOLDER = f"/etc/systemd/system/{UNIT}.d"
FILES = (f"{FOLDER}/pryv-migration.fence", f"{FOLDER}/zz-pryv-migration-fence.conf")
CORE = {key: value for key, value in CONTENT["core"].items() if key != "command"}
SYSTEMCTL = """#!/bin/sh
# Answers as systemctl: the properties that the test gives, and whether systemd was told to read its files anew.
[ "$1" = show ] && { printf '%s\\n' "$SHOWN"; exit 0; }
[ "$1" = daemon-reload ] && { echo reloaded >> "$TOLD"; exit 0; }
exit 64
"""


def by_systemd(unit: str = "pryv-core") -> Control:
    return control(plan(core={**CORE, "deploy": "systemd", "systemd": {"unit": unit}}))


def shown(active: str = "active", *, load: str = "loaded", at_boot: str = "enabled", drop_ins: str = "") -> str:
    return f"LoadState={load}\nActiveState={active}\nDropInPaths={drop_ins}\nUnitFileState={at_boot}"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return what runs a script beside a systemctl that tells what is given, with the fence in a folder of the test's own."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "systemctl").write_text(SYSTEMCTL)
    (programs / "systemctl").chmod(0o755)
    files = [str(tmp_path / "unit.d" / name) for name in ("fence", "fence.conf")]

    def call(script: str, told: str = "") -> subprocess.CompletedProcess[str]:
        path = f"{programs}:{os.environ['PATH']}"
        environment = {"PATH": path, "SHOWN": told.replace("FENCE", files[1]), "TOLD": str(tmp_path / "told")}
        argv = ("sh", "-c", script, UNIT, *files)
        return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=10)

    return call


@pytest.mark.parametrize("unit", ["pryv-core", "pryv-core.service"])
def test_a_unit_is_controlled_by_systemctl_whether_or_not_its_suffix_is_given(unit: str) -> None:
    core = by_systemd(unit)

    assert core.start(Role.SOURCE).argv == ("systemctl", "start", UNIT)
    assert core.stop(Role.DEST).argv == ("systemctl", "stop", UNIT)
    assert core.enable(Role.DEST).argv == ("systemctl", "enable", UNIT)
    assert core.disable(Role.DEST) == Command(Role.DEST, ("systemctl", "disable", UNIT))
    assert core.status(Role.SOURCE).argv == ("sh", "-c", STATUS, UNIT, *FILES)
    assert core.fence(Role.SOURCE).argv == ("sh", "-c", FENCE, UNIT, *FILES)
    assert core.unfence(Role.SOURCE).argv == ("sh", "-c", UNFENCE, UNIT, *FILES)
    assert core.logs(Role.DEST).argv == ("sh", "-c", LOGS, UNIT)
    assert core.logs(Role.SOURCE).argv == ("sh", "-c", LOGS, UNIT, "--since=-2d")


@pytest.mark.parametrize(
    ("told", "said", "code"),
    [
        (shown(), "running, enabled", 0),
        (shown("reloading", at_boot="disabled"), "running, disabled", 0),
        (shown("inactive"), "stopped, enabled", 3),
        (shown("failed", at_boot="static"), "stopped, static", 3),
        (shown("activating"), "activating, enabled", 1),  # also while Restart= waits
        (shown("deactivating"), "deactivating, enabled", 1),
        (shown("inactive", at_boot="enabled-runtime"), "stopped, disabled", 3),
        (shown("inactive", load="not-found", at_boot=""), "stopped, not-found", 3),
        (shown("inactive", load="masked", at_boot="masked"), "stopped, masked, masked", 3),
    ],
)
def test_the_status_tells_what_systemd_knows_of_the_unit(run: Run, told: str, said: str, code: int) -> None:
    done = run(STATUS, told)

    assert (done.stdout.strip(), done.returncode) == (said, code)


def test_fenced_is_what_has_its_files_and_has_been_read_by_systemd(run: Run, tmp_path: Path) -> None:
    before = run(STATUS, shown("inactive", drop_ins="/run/other.conf FENCE"))
    run(FENCE)
    unread = run(STATUS, shown("inactive", drop_ins="/run/other.conf"))
    fenced = run(STATUS, shown("inactive", drop_ins="/run/other.conf FENCE"))
    (tmp_path / "unit.d/fence").unlink()
    opened = run(STATUS, shown("inactive", drop_ins="FENCE"))

    said = [one.stdout.strip() for one in (before, unread, fenced, opened)]
    assert said == ["stopped, enabled", "stopped, enabled", "stopped, fenced, enabled", "stopped, enabled"]
    assert (tmp_path / "unit.d/fence.conf").read_text() == f"[Unit]\nAssertPathExists=!{tmp_path}/unit.d/fence\n"


def test_a_fence_is_made_and_removed_as_often_as_asked_and_takes_nothing_else_away(run: Run, tmp_path: Path) -> None:
    codes = [run(script).returncode for script in (UNFENCE, FENCE, FENCE, UNFENCE, UNFENCE)]
    empty = (tmp_path / "unit.d").exists()
    run(FENCE)
    (tmp_path / "unit.d/override.conf").write_text("[Service]\n")
    run(UNFENCE)

    assert (codes, empty) == ([0, 0, 0, 0, 0], False)
    assert [path.name for path in (tmp_path / "unit.d").iterdir()] == ["override.conf"]
    assert (tmp_path / "told").read_text().count("reloaded") == 7
