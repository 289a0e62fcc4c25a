"""The core's config: read with its real precedence, edited only where the plan says."""

from __future__ import annotations

from typing import Any

import pytest

from harness.check import Outcome
from harness.configuration import ConfigError, differs_only_as_planned, edited, effective, is_secret, secrets_are_equal
from harness.deed import Ask, Command, CommandResult, Learn, Reading, Role
from harness.files import DataRoot, data_roots
from harness.run.driving import drive
from tests.plans import CONFIG, plan

OVERRIDE = "/opt/pryv/app/config/override-config.yml"


def read(reading: Reading[Any], files: dict[str, str]) -> Any:  # noqa: ANN401 - what the reading returns
    """Drive a reading against a host that has these files."""

    def one(asked: object) -> object:
        if isinstance(asked, tuple):
            return [one(part) for part in asked]
        if isinstance(asked, Learn):
            return None
        assert isinstance(asked, Ask)
        assert isinstance(asked.of, Command)
        verb, *words = asked.of.argv
        out = "\n".join(files) if verb == "find" else files[words[0]]
        return CommandResult(asked.of, 0, out.encode(), b"", 0.0)

    return drive(reading, one)


def test_the_config_file_wins_over_the_defaults_and_the_override_over_both() -> None:
    files = {OVERRIDE: "http: {port: 9000}\n", "/etc/pryv/override.yml": CONFIG + "http: {ip: 10.0.0.1, port: 3001}\n"}

    config = read(effective(plan(), Role.SOURCE), files)

    assert (config["http.port"], config["http.ip"], config["http.hfsPort"]) == (9000, "10.0.0.1", 4000)
    assert config.files == (OVERRIDE, "/etc/pryv/override.yml")


def test_no_config_file_is_none_and_several_are_refused() -> None:
    assert read(effective(plan(), Role.DEST), {}) is None
    with pytest.raises(ConfigError, match="several config files"):
        read(effective(plan(), Role.SOURCE), {"/etc/pryv/a.yml": "a: 1", "/etc/pryv/b.yml": "b: 1"})


def test_a_missing_key_names_the_files_that_were_read() -> None:
    config = read(effective(plan(), Role.SOURCE), {"/etc/pryv/override.yml": CONFIG})

    with pytest.raises(ConfigError, match=r"no mail\.host \(read: /etc/pryv/override\.yml\)"):
        config["mail.host"]


def test_an_edit_keeps_comments_and_everything_else() -> None:
    text = edited(CONFIG, {"core.ip": "203.0.113.20", "new.key": 1})

    assert text.startswith("# the core's own config\n")
    assert "core: {id: single, ip: 203.0.113.20}" in text
    assert "new:\n  key: 1" in text


def compare(dest: str) -> Any:  # noqa: ANN401 - a Check
    source = read(effective(plan(), Role.SOURCE), {"/etc/pryv/override.yml": CONFIG})
    return read(differs_only_as_planned(plan(), source), {"/etc/pryv/override.yml": dest})


def test_exactly_the_planned_changes_hold() -> None:
    assert compare(edited(CONFIG, {"core.ip": "203.0.113.20"})).outcome is Outcome.HELD


@pytest.mark.parametrize(
    "changes",
    [{}, {"core.ip": "203.0.113.99"}, {"core.ip": "203.0.113.20", "core.id": "other"}, {"core.ip": "203.0.113.20", "extra": 1}],
)
def test_a_missing_a_wrong_and_another_change_are_red(changes: dict[str, object]) -> None:
    assert compare(edited(CONFIG, changes)).outcome is Outcome.NOT_HELD


def test_a_secret_that_differs_is_told_without_its_value() -> None:
    check = compare(edited(CONFIG, {"core.ip": "203.0.113.20", "auth.adminAccessKey": "another-key-of-thirty-two-chars"}))

    assert check.observed["auth.adminAccessKey"] == "(a secret)"


def test_secrets_are_compared_by_keyed_digests() -> None:
    source = read(effective(plan(), Role.SOURCE), {"/etc/pryv/override.yml": CONFIG})

    def outcome(text: str) -> Outcome:
        found: Outcome = read(secrets_are_equal(plan(), source, b"k"), {"/etc/pryv/override.yml": text}).outcome
        return found

    assert outcome(CONFIG) is Outcome.HELD
    assert outcome(CONFIG.replace("secret-password", "other-password")) is Outcome.NOT_HELD


def test_secrets_are_known_by_the_last_word_of_their_key() -> None:
    keys = ("auth.adminAccessKey", "a.b.password", "platform.piiHmacKey", "http.port", "keys.count")

    assert [is_secret(key) for key in keys] == [True, True, True, False, False]


def test_data_roots_are_the_shared_folder_or_each_on_its_own() -> None:
    config = read(effective(plan(), Role.SOURCE), {"/etc/pryv/override.yml": CONFIG})
    apart = config.changed({"storages.engines.filesystem.previewsDirPath": "/var/cache/previews"})

    assert data_roots(config) == (DataRoot("/var/lib/pryv/data", ("/previews/*", "*-shm")),)
    assert [root.path for root in data_roots(apart)] == ["/var/lib/pryv/data/users", "/var/cache/previews"]
