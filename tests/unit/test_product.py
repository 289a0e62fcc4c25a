"""Which core is rehearsed: a checkout is looked at before hosts are made for it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from fixtures.hosts.disks import Disk
from fixtures.hosts.product import NODE, STAND_IN, checkout
from harness.errors import Refused


def tree(folder: Path, *parts: str, node: str = "24.x") -> Path:
    """Make what a checkout is known by."""
    package = {"name": "open-pryv.io", "version": "2.0.0", "engines": {"node": node}}
    folder.mkdir()
    (folder / "package.json").write_text(json.dumps(package), encoding="utf-8")
    for part in parts:
        (folder / part).mkdir(parents=True)
    return folder


def program(path: Path, prints: str) -> Path:
    """Make a program that prints a version."""
    path.write_text(f"#!/bin/sh\necho {prints}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def test_a_checkout_with_its_node_is_taken(tmp_path: Path) -> None:
    found = checkout(tree(tmp_path / "core", "bin/master.js", "node_modules"), program(tmp_path / "node", "v24.19.0"))
    assert found.label == "open-pryv.io 2.0.0 (a native checkout, node v24.19.0)"
    assert found.argv == (NODE, "/opt/pryv/app/bin/master.js")


def test_links_of_a_checkout_stay_links_and_its_history_is_left_out(tmp_path: Path) -> None:
    folder = tree(tmp_path / "core", "bin/master.js", "node_modules", ".git", "components/boiler")
    (folder / "node_modules" / "boiler").symlink_to("../components/boiler")
    checkout(folder, program(tmp_path / "node", "v24.1.0")).lay(Disk(tmp_path / "fs"))
    laid = tmp_path / "fs/opt/pryv/app"
    assert (laid / "node_modules/boiler").readlink() == Path("../components/boiler")
    assert sorted(path.name for path in laid.iterdir()) == ["bin", "components", "node_modules", "package.json"]


def test_what_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="is no checkout of a core"):
        checkout(tmp_path, program(tmp_path / "node", "v24.19.0"))


def test_a_checkout_without_its_packages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="has no node_modules: install its packages"):
        checkout(tree(tmp_path / "core", "bin/master.js"), program(tmp_path / "node", "v24.19.0"))


@pytest.mark.parametrize(("prints", "message"), [("v22.1.0", "is v22.1.0, and open-pryv.io 2.0.0 asks for 24.x"), ("", "asks for")])
def test_another_node_is_refused(tmp_path: Path, prints: str, message: str) -> None:
    with pytest.raises(Refused, match=message):
        checkout(tree(tmp_path / "core", "bin/master.js", "node_modules"), program(tmp_path / "node", prints))


def test_a_node_that_does_not_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="does not run"):
        checkout(tree(tmp_path / "core", "bin/master.js", "node_modules"), tmp_path / "nothing")


def test_the_stand_in_is_run_by_this_python() -> None:
    assert STAND_IN.argv == (sys.executable, "/opt/pryv/app/bin/master.py")
