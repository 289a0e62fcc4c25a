"""The stand-in's own rules, without a process: config, digests, paths, event types, uploads."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fixtures import standin
from fixtures.standin.app.core import attachments, config, event_types, hashes
from fixtures.standin.app.core.audit import user_folder
from fixtures.standin.app.core.context import Request, number, read_json
from fixtures.standin.app.core.refusal import Refusal
from fixtures.standin.app.core.series import host_hides_path

if TYPE_CHECKING:
    from collections.abc import Mapping

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
URL = "https://core.test/"


@pytest.fixture
def app(tmp_path: Path) -> Path:
    """Make an app's folder with its config folder."""
    (tmp_path / "config").mkdir()
    return tmp_path


def write(path: Path, port: int, **more: str) -> Path:
    path.write_text("\n".join([f"http: {{port: {port}}}", *(f"{key}: {value}" for key, value in more.items())]))
    return path


def test_each_source_of_config_wins_over_the_one_below(app: Path) -> None:
    named = write(app / "named.yml", 1, service="{name: from file}")
    argv, env = ["--config", str(named)], {"http__port": "2"}
    assert config.load([], {}, app)["http.port"] == 3000
    assert config.load(argv, {}, app)["http.port"] == 1
    assert config.load(argv, env, app)["http.port"] == 2
    assert config.load([*argv, "--http:port=3"], env, app)["http.port"] == 3
    write(app / "config/override-config.yml", 4)
    effective = config.load([*argv, "--http:port=3"], env, app)
    assert (effective["http.port"], effective["service.name"], effective["http.hfsPort"]) == (4, "from file", 4000)


def test_a_named_file_replaces_the_environments_file(app: Path) -> None:
    write(app / "config/production-config.yml", 5)
    named = write(app / "named.yml", 6)
    assert config.load([], {"NODE_ENV": "production"}, app)["http.port"] == 5
    assert config.load([], {}, app)["http.port"] == 3000
    assert config.load([f"--config={named}"], {}, app)["http.port"] == 6
    assert config.load([], {"config": str(named)}, app)["http.port"] == 6
    assert config.load([], {"NODE_ENV": "staging"}, app)["http.port"] == 3000


def test_a_named_file_that_is_not_there_is_ignored(app: Path) -> None:
    write(app / "config/production-config.yml", 5)
    assert config.load(["--config", "/nowhere.yml"], {}, app)["http.port"] == 3000


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("7", 7), ("core.test", "core.test"), ("a=b", "a=b"), ("", ""), ('{"x": 1}', {"x": 1})]
)
def test_values_of_arguments_and_environment_are_read_as_json_where_they_are(app: Path, text: str, value: object) -> None:
    assert config.load([f"--a:b={text}"], {}, app)["a.b"] == value
    assert config.load([], {"a__b": text}, app)["a.b"] == value


def booting(**changes: object) -> config.Config:
    """Return a config that boots, changed at top level."""
    engines = {"postgresql": {}, "sqlite": {"path": "/d/users"}, "filesystem": {"previewsDirPath": "/d/previews"}}
    storages = {name: {"engine": engine} for name, engine in config.ENGINES.items()} | {"engines": engines}
    values: dict[str, object] = {
        "auth": {"adminAccessKey": "k", "filesReadTokenSecret": "the-secret"},
        "service": dict.fromkeys(("name", "serial", "home", "support", "terms", "eventTypes"), "x"),
        "dnsLess": {"isActive": True, "publicUrl": URL},
        "storages": storages,
    }
    return config.Config(values | changes)


def test_a_whole_config_has_no_problems() -> None:
    assert config.problems(booting()) == []


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"auth": {"adminAccessKey": "the-secret"}}, "auth:filesReadTokenSecret"),
        ({"auth": {"adminAccessKey": "REPLACE ME", "filesReadTokenSecret": "the-secret"}}, "auth:adminAccessKey"),
        ({"service": {}}, "service"),
        ({"dnsLess": {"isActive": False, "publicUrl": URL}}, "storages:platform:engine"),
        ({"services": {"email": {"enabled": {"resetPassword": True}}}}, "auth:passwordResetPageURL"),
    ],
)
def test_each_problem_of_a_config_is_named_and_no_secret_is(changes: dict[str, object], problem: str) -> None:
    found = config.problems(booting(**changes))
    assert problem in [one.path for one in found]
    assert "the-secret" not in "".join(str(one) for one in found)


def test_the_platforms_digests_depend_on_key_field_and_value() -> None:
    digest = hashes.pii(KEY, "email", "someone@example.test")
    # HMAC-SHA256 over field, a zero byte, value: computed with openssl.
    assert digest == "de2c18885e42a9e16cd2eb5489e36c5658d06c7ee113a430d22c09b7e9134a85"
    assert hashes.pii(KEY, "email", " Someone@Example.test ") == digest
    assert hashes.pii(KEY, "username", "someone@example.test") != digest
    assert hashes.pii("A" * 43 + "=", "email", "someone@example.test") != digest
    with pytest.raises(ValueError, match="32 bytes, got 0"):
        hashes.pii("", "email", "someone@example.test")


def test_equal_events_have_equal_digests_whatever_the_order_of_their_keys() -> None:
    event = {"id": "c1", "content": {"b": 1, "a": "ü"}, "attachments": [{"id": "f", "size": 1}]}
    turned = {
        "attachments": [{"readToken": "r", "size": 1, "id": "f"}],
        "content": {"a": "ü", "b": 1},
        "id": "c1",
        "integrity": "x",
    }
    assert hashes.event_integrity(event) == hashes.event_integrity(turned)
    assert hashes.event_integrity(event).startswith("EVENT:0:sha256-")
    assert hashes.event_integrity(event) != hashes.event_integrity(event | {"content": {"b": 1, "a": "u"}})


def test_using_an_access_does_not_move_its_digest() -> None:
    access: Mapping[str, object] = {"id": "c1", "token": "t", "permissions": []}
    assert hashes.access_integrity(access) == hashes.access_integrity({**access, "lastUsed": 7, "calls": {"events:get": 1}})
    assert hashes.access_integrity(access) != hashes.access_integrity({**access, "token": "other"})


def test_a_read_token_opens_one_file_for_one_access() -> None:
    token = hashes.read_token("secret", "file", "access", "token")
    assert token.startswith("access-")
    others = [("other", "file", "access", "token"), ("secret", "other", "access", "token"), ("secret", "file", "access", "other")]
    assert token not in [hashes.read_token(*other) for other in others]


def test_identifiers_have_the_lengths_of_the_real_ones() -> None:
    assert len({hashes.new_id() for _ in range(100)}) == 100
    assert (len(hashes.new_id()), len(hashes.new_user_id()), hashes.new_user_id()[0].isalpha()) == (24, 24, True)


def test_a_users_folder_is_found_by_the_end_of_the_identifier() -> None:
    assert user_folder(Path("/d"), "dicaoi5o0hs4xv3y666uzacd") == Path("/d/d/c/a/dicaoi5o0hs4xv3y666uzacd")


@pytest.mark.parametrize(("value", "written"), [(60.0, "60"), (60.5, "60.5"), (0.0, "0"), (1e300, "1e+300"), (None, "None")])
def test_numbers_are_as_javascript_has_them(value: float | None, written: str) -> None:
    assert str(number(value)) == written


def test_a_body_that_is_no_json_is_refused() -> None:
    assert read_json(b'{"a": 1.0}') == {"a": 1}
    with pytest.raises(Refusal) as refused:
        read_json(b"{")
    assert (refused.value.status, refused.value.error["id"]) == (400, "invalid-request-structure")


@pytest.mark.parametrize(
    ("value", "schema", "good"),
    [
        (1, {"type": "number"}, True),
        (True, {"type": "number"}, False),
        ("1", {"type": ["number", "string"]}, True),
        (None, {"type": "null"}, True),
        ({"a": 1}, {"type": "object", "required": ["a", "b"]}, False),
        ({"a": "x"}, {"type": "object", "properties": {"a": {"type": "number"}}}, False),
        ([1, "x"], {"type": "array", "items": {"type": "number"}}, False),
        ("b", {"enum": ["a"]}, False),
    ],
)
def test_content_is_held_against_its_schema(value: object, schema: dict[str, object], good: bool) -> None:
    assert event_types.fits(value, schema) is good


@pytest.mark.parametrize(
    ("host", "hidden"),
    [
        ("127.0.0.1:4000", False),
        ("core.test", False),
        ("core.example.com:3000", False),
        ("pryvcore.example.com", True),
        ("localhost:1", True),
    ],
)
def test_a_first_label_of_five_letters_is_taken_for_a_username(host: str, hidden: bool) -> None:
    request = Request("GET", "/someone/events/c1/series", {}, {"host": host}, b"", "127.0.0.1", "")
    assert host_hides_path(request) is hidden


def test_a_multipart_body_is_taken_apart_to_the_byte() -> None:
    head = b'--B\r\nContent-Disposition: form-data; name="event"\r\n\r\n{"type": "x"}\r\n'
    named = b'--B\r\nContent-Disposition: form-data; name="f"; filename="a %22\\"\xc3\xbc.bin"\r\n'
    file = named + b"Content-Type: x/y\r\n\r\n\r\n\x00--\r\n"
    event, (upload,) = attachments.parse_multipart('multipart/form-data; boundary="B"', head + file + b"--B--\r\n")
    assert event == {"type": "x"}
    assert upload == attachments.Upload('a %22"ü.bin', "x/y", b"\r\n\x00--")


def test_installing_copies_a_tree_that_can_be_run(tmp_path: Path) -> None:
    standin.install(tmp_path / "app")
    assert os.access(tmp_path / "app/bin/master.py", os.X_OK)
    assert (tmp_path / "app/config").is_dir()
    assert '"standin": true' in (tmp_path / "app/package.json").read_text()
    assert not list(tmp_path.rglob("__pycache__"))
