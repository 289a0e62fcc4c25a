"""Ten thousand plans that nobody would write: each is a Plan or a PlanError, soon, and no process is started by reading it."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from harness.errors import PlanError
from harness.plan import Plan, parse, schema
from tests.plans import CONTENT
from tests.schemas import faults

STARTS = (
    "subprocess.Popen",
    "os.system",
    "os.exec",
    "os.fork",
    "os.forkpty",
    "os.posix_spawn",
    "os.spawn",
    "pty.spawn",
    "socket.connect",
)
FUZZ = settings(
    derandomize=True,
    database=None,
    deadline=timedelta(seconds=5),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
HOSTILE = [
    *("-oProxyCommand=touch /tmp/x", "--rsync-path=sh", "$(reboot)", "a;reboot", "a|sh", "a\nb", "a\0b", "/a b"),
    *("../../etc", "/..", "/", "~", "*", "*.", ".", "..", "@", "user@host", ":", "::", "::1", "0", "0123", "on", "null", "1e999"),
    *("x" * 5000, "é", "\u202e", "\U0010ffff", "%h", "{}", "!!python/object/apply:os.system", "https://[", "https://a:b@c"),
    *("https://core.example.com", "core.example.com", "*.example.com", "203.0.113.7", "2001:db8::7", "/a/b", "60", "word"),
]
TEXTS = st.sampled_from(HOSTILE) | st.text(max_size=12)
SCALARS = TEXTS | st.integers() | st.floats() | st.booleans() | st.none()
VALUES: st.SearchStrategy[Any] = (
    SCALARS | st.lists(SCALARS, max_size=2) | st.dictionaries(TEXTS, SCALARS | st.just([{}]), max_size=2)
)
SCHEMA = schema()
STARTED: list[str] = []
ARMED: list[bool] = []


def _notice(name: str, arguments: tuple[object, ...]) -> None:
    if ARMED and name in STARTS:
        STARTED.append(f"{name} {arguments!r}")


sys.addaudithook(_notice)  # it can never be taken away again, so it is armed only while a plan is read


@contextmanager
def nothing_is_started() -> Iterator[None]:
    ARMED.append(True)
    try:
        yield
    finally:
        ARMED.clear()
    assert STARTED == []


def _paths(content: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any JSON
    yield at
    children = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in children:
        yield from _paths(value, (*at, key))


PATHS = list(_paths(CONTENT))[1:]
CHANGES = st.tuples(st.sampled_from(PATHS), st.sampled_from(("set", "set", "drop", "add", "twice")), TEXTS, VALUES)


def _mutated(changes: list[tuple[tuple[Any, ...], str, str, Any]]) -> Any:  # noqa: ANN401 - any JSON
    content = copy.deepcopy(CONTENT)
    for (*parents, last), verb, key, value in changes:
        at: Any = content
        for parent in parents:
            at = at[parent] if isinstance(at, dict | list) and _has(at, parent) else None
        if not isinstance(at, dict | list) or not _has(at, last):
            continue  # an earlier change took it away
        _change(at, last, verb, key, value)
    return content


def _has(at: Any, key: Any) -> bool:  # noqa: ANN401 - any JSON
    return key in at if isinstance(at, dict) else isinstance(key, int) and key < len(at)


def _change(at: Any, last: Any, verb: str, key: str, value: Any) -> None:  # noqa: ANN401 - any JSON
    if verb == "drop":
        del at[last]
    elif verb == "add" and isinstance(at, dict):
        at[key] = value
    elif verb == "twice" and isinstance(at[last], list):
        at[last] = at[last] * 2
    else:
        at[last] = value


def _texts(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for pair in value.items() for one in pair for text in _texts(one))
    elif isinstance(value, list):
        yield from (text for one in value for text in _texts(one))


def _read(text: bytes) -> Plan | None:
    """Read a plan; None for a PlanError, whose problems are few, short and printable."""
    with nothing_is_started():
        read = _plan_or_problems(text)
    if isinstance(read, Plan):
        return read
    assert 1 <= len(read) <= 51
    assert all(problem.isprintable() and len(problem) < 1000 for problem in read), read
    return None


def _plan_or_problems(text: bytes) -> Plan | tuple[str, ...]:
    try:
        return parse(text)
    except PlanError as error:
        return error.problems


def _is_harmless(plan: Plan) -> None:
    content = json.loads(plan.model_dump_json())
    assert all(text.isprintable() for text in _texts(content))
    commands, proxy = content["core"].pop("command"), content["source"].pop("proxy")
    given = [*filter(None, commands.values()), *(proxy[verb] for verb in ("stop", "disable", "status"))]
    assert all(argv[0][0] != "-" and all(argv) for argv in given)
    free = {content["change"].pop(word) for word in ("title", "operator", "approver")} | set(_texts(content.pop("planned_changes")))
    assert all(text.isprintable() for text in free)
    words = set(_texts(content))
    assert not [word for word in words if word.startswith("-") or any(char in word for char in " ;|&<>$`'\"\\\n\t(){}[]?!#%")]


@settings(FUZZ, max_examples=5000)
@given(st.lists(CHANGES, min_size=1, max_size=3))
def test_a_plan_with_some_parts_replaced_is_a_plan_or_a_plan_error(changes: list[tuple[tuple[Any, ...], str, str, Any]]) -> None:
    content = _mutated(changes)

    plan = _read(json.dumps(content).encode())

    event("taken" if plan else "refused")
    if plan:
        _is_harmless(plan)
        as_read = json.loads(json.dumps(content), parse_constant=str)  # YAML reads JSON's Infinity and NaN as texts
        assert list(faults(as_read, SCHEMA, SCHEMA)) == []


@settings(FUZZ, max_examples=2500)
@given(st.integers(0, 1200), st.integers(0, 40), st.binary(max_size=12) | TEXTS.map(lambda text: text.encode()))
def test_a_plan_with_some_bytes_replaced_is_a_plan_or_a_plan_error(at: int, count: int, new: bytes) -> None:
    text = json.dumps(CONTENT, indent=1).encode()

    plan = _read(text[:at] + new + text[at + count :])

    event("taken" if plan else "refused")
    if plan:
        _is_harmless(plan)


PIECES = [
    *(
        "a",
        ": ",
        "\n",
        "  ",
        "- ",
        "? ",
        "&a ",
        "*a",
        "<<",
        "!!",
        "!<",
        "%YAML 1.1\n",
        "---\n",
        "...\n",
        "|\n",
        ">-\n",
        "'",
        '"',
        "\\x",
    ),
    *("\\U", "[", "]", "{", "}", ",", "#", "\t", "\r", "\0", "\ufeff", "\u2028", "change", "0x", "1:30", "~", "@", "`", "\\"),
]


@settings(FUZZ, max_examples=2500)
@given(st.binary(max_size=300) | st.lists(st.sampled_from(PIECES), max_size=80).map(lambda pieces: "".join(pieces).encode()))
def test_any_bytes_are_a_plan_error(text: bytes) -> None:
    assert _read(text) is None


def test_a_process_that_is_started_would_be_noticed() -> None:
    with pytest.raises(AssertionError), nothing_is_started():
        sys.audit("subprocess.Popen", "true", ("true",), None, None)
    assert STARTED.pop().startswith("subprocess.Popen")
