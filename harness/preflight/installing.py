"""The source's own core on the dest, before its config comes: `INSTALLS` has one entry for each way of getting there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.check import Witness, equal
from harness.deed import Ask, Command, Role
from harness.host import python
from harness.preflight.git_clone import clone, same_commit
from harness.preflight.images import copy_image, pull_image, same_image
from harness.sending import claim, send

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.check import Check
    from harness.deed import Act, Reading
    from harness.plan import Plan

INSTALL_EXCLUDES = ("*__pycache__*", "config/override-config.yml")


@dataclass(frozen=True, slots=True)
class Installing:
    """A way in which the dest gets the source's core: what is done for it, and how it is looked at."""

    act: Callable[[Plan], Act]
    look: Callable[[Plan], Reading[list[Check]]]


def install(plan: Plan) -> Act:
    """Install the source's core on the dest, as the plan says."""
    yield from INSTALLS[plan.dest.install].act(plan)


def same_version(plan: Plan) -> Reading[list[Check]]:
    """Look whether the dest has the source's core, as the plan's way of installing it can tell."""
    return (yield from INSTALLS[plan.dest.install].look(plan))


def copy_tree(plan: Plan) -> Act:
    """Send the source's own tree of the core to the dest; its config is sent on its own.

    Links stay links: a tree's packages link to each other (npm workspaces), and a copy in their place is another package.
    """
    yield from claim(plan, Role.DEST, f"path {plan.core.app_path}")
    excludes = tuple(f"--exclude={pattern}" for pattern in INSTALL_EXCLUDES)
    yield send(plan, f"{plan.core.app_path}/", options=("--delete", *excludes), links="--links", lasting="install")


def same_tree(plan: Plan) -> Reading[list[Check]]:
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


def nothing(_plan: Plan) -> Act:
    """Do nothing: somebody has installed the core on the dest."""
    yield from ()


def same_tree_or_commit(plan: Plan) -> Reading[list[Check]]:
    """Look at the commits where both trees are checkouts (what is built in them may differ), else at every file."""
    argv = ("find", f"{plan.core.app_path}/.git", "-maxdepth", "0")
    checkouts = yield tuple(Ask(Command(role, argv, exits=(0, 1))) for role in Role)
    return (yield from (same_tree if any(one.exit for one in checkouts) else same_commit)(plan))


INSTALLS: dict[str, Installing] = {
    "copy-tree": Installing(copy_tree, same_tree),
    "git-clone": Installing(clone, same_commit),
    "copy-image": Installing(copy_image, same_image),
    "pull-image": Installing(pull_image, same_image),
    "none": Installing(nothing, same_tree_or_commit),
}
