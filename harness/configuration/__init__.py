"""The core's own config: read from its host as the core reads it, compared between hosts, changed only where the plan says.

`values` is what a config is, `texts` and `started` how files and a start are read, `sources` where a core's config comes from,
`changing` how it gets to the dest, `comparing` what is looked at there, `meaning` why each key matters.
"""

from __future__ import annotations

from harness.configuration.changing import Edit, edited, edits, transfer, written
from harness.configuration.comparing import (
    differs_only_as_planned,
    launched_as_the_source,
    named_files_arrived,
    named_keys_are_the_same,
    no_override_wins,
    only_the_core_reads,
    secrets_are_equal,
    start_is_known,
)
from harness.configuration.meaning import why
from harness.configuration.sources import effective, masters, of_source, override_path
from harness.configuration.values import SECRET, Config, ConfigError, Place, flat, is_secret, overlaid

__all__ = [
    "SECRET",
    "Config",
    "ConfigError",
    "Edit",
    "Place",
    "differs_only_as_planned",
    "edited",
    "edits",
    "effective",
    "flat",
    "is_secret",
    "launched_as_the_source",
    "masters",
    "named_files_arrived",
    "named_keys_are_the_same",
    "no_override_wins",
    "of_source",
    "only_the_core_reads",
    "overlaid",
    "override_path",
    "secrets_are_equal",
    "start_is_known",
    "transfer",
    "why",
    "written",
]
