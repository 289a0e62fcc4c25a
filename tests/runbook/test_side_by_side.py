"""Two runs beside each other do not collide: addresses, ports and worlds are chosen per run."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runbook.rehearsing import Rehearsal

pytestmark = pytest.mark.rehearsal


def test_two_rehearsals_in_one_folder_are_both_green(tmp_path: Path) -> None:
    first, second = Rehearsal(tmp_path), Rehearsal(tmp_path)
    try:
        first.begin()
        second.begin()

        assert (first.end(), second.end()) == (0, 0), first.printed[-3000:]
        assert len(list((tmp_path / "reports").iterdir())) == 2
    finally:
        first.close()
        second.close()
