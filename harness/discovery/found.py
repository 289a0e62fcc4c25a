"""What is found on two hosts before there is a plan: values, from which a plan is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.configuration import Config


@dataclass(frozen=True, slots=True)
class FoundCore:
    """A running core: where its tree is, who runs it, in which folders its config lies, and how it is controlled.

    `deploy` is a kind of the plan, `part` what the plan says for that kind (None where it cannot be found out), `how` how its
    master was started, without any value.
    """

    app: str
    user: str
    config_paths: tuple[str, ...]
    deploy: str
    part: Mapping[str, Any] | None
    how: str
    runs: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundProxy:
    """The nginx before the core: the file that leads to it, its certificate, its access logs; and all files that lead there."""

    file: str
    certificate: str
    access_logs: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundHost:
    """A host: its system, its addresses, as whom we come there and whether sudo makes us root."""

    system: str
    addresses: tuple[str, ...]
    user: str
    become: str


@dataclass(frozen=True, slots=True)
class FoundSource:
    """What moves: the core with its config and sizes (kB), its proxy (or why none was found) and the cores of its platform."""

    host: FoundHost
    core: FoundCore
    config: Config
    version: str
    public_url: str
    postgresql: str
    database_kb: int
    roots_kb: Mapping[str, int]
    proxy: FoundProxy | None
    no_proxy: str = ""
    cores: tuple[str, ...] = ()
    topology: str = ""


@dataclass(frozen=True, slots=True)
class FoundDest:
    """Where it moves to: what is there, what is missing, how much room there is (kB), what would be overwritten."""

    host: FoundHost
    postgresql: str
    missing: tuple[str, ...]
    free_kb: int
    filled: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FoundNames:
    """Who answers for the public name: its zone, the name servers as (name, address, port), the name's TTL and addresses."""

    name: str
    zone: str = ""
    servers: tuple[tuple[str, str, int], ...] = ()
    primary: str = ""
    ttl: int = 0
    addresses: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """Everything that a plan is written from; `ways` are the parts `ssh` of the source and the dest."""

    ways: tuple[Mapping[str, Any], Mapping[str, Any]]
    source: FoundSource
    dest: FoundDest
    names: FoundNames
    tls_ca_file: str = ""
    made: str = ""
