"""The source's own core on the dest, before its config comes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness.check import Witness, equal
from harness.deed import Ask, Command, Role
from harness.host import python
from harness.sending import claim, send

if TYPE_CHECKING:
    from harness.check import Check
    from harness.deed import Act, Reading
    from harness.plan import Plan

INSTALL_EXCLUDES = ("*__pycache__*", "config/override-config.yml")


def install(plan: Plan) -> Act:
    """Install the source's own tree of the core on the dest (copy-tree); its config is sent on its own.

    Links stay links: a tree's packages link to each other (npm workspaces), and a copy in their place is another package.
    """
    yield from claim(plan, Role.DEST, f"path {plan.core.app_path}")
    excludes = tuple(f"--exclude={pattern}" for pattern in INSTALL_EXCLUDES)
    yield send(plan, f"{plan.core.app_path}/", options=("--delete", *excludes), links="--links", lasting="install")


def same_version(plan: Plan) -> Reading[list[Check]]:
    """Look whether the dest has the source's version, and the same tree, file by file."""
    path = f"{plan.core.app_path}/package.json"
    there = yield Ask(Command(Role.DEST, ("find", path), exits=(0, 1)))
    if there.exit:
        return [equal("version of the core", Witness.FILES, "the source's", "no core on the dest", 0, absent=True)]
    texts = yield tuple(Ask(Command(role, ("cat", path))) for role in Role)
    versions = [json.loads(answer.out)["version"] for answer in texts]
    excludes = [word for pattern in INSTALL_EXCLUDES for word in ("--exclude", pattern)]
    out = f"{plan.run_folder}/manifest-app"
    trees = yield tuple(
        Ask(python(role, "manifest", plan.core.app_path, *excludes, "--out", out, timeout_s=600.0)) for role in Role
    )
    source, dest = (answer.json() for answer in trees)
    return [
        equal("version of the core", Witness.FILES, versions[0], versions[1]),
        equal("manifest of the core's tree", Witness.FILES, source["digest"], dest["digest"], dest["paths"], source["paths"]),
    ]
