"""What must be known before anything is touched, and before the core is installed on the dest. Each look says what to do."""

from __future__ import annotations

from harness.preflight.data import backup_is_fresh, core_is_v2, nothing_overwritten, source_found
from harness.preflight.dest import attributes_are_kept, certificate, locale_is_there, room
from harness.preflight.dokku import app_can_be_fenced, same_app
from harness.preflight.git_clone import can_be_cloned
from harness.preflight.hosts import (
    all_keys_are_pinned,
    clocks_agree,
    keys_are_pinned,
    postgresql_fits,
    runs_the_core,
    tools_are_there,
    versions_are_new_enough,
)
from harness.preflight.images import mounts_are_carried, nothing_alone
from harness.preflight.installing import install, same_version
from harness.preflight.units import (
    both_units,
    forget_unit,
    install_unit,
    nothing_else_starts_it,
    unit_can_be_moved,
    unit_is_forgotten,
    unit_is_the_same,
    users_of_unit_are_known,
)

__all__ = [
    "all_keys_are_pinned",
    "app_can_be_fenced",
    "attributes_are_kept",
    "backup_is_fresh",
    "both_units",
    "can_be_cloned",
    "certificate",
    "clocks_agree",
    "core_is_v2",
    "forget_unit",
    "install",
    "install_unit",
    "keys_are_pinned",
    "locale_is_there",
    "mounts_are_carried",
    "nothing_alone",
    "nothing_else_starts_it",
    "nothing_overwritten",
    "postgresql_fits",
    "room",
    "runs_the_core",
    "same_app",
    "same_version",
    "source_found",
    "tools_are_there",
    "unit_can_be_moved",
    "unit_is_forgotten",
    "unit_is_the_same",
    "users_of_unit_are_known",
    "versions_are_new_enough",
]
