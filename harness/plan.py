"""The plan (migration.yml): who moves where, how, under which change number.

It is validated whole before anything runs, and all problems are reported at once, each with its path in the file. Secrets are
references to the environment or to a file, never values.
"""

from __future__ import annotations

import os
from datetime import datetime  # noqa: TC003 - pydantic reads the annotation
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, IPvAnyAddress, ValidationError, model_validator

from harness.deed import Role, Secret
from harness.errors import PlanError

WORD = r"^[A-Za-z0-9_][A-Za-z0-9_.@-]*$"
LARGEST_PLAN_BYTES = 1_000_000


def _absolute(text: str) -> str:
    if not text.startswith("/") or "\0" in text or "/../" in f"{text}/":
        raise ValueError("must be an absolute path without '..'")
    return text


def _argv(argv: tuple[str, ...]) -> tuple[str, ...]:
    if not argv or not all(argv) or argv[0].startswith("-"):
        raise ValueError("must be a program and its arguments, none of them empty")
    return argv


Word = Annotated[str, Field(pattern=WORD, max_length=253)]
AbsolutePath = Annotated[str, AfterValidator(_absolute)]
Argv = Annotated[tuple[str, ...], AfterValidator(_argv)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Part(BaseModel):
    """A part of the plan: unknown keys are problems, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SecretReference(Part):
    """Where a secret is: exactly one of an environment variable and a file (its text without the last newline)."""

    env: str = ""
    file: str = ""

    @model_validator(mode="after")
    def _one_of_two(self) -> SecretReference:
        if bool(self.env) == bool(self.file):
            raise ValueError("give exactly one of env and file")
        return self

    def read(self) -> Secret:
        """Return the secret; raises PlanError when it is not there."""
        if self.env:
            if self.env not in os.environ:
                raise PlanError("a secret is missing", [f"environment variable {self.env} is not set"])
            return Secret(os.environ[self.env])
        try:
            return Secret(Path(self.file).expanduser().read_text(encoding="utf-8").rstrip("\n"))
        except (OSError, UnicodeDecodeError) as error:
            raise PlanError("a secret is missing", [f"{self.file}: {error}"]) from error


class Window(Part):
    """When the change may be done."""

    start: datetime
    end: datetime


class Change(Part):
    """The change that this move belongs to."""

    id: Word
    title: str
    operator: str
    approver: str
    window: Window | None = None
    expected_downtime_s: float = Field(gt=0)


class CommandControl(Part):
    """How a core is controlled where it is neither a systemd unit nor a container: the commands to use on its host."""

    start: Argv
    stop: Argv
    status: Argv
    logs: Argv
    enable: Argv
    fence: Argv
    unfence: Argv


class CorePart(Part):
    """The core as it is known from outside, and how it is run."""

    public_url: str
    deploy: Literal["command"]
    command: CommandControl
    user: Word
    app_path: AbsolutePath
    config_paths: tuple[AbsolutePath, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _https(self) -> CorePart:
        url = urlsplit(self.public_url)
        if url.scheme != "https" or not url.hostname or url.path not in ("", "/") or url.query or url.username:
            raise ValueError("public_url must be https://NAME or https://NAME:PORT")
        return self

    @property
    def public_name(self) -> str:
        """The public host name."""
        return urlsplit(self.public_url).hostname or ""

    @property
    def public_port(self) -> int:
        """The public port, 443 unless the URL says another."""
        return urlsplit(self.public_url).port or 443


class SshPart(Part):
    """How a host is reached: OpenSSH with the key of the host pinned in `known_hosts`."""

    host: Word
    port: Port = 22
    user: Word = "root"
    identity_file: AbsolutePath | None = None
    known_hosts: AbsolutePath
    become: Literal["sudo", "none"] = "none"


class HostPart(Part):
    """One of the two hosts."""

    ssh: SshPart
    address: IPvAnyAddress


class DestPart(HostPart):
    """The host that the core moves to."""

    install: Literal["copy-tree"]


class PostgresAdmin(Part):
    """How an administrator reaches PostgreSQL on a host: as this system user, through the local socket (peer)."""

    system_user: Word = "postgres"
    programs: AbsolutePath | None = None


class PostgresPart(Part):
    """What the core's config cannot tell about its PostgreSQL."""

    admin: PostgresAdmin = PostgresAdmin()


class DatabasesPart(Part):
    """What the core's config cannot tell about its databases."""

    postgresql: PostgresPart = PostgresPart()


class NameServer(Part):
    """An authoritative name server."""

    address: IPvAnyAddress
    port: Port = 53

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class TsigKey(Part):
    """The key that signs DNS updates (RFC 8945)."""

    name: Word
    algorithm: Literal["hmac-sha256", "hmac-sha512"] = "hmac-sha256"
    secret: SecretReference


class DnsPart(Part):
    """Who answers for the public name and how it is changed; the first server takes the updates."""

    provider: Literal["rfc2136"]
    zone: Word
    servers: tuple[NameServer, ...] = Field(min_length=1)
    ttl: int = Field(ge=1, le=86400)
    key: TsigKey


class CutoverPart(Part):
    """How users' traffic is moved."""

    strategy: Literal["dns"]
    dns: DnsPart


class BackupPart(Part):
    """A file that proves that a backup of the source was made, and how old it may be."""

    file: AbsolutePath
    max_age_h: float = Field(gt=0)


class VerificationPart(Part):
    """The verification user: known account, known content."""

    username: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{3,58}[a-z0-9]$")
    email: str
    password: SecretReference
    app_id: str = Field(min_length=6, max_length=99)
    origin: str


class Plan(Part):
    """The whole plan."""

    change: Change
    core: CorePart
    source: HostPart
    dest: DestPart
    planned_changes: dict[str, Any]
    databases: DatabasesPart = DatabasesPart()
    cutover: CutoverPart
    transfer: Literal["literal"] = "literal"
    backup: BackupPart
    verification_user: VerificationPart
    tls_ca_file: AbsolutePath | None = None

    @model_validator(mode="after")
    def _two_hosts(self) -> Plan:
        if self.source.address == self.dest.address:
            raise ValueError("source.address and dest.address are the same")
        return self

    def host(self, role: Role) -> HostPart:
        """Return the host that has this role."""
        return self.source if role is Role.SOURCE else self.dest

    @property
    def run_folder(self) -> str:
        """What the run keeps on each host."""
        return f"/var/lib/pryv-migration/{self.change.id}"


def _path(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location) or "(the whole plan)"


def load(path: Path) -> Plan:
    """Read and validate a plan; raises PlanError with every problem and its path in the file."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise PlanError(f"the plan {path} cannot be read", [str(error)]) from error
    return parse(text, str(path))


def parse(text: bytes, name: str = "migration.yml") -> Plan:
    """Validate a plan's text; raises PlanError with every problem."""
    if len(text) > LARGEST_PLAN_BYTES:
        raise PlanError(f"the plan {name} is not usable", [f"larger than {LARGEST_PLAN_BYTES} bytes"])
    try:
        content = yaml.safe_load(text.decode("utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise PlanError(f"the plan {name} is not YAML", [" ".join(str(error).split())]) from error
    if not isinstance(content, dict):
        raise PlanError(f"the plan {name} is not usable", ["the whole plan: must be a mapping of its parts"])
    try:
        return Plan.model_validate(content)
    except ValidationError as error:
        problems = [f"{_path(problem['loc'])}: {problem['msg']}" for problem in error.errors(include_input=False)]
        raise PlanError(f"the plan {name} has {len(problems)} problem(s)", problems) from error
