"""The parts of a plan. Each is frozen, strict (a number is no text, text is no number) and knows no keys but its own."""

# ruff: noqa: TC001 - pydantic reads the annotations when the program runs

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from harness.deed import Role
from harness.plan.kinds import (
    KEYS,
    AbsolutePath,
    Address,
    Address6,
    AppId,
    Argv,
    ConfigKey,
    ConfigValue,
    ContainerName,
    DokkuApp,
    Email,
    Folder,
    HostName,
    Id,
    Instant,
    OneLine,
    Origin,
    Port,
    PublicUrl,
    RepositoryUrl,
    UnitName,
    User,
    Username,
)
from harness.plan.names import DnsPart
from harness.plan.part import Part, SecretReference

HTTPS_PORT = 443
LONGEST_S = 7 * 86400.0


class Window(Part):
    """When the change may be done."""

    start: Instant
    end: Instant


class Change(Part):
    """The change that this move belongs to."""

    id: Id
    title: OneLine
    operator: OneLine
    approver: OneLine
    window: Window | None = None
    expected_downtime_s: float = Field(gt=0, le=LONGEST_S)


class CommandControl(Part):
    """How a core is controlled where it is neither a systemd unit nor a container: the commands to use on its host.

    `disable` is needed by a rollback after users were led to the dest: its core starts at boot by then.
    """

    start: Argv
    stop: Argv
    status: Argv
    logs: Argv
    enable: Argv
    fence: Argv
    unfence: Argv
    disable: Argv | None = None


class SystemdControl(Part):
    """Which unit of systemd the core is, on both hosts; ".service" may be left out."""

    unit: UnitName

    @property
    def unit_name(self) -> str:
        """The unit's whole name."""
        return self.unit if self.unit.endswith(".service") else f"{self.unit}.service"


class DockerControl(Part):
    """A core that runs as a container of its host's Docker engine, and is controlled by that container's name."""

    container: ContainerName = "pryvio_open_pryv_io"


class DokkuControl(Part):
    """Which app of Dokku the core is, on both hosts."""

    app: DokkuApp


class CorePart(Part):
    """The core as it is known from outside, and how it is run: `deploy` names the part that says how it is controlled."""

    public_url: PublicUrl
    deploy: Literal["command", "docker", "systemd", "dokku"]
    command: CommandControl | None = None
    docker: DockerControl | None = None
    systemd: SystemdControl | None = None
    dokku: DokkuControl | None = None
    user: User
    app_path: Folder
    config_paths: tuple[Folder, ...] = Field(min_length=1, max_length=20)

    @property
    def folders(self) -> tuple[str, ...]:
        """The folders of its host that are the core's own beside its data; a container has its tree from its image."""
        return self.config_paths if self.docker else (*self.config_paths, self.app_path)

    @property
    def public_name(self) -> str:
        """The public host name."""
        return urlsplit(self.public_url).hostname or ""

    @property
    def public_port(self) -> int:
        """The public port, 443 unless the URL says another."""
        return urlsplit(self.public_url).port or HTTPS_PORT


class JumpPart(Part):
    """A host by which another is reached. Its key is pinned in the same `known_hosts`, and is never asked about."""

    host: HostName
    port: Port | None = None
    user: User | None = None
    identity_file: AbsolutePath | None = None


class SshPart(Part):
    """How a host is reached: OpenSSH with the key of the host pinned in `known_hosts`.

    `host` may be a name of the operator's ssh_config (or of `config_file`): what the plan does not say, port, user, keys, jump
    hosts, is what OpenSSH makes of it there. Without `identity_file` the agent's keys are tried, and those of the ssh_config.
    `jump` is for a host behind another where no ssh_config says so. With `become: sudo` every command is run as root by sudo,
    which must not ask for a password.
    """

    host: HostName
    port: Port | None = None
    user: User | None = None
    identity_file: AbsolutePath | None = None
    known_hosts: AbsolutePath
    config_file: AbsolutePath | None = None
    jump: JumpPart | None = None
    become: Literal["sudo", "none"] = "none"


class ProxyPart(Part):
    """The source's own TLS proxy, which the retire ends: how it is stopped and kept from starting at boot.

    `status` prints a line that has "disabled" in it once a boot does not start it (exit code 0, 1 or 3). `access_logs` hold its
    requests, the newest log last, in nginx's own ("combined") format or another that has the time in its brackets.
    """

    stop: Argv = ("systemctl", "stop", "nginx")
    disable: Argv = ("systemctl", "disable", "nginx")
    status: Argv = ("systemctl", "is-enabled", "nginx")
    access_logs: tuple[AbsolutePath, ...] = Field(
        default=("/var/log/nginx/access.log.1", "/var/log/nginx/access.log"), min_length=1, max_length=20
    )


class HostPart(Part):
    """One of the two hosts: how we reach it, and the addresses by which users do (`address6` beside an IPv4 `address`)."""

    ssh: SshPart
    address: Address
    address6: Address6 | None = None


class SourcePart(HostPart):
    """The host that the core moves from."""

    proxy: ProxyPart = ProxyPart()


class DoorPart(Part):
    """How the dest is kept shut until users are led there: commands on the dest that may be given twice.

    `close` shuts everybody out but the host itself (127.0.0.1, ::1 and its own addresses), who asks is answered 503 or gets no
    connection; `open` undoes that. `status` prints a line that has "closed" or "open" in it (exit code 0, 1 or 3).
    """

    close: Argv
    open: Argv
    status: Argv


class GitPart(Part):
    """Where the dest gets the source's commit from, and the commands that build it there, in its folder, one after the other.

    All are run as the core's user.
    """

    url: RepositoryUrl
    build: tuple[Argv, ...] = Field(default=(), max_length=20)


class DestPart(HostPart):
    """The host that the core moves to, and how the core gets there: `none` is looked at only, as somebody has installed it."""

    install: Literal["copy-tree", "git-clone", "copy-image", "pull-image", "none"]
    git: GitPart | None = None
    door: DoorPart | None = None


class PostgresAdmin(Part):
    """How an administrator reaches PostgreSQL on a host: as this system user, through the local socket (peer)."""

    system_user: User = "postgres"
    programs: AbsolutePath | None = None


class PostgresPart(Part):
    """What the core's config cannot tell about its PostgreSQL."""

    admin: PostgresAdmin = PostgresAdmin()


class DatabasesPart(Part):
    """What the core's config cannot tell about its databases."""

    postgresql: PostgresPart = PostgresPart()


class ForwardPart(Part):
    """How the source's nginx is made to forward to the dest: by proxy, until the public name leads to the dest itself.

    `config_file` is the file of the source's nginx that leads to the core: it is changed, and nothing else. `ca_file`, on the
    source, has the authorities by which the dest's certificate is verified. `trust_file` is made on the dest; its nginx must
    include it among what stands in `http`. `dest_access_logs` are the dest's, in nginx's own format ("combined").
    """

    config_file: AbsolutePath
    ca_file: AbsolutePath
    trust_file: AbsolutePath = "/etc/nginx/conf.d/pryv-migration.conf"
    dest_access_logs: tuple[AbsolutePath, ...] = Field(default=("/var/log/nginx/access.log",), min_length=1, max_length=20)
    show: Argv = ("nginx", "-T")
    test: Argv = ("nginx", "-t")
    reload: Argv = ("nginx", "-s", "reload")


class CutoverPart(Part):
    """How users' traffic is moved, and for how long (seconds) nobody must have come to the source before it is retired.

    By `proxy` the source's nginx forwards to the dest, and the name moves (`dns`) with the retire.
    """

    strategy: Literal["dns", "proxy"]
    dns: Annotated[DnsPart, Field(discriminator="provider")]
    proxy: ForwardPart | None = None
    drain_s: float = Field(default=86400.0, gt=0, le=90 * 86400)

    @property
    def drained_after_s(self) -> float:
        """After how many quiet seconds the source is drained: never less than resolvers may keep the old address."""
        return max(self.drain_s, float(self.dns.ttl))


class SendingPart(Part):
    """How files get from the source to the dest: rsync over ssh, with a key that is made for this move and removed with it.

    `address` and `port` are those of the dest's sshd as the source reaches it, where they are not `dest.address` and
    `dest.ssh.port`. `seen_as` are the addresses by which the dest sees the source, where it is not `source.address` (several
    addresses, address translation): from no other the key is let in.
    """

    key: Literal["ed25519", "rsa-4096"] = "ed25519"
    address: Address | None = None
    port: Port | None = None
    seen_as: tuple[Address, ...] = Field(default=(), max_length=20)


class BackupPart(Part):
    """A file that proves that a backup of the source was made, and how old it may be."""

    file: AbsolutePath
    max_age_h: float = Field(gt=0, le=24 * 366)


class VerificationPart(Part):
    """The verification user: known account, known content. The retire and a rollback delete it, unless the plan says `keep`."""

    username: Username
    email: Email
    password: SecretReference
    app_id: AppId
    origin: Origin
    keep: bool = False


class Plan(Part):
    """The whole plan."""

    change: Change
    core: CorePart
    source: SourcePart
    dest: DestPart
    planned_changes: dict[ConfigKey, ConfigValue] = Field(max_length=200, json_schema_extra=KEYS)
    databases: DatabasesPart = DatabasesPart()
    cutover: CutoverPart
    transfer: Literal["literal", "preseed"] = "literal"
    sending: SendingPart = SendingPart()
    backup: BackupPart
    verification_user: VerificationPart
    tls_ca_file: AbsolutePath | None = None

    def host(self, role: Role) -> HostPart:
        """Return the host that has this role."""
        return self.source if role is Role.SOURCE else self.dest

    @property
    def dns_names(self) -> tuple[str, ...]:
        """The names that move."""
        return self.cutover.dns.names or (self.core.public_name,)

    @property
    def run_folder(self) -> str:
        """What the run keeps on each host."""
        return f"/var/lib/pryv-migration/{self.change.id}"
