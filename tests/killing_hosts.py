"""A pytest plugin that kills somebody at one point of a run: the harness (SIGKILL), or a host (its power is cut, and comes back).

The point is KILL_PHASE (a feature's number), KILL_NTH (which of its intents in this typing, counted from 0; of a phase that does
nothing, which of its scenarios) and KILL_MOMENT: before the deed, a moment into it (middle), or once its result is written (after).
KILL_WHOM is the name of a host's container, or nothing for the harness. What was struck is written to the file KILL_STRUCK first.
"""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

from fixtures.containers import engine
from tests.listening import to_every_journal

MIDDLE_S = 0.02
PHASE, NTH, MOMENT = int(os.environ["KILL_PHASE"]), int(os.environ["KILL_NTH"]), os.environ["KILL_MOMENT"]
OF_SCENARIOS = os.environ.get("KILL_OF", "intents") == "scenarios"
state: dict[str, Any] = {"phase": 0, "met": -1, "struck": False, "id": None}


def _strike(line: dict[str, Any]) -> None:
    """Kill, once; a host's power comes back at once, and what was opened to it is gone."""
    if state["struck"]:
        return
    state["struck"] = True
    where = f"{line.get('scenario', '')}: {line.get('deed', '')}".removesuffix(": ")
    Path(os.environ["KILL_STRUCK"]).write_text(where, encoding="utf-8")
    whom = os.environ.get("KILL_WHOM")
    if not whom:
        os.kill(os.getpid(), signal.SIGKILL)
    container = engine.demand().api.containers.get(whom)
    container.kill()
    container.start()


def _listen(line: dict[str, Any]) -> None:
    if line["kind"] == "feature":
        digits = line["file"][:2]
        state["phase"], state["met"] = int(digits) if digits.isdigit() else 0, -1
    elif line["kind"] == ("scenario" if OF_SCENARIOS else "intent") and line.get("status", "begun") == "begun":
        _meet(line)
    elif line["kind"] == "deed" and line["id"] == state["id"]:
        _strike(line)


def _meet(line: dict[str, Any]) -> None:
    state["met"] += 1
    if (state["phase"], state["met"]) != (PHASE, NTH):
        return
    if MOMENT == "middle":
        threading.Timer(MIDDLE_S, _strike, (line,)).start()
    elif MOMENT == "before" or OF_SCENARIOS:
        _strike(line)
    else:
        state["id"] = line["id"]


def pytest_configure() -> None:
    """Listen to every journal that is opened."""
    to_every_journal(_listen)
