"""A core that is an app of Dokku: whether it can be fenced, and whether the dest's app, made there by somebody, is the source's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.configuration.units import changed
from harness.deed import Ask, Command, Role

if TYPE_CHECKING:
    from harness.deed import CommandResult, Reading
    from harness.plan import Plan

LEAST = (0, 38)  # where ps:set knows "restore"
VERSION = re.compile(r"(\d+)\.(\d+)\.\d+")
SCHEDULER = "docker-local"
NO_APP = 20
# Set by Dokku itself, of each host's own.
OF_DOKKU = re.compile(r"DOKKU_.*|GIT_REV")
MOUNT = ("host_path", "container_path", "readonly", "volume_options")
WHY = "another app reads or writes elsewhere, or is another core"


def app_can_be_fenced(plan: Plan) -> Reading[list[Check]]:
    """Look whether both hosts' Dokku is new enough, and has the app, deployed on its own host (not by k3s or another scheduler)."""
    app = plan.core.dokku.app if plan.core.dokku else ""
    expected = {"version": f"{LEAST[0]}.{LEAST[1]} or newer", "deployed": "true", "scheduler": SCHEDULER}
    source = yield _asked(Role.SOURCE, app)
    dest = yield _asked(Role.DEST, app)
    return [_fits(Role.SOURCE, source, expected), _fits(Role.DEST, dest, expected)]


def _asked(role: Role, app: str) -> tuple[Ask, ...]:
    words = (
        ("dokku", "--version"),
        ("dokku", "ps:report", app, "--deployed"),
        ("dokku", "scheduler:report", app, "--scheduler-computed-selected"),
    )
    return tuple(Ask(Command(role, argv, exits=(0, NO_APP))) for argv in words)


def _fits(role: Role, answers: list[CommandResult], expected: dict[str, str]) -> Check:
    found = VERSION.search(answers[0].text)
    version = tuple(int(part) for part in found.groups()) if found else (0, 0)
    observed = {
        "version": found[0] if found else "not told",
        **{
            name: one.text if one.exit == 0 else "no such app"
            for name, one in zip(("deployed", "scheduler"), answers[1:], strict=True)
        },
    }
    held = version >= LEAST and all(observed[name] == expected[name] for name in ("deployed", "scheduler"))
    remedy = "make and deploy the app there without a start: ps:scale web=0 before its first deploy (docs/deploy-kinds.md)"
    name = f"Dokku and the app on the {role}"
    return Check(name, Witness.PROCESSES, expected, observed, held, len(observed), len(observed), remedy=remedy)


def same_app(plan: Plan) -> Reading[list[Check]]:
    """Look whether the dest's app is of the source's image, with its mounts and variables; a variable's value is not shown."""
    app = plan.core.dokku.app if plan.core.dokku else ""
    source, dest = yield tuple(Ask(Command(role, ("dokku", "git:report", app, "--git-source-image"))) for role in Role)
    image = Check(
        "image that the app was deployed from",
        Witness.PROCESSES,
        source.text,
        dest.text,
        bool(source.text) and source.text == dest.text,
        1,
        why=WHY,
        remedy="deploy it from the same image on both hosts: dokku git:from-image",
    )
    argv = ("dokku", "storage:list", app, "--format", "json")
    listed = yield tuple(Ask(Command(role, argv)) for role in Role)
    mounts = [_mounts(answer.json()) for answer in listed]
    argv = ("dokku", "config:export", "--format", "json", app)
    exported = yield tuple(Ask(Command(role, argv, private=True)) for role in Role)
    return [
        image,
        equal(
            "what the app mounts",
            Witness.PROCESSES,
            mounts[0],
            mounts[1],
            1 + len(mounts[0]),
            why=WHY,
            remedy="dokku storage:mount there",
        ),
        _same_variables(plan, exported[0].json(), exported[1].json()),
    ]


def _mounts(listed: list[dict[str, Any]]) -> list[str]:
    return sorted(" ".join(str(one[key]) for key in MOUNT if one.get(key)) for one in listed)


def _same_variables(plan: Plan, source: dict[str, str], dest: dict[str, str]) -> Check:
    """Compare variables, the planned changes made in the source's."""
    own = [{name: text for name, text in given.items() if not OF_DOKKU.fullmatch(name)} for given in (source, dest)]
    expected = {name: changed(name, text, plan.planned_changes) for name, text in own[0].items()}
    different = sorted(name for name in expected.keys() | own[1].keys() if expected.get(name) != own[1].get(name))
    name = "variables of the app that differ"
    why = "variables win over the config files, and secrets may stand there"
    remedy = "dokku config:export on the source, config:import --no-restart on the dest, the planned changes made"
    return equal(name, Witness.PROCESSES, [], different, 1 + len(own[1]), why=why, remedy=remedy)
