"""A pytest plugin that kills the harness (SIGKILL) at one point of a run: environment KILL_AT=n, counted from 0.

The points, in the order in which a run comes to them: when a scenario begins; when an intent is written and its deed is not begun;
when a deed has been at work for some milliseconds; when a deed is done and its line is written. KILL_AT=-1 kills nowhere and
writes how many points there are to the file KILL_COUNT. KILL_AFTER=scenario kills once the first deed of that scenario is
written, or with KILL_AFTER_DEEDS=n the nth.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

from tests.listening import to_every_journal

MIDDLE_S = 0.02
AT = int(os.environ.get("KILL_AT", "-1"))
AFTER = os.environ.get("KILL_AFTER", "")
AFTER_DEEDS = int(os.environ.get("KILL_AFTER_DEEDS", "1"))
state = {"points": 0, "deeds": 0}


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _point(*, later: bool = False) -> None:
    """Pass a point: die there, or a moment later, in the middle of what comes."""
    if state["points"] == AT:
        if later:
            threading.Timer(MIDDLE_S, _die).start()
        else:
            _die()
    state["points"] += 1


def _listen(line: dict[str, Any]) -> None:
    if line["kind"] == "scenario" and line["status"] == "begun":
        _point()
    elif line["kind"] == "intent":
        _point()
        _point(later=True)
    elif line["kind"] == "deed":
        state["deeds"] += line["scenario"] == AFTER
        if AFTER and state["deeds"] == AFTER_DEEDS:
            _die()
        _point()


def pytest_configure() -> None:
    """Listen to every journal that is opened."""
    to_every_journal(_listen)


def pytest_unconfigure() -> None:
    """Say how many points there were."""
    if "KILL_COUNT" in os.environ:
        Path(os.environ["KILL_COUNT"]).write_text(str(state["points"]), encoding="utf-8")
