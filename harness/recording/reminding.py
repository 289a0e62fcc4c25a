"""Says of a deed that lasts that it is still being done, so that an operator who waits does not wonder."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

AFTER_S = (10.0, 30.0, 60.0)
THEN_EVERY_S = 60.0


@dataclass
class Reminders:
    """Calls `remind(deed, seconds)` for each deed that is being done: after 10, 30 and 60 seconds, then each minute.

    `remind` is called from threads of its own; they end with the deed, and with the program.
    """

    remind: Callable[[str, float], None]
    after_s: tuple[float, ...] = AFTER_S
    _timers: dict[str, threading.Timer] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, identity: str, deed: str) -> None:
        """Begin to count the seconds of a deed."""
        with self._guard:
            self._wait(identity, deed, 0, 0.0)

    def end(self, identity: str) -> None:
        """Stop: the deed has ended."""
        with self._guard:
            timer = self._timers.pop(identity, None)
        if timer:
            timer.cancel()

    def end_all(self) -> None:
        """Stop for every deed: nobody waits any more."""
        for identity in list(self._timers):
            self.end(identity)

    @property
    def waiting(self) -> tuple[str, ...]:
        """The deeds that are being waited for, by their ids."""
        return tuple(self._timers)

    def _wait(self, identity: str, deed: str, step: int, passed: float) -> None:
        until = self.after_s[step] if step < len(self.after_s) else passed + THEN_EVERY_S
        timer = threading.Timer(until - passed, self._due, (identity, deed, step + 1, until))
        timer.daemon = True
        self._timers[identity] = timer
        timer.start()

    def _due(self, identity: str, deed: str, step: int, passed: float) -> None:
        with self._guard:  # a deed that ended meanwhile is neither said nor waited for again
            if identity not in self._timers:
                return
            self._wait(identity, deed, step, passed)
        self.remind(deed, passed)
