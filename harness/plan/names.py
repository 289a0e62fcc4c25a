"""The names that move, who answers for them, and how they are changed."""

# ruff: noqa: TC001 - pydantic reads the annotations when the program runs

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.plan.kinds import Address, Argv, DnsName, KeyName, Port, Zone
from harness.plan.part import Part, SecretReference


class NameServer(Part):
    """An authoritative name server."""

    address: Address
    port: Port = 53

    def __str__(self) -> str:
        return f"{self.address}:{self.port}"


class TsigKey(Part):
    """The key that signs DNS updates (RFC 8945); its secret is base64, as in named's configuration."""

    name: KeyName
    algorithm: Literal["hmac-sha256", "hmac-sha512"] = "hmac-sha256"
    secret: SecretReference


class DnsBase(Part):
    """Who answers for the names that move, whichever provider changes them.

    `servers` are the authoritative name servers: all are asked. `names` are the names that move, each with every address of the
    host; without them it is the public name. "*.example.com" is a wildcard, asked by a random label below it; the apex of a zone
    is given by its name. `ttl` is in seconds. `within_s` is how long the servers are given until all of them answer the new
    address.
    """

    servers: tuple[NameServer, ...] = Field(min_length=1, max_length=20)
    names: tuple[DnsName, ...] = Field(default=(), max_length=50)
    ttl: int = Field(ge=1, le=86400)


class Rfc2136Part(DnsBase):
    """Changed by signed updates (RFC 2136), sent to the first of the servers."""

    provider: Literal["rfc2136"]
    zone: Zone
    key: TsigKey
    within_s: float = Field(default=30.0, gt=0, le=3600)


class DnsCommand(Part):
    """A program of the operator's, run where this harness runs, without a shell.

    It is run once for each name and record type, with these arguments after those of `argv`: NAME TYPE TTL [ADDRESS…], where TYPE
    is A or AAAA and the addresses are the whole of what NAME has of that TYPE from now on. No address: the record set is to be
    removed, and that it was not there is no error. Exit 0 says that it is done. Its environment is PATH, HOME and LC_ALL=C.UTF-8,
    and the secret, if one is given, as DNS_SECRET. The end of what it prints goes to the record, the secret masked.
    """

    argv: Argv
    secret: SecretReference | None = None
    timeout_s: float = Field(default=60.0, gt=0, le=3600)


class CommandPart(DnsBase):
    """Changed by a program of the operator's."""

    provider: Literal["command"]
    command: DnsCommand
    within_s: float = Field(default=300.0, gt=0, le=3600)


class ManualPart(DnsBase):
    """Changed by a person, who is asked."""

    provider: Literal["manual"]
    within_s: float = Field(default=900.0, gt=0, le=3600)


DnsPart = Rfc2136Part | CommandPart | ManualPart
