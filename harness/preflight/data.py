"""What is there: the source's core, its data, its backup; and what must not be on the dest."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.check import Check, Witness, equal
from harness.container import copied_out, described
from harness.core_api import call
from harness.deed import Ask, Command, Role
from harness.roots import data_roots, why_not
from harness.sending import claimed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.configuration import Config
    from harness.deed import CommandResult, Reading
    from harness.plan import Plan
    from harness.roots import DataRoot

# The engines that this version moves, by what a core keeps in them (its config's storages.<kind>.engine).
MOVED = {
    "base": {"postgresql"},
    "platform": {"postgresql", "rqlite"},
    "series": {"postgresql", "sqlite"},
    "audit": {"postgresql", "sqlite"},
    "file": {"postgresql", "filesystem"},
}
V1_GUIDE = "a v1 core is moved by Pryv.io's own v1 guides (core migration, register migration), or taken to v2 first"

IN_AN_APP = "this version does not look for a core's own paths in an app of Dokku: it cannot be moved whole (docs/deploy-kinds.md)"


def core_is_v2(plan: Plan) -> Reading[Check]:
    """Look at the version of the source's core: this runbook moves v2; v1, which lies otherwise, has guides of its own."""
    path = f"{plan.core.app_path}/package.json"
    package = (yield from copied_out(Role.SOURCE, (yield from described(plan, Role.SOURCE)), [path])).get(path)
    if plan.core.docker is None:
        answer: CommandResult = yield Ask(Command(Role.SOURCE, ("cat", path), exits=(0, 1)))
        package = None if answer.exit else answer.out
    name = "version of the source core"
    if package is None:
        remedy = IN_AN_APP if plan.core.dokku else f"name the core's tree in the plan (core.app_path); {V1_GUIDE}"
        return equal(name, Witness.FILES, "2.…", f"there is no {path}", remedy=remedy)
    version = str(json.loads(package).get("version", ""))
    return Check(name, Witness.FILES, "2.…", version, version.startswith("2."), 1, remedy=V1_GUIDE)


def source_found(plan: Plan, config: Config) -> Reading[list[Check]]:
    """Look whether the data roots, or what they lead to, hold something and can be moved; and whom the public name serves."""
    roots = data_roots(config)
    checks = [engines_are_moved(config), _can_be_moved(plan, roots)]
    for root in roots:
        found = yield Ask(Command(Role.SOURCE, ("find", f"{root.path}/", "-maxdepth", "2"), exits=(0, 1)))
        leads = yield Ask(Command(Role.SOURCE, ("readlink", "-m", root.path)))
        real = "" if leads.text == root.path else f" in {leads.text}"
        paths = len(found.lines)
        remedy = "find out where the running core has its data: its config says another place"
        name, observed = f"data root {root.path}", f"{paths} paths{real}"
        expected, least = ("a folder, or not there", 0) if root.beside else ("holds data", 2)
        held, seen = paths >= least, paths + int(root.beside)
        checks.append(Check(name, Witness.FILES, expected, observed, held, seen, remedy=remedy))
    answer = yield Ask(call("GET", "/reg/service/info"))
    serial = str(answer.json().get("serial")) if answer.status == 200 else f"status {answer.status}"  # noqa: PLR2004 - HTTP OK
    checks.append(equal("serial under the public name", Witness.API, str(config["service.serial"]), serial))
    return checks


def engines_are_moved(config: Config) -> Check:
    """Check that this version moves every engine that the source's config uses: what it does not know would stay behind."""
    engines = config.engines()
    observed = {kind: engine for kind, engine in engines.items() if engine not in MOVED[kind]}
    why = "what is kept there would stay behind, and nothing here would tell"
    remedy = "this core cannot be moved by this version"
    return equal("engines that are not moved", Witness.FILES, {}, observed, len(engines), why=why, remedy=remedy)


def _can_be_moved(plan: Plan, roots: Sequence[DataRoot]) -> Check:
    """Check that no data root holds what is moved otherwise, or stays."""
    others = [path.rstrip("/") for path in (*plan.core.folders, plan.run_folder)]
    observed = {root.path: said for root in roots if (said := why_not(root, others))}
    remedy = "let the config name a folder of its own for these data"
    name = "places of data that cannot be moved"
    return equal(name, Witness.FILES, {}, observed, len(roots), why="they would be overwritten as a whole", remedy=remedy)


def nothing_overwritten(plan: Plan, roots: Iterable[str], database: str) -> Reading[list[Check]]:
    """Look for what lies where this move will write on the dest, and that this run did not make."""
    mine = yield from claimed(plan, Role.DEST)
    there = [plan.core.app_path] if plan.dest.install == "none" else []
    paths = [path for path in (one.rstrip("/") for one in (*plan.core.folders, *roots)) if path not in there]
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
