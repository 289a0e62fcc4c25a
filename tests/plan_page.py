"""Every field of the plan for docs/plan.md: what it must be, what holds without it, an example. Written from the plan's model.

`python -m tests.plan_page` writes the page's part anew; a test compares them, and tries each example by the schema.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.plan import schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PAGE = Path(__file__).parents[1] / "docs" / "plan.md"
BEGIN, END = "<!-- written by `python -m tests.plan_page`: from here -->", "<!-- to here -->"
ARGV = ["host-init", "stop", "core"]
# By part of the model and field; a part that is a mapping of its own needs none.
EXAMPLES: Mapping[str, Mapping[str, Any]] = {
    "Plan": {"planned_changes": {"core.ip": "203.0.113.20"}, "transfer": "preseed", "tls_ca_file": "/etc/ssl/own-authority.pem"},
    "Change": {
        "id": "CHG0031337",
        "title": "Move core-a to Geneva-2",
        "operator": "Name of the operator",
        "approver": "Name of the approver",
        "expected_downtime_s": 900,
    },
    "Window": {"start": "2026-12-01T22:00:00+01:00", "end": "2026-12-02T02:00:00+01:00"},
    "CorePart": {
        "public_url": "https://core.example.com",
        "deploy": "systemd",
        "user": "pryv",
        "app_path": "/opt/pryv/app",
        "config_paths": ["/etc/pryv/"],
    },
    "CommandControl": {
        **{
            verb: ["/usr/local/sbin/core", verb]
            for verb in ("start", "stop", "status", "logs", "enable", "fence", "unfence", "disable")
        }
    },
    "DockerControl": {"container": "pryvio_open_pryv_io"},
    "SystemdControl": {"unit": "pryv-core"},
    "DokkuControl": {"app": "pryv"},
    "SourcePart": {"address": "203.0.113.10", "address6": "2001:db8::10"},
    "DestPart": {"address": "203.0.113.20", "address6": "2001:db8::20", "install": "copy-tree"},
    "SshPart": {
        "host": "core-a.example.com",
        "port": 2222,
        "user": "ops",
        "identity_file": "/home/ops/.ssh/id_ed25519",
        "known_hosts": "/home/ops/.ssh/known_hosts",
        "config_file": "/home/ops/move/ssh_config",
        "become": "sudo",
    },
    "JumpPart": {"host": "bastion.example.com", "port": 2222, "user": "ops", "identity_file": "/home/ops/.ssh/bastion"},
    "ProxyPart": {
        "stop": ["systemctl", "stop", "nginx"],
        "disable": ["systemctl", "disable", "nginx"],
        "status": ["systemctl", "is-enabled", "nginx"],
        "access_logs": ["/var/log/nginx/core.log.1", "/var/log/nginx/core.log"],
    },
    "DoorPart": {verb: ["/usr/local/sbin/pryv-door", verb] for verb in ("close", "open", "status")},
    "GitPart": {"url": "https://git.example.com/open-pryv.io.git", "build": [["just", "setup-dev-env"], ["just", "install"]]},
    "PostgresAdmin": {"system_user": "postgres", "programs": "/usr/lib/postgresql/16/bin"},
    "CutoverPart": {"strategy": "dns", "drain_s": 86400.0},
    "NameServer": {"address": "203.0.113.53", "port": 53},
    "Rfc2136Part": {"provider": "rfc2136", "zone": "example.com", "names": ["core.example.com"], "ttl": 60, "within_s": 30.0},
    "TsigKey": {"name": "pryv-move", "algorithm": "hmac-sha256"},
    "CommandPart": {"provider": "command", "names": ["core.example.com"], "ttl": 60, "within_s": 300.0},
    "DnsCommand": {"argv": ["/usr/local/bin/set-dns", "--quiet"], "timeout_s": 60.0},
    "ManualPart": {"provider": "manual", "names": ["core.example.com", "*.example.com"], "ttl": 60, "within_s": 900.0},
    "ForwardPart": {
        "config_file": "/etc/nginx/sites-enabled/pryv.conf",
        "ca_file": "/etc/ssl/certs/ca-certificates.crt",
        "trust_file": "/etc/nginx/conf.d/pryv-migration.conf",
        "dest_access_logs": ["/var/log/nginx/access.log"],
        "show": ["nginx", "-T"],
        "test": ["nginx", "-t"],
        "reload": ["nginx", "-s", "reload"],
    },
    "SendingPart": {"key": "rsa-4096", "address": "10.0.0.20", "port": 2222, "seen_as": ["10.0.0.10"]},
    "BackupPart": {"file": "/home/ops/move/backup-done", "max_age_h": 24.0},
    "VerificationPart": {
        "username": "verify01",
        "email": "verify01@example.com",
        "app_id": "pryv-verify",
        "origin": "https://core.example.com",
        "keep": False,
    },
    "SecretReference": {"env": "VERIFICATION_PASSWORD", "file": "~/move/password"},
}


def reference(field: Mapping[str, Any]) -> list[str]:
    """Return the parts that a field is made of: itself, the items of its list, one of several."""
    inner = [field, *field.get("anyOf", ()), *field.get("oneOf", ()), *([field["items"]] if "items" in field else ())]
    return [one["$ref"].rsplit("/", 1)[1] for one in inner if "$ref" in one]


def parts(whole: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield each part of a plan where it first stands, as (path, name in the model, definition)."""
    waiting, seen = [("", "Plan", whole)], set()
    while waiting:
        path, name, definition = waiting.pop(0)
        if name in seen:
            continue
        seen.add(name)
        yield path, name, definition
        below = []
        for key, field in definition["properties"].items():
            for one in reference(field):
                of = f" ({one_of(whole['$defs'][one])})" if "oneOf" in field else ""
                below.append((f"{path}.{key}".lstrip(".") + of, one, whole["$defs"][one]))
        waiting = [*below, *waiting]


def one_of(definition: Mapping[str, Any]) -> str:
    """Return which of several parts it is."""
    return f"provider: {definition['properties']['provider']['const']}"


def must_be(field: Mapping[str, Any]) -> str:
    """Return in words what a field must be."""
    plain = (
        next((one for one in field.get("anyOf", ()) if one != {"type": "null"}), field) if field.get("type") != "string" else field
    )
    if reference(plain):
        return "a list of parts" if "items" in plain else "a part of its own, below"
    if "items" in plain:
        return f"a list: {must_be(plain['items'])}"
    if "enum" in plain or "const" in plain:
        return " or ".join(f"`{one}`" for one in plain.get("enum", [plain.get("const")]))
    if "description" in plain:
        return str(plain["description"])
    formats = [plain.get("format"), *(one.get("format") for one in plain.get("anyOf", ()))]
    if any(formats):
        return "an IPv6 address" if formats == ["ipv6"] else "an IP address"
    kinds = {
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
        "object": "a mapping of config keys to values",
    }
    kind = kinds.get(plain.get("type", ""), "a date, a time and a time zone" if "pattern" in plain else "a text")
    least = (
        f" from {plain['minimum']}"
        if "minimum" in plain
        else f" above {plain['exclusiveMinimum']}"
        if "exclusiveMinimum" in plain
        else ""
    )
    return kind + least + (f" to {plain['maximum']}" if "maximum" in plain else "")


def shown(value: Any) -> str:  # noqa: ANN401 - any JSON
    """Return a value as it may stand in the plan, in a table's cell."""
    return f"`{json.dumps(value, ensure_ascii=False)}`".replace("|", "\\|")


def rows(name: str, definition: Mapping[str, Any]) -> Iterator[str]:
    """Yield a row for each field of a part."""
    for key, field in definition["properties"].items():
        needed, default = key in definition.get("required", ()), field.get("default")
        without = "it is needed" if needed else "" if default is None or reference(field) else shown(default)
        example = EXAMPLES.get(name, {}).get(key)
        yield f"| `{key}` | {must_be(field)} | {without} | {'' if example is None else shown(example)} |"


def text() -> str:
    """Return the page's part."""
    lines = []
    for path, name, definition in parts(whole := schema()):
        told = definition.get("description", "").replace("\n\n", "\n").strip() if path else whole.get("description", "")
        lines += [f"### `{path}`" if path else "### The whole plan", "", told, ""]
        lines += ["| field | must be | without it | example |", "|---|---|---|---|", *rows(name, definition), ""]
    return "\n".join(lines)


def page(whole: str) -> str:
    """Return the page with the part that is written by this program."""
    before, _, rest = whole.partition(BEGIN)
    return f"{before}{BEGIN}\n\n{text()}\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
