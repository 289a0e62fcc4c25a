"""Plans that are malformed, huge, deep, ambiguous or hostile: each is a PlanError that says where and why, and soon."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import yaml

from harness import configuration
from harness.errors import PlanError
from harness.plan import SecretReference, kinds, load, parse
from tests.unit.test_plan import changed, problems

DNS = "cutover.dns."
CONTROL = "core.command.start"


def told(text: bytes) -> list[str]:
    with pytest.raises(PlanError) as error:
        parse(text)
    return list(error.value.problems)


def only(path: str, value: object) -> str:
    """Return the one problem that a plan has with this value, without its path and line."""
    [problem] = problems(changed(path, value))
    where, _, what = problem.partition(": ")
    assert where.startswith(path.rpartition(".")[0])
    assert "(line " in what
    return what.rpartition(" (line ")[0]


# --- the text


BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (name, name, b", ".join([b"*%c" % (name - 1)] * 9)) for name in b"bcdefghijk"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"", "the whole plan must be a mapping of its parts"),
        (b"- a list", "the whole plan must be a mapping of its parts"),
        (b"a: 1\n\xff\xfe", "it is not UTF-8 (line 2)"),
        (b"a: 1\nb: \0", "a character that text has no use for (line 2)"),
        (b"a: [", "expected the node content, but found '<stream end>' (line 1)"),
        (b"a: 1\nb: 'x", "found unexpected end of stream (line 2)"),
        (b'a: "\\UFFFFFFFF"', "it cannot be read (OverflowError)"),
        (b"%YAML 1." + b"9" * 5000 + b"\n---\na: 1\n", "it cannot be read (ValueError)"),
        (b"[" * 60_000, "it is nested deeper than 12 (line 1)"),
        (b"{a: " * 10_000, "it is nested deeper than 12 (line 1)"),
        (b"? " * 30_000, "it is nested deeper than 12 (line 1)"),
        (b"a:\n" + b"- x\n" * 15_000, "it has more than 5000 values (line 5000)"),
        (b"#" * 65_537, "it is larger than 65536 bytes"),
    ],
)
def test_what_cannot_be_read_is_one_clear_sentence(text: bytes, expected: str) -> None:
    began = time.monotonic()

    assert told(text) == [expected]
    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"change: &name {}", "change: anchors (&name) are not read: leave it out (line 1)"),
        (b"\nchange: *name", "change: aliases (*name) are not read: write the value out (line 2)"),
        (b"change: !!python/object/apply:os.system [reboot]", "change: tags (!name) are not read: leave it out (line 1)"),
        (b"change: !!binary AAAA", "change: tags (!name) are not read: leave it out (line 1)"),
        (b"change: {id: 1}\nchange: {id: 2}", "change: given twice: also in line 2 (line 1)"),
        (b"change: {id: a, id: b}", "change.id: given twice: also in line 1 (line 1)"),
        (b"? [a]\n: b", "?: a key must be plain text on one line (line 1)"),
        (b"a: 1\n---\nb: 2", "the whole plan: there is more than one document (---) in it"),
        (b"<<: {change: {}}", "<<: is not a part of the plan (line 1)"),
        (b"change: {id: 0123}", "change.id: some read it as text"),
        (b"change: {id: on}", "change.id: some read it as text"),
        (b"change: {id: 1:30}", "change.id: some read it as text"),
        (b"change: {id: 0x1F}", "change.id: some read it as text"),
        (b"change: {id: .inf}", "change.id: some read it as text"),
        (b"change: {id: 123456789012345678}", "change.id: some read it as text"),
        (b"change: {id: 337}", "change.id: must be text: put it in quotes (line 1)"),
        (b"change: {id: true}", "change.id: must be text: put it in quotes (line 1)"),
        (b"change: {id: }", "change.id: must be text (line 1)"),
        (b'change: {title: "a\\nb"}', "change.title: has control characters"),
        (b'change: {title: "\\ud800"}', "change.title: has control characters"),
        ("change: {title: \u202eabc}".encode(), "change.title: has control characters"),
        (b"change: {title: " + b"x" * 5000 + b"}", "change.title: longer than 4096 characters (line 1)"),
        (b"change: []", "change: must be a mapping (line 1)"),
        (b"core: {config_paths: /etc/pryv}", "core.config_paths: must be a list (line 1)"),
        (b"source: {ssh: {port: '22'}}", "source.ssh.port: must be a whole number, without quotes (line 1)"),
        (b"source: {ssh: {port: true}}", "source.ssh.port: must be a whole number, without quotes (line 1)"),
        (b"source: {ssh: {port: 22.5}}", "source.ssh.port: must be a whole number, without quotes (line 1)"),
    ],
)
def test_what_yaml_would_expand_build_or_guess_is_a_problem_with_its_path_and_line(text: bytes, expected: str) -> None:
    found = told(text)

    assert any(problem.startswith(expected) for problem in found), found
    assert "change: is missing" not in found or not text.startswith(b"change")


def test_a_thousand_million_laughs_are_refused_before_they_are_told() -> None:
    began = time.monotonic()
    found = told(BOMB)

    assert time.monotonic() - began < 0.5
    assert found[0] == "a: anchors (&name) are not read: leave it out (line 1)"
    assert len(found) == 51
    assert found[-1] == "… and 59 more"


def test_what_is_printed_of_a_hostile_plan_is_printable_and_short() -> None:
    [problem] = problems(changed("planned_changes", {"x" * 3000: 1}))
    found = told("\x85\u202e: 1\n'\u2028': 2\n".encode())

    assert len(problem) < 200
    assert all(problem.isprintable() for problem in found)


def test_the_same_value_is_told_once() -> None:
    text = yaml.safe_dump(changed("source.ssh.port", 22)).replace("port: 22\n", "port: 0x16\n").encode()

    [problem] = told(text)

    assert problem.startswith("source.ssh.port: some read it as text and some as a number")


def test_a_file_that_never_ends_is_too_large() -> None:
    with pytest.raises(PlanError, match="larger than 65536 bytes"):
        load(Path("/dev/zero"))
    with pytest.raises(PlanError, match="larger than a secret can be"):
        SecretReference(file="/dev/zero").read()


@pytest.mark.parametrize("path", [Path("/"), Path("/nothing/there"), Path("a\0b"), Path("x" * 5000)])
def test_what_is_no_file_cannot_be_read(path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        load(path)


@pytest.mark.parametrize(("content", "expected"), [(b"", "is empty"), (b"\xff", "not UTF-8"), (b"\n", "is empty")])
def test_a_secret_that_is_none_is_missing(content: bytes, expected: str, tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)

    with pytest.raises(PlanError, match=expected):
        SecretReference(file=str(file)).read()


# --- the values


PATHS = [
    "opt/pryv",
    "/opt/../etc/x",
    "/opt//pryv",
    "/opt/./pryv",
    "-/opt",
    "/opt/a b",
    "/opt/$(id)",
    "/opt/*",
    "/opt/a;b",
    "~/x",
    "",
]
NAMES = ["-oProxyCommand=x", "a b", "user@host", "a;b", "$(id)", "`id`", "a/b", "", "a..\n", "a" * 300]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        *(("source.ssh.host", name) for name in (*NAMES, "fe80::1%eth0", "-a", ".a")),
        *(("source.ssh.user", name) for name in (*NAMES, "0", "1000")),
        *(("change.id", name) for name in (*NAMES, "../../etc", "..", ".hidden")),
        *(("core.app_path", path) for path in PATHS),
        *(("source.ssh.known_hosts", path) for path in PATHS),
        *(("core.config_paths", [path]) for path in (*PATHS, "/", "/etc", "/etc/", "/var/lib", "/usr/local/bin")),
        *(("verification_user.username", name) for name in (*NAMES, "Verify", "abcd", "verify_01")),
        *(("verification_user.email", mail) for mail in (*NAMES, "a@b@c", "-a@b.c", "a@-b", "a b@c.d", "a@b.c\n")),
        *(
            (f"{DNS}names", [name])
            for name in (*NAMES, "example.com.", "*.*.example.com", "a.*.example.com", "*", "Core.example.com")
        ),
        *((f"{DNS}zone", name) for name in (*NAMES, "*.example.com", "203.0.113.1")),
        *((f"{DNS}key.name", name) for name in (*NAMES, "a..b", "a" * 64)),
        *(
            (f"{DNS}key.secret", one)
            for one in ({"value": "in the open"}, {"env": "A", "file": "/b"}, {"env": "A B"}, {"file": "b"}, {})
        ),
        *((f"{DNS}servers", some) for some in ([], [{"address": "ns1"}], [{"address": 1}], [{"address": "::"}], "203.0.113.53")),
        *((f"{DNS}ttl", ttl) for ttl in (0, -1, 86401, "60", True, 1.5)),
        *(("dest.address", text) for text in ("not an address", 1, "203.0.113.256", "fe80::1%eth0", "::", "224.0.0.1", "")),
        *(("dest.address6", text) for text in ("203.0.113.20", "fe80::1%eth0", "ff02::1", 1)),
        *(
            ("core.public_url", f"http{rest}")
            for rest in ("://a.b", "s://u@a.b", "s://a.b/c", "s://a.b?c", "s://a.b#", "s://A.b", "s://[::1]")
        ),
        *(("core.public_url", f"https://core.example.com:{port}") for port in ("", "0", "65536", "99999", "x")),
        *(
            (CONTROL, argv)
            for argv in (["--evil"], [], [""], ["core", ""], "core start", ["a"] * 65, ["core", "x\ny"], ["core", 1])
        ),
        *(("planned_changes", {key: 1}) for key in (*NAMES, "a..b", ".a", "a.", "auth.adminAccessKey", "a.password", "core.ip ")),
        *(("planned_changes", {"a.b": value}) for value in ({"c": 1}, [[1]], "x\ny", "x" * 5000, [{"a": 1}])),
        *(("change.title", text) for text in ("", "  ", "x" * 201, "a\tb", "a\x1b[2J")),
        *(("change.expected_downtime_s", seconds) for seconds in (0, -1, 1e9, "900", True)),
        ("dest.install", "by-hand"),
        ("backup.max_age_h", 0),
        ("verification_user.origin", "javascript:alert(1)"),
        ("verification_user.app_id", "short"),
    ],
)
def test_what_could_do_harm_is_refused_by_its_path(path: str, value: object) -> None:
    assert only(path, value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("source.ssh.host", "2001:db8::1"),
        ("source.ssh.host", "my_alias"),
        ("dest.address6", "2001:db8::20"),
        ("source.address", "2001:db8::10"),
        ("core.config_paths", ["/etc/pryv/", "/srv/data_1/pryv@2"]),
        ("core.public_url", "https://core.example.com:8443/"),
        (f"{DNS}names", ["example.com", "core.example.com", "*.example.com"]),
        (f"{DNS}names", ["*.example.com"]),
        ("planned_changes", {"a.b": None, "a.c": [1, "x", True], "http.ip": "::1"}),
        ("change.title", "Déplacer « core-a » → Genève 2"),
        ("change.window", {"start": "2026-12-01T22:00:00+01:00", "end": "2026-12-02T02:00Z"}),
        ("cutover.dns.key.secret", {"file": "~/keys/tsig"}),
        ("core.command.start", ["docker", "start", "-a", "the core; $(it) is *no* shell"]),
    ],
)
def test_what_an_operator_may_well_write_is_taken(path: str, value: object) -> None:
    parse(yaml.safe_dump(changed(path, value), allow_unicode=True).encode())


def test_secrets_are_known_by_the_same_words_in_the_plan_as_in_the_config() -> None:
    assert kinds.SECRET_KEY == configuration.SECRET


# --- values against each other


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("dest.address", "203.0.113.10", "is an address of the source"),
        ("dest.ssh", {"host": "old.example.com", "known_hosts": "/a"}, "is reached as the source is: the same host and port"),
        ("change.window", {"start": "2026-12-01T22:00Z", "end": "2026-12-01T22:00Z"}, "must be after the window's start"),
        ("change.window", {"start": "2026-12-01T23:30+02:00", "end": "2026-12-01T21:00Z"}, "must be after the window's start"),
        (f"{DNS}names", ["other.example.com"], "the public name core.example.com is not among them"),
        (f"{DNS}names", ["*.core.example.com"], "the public name core.example.com is not among them"),
        (f"{DNS}names", ["core.example.com", "core.example.com"], "is given twice"),
        (f"{DNS}zone", "example.org", "core.example.com is not in this zone"),
        (f"{DNS}zone", "ample.com", "core.example.com is not in this zone"),
        (f"{DNS}servers", [{"address": "203.0.113.53"}, {"address": "203.0.113.53", "port": 53}], "is given twice"),
        ("planned_changes", {"core": 1, "core.ip": "x"}, "is inside core, which is changed as a whole"),
    ],
)
def test_what_contradicts_itself_is_refused_by_its_path(path: str, value: object, expected: str) -> None:
    assert only(path, value) == expected


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2026-12-01T22:00:00", "must be a date, a time and a time zone: 2026-12-01T22:00:00+01:00"),
        ("2026-12-01", "must be a date, a time and a time zone: 2026-12-01T22:00:00+01:00"),
        (1764626400, "must be a date, a time and a time zone: 2026-12-01T22:00:00+01:00"),
    ],
)
def test_a_window_without_its_time_zone_is_refused(start: object, expected: str) -> None:
    [problem] = problems(changed("change.window", {"start": start, "end": "2026-12-02T02:00Z"}))

    assert problem.startswith(f"change.window.start: {expected}")


def test_an_ipv6_address_beside_an_ipv6_address_is_refused() -> None:
    content = changed("dest.address", "2001:db8::20")
    content["dest"]["address6"] = "2001:db8::21"

    assert [problem.partition(": ")[0] for problem in problems(content)] == ["dest.address6"]
