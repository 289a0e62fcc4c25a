"""Decide, then do: what acts would do, and what looks make of answers, compared as values."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from harness import files, service
from harness.check import Outcome
from harness.configuration import Config, flat
from harness.cutover import dns
from harness.databases import ENGINES
from harness.deed import (
    Command,
    CommandResult,
    DnsAnswer,
    DnsUpdate,
    Measured,
    Resolve,
    Role,
)
from harness.run.driving import drive
from tests.plans import plan

ENGINE = ENGINES["PostgreSQL"]
CONFIG = Config(
    flat(
        {
            "http": {"port": 3000, "hfsPort": 4000, "previewsPort": 3001},
            "storages": {
                "base": {"engine": "postgresql"},
                "engines": {
                    "postgresql": {
                        "host": "10.0.0.1",
                        "port": 5432,
                        "database": "pryv",
                        "user": "pryv",
                        "password": "secret-password",
                    },
                    "sqlite": {"path": "/var/lib/pryv/data/users"},
                    "filesystem": {"previewsDirPath": "/var/lib/pryv/data/previews"},
                },
            },
        }
    ),
    ("/etc/pryv/override.yml",),
)
TABLES = {"accesses": {"rows": 2, "sha256": "a" * 64, "bytes": 9}, "events": {"rows": 0, "sha256": "b" * 64, "bytes": 0}}
MEASURED = Measured("PostgreSQL", Role.SOURCE, "whole", 2, 9, TABLES)


def deeds(act: Generator[Any, Any, Any], *outs: bytes) -> list[Any]:
    """Return what an act yields; commands are answered with the given outputs in turn."""
    done: list[Any] = []
    answers = iter(outs)

    def perform(deed: object) -> object:
        done.append(deed)
        return CommandResult(deed, 0, next(answers, b""), b"", 0.0) if isinstance(deed, Command) else None

    drive(act, perform)
    return done


def looked(reading: Generator[Any, Any, Any], answer: Callable[[Any], Any]) -> Any:  # noqa: ANN401 - a Check or several
    """Drive a look with answers made by a function."""

    def perform(asked: Any) -> Any:  # noqa: ANN401 - any observation
        if isinstance(asked, Measured):
            return None
        return [answer(one) for one in asked] if isinstance(asked, tuple) else answer(asked)

    return drive(reading, perform)


def told(out: str, code: int = 0) -> Callable[[Any], CommandResult]:
    return lambda asked: CommandResult(asked.of, code, out.encode(), b"", 0.0)


def test_a_dump_is_written_as_part_renamed_and_detached() -> None:
    [dump] = deeds(ENGINE.dump(plan(), CONFIG, 2))

    assert (dump.host, dump.lasting) == (Role.SOURCE, "dump-postgresql")
    assert 'mv "$to.part" "$to"' in dump.argv[2]
    assert dump.argv[4] == "/var/lib/pryv-migration/CHG0031337/dumps/2-pryv.dump"
    assert dump.argv[-5:] == ("pg_dump", "-Fc", "-Z1", "-d", "pryv")


def test_a_restore_is_one_transaction_as_the_cores_role() -> None:
    [restore] = deeds(ENGINE.restore(plan(), CONFIG, CONFIG, 1))

    assert restore.host is Role.DEST
    assert {"--single-transaction", "--exit-on-error"} <= set(restore.argv)


def test_data_roots_are_sent_with_delete_and_without_previews_and_shm() -> None:
    claim, sent = deeds(files.transfer(plan(), CONFIG, {}))

    assert claim.argv[-1] == "path /var/lib/pryv/data"
    assert {"--delete", "--exclude=/previews/*", "--exclude=*-shm", "--modify-window=-1"} <= set(sent.argv)


def test_a_dns_update_replaces_the_address() -> None:
    [update] = deeds(dns.point(plan(), Role.DEST))

    assert update == DnsUpdate("example.com", "core.example.com", 60, (("A", "203.0.113.20"),))


@pytest.mark.parametrize(
    ("texts", "outcome"),
    [
        (("203.0.113.20",), Outcome.HELD),
        (("203.0.113.10",), Outcome.NOT_HELD),
        (("203.0.113.10", "203.0.113.20"), Outcome.NOT_HELD),
        ((), Outcome.NOT_HELD),
    ],
)
def test_every_server_must_answer_the_address_and_nothing_else(texts: tuple[str, ...], outcome: Outcome) -> None:
    def answer(asked: Resolve) -> DnsAnswer:
        second = asked.server == "203.0.113.54:53"
        return DnsAnswer(asked.server, "NOERROR", (texts if second else ("203.0.113.20",)) if asked.kind == "A" else (), 60)

    assert looked(dns.every_server_answers(plan(), Role.DEST), answer).outcome is outcome


def test_an_old_aaaa_that_stays_is_red() -> None:
    def answer(asked: Resolve) -> DnsAnswer:
        return DnsAnswer(asked.server, "NOERROR", ("203.0.113.20",) if asked.kind == "A" else ("2001:db8::1",), 60)

    assert looked(dns.every_server_answers(plan(), Role.DEST), answer).outcome is Outcome.NOT_HELD


def test_a_node_that_hides_its_name_is_found_by_its_user_or_by_the_program_that_is_run() -> None:
    running = (" 20 pryv MainThread", " 21 root node /opt/pryv/app/bin/master.js", " 22 root /opt/pryv/app/bin-ext/rqlited -x")
    other = ("  1 root sshd", " 23 root rsync /opt/pryv/app/", " 24 root find -H /opt/pryv/app/config", " 25 root node /srv/x.js")

    check = looked(service.no_process(plan(), Role.SOURCE), told("\n".join((*running, *other))))

    assert (check.observed, check.examined, check.outcome) == (["20 pryv", "21 root", "22 root"], 7, Outcome.NOT_HELD)


def test_a_listener_of_another_host_on_the_same_machine_is_not_this_hosts() -> None:
    ss = 'LISTEN 0 128 127.1.1.2:22 0.0.0.0:* users:(("sshd",pid=5,fd=3))\nLISTEN 0 128 127.1.1.3:3000 0.0.0.0:*\n'

    check = looked(service.no_listener(Role.SOURCE, CONFIG), told(ss))

    assert (check.observed, check.examined, check.outcome) == ([], 1, Outcome.HELD)


def test_no_process_seen_at_all_is_not_a_pass() -> None:
    assert looked(service.no_process(plan(), Role.SOURCE), told("")).outcome is Outcome.NOT_HELD


@pytest.mark.parametrize(
    ("status", "code", "outcome"),
    [("stopped, fenced", 3, Outcome.HELD), ("stopped", 3, Outcome.NOT_HELD), ("running, fenced", 0, Outcome.NOT_HELD)],
)
def test_a_fence_is_in_place_only_when_the_core_is_stopped_too(status: str, code: int, outcome: Outcome) -> None:
    assert looked(service.fence_in_place(plan()), told(status, code)).outcome is outcome


@pytest.mark.parametrize(
    ("noted", "now", "later"),
    [(0, 0, 0), (3, 3, 0), (3, 5, 2), (3, 0, 0), (3, 2, 2)],  # a log that is shorter than it was was cut: what it has came since
)
def test_starts_of_the_dest_core_are_counted_in_its_log_since_this_run_came_to_it(noted: int, now: int, later: int) -> None:
    answers = {"sh": f"{service.SIGNS}{noted}", "core": "\n".join(["[master] Platform engine"] * now)}

    def perform(asked: Any) -> CommandResult:  # noqa: ANN401 - any observation
        return CommandResult(asked.of, 0, answers[asked.of.argv[0]].encode(), b"", 0.0)

    assert drive(service.never_started(plan(), {}, 0), perform)[1].observed == later
