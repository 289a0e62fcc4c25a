"""Which config a core runs with: files, environment, arguments, and the override that wins over all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from .lifecycle import own_core, running

if TYPE_CHECKING:
    from pathlib import Path

    from .client import Client
    from .stage import Stage

pytestmark = own_core


def named(client: Client) -> tuple[str, str, str]:
    """Return what the core says of itself: name, serial, support."""
    told = client.ask("GET", "/reg/service/info").json()
    return told["name"], told["serial"], told["support"]


def override(stage: Stage) -> Path:
    """Return where the override lies."""
    return stage.app / "config/override-config.yml"


def test_the_environment_wins_over_the_file_and_arguments_over_both(stopped: Stage) -> None:
    env = {"service__name": "by the environment", "service__serial": "of the environment"}
    with running(stopped, "--service:name=by an argument", env=env) as client:
        support = stopped.config["service"]["support"]
        assert named(client) == ("by an argument", "of the environment", support)
        assert client.ask("GET", "/reg/service/info").json()["meta"]["serial"] == "of the environment"


def test_a_forgotten_override_wins_over_everything(stopped: Stage) -> None:
    override(stopped).write_text("service: {serial: forgotten, name: by the override}\n")
    try:
        with running(stopped, "--service:serial=asked-for", env={"service__name": "by the environment"}) as client:
            assert named(client) == ("by the override", "forgotten", stopped.config["service"]["support"])
    finally:
        override(stopped).unlink()


def test_the_file_of_the_environment_is_read_only_where_none_is_named(stopped: Stage) -> None:
    file = stopped.app / "config/staging-config.yml"
    file.write_text(yaml.safe_dump({"service": {"name": "by staging", "support": "of staging"}}))
    try:
        with running(stopped, env={"NODE_ENV": "staging"}) as client:
            assert named(client) == ("Test Pryv", "2026112201", stopped.config["service"]["support"])
        file.write_text(yaml.safe_dump(stopped.config | {"service": stopped.config["service"] | {"name": "by staging"}}))
        with running(stopped, env={"NODE_ENV": "staging"}, named=False) as client:
            assert named(client)[0] == "by staging"
    finally:
        file.unlink()


def test_the_file_may_be_named_by_the_environment(stopped: Stage) -> None:
    with running(stopped, env={"config": str(stopped.folder / "override.yml")}, named=False) as client:
        assert named(client)[0] == "Test Pryv"


@pytest.mark.parametrize(
    ("argv", "where"),
    [
        (("--auth:filesReadTokenSecret=",), "[auth:filesReadTokenSecret]"),
        (("--auth:passwordResetPageURL=", "--services:email:enabled:resetPassword=true"), "[auth:passwordResetPageURL]"),
        (("--service:serial=",), "[service]"),
        (("--dnsLess:isActive=false",), "[storages:platform:engine]"),
        (("--config", "/nowhere.yml"), "[auth:adminAccessKey]"),  # a file that is not there is passed over in silence
    ],
)
def test_what_is_missing_is_told_and_keeps_it_from_starting(stopped: Stage, argv: tuple[str, ...], where: str) -> None:
    told = stopped.refused(*argv)
    assert "[config-validation] Configuration is invalid — " in told
    assert f"[config-validation] Configuration is invalid at {where} " in told
    assert stopped.admin_key not in told


def test_a_leftover_placeholder_prints_the_secrets_around_it(stopped: Stage) -> None:
    auth = stopped.config["auth"]
    stopped.config["auth"] = auth | {"filesReadTokenSecret": "REPLACE ME"}
    try:
        told = stopped.refused()
    finally:
        stopped.config["auth"] = auth
    assert "[config-validation] Configuration is invalid at [auth:filesReadTokenSecret] field content should be replaced" in told
    assert stopped.admin_key in told
