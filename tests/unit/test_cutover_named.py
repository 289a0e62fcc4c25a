"""Cut-over by DNS against two real named: A and AAAA, the apex and a wildcard, by signed updates and by a program."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fixtures.hosts import addresses
from fixtures.hosts.programs import find
from fixtures.hosts.ready import accepts
from harness.check import Check, Outcome
from harness.cutover import dns
from harness.deed import DnsAnswer, DnsUpdate, Resolve, Role
from harness.errors import DeedFailed, Unreachable
from harness.plan import Plan, Rfc2136Part
from harness.run.driving import drive
from harness.waiting import until
from tests.unit.test_cutover import MANUAL, NAMES, NEW, OLD, moving

HERE = "127.0.0.1"
SECRET = base64.b64encode(b"a key of thirty-two bytes, or so").decode()
CONF = """\
key "move" {{ algorithm hmac-sha256; secret "{secret}"; }};
options {{
    directory "{folder}"; pid-file none; session-keyfile none; lock-file none; managed-keys-directory "{folder}";
    listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};
    recursion no; dnssec-validation no; minimal-responses yes; allow-transfer {{ 127.0.0.1; }};
    notify-delay 0; notify-rate 1000; serial-query-rate 1000;
    min-refresh-time 1; max-refresh-time 2; min-retry-time 1; max-retry-time 1;
}};
controls {{ }};
zone "example.com" {{ file "example.com.zone"; {part} }};
"""
PRIMARY = (
    "type primary; notify explicit; also-notify {{ 127.0.0.1 port {other}; }}; update-policy {{ grant move zonesub A AAAA; }};"
)
SECONDARY = "type secondary; masterfile-format text; primaries {{ 127.0.0.1 port {other}; }}; allow-notify {{ 127.0.0.1; }};"
ZONE = """\
$TTL 60
@ IN SOA ns1 hostmaster 1 2 1 3600 1
@ IN NS ns1
ns1 IN A 127.0.0.1
below IN NS ns.elsewhere.example.org.
@ IN A 203.0.113.10
@ IN AAAA 2001:db8::10
@ IN MX 10 mail.example.org.
core IN A 203.0.113.10
core IN AAAA 2001:db8::10
*    IN A 203.0.113.10
*    IN AAAA 2001:db8::10
"""
PROGRAM = f"""\
#!{sys.executable}
import os, sys
import dns.query, dns.tsigkeyring, dns.update
port, name, kind, ttl, *addresses = sys.argv[1:]
keyring = dns.tsigkeyring.from_text({{"move": os.environ["DNS_SECRET"]}})
message = dns.update.UpdateMessage("example.com", keyring=keyring, keyalgorithm="hmac-sha256")
message.delete(name + ".", kind)
for address in addresses:
    message.add(name + ".", int(ttl), kind, address)
sys.exit(dns.query.tcp(message, "127.0.0.1", timeout=5, port=int(port)).rcode())
"""


@dataclass(frozen=True)
class Named:
    """Two servers of one zone: the ports of the primary and of the secondary that follows it."""

    primary: int
    secondary: int
    folder: Path

    @property
    def servers(self) -> list[dict[str, Any]]:
        """The servers as a plan names them."""
        return [{"address": HERE, "port": port} for port in (self.primary, self.secondary)]


@contextmanager
def running(folder: Path, port: int, other: int, part: str) -> Iterator[None]:
    folder.mkdir()
    conf = folder / "named.conf"
    conf.write_text(CONF.format(secret=SECRET, folder=folder, port=port, part=part.format(other=other)))
    if part is PRIMARY:
        (folder / "example.com.zone").write_text(ZONE)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            (find("named"), "-g", "-n", "1", "-c", str(conf)), stdout=log, stderr=log, start_new_session=True
        )
    try:
        until(lambda: _serves(port) or None, within_s=10, message=lambda: (folder / "log").read_text()[-2000:])
        yield
    finally:
        process.terminate()
        process.wait(10)


def _serves(port: int) -> bool:
    return accepts(HERE, port) and dns.resolve(Resolve(f"{HERE}:{port}", "core.example.com", "A")).texts != ()


@pytest.fixture
def named(tmp_path: Path) -> Iterator[Named]:
    tmp_path.chmod(0o755)
    first = addresses.port(HERE)
    servers = Named(first, addresses.port(HERE, {first}), tmp_path)
    with ExitStack() as stack:
        stack.enter_context(running(tmp_path / "primary", servers.primary, servers.secondary, PRIMARY))
        stack.enter_context(running(tmp_path / "secondary", servers.secondary, servers.primary, SECONDARY))
        yield servers


@pytest.fixture
def key(tmp_path: Path) -> dict[str, Any]:
    file = tmp_path / "tsig"
    file.write_text(SECRET)
    return {"name": "move", "secret": {"file": str(file)}}


def move(of: Plan, role: Role = Role.DEST) -> list[Any]:
    """Point the names at a role's host, as a run does; returns the deeds."""
    done: list[Any] = []

    def do(deed: DnsUpdate) -> DnsAnswer:
        done.append(deed)
        return dns.update(of.cutover.dns, deed)

    drive(dns.point(of, role), do)
    return done


def look(of: Plan, role: Role = Role.DEST) -> Check:
    return drive(dns.every_server_answers(of, role), lambda asked: [dns.resolve(one) for one in asked])


def arrives(of: Plan, role: Role = Role.DEST) -> Check:
    return until(
        lambda: check if (check := look(of, role)).outcome is Outcome.HELD else None,
        within_s=5,
        message=lambda: str(look(of, role).observed),
    )


def ask(server: int, name: str, kind: str) -> tuple[str, ...]:
    return dns.resolve(Resolve(f"{HERE}:{server}", name, kind)).texts


def test_apex_name_and_wildcard_move_with_both_types_on_both_servers_and_back(named: Named, key: dict[str, Any]) -> None:
    of = moving(names=NAMES, servers=named.servers, key=key)
    assert look(of, Role.SOURCE).outcome is Outcome.HELD
    assert look(of).outcome is Outcome.NOT_HELD
    ttl = drive(dns.ttl_is_low(of), lambda asked: [dns.resolve(one) for one in asked])
    assert (ttl.outcome, ttl.examined) == (Outcome.HELD, 12)

    assert len(move(of)) == 3
    assert arrives(of).examined == 6
    for port in (named.primary, named.secondary):
        for name in ("example.com", "core.example.com", "any.example.com", "deep.below.any.example.com"):
            assert [ask(port, name, kind) for kind in ("A", "AAAA")] == [(NEW["A"],), (NEW["AAAA"],)]
    assert ask(named.primary, "example.com", "MX") == ("10 mail.example.org.",)

    move(of, Role.SOURCE)
    assert arrives(of, Role.SOURCE).held


def test_the_old_aaaa_goes_when_the_dest_has_none(named: Named, key: dict[str, Any]) -> None:
    of = moving(six=("source",), names=NAMES, servers=named.servers, key=key)
    move(moving(names=NAMES, servers=named.servers, key=key))
    arrives(moving(names=NAMES, servers=named.servers, key=key))
    assert look(of).outcome is Outcome.NOT_HELD

    move(of)

    arrives(of)
    assert ask(named.secondary, "any.example.com", "AAAA") == ()
    assert OLD["AAAA"] not in str(look(of).observed)


def test_a_wildcard_that_stayed_behind_is_red_although_the_public_name_moved(named: Named, key: dict[str, Any]) -> None:
    move(moving(servers=named.servers, key=key))
    arrives(moving(servers=named.servers, key=key))

    check = look(moving(names=["core.example.com", "*.example.com"], servers=named.servers, key=key))

    assert check.outcome is Outcome.NOT_HELD
    assert check.observed[f"*.example.com at {HERE}:{named.primary}"] == [OLD["A"], OLD["AAAA"]]
    assert check.observed[f"core.example.com at {HERE}:{named.primary}"] == [NEW["A"], NEW["AAAA"]]


def test_a_program_of_the_operators_moves_them_as_well(named: Named, key: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    program = named.folder / "set-dns"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    command = {"argv": [str(program), str(named.primary)], "secret": key["secret"]}
    of = moving({"provider": "command", "servers": named.servers, "ttl": 60, "names": NAMES, "command": command}, six=("source",))

    assert [deed.zone for deed in move(of)] == ["", "", ""]
    arrives(of)

    wrong = {"env": "NOT_THE_SECRET"}
    bad = moving({**of.cutover.dns.model_dump(mode="json"), "command": {**command, "secret": wrong}})
    monkeypatch.setenv("NOT_THE_SECRET", base64.b64encode(b"another key").decode())
    with pytest.raises(DeedFailed, match=r"exit 1\n(.|\n)*PeerBadSignature"):
        move(bad)


def test_a_key_that_the_server_does_not_take_is_told_by_its_name(named: Named, key: dict[str, Any], tmp_path: Path) -> None:
    other = tmp_path / "other"
    for content, expected in (
        (base64.b64encode(b"another key").decode(), "refused the key move"),
        ("not base64!", "is not base64"),
    ):
        other.write_text(content)
        of = moving(servers=named.servers, key={**key, "secret": {"file": str(other)}})
        with pytest.raises(DeedFailed, match=expected) as error:
            move(of)
        assert content not in str(error.value)

    unknown = moving(servers=named.servers, key={**key, "name": "nobody"})
    with pytest.raises(DeedFailed, match="refused the key nobody"):
        move(unknown)
    assert isinstance(unknown.cutover.dns, Rfc2136Part)
    assert look(moving(servers=named.servers, key=key), Role.SOURCE).held


def test_what_a_server_has_no_say_about_is_no_answer(named: Named) -> None:
    with pytest.raises(Unreachable, match=r"it is not authoritative for core\.below\.example\.com"):
        ask(named.primary, "core.below.example.com", "A")

    elsewhere = moving(MANUAL, servers=named.servers, names=["core.example.com", "core.example.org"])
    with pytest.raises(Unreachable, match="it answered REFUSED"):
        look(elsewhere)


def test_a_server_that_is_gone_is_an_error_and_no_other_answer_makes_up_for_it(named: Named, key: dict[str, Any]) -> None:
    free = addresses.port(HERE, {named.primary, named.secondary})

    with pytest.raises(Unreachable, match=f"name server {HERE}:{free} is unreachable"):
        look(moving(servers=[*named.servers, {"address": HERE, "port": free}], key=key), Role.SOURCE)
