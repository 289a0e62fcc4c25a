"""Who answers for the public name: asked where the harness runs, of the resolver, then of the zone's own servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver

from harness.cutover.dns import resolve
from harness.deed import Resolve
from harness.discovery.found import FoundNames
from harness.errors import Unreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

PORT = 53
Server = tuple[str, str, int]


def names(name: str, given: Sequence[tuple[str, int]] = ()) -> FoundNames:
    """Return who answers for a name; the servers are those `given` (address, port), else those that the zone names.

    What cannot be found is said in `problem`, and is for the operator to fill in: a zone may be known to its own servers only.
    """
    zone, primary, servers = "", "", tuple((address, address, port) for address, port in given)
    try:
        zone, primary, found = _asked(name)
        servers = servers or found
    except (dns.exception.DNSException, OSError) as error:
        if not servers:
            return FoundNames(
                name, problem=f"the resolver here does not tell who serves {name}: {str(error) or type(error).__name__}"
            )
        zone = name.partition(".")[2]
    answers = []
    for _, address, port in servers:
        for kind in ("A", "AAAA"):
            try:
                answers.append(resolve(Resolve(f"{address}:{port}", name, kind)))
            except Unreachable as error:
                return FoundNames(name, zone, servers, primary, problem=str(error))
    addresses = tuple(dict.fromkeys(text for answer in answers for text in answer.texts))
    return FoundNames(name, zone, servers, primary, max((answer.ttl for answer in answers), default=0), addresses)


def _asked(name: str) -> tuple[str, str, tuple[Server, ...]]:
    """Return the zone of a name, its primary by the SOA, and its name servers with an address each."""
    zone = dns.resolver.zone_for_name(name)
    primary = dns.resolver.resolve(zone, "SOA")[0].mname.to_text(omit_final_dot=True)
    hosts = [one.target.to_text(omit_final_dot=True) for one in dns.resolver.resolve(zone, "NS")]
    servers = [(host, str(one), PORT) for host in sorted(hosts) for one in list(dns.resolver.resolve(host, "A"))[:1]]
    return zone.to_text(omit_final_dot=True), primary, tuple(servers)
