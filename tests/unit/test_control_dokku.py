"""A core that is an app of Dokku, against a double of its command (tests/dokku.py): no Dokku can be installed here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness import preflight
from harness.control import control
from harness.control.dokku import PLUGIN, PLUGINS
from harness.deed import Ask, Command, CommandResult, Role
from harness.errors import PlanError
from harness.run.driving import drive
from tests.plans import CONTENT, plan

DOUBLE = Path(__file__).parents[1] / "dokku.py"
CORE = {**{key: value for key, value in CONTENT["core"].items() if key != "command"}, "deploy": "dokku", "dokku": {"app": "pryv"}}
PLAN = plan(core=CORE, dest={**CONTENT["dest"], "install": "none"})
MOUNTED = [{"entry_name": "pryv", "host_path": "/var/lib/dokku/data/storage/pryv", "container_path": "/app/data"}]
APP: dict[str, Any] = {
    "deployed": True,
    "running": True,
    "restore": True,
    "scale": 1,
    "log": ["[master] Platform engine 'postgresql'"],
    "mounts": MOUNTED,
    "variables": {"core__ip": "203.0.113.10", "auth__adminAccessKey": "a-secret", "GIT_REV": "abc"},
    "image": "pryvio/open-pryv.io:2.0.0",
    "scheduler": "docker-local",
}
STOPPED = {
    **APP,
    "running": False,
    "restore": False,
    "variables": {**APP["variables"], "core__ip": "203.0.113.20", "GIT_REV": "def"},
}


class Host:
    """A host with Dokku: its apps in a file, its plugins in a folder."""

    def __init__(self, folder: Path, version: str = "0.38.27", **apps: dict[str, Any]) -> None:
        self.folder = folder
        for name in ("enabled", "available"):
            (folder / "plugins" / name).mkdir(parents=True)
        (folder / "bin").mkdir()
        (folder / "bin/dokku").write_text(f'#!/bin/sh\nexec {sys.executable} {DOUBLE} "$@"\n')
        (folder / "bin/dokku").chmod(0o755)
        self.environment = {
            "PATH": f"{folder}/bin:{os.environ['PATH']}",
            "DOKKU_APPS": str(folder / "apps.json"),
            "DOKKU_PLUGINS": str(folder / "plugins"),
            "DOKKU_VERSION": version,
        }
        (folder / "apps.json").write_text(json.dumps({**apps, "another": APP}))

    def run(self, command: Command) -> CommandResult:
        """Run a command there."""
        argv = [word.replace(PLUGINS, str(self.folder / "plugins")) for word in command.argv]
        done = subprocess.run(argv, env=self.environment, capture_output=True, check=False, timeout=20)
        return CommandResult(command, done.returncode, done.stdout, done.stderr, 0.0)

    def typed(self, *words: str) -> tuple[int, str]:
        """Type a dokku command; returns its code and what it says of failing."""
        done = self.run(Command(Role.SOURCE, ("dokku", *words)))
        return done.exit, done.err.decode().strip()

    def says(self, verb: str) -> tuple[int, str]:
        """Use a verb of the control; returns code and text."""
        done = self.run(getattr(control(PLAN), verb)(Role.SOURCE))
        return done.exit, done.text

    def app(self, name: str = "pryv") -> dict[str, Any]:
        """Return what Dokku knows of an app."""
        return json.loads((self.folder / "apps.json").read_text())[name]  # type: ignore[no-any-return]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path, pryv=APP)


def test_an_app_is_stopped_and_started_and_tells_so(host: Host) -> None:
    before = host.says("status")
    host.says("stop")
    stopped = host.says("status")
    started = host.says("start")
    after = host.says("status")

    assert (before, stopped, after) == ((0, "running, enabled"), (3, "stopped, disabled"), (0, "running, enabled"))
    assert started[0] == 0
    assert started[1].endswith("-----> Configuring pryv using built-in nginx template")


def test_a_boot_starts_what_is_enabled(host: Host) -> None:
    host.says("stop")
    host.typed("ps:restore", "pryv")
    stayed = host.app()["running"]
    host.says("enable")
    enabled = host.says("status")
    host.typed("ps:restore", "pryv")
    came_back = host.app()["running"]
    host.says("disable")

    assert (stayed, enabled, came_back) == (False, (3, "stopped, enabled"), True)
    assert host.says("status") == (0, "running, disabled")


def test_a_fenced_app_is_started_by_nothing_that_dokku_does_and_others_are(host: Host) -> None:
    host.says("stop")
    assert host.says("fence")[0] == 0
    usual, status = host.says("start"), host.says("status")
    host.says("enable")  # and even then
    told = {
        words: host.typed(*words.split())
        for words in ("ps:start pryv", "ps:restart pryv", "ps:rebuild pryv", "ps:restore pryv", "ps:scale pryv web=1")
    }

    refused = "The app pryv is fenced: it has moved to another host, or is being moved"
    assert (usual[0], status) == (1, (3, "stopped, fenced, disabled"))
    assert {code for code, _ in told.values()} == {1}
    assert all(refused in said for _, said in told.values())
    assert "Failure in pre-start hook" in told["ps:start pryv"][1]
    assert host.app()["running"] is False
    assert host.typed("ps:restart", "another") == (0, "")


def test_a_one_off_container_of_a_fenced_app_is_refused_by_its_hook(host: Host) -> None:
    host.says("fence")
    hook = host.folder / "plugins/enabled" / PLUGIN / "scheduler-run"
    codes = [
        subprocess.run((hook, "docker-local", app, "0"), check=False, capture_output=True).returncode for app in ("pryv", "another")
    ]

    assert codes == [1, 0]


def test_a_fence_is_made_and_removed_as_often_as_asked_and_no_other_app_is_let_go(host: Host) -> None:
    codes = [host.says(verb)[0] for verb in ("stop", "unfence", "fence", "fence")]
    (host.folder / "plugins/available" / PLUGIN / "fenced/another").touch()
    codes.append(host.says("unfence")[0])
    kept = (host.folder / "plugins/enabled" / PLUGIN).exists()
    (host.folder / "plugins/available" / PLUGIN / "fenced/another").unlink()
    codes += [host.says(verb)[0] for verb in ("unfence", "unfence")]

    assert (codes, kept) == ([0] * 7, True)
    assert list((host.folder / "plugins").rglob("*fence*")) == []
    assert host.says("status") == (3, "stopped, disabled")
    assert host.says("start")[0] == 0


def test_a_fence_whose_plugin_was_disabled_is_told(host: Host) -> None:
    host.says("stop")
    host.says("fence")
    host.typed("plugin:disable", PLUGIN)

    assert host.says("status") == (3, "stopped, disabled")


def test_an_app_that_was_deployed_without_a_process_is_started_for_the_first_time(tmp_path: Path) -> None:
    new = Host(tmp_path, pryv={**APP, "deployed": False, "running": False, "log": []})
    before, logs = new.says("status"), new.says("logs")
    new.typed("ps:scale", "pryv", "web=0")
    new.typed("ps:rebuild", "pryv")
    new.typed("ps:scale", "--skip-deploy", "pryv", "web=1")
    new.typed("ps:stop", "pryv")
    ready = new.says("status")
    new.says("start")

    assert (before, logs) == ((3, "stopped, enabled"), (1, ""))
    assert (ready, new.says("status")) == ((3, "stopped, disabled"), (0, "running, enabled"))


def test_the_whole_log_is_read_not_the_last_hundred_lines(tmp_path: Path) -> None:
    lines = [f"[master] {number}" for number in range(150)]

    assert Host(tmp_path, pryv={**APP, "log": lines}).says("logs") == (0, "\n".join(lines))


def test_the_double_refuses_what_it_does_not_know(host: Host) -> None:
    assert host.typed("ps:fence", "pryv") == (
        1,
        "!     `ps:fence pryv` is not a dokku command.\n !     See `dokku help` for a list of available commands.",
    )
    assert host.typed("ps:start", "nobody") == (20, "!     App nobody does not exist")
    assert host.typed("ps:set", "pryv", "fence", "on")[0] == 1


# --- what is looked at


def on(source: Host, dest: Host) -> Callable[[Any], Any]:
    """Return what asks both hosts."""

    def perform(wanted: Any) -> Any:  # noqa: ANN401 - any observation
        if isinstance(wanted, tuple):
            return [perform(one) for one in wanted]
        assert isinstance(wanted, Ask)
        assert isinstance(wanted.of, Command)
        done = (source if wanted.of.host is Role.SOURCE else dest).run(wanted.of)
        assert done.ok, done
        return done

    return perform


@pytest.mark.parametrize(
    ("version", "app", "held"),
    [
        ("0.38.0", {}, True),
        ("0.37.9", {}, False),
        ("0.38.27", {"scheduler": "k3s"}, False),
        ("0.38.27", {"deployed": False}, False),
    ],
)
def test_the_dests_dokku_must_be_able_to_fence_the_app(tmp_path: Path, version: str, app: dict[str, Any], *, held: bool) -> None:
    both = on(Host(tmp_path / "source", pryv=APP), Host(tmp_path / "dest", version, pryv={**STOPPED, **app}))

    assert [check.held for check in drive(preflight.app_can_be_fenced(PLAN), both)] == [True, held]


def test_a_dest_without_the_app_is_told(tmp_path: Path) -> None:
    both = on(Host(tmp_path / "source", pryv=APP), Host(tmp_path / "dest"))

    _, dest = drive(preflight.app_can_be_fenced(PLAN), both)
    assert (dest.held, dest.observed["deployed"]) == (False, "no such app")


def test_the_same_app_is_told_from_another(tmp_path: Path) -> None:
    source = Host(tmp_path / "source", pryv=APP)
    elsewhere = [{**MOUNTED[0], "host_path": "/srv/pryv"}]
    secret = {**STOPPED["variables"], "auth__adminAccessKey": "another"}
    found = {}
    changes: dict[str, dict[str, Any]] = {
        "same": {},
        "image": {"image": "pryvio/open-pryv.io:2.0.1"},
        "mounts": {"mounts": elsewhere},
        "variables": {"variables": secret},
    }
    for name, change in changes.items():
        dest = Host(tmp_path / name, pryv={**STOPPED, **change})
        checks = drive(preflight.same_app(PLAN), on(source, dest))
        found[name] = [check.held for check in checks]
        assert "a-secret" not in str(checks)

    assert found == {
        "same": [True] * 3,
        "image": [False, True, True],
        "mounts": [True, False, True],
        "variables": [True, True, False],
    }


def test_an_app_of_dokku_is_installed_by_somebody() -> None:
    with pytest.raises(PlanError, match=r"dest.install: must be none for `deploy: dokku`"):
        plan(core=CORE)
