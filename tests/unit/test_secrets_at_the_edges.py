"""Where secrets come in and what starts programs: config, plan, people, SQL as the core's role, ssh, HTTP."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest

from harness import configuration, people, probing
from harness.configuration import Config, ConfigError, comparing, edited, flat
from harness.core_api import attachment, send
from harness.deed import Ask, Command, CommandResult, Learn, Role, Secret
from harness.errors import DeedFailed, Unreachable
from harness.plan import SshPart
from harness.run.driving import drive
from harness.transport.ssh import Ssh, failure, secret_variables
from tests.plans import CONFIG, plan

VALUES: dict[str, Any] = {
    "auth": {"adminAccessKey": "admin-key", "trustedApps": "*@https://*"},
    "services": {
        "email": {"smtp": {"auth": {"user": "mailer", "pass": "mail-pass"}}, "url": "https://bot:url-password@mail.example"}
    },
    "hooks": [{"url": "https://a.example", "secret": "hook-secret"}, "plain"],
    "apiKeys": ["not by this name"],
    "storages": {
        "base": {"engine": "postgresql"},
        "engines": {
            "postgresql": {"host": "10.0.0.1", "port": 5432, "database": "pryv", "user": "pryv", "password": "pg:pass\\word"},
            "sqlite": {"path": "/var/lib/pryv/data/users/"},
            "filesystem": {"previewsDirPath": "/var/lib/pryv/data/previews"},
        },
    },
    "logs": {"file": {"path": "/var/log/pryv/core.log"}},
}
LOADED = Config(flat(VALUES), ("/etc/pryv/override.yml",))


def test_secrets_of_a_config_are_found_by_their_names_also_in_lists_and_urls() -> None:
    found = {secret.value for secret in LOADED.secrets()}

    assert found == {"admin-key", "mail-pass", "url-password", "hook-secret", "pg:pass\\word"}


def test_folders_of_users_are_those_of_the_storages() -> None:
    assert LOADED.user_folders() == ("/var/lib/pryv/data/previews", "/var/lib/pryv/data/users")


def test_reading_a_config_lets_its_secrets_and_folders_be_learnt() -> None:
    learnt: list[Learn] = []

    def perform(wanted: Any) -> Any:  # noqa: ANN401 - any observation
        if isinstance(wanted, Learn):
            learnt.append(wanted)
            return None
        if isinstance(wanted, Ask) and isinstance(wanted.of, Command) and "python3" in wanted.of.argv:
            return CommandResult(wanted.of, 0, b'{"running": [], "kept": null}', b"", 0.0)
        texts = [
            CommandResult(one.of, 0, CONFIG.encode(), b"", 0.0) for one in (wanted if isinstance(wanted, tuple) else (wanted,))
        ]
        return texts if isinstance(wanted, tuple) else CommandResult(wanted.of, 0, b"/etc/pryv/override.yml", b"", 0.0)

    drive(configuration.effective(plan(), Role.SOURCE), perform)

    *_, learn = learnt
    assert Secret("secret-password") in learn.secrets
    assert learn.below == ("/var/lib/pryv/data/previews", "/var/lib/pryv/data/users")
    assert "secret-password" not in repr(learnt)


@pytest.mark.parametrize("text", ["a: {password: one-secret, password: other-secret}", "a: [one-secret"])
def test_a_config_that_cannot_be_edited_is_told_without_its_text(text: str) -> None:
    with pytest.raises(ConfigError) as error:
        edited(text, {"core.ip": "10.0.0.2"})

    assert "secret" not in str(error.value)
    assert error.value.__suppress_context__


def test_a_difference_in_a_list_that_holds_a_secret_is_shown_without_it() -> None:
    assert comparing.shown("hooks", VALUES["hooks"]) == "(a secret)"
    assert comparing.shown("http.port", 3000) == 3000


def test_people_are_known_by_their_folders_and_by_sql_and_the_verification_user_is_ours() -> None:
    asked: list[Any] = []
    outs = iter([b"cuser1\ncuser2\n", b"cuser1\nalice-01\nalice@example.org\nverify01\nverify01@example.com\n"])

    def perform(wanted: Any) -> Any:  # noqa: ANN401 - any observation
        asked.append(wanted)
        return CommandResult(wanted.of, 0, next(outs), b"", 0.0) if not isinstance(wanted, Learn) else None

    found = drive(people.known_people(plan(), LOADED), perform)

    assert found == ("alice-01", "alice@example.org", "cuser1", "cuser2")
    folders, names, learnt = asked
    assert folders.of.argv[:3] == ("find", "-H", "/var/lib/pryv/data/users")
    assert (folders.of.private, names.of.private, b"users_index" in names.of.input) == (True, True, True)
    assert learnt == Learn(people=found, below=LOADED.user_folders())
    assert "alice" not in repr(learnt)


def test_people_that_cannot_be_read_are_an_error_and_never_nobody() -> None:
    def perform(wanted: Ask) -> CommandResult:
        raise DeedFailed(f"{wanted}: exit 2")

    with pytest.raises(DeedFailed):
        drive(people.known_people(plan(), LOADED), perform)


def test_the_password_of_the_cores_role_is_in_no_argv_and_in_no_environment(tmp_path: Path) -> None:
    act = probing.by_sql(plan(), LOADED, None)
    command = act.send([CommandResult(one, 0, b"1764100000", b"", 0.0) for one in next(act)])
    assert isinstance(command, Command)
    assert "pass\\word" not in str(command.argv)
    program = tmp_path / "psql"
    program.write_text('#!/bin/sh\ncat "$PGPASSFILE"; echo; stat -Lc %a "$PGPASSFILE"; echo "$0 $*"; env; ls "$FOLDER"\n')
    program.chmod(0o755)
    argv = [str(tmp_path) if word == plan().run_folder else word for word in command.argv]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "FOLDER": str(tmp_path)}

    told = subprocess.run(argv, input=command.input, capture_output=True, env=environment, check=True, timeout=30).stdout.decode()

    first, _, mode, *others = told.splitlines()
    assert (first, mode) == ("*:*:*:*:pg\\:pass\\\\word", "600")
    assert not [line for line in others if "\\word" in line or "pg:" in line]
    assert others[-1] == "psql", "the password's file is still there"


def test_ssh_does_not_get_the_variables_that_hold_the_plans_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert secret_variables(plan()) == {"VERIFY_PASSWORD", "MOVE_KEY"}
    program = tmp_path / "ssh"
    program.write_text("#!/bin/sh\nenv\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("VERIFY_PASSWORD", "hunter2hunter2")
    monkeypatch.setenv("OF_THE_OPERATORS_SSH_CONFIG", "kept")

    transport = Ssh("source", SshPart(host="old.example.com", known_hosts="/tmp/known"), secret_variables(plan()))
    told = transport.execute("true").out + b"".join(transport.stream("true"))
    transport.close()

    assert b"hunter2" not in told
    assert told.count(b"OF_THE_OPERATORS_SSH_CONFIG=kept") == 2


def test_what_ssh_passes_on_of_a_server_is_cleaned() -> None:
    error = failure("source", "running psql", b"ERROR:  duplicate key\nDETAIL:  Key (email)=(eve@example.org) exists.\n")

    assert str(error) == "source is unreachable while running psql: ERROR: duplicate key"


def test_a_link_that_cannot_be_asked_is_told_without_its_token() -> None:
    def dial() -> socket.socket:
        raise ConnectionRefusedError("GET /u/events/e/f?readToken=abc-def refused")

    with pytest.raises(Unreachable) as error:
        send(attachment("u", "e", "f", read="abc-def", via="public"), "https://core.example.com", None, dial)

    assert "abc-def" not in str(error.value)
    assert "readToken=•••" in error.value.cause
    assert error.value.__suppress_context__
