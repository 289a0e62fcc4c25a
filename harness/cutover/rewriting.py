"""The source's nginx configuration made to lead to the dest (option B of the guide), and what stands in the way of that.

Beyond the guide's search and replace: the dest is verified (nginx does not by default), asked for by the public name (by default
SNI is off, and the name that is sent is the upstream's), TLS sessions are not reused (they would outlive an unverified location),
every location sends the public Host (the dest's own nginx chooses the core's listener), and the client's address is appended.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.cutover.nginx import LUA, Directive, Placed, edited, walk, whole
from harness.errors import Problems
from harness.plan import covers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TARGET = re.compile(r"(https?)://(\[[^\]]+\](?::\d+)?|[^/]+)(/.*)?")
ACME = "/.well-known/acme-challenge"
SOCKETS = "/socket.io"
BODY = "client_max_body_size"
PASSES = ("fastcgi_pass", "uwsgi_pass", "scgi_pass", "grpc_pass", "memcached_pass")
PUBLIC = ("$host", "$http_host")
APPENDED = "$proxy_add_x_forwarded_for"
HEADER = "proxy_set_header"
LONG = "3600s"
LARGEST_BODY = "50m"  # as the product's own installation guide has it
Edit = tuple[int, int, str]


class StandsInTheWay(Problems):
    """The source's nginx cannot be made to lead to the dest safely: each line that stands in the way."""


@dataclass(frozen=True, slots=True)
class Way:
    """From where to where: the file that is changed, the core's own endpoints ("127.0.0.1:3000"), the dest's, and its name."""

    file: str
    public_name: str
    core: frozenset[str]
    dest: str
    dest_http: str
    ca_file: str

    @property
    def tls(self) -> dict[str, str]:
        """What each location says of the TLS to the dest."""
        return {
            "proxy_ssl_server_name": "on",
            "proxy_ssl_name": self.public_name,
            "proxy_ssl_verify": "on",
            "proxy_ssl_verify_depth": "3",
            "proxy_ssl_trusted_certificate": self.ca_file,
            "proxy_ssl_session_reuse": "off",
        }


@dataclass(frozen=True, slots=True)
class Passing:
    """A proxy_pass, where it stands and where it leads: `endpoints` of the upstream `upstream`, or of itself."""

    placed: Placed
    scheme: str
    upstream: Directive | None
    target: str
    path: str

    @property
    def endpoints(self) -> list[str]:
        """Where it leads, each as "address:port"."""
        if self.upstream is None:
            return [_endpoint(self.target, self.scheme)]
        return [_endpoint(one.args[0], "http") for one in self.upstream.inside("server") if one.args]

    @property
    def location(self) -> Directive:
        """The block in which it stands."""
        return self.placed.around[-1]

    @property
    def title(self) -> str:
        """Its location, for a person."""
        return " ".join((self.location.name, *self.location.args))


def _endpoint(target: str, scheme: str) -> str:
    return target if re.search(r":\d+$", target) else f"{target}:{'443' if scheme == 'https' else '80'}"


def is_acme(block: Directive) -> bool:
    """Whether a block answers the challenges of certificates."""
    return block.name == "location" and bool(block.args) and block.args[-1].startswith(ACME)


def answers_for(server: Directive | None, name: str) -> bool:
    """Whether a server block is the public name's."""
    names = [word for one in server.inside("server_name") for word in one.args] if server else []
    return any(covers(one, name) for one in names)


def passings(tree: Sequence[Directive]) -> Iterator[Passing]:
    """Yield every proxy_pass of the HTTP part, but those of certificates' challenges."""
    placed = list(walk(tree))
    upstreams = {one.directive.args[0]: one.directive for one in placed if one.directive.name == "upstream" and one.directive.args}
    for one in placed:
        if one.directive.name != "proxy_pass" or one.block("stream") or any(map(is_acme, one.around)):
            continue
        found = TARGET.fullmatch(one.directive.args[0])
        scheme, target, path = found.groups() if found else ("", one.directive.args[0], "")
        yield Passing(one, scheme, upstreams.get(target), target, path or "")


def rewritten(files: Mapping[str, str], way: Way) -> str:
    """Return the text of the file that leads to the dest; raises StandsInTheWay with every line in the way, or Unreadable."""
    tree = whole(files)
    found = [one for one in passings(tree) if _is_ours(one, way)]
    problems = list(dict.fromkeys(_problems(tree, found, files, way)))
    if problems:
        raise StandsInTheWay("the source's nginx cannot be made to lead to the dest:", problems)
    edits = [edit for one in found for edit in _edits(files[way.file], one, way)]
    return edited(files[way.file], [*edits, *_bodies(found), *_challenges(tree, way)])


def _is_ours(one: Passing, way: Way) -> bool:
    return answers_for(one.placed.block("server"), way.public_name) or not way.core.isdisjoint(one.endpoints)


def _problems(tree: Sequence[Directive], found: Sequence[Passing], files: Mapping[str, str], way: Way) -> Iterator[str]:
    if way.file not in files:
        yield f"nginx does not read {way.file}; it reads {', '.join(files)}"
        return
    if not found:
        yield f"no location of {way.public_name} leads to the core"
    for one in found:
        yield from (f"{one.placed.directive.where} ({why})" for why in _against(one, way))
    for placed in walk(tree):
        strange = placed.directive.name in PASSES or LUA in placed.directive.name
        if strange and answers_for(placed.block("server"), way.public_name):
            yield f"{placed.directive.where} (answers by another way than proxy_pass)"


def _against(one: Passing, way: Way) -> Iterator[str]:
    """Yield why a proxy_pass cannot be led to the dest."""
    if "$" in one.target or "$" in one.path or not one.scheme:
        yield "where it leads is decided by variables, or is no host"
        return
    if not answers_for(one.placed.block("server"), way.public_name):
        yield f"a server that is not {way.public_name}'s leads to the core too"
    if one.location.name != "location":
        yield f"stands in `{one.location.name}`, not directly in a location"
    if not set(one.endpoints) <= way.core or len(one.endpoints) != 1:
        yield f"leads to {', '.join(one.endpoints) or 'nothing'}, which is not one listener of the core"
    for file in {one.placed.directive.file, *([one.upstream.file] if one.upstream else [])} - {way.file}:
        yield f"stands in {file}, not in {way.file}"
    for header in one.location.inside(HEADER):
        if header.file != way.file and _header(header) != (header.args[0], header.args[-1]):
            yield f"its header is set in another file: {header.where}"


# --- what is changed


def _edits(text: str, one: Passing, way: Way) -> Iterator[Edit]:
    """Yield the edits of one location, and of the upstream that it leads to."""
    passing = one.placed.directive
    to = one.target if one.upstream else way.dest
    yield passing.words[0].start, passing.words[0].end, f"https://{to}{one.path}"
    for server in one.upstream.inside("server") if one.upstream else ():
        yield server.words[0].start, server.words[0].end, way.dest
    wanted = {**way.tls, "proxy_http_version": "1.1"}
    added = []
    for name, value in wanted.items():
        if own := one.location.inside(name):
            yield own[-1].start, own[-1].end, f"{name} {value};"
        else:
            added.append(f"{name} {value};")
    added += [f"{name} {LONG};" for name in _missing_timeouts(one)]
    own_headers = one.location.inside(HEADER)
    for header in own_headers:
        if (new := _header(header)) != header.args[:2]:
            yield header.start, header.end, f"{HEADER} {new[0]} {new[1]};"
    added += _missing_headers(text, one, inherited=not own_headers)
    indent = text[text.rfind("\n", 0, passing.start) + 1 : passing.start]
    between = f"\n{indent}" if indent.isspace() else " "
    yield passing.end, passing.end, "".join(f"{between}{line}" for line in added)


def _takes_websockets(one: Passing) -> bool:
    named = any(SOCKETS in word for word in one.location.args)
    return named or any(header.args[0].lower() == "upgrade" for header in one.placed.all_nearest(HEADER))


def _missing_timeouts(one: Passing) -> list[str]:
    names = ("proxy_read_timeout", "proxy_send_timeout") if _takes_websockets(one) else ()
    return [name for name in names if not one.location.inside(name)]


def _header(header: Directive) -> tuple[str, str]:
    """Return a header's name and the value that it must have on the way to the dest's own nginx."""
    name, value = header.args[0], header.args[-1]
    if name.lower() == "host" and value not in PUBLIC:
        return name, "$http_host"
    return (name, APPENDED) if name.lower() == "x-forwarded-for" else (name, value)


def _missing_headers(text: str, one: Passing, *, inherited: bool) -> list[str]:
    """Return the headers to add: all of them where none is set here, as one alone would end the inheriting of the others."""
    nearest = one.placed.all_nearest(HEADER)
    lines = []
    for header in nearest if inherited else ():
        name, value = _header(header)
        kept = text[header.start : header.end] if header.file == one.location.file else f'{HEADER} {name} "{header.args[-1]}";'
        lines.append(kept if value == header.args[-1] else f"{HEADER} {name} {value};")
    needed = {"Host": "$http_host", "X-Forwarded-For": APPENDED}
    if any(SOCKETS in word for word in one.location.args):
        needed |= {"Upgrade": "$http_upgrade", "Connection": '"upgrade"'}
    there = {header.args[0].lower() for header in nearest}
    return lines + [f"{HEADER} {name} {value};" for name, value in needed.items() if name.lower() not in there]


def _bodies(found: Sequence[Passing]) -> Iterator[Edit]:
    """Yield the room for uploads, where nothing is said of it: nginx's own limit is 1 MB."""
    for one in found:
        server = one.placed.block("server")
        if server and not one.placed.nearest(BODY):
            yield server.opened, server.opened, f"\n    {BODY} {LARGEST_BODY};"


def _challenges(tree: Sequence[Directive], way: Way) -> Iterator[Edit]:
    """Yield the forwarding of certificates' challenges, where the source answers them: they come to it until the name moves."""
    for placed in walk(tree):
        block = placed.directive
        if is_acme(block) and block.file == way.file and answers_for(placed.block("server"), way.public_name):
            body = f" proxy_pass http://{way.dest_http}; {HEADER} Host $host; "
            yield block.opened, block.end - 1, body


__all__ = ["Passing", "StandsInTheWay", "Way", "answers_for", "passings", "rewritten"]
