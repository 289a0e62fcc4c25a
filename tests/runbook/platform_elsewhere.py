"""A pytest plugin: rehearsals whose core keeps its platform and its certificates outside the folder of its users' data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fixtures.hosts import core
from fixtures.hosts.accounts import PRYV
from fixtures.hosts.product import DATA

if TYPE_CHECKING:
    from fixtures.hosts.disks import Disk
    from fixtures.hosts.product import Product

PLATFORM = "/srv/pryv/platform"
TLS = "/srv/pryv/tls"
KEY = f"{TLS}/core.test/privkey.pem"
REAL_INSTALL = core.install


def install(disk: Disk, product: Product, known: core.CoreSecrets, **where: Any) -> None:  # noqa: ANN401 - passed on
    """Lay the core, what it keeps elsewhere too: certificates that are root's, and a folder for its platform."""
    REAL_INSTALL(disk, product, known, **where)
    file = disk.at(core.OVERRIDE)
    text = file.read_text(encoding="utf-8").replace(f"{DATA}/rqlite-data", PLATFORM)
    file.write_text(f"{text}letsEncrypt: {{enabled: true, tlsDir: {TLS}}}\n", encoding="utf-8")
    disk.folder("/srv/pryv", 0o755)
    disk.folder(PLATFORM, 0o700, PRYV)
    disk.folder(TLS, 0o711)
    disk.write(KEY, "a private key\n", 0o600)


def pytest_configure() -> None:
    """Make hosts with such a core from now on."""
    core.install = install
