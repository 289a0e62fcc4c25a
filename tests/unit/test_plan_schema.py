"""The JSON Schema that editors use: up to date, and of one mind with the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.hosts import sample
from fixtures.hosts.keys import Keys
from fixtures.hosts.product import STAND_IN
from fixtures.hosts.records import Record
from harness.plan import schema
from tests.plans import CONTENT
from tests.schemas import faults
from tests.unit.test_plan import changed, problems

SHIPPED = Path(__file__).parents[2] / "docs/plan.schema.json"
COMMAND = {
    "provider": "command",
    "servers": [{"address": "203.0.113.53"}],
    "ttl": 60,
    "command": {"argv": ["/usr/local/bin/set-dns"]},
}
MANUAL = {"provider": "manual", "servers": [{"address": "203.0.113.53"}], "ttl": 60, "names": ["core.example.com", "*.example.com"]}


def found(content: Any) -> list[str]:  # noqa: ANN401 - any JSON
    whole = schema()
    return list(faults(content, whole, whole))


def test_the_shipped_schema_is_the_models() -> None:
    assert SHIPPED.read_text(encoding="utf-8") == json.dumps(schema(), indent=2, ensure_ascii=False) + "\n", (
        "write it anew: python -c 'import json; from harness.plan import schema; "
        "print(json.dumps(schema(), indent=2, ensure_ascii=False))' > docs/plan.schema.json"
    )


def test_the_plan_of_a_rehearsal_is_valid_by_the_schema(tmp_path: Path) -> None:
    record = Record("abcdef", "", "", "127.1.1", 10001, 10002, 10003, 10004, 10005)
    content = yaml.safe_load(yaml.safe_dump(sample.plan(record, Keys(tmp_path), tmp_path / "backup", STAND_IN)))

    assert found(content) == []


@pytest.mark.parametrize("part", [CONTENT["cutover"]["dns"], COMMAND, MANUAL])
def test_each_dns_provider_is_valid_by_the_schema(part: dict[str, Any]) -> None:
    assert found(changed("cutover.dns", part)) == []
    assert found(changed("cutover.dns", {**part, "provider": "other"})) != []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("surprise", 1),
        ("change", None),
        ("change.id", "../etc"),
        ("source.ssh.port", "22"),
        ("source.ssh.port", 70000),
        ("source.ssh.host", "-oProxyCommand=x"),
        ("core.config_paths", []),
        ("core.app_path", "/opt/../etc"),
        ("cutover.dns.names", ["*.*.example.com"]),
        ("cutover.dns.key.secret.value", "in the open"),
        ("planned_changes", {"a b": 1}),
        ("planned_changes", {"a.b": {"c": 1}}),
        ("change.window", {"start": "2026-12-01", "end": "2026-12-02"}),
    ],
)
def test_what_the_model_refuses_by_form_the_schema_refuses_too(path: str, value: object) -> None:
    content = changed(path, value)

    assert problems(content)
    assert found(content) != []


def test_the_schema_tells_editors_what_each_text_must_be() -> None:
    whole = schema()

    assert whole["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert whole["required"] == ["change", "core", "source", "dest", "planned_changes", "cutover", "backup", "verification_user"]
    assert whole["additionalProperties"] is False
    assert whole["$defs"]["SshPart"]["properties"]["host"]["description"] == "a host name or an address"
    assert "NAME TYPE TTL [ADDRESS…]" in whole["$defs"]["DnsCommand"]["description"]
