"""Cut-over by DNS: the names that move are pointed at a host, and every authoritative server is asked what it answers."""

from __future__ import annotations

import ipaddress
import secrets
from typing import TYPE_CHECKING

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

from harness.check import Check, Witness, equal
from harness.cutover.changing import KINDS, PATIENCE_S, ask_person, update
from harness.deed import DnsAnswer, DnsUpdate, OperatorDeed, Resolve, Role
from harness.errors import Unreachable
from harness.plan import ManualPart, Rfc2136Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.deed import Act, Reading
    from harness.plan import Plan

ANSWERS = ("NOERROR", "NXDOMAIN")  # every other code says nothing about the name


def resolve(asked: Resolve) -> DnsAnswer:
    """Ask one authoritative server; raises Unreachable when it does not answer, or answers what it has from hearsay."""
    address, _, port = asked.server.rpartition(":")
    message = dns.message.make_query(asked.name, asked.kind)
    message.flags &= ~dns.flags.RD
    try:
        answer, _ = dns.query.udp_with_fallback(message, address, timeout=PATIENCE_S, port=int(port))
    except (dns.exception.DNSException, OSError) as error:
        raise Unreachable(f"name server {asked.server}", f"asking {asked}", str(error) or type(error).__name__) from error
    code = dns.rcode.to_text(answer.rcode())
    if code in ANSWERS and not answer.flags & dns.flags.AA:
        raise Unreachable(f"name server {asked.server}", f"asking {asked}", f"it is not authoritative for {asked.name}")
    records = [rrset for rrset in answer.answer if dns.rdatatype.to_text(rrset.rdtype) == asked.kind]
    texts = sorted(str(record) for rrset in records for record in rrset)
    return DnsAnswer(asked.server, code, tuple(texts), min((rrset.ttl for rrset in records), default=0))


def records(plan: Plan, role: Role) -> tuple[tuple[str, str], ...]:
    """Return the address records that lead to a role's host, as (type, text)."""
    host = plan.host(role)
    addresses = [address for address in (host.address, host.address6) if address]
    return tuple(("A" if isinstance(one, ipaddress.IPv4Address) else "AAAA", str(one)) for one in addresses)


def point(plan: Plan, role: Role) -> Act:
    """Point every name that moves at a role's host; addresses that the host has not are removed."""
    part, wanted = plan.cutover.dns, records(plan, role)
    if isinstance(part, ManualPart):
        yield please(plan, role)
        return
    zone = part.zone if isinstance(part, Rfc2136Part) else ""
    for name in plan.dns_names:
        yield DnsUpdate(zone, name, part.ttl, wanted)


def please(plan: Plan, role: Role) -> OperatorDeed:
    """Return what a person is asked to do at the DNS provider."""
    wanted = " and ".join(f"{kind} {text}" for kind, text in records(plan, role))
    names, ttl = ", ".join(plan.dns_names), plan.cutover.dns.ttl
    return OperatorDeed(f"please point {names} to {wanted} (TTL {ttl} s) at your DNS provider, and leave no other A or AAAA record")


def patience_s(plan: Plan) -> float:
    """Return how long the servers are given until all of them answer the new address."""
    return plan.cutover.dns.within_s


def _asked(plan: Plan, names: Sequence[str]) -> list[tuple[str, Resolve]]:
    """Return what to ask of whom, by the plan's name; a wildcard is asked by a label below it that nobody can have set up."""
    label = f"any-{secrets.token_hex(6)}"
    return [
        (name, Resolve(str(server), name.replace("*", label, 1), kind))
        for name in names
        for server in plan.cutover.dns.servers
        for kind in KINDS
    ]


def _answers(plan: Plan) -> Reading[list[tuple[str, Resolve, DnsAnswer]]]:
    """Ask every server for every name that moves and for the public name; raises Unreachable for a code that says nothing."""
    asked = _asked(plan, list(dict.fromkeys((plan.core.public_name, *plan.dns_names))))
    answers: list[DnsAnswer] = yield tuple(question for _, question in asked)
    for answer in answers:
        if answer.code not in ANSWERS:
            raise Unreachable(f"name server {answer.server}", "asking for an address", f"it answered {answer.code}")
    return [(name, question, answer) for (name, question), answer in zip(asked, answers, strict=True)]


def every_server_answers(plan: Plan, role: Role) -> Reading[Check]:
    """Look whether every authoritative server gives this host's addresses, and nothing else, for every name that moves."""
    answers = yield from _answers(plan)
    observed: dict[str, list[str]] = {f"{name} at {question.server}": [] for name, question, _ in answers}
    for name, question, answer in answers:
        observed[f"{name} at {question.server}"] += [str(ipaddress.ip_address(text)) for text in answer.texts]
    wanted = [text for _, text in records(plan, role)]
    expected = dict.fromkeys(observed, wanted)
    why = "a server that answers the old address sends users to a host that does not serve them"
    title = f"addresses of {', '.join(plan.dns_names)}"
    return equal(title, Witness.DNS, expected, observed, len(observed), len(observed), why=why)


def ttl_is_low(plan: Plan) -> Reading[Check]:
    """Look whether each name's TTL is at most the planned one at every server: resolvers keep an answer that long."""
    part = plan.cutover.dns
    answers = yield from _answers(plan)
    observed = {f"{question.kind} {name} at {question.server}": answer.ttl for name, question, answer in answers if answer.texts}
    # Each name has, at each server, every type of address that the source has.
    least = len({(name, question.server) for name, question, _ in answers}) * len(records(plan, Role.SOURCE))
    low = all(ttl <= part.ttl for ttl in observed.values())
    remedy = "lower the record's TTL and wait until the old one has passed"
    title, expected = "TTL of the names that move, seconds", f"at most {part.ttl}"
    return Check(title, Witness.DNS, expected, observed, low, len(observed), least, remedy=remedy)


__all__ = [
    "ask_person",
    "every_server_answers",
    "patience_s",
    "point",
    "records",
    "resolve",
    "ttl_is_low",
    "update",
]
