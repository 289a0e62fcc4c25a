"""How long hosts take that are containers: until they are up, to be powered off and on, and a whole rehearsal on them."""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from fixtures.containers import engine, making
from fixtures.containers.deploys import DEPLOYS
from fixtures.containers.ground import BY_UNIT, Ground
from fixtures.containers.images import Builder
from fixtures.containers.world import PYTHON, World
from fixtures.hosts import records
from fixtures.hosts.product import STAND_IN
from tests.bench.rehearsals import rehearse
from tests.bench.telling import Section

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# What is aimed at, on two cores, the image being there.
MOST_UP_S, MOST_REHEARSAL_S = 5.0, 120.0
TITLE = "Hosts that are containers"


def _timed(act: Callable[[], object]) -> float:
    began = time.monotonic()
    act()
    return time.monotonic() - began


def raised(root: Path, images: Mapping[str, str]) -> dict[str, float]:
    """Make hosts without a core, power them off and on, end them; returns the seconds of each."""
    with records.choosing(root):
        folder, record = making.reserve(root, STAND_IN, "dns", BY_UNIT, "measured")
    product = replace(STAND_IN, python=PYTHON)
    worlds: list[World] = []

    def make() -> None:
        connected = making.connect(engine.demand(), folder, record)
        at = Ground(engine.demand(), folder, connected, product, making.make_keys(folder, connected))
        making.raise_hosts(at, images)
        worlds.append(World(at.engine, folder, connected, fresh=True))

    try:
        return {
            "hosts made, until all that is enabled answers": _timed(make),
            "hosts powered off": _timed(worlds[0].power_off),
            "hosts powered on, until they answer": _timed(worlds[0].power_on),
        }
    finally:
        records.delete(folder, record)


def measured(times: int) -> Section:
    """Return the medians of a few tries."""
    found = engine.look()
    if isinstance(found, str):
        return Section(TITLE, "Three containers.", [("what", "seconds")], [f"Not measured: {found}."])
    builder = Builder(found, _say)
    images = {name: builder.image(shape.image) for name, shape in making.shapes(DEPLOYS[BY_UNIT.deploy]).items()}
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        tries = [raised(Path(folder), images) for _ in range(times)]
    whole = [rehearse("small", "containers").seconds for _ in range(times)]
    figures = {name: statistics.median(one[name] for one in tries) for name in tries[0]}
    figures["a whole rehearsal, from the command to its end"] = statistics.median(whole)
    up, rehearsal = next(iter(figures.values())), statistics.median(whole)
    return Section(
        TITLE,
        f"Three containers, their image built before; a rehearsal with the smallest data. Medians of {times}.",
        [("what", "seconds"), *((name, f"{seconds:.1f}") for name, seconds in figures.items())],
        [_met("hosts are up in", up, MOST_UP_S), _met("a rehearsal takes", rehearsal, MOST_REHEARSAL_S)],
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def _met(what: str, seconds: float, most: float) -> str:
    return f"Target {'met' if seconds <= most else 'MISSED'}: {what} {seconds:.1f} s (asked: {most:g} s)."
