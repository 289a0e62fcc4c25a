"""A plan for tests that need one and reach no host."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from harness.plan import Plan, parse

CONTENT: dict[str, Any] = {
    "change": {
        "id": "CHG0031337",
        "title": "Move core-a to Geneva-2",
        "operator": "operator on duty",
        "approver": "change board",
        "expected_downtime_s": 900,
    },
    "core": {
        "public_url": "https://core.example.com",
        "deploy": "command",
        "command": {verb: ["core", verb] for verb in ("start", "stop", "status", "logs", "enable", "fence", "unfence")},
        "user": "pryv",
        "app_path": "/opt/pryv/app",
        "config_paths": ["/etc/pryv/"],
    },
    "source": {
        "ssh": {"host": "old.example.com", "port": 22, "user": "root", "known_hosts": "/tmp/known_hosts"},
        "address": "203.0.113.10",
    },
    "dest": {
        "ssh": {"host": "new.example.com", "port": 2222, "user": "root", "known_hosts": "/tmp/known_hosts"},
        "address": "203.0.113.20",
        "install": "copy-tree",
    },
    "planned_changes": {"core.ip": "203.0.113.20"},
    "cutover": {
        "strategy": "dns",
        "dns": {
            "provider": "rfc2136",
            "zone": "example.com",
            "servers": [{"address": "203.0.113.53"}, {"address": "203.0.113.54"}],
            "ttl": 60,
            "key": {"name": "move", "secret": {"env": "MOVE_KEY"}},
        },
    },
    "backup": {"file": "/tmp/backup", "max_age_h": 24},
    "verification_user": {
        "username": "verify01",
        "email": "verify01@example.com",
        "password": {"env": "VERIFY_PASSWORD"},
        "app_id": "pryv-verify",
        "origin": "https://core.example.com",
    },
}
CONFIG = """\
# the core's own config
auth: {adminAccessKey: admin-key-of-thirty-two-characters}
core: {id: single, ip: 203.0.113.10}
service: {serial: "2026112501"}
storages:
  platform: {engine: postgresql}
  engines:
    postgresql: {host: 127.0.0.1, database: pryv, user: pryv, password: secret-password}
    filesystem: {previewsDirPath: /var/lib/pryv/data/previews}
    sqlite: {path: /var/lib/pryv/data/users}
"""


def plan(**changes: Any) -> Plan:  # noqa: ANN401 - parts of a plan
    """Return the plan, some of its top-level parts replaced."""
    return parse(yaml.safe_dump({**copy.deepcopy(CONTENT), **changes}).encode(), str(Path("migration.yml")))
