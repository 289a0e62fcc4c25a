"""What all cores share: the platform's listing and the core's own row in it, in PostgreSQL or in rqlite."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from harness import rqlite
from harness.check import Check, Witness, equal
from harness.core_api import call
from harness.deed import Ask, Query, Role, Secret

if TYPE_CHECKING:
    from harness.configuration import Config
    from harness.deed import Reading
    from harness.plan import Plan

NONE = "none is published"


def listed_once(plan: Plan, config: Config) -> Reading[Check]:
    """Look whether the platform lists the core once, available, under the public URL (the listing shows no address)."""
    answer = yield Ask(call("GET", "/system/admin/cores", token=Secret(str(config["auth.adminAccessKey"]))))
    cores = answer.json().get("cores", [])
    observed = [{key: core.get(key) for key in ("id", "url", "available")} for core in cores]
    expected = [{"id": config["core.id"], "url": plan.core.public_url.rstrip("/") + "/", "available": True}]
    return equal("the platform's listing", Witness.API, expected, observed, len(cores))


def row_has_address(config: Config) -> Reading[Check]:
    """Look at the core's row in the platform database: it carries the address that the core publishes now, or none."""
    if rqlite.used(config):
        rows = yield from rqlite.own_row(Role.DEST, config)
    else:
        found = yield Query(config.login(Role.DEST), "SELECT value FROM platform_kv WHERE key = %s", (rqlite.core_key(config),))
        rows = [json.loads(value) for (value,) in found]
    observed = [row.get("ip", NONE) for row in rows]
    return equal("address in the core's row", Witness.SQL, [config.get("core.ip") or NONE], observed, len(rows))
