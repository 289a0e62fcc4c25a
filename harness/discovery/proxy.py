"""The nginx before the core: which of its files leads there, found in what `nginx -T` prints (private: it may hold anything)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.cutover import nginx
from harness.cutover.rewriting import answers_for, passings
from harness.deed import Ask, Command, Role
from harness.discovery.found import FoundProxy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.cutover.nginx import Directive, Placed
    from harness.deed import Reading

SHOW = "command -v nginx >/dev/null || exit 3; exec nginx -T"
LOG = "/var/log/nginx/access.log"
NO_NGINX = 3


def proxy(name: str, ports: Sequence[int]) -> Reading[FoundProxy | str]:
    """Return the proxy that serves a name and leads to one of the core's ports, or in words why none is found."""
    answer = yield Ask(Command(Role.SOURCE, ("sh", "-c", SHOW), private=True, exits=tuple(range(256))))
    if answer.exit == NO_NGINX:
        return "there is no nginx on the source"
    if answer.exit:
        return f"the source's nginx does not show its configuration (nginx -T: exit {answer.exit})"
    try:
        tree = nginx.whole(nginx.dumped(answer.out.decode(errors="surrogateescape")))
    except nginx.Unreadable as error:
        return f"the source's nginx configuration cannot be read: {error}"
    leading = [one for one in passings(tree) if answers_for(one.placed.block("server"), name)]
    own = [one for one in leading if any(int(end.rpartition(":")[2]) in ports for end in one.endpoints if end[-1:].isdigit())]
    if not own:
        return f"no location of the source's nginx leads to the core under {name}"
    files = tuple(dict.fromkeys(one.placed.directive.file for one in own))
    return FoundProxy(files[0], _nearest(own[0].placed, "ssl_certificate"), _logs(own[0].placed), files)


def _nearest(placed: Placed, name: str) -> str:
    found = placed.nearest(name)
    return found.args[0] if found and found.args else ""


def _logs(placed: Placed) -> tuple[str, ...]:
    found: list[Directive] = placed.all_nearest("access_log")
    logs = [one.args[0] for one in found if one.args and one.args[0].startswith("/")] or [LOG]
    return tuple(path for log in logs for path in (f"{log}.1", log))
