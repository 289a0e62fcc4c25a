"""Hosts reached as they are in life, by real OpenSSH: names of an ssh_config, jump hosts, keys that only an agent has."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import dns.resolver
import pytest

from fixtures.hosts.world import open_world
from harness.discovery.keys import demand_pinned
from harness.discovery.names import names
from harness.errors import HostKeyRefused, Refused, Unreachable
from harness.plan import JumpPart, SshPart, load
from harness.transport.offered import offered
from harness.transport.ssh import Ssh, pinned_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.hosts.world import World
    from harness.plan import Plan


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = open_world(tmp_path_factory.mktemp("reached"), fresh=True, say=lambda _: None)
    yield made
    made.end()


@pytest.fixture
def plan(world: World) -> Plan:
    return load(world.plan_path)


@pytest.fixture
def config_file(plan: Plan, tmp_path: Path) -> Path:
    """Return an ssh_config in which both hosts have short names, the source behind the dest."""
    both = f"  UserKnownHostsFile {plan.source.ssh.known_hosts}\n  IdentityFile {plan.source.ssh.identity_file}\n"
    names = {"old": plan.source.ssh, "new": plan.dest.ssh}
    hosts = {
        name: f"Host {name}\n  HostName {ssh.host}\n  Port {ssh.port}\n  User {ssh.user}\n{both}" for name, ssh in names.items()
    }
    path = tmp_path / "config"
    path.write_text(f"{hosts['old']}  ProxyJump new\n{hosts['new']}")
    return path


@pytest.fixture
def agent(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Run an agent that has the operator's key; return the key's file, which has a passphrase that nobody types."""
    key = tmp_path / "key"
    key.write_bytes(Path(str(plan.source.ssh.identity_file)).read_bytes())
    key.chmod(0o600)
    started = subprocess.Popen(("ssh-agent", "-D", "-a", str(tmp_path / "agent")), stdout=subprocess.DEVNULL)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "agent"))
    for _ in range(100):
        if subprocess.run(("ssh-add", "-q", str(key)), check=False, capture_output=True, timeout=10).returncode == 0:
            break
    subprocess.run(("ssh-keygen", "-q", "-p", "-N", "a passphrase", "-f", str(key)), check=True, timeout=10)
    yield key
    started.terminate()
    started.wait(10)


def name_of(part: SshPart) -> str:
    """Return what a host calls itself."""
    transport = Ssh("source", part)
    try:
        return transport.execute("hostname").out.decode().strip()
    finally:
        transport.close()


def changed(part: SshPart, **more: object) -> SshPart:
    return part.model_copy(update=more)


def test_a_name_of_the_ssh_config_is_all_that_a_plan_needs(plan: Plan, config_file: Path) -> None:
    part = SshPart(host="old", config_file=str(config_file), known_hosts=plan.source.ssh.known_hosts)

    assert (name_of(part), name_of(changed(part, host="new"))) == ("source", "dest")
    assert pinned_keys(part) == pinned_keys(plan.source.ssh) != ()


def test_a_jump_host_of_the_ssh_config_is_gone_through(plan: Plan, config_file: Path) -> None:
    part = SshPart(host="old", config_file=str(config_file), known_hosts=plan.source.ssh.known_hosts)
    config_file.write_text(config_file.read_text().replace("Port 2222", "Port 1", 2).replace("Port 1", "Port 2222", 1))

    with pytest.raises(Unreachable, match=f"connect to host {plan.dest.ssh.host} port 1: Connection refused"):
        name_of(part)


def test_a_jump_host_of_the_plan_is_gone_through_and_its_key_checked(plan: Plan, tmp_path: Path) -> None:
    dest = plan.dest.ssh
    jump = JumpPart(host=dest.host, port=dest.port, user=dest.user, identity_file=dest.identity_file)

    assert name_of(changed(plan.source.ssh, jump=jump)) == "source"

    only_the_source = tmp_path / "known_hosts"
    lines = Path(dest.known_hosts).read_text(encoding="ascii").splitlines(keepends=True)
    only_the_source.write_text("".join(line for line in lines if dest.host not in line))
    assert name_of(changed(plan.source.ssh, known_hosts=str(only_the_source))) == "source"
    with pytest.raises(HostKeyRefused):
        name_of(changed(plan.source.ssh, jump=jump, known_hosts=str(only_the_source)))


@pytest.mark.usefixtures("agent")
def test_without_a_key_in_the_plan_the_agents_are_tried(plan: Plan) -> None:
    assert name_of(changed(plan.source.ssh, identity_file=None)) == "source"


def test_a_key_with_a_passphrase_is_the_agents(plan: Plan, agent: Path) -> None:
    assert name_of(changed(plan.source.ssh, identity_file=str(agent))) == "source"

    os.environ.pop("SSH_AUTH_SOCK")
    with pytest.raises(Unreachable, match="Permission denied"):
        name_of(changed(plan.source.ssh, identity_file=str(agent)))


def test_the_key_that_a_host_offers_is_asked_for_without_signing_in(plan: Plan, tmp_path: Path) -> None:
    none = str(tmp_path / "known_hosts")

    found = offered("source", changed(plan.source.ssh, known_hosts=none, identity_file=None))

    [line] = found.lines
    assert (" ".join(line.split()[1:3]),) == pinned_keys(plan.source.ssh)
    assert line.startswith(f"[{plan.source.ssh.host}]:{plan.source.ssh.port} ")
    assert not Path(none).exists()


def test_a_key_is_pinned_by_a_persons_yes_and_by_nothing_else(plan: Plan, tmp_path: Path) -> None:
    part = changed(plan.source.ssh, known_hosts=str(tmp_path / "ssh" / "known_hosts"))
    asked: list[str] = []

    def no(question: str) -> str:
        asked.append(question)
        return "y"

    with pytest.raises(Refused, match="if it is the same, pin it, then type this again"):
        demand_pinned("source", part, no)
    assert pinned_keys(part) == ()
    demand_pinned("source", part, lambda _: "yes")
    assert pinned_keys(part) == pinned_keys(plan.source.ssh)
    demand_pinned("source", part, no)  # it is pinned: nobody is asked
    assert ["SHA256:" in question for question in asked] == [True]


def test_who_serves_the_public_name_is_asked_of_the_resolver(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    server = plan.cutover.dns.servers[0]
    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [str(server.address)], server.port
    monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
    given = [(str(one.address), one.port) for one in plan.cutover.dns.servers]

    found = names(plan.core.public_name, given)

    assert (found.zone, found.primary, found.ttl, found.addresses) == ("pryv.test", "ns1.pryv.test", 2, (str(plan.source.address),))
    assert names(plan.core.public_name).servers == (("ns1.pryv.test", "127.0.0.1", 53), ("ns2.pryv.test", "127.0.0.1", 53))
