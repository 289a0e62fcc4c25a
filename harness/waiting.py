"""The only module that sleeps."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

from harness.errors import TimedOut

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
LONGEST_PAUSE_S = 0.5


def until(
    ask: Callable[[], T | None],
    *,
    within_s: float,
    every_s: float = 0.05,
    message: Callable[[], str],
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Ask until the answer is not None, with pauses that grow to half a second.

    Raises TimedOut with `message()` once `within_s` seconds have passed.
    """
    deadline = clock() + within_s
    pause = every_s
    while True:
        answer = ask()
        if answer is not None:
            return answer
        if clock() >= deadline:
            raise TimedOut(f"{message()} (waited {within_s:g} s)")
        sleep(min(pause, max(0.0, deadline - clock())))
        pause = min(pause * 1.5, LONGEST_PAUSE_S)
