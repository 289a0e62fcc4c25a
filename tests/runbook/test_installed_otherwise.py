"""The dest gets the source's core from a repository, or has it from somebody; another commit than the source's is red."""

from __future__ import annotations

import subprocess

import pytest

from fixtures.hosts.product import APP
from tests.runbook.installed_otherwise import git
from tests.runbook.rehearsing import Rehearsal

pytestmark = pytest.mark.rehearsal
COMMAND = ("-p", "tests.runbook.installed_otherwise")
UP_TO_THE_FREEZE = 12
INSTALLED = "The dest has the source's core version"


def told(rehearsal: Rehearsal) -> dict[str, tuple[str, object]]:
    """Return outcome and observed of the last look of each check."""
    return {line["name"]: (line["outcome"], line["observed"]) for line in rehearsal.lines if line["kind"] == "check"}


def head(rehearsal: Rehearsal, host: str) -> str:
    """Return the commit of a host's core."""
    return git(rehearsal.world / host / "fs" / APP.lstrip("/"), "rev-parse", "HEAD")


def test_a_core_is_moved_as_a_clone_of_its_commit(rehearsal: Rehearsal) -> None:
    rehearsal.environment = {"INSTALL": "git-clone"}

    assert rehearsal.run(*COMMAND, "--ask", "--approve", "freeze,cutover") == 10, rehearsal.printed[-3000:]

    found = told(rehearsal)
    assert rehearsal.statuses()["The source's core can be cloned"] == "green"
    assert (head(rehearsal, "dest"), found["commit of the core"]) == (
        head(rehearsal, "source"),
        ("held", head(rehearsal, "source")),
    )
    assert found["what the dest's tree has else than its commit"] == ("held", [])
    assert (rehearsal.world / "dest" / "fs" / APP.lstrip("/") / "built" / "when").exists()


def test_a_core_that_somebody_installed_is_looked_at_and_one_that_differs_is_red(rehearsal: Rehearsal) -> None:
    rehearsal.environment = {"INSTALL": "none"}
    assert rehearsal.run(*COMMAND, "--ask") == UP_TO_THE_FREEZE, rehearsal.printed[-3000:]
    assert told(rehearsal)["commit of the core"] == ("held", head(rehearsal, "source"))
    assert rehearsal.statuses()["The source's core can be cloned"] == "not applicable"
    master = rehearsal.world / "dest" / "fs" / APP.lstrip("/") / "bin" / "master.py"
    subprocess.run(
        ("sh", "-c", 'touch -r "$1" "$2"; printf " " >> "$1"; touch -r "$2" "$1"', "sh", master, rehearsal.folder / "t"), check=True
    )

    assert rehearsal.run(*COMMAND, "--ask") == 1

    assert rehearsal.statuses()[INSTALLED] == "red"
    assert told(rehearsal)["what the dest's tree has else than its commit"] == ("not held", [" M bin/master.py"])
