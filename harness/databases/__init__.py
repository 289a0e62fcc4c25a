"""The engines of a core's databases: each has the same verbs. A new engine is one module, one entry here, one Examples row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from harness.databases import postgresql

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from harness.check import Check
    from harness.configuration import Config
    from harness.deed import Act, Measured, Reading
    from harness.plan import Plan


class Engine(Protocol):
    """What every engine can do. `epoch` counts the freezings of the source; a dump belongs to one."""

    NAME: str
    MEASURES: tuple[str, ...]
    """The names of what `measure` writes to the record, NAME first."""

    def used(self, config: Config) -> bool:
        """Whether the source's config uses this engine."""

    def prepare(self, plan: Plan, source: Config, dest: Config) -> Act:
        """Make an empty database on the dest that is the core's own, set up as on the source."""

    def empty_and_owned(self, plan: Plan, source: Config, dest: Config) -> Reading[list[Check]]:
        """Look whether the dest has that database, empty and set up as on the source."""

    def measure(self, plan: Plan, source: Config) -> Act:
        """Take the fingerprint of the source's database."""

    def dump(self, plan: Plan, source: Config, epoch: int) -> Act:
        """Write a dump on the source."""

    def dump_complete(self, plan: Plan, source: Config, epoch: int, measured: Measured | None) -> Reading[Check]:
        """Look whether the dump can be read to its end and holds everything that was measured."""

    def send(self, plan: Plan, source: Config, epoch: int) -> Act:
        """Send the dump to the dest."""

    def dump_arrived(self, plan: Plan, source: Config, epoch: int) -> Reading[list[Check]]:
        """Look whether the dump is the same on both hosts."""

    def has_room(self, plan: Plan, dest: Config) -> Generator[Any, Any, bool]:
        """Ask, as an act, whether the dest's database is there and holds no table: only then a restore is begun ahead."""

    def restore(self, plan: Plan, source: Config, dest: Config, epoch: int) -> Act:
        """Restore the dump into the empty database."""

    def arrived_unchanged(self, plan: Plan, dest: Config, measured: Mapping[str, Measured]) -> Reading[list[Check]]:
        """Look whether the dest holds what was measured at rest, by the names in MEASURES."""

    def owned(self, dest: Config) -> Reading[Check]:
        """Look, as the core itself, whether it may use everything in its database."""

    def gather_statistics(self, plan: Plan, dest: Config) -> Act:
        """Gather what the planner needs."""

    def has_statistics(self, dest: Config, measured: Measured | None) -> Reading[Check]:
        """Look whether every table with rows has statistics."""


ENGINES: Mapping[str, Engine] = {engine.NAME: engine for engine in (postgresql.PostgreSQL(),)}
