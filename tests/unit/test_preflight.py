"""Preflight: what is made of what the hosts tell, before anything is touched."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from harness import preflight
from harness.configuration import Config
from harness.deed import Ask, Command, CommandResult, HttpAnswer, HttpRequest, Role
from harness.preflight.data import engines_are_moved
from harness.preflight.dest import XATTR
from harness.run.driving import drive
from tests.plans import plan

if TYPE_CHECKING:
    from collections.abc import Callable

CONFIG = Config({"storages.engines.filesystem.previewsDirPath": "/var/lib/pryv/previews"}, ())


def telling(*texts: str | int) -> Callable[[Any], Any]:
    """Return what answers commands in turn: a text, or the exit code of one that says nothing."""
    left = list(texts)

    def answer(wanted: Any) -> Any:  # noqa: ANN401 - any observation
        if isinstance(wanted, tuple):
            return [answer(one) for one in wanted]
        assert isinstance(wanted, Ask)
        assert isinstance(wanted.of, Command)
        said = left.pop(0)
        text, code = (said, 0) if isinstance(said, str) else ("", said)
        return CommandResult(wanted.of, code, text.encode(), b"", 0.0)

    return answer


def versions(rsync: str = "3.2.7", python: str = "3.11.2", ssh: str = "9.2p1") -> str:
    return f"rsync  version {rsync}  protocol version 31\nPython {python}\nOpenSSH_{ssh} Debian-2, OpenSSL 3.0.11 19 Sep 2023"


@pytest.mark.parametrize(
    ("told", "held"),
    [
        (versions(), True),
        (versions(rsync="3.2.3"), True),
        (versions(rsync="3.2.2"), False),
        (versions(rsync="3.1.3"), False),
        (versions(python="3.8.10"), False),
        (versions(ssh="7.1p2"), False),
        (versions().partition("\n")[2], False),  # no rsync
        ("", False),
    ],
)
def test_programs_must_have_the_options_that_are_used(told: str, *, held: bool) -> None:
    assert (drive(preflight.versions_are_new_enough(Role.DEST), telling(told)).outcome == "held") is held


@pytest.mark.parametrize(
    ("servers", "programs", "held"),
    [
        (("150020", "150020"), ("15.20", "15.20", "15.20"), [True, True]),
        (("150020", "170002"), ("15.20", "15.20", "17.2"), [True, True]),
        (("140009", "150020"), ("15.20", "15.20", "15.20"), [False, True]),
        (("160001", "150020"), ("16.1", "16.1", "16.1"), [False, True]),
        (("160001", "160001"), ("15.20", "16.1", "16.1"), [True, False]),  # pg_dump refuses a newer server
        (("150020", "160001"), ("16.1", "16.1", "15.20"), [True, False]),  # pg_restore refuses a newer dump
    ],
)
def test_each_postgresql_can_read_the_one_before(servers: tuple[str, str], programs: tuple[str, ...], held: list[bool]) -> None:
    said = [f"pg_dump (PostgreSQL) {version} (Debian)" for version in programs]

    assert [check.held for check in drive(preflight.postgresql_fits(plan()), telling(*servers, *said))] == held


MASTER = {"pid": 7, "argv": ["/usr/bin/node", "bin/master.js", "--config", "/etc/pryv/override.yml"], "environ": [], "cwd": "/"}


@pytest.mark.parametrize(
    ("running", "source", "dest", "held"),
    [
        ([MASTER], "v24.1.0", "v24.9.3", True),
        ([MASTER], "v24.1.0", "v22.1.0", False),
        ([MASTER], "v24.1.0", 127, False),
        ([], "", "", False),
    ],
)
def test_the_dest_has_the_node_that_runs_the_source(running: list[Any], source: str, dest: str | int, *, held: bool) -> None:
    [check] = drive(preflight.runs_the_core(plan()), telling(json.dumps({"running": running, "kept": None}), source, dest))

    assert (check.outcome == "held") is held


@pytest.mark.parametrize(
    ("package", "held", "remedy"),
    [
        ('{"version": "2.0.0-pre.4"}', True, ""),
        ('{"version": "1.9.3"}', False, "v1 guides"),
        (1, False, "core.app_path"),
    ],
)
def test_a_core_of_v1_is_refused_with_where_to_turn(package: str | int, *, held: bool, remedy: str) -> None:
    check = drive(preflight.core_is_v2(plan()), telling(package))

    assert (check.held, remedy in check.remedy) == (held, True)


@pytest.mark.parametrize(
    ("of_database", "of_dest", "missing"),
    [
        ("C.UTF-8|C.UTF-8", "C\nC.utf8\nPOSIX", []),
        ("en_US.UTF-8|en_US.utf8", "C\nen_US.utf8", []),
        ("C|POSIX", "C", []),
        ("fr_CH.UTF-8|C.UTF-8", "C\nC.utf8\nPOSIX", ["fr_CH.UTF-8"]),
        ("", "C", []),  # ICU's
    ],
)
def test_the_dest_must_know_how_the_sources_database_sorts(of_database: str, of_dest: str, missing: list[str]) -> None:
    assert drive(preflight.locale_is_there(plan(), "pryv"), telling(of_database, of_dest)).observed == missing


@pytest.mark.parametrize(
    ("source", "dest", "held"),
    [
        ("supported", "supported", True),
        ("supported", "Operation not supported", False),
        ("Operation not supported", "Operation not supported", True),
    ],
)
def test_the_dest_keeps_attributes_where_the_source_does(source: str, dest: str, *, held: bool) -> None:
    assert drive(preflight.attributes_are_kept(CONFIG), telling(source, dest)).held is held
    assert "ENODATA" in XATTR


def free(count: object) -> str:
    return f"/dev/vda1 9 9 {count} 1% /"


@pytest.mark.parametrize(
    ("dest", "inodes", "source", "held"),
    [
        (500, 500, 100, [True, True, True]),
        (499, 500, 100, [False, True, True]),
        (500, 249, 100, [True, False, True]),
        (500, 0, 100, [True, True, True]),  # made as they are needed
        (500, 500, 99, [True, True, False]),
    ],
)
def test_there_must_be_room_in_bytes_and_in_paths(dest: int, inodes: int, source: int, held: list[bool]) -> None:
    told = ("100", "60\t/d/\n100\ttotal", "70\t/d/\n100\ttotal", free(9999), free(dest), free(inodes), free(source))

    assert [check.held for check in drive(preflight.room(plan(), ["/d"], "pryv"), telling(*told))] == held


@pytest.mark.parametrize(("days", "held"), [(8, True), (6, False), (-1, False)])
def test_the_certificate_must_be_good_for_a_week(days: int, *, held: bool) -> None:
    until = time.strftime("%b %d %H:%M:%S %Y GMT", time.gmtime(time.time() + days * 86400 + 60))

    def answer(asked: Any) -> HttpAnswer:  # noqa: ANN401 - the one request
        assert isinstance(asked.of, HttpRequest)
        return HttpAnswer(asked.of, 503, {}, b"", 0.0, until)

    assert drive(preflight.certificate(plan()), answer).held is held


@pytest.mark.parametrize(
    ("kind", "engine", "left"),
    [
        ("base", "postgresql", {}),
        ("platform", "rqlite", {}),
        ("base", "sqlite", {"base": "sqlite"}),
        ("series", "influxdb", {"series": "influxdb"}),
        ("file", "s3", {"file": "s3"}),
    ],
)
def test_an_engine_that_is_not_moved_is_named(kind: str, engine: str, left: dict[str, str]) -> None:
    check = engines_are_moved(Config(values={f"storages.{kind}.engine": engine}, files=()))

    assert (check.observed, check.held, check.examined) == (left, not left, 1)
