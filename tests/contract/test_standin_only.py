"""What is the stand-in's own: a real core takes seconds to start, and has engines that the stand-in has not."""

from __future__ import annotations

import time

import pytest

from .lifecycle import own_core, running
from .stage import Stage

pytestmark = own_core


@pytest.fixture
def standin(stopped: Stage) -> Stage:
    """Give the stand-in, stopped."""
    if stopped.is_real:
        pytest.skip("a real core was given: this is about the stand-in alone")
    return stopped


def test_it_starts_in_less_than_a_second(standin: Stage) -> None:
    began = time.monotonic()
    with running(standin):
        assert time.monotonic() - began < 3  # 0.4 s on an idle machine


def test_it_refuses_the_engines_that_it_does_not_have(standin: Stage) -> None:
    told = standin.refused("--storages:series:engine=influxdb", "--storages:audit:engine=postgresql")
    assert "[storages:series:engine] this stand-in has postgresql only, not influxdb" in told
    assert "[storages:audit:engine] this stand-in has sqlite only, not postgresql" in told


def test_nothing_is_written_to_its_tree_by_a_start(standin: Stage) -> None:
    def tree() -> list[tuple[str, int]]:
        return sorted((str(one), one.stat().st_mtime_ns) for one in standin.app.rglob("*"))

    before = tree()
    with running(standin):
        assert standin.process
    assert tree() == before
