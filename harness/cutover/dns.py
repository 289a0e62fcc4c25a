"""Cut-over by DNS: updates signed with TSIG (RFC 2136, RFC 8945), and what every authoritative server answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.exception
import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update

from harness.check import Check, Witness, equal
from harness.deed import DnsAnswer, DnsUpdate, Resolve, Role
from harness.errors import DeedFailed, Unreachable

if TYPE_CHECKING:
    from harness.deed import Act, Reading
    from harness.plan import DnsPart, Plan

PATIENCE_S = 5.0


def _split(server: str) -> tuple[str, int]:
    address, port = server.rsplit(":", 1)
    return address, int(port)


def resolve(asked: Resolve) -> DnsAnswer:
    """Ask one authoritative server; raises Unreachable when it does not answer."""
    address, port = _split(asked.server)
    message = dns.message.make_query(asked.name, asked.kind)
    message.flags &= ~dns.flags.RD
    try:
        answer, _ = dns.query.udp_with_fallback(message, address, timeout=PATIENCE_S, port=port)
    except (dns.exception.DNSException, OSError) as error:
        raise Unreachable(f"name server {asked.server}", f"asking {asked}", str(error) or type(error).__name__) from error
    records = [rrset for rrset in answer.answer if dns.rdatatype.to_text(rrset.rdtype) == asked.kind]
    texts = sorted(str(record) for rrset in records for record in rrset)
    return DnsAnswer(
        asked.server, dns.rcode.to_text(answer.rcode()), tuple(texts), min((rrset.ttl for rrset in records), default=0)
    )


def update(part: DnsPart, deed: DnsUpdate) -> DnsAnswer:
    """Send an update to the first server; raises DeedFailed when it is refused, Unreachable when there is no answer."""
    address, port = _split(str(part.servers[0]))
    keyring = dns.tsigkeyring.from_text({part.key.name: part.key.secret.read().value})
    message = dns.update.UpdateMessage(deed.zone, keyring=keyring, keyalgorithm=part.key.algorithm)
    message.delete(f"{deed.name}.", "A")
    message.delete(f"{deed.name}.", "AAAA")
    for kind, text in deed.addresses:
        message.add(f"{deed.name}.", deed.ttl, kind, text)
    try:
        answer = dns.query.tcp(message, address, timeout=PATIENCE_S, port=port)
    except (dns.exception.DNSException, OSError) as error:
        raise Unreachable(f"name server {address}:{port}", f"sending {deed}", str(error) or type(error).__name__) from error
    code = dns.rcode.to_text(answer.rcode())
    if code != "NOERROR":
        raise DeedFailed(f"{deed}\nthe name server {address}:{port} refused: {code}")
    return DnsAnswer(str(part.servers[0]), code, tuple(text for _, text in deed.addresses), deed.ttl)


def _record(plan: Plan, role: Role) -> tuple[str, str]:
    address = plan.host(role).address
    return ("AAAA" if address.version == 6 else "A", str(address))  # noqa: PLR2004 - IPv6


def point(plan: Plan, role: Role) -> Act:
    """Point the public name at a role's host; addresses of the other kind go, as the host has none."""
    part = plan.cutover.dns
    yield DnsUpdate(part.zone, plan.core.public_name, part.ttl, (_record(plan, role),))


def every_server_answers(plan: Plan, role: Role) -> Reading[Check]:
    """Look whether every authoritative server gives this host's address, and nothing else, with the planned TTL at most."""
    part, name = plan.cutover.dns, plan.core.public_name
    servers = [str(server) for server in part.servers]
    answers = yield tuple(Resolve(server, name, kind) for server in servers for kind in ("A", "AAAA"))
    observed: dict[str, list[str]] = {server: [] for server in servers}
    for answer in answers:
        observed[answer.server] += answer.texts
    expected = {server: [_record(plan, role)[1]] for server in servers}
    why = "a server that answers the old address sends users to a host that does not serve them"
    return equal(f"addresses of {name}", Witness.DNS, expected, observed, len(servers), len(servers), why=why)


def ttl_is_low(plan: Plan) -> Reading[Check]:
    """Look whether the public name's TTL is at most the planned one at every server: resolvers keep an answer that long."""
    part, name = plan.cutover.dns, plan.core.public_name
    kind = _record(plan, Role.SOURCE)[0]
    answers = yield tuple(Resolve(str(server), name, kind) for server in part.servers)
    observed = {answer.server: answer.ttl for answer in answers if answer.texts}
    low = all(ttl <= part.ttl for ttl in observed.values())
    remedy = "lower the record's TTL and wait until the old one has passed"
    return Check(
        "TTL of the public name, seconds",
        Witness.DNS,
        f"at most {part.ttl}",
        observed,
        low,
        len(observed),
        len(part.servers),
        remedy=remedy,
    )
