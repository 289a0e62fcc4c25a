"""A core in a container on a real engine: what Docker itself makes of its control, and of what is made of its description."""

from __future__ import annotations

import json
import subprocess
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.containers import engine
from fixtures.containers.images import Builder
from harness import remade
from harness.configuration import effective
from harness.configuration.sources import masters
from harness.container import Container, described, processes
from harness.control import control
from harness.deed import Ask, Command, CommandResult, Role
from harness.preflight.images import engines_fit, nothing_alone
from harness.run.driving import drive
from tests.engine import NEEDS_ENGINE
from tests.unit.test_container import of_docker

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = NEEDS_ENGINE

PROGRAM = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit()); time.sleep(600)"


def performed(wanted: Any) -> Any:  # noqa: ANN401 - any deed or observation
    """Do on this machine what is asked of a host."""
    if isinstance(wanted, tuple):
        return [performed(part) for part in wanted]
    command = wanted.of if isinstance(wanted, Ask) else wanted
    if not isinstance(command, Command) or "/made" in str(command.argv):
        return None
    ran = subprocess.run(command.argv, input=command.input, capture_output=True, check=False, timeout=60)
    result = CommandResult(command, ran.returncode, ran.stdout, ran.stderr, 0.0)
    assert result.ok, result
    return result


@pytest.fixture
def running(tmp_path: Path) -> Iterator[str]:
    """Run a container whose program looks like a core's; yields its name. It is removed with its volumes."""
    name = f"pryv-test-{uuid.uuid4().hex[:12]}"
    image = Builder(engine.demand(), lambda _: None).image("core")
    (tmp_path / "override.yml").write_text("http: {port: 3000}\n", encoding="utf-8")
    program = ("sh", "-c", f"mkdir -p bin; echo '{PROGRAM}' > bin/master.py; exec python3 bin/master.py --a:b=1")
    given = ("-v", f"{tmp_path}:/app/pryv:ro", "-v", "/app/kept", "-w", "/app", "-e", "config=/app/pryv/override.yml")
    argv = ("docker", "run", "-d", "--name", name, "--restart", "unless-stopped", *given, image, *program)
    subprocess.run(argv, check=True, capture_output=True, timeout=60)
    yield name
    listed = subprocess.run(("docker", "ps", "-aq", "--filter", f"name={name}"), capture_output=True, text=True, check=True)
    subprocess.run(("docker", "rm", "-fv", *listed.stdout.split()), check=True, capture_output=True, timeout=60)


def test_a_real_container_is_seen_fenced_made_again_and_brought_back_as_it_was(running: str) -> None:
    on = of_docker(running)
    verbs, listing = control(on), Command(Role.SOURCE, ("ps", "-eo", "pid=,user:32=,args="))
    status = verbs.status(Role.SOURCE)
    found = drive(described(on, Role.SOURCE), performed)
    assert (performed(status).text, performed(status).exit) == ("running, enabled (unless-stopped)", 0)
    assert found
    assert found.policy == "unless-stopped"
    [master] = drive(masters(on, Role.SOURCE), performed)["running"]
    assert (master["argv"], master["cwd"]) == (["python3", "bin/master.py", "--a:b=1"], "/app")
    assert f"* {master['pid']}" in performed(processes(on, listing)).lines[0]
    fits = drive(engines_fit(on), performed)
    assert [check.name for check in fits if not check.held] == []
    assert fits[-1].name == "room for the image, kB"
    _, files, _ = drive(nothing_alone(on), performed)
    assert files.observed == ["/app/bin/master.py"]
    read = drive(effective(on, Role.SOURCE), performed)
    assert read
    assert read["a.b"] == 1

    performed(verbs.stop(Role.SOURCE))
    performed(verbs.fence(Role.SOURCE))
    performed(verbs.fence(Role.SOURCE))
    assert (performed(status).text, performed(status).exit) == ("stopped, fenced, disabled", 3)
    assert subprocess.run(verbs.start(Role.SOURCE).argv, check=False, capture_output=True, timeout=60).returncode == 1
    assert not any(line.startswith("* ") for line in performed(processes(on, listing)).lines)

    drive(remade.make(on, found), performed)
    again = Container(json.loads(subprocess.run(("docker", "inspect", running), check=True, capture_output=True).stdout)[0])
    assert remade.facts(again) == remade.facts(remade.planned(on, found))
    assert (again.policy, again.told["State"]["Status"]) == ("no", "created")

    kept = remade.volumes(found)
    drive(remade.remove(on, {f"container {running}"}), performed)
    assert performed(status).text == "stopped, fenced, disabled"
    assert subprocess.run(("docker", "volume", "inspect", *kept), check=False, capture_output=True, timeout=60).returncode == 0

    performed(verbs.unfence(Role.SOURCE))
    assert performed(status).text == "stopped, enabled (unless-stopped)"


def test_what_a_run_has_made_of_containers_is_removed_and_nothing_else() -> None:
    name, other = (f"pryv-test-{uuid.uuid4().hex[:12]}" for _ in range(2))
    image = Builder(engine.demand(), lambda _: None).image("core")
    for volume in (name, other):
        subprocess.run(("docker", "volume", "create", volume), check=True, capture_output=True, timeout=60)
    subprocess.run(
        ("docker", "create", "--name", name, "-v", f"{name}:/kept", image, "true"), check=True, capture_output=True, timeout=60
    )
    mine = {f"container {name}", f"volume {name}", "path /etc/pryv"}

    drive(remade.remove(of_docker(name), mine), performed)
    drive(remade.remove(of_docker(name), mine), performed)

    listed = subprocess.run(("docker", "volume", "ls", "-q"), check=True, capture_output=True, text=True).stdout.split()
    assert (name in listed, other in listed) == (False, True)
    assert performed(control(of_docker(name)).status(Role.DEST)).text == "stopped: no container"
    subprocess.run(("docker", "volume", "rm", other), check=True, capture_output=True, timeout=60)


def test_where_there_is_no_container_it_is_said_to_be_stopped_and_nothing_is_described() -> None:
    on = of_docker(f"pryv-test-{uuid.uuid4().hex[:12]}")

    answer = performed(control(on).status(Role.DEST))
    assert (answer.text, answer.exit) == ("stopped: no container", 3)
    assert drive(described(on, Role.DEST), performed) is None
    assert drive(masters(on, Role.DEST), performed)["running"] == []
