"""The loopback hosts of one world, asked by the tools that an operator has: ssh, psql, https, DNS, host-init."""

from __future__ import annotations

import json
import os
import shlex
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import dns.message
import dns.query
import dns.rcode
import dns.update
import psycopg
import pytest
import yaml

from fixtures.hosts import names, sample
from fixtures.hosts.accounts import POSTGRES, PRYV, login
from fixtures.hosts.world import open_world
from harness import core_api
from harness.core_api import call
from harness.cutover.dns import resolve, update
from harness.deed import DnsUpdate, Resolve, Role
from harness.errors import DeedFailed, HostKeyRefused, Unreachable
from harness.host import as_user
from harness.plan import Rfc2136Part, load
from harness.preflight.hosts import WHICH, programs
from harness.transport.ssh import Ssh
from harness.waiting import until
from tests.unit.loopback import core_processes, left_of, on, psql, spaces_of, ssh

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from fixtures.hosts.world import World
    from harness.deed import DnsAnswer, HttpAnswer
    from harness.plan import Plan

BOTH = pytest.mark.parametrize("role", list(Role))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    opened = open_world(tmp_path_factory.mktemp("rehearsal"), fresh=True, say=lambda _: None)
    spaces = spaces_of(opened)
    yield opened
    opened.end()
    assert len(spaces) == 3
    assert left_of(opened, spaces) == []


@pytest.fixture
def plan(world: World) -> Plan:
    return load(world.plan_path)


@pytest.fixture
def config(world: World) -> Any:  # noqa: ANN401 - a config is any
    return yaml.safe_load(on(world, Role.SOURCE, "cat /etc/pryv/override.yml"))


def ask(plan: Plan, role: Role, method: str, path: str, ca: str | None) -> HttpAnswer:
    address = str(plan.host(role).address)
    return core_api.send(
        call(method, path, via=role), plan.core.public_url, ca, lambda: core_api.by_address(address, plan.core.public_port, 5)
    )


# --- reached by ssh


@BOTH
def test_who_the_plan_comes_as_is_let_in_by_key_and_the_host_is_the_pinned_one(world: World, role: Role) -> None:
    assert on(world, role, "id -un; hostname; cat /etc/pryv-rehearsal-nonce").split() == [login().name, str(role), world.nonce]


def test_another_hosts_key_is_refused(plan: Plan, tmp_path: Path) -> None:
    swapped = tmp_path / "known_hosts"
    lines = Path(plan.source.ssh.known_hosts).read_text(encoding="ascii").splitlines()
    (first, key), (second, other) = (line.split(" ", 1) for line in lines)
    swapped.write_text(f"{first} {other}\n{second} {key}\n", encoding="ascii")
    transport = Ssh("source", plan.source.ssh.model_copy(update={"known_hosts": str(swapped)}))

    with pytest.raises(HostKeyRefused):
        transport.execute("true")

    transport.close()


@BOTH
def test_every_tool_that_the_runbook_asks_for_is_found_and_psql_is_the_servers_own(world: World, plan: Plan, role: Role) -> None:
    found = on(world, role, f"set -- {shlex.join(programs(plan, role))}\n{WHICH}").splitlines()

    assert sorted(found) == sorted(programs(plan, role))
    assert on(world, role, "command -v psql").startswith("/usr/lib/postgresql/")


def test_a_connection_from_the_source_comes_from_its_address(world: World, plan: Plan) -> None:
    key = Path(plan.source.ssh.identity_file or "").read_text(encoding="ascii")
    known = f"[{plan.dest.address}]:{plan.dest.ssh.port}"
    line = (
        "umask 077; cat > /run/key; ssh -o BatchMode=yes -o UserKnownHostsFile=/run/known -o StrictHostKeyChecking=accept-new "
        f"-i /run/key -p {plan.dest.ssh.port} {plan.dest.address} 'echo $SSH_CONNECTION'; "
        f"grep -cF '{known}' /run/known; rm /run/key"
    )
    answered = on(world, Role.SOURCE, line, stdin=key).split()

    assert (answered[0], answered[2], answered[-1]) == (str(plan.source.address), str(plan.dest.address), "1")


# --- hosts of their own


def test_each_host_has_files_and_processes_of_its_own(world: World) -> None:
    paths = [f"{folder}/only-here" for folder in ("/etc", "/var", "/root", "/home", "/opt", "/srv", "/usr/local", "/tmp", "/run")]
    on(world, Role.SOURCE, f"touch {' '.join(paths)}")

    assert on(world, Role.DEST, f"ls {' '.join(paths)} 2>/dev/null || true") == ""
    assert [path for path in paths if os.path.exists(path)] == []  # noqa: PTH110 - also where we may not look, as in /root
    on(world, Role.SOURCE, f"rm {' '.join(paths)}")


def test_pid_1_is_the_hosts_init_and_other_hosts_processes_are_not_seen(world: World) -> None:
    processes = on(world, Role.DEST, "ps -eo pid=,args=")
    assert "host-init/supervisor.py" in processes.splitlines()[0]
    assert "master.py" not in processes


def test_the_interpreter_works_for_the_cores_user(world: World) -> None:
    interpreter = core_processes(world, Role.SOURCE)[0].split()[0]
    line = shlex.join(as_user(PRYV.known_as, (interpreter, "-c", "import psycopg; print(1)")))

    assert on(world, Role.DEST, line) == "1\n"


def test_orphans_are_reaped(world: World) -> None:
    on(world, Role.DEST, "for n in 1 2 3; do setsid --fork sleep 0.01; done")

    def zombies() -> list[str]:
        return [text for text in on(world, Role.DEST, "ps -eo stat=,args=").splitlines() if text.startswith("Z") or "sleep" in text]

    until(lambda: True if not zombies() else None, within_s=5, message=lambda: f"left: {zombies()}")


# --- PostgreSQL


def test_the_source_has_the_cores_database_and_the_dest_has_none(world: World) -> None:
    owner = "SELECT pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate FROM pg_database WHERE datname = 'pryv'"
    assert psql(world, Role.SOURCE, owner) == "pryv|UTF8|C.UTF-8"
    assert psql(world, Role.DEST, "SELECT datname FROM pg_database WHERE NOT datistemplate") == "postgres"
    assert psql(world, Role.DEST, "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_'") == POSTGRES.known_as


def test_the_core_signs_in_by_password_and_nobody_else_does(plan: Plan, config: Any) -> None:  # noqa: ANN401 - a config is any
    part = config["storages"]["engines"]["postgresql"]
    assert part["host"] == str(plan.source.address)
    login = {"host": part["host"], "port": part["port"], "dbname": part["database"], "user": part["user"]}
    with psycopg.connect(**login, password=part["password"]) as connection:
        users = connection.execute("SELECT count(*) FROM users_index").fetchone()
    assert users == (3,)

    for wrong in ({**login, "password": "wrong"}, {**login, "user": POSTGRES.known_as, "password": part["password"]}):
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(**wrong)


# --- the door


def test_the_public_name_is_served_over_tls_that_the_worlds_ca_vouches_for(plan: Plan, config: Any) -> None:  # noqa: ANN401 - a config is any
    answer = ask(plan, Role.SOURCE, "GET", "/reg/service/info", plan.tls_ca_file)

    assert answer.status == 200
    assert answer.json()["serial"] == config["service"]["serial"]
    with pytest.raises(Unreachable, match="certificate verify failed"):
        ask(plan, Role.SOURCE, "GET", "/reg/service/info", None)


def test_while_no_core_answers_users_are_asked_to_come_again(plan: Plan) -> None:
    for path in ("/reg/service/info", "/anybody/events/any/series"):
        answer = ask(plan, Role.DEST, "GET", path, plan.tls_ca_file)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5"), path


def test_series_go_to_the_series_server(plan: Plan) -> None:
    answer = ask(plan, Role.SOURCE, "GET", "/nobody-here/events/any/series", plan.tls_ca_file)

    assert answer.status in {401, 404}
    assert "meta" not in answer.json()  # the series server's errors have none, the API's have


class Echo(BaseHTTPRequestHandler):
    """Answers with the headers it was sent."""

    def do_GET(self) -> None:
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        """Say nothing."""


@contextmanager
def echo(address: str, port: int) -> Iterator[None]:
    """Stand in the core's place."""
    with ThreadingHTTPServer((address, port), Echo) as server:
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield
        server.shutdown()


def test_the_door_tells_the_core_who_asked_and_for_which_name(plan: Plan) -> None:
    dest = str(plan.dest.address)
    with echo(dest, 3000), echo(dest, 4000):
        api = ask(plan, Role.DEST, "GET", "/someone/events", plan.tls_ca_file).json()
        series = ask(plan, Role.DEST, "GET", "/someone/events/abc/series", plan.tls_ca_file).json()
        batch = ask(plan, Role.DEST, "GET", "/someone/series/batch", plan.tls_ca_file).json()

    assert (api["host"], series["host"], batch["host"]) == ("core.pryv.test:8443", "127.0.0.1:4000", "127.0.0.1:4000")
    assert {one["x-forwarded-for"] for one in (api, series, batch)} == {"127.0.0.1"}
    assert {one["x-forwarded-proto"] for one in (api, series, batch)} == {"https"}


# --- names


def both(plan: Plan) -> list[DnsAnswer]:
    return [resolve(Resolve(str(server), names.NAME, "A")) for server in plan.cutover.dns.servers]


def test_a_signed_update_reaches_both_name_servers_at_once(plan: Plan) -> None:
    source, dest = str(plan.source.address), str(plan.dest.address)
    assert [(one.texts, one.ttl) for one in both(plan)] == [((source,), 2)] * 2

    for address in (dest, source):
        update(plan.cutover.dns, DnsUpdate(names.ZONE, names.NAME, 2, (("A", address),)))
        until(
            lambda address=address: True if all(one.texts == (address,) for one in both(plan)) else None,  # type: ignore[misc]
            within_s=1.5,
            every_s=0.01,
            message=lambda: f"the servers differ: {both(plan)}",
        )


def test_updates_that_are_not_signed_or_of_another_name_are_refused(plan: Plan) -> None:
    server = plan.cutover.dns.servers[0]
    unsigned = dns.update.UpdateMessage(names.ZONE)
    unsigned.replace(f"{names.NAME}.", 2, "A", str(plan.dest.address))
    assert dns.query.tcp(unsigned, str(server.address), timeout=5, port=server.port).rcode() == dns.rcode.REFUSED

    with pytest.raises(DeedFailed, match="REFUSED"):
        update(plan.cutover.dns, DnsUpdate(names.ZONE, f"other.{names.ZONE}", 2, (("A", str(plan.dest.address)),)))


# --- the plan


def test_the_plan_is_valid_and_the_verification_user_may_sign_in_where_it_says(plan: Plan, world: World, config: Any) -> None:  # noqa: ANN401 - a config is any
    assert plan.change.id == f"REHEARSAL-{world.id}"
    assert set(plan.planned_changes.values()) == {str(plan.dest.address)}
    assert 5 <= len(plan.verification_user.password.read().value) <= 23
    assert sample.ORIGIN in config["auth"]["trustedApps"]
    assert isinstance(plan.cutover.dns, Rfc2136Part)
    assert plan.cutover.dns.key.secret.read().value not in world.plan_path.read_text()


def test_keys_and_secrets_are_closed_to_others(world: World) -> None:
    modes = {path.name: f"{path.stat().st_mode & 0o777:o}" for path in (world.folder / "keys").iterdir()}

    secret = {"operator", "source", "dest", "tsig.secret", "verification.password"}
    assert {name: modes[name] for name in secret} == dict.fromkeys(secret, "600")
    assert f"{(world.folder / 'keys').stat().st_mode & 0o777:o}" == "700"
    assert on(world, Role.SOURCE, "stat -c '%U %a' /etc/pryv/override.yml") == f"{PRYV.known_as} 600\n"


# --- host-init


def init(world: World, verb: str, role: Role = Role.SOURCE, service: str = "core") -> tuple[int, str]:
    ran = ssh(load(world.plan_path).host(role).ssh, f"host-init {verb} {service}")
    return ran.returncode, (ran.stdout + ran.stderr).strip()


def test_a_core_is_stopped_and_started_with_all_its_processes(world: World, plan: Plan) -> None:
    assert init(world, "status")[0] == 0
    assert len(core_processes(world, Role.SOURCE)) >= 3

    assert init(world, "stop") == (0, "core stopped")
    assert init(world, "status")[0] == 3
    assert core_processes(world, Role.SOURCE) == []
    assert ask(plan, Role.SOURCE, "GET", "/reg/service/info", plan.tls_ca_file).status == 503

    assert init(world, "start")[0] == 0
    until(
        lambda: True if ask(plan, Role.SOURCE, "GET", "/reg/service/info", plan.tls_ca_file).status == 200 else None,
        within_s=10,
        message=lambda: "the core does not serve again",
    )


def test_a_fenced_core_is_neither_started_nor_enabled(world: World) -> None:
    assert init(world, "fence", Role.DEST)[0] == 0
    assert init(world, "status", Role.DEST) == (3, "core is stopped, fenced, disabled")
    for verb in ("start", "enable"):
        code, text = init(world, verb, Role.DEST)
        assert (code, "core is fenced" in text) == (1, True), verb
    assert core_processes(world, Role.DEST) == []

    assert init(world, "unfence", Role.DEST)[0] == 0
    assert init(world, "enable", Role.DEST) == (0, "core is enabled")
    assert init(world, "disable", Role.DEST) == (0, "core is disabled")
    assert init(world, "status", Role.DEST) == (3, "core is stopped, disabled")


def test_what_cannot_be_started_says_why(world: World) -> None:
    code, text = init(world, "start", Role.DEST)
    assert code == 1
    assert "/opt/pryv/app" in text
    assert init(world, "start", Role.DEST, "nothing")[0] == 4
    assert init(world, "dance", Role.DEST)[0] == 2


def test_a_host_whose_sshd_is_stopped_is_out_of_reach_until_it_is_started_again(world: World, plan: Plan) -> None:
    transport = Ssh("dest", plan.dest.ssh)
    transport.execute("true")
    assert world.service("dest", "stop", "sshd").exit == 0

    with pytest.raises(Unreachable):
        transport.execute("true")

    assert world.service("dest", "start", "sshd").exit == 0
    until(lambda: ssh(plan.dest.ssh, "true").returncode == 0 or None, within_s=5, message=lambda: "sshd does not answer again")
    transport.close()
