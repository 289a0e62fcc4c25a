"""Host keys before there is a plan: pinned already, or shown with their fingerprints and pinned only by a person's yes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.errors import Refused
from harness.transport.offered import offered, pin
from harness.transport.ssh import pinned_keys

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.plan import SshPart

YES = "yes"


def demand_pinned(who: str, part: SshPart, ask: Callable[[str], str] | None) -> None:
    """Demand that known_hosts has a key of the host; what it offers is pinned only where a person says yes.

    Raises Refused with the fingerprints and the command that pins them, Unreachable when the host does not answer.
    """
    if pinned_keys(part):
        return
    keys = offered(who, part)
    shown = "\n".join(f"    {one}" for one in keys.fingerprints)
    on_it = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub (on the host's console)"
    unknown = f"the {who}'s key is not known ({part.host} in {part.known_hosts}). It offers:\n{shown}"
    said = f"{unknown}\ncompare that with what the host has: {on_it}"
    if ask and ask(f'{said}\nis it the same? ("{YES}" pins it): ').strip() == YES:
        pin(part.known_hosts, keys.lines)
        return
    commands = "\n".join(f"    echo '{line}' >> {part.known_hosts}" for line in keys.lines)
    raise Refused(f"{said}\nif it is the same, pin it, then type this again:\n{commands}")
