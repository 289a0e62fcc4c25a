"""A pytest plugin: rehearsals whose core has its config elsewhere than in one file. CONFIG_IN says where.

environment   the password of its database, two secrets and its address are in its environment, a setting in its arguments
node_env      it is started without --config and reads the file of its NODE_ENV, in its own tree
override      beside its file it has an override file, which wins for one secret and for its address
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from fixtures.hosts import core
from fixtures.hosts.accounts import PRYV
from fixtures.hosts.product import APP

if TYPE_CHECKING:
    from fixtures.hosts.disks import Disk
    from fixtures.hosts.product import Product
    from fixtures.hosts.services import Service

SECRETS = core.new_secrets()
NODE_ENV_FILE = f"{APP}/config/production-config.yml"
OVERRIDE_FILE = f"{APP}/config/override-config.yml"
ARGUMENT = "--webhooks:maxRetries=7"
REAL_SERVICE, REAL_INSTALL = core.service, core.install


def _moved(address: str) -> dict[str, str]:
    """Return what stands elsewhere than in the file."""
    return {
        "storages__engines__postgresql__password": SECRETS.password,
        "auth__adminAccessKey": SECRETS.admin_key,
        "platform__piiHmacKey": SECRETS.pii_key,
        "http__ip": address,
    }


def service(product: Product, address: str, *, enabled: bool) -> Service:
    """Describe the core's service as the variant has it."""
    made = REAL_SERVICE(product, address, enabled=enabled)
    environment = dict(made.environment)
    match os.environ["CONFIG_IN"]:
        case "environment":
            return replace(made, argv=(*made.argv, ARGUMENT), environment=environment | _moved(address))
        case "node_env":
            return replace(made, argv=product.argv)
        case _:
            return made


def install(disk: Disk, product: Product, known: core.CoreSecrets, **where: Any) -> None:  # noqa: ANN401 - passed on
    """Lay the core, its config where the variant has it."""
    REAL_INSTALL(disk, product, known, **where)
    file = disk.at(core.OVERRIDE)
    text = file.read_text(encoding="utf-8")
    match os.environ["CONFIG_IN"]:
        case "environment":
            content = yaml.safe_load(text)
            content["http"].pop("ip")
            content["platform"].pop("piiHmacKey")
            content["auth"].pop("adminAccessKey")
            content["storages"]["engines"]["postgresql"]["password"] = "another-one-that-does-not-open"
            file.write_text(yaml.safe_dump(content), encoding="utf-8")
        case "node_env":
            disk.write(NODE_ENV_FILE, text, 0o600, PRYV)
            file.unlink()
        case "override":
            winning = {"http": {"ip": where["address"]}, "auth": {"filesReadTokenSecret": known.files_secret}}
            disk.write(OVERRIDE_FILE, yaml.safe_dump(winning), 0o600, PRYV)
            file.write_text(text.replace(known.files_secret, "overruled-by-the-override-file"), encoding="utf-8")


def pytest_configure() -> None:
    """Make hosts with the variant's core from now on."""
    core.new_secrets = lambda: SECRETS
    core.service = service
    core.install = install
