"""What goes ahead where the plan says `transfer: preseed`, and what is done side by side while users wait.

The data roots are sent and read while users work. Of what was read, a file counts at rest only if it has not changed since, as
its state tells (harness.hostside.ahead); a database that was seen in use never does. What is proved is proved at rest: every fact
stays where it is, only acts begin earlier. `literal` sends everything while users wait, one thing after the other, as the guide.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness import files
from harness.check import Check, Witness, equal
from harness.deed import Ask, Command, Role
from harness.host import python
from harness.roots import data_roots
from harness.sending import claim

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from harness.configuration import Config
    from harness.deed import Act, CommandResult, Reading
    from harness.plan import Plan
    from harness.roots import DataRoot

PRESEED = "preseed"
VANISHED = 24  # rsync's code for files that went away while it sent the others
LITTLE_BYTES = 1 << 20
LITTLE = 0.1
# The scenarios whose acts begin ahead.
DUMPED = "The {engine} dump is complete"
SENT = "The {engine} dump is the same on both hosts"
RESTORED = "The {engine} database arrives unchanged"
READY = "The {engine} database is ready for users"
FILES = "The data roots arrive unchanged"


def roots(config: Config) -> tuple[DataRoot, ...]:
    """Return the data roots that go ahead: those of users; what lies beside is small, and times in rqlited's lie."""
    return tuple(root for root in data_roots(config) if not root.beside and not root.checksum)


def begun(plan: Plan, marks: Mapping[str, str], scenario: str, commands: Iterable[Any]) -> Act:
    """Begin the lasting commands of a later scenario's act; not where all is literal, nor once the dest core was started."""
    if plan.transfer != PRESEED or "T_start" in marks:
        return
    for command in commands:
        yield replace(command, ahead_of=scenario)


def send_roots(plan: Plan, config: Config) -> Act:
    """Send every data root while the core runs; files that vanish meanwhile are no failure."""
    for root in roots(config):
        yield from claim(plan, Role.DEST, f"path {root.path}")
        says = f"rsync {root.path}/ from the source to the dest, ahead of the freeze"
        yield replace(files.sending(plan, root), lasting=f"ahead-{root.name}", exits=(0, VANISHED), says=says)


def little_is_left(plan: Plan, config: Config) -> Reading[list[Check]]:
    """Look how much of each data root rsync would still send: a tenth of its bytes at most, or a megabyte."""
    checks = []
    for root in roots(config):
        name = f"bytes of {root.path} still to be sent"
        there = yield Ask(Command(Role.DEST, ("find", root.path, "-maxdepth", "0"), exits=(0, 1)))
        if there.exit:
            checks.append(equal(name, Witness.FILES, "little", "nothing was sent yet", 0, absent=True))
            continue
        told: CommandResult = yield Ask(replace(files.sending(plan, root, "--dry-run"), exits=(0, VANISHED)))
        left, whole, paths = (
            files.statistic(told, one) for one in ("Total transferred file size", "Total file size", "Number of files")
        )
        most = max(LITTLE_BYTES, int(LITTLE * whole))
        remedy = "run again: it is sent again; a tree that changes so fast is moved with transfer: literal"
        held = 0 <= left <= most
        checks.append(
            Check(name, Witness.FILES, f"at most {most}", left, held, paths, why="users would wait for it", remedy=remedy)
        )
    return checks


def _read(plan: Plan, role: Role, root: DataRoot) -> Command:
    out = files.known_path(plan, root)
    read = python(role, "ahead", *files.walked(role, root), "--out", out, timeout_s=files.LONGEST_S)
    return replace(read, says=f"read the files in {root.path} on the {role}, ahead of the freeze")


def read_roots(plan: Plan, config: Config) -> Act:
    """Read every data root on both hosts, side by side."""
    yield tuple(_read(plan, role, root) for role in Role for root in roots(config))


def roots_are_known(plan: Plan, config: Config) -> Reading[list[Check]]:
    """Look how many files of each data root changed while they were read, on each host: a tenth at most."""
    asked = [(role, root) for role in Role for root in roots(config)]
    heads = 'cat /proc/sys/kernel/random/boot_id; head -n 1 "$0" 2>/dev/null || true'
    answers = yield tuple(Ask(Command(role, ("sh", "-c", heads, files.known_path(plan, root)))) for role, root in asked)
    return [_known(role, root, answer) for (role, root), answer in zip(asked, answers, strict=True)]


def _known(role: Role, root: DataRoot, answer: CommandResult) -> Check:
    name = f"files of {root.path} known on the {role}"
    if len(answer.lines) == 1:
        return equal(name, Witness.FILES, "read in this boot", "not read yet", 0, absent=True)
    boot, head = answer.lines[0], json.loads(answer.lines[1])
    most = max(1, int(LITTLE * head["files"]))
    expected = {"boot": boot, "changed meanwhile": f"at most {most}"}
    observed = {"boot": head["boot"], **{one: head[one] for one in ("files", "known", "databases", "changed")}}
    held = head["boot"] == boot and head["changed"] <= most
    return Check(name, Witness.FILES, expected, observed, held, 1 + head["files"], why="what is not known is read while users wait")
