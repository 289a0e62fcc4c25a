"""The gates of a live run: it goes on only as it was approved; one that is frozen is never locked out, but asks."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.errors import Refused
from harness.journal import Journal
from harness.run import Run, asking
from harness.run.doing import Doing
from harness.run.estimating import Estimate
from tests.inner import Inner, Shelf
from tests.plans import CONTENT, plan
from tests.unit.test_look_act_look import GATED, WINDOW, set_up

LIVE = """
from harness.run.asking import Live
from harness.run.estimating import Estimate
run.rehearsal = False
run.live = Live(lambda sizes: ["the plan was changed"], lambda: Estimate(None, "no estimate"))
"""
FROZEN = 'run.journal.append("mark", mark="T_stop")\n'
YES = 'run.approve = lambda what: "typed" if what in {} else ""\n'


def test_a_live_run_that_is_not_frozen_goes_on_only_as_it_was_approved(inner: Inner) -> None:
    set_up(inner, LIVE)

    inner.run(GATED)

    assert inner.code == 1
    assert inner.cause("The book is on the shelf").startswith("not as it was approved: the plan was changed: make a new")
    assert inner.shelf == []


def test_a_live_run_that_is_frozen_goes_on_otherwise_once_somebody_says_yes_to_that(inner: Inner) -> None:
    gated = '{"changed", "The book is on the shelf"}'
    set_up(inner, LIVE + FROZEN + YES.replace("{}", '{"The book is on the shelf"}'))
    inner.run(GATED)
    assert (inner.code, inner.shelf, inner.kinds("deviation")) == (12, [], [])
    assert "a person's yes to that is needed (at a terminal, or ahead: --approve changed)" in inner.printed

    set_up(inner, LIVE + YES.replace("{}", gated))
    inner.again()
    assert inner.code == 0
    [line] = inner.kinds("deviation")
    assert (line["what"], line["cause"]) == ("not as it was approved", "the plan was changed")
    assert line["approver"] == "operator on duty (typed)"


def test_a_live_run_that_is_frozen_asks_for_a_yes_to_a_window_that_is_over(inner: Inner) -> None:
    live = LIVE.replace('["the plan was changed"]', "[]") + WINDOW
    set_up(inner, live + FROZEN + YES.replace("{}", '{"The book is on the shelf"}'))
    inner.run(GATED)
    assert (inner.code, inner.shelf) == (12, [])
    assert "ahead: --approve window" in inner.cause("The book is on the shelf")

    set_up(inner, live + YES.replace("{}", '{"window", "The book is on the shelf"}'))
    inner.again()
    assert inner.code == 0
    assert [line["what"] for line in inner.kinds("deviation")] == ["outside the window of the change"]


@pytest.mark.parametrize(("left_s", "seconds", "refused"), [(1000, 800.0, False), (1000, 995.0, True), (1000, None, False)])
def test_a_freeze_that_would_not_end_within_the_window_is_refused(
    tmp_path: Path, left_s: int, seconds: float | None, *, refused: bool
) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    window = {"start": (now - timedelta(hours=1)).isoformat(), "end": (now + timedelta(seconds=left_s)).isoformat()}
    journal = Journal(tmp_path / "journal.jsonl")
    run = Run(plan(change={**CONTENT["change"], "window": window}), Doing(journal, Shelf(tmp_path / "shelf"), tmp_path))

    with pytest.raises(Refused, match="would not end within the window") if refused else contextlib.nullcontext():
        asking._look_at_estimate(run, Estimate(seconds, "as said"))

    longer = "; planned are 15 min 00 s" if seconds and seconds > 900 else ""
    assert [line["text"] for line in journal.lines] == [f"as said{longer}"]
