"""What must be known before anything is touched, and before the core is installed on the dest."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.check import Check, Witness, equal
from harness.core_api import call
from harness.deed import Ask, Command, PinnedKeys, Role
from harness.host import python
from harness.roots import data_roots, why_not
from harness.sending import claim, claimed, send

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.configuration import Config
    from harness.deed import Act, Reading
    from harness.plan import Plan
    from harness.roots import DataRoot

SQLITE = "python3's sqlite3"  # its smallest package comes without
COMMON = ("python3", SQLITE, "rsync", "ssh", "sha256sum", "setpriv", "ps", "ss", "find", "stat", "sync")
TOOLS = {
    Role.SOURCE: (*COMMON, "ssh-keygen", "psql", "pg_dump", "pg_restore"),
    Role.DEST: (*COMMON, "psql", "pg_restore", "vacuumdb"),
}
WHICH = """for name; do command -v "$name" >/dev/null && echo "$name"; done
python3 -c 'import sqlite3' 2>/dev/null && echo "python3's sqlite3"; true"""
OLDEST_POSTGRESQL = 15
LARGEST_SKEW_S = 1.0
ROOM = 2.5
# The last line is the sum of those that are there.
SIZES = 'for path; do shift; [ ! -e "$path" ] || set -- "$@" "$path"; done; exec du -skc -- "$@"'
INSTALL_EXCLUDES = ("*__pycache__*", "config/override-config.yml")


def keys_are_pinned(role: Role) -> Reading[Check]:
    """Look whether the host, asked through a strictly checked connection, still has the key that the plan pins."""
    pinned = yield PinnedKeys(role)
    served = yield Ask(Command(role, ("sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub")))
    has = {" ".join(text.split()[:2]) for text in served.lines}
    held = bool(has & set(pinned))
    remedy = "find out who changed the host or its keys before going on"
    return Check(
        f"host key of the {role}", Witness.SSH, "a pinned one", "a pinned one" if held else "another", held, len(has), remedy=remedy
    )


def core_is_v2(plan: Plan) -> Reading[Check]:
    """Look at the version of the source's core: this runbook moves v2; v1 has a guide of its own."""
    package = (yield Ask(Command(Role.SOURCE, ("cat", f"{plan.core.app_path}/package.json")))).json()
    version = str(package.get("version", ""))
    remedy = "a v1 core is moved by the v1 guide"
    return Check("version of the source core", Witness.FILES, "2.…", version, version.startswith("2."), 1, remedy=remedy)


def source_found(plan: Plan, config: Config) -> Reading[list[Check]]:
    """Look whether the data roots that the config names are there, hold something and can be moved, and the name serves it."""
    roots = data_roots(config)
    checks = [_can_be_moved(plan, roots)]
    for root in roots:
        found = yield Ask(Command(Role.SOURCE, ("find", root.path, "-maxdepth", "2"), exits=(0, 1)))
        paths = len(found.lines)
        expected, least = ("holds data", 1) if not root.beside else ("a folder, or not there", -1)
        checks.append(
            Check(f"data root {root.path}", Witness.FILES, expected, f"{paths} paths", paths > least, paths + int(root.beside))
        )
    answer = yield Ask(call("GET", "/reg/service/info"))
    serial = str(answer.json().get("serial")) if answer.status == 200 else f"status {answer.status}"  # noqa: PLR2004 - HTTP OK
    checks.append(equal("serial under the public name", Witness.API, str(config["service.serial"]), serial))
    return checks


def _can_be_moved(plan: Plan, roots: Sequence[DataRoot]) -> Check:
    """Check that no data root holds what is moved otherwise, or stays."""
    others = [path.rstrip("/") for path in (*plan.core.config_paths, plan.core.app_path, plan.run_folder)]
    observed = {root.path: said for root in roots if (said := why_not(root, others))}
    remedy = "let the config name a folder of its own for these data"
    name = "places of data that cannot be moved"
    return equal(name, Witness.FILES, {}, observed, len(roots), why="they would be overwritten as a whole", remedy=remedy)


def tools_are_there(role: Role) -> Reading[Check]:
    """Look for the programs that the steps run on this host."""
    found = yield Ask(Command(role, ("sh", "-c", WHICH, "which", *TOOLS[role])))
    missing = sorted(set(TOOLS[role]) - set(found.lines))
    return equal(
        f"missing programs on the {role}", Witness.PROCESSES, [], missing, len(found.lines), remedy="install them on that host"
    )


def postgresql_fits(plan: Plan) -> Reading[Check]:
    """Look whether both servers are PostgreSQL 15 or newer, and the dest's major is the source's or newer."""
    admin = plan.databases.postgresql.admin.system_user
    asked = tuple(
        Ask(Command(role, ("psql", "-XqAt", "-d", "postgres", "-c", "SHOW server_version_num"), as_user=admin)) for role in Role
    )
    answers = yield asked
    source, dest = (int(answer.text) // 10000 for answer in answers)
    held = OLDEST_POSTGRESQL <= source <= dest
    why = "the core's schema needs 15; an older server refuses a newer dump"
    return Check(
        "PostgreSQL major of source and dest", Witness.SQL, "15 or newer, dest not older", [source, dest], held, 2, 2, why=why
    )


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


def _kilobytes(role: Role, path: str) -> Ask:
    return Ask(Command(role, ("sh", "-c", 'p=$0; while [ ! -d "$p" ]; do p=$(dirname "$p"); done; df -Pk "$p" | tail -n 1', path)))


def room_on_dest(plan: Plan, roots: Iterable[str], database: str) -> Reading[Check]:
    """Look whether the dest has 2.5 times the room of what arrives: files, dump and database."""
    admin = plan.databases.postgresql.admin.system_user
    size = "SELECT pg_database_size(datname) / 1024 FROM pg_database WHERE datname = :'db'"
    psql = Command(
        Role.SOURCE, ("psql", "-XqAt", "-d", "postgres", "-v", f"db={database}", "-f", "-"), input=size.encode(), as_user=admin
    )
    tables = int((yield Ask(psql)).text)
    files = yield Ask(Command(Role.SOURCE, ("sh", "-c", SIZES, "sizes", *roots), timeout_s=3600.0))
    arrives = tables + int(files.lines[-1].split()[0])
    places = [plan.run_folder, *roots]
    free = [int(answer.text.split()[3]) for answer in (yield tuple(_kilobytes(Role.DEST, place) for place in places))]
    held = min(free) >= ROOM * arrives
    return Check(
        "room on the dest, kB",
        Witness.FILES,
        f"at least {ROOM * arrives:.0f}",
        min(free),
        held,
        len(free),
        len(places),
        remedy="make room",
    )


def nothing_overwritten(plan: Plan, roots: Iterable[str], database: str) -> Reading[list[Check]]:
    """Look for what lies where this move will write on the dest, and that this run did not make."""
    mine = yield from claimed(plan, Role.DEST)
    paths = [path.rstrip("/") for path in (*plan.core.config_paths, plan.core.app_path, *roots)]
    script = 'for path; do [ -n "$(ls -A "$path" 2>/dev/null)" ] && echo "$path"; done; true'
    filled = (yield Ask(Command(Role.DEST, ("sh", "-c", script, "filled", *paths)))).lines
    admin = plan.databases.postgresql.admin.system_user
    asked = Command(Role.DEST, ("psql", "-XqAt", "-d", "postgres", "-c", "SELECT datname FROM pg_database"), as_user=admin)
    databases = (yield Ask(asked)).lines
    own = [thing.removeprefix("path ") for thing in mine if thing.startswith("path ")]
    strange = [path for path in filled if not any(path == one or path.startswith(f"{one}/") for one in own)]
    strange_database = [name for name in databases if name == database and f"database {name}" not in mine]
    remedy = "this dest holds a core's data already: choose an empty one, or move them away yourself"
    return [
        equal("folders that would be overwritten", Witness.FILES, [], strange, len(paths), remedy=remedy),
        equal("databases that would be overwritten", Witness.SQL, [], strange_database, len(databases), remedy=remedy),
    ]


def certificate_on_dest(plan: Plan) -> Reading[Check]:
    """Look whether the dest answers TLS with a valid certificate for the public name; no core is there yet."""
    answer = yield Ask(call("GET", "/reg/service/info", via=Role.DEST))
    name = f"certificate for {plan.core.public_name} on the dest"
    return Check(name, Witness.API, "verified", f"verified, status {answer.status}", held=answer.status > 0, examined=1)


def backup_is_fresh(plan: Plan) -> Check:
    """Look at the file that proves a backup: there, not empty, not too old."""
    path, name = Path(plan.backup.file), "backup of the source"
    if not path.is_file():
        return equal(name, Witness.FILES, "a file", f"{path} is not there", 1, remedy="make a backup, then run again")
    found = path.stat()
    age_h = (time.time() - found.st_mtime) / 3600
    held = found.st_size > 0 and age_h <= plan.backup.max_age_h
    return Check(
        name,
        Witness.FILES,
        f"at most {plan.backup.max_age_h:g} h old",
        f"{age_h:.1f} h, {found.st_size} bytes",
        held,
        found.st_size,
    )


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
