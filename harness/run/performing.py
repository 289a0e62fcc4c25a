"""Performs deeds and observations: the only place where values become effects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness import core_api
from harness.cutover import dns
from harness.databases import postgresql
from harness.deed import Ask, Command, Compare, HttpRequest, OperatorDeed, PinnedKeys, Query, Resolve, Role
from harness.errors import Unreachable
from harness.host import Host, compare
from harness.transport.ssh import pinned_keys

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from harness.deed import Deed, HttpAnswer, Observation, Result
    from harness.plan import Plan


@dataclass(frozen=True, slots=True)
class Performer:
    """Reaches hosts, name servers and the core for one plan; `prompt` asks a person on the terminal, where there is one."""

    plan: Plan
    hosts: dict[Role, Host]
    prompt: Callable[[str], str] | None = None

    def hold(self, role: Role, number: int) -> None:
        """From now on a host refuses what we ask of it once another has taken its lock."""
        self.hosts[role] = self.hosts[role].holding(number)

    def close(self) -> None:
        """End the connections."""
        for host in self.hosts.values():
            host.transport.close()

    def do(self, deed: Deed) -> Result:
        """Do a deed and return what was answered, a command's bad exit code included."""
        if isinstance(deed, Command):
            return self.hosts[deed.host].attempt(deed)
        if isinstance(deed, HttpRequest):
            return self._http(deed)
        if isinstance(deed, OperatorDeed):
            dns.ask_person(deed, self.prompt)
            return None
        return dns.update(self.plan.cutover.dns, deed)

    def observe(self, observation: Observation) -> Any:  # noqa: ANN401 - each observation has its own answer
        """Ask, changing nothing; raises DeedFailed when a command exits otherwise than it may."""
        match observation:
            case Ask(Command() as command):
                return self.hosts[command.host].run(command)
            case Ask(HttpRequest() as request):
                return self._http(request)
            case Query():
                login = observation.login
                return postgresql.ask(observation, self.hosts[login.host].forward(login.address, login.port))
            case Resolve():
                return dns.resolve(observation)
            case PinnedKeys():
                return pinned_keys(self.plan.host(observation.role).ssh)
            case Compare():
                left, right = observation.left, observation.right
                return compare((self.hosts[left.host], left), (self.hosts[right.host], right))
        raise TypeError(f"a look may only yield observations, not {observation!r}")

    def _http(self, request: HttpRequest) -> HttpAnswer:
        ca = self.plan.tls_ca_file
        return core_api.send(request, self.plan.core.public_url, ca, self._dialler(request))

    def _dialler(self, request: HttpRequest) -> Callable[[], socket.socket]:
        port = self.plan.core.public_port
        if isinstance(request.via, Role):
            path = self.hosts[request.via].forward(str(self.plan.host(request.via).address), port)
            return lambda: core_api.by_socket(path, request.timeout_s)
        if request.via == core_api.OUTSIDE:
            return lambda: core_api.from_outside(str(self.plan.dest.address), port, request.timeout_s)
        address = self.public_address()
        return lambda: core_api.by_address(address, port, request.timeout_s)

    def public_address(self) -> str:
        """Return the address that the first authoritative server gives for the public name."""
        name, server = self.plan.core.public_name, str(self.plan.cutover.dns.servers[0])
        for kind in ("A", "AAAA"):
            answer = dns.resolve(Resolve(server, name, kind))
            if answer.texts:
                return answer.texts[0]
        raise Unreachable(name, "resolving it", f"the name server {server} knows no address")
