"""The words hold: a Given or Then whose body is emptied is red, and so is an act (a seeded sample; the seed is printed)."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.prove_words import emptied, only, texts, used

pytestmark = pytest.mark.rehearsal

KEYWORDS = ("When", "Given", "Then")
SEED = int(os.environ.get("SAMPLE_SEED", str(int(time.time()) // 86400)))


def sample() -> list[str]:
    """Return one act, one Given and one Then, other ones each day; those of containers are tried by make prove-words."""
    chosen = random.Random(SEED)  # noqa: S311 - a sample, not a secret
    wanted = {keyword: [text for text in texts(keyword) if used(text) and not only("@docker", text)] for keyword in KEYWORDS}
    return [chosen.choice(wanted[keyword]) for keyword in KEYWORDS]


@pytest.mark.parametrize("text", sample())
def test_an_emptied_step_is_red(tmp_path: Path, text: str) -> None:
    tried = emptied(text, tmp_path)

    assert tried.red, f"SAMPLE_SEED={SEED}: {tried.cause}\n{tried.printed[-3000:]}"
