"""How address records are changed: by a signed update (RFC 2136, RFC 8945), by a program of the operator's, or by a person."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import dns.exception
import dns.query
import dns.rcode
import dns.tsig
import dns.tsigkeyring
import dns.update

from harness.deed import DnsAnswer, DnsUpdate
from harness.errors import DeedFailed, StoppedForApproval, Unreachable
from harness.plan import CommandPart, Rfc2136Part
from harness.transport import local

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.deed import OperatorDeed
    from harness.plan import DnsPart

KINDS = ("A", "AAAA")
PATIENCE_S = 5.0
SHOWN_LINES = 10
DONE = "done"


def update(part: DnsPart, deed: DnsUpdate) -> DnsAnswer:
    """Replace the A and AAAA records of a name as the plan's provider does it.

    Raises DeedFailed when it is refused or fails, Unreachable when there is no answer, TimedOut when a program does not end.
    """
    if isinstance(part, Rfc2136Part):
        return _signed(part, deed)
    if isinstance(part, CommandPart):
        return _by_program(part, deed)
    raise TypeError("a manual provider is changed by an OperatorDeed")


def _signed(part: Rfc2136Part, deed: DnsUpdate) -> DnsAnswer:
    server = part.servers[0]
    message = _message(part, deed)
    try:
        answer = dns.query.tcp(message, str(server.address), timeout=PATIENCE_S, port=server.port)
    except dns.tsig.PeerError as error:
        raise DeedFailed(f"{deed}\nthe name server {server} refused the key {part.key.name}: {error}") from error
    except (dns.exception.DNSException, OSError) as error:
        raise Unreachable(f"name server {server}", f"sending {deed}", str(error) or type(error).__name__) from error
    code = dns.rcode.to_text(answer.rcode())
    if code != "NOERROR":
        raise DeedFailed(f"{deed}\nthe name server {server} refused: {code}")
    return DnsAnswer(str(server), code, tuple(text for _, text in deed.addresses), deed.ttl)


def _message(part: Rfc2136Part, deed: DnsUpdate) -> dns.update.UpdateMessage:
    """Return the update: both kinds of address go, the new ones come, in one message and so at once."""
    try:
        keyring = dns.tsigkeyring.from_text({part.key.name: part.key.secret.read().value})
    except ValueError as error:  # binascii's; its text is left out, as it may tell of the secret
        raise DeedFailed(f"the secret of the key {part.key.name} is not base64") from error
    message = dns.update.UpdateMessage(deed.zone, keyring=keyring, keyalgorithm=part.key.algorithm)
    for kind in KINDS:
        message.delete(f"{deed.name}.", kind)
    for kind, text in deed.addresses:
        message.add(f"{deed.name}.", deed.ttl, kind, text)
    return message


def words(deed: DnsUpdate, kind: str) -> tuple[str, ...]:
    """Return what the operator's program is told after its own arguments: NAME TYPE TTL [ADDRESS…]."""
    return (deed.name, kind, str(deed.ttl), *(text for one, text in deed.addresses if one == kind))


def _by_program(part: CommandPart, deed: DnsUpdate) -> DnsAnswer:
    command = part.command
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    secret = {"DNS_SECRET": command.secret.read().value} if command.secret else {}
    for kind in KINDS:
        done = local.run((*command.argv, *words(deed, kind)), {**kept, "LC_ALL": "C.UTF-8", **secret}, command.timeout_s)
        if done.exit:
            told = (done.out + b"\n" + done.err).decode(errors="replace").split("\n")
            tail = "\n".join([line for line in told if line.strip()][-SHOWN_LINES:])
            raise DeedFailed(f"{deed}\n{command.argv[0]} {' '.join(words(deed, kind))}: exit {done.exit}\n{tail}".rstrip())
    return DnsAnswer(command.argv[0], "exit 0", tuple(text for _, text in deed.addresses), deed.ttl)


def ask_person(deed: OperatorDeed, prompt: Callable[[str], str] | None) -> None:
    """Ask a person to do it and wait for the word; raises StoppedForApproval where nobody can be asked, or the word is another.

    That the deed was done is not believed: the same fact is looked at as for every provider.
    """
    again = "once it is done, type the same command again"
    if prompt is None:
        raise StoppedForApproval(f"{deed.text}; {again}")
    try:
        answer = prompt(f"{deed.text}\ntype {DONE} once it is done: ")
    except EOFError as error:
        raise StoppedForApproval(f"{deed.text}; {again}") from error
    if answer.strip().lower() != DONE:
        raise StoppedForApproval(f"{deed.text}; nobody said {DONE}: {again}")
