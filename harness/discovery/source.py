"""What moves: read from the source by the readings of the runbook itself, for a plan of which only the core is known yet."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from harness.configuration import of_source
from harness.core_api import call
from harness.cutover.proxy import PORTS
from harness.databases.psql import admin_sql
from harness.deed import Ask, Command, Role, Secret
from harness.discovery.core import NotFound
from harness.discovery.found import FoundSource
from harness.discovery.hosts import host
from harness.discovery.proxy import proxy
from harness.errors import DeedFailed, HarnessError, Unreachable
from harness.preflight.data import core_is_v2
from harness.preflight.dest import SIZE, SUMMED
from harness.roots import data_roots

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.configuration import Config
    from harness.deed import CommandResult, Reading
    from harness.discovery.found import FoundCore
    from harness.plan import Plan

LONGEST_S = 3600.0


def public_url(config: Config) -> str:
    """Return the public URL by the config: a single core's publicUrl, or the own one of several; nothing where none is told."""
    if config.get("dnsLess.isActive"):
        return str(config.get("dnsLess.publicUrl") or "").rstrip("/")
    if own := config.get("core.url"):
        return str(own).rstrip("/")
    domain = config.get("dns.domain")
    return f"https://{config.get('core.id')}.{domain}" if domain else ""


def version(plan: Plan) -> Reading[str]:
    """Return the version of the source's core; raises NotFound for one that this runbook does not move."""
    check = yield from core_is_v2(plan)
    if not check.held:
        raise NotFound(f"the source's core is of version {check.observed}: {check.remedy}")
    return str(check.observed)


def config(plan: Plan) -> Reading[Config]:
    """Return the effective config of the source's core."""
    return (yield from of_source(plan))


def source(plan: Plan, core: FoundCore, found: Config, told: str) -> Reading[FoundSource]:
    """Return what moves, with sizes."""
    at = yield from host(plan, Role.SOURCE)
    server, database = yield from _postgresql(plan, found)
    roots = [root.path for root in data_roots(found)]
    sizes = yield tuple(_sized(path) for path in roots)
    ports = [int(found.get(key) or default) for key, default in PORTS.items()]
    before = yield from proxy(plan.core.public_name, ports)
    cores, topology = yield from _topology(found)
    return FoundSource(
        host=at,
        core=core,
        config=found,
        version=told,
        public_url=plan.core.public_url,
        postgresql=server,
        database_kb=database,
        roots_kb={path: _kilobytes(answer) for path, answer in zip(roots, sizes, strict=True)},
        proxy=None if isinstance(before, str) else before,
        no_proxy=before if isinstance(before, str) else "",
        cores=cores,
        topology=topology,
    )


def _sized(path: str) -> Ask:
    return Ask(Command(Role.SOURCE, ("sh", "-c", SUMMED, "-skcL", f"{path}/"), timeout_s=LONGEST_S, exits=(0, 1)))


def _kilobytes(answer: CommandResult) -> int:
    return int(answer.lines[-1].split()[0]) if answer.lines else 0


def _postgresql(plan: Plan, found: Config) -> Reading[tuple[str, int]]:
    """Return the version of the source's PostgreSQL and the size of its database, kB; why not, and 0, where it cannot be asked."""
    name = found.login(Role.SOURCE).database
    try:
        server = yield Ask(admin_sql(plan, Role.SOURCE, "SHOW server_version;"))
        size = yield Ask(admin_sql(plan, Role.SOURCE, SIZE, db=name))
    except DeedFailed:
        return f"cannot be asked as {plan.databases.postgresql.admin.system_user} (databases.postgresql.admin)", 0
    return server.text, int(size.text or 0)


def _topology(found: Config) -> Reading[tuple[tuple[str, ...], str]]:
    """Return the cores that the platform lists, and what that says: asked of the core with its admin key."""
    token = Secret(str(found.get("auth.adminAccessKey", "")))
    try:
        answer = yield Ask(call("GET", "/system/admin/cores", token=token, via=Role.SOURCE))
        listed: Sequence[dict[str, Any]] = answer.json().get("cores", [])
    except (Unreachable, json.JSONDecodeError) as error:
        return (), f"its platform's listing could not be read: {str(error).splitlines()[0]}"
    except HarnessError as error:
        return (), str(error).splitlines()[0]
    cores = tuple(f"{one.get('id')} ({one.get('url')})" for one in listed)
    if len(cores) > 1:
        return cores, f"one of {len(cores)} cores of its platform: only a single core is moved by this version"
    return cores, "a single core" if cores else f"its platform lists no core (status {answer.status})"
