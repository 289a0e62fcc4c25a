"""Killed anywhere, hosts too: a seeded sample of what `make prove-hosts` tries (the seed is printed)."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from tests.engine import NEEDS_ENGINE
from tests.prove_kill_hosts import MOMENTS, WHOM, Point, one_move
from tests.runbook.test_words_hold import SEED

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.rehearsal, NEEDS_ENGINE]

PHASES = (20, 30, 40, 45, 50, 60, 70, 80, 85, 90, 98)


def sample() -> list[Point]:
    """Return three points in three phases of one move, one for the harness and each host, other ones each day.

    Where a host is back before anybody asks it for something, the move ends there, and the points after it are not tried.
    """
    chosen = random.Random(SEED)  # noqa: S311 - a sample, not a secret
    phases = sorted(chosen.sample(PHASES, len(WHOM)))
    return [Point(phase, chosen.choice(MOMENTS), who) for phase, who in zip(phases, chosen.sample(WHOM, len(WHOM)), strict=True)]


def test_whoever_dies_the_same_command_ends_green_with_what_was_measured_and_every_write(tmp_path: Path) -> None:
    tried = one_move(tmp_path, sample())

    assert tried
    for one in tried:
        assert one.verdict == "green", f"SAMPLE_SEED={SEED}, {one.point} ({one.where})\n{one.printed[-6000:]}"
