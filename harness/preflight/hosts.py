"""Both hosts: their keys, their clocks, their programs and the versions of these, and what runs the core."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from harness.check import Check, Witness, equal
from harness.configuration.sources import masters
from harness.configuration.started import after_program
from harness.databases.psql import admin_sql, program
from harness.deed import Ask, Command, PinnedKeys, Role
from harness.preflight.images import engines_fit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.deed import CommandResult, Reading
    from harness.plan import Plan

SQLITE = "python3's sqlite3"  # its smallest package comes without
COMMON = ("python3", SQLITE, "rsync", "ssh", "sha256sum", "setpriv", "ps", "ss", "find", "stat", "sync", "df", "du", "awk")
OWN = {Role.SOURCE: (*COMMON, "ssh-keygen"), Role.DEST: COMMON}
OF_CONTAINERS = ("docker", "nsenter")
OF_POSTGRESQL = {Role.SOURCE: ("psql", "pg_dump", "pg_restore"), Role.DEST: ("psql", "pg_restore", "vacuumdb")}
WHICH = """for name; do command -v "$name" >/dev/null && echo "$name"; done
python3 -c 'import sqlite3' 2>/dev/null && echo "python3's sqlite3"; true"""
# The first versions that have what is used: rsync's --mkpath, restrict in authorized_keys, what our programs are written in.
LEAST: Mapping[str, tuple[int, ...]] = {"rsync": (3, 2, 3), "python3": (3, 9), "OpenSSH": (7, 2)}
VERSIONS = """rsync --version 2>/dev/null | head -n 1
python3 --version
ssh -V 2>&1"""
VERSION = re.compile(r"(\d+(?:\.\d+)+)")
MAJOR = re.compile(r"(\d+)")
OLDEST_POSTGRESQL = 15
LARGEST_SKEW_S = 1.0


def programs(plan: Plan, role: Role) -> tuple[str, ...]:
    """Return the programs that the steps run on a host."""
    git = ("git",) if plan.dest.install == "git-clone" else ()
    engine = OF_CONTAINERS if plan.core.docker else ()
    return (*OWN[role], *git, *engine, *(program(plan, name) for name in OF_POSTGRESQL[role]))


def keys_are_pinned(role: Role) -> Reading[Check]:
    """Look whether the host, asked through a strictly checked connection, still has the key that the plan pins."""
    pinned, served = yield _keys(role)
    return _pinned(role, pinned, served)


def all_keys_are_pinned() -> Reading[list[Check]]:
    """Look at both hosts' keys, side by side."""
    source, dest = _keys(Role.SOURCE), _keys(Role.DEST)
    answers = yield (*source, *dest)
    return [_pinned(Role.SOURCE, *answers[:2]), _pinned(Role.DEST, *answers[2:])]


def _keys(role: Role) -> tuple[PinnedKeys, Ask]:
    return PinnedKeys(role), Ask(Command(role, ("sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub")))


def _pinned(role: Role, pinned: tuple[str, ...], served: CommandResult) -> Check:
    has = {" ".join(text.split()[:2]) for text in served.lines}
    held = bool(has & set(pinned))
    remedy = "find out who changed the host or its keys before going on"
    return Check(
        f"host key of the {role}", Witness.SSH, "a pinned one", "a pinned one" if held else "another", held, len(has), remedy=remedy
    )


def tools_are_there(plan: Plan, role: Role) -> Reading[Check]:
    """Look for the programs that the steps run on this host."""
    found = yield Ask(Command(role, ("sh", "-c", WHICH, "which", *programs(plan, role))))
    missing = sorted(set(programs(plan, role)) - set(found.lines))
    return equal(
        f"missing programs on the {role}", Witness.PROCESSES, [], missing, len(found.lines), remedy="install them on that host"
    )


def versions_are_new_enough(role: Role) -> Reading[Check]:
    """Look whether programs have the options that are used; a version that cannot be read is too old."""
    told = yield Ask(Command(role, ("sh", "-c", VERSIONS)))
    found = dict(zip(LEAST, (VERSION.search(text) for text in told.lines), strict=False))
    observed = {name: match[1] if match else "not told" for name, match in found.items()}
    old = [name for name, version in observed.items() if _numbers(version) < LEAST[name]]
    expected = {name: f"{'.'.join(map(str, least))} or newer" for name, least in LEAST.items()}
    remedy = f"install a newer {', '.join(old)} on that host" if old else ""
    name = f"versions of programs on the {role}"
    return Check(name, Witness.PROCESSES, expected, observed, not old, len(observed), len(LEAST), remedy=remedy)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _major(answer: CommandResult) -> int:
    """Return the first whole number that a program says of its version, 0 where it says none."""
    found = MAJOR.search(answer.text)
    return int(found[1]) if found else 0


def postgresql_fits(plan: Plan) -> Reading[list[Check]]:
    """Look whether both servers are PostgreSQL 15 or newer, and each step's server and program can read the one before.

    pg_dump refuses a newer server, pg_restore refuses the archive of a newer pg_dump, an older server refuses a newer dump.
    """
    source, dest = yield tuple(Ask(admin_sql(plan, role, "SHOW server_version_num;")) for role in Role)
    asked = ((Role.SOURCE, "pg_dump"), (Role.SOURCE, "pg_restore"), (Role.DEST, "pg_restore"))
    programs = yield tuple(Ask(Command(role, (program(plan, name), "--version"))) for role, name in asked)
    servers = [int(answer.text) // 10000 for answer in (source, dest)]
    dump, lists, restores = (_major(answer) for answer in programs)
    why = "the core's schema needs 15; an older server refuses a newer dump"
    remedy = "install the newer one beside the old one; the plan names its folder: databases.postgresql.admin.programs"
    expected = "15 or newer, dest not older"
    held = OLDEST_POSTGRESQL <= servers[0] <= servers[1]
    chain = [servers[0], dump, min(lists, restores)]
    return [
        Check("PostgreSQL major of source and dest", Witness.SQL, expected, servers, held, 2, 2, why=why, remedy=remedy),
        Check(
            "majors of the source's server, its pg_dump, and the older pg_restore",
            Witness.PROCESSES,
            "each at least the one before",
            chain,
            chain == sorted(chain),
            len(chain),
            len(chain),
            why="pg_dump refuses a newer server, pg_restore a newer dump",
            remedy=remedy,
        ),
    ]


def runs_the_core(plan: Plan) -> Reading[list[Check]]:
    """Look whether the dest has what runs the source's core: its node, of the same major version; or an engine for its image."""
    return (yield from engines_fit(plan)) if plan.core.docker else [(yield from _same_node(plan))]


def _same_node(plan: Plan) -> Reading[Check]:
    found = yield from masters(plan, Role.SOURCE)
    name = "what runs the core: its major version on the source and the dest"
    argv = [text for one in found["running"] for text in one["argv"]]
    if len(argv) < 2 or after_program(argv) is None:  # noqa: PLR2004 - a program and what it runs
        return equal(
            name, Witness.PROCESSES, "the same", "no master of a core runs on the source", 0, remedy="start the source core"
        )
    asked = tuple(Ask(Command(role, (argv[0], "--version"), exits=tuple(range(256)))) for role in Role)
    source, dest = yield asked
    majors = [_major(source), _major(dest) if dest.exit == 0 else 0]
    remedy = f"install {source.text or argv[0]} as {argv[0]} on the dest"
    why = "packages that are built for one major do not load in another"
    held = majors[0] == majors[1] > 0
    observed = [source.text or f"exit {source.exit}", dest.text if dest.exit == 0 else f"exit {dest.exit}"]
    return Check(name, Witness.PROCESSES, "the same", observed, held, len(majors), len(majors), why=why, remedy=remedy)


def clocks_agree() -> Reading[Check]:
    """Look at both clocks at the same moment, and at ours; the asking itself takes some milliseconds."""
    asked = tuple(Ask(Command(role, ("date", "+%s.%N"))) for role in Role)
    answers = yield asked
    source, dest = (float(answer.text) for answer in answers)
    skew, ours = dest - source, time.time() - source
    held = abs(skew) <= LARGEST_SKEW_S and abs(ours) <= LARGEST_SKEW_S + max(answer.seconds for answer in answers)
    observed = f"dest {skew:+.2f} s, here {ours:+.2f} s"
    why = "a dest behind the source makes new data look older than what clients have seen"
    return Check(
        "clocks beside the source's", Witness.PROCESSES, "within 1 s", observed, held, 2, 2, why=why, remedy="set the clocks (NTP)"
    )
