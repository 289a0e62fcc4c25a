"""What goes ahead and side by side (`transfer: preseed`) proves as much as what goes one after the other."""

from __future__ import annotations

import pytest

from harness.run.mending import SCENARIO
from tests.runbook.applying import BY_PROXY, IN_RQLITE, OTHER_KINDS, RAFT_ADDRESS
from tests.runbook.rehearsing import ROOT, Rehearsal
from tests.runbook.test_rehearsal import rows

pytestmark = pytest.mark.rehearsal


def begun_ahead(rehearsal: Rehearsal) -> list[tuple[str, str]]:
    """Return what was begun ahead of which scenario."""
    return [(line["lasting"], line["ahead_of"]) for line in rehearsal.lines if line["kind"] == "deed" and line.get("ahead_of")]


def test_killed_in_the_middle_of_the_dump_beside_the_fingerprint_the_same_command_ends_green(rehearsal: Rehearsal) -> None:
    rehearsal.begin("--transfer", "preseed")
    rehearsal.until(lambda: rehearsal.begun("The source core is fenced"), "the freeze")
    rehearsal.slow_down("source", "pg_dump", 4)
    rehearsal.until(lambda: begun_ahead(rehearsal), "the dump beside the fingerprint")
    rehearsal.kill()
    assert "end" not in " ".join(rehearsal.slow_log("source", "pg_dump"))

    rehearsal.begin()
    rehearsal.until(lambda: rehearsal.begun("The PostgreSQL dump is the same on both hosts"), "the dump's end")
    assert [line.split()[0] for line in rehearsal.slow_log("source", "pg_dump")] == ["begin", "end"]
    assert rehearsal.end() == 0, rehearsal.printed[-3000:]

    statuses = rehearsal.statuses()
    assert {
        name for name, status in statuses.items() if status not in {"green", "settled"}
    } == BY_PROXY | IN_RQLITE | OTHER_KINDS | RAFT_ADDRESS
    assert len(statuses.keys() - {SCENARIO.name}) == sum(rows(path) for path in (ROOT / "features").glob("[0-9]*.feature"))
    assert [line["step"] for line in rehearsal.lines if line.get("vacuous")] == []
    assert list(dict.fromkeys(begun_ahead(rehearsal))) == [
        ("dump-postgresql", "The PostgreSQL dump is complete"),
        ("files-var-lib-pryv-data", "The data roots arrive unchanged"),
        ("send-postgresql", "The PostgreSQL dump is the same on both hosts"),
        ("restore-postgresql", "The PostgreSQL database arrives unchanged"),
        ("statistics-postgresql", "The PostgreSQL database is ready for users"),
    ]
    sides = {(line["name"], line["role"]): line["digest"] for line in rehearsal.lines if line["kind"] == "digest"}
    names = {name for name, _ in sides} - {"seal"}
    assert all(sides[name, "source"] == sides[name, "dest"] for name in names)
