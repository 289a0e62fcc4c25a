"""Performs deeds and observations: the only place where values become effects."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import harness
from harness import core_api
from harness.client_deeds import AskClient, BeginClient, EndClient
from harness.cutover import dns
from harness.databases import postgresql
from harness.deed import Ask, Command, Compare, HttpRequest, OperatorDeed, PinnedKeys, Query, Resolve, Role
from harness.errors import HarnessError, Unreachable
from harness.host import Host, compare
from harness.run.doing import together
from harness.transport import local
from harness.transport.ssh import pinned_keys

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from harness.deed import Deed, HttpAnswer, Observation, Result
    from harness.plan import Plan


LONGEST_END_S = 10.0


@dataclass(frozen=True, slots=True)
class Performer:
    """Reaches hosts, name servers and the core for one plan; `prompt` asks a person on the terminal, where there is one."""

    plan: Plan
    hosts: dict[Role, Host]
    prompt: Callable[[str], str] | None = None
    clients: list[local.Running] = field(default_factory=list)

    def hold(self, role: Role, number: int) -> None:
        """From now on a host refuses what we ask of it once another has taken its lock."""
        self.hosts[role] = self.hosts[role].holding(number)

    def give_up(self) -> None:
        """Ask both hosts for the last time whether they answer; one that does not is not waited for again."""
        together(self._give_up, tuple(self.hosts.values()))

    @staticmethod
    def _give_up(host: Host) -> None:
        try:
            host.attempt(Command(host.role, ("true",)))
        except Unreachable as error:
            host.transport.give_up(error)
        except HarnessError:
            pass  # it answers; what is wrong with it is told by whoever asks it for something

    def close(self) -> None:
        """End the client and the connections."""
        self.end_client()
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
        if isinstance(deed, BeginClient | EndClient):
            return self._client(deed)
        return dns.update(self.plan.cutover.dns, deed)

    def _client(self, deed: BeginClient | EndClient) -> bool | None:
        was_at_work = self.end_client(deed.after_s if isinstance(deed, EndClient) else 0.0)
        if isinstance(deed, EndClient):
            return was_at_work
        argv = (sys.executable, "-m", "harness.client.process")
        environment = {"PYTHONPATH": str(Path(harness.__file__).parents[1]), "LC_ALL": "C.UTF-8"}
        first = deed.told.encode() + b"\n"
        self.clients.append(local.begin(argv, environment, first, Path(deed.errors)))
        return None

    def end_client(self, after_s: float = 0.0) -> bool:
        """End the client, given so long to end by itself; returns whether one was at work."""
        alive = any(one.is_alive for one in self.clients)
        while self.clients:
            self.clients.pop().end(after_s, LONGEST_END_S)
        return alive

    def observe(self, observation: Observation) -> Any:  # noqa: ANN401, PLR0911 - each observation has its own answer
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
            case AskClient():
                return any(one.is_alive for one in self.clients)
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
