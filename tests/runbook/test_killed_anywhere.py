"""Killed anywhere: a seeded sample of the points that `make prove-kill` tries in turn (the seed is printed)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.prove_kill import POINTS_EXPECTED, killed, killed_at
from tests.runbook.test_words_hold import SEED

pytestmark = pytest.mark.rehearsal


def sample() -> list[int]:
    """Return two points, other ones each day."""
    return sorted(random.Random(SEED).sample(range(POINTS_EXPECTED), 2))  # noqa: S311 - a sample, not a secret


@pytest.mark.parametrize("point", sample())
def test_the_same_command_ends_green_with_the_fingerprints_measured_at_rest(tmp_path: Path, point: int) -> None:
    tried = killed_at(point, tmp_path)

    assert tried.killed, f"SAMPLE_SEED={SEED}: the run has no point {point}\n{tried.printed}"
    assert tried.green, f"SAMPLE_SEED={SEED}, point {point} ({tried.where})\n{tried.printed}"
    assert tried.same_fingerprints, f"SAMPLE_SEED={SEED}, point {point} ({tried.where})"


def test_a_stop_that_was_begun_and_took_effect_is_taken_up(tmp_path: Path) -> None:
    tried = killed(0, tmp_path, {"KILL_AFTER": "The source core is stopped", "KILL_AFTER_DEEDS": "3"})

    assert (tried.killed, tried.green, tried.same_fingerprints) == (True, True, True), tried.printed
    assert "T_stop is the time of this look" in " ".join(tried.printed.split())
