"""A core that is a unit, on a real systemd: what each verb does, and what its fence holds against."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

import pytest

from fixtures.containers import engine, labels, leftovers, making, network
from fixtures.containers.host import PLAIN, ContainerHost
from fixtures.containers.images import Builder
from fixtures.hosts.disks import Disk
from harness.control import STOPPED, control
from harness.deed import Role
from harness.waiting import until
from tests.engine import NEEDS_ENGINE
from tests.plans import CONTENT, plan

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.rehearsal, NEEDS_ENGINE]

CORE = {
    **{key: value for key, value in CONTENT["core"].items() if key != "command"},
    "deploy": "systemd",
    "systemd": {"unit": "pryv-core"},
}
CONTROL = control(plan(core=CORE))
BEGINS = "[master] \033[31mbegins\033[0m"
UNIT = "/etc/systemd/system/pryv-core.service"
TEXT = """\
[Service]
ExecStart=/bin/sh -c 'printf "[master] \\\\033[31mbegins\\\\033[0m\\\\n"; exec sleep 9999'
Restart=always
RestartSec=100ms
[Install]
WantedBy=multi-user.target
"""


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerHost]:
    """Return a host with systemd, ended with these tests."""
    found, root = engine.demand(), tmp_path_factory.mktemp("systemd")
    folder = root / "worlds" / secrets.token_hex(3)
    folder.mkdir(parents=True)
    ours = labels.Ours(folder.name, root, None)
    try:
        prefix = network.create(found, ours)
        made = ContainerHost(found, ours, "unit", f"{prefix}.2")
        made.create(Builder(found, lambda _: None).image("host"), PLAIN, f"{prefix}.4", Disk(folder / "fs", {}))
        boot(made)
        yield made
    finally:
        leftovers.end(folder)


def boot(host: ContainerHost) -> None:
    """Give a host power and wait until systemd has started what is enabled."""
    host.power_on()
    making.answers(host)


def says(host: ContainerHost, verb: str, role: Role = Role.SOURCE) -> tuple[int, str]:
    """Use a verb of the control on a host; returns code and text."""
    command = getattr(CONTROL, verb)(role)
    assert command.input == b""
    answer = host.ask(*command.argv)
    return answer.exit, answer.text


def begun(host: ContainerHost) -> tuple[int, str]:
    """Return the dest's log once the core has written into it."""
    found = lambda: told if "begins" in (told := says(host, "logs", Role.DEST))[1] else None  # noqa: E731 - asked until it is so
    return until(found, within_s=20.0, message=lambda: "the core writes no log")


def stopped(host: ContainerHost) -> tuple[int, str]:
    """Return the status once it says that the unit is stopped."""
    found = lambda: told if (told := says(host, "status"))[0] == STOPPED else None  # noqa: E731 - likewise
    return until(found, within_s=20.0, message=lambda: "the unit is not stopped")


def test_a_unit_is_started_stopped_logged_and_fenced_against_whatever_starts_it(host: ContainerHost) -> None:
    none = [says(host, verb) for verb in ("status", "logs")]
    host.ask("sh", "-c", f"cat > {UNIT} <<'E'\n{TEXT}E\nsystemctl daemon-reload")
    new, _, _, running = [says(host, verb) for verb in ("status", "enable", "start", "status")]
    logged = begun(host)
    says(host, "fence")
    host.ask("systemctl", "kill", "--signal=KILL", "pryv-core")
    killed = stopped(host)  # and Restart=always did not bring it back
    started, restarted = says(host, "start"), host.ask("systemctl", "restart", "pryv-core")
    host.power_off()
    boot(host)
    rebooted = [says(host, "status"), says(host, "start")]
    opened = [says(host, verb) for verb in ("unfence", "status", "start", "status", "stop", "disable", "status")]

    assert none == [(3, "stopped, not-found"), (1, "")]
    assert (new, running) == ((3, "stopped, disabled"), (0, "running, enabled"))
    assert BEGINS in logged[1].splitlines()
    assert killed == (3, "stopped, fenced, enabled")
    assert started == (1, "Assertion failed on job for pryv-core.service.")
    assert restarted.exit == 1
    assert rebooted == [(3, "stopped, fenced, enabled"), started]
    assert [text for _, text in opened if text] == ["stopped, enabled", "running, enabled", opened[5][1], "stopped, disabled"]
    assert host.ask("ls", f"{UNIT}.d").exit != 0


@pytest.mark.parametrize("place", ["append", "file", "truncate"])
def test_the_log_of_a_unit_that_prints_to_a_file_is_that_file(host: ContainerHost, place: str) -> None:
    text = TEXT.replace("[Install]", f"StandardOutput={place}:/var/log/core.log\n[Install]")
    host.ask("sh", "-c", f"cat > {UNIT} <<'E'\n{text}E\nsystemctl daemon-reload; systemctl restart pryv-core")

    assert begun(host) == (0, BEGINS)
