"""Cut-over by proxy as values: what the source's nginx becomes, what stands in the way, and the deeds that change it."""

from __future__ import annotations

import copy
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trustme import CA

from fixtures.hosts.doors import INSTALLED_CONF, SITE_CONF
from harness.check import Check, Outcome
from harness.configuration.values import Config
from harness.cutover import nginx, proxy
from harness.cutover.rewriting import StandsInTheWay, Way, passings, rewritten
from harness.deed import Ask, Command, CommandResult, Role
from harness.errors import DeedFailed, HalfDone, PlanError
from harness.run.driving import drive
from tests.plans import CONTENT, plan

if TYPE_CHECKING:
    from pathlib import Path

    from harness.plan import Plan

FILE, NAME, DEST = "/etc/nginx/sites-enabled/pryv.conf", "core.example.com", "203.0.113.20:443"
MAIN = "events {}\nhttp {\n    include sites-enabled/*.conf;\n}\n"
WORDS = {"address": "127.0.0.1", "tls": 443, "name": NAME, "api": 3000, "hfs": 4000}
INSTALLED = INSTALLED_CONF.format(**WORDS)
DIRECT = SITE_CONF.format(**WORDS)
# The family of the product's sample for nginx: other names of the upstreams, kept-alive connections, limits, challenges.
SAMPLE = """\
upstream pryv_api { server 127.0.0.1:3000; keepalive 64; }
upstream pryv_hfs { server 127.0.0.1:4000; keepalive 64; }
server {
    listen 80;
    server_name core.example.com *.core.example.com;
    location ^~ /.well-known/acme-challenge/ { root /var/www; }
    location / { return 301 https://$host$request_uri; }
}
server {
    listen 443 ssl;
    server_name core.example.com *.core.example.com;  # "both" styles; of { series }
    proxy_set_header X-Forwarded-Proto $scheme;
    location ~ "^/[^/]+/events/[^/]{1,30}/series" {
        proxy_pass http://pryv_hfs;
        proxy_set_header Host 127.0.0.1:4000;
        proxy_set_header X-Forwarded-For $remote_addr;
    }
    location = /oauth2/token { proxy_pass http://pryv_api; }
    location /socket.io/ {
        proxy_pass http://pryv_api;
        proxy_set_header Host $host;
    }
    location /previews/ { proxy_pass http://127.0.0.1:3001/; }
}
"""
WAY = Way(
    FILE,
    NAME,
    frozenset(f"{host}:{port}" for host in ("127.0.0.1", "localhost") for port in (3000, 3001, 4000)),
    DEST,
    "203.0.113.20:80",
    "/etc/ca.pem",
)
PARTS = {"strategy": "proxy", "proxy": {"config_file": FILE, "ca_file": "/etc/ca.pem"}}
CONFIG = Config(values={"http.ip": "127.0.0.1"}, files=())


def files(text: str) -> dict[str, str]:
    return {"/etc/nginx/nginx.conf": MAIN, FILE: text}


def made(text: str) -> str:
    return rewritten(files(text), WAY)


def shown(text: str) -> str:
    return "".join(f"# configuration file {file}:\n{content}\n" for file, content in files(text).items())


def moving() -> Plan:
    return plan(cutover={**copy.deepcopy(CONTENT["cutover"]), **PARTS})


# --- what it becomes


@pytest.mark.parametrize("text", [INSTALLED, DIRECT, SAMPLE], ids=["installed", "direct", "sample"])
def test_every_location_of_each_family_leads_to_the_dest_and_what_is_not_of_it_stays(text: str) -> None:
    new = made(text)

    found = list(passings(nginx.whole(files(new))))
    assert {(one.scheme, tuple(one.endpoints)) for one in found} == {("https", (DEST,))}
    assert len(found) == len(list(passings(nginx.whole(files(text)))))
    for one in found:
        assert {name: one.placed.nearest(name).args for name in WAY.tls} == {name: (value,) for name, value in WAY.tls.items()}  # type: ignore[union-attr]
        headers = {header.args[0]: header.args[-1] for header in one.placed.all_nearest("proxy_set_header")}
        assert headers["Host"] in {"$host", "$http_host"}
        assert headers["X-Forwarded-For"] == "$proxy_add_x_forwarded_for"
        own_headers = "/socket.io/" in one.title or "series" in one.title  # in the sample they say nothing of the scheme
        assert headers.get("X-Forwarded-Proto", "$scheme" if own_headers else "") == "$scheme"
    gone = [line.strip() for line in text.splitlines() if line not in new.splitlines()]
    assert all(any(word in line for word in ("proxy_pass", "server 127", "Host", "X-Forwarded-For", "acme")) for line in gone)


def test_upstreams_keep_their_names_and_connections_and_only_their_servers_change() -> None:
    assert made(SAMPLE).startswith(f"upstream pryv_api {{ server {DEST}; keepalive 64; }}\nupstream pryv_hfs {{ server {DEST}; ")


def test_a_direct_way_keeps_its_path() -> None:
    assert f"location /previews/ {{ proxy_pass https://{DEST}/; " in made(SAMPLE)


def test_websockets_and_uploads_pass_where_nothing_was_said_of_them_and_challenges_go_to_the_dest() -> None:
    new = nginx.whole(files(made(SAMPLE)))
    placed = list(nginx.walk(new))
    [sockets] = [one for one in placed if one.directive.name == "location" and "/socket.io/" in one.directive.args]
    said = {(one.name, *one.args) for one in sockets.directive.block or ()}

    assert {("proxy_set_header", "Upgrade", "$http_upgrade"), ("proxy_set_header", "Connection", "upgrade")} <= said
    assert {("proxy_http_version", "1.1"), ("proxy_read_timeout", "3600s"), ("proxy_send_timeout", "3600s")} <= said
    assert [one.directive.args for one in placed if one.directive.name == "client_max_body_size"] == [("50m",)]
    [challenge] = [one for one in placed if one.directive.name == "location" and "acme-challenge" in one.directive.args[-1]]
    assert [one.args[0] for one in challenge.directive.inside("proxy_pass")] == ["http://203.0.113.20:80"]


def test_headers_that_were_inherited_are_said_again_where_one_of_our_own_would_end_them() -> None:
    new = nginx.whole(files(made(SAMPLE)))
    [token] = [one.directive for one in nginx.walk(new) if one.directive.args == ("=", "/oauth2/token")]

    headers = {one.args for one in token.inside("proxy_set_header")}
    assert headers == {
        ("X-Forwarded-Proto", "$scheme"),
        ("Host", "$http_host"),
        ("X-Forwarded-For", "$proxy_add_x_forwarded_for"),
    }


@pytest.mark.parametrize("text", [INSTALLED, DIRECT, SAMPLE], ids=["installed", "direct", "sample"])
def test_nginx_takes_what_is_made_of_each_family(tmp_path: Path, text: str) -> None:
    authority = CA()
    certificate = authority.issue_cert(NAME)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "own.pem"))
    certificate.private_key_pem.write_to_path(str(tmp_path / "own.key"))
    tls = f"ssl_certificate {tmp_path}/own.pem; ssl_certificate_key {tmp_path}/own.key;"
    site = made(text).replace("/etc/ca.pem", str(tmp_path / "ca.pem"))
    site = "\n".join(line for line in site.splitlines() if not line.strip().startswith("ssl_certificate"))
    upgrade = "map $http_upgrade $connection_upgrade { default upgrade; '' close; }"
    head = f"pid {tmp_path}/pid; error_log {tmp_path}/log; events {{}}\nhttp {{ access_log off; {upgrade} {tls}\n"
    (tmp_path / "nginx.conf").write_text(f"{head}{site}\n}}\n")
    tested = subprocess.run(
        ("nginx", "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")), capture_output=True, text=True, check=False
    )

    assert tested.returncode == 0, tested.stderr


# --- what stands in the way

OTHER = "server { server_name other.example.com; location / { proxy_pass http://api_backend; } }\n"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (INSTALLED.replace("http://api_backend", "http://$backend", 1), "decided by variables"),
        (INSTALLED.replace("http://api_backend;", "http://api_backend$request_uri;", 1), "decided by variables"),
        (INSTALLED + OTHER, "a server that is not core.example.com's leads to the core too"),
        (INSTALLED.replace("3000;", "3000; server 127.0.0.1:3001;", 1), "not one listener of the core"),
        (INSTALLED.replace("127.0.0.1:3000", "192.0.2.7:3000"), "leads to 192.0.2.7:3000, which is not one listener"),
        (INSTALLED.replace("proxy_pass http://api_backend;", "if ($a) { proxy_pass http://api_backend; }", 1), "stands in `if`"),
        (DIRECT.replace("location / {", "location /a { fastcgi_pass unix:/x; }\n location / {"), "another way than proxy_pass"),
        ("server { server_name core.example.com; return 404; }", "no location of core.example.com leads to the core"),
    ],
)
def test_what_cannot_be_led_to_the_dest_safely_is_refused_with_its_line(text: str, told: str) -> None:
    with pytest.raises(StandsInTheWay, match="cannot be made to lead to the dest") as refused:
        made(text)

    assert any(told in problem for problem in refused.value.problems), refused.value.problems


def test_a_location_or_header_that_stands_in_another_file_is_refused_and_so_is_a_file_that_nginx_does_not_read() -> None:
    included = INSTALLED.replace("proxy_set_header Host 127.0.0.1:4000;", "include snippets/host;", 1)
    parts = {**files(included), "/etc/nginx/snippets/host": "proxy_set_header Host 127.0.0.1:4000;"}
    with pytest.raises(StandsInTheWay, match="its header is set in another file: /etc/nginx/snippets/host:1"):
        rewritten(parts, WAY)
    with pytest.raises(StandsInTheWay, match=r"nginx does not read /etc/nginx/sites-enabled/pryv\.conf"):
        rewritten({"/etc/nginx/nginx.conf": MAIN, "/etc/nginx/sites-enabled/other.conf": INSTALLED}, WAY)
    with pytest.raises(nginx.Unreadable, match="Lua"):
        made(INSTALLED.replace("location / {", "access_by_lua_block { return }\n location / {"))


# --- the text and its places


@given(st.lists(st.sampled_from(["a", " ", "\n", "'", '"', "\\", ";", "{", "}", "#", "$", "${x}", "é"]), max_size=40).map("".join))
@settings(max_examples=300)
def test_any_text_is_read_or_refused_and_a_directive_is_where_it_says(text: str) -> None:
    try:
        found = nginx.parse("f", text)
    except nginx.Unreadable:
        return
    for one in nginx.walk(found):
        told = one.directive
        assert text[told.end - 1] in ";}"
        assert [text[word.start : word.end].strip("'\"") for word in told.words if "\\" not in word.text] == [
            word.text.strip("'\"") for word in told.words if "\\" not in word.text
        ]


def test_quotes_comments_and_variables_are_read_as_nginx_reads_them() -> None:
    text = 'a "b;\\" {" \'c#}\' ${d}x e#f; # g { ;\nh { i; }'

    first, second = nginx.parse("f", text)
    assert first.args == ('b;" {', "c#}", "${d}x", "e#f")
    assert (second.name, second.line, [one.name for one in second.block or ()]) == ("h", 2, ["i"])


@pytest.mark.parametrize("text", ["a", "a {", "}", "a { b }", 'a "b;', "{ }", ";"])
def test_what_is_no_configuration_is_refused(text: str) -> None:
    with pytest.raises(nginx.Unreadable):
        nginx.parse("f", text)


# --- the deeds


@dataclass
class Source:
    """A source whose nginx has a text; `refuses` is what its test answers."""

    text: str
    kept: str | None = None
    refuses: str = ""
    processes: str = "100\n200\n150 nginx: master process\n5 nginx: worker process\n"
    done: list[str] = field(default_factory=list)

    def perform(self, wanted: Any) -> Any:  # noqa: ANN401 - a deed or an observation
        """Answer, and do what is asked."""
        if isinstance(wanted, tuple):
            return [self.perform(one) for one in wanted]
        command = wanted.of if isinstance(wanted, Ask) else wanted
        assert isinstance(command, Command)
        exit_code, out = self._do(command)
        return CommandResult(command, exit_code, out.encode(), self.refuses.encode() if exit_code else b"", 0.0)

    def _do(self, command: Command) -> tuple[int, str]:
        match command.argv:
            case ("nginx", "-T"):
                return 0, shown(self.text)
            case ("cat", path):
                there = self.text if path == FILE else self.kept
                return (0, there) if there is not None else (1, "")
            case ("sh", "-c", proxy.LOADED, _):
                return 0, self.processes
            case ("sh", "-c", proxy.KEEP, _, _):
                self.kept = self.text if self.kept is None else self.kept
                self.done.append("keep")
            case ("sh", "-c", proxy.PUT, _):
                self.text = command.input.decode()
                self.done.append("put")
            case ("nginx", "-t"):
                self.done.append("test")
                return int(bool(self.refuses)), ""
            case _:
                self.done.append(command.argv[-1])
        return 0, ""


def led(source: Source) -> Source:
    drive(proxy.forward(moving(), CONFIG), source.perform)
    return source


def test_what_was_there_is_kept_before_the_new_text_is_put_tested_and_loaded() -> None:
    source = led(Source(INSTALLED))

    assert source.done == ["keep", "put", "test", "reload"]
    assert (source.kept, source.text) == (INSTALLED, made(INSTALLED))
    again = led(source)
    assert (again.kept, again.text) == (INSTALLED, made(INSTALLED))


def test_what_nginx_refuses_is_taken_back_and_not_loaded() -> None:
    source = Source(INSTALLED, refuses="unknown directive")

    with pytest.raises(DeedFailed, match="the old one is back:\nunknown directive"):
        led(source)
    assert (source.text, source.done) == (INSTALLED, ["keep", "put", "test", "put"])


def test_a_file_that_somebody_else_has_changed_meanwhile_is_left_alone() -> None:
    source = Source(INSTALLED + "# mine\n", kept=INSTALLED)

    with pytest.raises(HalfDone, match="somebody has changed it"):
        led(source)
    assert source.done == []


def looked(source: Source, look: Any) -> Check:  # noqa: ANN401 - a look
    found: Check = drive(look, source.perform)
    return found


def outcomes(source: Source, look: Any) -> list[Outcome]:  # noqa: ANN401 - a look
    return [check.outcome for check in drive(look, source.perform)]


def test_the_way_back_puts_the_kept_bytes_back_and_the_diff_shows_what_is_not_so_yet() -> None:
    source = led(Source(INSTALLED))
    before = drive(proxy.is_back(moving()), source.perform)[0]
    assert before.outcome is Outcome.NOT_HELD
    assert f"+    server {DEST};" in before.observed

    source.done.clear()
    drive(proxy.back(moving()), source.perform)
    assert (source.text, source.done) == (INSTALLED, ["put", "test", "reload"])
    assert outcomes(source, proxy.is_back(moving())) == [Outcome.HELD, Outcome.HELD]


@pytest.mark.parametrize(
    ("processes", "outcome"),
    [
        ("100\n200\n150 nginx: master process\n100 nginx: worker process", Outcome.HELD),
        ("100\n200\n150 nginx: master process\n110 nginx: worker process", Outcome.NOT_HELD),
        ("100\n200\n150 nginx: master process\n90 nginx: worker process is shutting down", Outcome.NOT_HELD),
        ("100\n200\n150 some other process", Outcome.NOT_HELD),
    ],
)
def test_what_is_written_and_was_not_loaded_is_seen(processes: str, outcome: Outcome) -> None:
    source = Source(INSTALLED, kept=INSTALLED, processes=processes)
    assert outcomes(source, proxy.is_back(moving())) == [Outcome.HELD, outcome]

    for text, wanted in ((TRUSTED + DIRECT, True), (DIRECT, False)):
        dest = Source(text, processes=processes)
        assert outcomes(dest, proxy.trusts(moving(), wanted=wanted)) == [Outcome.HELD, outcome]


def test_a_proxy_that_was_never_led_to_the_dest_is_as_it_was() -> None:
    assert outcomes(Source(INSTALLED), proxy.is_back(moving())) == [Outcome.HELD]


@pytest.mark.parametrize(
    ("old", "new", "outcome"),
    [
        ("", "", Outcome.HELD),
        ("proxy_ssl_verify on", "proxy_ssl_verify off", Outcome.NOT_HELD),
        ("proxy_ssl_name core", "proxy_ssl_name other", Outcome.NOT_HELD),
        ("proxy_ssl_session_reuse off", "proxy_ssl_session_reuse on", Outcome.NOT_HELD),
        ("https://hfs_backend", "http://127.0.0.1:4000", Outcome.NOT_HELD),
        ("Host $http_host", "Host api_backend", Outcome.NOT_HELD),
        ("$proxy_add_x_forwarded_for", "$remote_addr", Outcome.NOT_HELD),
    ],
)
def test_a_location_that_is_not_led_as_planned_is_seen(old: str, new: str, outcome: Outcome) -> None:
    source = led(Source(INSTALLED))
    source.text = source.text.replace(old, new, 1) if old else source.text

    assert looked(source, proxy.every_location_leads(moving(), CONFIG, Role.DEST)).outcome is outcome
    planned = looked(source, proxy.change_is_planned(moving(), CONFIG))
    assert planned.outcome is outcome
    assert planned.examined == len(planned.expected)


def test_before_the_act_nothing_leads_to_the_dest_yet() -> None:
    source = Source(INSTALLED)

    assert looked(source, proxy.every_location_leads(moving(), CONFIG, Role.DEST)).outcome is Outcome.ABSENT
    assert looked(source, proxy.change_is_planned(moving(), CONFIG)).outcome is Outcome.ABSENT


TRUSTED = "set_real_ip_from 203.0.113.10;\nreal_ip_header X-Forwarded-For;\n"


@pytest.mark.parametrize(
    ("text", "wanted", "outcome"),
    [
        (TRUSTED, True, Outcome.HELD),
        ("", True, Outcome.ABSENT),
        ("", False, Outcome.HELD),
        (TRUSTED, False, Outcome.NOT_HELD),
        (TRUSTED + "set_real_ip_from 0.0.0.0/0;\n", True, Outcome.NOT_HELD),
        (TRUSTED.replace("X-Forwarded-For", "X-Real-IP"), True, Outcome.NOT_HELD),
    ],
)
def test_the_dest_trusts_the_source_for_clients_addresses_and_nobody_else(text: str, wanted: bool, outcome: Outcome) -> None:
    assert looked(Source(text + DIRECT), proxy.trusted(moving(), wanted=wanted)).outcome is outcome


def test_a_file_is_put_in_one_step_with_its_mode_and_behind_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "available", tmp_path / "enabled"
    real.write_text("old")
    real.chmod(0o640)
    link.symlink_to(real)
    subprocess.run(("sh", "-c", proxy.PUT, str(link)), input=b"new", check=True)
    subprocess.run(("sh", "-c", proxy.KEEP, str(link), str(tmp_path / "run/proxy/original")), check=True)
    subprocess.run(("sh", "-c", proxy.PUT, str(link)), input=b"newer", check=True)
    subprocess.run(("sh", "-c", proxy.KEEP, str(link), str(tmp_path / "run/proxy/original")), check=True)

    assert (real.read_text(), real.stat().st_mode & 0o777, link.is_symlink()) == ("newer", 0o640, True)
    assert (tmp_path / "run/proxy/original").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["available", "enabled", "run"]


def test_a_plan_that_cuts_over_by_proxy_says_how() -> None:
    with pytest.raises(PlanError, match=r"cutover\.proxy"):
        plan(cutover={**copy.deepcopy(CONTENT["cutover"]), "strategy": "proxy"})
