"""What parts of a plan say against each other, though each is well formed by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args
from urllib.parse import urlsplit

from harness.plan.names import Rfc2136Part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.plan.model import HostPart, Plan
    from harness.plan.text import Where

HIGHEST_PORT = 65_535
IPV6 = 6
OF_IMAGES = "-image"


def contradictions(plan: Plan) -> Iterator[tuple[Where, str]]:
    """Yield each contradiction as (path, what is wrong)."""
    yield from _when(plan)
    yield from _deploy(plan)
    yield from _git(plan)
    yield from _apps(plan)
    yield from _install(plan)
    yield from _hosts(plan)
    yield from _ports(plan)
    yield from _config(plan)
    yield from _names(plan)
    yield from _strategy(plan)


def _when(plan: Plan) -> Iterator[tuple[Where, str]]:
    window = plan.change.window
    if window and window.end <= window.start:
        yield ("change", "window", "end"), "must be after the window's start"


def _deploy(plan: Plan) -> Iterator[tuple[Where, str]]:
    for kind in get_args(type(plan.core).model_fields["deploy"].annotation):
        given = getattr(plan.core, kind) is not None
        if given != (kind == plan.core.deploy):
            yield ("core", kind), f"belongs to `deploy: {kind}`" if given else f"is needed for `deploy: {kind}`"


def _git(plan: Plan) -> Iterator[tuple[Where, str]]:
    given, wanted = plan.dest.git is not None, plan.dest.install == "git-clone"
    if given != wanted:
        yield ("dest", "git"), "is needed for `install: git-clone`" if wanted else "belongs to `install: git-clone`"


def _apps(plan: Plan) -> Iterator[tuple[Where, str]]:
    if plan.core.dokku and plan.dest.install != "none":
        yield ("dest", "install"), "must be none for `deploy: dokku`: its app is made and deployed there by somebody"


def _install(plan: Plan) -> Iterator[tuple[Where, str]]:
    if plan.dest.install.endswith(OF_IMAGES) != (plan.core.deploy == "docker"):
        wanted = "a container has its core from its image" if plan.core.docker else "an image is for `deploy: docker`"
        yield ("dest", "install"), wanted


def _ports(plan: Plan) -> Iterator[tuple[Where, str]]:
    urls: dict[Where, str] = {
        ("core", "public_url"): plan.core.public_url,
        ("verification_user", "origin"): plan.verification_user.origin,
    }
    for where, url in urls.items():
        if int(urlsplit(url).netloc.partition(":")[2] or 1) > HIGHEST_PORT:
            yield where, f"a port is at most {HIGHEST_PORT}"


def _addresses(host: HostPart) -> set[object]:
    return {address for address in (host.address, host.address6) if address}


def _hosts(plan: Plan) -> Iterator[tuple[Where, str]]:
    if _addresses(plan.source) & _addresses(plan.dest):
        yield ("dest", "address"), "is an address of the source"
    source, dest = plan.source.ssh, plan.dest.ssh
    if source.host == dest.host and (source.port == dest.port or None in {source.port, dest.port}):
        yield ("dest", "ssh", "host"), "is reached as the source is: the same host and port"
    for role, host in (("source", plan.source), ("dest", plan.dest)):
        if host.address6 and host.address.version == IPV6:
            yield (role, "address6"), "stands beside an IPv4 address; this host's address is IPv6 already"


def _config(plan: Plan) -> Iterator[tuple[Where, str]]:
    for key in plan.planned_changes:
        if inside := next((other for other in plan.planned_changes if key.startswith(f"{other}.")), None):
            yield ("planned_changes", key), f"is inside {inside}, which is changed as a whole"


def _names(plan: Plan) -> Iterator[tuple[Where, str]]:
    part, public = plan.cutover.dns, plan.core.public_name
    at: Where = ("cutover", "dns")
    for index, name in enumerate(part.names):
        if name in part.names[:index]:
            yield (*at, "names", index), "is given twice"
    for index, server in enumerate(part.servers):
        if server in part.servers[:index]:
            yield (*at, "servers", index), "is given twice"
    if not any(covers(name, public) for name in plan.dns_names):
        yield (*at, "names"), f"the public name {public} is not among them"
    if isinstance(part, Rfc2136Part):
        for name in plan.dns_names:
            if not f".{name}".endswith(f".{part.zone}"):
                yield (*at, "zone"), f"{name} is not in this zone"


def _strategy(plan: Plan) -> Iterator[tuple[Where, str]]:
    if plan.cutover.strategy == "proxy" and plan.cutover.proxy is None:
        yield ("cutover", "proxy"), "is missing: by proxy it says which file of the source's nginx is changed"


def covers(name: str, asked: str) -> bool:
    """Whether a name, or a wildcard by any name below it, is the one that is asked for."""
    return asked.endswith(name[1:]) if name.startswith("*.") else asked == name
