"""What a plan is written from, and its text: values compared, no host needed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from harness.configuration import Config, ConfigError
from harness.deed import Ask, Command, CommandResult
from harness.discovery import Wanted, endpoint, way, writing
from harness.discovery.core import NotFound, core
from harness.discovery.found import Found, FoundCore, FoundDest, FoundHost, FoundNames, FoundProxy, FoundSource
from harness.discovery.names import names
from harness.discovery.proxy import proxy
from harness.discovery.source import public_url
from harness.errors import PlanError, Refused
from harness.plan import parse
from harness.run.driving import drive

NODE = ["/usr/bin/node", "bin/master.js", "--config", "/etc/pryv/override.yml"]
HASH = "f" * 64
INSPECTED = {
    "Name": "/pryvio_open_pryv_io",
    "Image": "sha256:abc",
    "Config": {
        "Image": "pryvio/open-pryv.io:2.0.0",
        "Cmd": ["node", "bin/master.js", "--config", "/app/conf/override.yml"],
        "WorkingDir": "/app",
        "Env": ["PATH=/bin", "auth__adminAccessKey=hush"],
    },
    "HostConfig": {"PortBindings": {"3000/tcp": []}, "RestartPolicy": {"Name": "unless-stopped"}},
    "Mounts": [
        {"Type": "bind", "Source": "/etc/pryv", "Destination": "/app/conf"},
        {"Type": "volume", "Name": HASH, "Source": f"/var/lib/docker/volumes/{HASH}", "Destination": "/app/var-pryv/rqlite-data"},
    ],
}


def master(argv: list[str], cwd: str = "/opt/pryv/app") -> dict[str, Any]:
    return {"pid": 42, "argv": argv, "environ": ["NODE_ENV=production", "auth__adminAccessKey=hush"], "cwd": cwd, "began": 0.0}


def told(reading: Any, answers: Mapping[str, str | tuple[int, str]]) -> Any:  # noqa: ANN401 - any reading
    """Return what a reading returns; a command is answered by the first key that stands in its words, or with nothing."""

    def answer(asked: Any) -> Any:  # noqa: ANN401 - any observation
        if isinstance(asked, tuple):
            return [answer(one) for one in asked]
        assert isinstance(asked, Ask)
        command = asked.of
        assert isinstance(command, Command)
        found = next((of for key, of in answers.items() if key in " ".join(command.argv)), "")
        code, out = found if isinstance(found, tuple) else (0, found)
        return CommandResult(command, code, out.encode(), b"", 0.1)

    return drive(reading, answer)


def running(*masters: dict[str, Any]) -> dict[str, str | tuple[int, str]]:
    return {"/nonexistent": json.dumps({"running": list(masters), "kept": None}), "--version": "v24.0.0", "user:32": "pryv"}


def test_a_core_is_found_by_its_running_master_and_no_value_of_its_start_is_told() -> None:
    found = told(core(), running(master(NODE)))

    how = "node bin/master.js in /opt/pryv/app; config file /etc/pryv/override.yml; by environment: auth.adminAccessKey"
    assert found == FoundCore("/opt/pryv/app", "pryv", ("/etc/pryv/",), "command", None, how, "v24.0.0")


def test_one_that_a_unit_runs_is_controlled_by_it() -> None:
    found = told(core(), {**running(master(NODE)), "systemctl show": "pryv-core.service"})

    assert (found.deploy, found.part) == ("systemd", {"unit": "pryv-core"})


def test_another_programs_master_is_none_of_a_core() -> None:
    found = told(core(), running(master(["/usr/lib/postfix/sbin/master", "-w"]), master(NODE)))

    assert found.app == "/opt/pryv/app"


def test_one_in_a_container_is_told_with_its_anonymous_volume_and_none_of_its_environment() -> None:
    found = told(core(), {**running(), "docker top": "c0ffee", "docker inspect": json.dumps([INSPECTED])})

    assert (found.deploy, found.part, found.app, found.user) == ("docker", {"container": "pryvio_open_pryv_io"}, "/app", "pryv")
    how = "node bin/master.js in /app; config file /app/conf/override.yml; by environment: auth.adminAccessKey"
    assert found.how == f"image pryvio/open-pryv.io:2.0.0 (sha256:abc); {how}"
    assert found.config_paths == ("/etc/pryv/",)
    assert found.notes == (
        "mount: bind /etc/pryv at /app/conf",
        f"mount: anonymous volume /var/lib/docker/volumes/{HASH} at /app/var-pryv/rqlite-data",
        "published ports: 3000/tcp",
        "restart policy: unless-stopped",
    )


def test_config_that_lies_in_no_mount_is_said() -> None:
    inspected = {**INSPECTED, "Mounts": []}

    found = told(core(), {**running(), "docker top": "c0ffee", "docker inspect": json.dumps([inspected])})

    assert found.notes[-1] == "its config lies in no mount: copy it out of the container to a folder of its own"


def test_the_config_of_one_in_a_container_is_where_the_host_has_it() -> None:
    config = {**INSPECTED["Config"], "Cmd": ["node", "bin/master.js", "--config", "/app/pryv/pryv-config.yml"]}  # type: ignore[dict-item]  # a mapping
    mounts = [{"Type": "bind", "Source": "/srv/pryv", "Destination": "/app/pryv"}]
    inspected = {**INSPECTED, "Config": config, "Mounts": mounts}

    found = told(core(), {**running(), "docker top": "c0ffee", "docker inspect": json.dumps([inspected])})

    assert found.config_paths == ("/srv/pryv/",)


def test_one_of_dokku_is_told_by_its_app() -> None:
    inspected = {**INSPECTED, "Config": {**INSPECTED["Config"], "Labels": {"com.dokku.app-name": "pryv"}}}  # type: ignore[dict-item]  # a mapping

    found = told(core(), {**running(), "docker top": "c0ffee", "docker inspect": json.dumps([inspected])})

    assert (found.deploy, found.part) == ("dokku", {"app": "pryv"})


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (running(), "no core runs on the source: start it"),
        (
            {**running(), "components/(api": "pryvio/core:1.9.3 pryvio_core"},
            "the source runs a v1 core .*: this runbook moves v2; a v1",
        ),
        (running(master(NODE), master(NODE)), "the source runs several cores .process 42, process 42.: stop all but the one"),
        ({"/nonexistent": (5, "/proc/42/environ")}, "/proc/42/environ on the source may not be read: come as root"),
        ({"command -v python3": (1, "")}, "the source has no python3: install it"),
        (running(master([*NODE[:3], "/etc/pryv.yml"])), "config lies in /etc among others' files"),
    ],
)
def test_what_cannot_be_planned_is_refused_with_what_to_do(answers: Mapping[str, str | tuple[int, str]], expected: str) -> None:
    with pytest.raises(NotFound, match=expected):
        told(core(), answers)


def test_a_start_that_names_two_files_is_refused() -> None:
    with pytest.raises(ConfigError, match="more than one config"):
        told(core(), running(master([*NODE, "--config", "/etc/other.yml"])))


DUMP = """\
# configuration file /etc/nginx/nginx.conf:
http { access_log /var/log/nginx/all.log; include sites/*.conf; }
# configuration file /etc/nginx/sites/core.conf:
server { server_name core.example.com; ssl_certificate /etc/tls/core.pem;
  location / { proxy_pass http://127.0.0.1:3000; } }
server { server_name other.example.com; location / { proxy_pass http://127.0.0.1:3000; } }
"""


def test_the_proxys_file_is_the_one_that_leads_to_the_core_under_its_name() -> None:
    found = told(proxy("core.example.com", [3000]), {"nginx": DUMP})

    logs = ("/var/log/nginx/all.log.1", "/var/log/nginx/all.log")
    assert found == FoundProxy("/etc/nginx/sites/core.conf", "/etc/tls/core.pem", logs, ("/etc/nginx/sites/core.conf",))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((3, ""), "there is no nginx on the source"),
        ((1, ""), "the source's nginx does not show its configuration (nginx -T: exit 1)"),
        (DUMP.replace("3000", "8080"), "no location of the source's nginx leads to the core under core.example.com"),
        ("nothing", "the source's nginx configuration cannot be read: nginx has printed no configuration"),
    ],
)
def test_why_no_proxy_is_found_is_said(answer: str | tuple[int, str], expected: str) -> None:
    assert told(proxy("core.example.com", [3000]), {"nginx": answer}) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"dnsLess.isActive": True, "dnsLess.publicUrl": "https://core.example.com/"}, "https://core.example.com"),
        ({"core.id": "core-a", "dns.domain": "mc.example.com"}, "https://core-a.mc.example.com"),
        ({"core.url": "https://a.example.com/", "dns.domain": "mc.example.com"}, "https://a.example.com"),
        ({"dnsLess.isActive": True}, ""),
        ({}, ""),
    ],
)
def test_the_public_url_is_the_configs(values: dict[str, Any], expected: str) -> None:
    assert public_url(Config(values, ())) == expected


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("old", {"host": "old"}),
        ("ada@old.example.com", {"host": "old.example.com", "user": "ada"}),
        ("ada@203.0.113.10:2222", {"host": "203.0.113.10", "user": "ada", "port": 2222}),
        ("ada@[2001:db8::1]:2222", {"host": "2001:db8::1", "user": "ada", "port": 2222}),
    ],
)
def test_a_way_is_typed_as_for_ssh(typed: str, expected: dict[str, Any]) -> None:
    wanted = Wanted("old", "new", "/home/ada/.ssh/known_hosts", ssh_config="/tmp/config", jump="ops@bastion:2200")

    more = {"config_file": "/tmp/config", "jump": {"host": "bastion", "user": "ops", "port": 2200}}
    assert way(typed, wanted) == {**expected, "known_hosts": "/home/ada/.ssh/known_hosts", **more}


@pytest.mark.parametrize("typed", ["", "a b", "ada@", "old:port", "a@b@c"])
def test_what_is_no_way_is_refused(typed: str) -> None:
    with pytest.raises(Refused, match="must be user@host, user@host:port, or a name of the ssh_config"):
        way(typed, Wanted("old", "new", "/k"))


def test_a_name_server_is_typed_with_or_without_a_port() -> None:
    assert [endpoint(one) for one in ("192.0.2.53", "127.0.0.1:5353", "2001:db8::53", "[2001:db8::53]:5353")] == [
        ("192.0.2.53", 53),
        ("127.0.0.1", 5353),
        ("2001:db8::53", 53),
        ("2001:db8::53", 5353),
    ]


def test_a_name_server_that_does_not_answer_is_a_problem_that_is_told() -> None:
    found = names("core.invalid", [("127.0.0.1", 1)])

    assert found.problem.startswith("name server 127.0.0.1:1 is unreachable while asking")


def found_on(deploy: str = "systemd", part: Mapping[str, Any] | None = None, **more: Any) -> Found:  # noqa: ANN401 - parts of it
    host = FoundHost("Debian 12, x86_64", ("203.0.113.10", "2001:db8::10"), "ada", "sudo")
    config = Config(
        {"core.ip": "203.0.113.10", "http.ip": "127.0.0.1", "storages.engines.postgresql.host": "127.0.0.1"},
        ("/etc/pryv/override.yml",),
    )
    source = FoundSource(
        host,
        FoundCore("/opt/pryv/app", "pryv", ("/etc/pryv/",), deploy, part, "node bin/master.js"),
        config,
        "2.0.0",
        "https://core.example.com",
        "15.4",
        1_500_000,
        {"/var/lib/pryv/data": 2_000},
        more.pop("proxy", None),
        "there is no nginx on the source",
        topology="a single core",
    )
    dest = FoundDest(FoundHost("Debian 12, x86_64", ("203.0.113.20",), "ada", "none"), "", ("rsync",), 9_000, ("/etc/pryv",))
    servers = (("ns1.example.com", "203.0.113.53", 53),)
    name = FoundNames("core.example.com", "example.com", servers, "ns1.example.com", 3600, ("203.0.113.10",))
    ways = ({"host": "old", "known_hosts": "/k"}, {"host": "new", "known_hosts": "/k"})
    return Found(ways, source, dest, more.pop("names", name))


FILLED = {"id": "CHG1", "operator": "Ada", "approver": "board", "expected_downtime_s": "900", "file": "/tmp/backup"}


def filled(text: str) -> str:
    """Return the text with the lines of the operator filled in."""
    lines = []
    for line in text.splitlines():
        key, mark, _ = line.partition(":  # FILL IN:")
        lines.append(f"{key}: {FILLED[key.strip()]}" if mark else line)
    return "\n".join(lines)


def test_all_that_can_be_found_stands_in_the_plan() -> None:
    # The kind of deploy is another part's to know: what is written for it is compared as it is.
    text = writing.text(
        found_on("command", {verb: ["core", verb] for verb in ("start", "stop", "status", "logs", "enable", "fence", "unfence")})
    )

    plan = parse(filled(text).encode())

    assert (plan.source.ssh.host, plan.source.ssh.become, plan.dest.ssh.become) == ("old", "sudo", "none")
    assert (str(plan.source.address), str(plan.dest.address)) == ("203.0.113.10", "203.0.113.20")
    assert plan.planned_changes == {"core.ip": "203.0.113.20"}
    assert (plan.cutover.dns.provider, plan.cutover.dns.ttl, str(plan.cutover.dns.servers[0])) == ("manual", 300, "203.0.113.53:53")
    assert plan.verification_user.password.env == "VERIFICATION_PASSWORD"


@pytest.mark.parametrize(
    "said",
    [
        "# source  Debian 12, x86_64; core 2.0.0, a single core",
        "#         PostgreSQL 15.4, its database 1.5 GB; what runs the core: not told",
        "#         data: /var/lib/pryv/data, 2.0 MB",
        "# dest    Debian 12, x86_64; no PostgreSQL server is installed",
        "#         room: 9.0 MB, needed about 3.8 GB: TOO LITTLE",
        "#         TO DO before the move: install rsync",
        "#         IN THE WAY: /etc/pryv is not empty there",
        "  systemd: {unit: pryv-core}",
        "  # by proxy (strategy: proxy) it cannot be: there is no nginx on the source",
        "    ttl: 300  # it is 3600 s now: lower it well before the night",
        "    become: sudo  # without a password, as found",
    ],
)
def test_what_the_operator_must_know_stands_beside_it(said: str) -> None:
    assert said in writing.text(found_on("systemd", {"unit": "pryv-core"})).splitlines()


def test_what_is_not_found_is_to_be_filled_in() -> None:
    unknown = FoundNames("core.example.com", problem="the resolver here does not tell who serves core.example.com: no answer")
    text = writing.text(found_on("command", names=unknown))

    with pytest.raises(PlanError) as error:
        parse(text.encode())

    missing = [problem.partition(":")[0] for problem in error.value.problems]
    verbs = ("start", "stop", "status", "logs", "enable", "disable", "fence", "unfence")
    assert missing == [
        *(f"change.{key}" for key in ("id", "operator", "approver", "expected_downtime_s")),
        *(f"core.command.{verb}" for verb in verbs),
        "source.address",
        "cutover.dns.servers.0.address",
        "backup.file",
    ]
