"""The client as it runs: a process of its own, against real TLS servers, led by a real name server's answers."""

from __future__ import annotations

import http.server
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dns.flags
import dns.message
import dns.rrset
import pytest
from trustme import CA

from harness import client
from harness.client import ledger
from harness.client_deeds import AskClient, BeginClient, EndClient
from harness.run.driving import drive
from harness.run.performing import Performer
from tests.plans import CONTENT, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from harness.plan import Plan

OLD, NEW, OTHER = "127.0.77.2", "127.0.77.3", "127.0.77.4"
NAME = "core.example.com"
KNOWN = {"personal": "token-of-the-verification-user"}
LONGEST_S = 30.0


@dataclass
class Names:
    """A name server of one name: what it answers may be changed."""

    address: str = OLD
    asked: int = 0
    socket: socket.socket = field(default_factory=lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))

    def serve(self) -> None:
        """Answer until the socket is closed."""
        while True:
            try:
                raw, peer = self.socket.recvfrom(4096)
            except OSError:
                return
            answer = dns.message.make_response(dns.message.from_wire(raw))
            answer.flags |= dns.flags.AA
            if answer.question[0].rdtype == dns.rdatatype.A:
                answer.answer.append(dns.rrset.from_text(answer.question[0].name, 1, "IN", "A", self.address))
            self.asked += 1
            self.socket.sendto(answer.to_wire(), peer)


class Core(http.server.BaseHTTPRequestHandler):
    """Answers a write by an id, and a read of it."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Store nothing, and say so."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.client_address, self.headers["Authorization"], self.headers["Host"]))  # type: ignore[attr-defined]
        self._answer(201, {"event": {"id": f"id-of {body['content']}".replace(" ", "-")}})

    def do_GET(self) -> None:
        """Return what was asked for."""
        self._answer(200, {"event": {"id": self.path.rpartition("/")[2]}})

    def _answer(self, status: int, body: object) -> None:
        raw = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - as inherited
        """Be quiet."""


class Server(http.server.ThreadingHTTPServer):
    """A core behind TLS; `seen` has who wrote, with which token, under which name."""

    daemon_threads = True

    def __init__(self, address: str, port: int, certificate: Any) -> None:  # noqa: ANN401 - trustme's
        super().__init__((address, port), Core)
        self.seen: list[tuple[Any, str, str]] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Be quiet about clients that do not trust a certificate, or go away."""


@dataclass
class Stage:
    """Two cores of one name and one of another, the name server between them, and the harness's own performer."""

    folder: Path
    names: Names
    servers: dict[str, Server]
    plan: Plan
    performer: Performer

    def begin(self, **told: float) -> int:
        """Begin a client; returns its number."""
        return drive(client.begin(self.plan, KNOWN, self.folder, **told), self.performer.do)

    def lines(self) -> list[dict[str, Any]]:
        """Return the whole lines of all ledgers."""
        text = "".join(ledger.path_of(self.folder, number).read_text() for number in ledger.numbers(self.folder))
        return [json.loads(line) for line in text.split("\n")[:-1]]

    def until(self, there: Callable[[dict[str, Any]], bool]) -> None:
        """Wait until the ledger has such a line."""
        until(lambda: any(there(line) for line in self.lines()))


def until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST_S
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Set the stage, and end everything on it."""
    ca, names = CA(), Names()
    ca.cert_pem.write_to_path(tmp_path / "ca.pem")
    names.socket.bind(("127.0.0.1", 0))
    first = Server(OLD, 0, ca.issue_cert(NAME))
    port = first.server_address[1]
    servers = {
        OLD: first,
        NEW: Server(NEW, port, ca.issue_cert(NAME)),
        OTHER: Server(OTHER, port, ca.issue_cert("elsewhere.example.com")),
    }
    for target in (names.serve, *(server.serve_forever for server in servers.values())):
        threading.Thread(target=target, daemon=True).start()
    dns_part = {**CONTENT["cutover"]["dns"], "servers": [{"address": "127.0.0.1", "port": names.socket.getsockname()[1]}]}
    of = plan(
        core={**CONTENT["core"], "public_url": f"https://{NAME}:{port}"},
        source={**CONTENT["source"], "address": OLD},
        dest={**CONTENT["dest"], "address": NEW},
        cutover={**CONTENT["cutover"], "dns": dns_part},
        tls_ca_file=str(tmp_path / "ca.pem"),
    )
    performer = Performer(of, {})
    yield Stage(tmp_path, names, servers, of, performer)
    performer.close()
    for server in servers.values():
        server.shutdown()
        server.server_close()
    names.socket.close()


def test_it_follows_the_name_with_its_ttl_by_kept_connections_and_trusts_only_that_name(stage: Stage) -> None:
    assert stage.performer.observe(AskClient()) is False
    stage.begin(hertz=50)
    stage.until(lambda line: line.get("id", "") != "" and line["kind"] == "read" and line["at"] == OLD)
    [running] = stage.performer.clients
    told = [Path(f"/proc/{running.process.pid}/{name}").read_bytes() for name in ("cmdline", "environ")]
    stage.names.address = NEW
    stage.until(lambda line: line.get("at") == NEW and line["kind"] == "write")
    stage.names.address = OTHER
    stage.until(lambda line: line.get("why") == "SSLCertVerificationError" and line["kind"] == "write")
    assert stage.performer.observe(AskClient()) is True
    assert stage.performer.do(EndClient()) is True

    lines = stage.lines()
    writes = [line for line in lines if line["kind"] == "write"]
    at = [line["at"] for line in writes]
    assert at == sorted(at, key=[OLD, NEW, ""].index)  # an address that was left is not come back to
    assert len({peer for peer, _, _ in stage.servers[OLD].seen}) == 1
    assert {seen[1:] for seen in stage.servers[OLD].seen} == {(KNOWN["personal"], f"{NAME}:{stage.plan.core.public_port}")}
    assert stage.names.asked < len(lines) / 2
    assert len({line["text"] for line in writes}) == len(writes)
    assert (lines[0]["kind"], lines[-1]["kind"]) == ("begun", "ended")
    assert ledger.path_of(stage.folder, 1).stat().st_mode & 0o777 == 0o600
    assert not any(KNOWN["personal"].encode() in one for one in told)
    assert (stage.folder / "client.err").read_text() == ""
    assert running.is_alive is False
    assert stage.performer.do(EndClient()) is False


def test_it_ends_by_itself_after_so_many_writes_and_another_has_a_ledger_of_its_own(stage: Stage) -> None:
    assert (stage.begin(enough=2), stage.performer.do(EndClient(LONGEST_S))) == (1, True)
    assert (stage.begin(enough=2), stage.performer.do(EndClient(LONGEST_S))) == (2, True)

    acknowledged = [one.client for one in ledger.all_answers(stage.folder, {}) if one.kind == "write" and one.ok]
    assert sorted(set(acknowledged)) == [1, 2]
    assert 4 <= len(acknowledged) <= 8


HARNESS = """
import sys, time
from pathlib import Path
from harness.transport import local
argv = (sys.executable, "-m", "harness.client.process")
running = local.begin(argv, {"PYTHONPATH": sys.argv[1]}, sys.stdin.buffer.readline(), Path(sys.argv[2]))
print(running.process.pid, flush=True)
time.sleep(60)
"""


def test_it_ends_by_itself_when_the_harness_is_killed(stage: Stage) -> None:
    [deed] = [one for one in client.begin(stage.plan, KNOWN, stage.folder) if isinstance(one, BeginClient)]
    root = str(Path(client.__file__).parents[2])
    argv = (sys.executable, "-c", HARNESS, root, deed.errors)
    with subprocess.Popen(argv, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as harness:
        assert harness.stdin
        assert harness.stdout
        harness.stdin.write(deed.told.encode() + b"\n")
        harness.stdin.flush()
        pid = int(harness.stdout.readline())
        stage.until(lambda line: line["kind"] == "write")
        harness.send_signal(signal.SIGKILL)
        harness.wait(LONGEST_S)

    until(lambda: _is_over(pid))
    assert stage.lines()[-1]["kind"] == "ended"


def _is_over(pid: int) -> bool:
    """Whether a process is gone, or only its end is left to be fetched."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (ProcessLookupError, FileNotFoundError):
        return True
