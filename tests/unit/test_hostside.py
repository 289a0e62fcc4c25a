"""What every program for hosts must be: one file, of the standard library alone, for Python 3.9 and newer."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import harness.hostside

PROGRAMS = sorted(path for path in Path(harness.hostside.__path__[0]).glob("*.py") if path.stem != "__init__")
OLDEST = (3, 9)


def imported(tree: ast.AST) -> set[str]:
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "." for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_for_hosts_stands_alone(program: Path) -> None:
    tree = ast.parse(program.read_text(encoding="utf-8"), feature_version=OLDEST)

    strangers = {name for name in imported(tree) if name.partition(".")[0] not in sys.stdlib_module_names}

    assert strangers == set()
    assert "__future__" in imported(tree)  # annotations of today's form are not evaluated there


def test_there_are_programs_to_look_at() -> None:
    assert {"fingerprint", "lasting", "lock", "manifest"} <= {program.stem for program in PROGRAMS}
