"""A core that was found stopped: nothing is done, a person says yes, and the mark is made once."""

from __future__ import annotations

from tests.inner import Inner

STEPS = '@when("it is stopped", mark_after="T_stop")\ndef stopped():\n    yield put("the lamp")\n'
GATED = "Feature: A shelf\n  @gate\n  Scenario: One\n    When it is stopped\n    Then the lamp is on the shelf\n"


def found(inner: Inner, set_up: str = "") -> list[str]:
    """Run with the lamp on the shelf already; return the marks and gates of the record."""
    (inner.pytester.path / "shelf.json").write_text('["the lamp"]')
    (inner.pytester.path / "set_up.py").write_text(set_up)
    inner.run(GATED, STEPS)
    return [line.get("mark", line["kind"]) for line in inner.kinds("gate", "mark")]


def test_what_is_found_so_is_asked_for_at_its_gate_noted_and_marked(inner: Inner) -> None:
    assert found(inner) == ["gate", "T_stop"]
    assert [line["text"] for line in inner.kinds("note")] == ["found so, and not done by this run: One"]
    assert inner.kinds("deed") == []


def test_without_a_yes_it_is_not_marked(inner: Inner) -> None:
    assert found(inner, "run.approve = lambda gate: ''") == []
    assert inner.code == 12


def test_a_mark_that_is_made_is_not_made_again(inner: Inner) -> None:
    assert found(inner, 'run.journal.append("mark", mark="T_stop")') == ["T_stop"]
