"""Why a config key matters: what breaks when it differs on the dest. Observed on the real core, or read in its source."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# What names the core, its users and what they hold: compared by name, one by one. Longer keys are asked first.
IDENTITY: Mapping[str, str] = {
    "core.id": "the platform then lists two cores, and users are counted, or looked for, on one that is gone",
    "dnsLess.publicUrl": "clients are sent to another address than the one they know",
    "dnsLess.isActive": "the core answers by host names instead of by paths",
    "dns.domain": "the core answers under other names",
    "auth.adminAccessKey": "administration answers 404, which is misread as a missing route",
    "auth.filesReadTokenSecret": "every link to an attachment that was shared before is refused, while new ones work",
    "auth.ssoCookieSignSecret": "users of a browser are signed out",
    "auth.trustedApps": "apps that users sign in with are refused",
    "platform.piiMode": "e-mail addresses are looked for in another form: known ones look free",
    "platform.piiHmacKey": "e-mail addresses are no longer unique and nobody is told",
    "platform.piiAlgorithm": "e-mail addresses are no longer unique and nobody is told",
    "letsEncrypt.atRestKey": "certificates cannot be renewed, which shows weeks later, when the last one ends",
    "custom.systemStreams": "account fields vanish or are misread, and what users write to them is corrupted",
    "custom.dataStores": "what users keep in another store is gone",
    "customExtensions": "the custom sign-in step is left out without a word",
    "integrity.isActive": "what was altered is no longer found",
    "integrity.algorithm": "every event and access looks altered",
    "invitationTokens": "who may register changes",
    "versioning": "what users deleted or changed is kept, or forgotten, otherwise than they were told",
    "user-account.delete": "others than before may delete an account",
    "service.serial": "clients take the dest for another service",
    "service.eventTypes": "types of events are unknown, and series stop where they cannot be read",
    "service": "clients take the dest for another service",
}
MEANING: Mapping[str, str] = {
    **IDENTITY,
    "storages.base": "the core starts on an empty database and looks healthy",
    "storages.platform": "the core starts on an empty platform and looks healthy",
    "storages.series": "series are looked for where they are not",
    "storages.file": "attachments are looked for where they are not",
    "storages.audit": "the history of accesses starts again, empty",
    "storages.engines.postgresql.host": "the dest writes into another host's database, and nobody notices",
    "storages.engines.postgresql.password": "the core cannot sign in to its database",
    "storages.engines": "the core looks for its data where they are not",
    "http.ip": "the core binds an address that this host has not, and its workers crash in a loop",
    "http.ssl": "the public name is answered without its certificate, or not at all",
    "http": "nothing answers where users' requests are led to",
    "core.ip": "the platform publishes another address; on a single core it opens the platform's database to the network",
    "core.url": "clients and other cores are sent to another address",
    "auth": "who may sign in, and for how long, changes",
    "services.email": "users get no mail, or from another sender",
    "services.mfa": "users cannot sign in with their second factor",
    "sso": "users cannot sign in by another provider",
    "letsEncrypt": "certificates are renewed twice, or by nobody",
    "cluster": "the core joins its platform otherwise, or not at all",
    "uploads": "uploads that were accepted are refused",
    "audit": "accesses are recorded otherwise, or not at all",
    "webhooks": "those who are to be told of changes are told otherwise, or not at all",
}
OTHERWISE = "a key that differs by accident changes who the core is or where its data are"


def why(key: str) -> str:
    """Return what breaks when a dotted key differs."""
    parts = key.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((MEANING[name] for name in names if name in MEANING), OTHERWISE)


def whys(keys: Iterable[str]) -> str:
    """Return "key: what breaks" for each of some keys; the general reason where there are none."""
    return "; ".join(f"{key}: {why(key)}" for key in keys) or OTHERWISE


def names_the_core(key: str) -> bool:
    """Whether a key belongs to what names the core, its users and what they hold."""
    return any(key == name or key.startswith(f"{name}.") for name in IDENTITY)
