"""Hosts as they are in life, for a test: nobody signs in as root, an ordinary user has sudo, and a jump host stands before them.

They are containers. The jump host is one more, made with the world's labels: it ends with the world.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fixtures.containers import making, units
from fixtures.containers.host import PLAIN, ContainerHost
from fixtures.containers.images import Builder
from fixtures.containers.world import World, open_world
from fixtures.hosts.disks import Disk
from fixtures.hosts.keys import keygen

if TYPE_CHECKING:
    from pathlib import Path

USER = "ops"
LAST_NUMBER = 5
# sshd here asks no PAM: it lets nobody in whose password is locked ("!"), as useradd leaves it.
MAKE_USER = f"""set -e
useradd --create-home --password '*' --shell /bin/bash {USER}
install -d -o {USER} -g {USER} -m 700 ~{USER}/.ssh
echo "$0" > ~{USER}/.ssh/authorized_keys
chown {USER}: ~{USER}/.ssh/authorized_keys
"""
# As Debian has it, sudo runs what it runs on a terminal of its own.
ONLY_BY_SUDO = f"""set -e
grep -q use_pty /etc/sudoers
echo '{USER} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/{USER}
rm -r /root/.ssh
echo 'PermitRootLogin no' > /etc/ssh/sshd_config.d/00-only-by-sudo.conf
systemctl reload ssh
for address; do iptables -A INPUT -p tcp --dport 22 -s "$address" -j ACCEPT; done
iptables -A INPUT -p tcp --dport 22 -j REJECT
"""


@dataclass(frozen=True, slots=True)
class Lifelike:
    """The world, and its jump host."""

    world: World
    jump: ContainerHost

    @property
    def keys(self) -> Path:
        """Where the keys of the operator lie, and what is pinned."""
        return self.world.folder / "keys"

    @property
    def ssh_config(self) -> Path:
        """The operator's ssh_config: short names, and the jump host that both are reached by."""
        path, address = self.world.folder / "ssh_config", {"old": self.world.record.source, "new": self.world.record.dest}
        common = f"  User {USER}\n  IdentityFile {self.keys / 'operator'}\n  UserKnownHostsFile {self.keys / 'known_hosts'}\n"
        behind = "".join(f"Host {name}\n  HostName {of}\n  ProxyJump bastion\n{common}" for name, of in address.items())
        path.write_text(f"{behind}Host bastion\n  HostName {self.jump.address}\n{common}", encoding="utf-8")
        return path

    def init(self, out: Path) -> list[str]:
        """Return the words of `python -m harness init` for these hosts."""
        files = ("--known-hosts", self.keys / "known_hosts", "--ssh-config", self.ssh_config, "--tls-ca", self.keys / "ca.pem")
        servers = ("--name-server", self.world.host("dns").address)
        return ["-m", "harness", "init", "--source", "old", "--dest", "new", *map(str, files), *servers, "--out", str(out)]


def lifelike(root: Path) -> Lifelike:
    """Make two hosts that are reached by a jump host only, by somebody who has sudo."""
    world = open_world(root, fresh=True, say=lambda _: None)
    jump = _raise_jump_host(world)
    public = (world.folder / "keys" / "operator.pub").read_text(encoding="ascii").strip()
    _in(jump, MAKE_USER, public)
    for name, other in (("source", world.record.dest), ("dest", world.record.source)):
        _in(world.host(name), MAKE_USER, public)
        _in(world.host(name), ONLY_BY_SUDO, "only", jump.address, other)
    return Lifelike(world, jump)


def _in(host: ContainerHost, script: str, *words: str) -> None:
    done = host.ask("sh", "-c", script, *words)
    assert done.exit == 0, done.text


def _raise_jump_host(world: World) -> ContainerHost:
    jump = replace(world.host("dns"), name="jump", address=f"{world.record.network}.{LAST_NUMBER}")
    key, files = world.folder / "keys" / "jump", world.folder / "jump"
    keygen(key)
    disk = Disk(files / "fs", {})
    disk.write("/etc/ssh/ssh_host_ed25519_key", key.read_bytes(), 0o600)
    units.enable(disk, "ssh")
    jump.create(Builder(world.engine, lambda _: None).image(PLAIN.image), PLAIN, world.host("dns").address, disk)
    shutil.rmtree(files)
    jump.power_on()
    making.answers(jump)
    with (world.folder / "keys" / "known_hosts").open("a", encoding="ascii") as pinned:
        pinned.write(f"{jump.address} {' '.join(key.with_suffix('.pub').read_text(encoding='ascii').split()[:2])}\n")
    return jump
