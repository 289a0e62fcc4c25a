"""The plan: all problems at once, each with its path; secrets are references."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.deed import Role
from harness.errors import PlanError
from harness.plan import SecretReference, load, parse
from tests.plans import CONTENT, plan


def problems(content: Any) -> list[str]:  # noqa: ANN401 - any YAML content
    with pytest.raises(PlanError) as error:
        parse(yaml.safe_dump(content).encode())
    return list(error.value.problems)


def changed(path: str, value: object) -> dict[str, Any]:
    content = copy.deepcopy(CONTENT)
    *parents, last = path.split(".")
    at = content
    for parent in parents:
        at = at[parent]
    at[last] = value
    return content


def test_a_whole_plan_is_read() -> None:
    read = plan()

    assert read.core.public_name == "core.example.com"
    assert read.core.public_port == 443
    assert str(read.host(Role.DEST).address) == "203.0.113.20"
    assert read.run_folder == "/var/lib/pryv-migration/CHG0031337"


def test_every_problem_is_told_with_its_path() -> None:
    content = changed("source.ssh.port", 99999)
    content["core"]["public_url"] = "http://core.example.com"
    del content["backup"]["file"]
    content["surprise"] = 1

    found = problems(content)

    assert [problem.split(":")[0] for problem in found] == ["core.public_url", "source.ssh.port", "backup.file", "surprise"]


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="cannot be read"):
        load(tmp_path / "none.yml")


def test_secrets_are_read_from_environment_and_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOVE_KEY", "from the environment")
    file = tmp_path / "secret"
    file.write_text("from a file\n")

    assert SecretReference(env="MOVE_KEY").read().value == "from the environment"
    assert SecretReference(file=str(file)).read().value == "from a file"
    assert "environment" not in repr(SecretReference(env="MOVE_KEY").read())


def test_a_missing_secret_is_named() -> None:
    with pytest.raises(PlanError, match="NOT_SET_ANYWHERE is not set"):
        SecretReference(env="NOT_SET_ANYWHERE").read()


def test_the_part_that_the_kind_of_deploy_names_is_needed() -> None:
    content = changed("core.deploy", "command")
    del content["core"]["command"]

    assert problems(content) == ["core.command: is needed for `deploy: command` (line 10)"]
