"""Config texts, arguments and variables have the values that were observed on the real core (js-yaml, nconf, yargs)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.configuration.started import Started, from_arguments, from_environment, meaning_config
from harness.configuration.texts import LARGEST_BYTES, parsed
from harness.configuration.values import ConfigError, flat, overlaid

WHERE = "/etc/pryv/override.yml on the dest"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[
            ("yes", "yes"),
            ("No", "No"),
            ("on", "on"),
            ("True", True),
            ("false", False),
            ('"true"', "true"),
            ("~", None),
            ("", None),
        ],
        *[("12:30:00", "12:30:00"), ("190:20:30", "190:20:30"), ("012", 12), ("0o14", 12), ("0x1F", 31), ("0b11", 3)],
        *[("1e3", 1000), ("1_000", "1_000"), (".5", 0.5), ("5.", 5), ("+5", 5), ("0o8", "0o8"), ("1.0", 1), ("0.1e-2", 0.001)],
        *[("00 00 2 * * *", "00 00 2 * * *"), ("=", "="), ("20260611", 20260611), ('"20260611"', "20260611")],
        *[("2026-11-25", "2026-11-25"), ("-.inf", float("-inf")), ("Null", None), ("nUll", "nUll")],
    ],
)
def test_yaml_words_are_read_as_the_core_reads_them(text: str, value: object) -> None:
    found = parsed(WHERE, f"z: {text}\n".encode())["z"]

    assert (found, type(found)) == (value, type(value))


def test_aliases_and_merges_are_followed() -> None:
    found = parsed(WHERE, b"a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: *a\n")

    assert found == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2}}


BOMB = "a0: &a0 [secret-value, secret-value]\n" + "".join(
    f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 12)
)


@pytest.mark.parametrize(
    ("raw", "means"),
    [
        (b"a: [secret-value", "is not YAML (line 2)"),
        (b"a: secret-value\n\tb: 1\n", "is not YAML (line 2)"),
        (b"a: !!python/object/apply:os.system [secret-value]\n", "is not YAML (line 1)"),
        (b"- secret-value\n", "is not a mapping"),
        (b"secret-value\n", "is not a mapping"),
        (b"a: 1\nb: {secret-value: 1,\n secret-value: 2}\n", "has a key that stands twice (line 3)"),
        (b"? [secret-value]\n: 1\n", "has a key that is no word (line 1)"),
        (b"a: secret-value\xff\n", "is not UTF-8 (byte 15)"),
        (b"a: secret-value\x00\n", "is not YAML"),
        (b"--- {a: secret-value}\n--- {b: 2}\n", "is not YAML (line 2)"),
        (b"a: &a [*a, secret-value]\n", "has an alias that leads back to itself (line 1)"),
        (b"a: " + b"[" * 5000, "is nested too deep"),
        (b"- " * 5000 + b"1", "is nested too deep"),
        (BOMB.encode(), "nodes once its aliases are followed"),
        (b"a: " + b"secret-value" * LARGEST_BYTES, f"is larger than {LARGEST_BYTES} bytes"),
        (b"a: !!int secret-value\n", "holds what cannot be read as config"),
        (b"a: !!timestamp secret-value\n", "holds what cannot be read as config"),
    ],
)
def test_a_text_that_is_no_config_is_an_error_that_names_the_file_and_no_value(raw: bytes, means: str) -> None:
    with pytest.raises(ConfigError) as error:
        parsed(WHERE, raw)

    assert str(error.value).startswith(WHERE)
    assert means in str(error.value)
    assert "secret-value" not in str(error.value)
    assert error.value.__suppress_context__ or error.value.__context__ is None


def test_an_empty_file_has_nothing_and_json_is_read_as_json() -> None:
    assert (parsed(WHERE, b""), parsed(WHERE, b"# nothing\n")) == ({}, {})
    assert parsed("/etc/pryv/c.json", b'{"a": 1}') == {"a": 1}
    with pytest.raises(ConfigError, match=r"c\.json is not JSON"):
        parsed("/etc/pryv/c.json", b"a: secret-value")


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_whatever_the_bytes_are_they_are_a_mapping_or_a_config_error(raw: bytes) -> None:
    try:
        found = parsed(WHERE, raw)
    except ConfigError:
        return
    assert isinstance(found, dict)


def test_a_key_is_told_by_the_first_layer_that_has_it() -> None:
    low = {"s": {"email": {"method": "x"}}, "tls": None, "d": {"a": 1}, "l": [1, 2], "n": 1, "e": {}}
    high = {"s": False, "tls": {"caFile": "/a"}, "d": {}, "l": [3], "n": None, "e": {"x": 1}}

    found = overlaid(flat(low), flat(high))

    assert found == {"s": False, "s.email.method": "x", "tls.caFile": "/a", "d.a": 1, "l": [3], "n": None, "e.x": 1}


def test_a_dot_inside_a_key_is_no_step() -> None:
    assert flat({"a.b": 1, "a": {"b": 2}}) == {"a\\.b": 1, "a.b": 2}


VALUES: list[tuple[str, Any, Any]] = [
    # text, what a variable makes of it, what an argument makes of it
    *[("1", 1, 1), ("01", "01", "01"), ("-1", -1, -1), ("+1", "+1", "+1"), ("1.0", 1, 1), ("1e3", 1000, 1000), (".5", ".5", 0.5)],
    *[("5.", "5.", 5), ("0x1f", "0x1f", 31), ("true", True, True), ("null", None, None), ("NaN", "NaN", "NaN")],
    *[
        ('"q"', "q", "q"),
        ('"20260611"', 20260611, 20260611),
        ('"\\"20260611\\""', "20260611", '\\"20260611\\"'),
        ("'q'", "'q'", "q"),
    ],
    *[("[1]", 1, 1), ("[1,2]", [1, 2], [1, 2]), ('["a"]', ["a"], ["a"]), ('["1"]', 1, 1), ('["true"]', True, True)],
    *[("[[1]]", 1, 1), ("[]", [], []), ("[{}]", [{}], [{}]), ("{}", {}, {}), ('"[1]"', [1], 1), ("[null]", [None], [None])],
    *[("", "", ""), (" 1 ", 1, 1), ("a b", "a b", "a b"), ("[", "[", "["), ("é", "é", "é"), ("1_0", "1_0", "1_0"), ("-0", 0, 0)],
    *[
        ("9007199254740993", 9007199254740992, 9007199254740992),
        ("[0.10]", 0.1, 0.1),
        ('["undefined"]', ["undefined"], ["undefined"]),
    ],
]


@pytest.mark.parametrize(("text", "variable", "argument"), VALUES)
def test_variables_and_arguments_have_the_values_that_the_core_makes_of_them(text: str, variable: object, argument: object) -> None:
    assert from_environment({"z__v": text}) == {"z.v": variable}
    assert from_arguments(("--z:v", text) if not text.startswith("-") else (f"--z:v={text}",)) == {"z.v": argument}
    assert from_arguments((f"--z:v={text}",)) == {"z.v": argument}


def test_undefined_is_not_set() -> None:
    assert from_environment({"a__b": "undefined", "a__c": '"undefined"', "a__d": "1"}) == {"a.d": 1}
    assert from_arguments(("--a:b=undefined",)) == {}


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("--no-z:a", "--z:b"), {"z.a": False, "z.b": True}),
        (("--z:a=1", "--z:a=2", "--z:a=x"), {"z.a": [1, 2, "x"]}),
        (("--z.a=1", "--z.b.c=x", "--z.b.d=true"), {"z.a": 1, "z.b.c": "x", "z.b.d": "true"}),
        (("--z:a=1", "--z.b=3"), {"z.b": 3}),
        (("x", "--z:a", "1", "y", "--", "--z:b=1"), {"z.a": 1}),
        (("-c", "a.yml", "--z:a", "-1", "--z:b", "-x"), {"z.a": -1, "z.b": True}),
        (("--config", "/etc/pryv/a.yml", "--NODE_ENV=test", "--z:a="), {"z.a": ""}),
    ],
)
def test_arguments_are_split_as_the_core_splits_them(words: tuple[str, ...], values: dict[str, Any]) -> None:
    assert from_arguments(words) == values


def test_a_variable_of_a_whole_part_and_one_inside_it_win_in_their_order() -> None:
    assert from_environment({"http": "x", "http__port": "3"}) == {"http.port": 3}
    assert from_environment({"http__port": "3", "http": "x"}) == {"http": "x"}
    assert from_environment({"http": '{"port": 9}', "a:b": "1"}) == {"http.port": 9, "a.b": 1}


def test_only_variables_that_mean_config_are_taken() -> None:
    environ = ["PATH=/bin", "a__b=1", "__c=2", "http=x", "config=/f.yml", "NODE_ENV=test", "http:ip=1", "EMPTY", "d__e=f=g"]

    assert meaning_config(environ, frozenset({"http"})) == {
        "a__b": "1",
        "http": "x",
        "config": "/f.yml",
        "NODE_ENV": "test",
        "http:ip": "1",
        "d__e": "f=g",
    }


def test_a_planned_change_of_what_the_start_says_is_a_change_of_the_start() -> None:
    started = Started(("--http:ip=10.0.0.1",), {"core__ip": "10.0.0.1", "core__id": "a"}).changed(
        {"http.ip": "10.0.0.2", "core.ip": 2}
    )

    assert started.layers() == ({"core.ip": 2, "core.id": "a"}, {"http.ip": "10.0.0.2"})
    assert (started.sets("http.ip"), started.sets("http.port")) == (True, False)


def test_a_file_that_is_chosen_twice_or_by_nothing_is_an_error() -> None:
    for words in (("--config", "a", "--config", "b"), ("--config",)):
        with pytest.raises(ConfigError, match="more than one config"):
            Started(words).chooser("config")
    assert Started(("--config", "a")).chooser("config") == "a"
    assert Started((), {"config": "b"}).chooser("config") == "b"
