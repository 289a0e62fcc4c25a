"""What is looked at on both hosts: the system, the addresses, as whom we come; and on the dest what is there already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.deed import Ask, Command, Role
from harness.discovery.found import FoundDest, FoundHost
from harness.preflight.hosts import programs
from harness.preflight.hosts import tools_are_there as tools

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.deed import Reading
    from harness.plan import Plan

SYSTEM = '. /etc/os-release 2>/dev/null; echo "${PRETTY_NAME:-an unknown system}, $(uname -m)"'
# Those of an engine's bridges are nobody's way to the host.
ADDRESSES = 'ip -o addr show scope global 2>/dev/null | awk \'$2 !~ /^(docker|br-|veth)/ {sub("/.*", "", $4); print $4}\'; true'
SERVER = 'for path in /usr/lib/postgresql/*/bin/postgres; do [ -x "$path" ] && "$path" --version; done | tail -n 1; true'
FILLED = 'for path; do [ -n "$(ls -A "$path" 2>/dev/null)" ] && echo "$path"; done; true'
FREE = 'p=$0; while [ ! -d "$p" ]; do p=$(dirname "$p"); done; df -Pk "$p" | tail -n 1'


def host(plan: Plan, role: Role) -> Reading[FoundHost]:
    """Return what a host is."""
    system, addresses = yield (Ask(Command(role, ("sh", "-c", SYSTEM))), Ask(Command(role, ("sh", "-c", ADDRESSES))))
    part = plan.host(role).ssh
    return FoundHost(system.text, tuple(addresses.lines), part.user or "", part.become)


def dest(plan: Plan, roots: Sequence[str]) -> Reading[FoundDest]:
    """Return what the dest has: programs, PostgreSQL, room where the data will lie, and what would be overwritten."""
    found = yield from host(plan, Role.DEST)
    check = yield from tools(plan, Role.DEST)
    server = (yield Ask(Command(Role.DEST, ("sh", "-c", SERVER)))).text
    paths = [path.rstrip("/") for path in (*plan.core.config_paths, plan.core.app_path, *roots)]
    filled = (yield Ask(Command(Role.DEST, ("sh", "-c", FILLED, "filled", *paths)))).lines
    free = (yield Ask(Command(Role.DEST, ("sh", "-c", FREE, roots[0])))).text.split()
    missing = tuple(name for name in check.observed if name in programs(plan, Role.DEST))
    return FoundDest(found, server, missing, int(free[3]), tuple(filled))
