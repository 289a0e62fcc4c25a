"""The kinds of text that a plan may hold. What becomes a part of an argv, a path, a config key or a DNS name is constrained here.

None of them can be taken for an option, leave its line, or mean anything to a shell, to rsync or to ssh's options.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, JsonValue, PlainValidator, WithJsonSchema
from pydantic_core import core_schema

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler

SECRET_KEY = re.compile(r"(secret|password|passphrase|pass|pwd|token|key|credentials?)$", re.IGNORECASE)  # as in the core's config
# Folders of many owners: sending one of these with --delete would overwrite a host.
TOP = "bin boot dev etc home lib lib64 media mnt opt proc root run sbin srv sys tmp usr var"
BELOW_USR, BELOW_VAR = "bin lib local sbin share src", "cache lib log opt run spool tmp www"
SHARED = frozenset(
    f"/{parent}{name}"
    for parent, names in (("", TOP), ("usr/", BELOW_USR), ("usr/local/", BELOW_USR), ("var/", BELOW_VAR))
    for name in names.split()
)


@dataclass(frozen=True, slots=True)
class Matching:
    """A text that matches a pattern as a whole; `means` says in words what it must be."""

    pattern: str
    longest: int
    means: str

    def check(self, text: str) -> str:
        """Return the text; raises ValueError with what it must be."""
        if len(text) > self.longest or not re.fullmatch(self.pattern, text):
            raise ValueError(f"must be {self.means}")
        return text

    def __get_pydantic_core_schema__(self, source: type, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^({self.pattern})$", "maxLength": self.longest, "description": self.means}


LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
TOP_LABEL = "[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
NAME = rf"({LABEL}\.)*{TOP_LABEL}"
KEY_LABEL = "[A-Za-z0-9_][A-Za-z0-9_-]{0,62}"
FOLDERS = r"(?!.*\.\.)(/(?!\.(/|$))[A-Za-z0-9._@+=:,-]+)+/?"
PATH_MEANS = "an absolute path without '..', of letters, digits and ._@+=:,- only"

Id = Annotated[str, Matching("[A-Za-z0-9_][A-Za-z0-9_.-]*", 64, "letters, digits, '.', '_' and '-', a letter or digit first")]
ContainerName = Annotated[str, Matching("[A-Za-z0-9][A-Za-z0-9_.-]+", 64, "the name of a container")]
User = Annotated[str, Matching("[A-Za-z_][A-Za-z0-9_.-]*", 32, "the name of a system user")]
EnvironmentName = Annotated[str, Matching("[A-Za-z_][A-Za-z0-9_]*", 128, "the name of an environment variable")]
HostName = Annotated[
    str,
    Matching("[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*", 253, "a host name or an address"),
]
Zone = Annotated[str, Matching(NAME, 253, "a DNS name in lower case, without the last dot")]
DnsName = Annotated[str, Matching(rf"(\*\.)?{NAME}", 253, "a DNS name in lower case, or *. and a DNS name, without the last dot")]
KeyName = Annotated[str, Matching(rf"{KEY_LABEL}(\.{KEY_LABEL})*", 253, "the name of a TSIG key")]
PublicUrl = Annotated[
    str, Matching(rf"https://{NAME}(:[1-9][0-9]{{0,4}})?/?", 300, "https://NAME or https://NAME:PORT, in lower case")
]
Origin = Annotated[str, Matching(rf"https?://{NAME}(:[1-9][0-9]{{0,4}})?", 300, "an origin: https://NAME or https://NAME:PORT")]
Email = Annotated[str, Matching(rf"[A-Za-z0-9][A-Za-z0-9._%+-]{{0,63}}@({LABEL}\.)+{TOP_LABEL}", 254, "an e-mail address")]
Username = Annotated[str, Matching("[a-z0-9][a-z0-9-]{3,58}[a-z0-9]", 60, "5 to 60 lower-case letters, digits and '-'")]
AppId = Annotated[str, Matching("[A-Za-z0-9][A-Za-z0-9._-]{5,98}", 99, "6 to 99 letters, digits, '.', '_' and '-'")]
OneLine = Annotated[str, Matching(r".*\S.*", 200, "one line of at most 200 characters, not blank")]
AbsolutePath = Annotated[str, Matching(FOLDERS, 1024, PATH_MEANS)]
LocalPath = Annotated[str, Matching(f"~?{FOLDERS}", 1024, f"{PATH_MEANS}; ~/ may begin it")]
DokkuApp = Annotated[str, Matching("[a-z0-9][a-z0-9.-]*", 63, "the name of a Dokku app: small letters, digits, '.' and '-'")]
REPOSITORY_MEANS = "the address of a git repository (https://…, ssh://…, git://…, file:///… or user@host:path), without a password"
RepositoryUrl = Annotated[
    str,
    Matching(
        r"(https?|ssh|git|file)://(?![^/@]*:[^/@]*@)[A-Za-z0-9/][A-Za-z0-9._~%/@:+-]*"
        r"|[A-Za-z0-9_][A-Za-z0-9_.-]*@[A-Za-z0-9][A-Za-z0-9.-]*:[A-Za-z0-9._~/+-]+",
        1024,
        REPOSITORY_MEANS,
    ),
]
OTHER_UNITS = "automount|device|mount|path|scope|slice|socket|swap|target|timer"
UnitName = Annotated[
    str, Matching(rf"(?!.*\.({OTHER_UNITS})$)[A-Za-z0-9_][A-Za-z0-9:_.@-]*", 240, "the name of a service unit of systemd")
]
Port = Annotated[int, Field(ge=1, le=65535)]


def _own(path: str) -> str:
    if path.rstrip("/") in SHARED:
        raise ValueError("is shared with the rest of the system: name the core's own folder")
    return path


def _argv(argv: tuple[str, ...]) -> tuple[str, ...]:
    if not all(argv) or argv[0].startswith("-"):
        raise ValueError("must be a program and its arguments, none of them empty")
    return argv


def _address(text: object) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    if not isinstance(text, str) or "%" in text:
        raise ValueError("must be an IP address, as text")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise ValueError("must be an IP address") from None  # the text itself is not told: it may be anything
    if address.is_unspecified or address.is_multicast:
        raise ValueError("must be the address of one host")
    return address


def _address6(text: object) -> ipaddress.IPv6Address:
    address = _address(text)
    if not isinstance(address, ipaddress.IPv6Address):
        raise ValueError("must be an IPv6 address")  # noqa: TRY004 - pydantic counts a ValueError as a problem, a TypeError not
    return address


def _leaf(value: object) -> object:
    """Return a config's leaf, a plain value or a list of them; raises ValueError for anything else that JSON holds."""
    leaves = value if isinstance(value, list) else [value]
    if any(isinstance(leaf, dict | list) for leaf in leaves):
        raise ValueError("must be one value or a list of values: give each key of a mapping by its own dotted key")
    return value


def _config_key(key: str) -> str:
    if SECRET_KEY.search(key):
        raise ValueError("names a secret: secrets are the same on both hosts, and never stand in the plan")
    return key


def _instant(text: object) -> datetime:
    if isinstance(text, datetime) and text.tzinfo:  # made in Python; a plan's text holds none
        return text
    if not isinstance(text, str) or not re.fullmatch(INSTANT, text):
        raise ValueError("must be a date, a time and a time zone: 2026-12-01T22:00:00+01:00")
    return datetime.fromisoformat(text)


INSTANT = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d)"
KEY_WORD = "[A-Za-z0-9_][A-Za-z0-9_-]*"
AnyAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
FORMATS = {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]}
Address = Annotated[AnyAddress, PlainValidator(_address), WithJsonSchema(FORMATS)]
Address6 = Annotated[ipaddress.IPv6Address, PlainValidator(_address6), WithJsonSchema({"type": "string", "format": "ipv6"})]
Folder = Annotated[AbsolutePath, AfterValidator(_own)]
Argv = Annotated[tuple[Annotated[str, Field(max_length=4096)], ...], Field(min_length=1, max_length=64), AfterValidator(_argv)]
CONFIG_KEY = Matching(rf"{KEY_WORD}(\.{KEY_WORD})*", 200, "a config key: words joined by dots")
ConfigKey = Annotated[str, CONFIG_KEY, AfterValidator(_config_key)]
# What pydantic does not write of a mapping's keys.
KEYS: dict[str, JsonValue] = {"propertyNames": {"pattern": f"^({CONFIG_KEY.pattern})$", "maxLength": CONFIG_KEY.longest}}
SCALAR_TYPES = ["string", "number", "boolean", "null"]
LEAF_SCHEMA = {"anyOf": [{"type": SCALAR_TYPES}, {"type": "array", "items": {"type": SCALAR_TYPES}}]}
ConfigValue = Annotated[Any, AfterValidator(_leaf), WithJsonSchema(LEAF_SCHEMA)]
Instant = Annotated[datetime, PlainValidator(_instant), WithJsonSchema({"type": "string", "pattern": f"^{INSTANT}$"})]
