"""Listens to every journal that a rehearsal opens, for those who strike at one of its lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.journal import Line


def to_every_journal(listen: Callable[[Line], None]) -> None:
    """Have a listener hear the lines of each journal from its opening on."""
    opened = Journal.open

    def opening(journal: Journal) -> None:
        opened(journal)
        journal.listeners.append(listen)

    Journal.open = opening  # type: ignore[method-assign, assignment]
