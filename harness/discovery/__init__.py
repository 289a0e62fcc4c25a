"""A plan written from what two hosts tell by SSH; nothing is changed on either, and no secret is written.

The readings are those of the runbook. They need a plan, so one is made of what is known so far: first of the two ways, then of the
core that was found. `found` holds what they tell, `writing` makes the plan's text of it.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from harness.deed import Ask, Command, Role
from harness.discovery import core, hosts, names, source, writing
from harness.discovery.found import Found, FoundCore
from harness.discovery.keys import demand_pinned
from harness.errors import PlanError, Refused
from harness.live.looking import looking
from harness.plan import parse
from harness.run.opening import reach
from harness.transport.ssh import settled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from harness.configuration import Config
    from harness.deed import Reading
    from harness.live.looking import Looks
    from harness.plan import Plan

SSH = re.compile(r"(?:(?P<user>[^@\s]+)@)?(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^@:\s\[\]]+))(?::(?P<port>\d{1,5}))?")
PLACES = {Role.SOURCE: "192.0.2.1", Role.DEST: "192.0.2.2"}  # until the addresses are known (RFC 5737)
DEFAULT_PORT = 53
UNKNOWN_CORE = FoundCore("/opt/unknown/app", "root", ("/opt/unknown/config/",), "command", None, "")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What was typed: the two ways, files that ssh reads, name servers as (address, port), and how a person is asked."""

    source: str
    dest: str
    known_hosts: str
    ssh_config: str = ""
    identity_file: str = ""
    jump: str = ""
    name_servers: Sequence[tuple[str, int]] = ()
    tls_ca_file: str = ""
    ask: Callable[[str], str] | None = None


def way(typed: str, wanted: Wanted) -> dict[str, Any]:
    """Return the part `ssh` of a host from user@host:port or a name of the ssh_config; raises Refused for what is neither."""
    extra = {"known_hosts": wanted.known_hosts, "config_file": wanted.ssh_config, "identity_file": wanted.identity_file}
    own = {key: of for key, of in extra.items() if of}
    key = {"identity_file": wanted.identity_file} if wanted.identity_file else {}
    jump = {"jump": {**_endpoint(wanted.jump), **key}} if wanted.jump else {}
    return {**_endpoint(typed), **own, **jump}


def _endpoint(typed: str) -> dict[str, Any]:
    found = SSH.fullmatch(typed)
    if not found:
        raise Refused(f"{typed}: must be user@host, user@host:port, or a name of the ssh_config")
    port = {"port": int(found["port"])} if found["port"] else {}
    user = {"user": found["user"]} if found["user"] else {}
    return {"host": found["six"] or found["host"], **port, **user}


def endpoint(typed: str) -> tuple[str, int]:
    """Return a name server's address and port from ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT; raises Refused."""
    if typed.count(":") > 1 and not typed.startswith("["):
        return typed, DEFAULT_PORT
    found = _endpoint(typed)
    return str(found["host"]), int(found.get("port", DEFAULT_PORT))


def discover(wanted: Wanted) -> Found:
    """Look at both hosts and at the public name; raises a HarnessError that names the host, the cause and what to do next."""
    ways = {Role.SOURCE: way(wanted.source, wanted), Role.DEST: way(wanted.dest, wanted)}
    first = _plan(ways, UNKNOWN_CORE, wanted)
    for role in Role:
        demand_pinned(role, first.host(role).ssh, wanted.ask)
    for role in Role:
        how = _become(first, role)
        ways[role] |= {"become": how} if how == "sudo" else {}
    with looks(_plan(ways, UNKNOWN_CORE, wanted)) as look:
        found = look(core.core())
    with looks(plan := _plan(ways, found, wanted)) as look:
        version, config = look(source.version(plan)), look(source.config(plan))
    url = _public(config)
    of_name = names.names(urlsplit(url).hostname or "", wanted.name_servers)
    with looks(plan := _plan(ways, found, wanted, url, of_name.addresses[:1])) as look:
        moves = look(source.source(plan, found, config, version))
        to = look(hosts.dest(plan, writing.data_folders(config)))
    shown = tuple({key: of for key, of in ways[role].items() if key != "become"} for role in Role)
    made = datetime.now(UTC).date().isoformat()
    return Found((shown[0], shown[1]), moves, to, of_name, wanted.tls_ca_file, made)


def _public(config: Config) -> str:
    url = source.public_url(config)
    if not url.startswith("https://"):
        cause = f"its config says {url}" if url else "its config names none (dnsLess.publicUrl, core.url or dns.domain)"
        raise core.NotFound(f"the source's core has no public https URL: {cause}")
    return url


@contextmanager
def looks(plan: Plan) -> Iterator[Looks]:
    """Give what makes looks at both hosts of a plan; nothing can be done by it."""
    performer = reach(plan)
    try:
        with looking(performer) as look:
            yield look
    finally:
        performer.close()


def _become(plan: Plan, role: Role) -> str:
    """Return how we become root on a host; raises NotLetBecomeRoot, with what to allow, where we cannot."""
    ids = Ask(Command(role, ("id", "-u")))
    with looks(plan) as look:
        if look(_asked(ids)) == "0":
            return "none"
    host = plan.host(role)
    by_sudo = host.model_copy(update={"ssh": host.ssh.model_copy(update={"become": "sudo"})})
    with looks(plan.model_copy(update={role.value: by_sudo})) as look:
        look(_asked(ids))
    return "sudo"


def _asked(question: Ask) -> Reading[str]:
    text: str = (yield question).text
    return text


def _plan(
    ways: Mapping[Role, Mapping[str, Any]],
    found: FoundCore,
    wanted: Wanted,
    url: str = "https://unknown.invalid",
    source_address: Sequence[str] = (),
) -> Plan:
    """Return a plan of what is known so far; raises PlanError for what was typed or found and cannot stand in one."""
    nothing = ["false"]
    places = {**PLACES, Role.SOURCE: (*source_address, PLACES[Role.SOURCE])[0]}
    verbs = ("start", "stop", "status", "logs", "enable", "fence", "unfence")
    part = dict(found.part) if found.part else dict.fromkeys(verbs, nothing)
    content = {
        "change": {"id": "init", "title": "init", "operator": "init", "approver": "init", "expected_downtime_s": 1},
        "core": {
            "public_url": url,
            "deploy": found.deploy,
            found.deploy: part,
            "user": found.user,
            "app_path": found.app,
            "config_paths": list(found.config_paths),
        },
        **{role.value: {"ssh": dict(ways[role]), "address": places[role]} for role in Role},
        "planned_changes": {},
        "cutover": {"strategy": "dns", "dns": {"provider": "manual", "servers": [{"address": "192.0.2.53"}], "ttl": 60}},
        "backup": {"file": "/nonexistent", "max_age_h": 1},
        "verification_user": {
            "username": "verify01",
            "email": "verify01@example.com",
            "password": {"env": "VERIFICATION_PASSWORD"},
            "app_id": "pryv-verify",
            "origin": "https://example.com",
        },
        **({"tls_ca_file": wanted.tls_ca_file} if wanted.tls_ca_file else {}),
    }
    content["dest"]["install"] = writing.INSTALLS.get(found.deploy, "copy-tree")  # type: ignore[index]  # a mapping
    return settled(parse(json.dumps(content).encode(), "of what was found"))


def write(wanted: Wanted, out: Path) -> str:
    """Write the plan, and return what is still to be done; raises Refused where the file is there already."""
    if out.exists():
        raise Refused(f"{out} is there already and is not overwritten: name another (--out), or remove it")
    text = writing.text(discover(wanted))
    try:
        with out.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise Refused(f"{out} is there already and is not overwritten: name another (--out), or remove it") from None
    return "\n".join([f"written: {out}", *_left(text, out)])


def _left(text: str, out: Path) -> list[str]:
    """Return what the operator must do before the plan can be used."""
    try:
        parse(text.encode(), str(out))
    except PlanError as error:
        return [
            "to fill in:",
            *(f"  {problem}" for problem in error.problems),
            f"then see what would be done: pytest features/ --plan {out} --dry-run",
        ]
    return [f"see what would be done: pytest features/ --plan {out} --dry-run"]
