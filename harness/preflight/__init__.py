"""What must be known before anything is touched, and before the core is installed on the dest. Each look says what to do."""

from __future__ import annotations

from harness.preflight.data import backup_is_fresh, core_is_v2, nothing_overwritten, source_found
from harness.preflight.dest import attributes_are_kept, certificate, locale_is_there, room
from harness.preflight.hosts import (
    all_keys_are_pinned,
    clocks_agree,
    keys_are_pinned,
    postgresql_fits,
    runs_the_core,
    tools_are_there,
    versions_are_new_enough,
)
from harness.preflight.installing import install, same_version

__all__ = [
    "all_keys_are_pinned",
    "attributes_are_kept",
    "backup_is_fresh",
    "certificate",
    "clocks_agree",
    "core_is_v2",
    "install",
    "keys_are_pinned",
    "locale_is_there",
    "nothing_overwritten",
    "postgresql_fits",
    "room",
    "runs_the_core",
    "same_version",
    "source_found",
    "tools_are_there",
    "versions_are_new_enough",
]
