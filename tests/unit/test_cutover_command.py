"""DNS changed by a program of the operator's: what it is told, in which environment, and what becomes of its failures."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fixtures.hosts.processes import identify
from harness.cutover import dns
from harness.deed import DnsUpdate
from harness.errors import DeedFailed, TimedOut
from harness.plan import CommandPart
from harness.transport import local
from harness.waiting import until
from tests.unit.test_cutover import COMMAND, moving

DEED = DnsUpdate("", "*.example.com", 60, (("A", "203.0.113.20"),))


def script(tmp_path: Path, text: str) -> str:
    path = tmp_path / "set-dns"
    path.write_text(f"#!/bin/sh\ncd {tmp_path}\n{text}\n")
    path.chmod(0o755)
    return str(path)


def part(*argv: str, **more: Any) -> CommandPart:  # noqa: ANN401 - parts of a plan
    found = moving(COMMAND, command={"argv": list(argv), **more}).cutover.dns
    assert isinstance(found, CommandPart)
    return found


def test_it_is_told_name_type_ttl_and_addresses_by_arguments_and_no_shell_reads_them(tmp_path: Path) -> None:
    program = script(tmp_path, 'printf "%s\\n" "$@" end >> told')

    answer = dns.update(part(program, "--zone", "a b; $(reboot) *"), DEED)

    lines = (tmp_path / "told").read_text().split("\n")
    ours = ["--zone", "a b; $(reboot) *", "*.example.com"]
    assert lines == [*ours, "A", "60", "203.0.113.20", "end", *ours, "AAAA", "60", "end", ""]
    assert (answer.code, answer.texts) == ("exit 0", ("203.0.113.20",))


def test_its_environment_holds_the_secret_and_nothing_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("token-of-the-provider\n")
    monkeypatch.setenv("PRYV_ADMIN_KEY", "another secret")
    program = script(tmp_path, "env > seen")

    dns.update(part(program, secret={"file": str(tmp_path / "token")}), DEED)

    seen = dict(line.split("=", 1) for line in (tmp_path / "seen").read_text().splitlines())
    assert seen["DNS_SECRET"] == "token-of-the-provider"
    assert set(seen) - {"PWD", "OLDPWD", "SHLVL", "_"} <= {"PATH", "HOME", "LC_ALL", "DNS_SECRET"}


def test_a_failure_is_told_with_the_end_of_what_it_printed(tmp_path: Path) -> None:
    program = script(tmp_path, "seq 1 5000; echo quota exceeded >&2; exit 3")

    with pytest.raises(DeedFailed) as error:
        dns.update(part(program), DEED)

    assert str(error.value).startswith(f"{DEED}\n{program} *.example.com A 60 203.0.113.20: exit 3\n")
    assert str(error.value).endswith("5000\nquota exceeded")
    assert len(str(error.value).splitlines()) == 12


@pytest.mark.parametrize("name", ["/nothing/there", "no-such-program-anywhere", "/etc/passwd", "/"])
def test_a_program_that_cannot_be_started_is_told(name: str) -> None:
    with pytest.raises(DeedFailed, match="cannot be started here"):
        dns.update(part(name), DEED)


def test_one_that_does_not_end_is_ended_with_its_children(tmp_path: Path) -> None:
    program = script(tmp_path, "sleep 61 & echo $! > child; sleep 60")
    began = time.monotonic()

    with pytest.raises(TimedOut, match="does not end"):
        dns.update(part(program, timeout_s=0.3), DEED)

    assert time.monotonic() - began < 5
    child = int((tmp_path / "child").read_text())
    until(lambda: True if identify(child) is None else None, within_s=5, message=lambda: f"its child {child} still runs")


def test_a_child_that_outlives_it_keeps_nobody_waiting(tmp_path: Path) -> None:
    began = time.monotonic()

    done = local.run((script(tmp_path, "sleep 3 & echo started"),), {"PATH": "/usr/bin:/bin"}, 10)

    assert (done.exit, done.out) == (0, b"started\n")
    assert time.monotonic() - began < 2


def test_only_the_end_of_a_flood_is_kept() -> None:
    done = local.run((sys.executable, "-c", "print('x' * 3_000_000 + 'end')"), {}, 20)

    assert len(done.out) == local.KEPT_BYTES
    assert done.out.endswith(b"xend\n")
