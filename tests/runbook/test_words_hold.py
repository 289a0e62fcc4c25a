"""The words hold: a Given or Then whose body is emptied is red, and so is an act (a seeded sample; the seed is printed)."""

from __future__ import annotations

import importlib
import os
import random
import time
from collections.abc import Callable

import pytest

from tests.emptied import definitions
from tests.runbook.rehearsing import ROOT, Rehearsal

pytestmark = pytest.mark.rehearsal

SEED = int(os.environ.get("SAMPLE_SEED", str(int(time.time()) // 86400)))


def texts(*keywords: str) -> list[str]:
    """Return the steps of the runbook with these keywords, in the order of their text."""
    for module in sorted((ROOT / "steps").glob("[a-z]*.py")):
        importlib.import_module(f"steps.{module.stem}")
    return sorted({f"{one.keyword} {one.text}" for one in definitions() if one.keyword in keywords})


def sample() -> list[str]:
    """Return one act, one Given and two Thens, other ones each day."""
    chosen = random.Random(SEED)  # noqa: S311 - a sample, not a secret
    return [chosen.choice(texts("When")), chosen.choice(texts("Given")), *chosen.sample(texts("Then"), 2)]


@pytest.mark.parametrize("text", sample())
def test_an_emptied_step_is_red(rehearsal: Rehearsal, text: str, record_property: Callable[[str, object], None]) -> None:
    record_property("SAMPLE_SEED", SEED)
    rehearsal.environment = {"EMPTIED": text}

    code = rehearsal.run("-p", "tests.emptied")

    assert code == 1, f"SAMPLE_SEED={SEED}\n{rehearsal.printed}"
    said = "the act did nothing" if text.startswith("When") else "the step records no check"
    assert rehearsal.cause().startswith(said)
