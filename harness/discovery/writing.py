"""The text of a plan from what was found: values with where they come from, and lines that the operator must fill in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml

from harness.roots import data_roots

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from harness.configuration import Config
    from harness.discovery.found import Found, FoundHost, FoundNames

FILL_IN = "# FILL IN:"
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
INSTALLS = {"docker": "copy-image", "dokku": "none"}
COMMANDS = {
    "start": "starts the core",
    "stop": "stops it",
    "status": "exits 0 when it runs, 3 when it is stopped; prints running or stopped, fenced, enabled or disabled",
    "logs": "prints its log (exit 1: there is none yet)",
    "enable": "from then on a boot starts it",
    "disable": "from then on a boot does not start it",
    "fence": "from then on neither a boot nor the start command starts it",
    "unfence": "undoes that",
}


def value(of: object) -> str:
    """Return a plain value as YAML on one line."""
    return yaml.safe_dump(of, default_flow_style=True, allow_unicode=True, width=10_000).removesuffix("...\n").strip()


def size(kilobytes: int) -> str:
    """Return a size for a person."""
    figure, unit = float(kilobytes), "kB"
    for larger in ("MB", "GB", "TB"):
        if figure < 1000:  # noqa: PLR2004 - decimal units
            break
        figure, unit = figure / 1000, larger
    return f"{figure:.0f} {unit}" if figure >= 10 or unit == "kB" else f"{figure:.1f} {unit}"  # noqa: PLR2004 - one digit more below


def fill_in(key: str, what: str) -> str:
    """Return a line that the operator must fill in."""
    return f"{key}:  {FILL_IN} {what}"


def text(found: Found) -> str:
    """Return the plan's text."""
    parts = (_head, _change, _core, _source, _dest, _changes, _databases, _cutover, _rest)
    return "".join(f"{line}\n" for part in parts for line in part(found)).rstrip("\n") + "\n"


def _head(found: Found) -> Iterator[str]:
    source, dest = found.source, found.dest
    moved = source.database_kb + sum(source.roots_kb.values())
    on = f" on {found.made}" if found.made else ""
    server = f"PostgreSQL {source.postgresql}, its database {size(source.database_kb)}"
    yield f"# The plan of a move, written by `python -m harness init`{on}; nothing was changed on either host."
    yield f'# Lines that say "{FILL_IN}" are yours: the plan is refused until they are filled in. Every field: docs/plan.md.'
    yield "#"
    yield f"# source  {source.host.system}; core {source.version}, {source.topology}"
    yield f"#         started as: {source.core.how}"
    for core in source.cores if len(source.cores) > 1 else ():
        yield f"#         of its platform: {core}"
    yield f"#         engines: {', '.join(f'{kind} in {engine}' for kind, engine in source.config.engines().items())}"
    yield f"#         {server}; what runs the core: {source.core.runs or 'not told'}"
    for path, kilobytes in source.roots_kb.items():
        yield f"#         data: {path}, {size(kilobytes)}"
    for note in source.core.notes:
        yield f"#         {note}"
    yield f"# dest    {dest.host.system}; {dest.postgresql or 'no PostgreSQL server is installed'}"
    short = "" if dest.free_kb >= 2.5 * moved else ": TOO LITTLE"
    yield f"#         room: {size(dest.free_kb)}, needed about {size(int(2.5 * moved))}{short}"
    for name in dest.missing:
        yield f"#         TO DO before the move: install {name}"
    for path in dest.filled:
        yield f"#         IN THE WAY: {path} is not empty there"
    yield ""


def _change(found: Found) -> Iterator[str]:
    host = found.ways[1]["host"]
    yield "change:"
    yield f"  {fill_in('id', 'the number of the change (letters, digits, . _ -)')}"
    yield f"  title: {value(f'Move {found.names.name} to {host}')}"
    yield f"  {fill_in('operator', 'who performs it')}"
    yield f"  {fill_in('approver', 'who approves it')}"
    yield f"  {fill_in('expected_downtime_s', 'for how many seconds users may wait; a rehearsal of this plan measures it')}"
    yield "  # window: {start: 2026-12-01T22:00:00+01:00, end: 2026-12-02T02:00:00+01:00}"
    yield ""


def _core(found: Found) -> Iterator[str]:
    core = found.source.core
    yield "core:"
    yield f"  public_url: {value(found.source.public_url)}  # by its config; it stays the same"
    yield f"  deploy: {core.deploy}"
    if core.part is None:
        yield "  command:  # no systemd unit and no container runs it: each is a program and its arguments, as a list"
        yield from (f"    {fill_in(verb, what)}" for verb, what in COMMANDS.items())
    else:
        yield f"  {core.deploy}: {value(dict(core.part))}"
    yield f"  user: {value(core.user)}  # as whom its master runs"
    yield f"  app_path: {value(core.app)}  # the tree of its master"
    yield f"  config_paths: {value(list(core.config_paths))}  # read: {', '.join(found.source.config.files) or 'no file'}"
    elsewhere = sorted(
        {
            place.path
            for place in found.source.config.named_files()
            if not place.path.startswith((*core.config_paths, f"{core.app}/"))
        }
    )
    yield from (
        f"  # its config names {path}, which lies elsewhere: add its folder to config_paths, or put it on the dest yourself"
        for path in elsewhere
    )
    yield ""


def _way(way: Mapping[str, Any], host: FoundHost) -> Iterator[str]:
    yield "  ssh:"
    for key, of in way.items():
        yield f"    {key}: {value(of)}"
    if host.become == "sudo":
        yield "    become: sudo  # without a password, as found"


def _address(key: str, candidates: list[str], why: str, host: FoundHost) -> Iterator[str]:
    others = ", ".join(host.addresses) or "none told"
    if len(candidates) == 1:
        yield f"  {key}: {value(candidates[0])}  # {why}; the host's own: {others}"
    else:
        yield f"  {fill_in(key, f'the address by which users reach it; the host has: {others}')}"


def source_addresses(found: Found) -> list[str]:
    """Return the addresses that can only be the source's: what the public name leads to now, of one kind."""
    return [one for one in found.names.addresses if ":" not in one] or list(found.names.addresses)


def dest_addresses(found: Found) -> list[str]:
    """Return the addresses that can be the dest's: the one by which we come, where it was typed, else the host's own."""
    typed = str(found.ways[1]["host"])
    if re.fullmatch(r"[\d.]+|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*", typed):
        return [typed]
    own = [one for one in found.dest.host.addresses if ":" not in one]
    return [one for one in own if one not in found.source.host.addresses]


def _source(found: Found) -> Iterator[str]:
    host, before = found.source.host, found.source.proxy
    yield "source:"
    yield from _way(found.ways[0], host)
    yield from _address("address", source_addresses(found), f"what {found.names.name} leads to now", host)
    if before is None:
        yield f"  # proxy: {found.source.no_proxy}; say how the TLS proxy before the core is stopped"
        yield "  #   (stop, disable, status, access_logs)"
    else:
        logs = value(list(before.access_logs))
        yield f"  proxy: {{access_logs: {logs}}}  # stopped at the retire by systemctl, unless you say otherwise"
    yield ""


def _dest(found: Found) -> Iterator[str]:
    yield "dest:"
    yield from _way(found.ways[1], found.dest.host)
    yield from _address("address", dest_addresses(found), "by which we come, or its only one: do users reach it?", found.dest.host)
    yield f"  install: {INSTALLS.get(found.source.core.deploy, 'copy-tree')}"
    yield "  # door: {close: […], open: […], status: […]}  # commands that keep strangers out of the dest until the cut-over"
    yield ""


def moved_keys(config: Config, own: list[str]) -> list[str]:
    """Return the keys of the config that hold an address of the source."""
    return sorted(key for key, of in config.values.items() if isinstance(of, str) and of in own and of not in LOOPBACK)


def _changes(found: Found) -> Iterator[str]:
    own = [*found.source.host.addresses, *source_addresses(found)]
    keys, new = moved_keys(found.source.config, own), dest_addresses(found)
    if not keys:
        yield "planned_changes: {}  # its config holds no address of the source"
    else:
        yield "planned_changes:  # what alone may differ on the dest: the keys of the config that hold an address of the source"
        for key in keys:
            yield (
                f"  {key}: {value(new[0])}"
                if len(new) == 1
                else f"  {fill_in(key, f'on the source it is {found.source.config[key]}')}"
            )
    yield ""


def _databases(found: Found) -> Iterator[str]:
    login = found.source.config.values
    at = login.get("storages.engines.postgresql.host", "")
    yield f"# databases: {{postgresql: {{admin: {{system_user: postgres}}}}}}  # by its config PostgreSQL is at {at}"
    yield ""


def _servers(names: FoundNames) -> Iterator[str]:
    if not names.servers:
        yield f"    # {names.problem}"
        yield "    servers:"
        yield f"      - {fill_in('address', 'an authoritative name server of the public name; one line for each')}"
        return
    yield "    servers:"
    for name, address, port in names.servers:
        yield f"      - {{address: {value(address)}{f', port: {port}' if port != 53 else ''}}}  # {name}"  # noqa: PLR2004 - DNS


def _cutover(found: Found) -> Iterator[str]:
    names, before = found.names, found.source.proxy
    yield "cutover:"
    yield "  strategy: dns"
    yield "  dns:"
    primary = f"; its primary is {names.primary}" if names.primary else ""
    yield f"    provider: manual  # a person changes it. The zone is {names.zone or 'not known'}{primary}. Or, without a person:"
    yield f"    # provider: rfc2136, zone: {names.zone}, key: {{name: …, secret: {{file: …}}}}"
    yield "    # provider: command, command: {argv: […], secret: {env: …}}"
    yield from _servers(names)
    low = "" if names.ttl <= 300 else ": lower it well before the night"  # noqa: PLR2004 - as long as an outage may be
    yield f"    ttl: {min(names.ttl, 300) or 60}  # it is {names.ttl or 'not known'} s now{low}"
    if before is None:
        yield f"  # by proxy (strategy: proxy) it cannot be: {found.source.no_proxy}"
    else:
        more = f" (of {', '.join(before.files)})" if len(before.files) > 1 else ""
        yield "  # Or the source's nginx leads users to the dest until the name moves (docs/cutover-by-proxy.md):"
        yield "  # strategy: proxy"
        yield f"  # proxy: {{config_file: {before.file}, ca_file: {AUTHORITIES}}}{more}"
        yield f"  # the certificate that it shows: {before.certificate or 'none'}"
    yield ""


def _rest(found: Found) -> Iterator[str]:
    yield "backup:  # a file here whose age proves that a backup of the source was made"
    yield f"  {fill_in('file', 'its path')}"
    yield "  max_age_h: 24"
    yield ""
    yield "verification_user:  # made on the source before the move, deleted at the retire"
    yield "  username: verify01"
    yield f"  email: {value(f'verify01@{found.names.name}')}"
    yield "  password: {env: VERIFICATION_PASSWORD}  # a reference, never a value: set that variable (5 to 23 characters)"
    yield "  app_id: pryv-verify"
    trusted = found.source.config.get("auth.trustedApps") or "none"
    yield f"  origin: {value(_origin(found.source.public_url))}  # it must be among auth.trustedApps, which are: {value(trusted)}"
    if found.tls_ca_file:
        yield f"\ntls_ca_file: {value(found.tls_ca_file)}"


def _origin(url: str) -> str:
    return url.rstrip("/")


def data_folders(config: Config) -> list[str]:
    """Return the paths of the data roots."""
    return [root.path for root in data_roots(config)]
