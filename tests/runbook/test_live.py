"""A live run, by the commands of docs/live.md: looked at without a trace, approved, refused, never locked out, retired."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from harness.configuration import flat
from harness.deed import Role
from harness.journal import Journal
from harness.plan import load
from harness.run.approved import plan_folders
from harness.run.endings import runs
from harness.run.opening import secrets_of
from tests.runbook.living import LiveMove, made, of_the_doc
from tests.runbook.test_secrets import CONFIG_SECRETS, PEOPLE

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.rehearsal

DRY, APPROVE, LIVE, FREEZE, GO_ON, RETIRE, BACK = of_the_doc()
TOOK = {"The source core is stopped": (50, 2.0), "The data roots arrive unchanged": (70, 3.0), "One": (10, 9.0)}


@pytest.fixture(scope="module")
def move(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveMove]:
    """Return hosts with their plan; they are ended with the tests."""
    one = made(tmp_path_factory.mktemp("live"))
    rehearsed(one.reports, 100_000_000)
    yield one
    one.world.end()


def rehearsed(reports: Path, size: int) -> None:
    """Write the record of a green rehearsal that moved so much, as far as a live run reads it."""
    journal = Journal(reports / "2026-11-30-REHEARSAL-before-r1" / "journal.jsonl")
    journal.open()
    digests = {"features": "other", "code": "other"}
    header = {"mode": "rehearsal", "hosts": "two small hosts", "core": "a core", "digests": digests}
    journal.append("run", run="2026-11-30-REHEARSAL-before-r1", **header)
    journal.append("facts", facts={"sizes": {"everything": size}})
    for name, (number, seconds) in TOOK.items():
        journal.append("feature", feature=f"F{number}", file=f"{number}_f.feature")
        journal.append("scenario", feature=f"F{number}", scenario=name, example="", status="green", seconds=seconds)
    journal.append("verdict", status="green", closes=True)


def test_a_dry_run_tells_what_would_be_done_and_changes_nothing_on_either_host(move: LiveMove) -> None:
    before = move.manifests()
    assert {"source/var/lib/pryv/data/users", "dest/root/.ssh/authorized_keys", "databases of the dest"} <= before.keys()

    assert move.type(DRY) == 0, move.printed

    assert move.manifests() == before
    [folder] = move.reports.glob("*-plan1")
    assert {path.name for path in folder.iterdir()} == {"journal.jsonl", "plan.html"}
    page = (folder / "plan.html").read_text(encoding="utf-8")
    for said in (
        "pg_dump -Fc on the source",
        "rsync /var/lib/pryv/data/ from the source to the dest",
        "then depends on what this answers: read PostgreSQL&#39;s counters on the source",
        "What must hold before anything is done does; nothing was changed.",
        "Users wait about 5.0 s, by the times of the rehearsal 2026-11-30-REHEARSAL-before-r1",
        "PostgreSQL on the dest",
    ):
        assert said in page, said
    hidden = secret_or_personal(move)
    assert len(hidden) > 10
    told = move.printed + page + (folder / "journal.jsonl").read_text(encoding="utf-8")
    assert [one for one in hidden if one in told] == []


def secret_or_personal(move: LiveMove) -> set[str]:
    """Return the secrets of the plan and of the source's config, and what people on the source are called by."""
    people = move.on(Role.SOURCE, "psql", "-XqAt", "-d", "pryv", "-c", PEOPLE, as_user="postgres")
    config = flat(yaml.safe_load(move.on(Role.SOURCE, "cat", "/etc/pryv/override.yml")))
    secrets = {str(value) for key, value in config.items() if key.rpartition(".")[2] in CONFIG_SECRETS}
    return {secret.value for secret in secrets_of(load(move.plan_path))} | secrets | set(people.split("\n"))


def test_what_is_not_as_it_was_approved_is_refused_and_nothing_is_changed(move: LiveMove) -> None:
    assert move.type(LIVE) == 13, move.printed
    assert f"no plan document of {move.number} was approved" in move.printed
    approve(move)
    before = move.manifests()

    move.write_plan(begins_h=-3, ends_h=-1)
    assert (move.type(LIVE), "outside the window of the change: it is" in move.printed) == (13, True), move.printed
    move.write_plan(begins_h=1)
    assert (move.type(LIVE), "outside the window of the change: it is" in move.printed) == (13, True), move.printed
    move.write_plan(ends_h=7)
    assert (move.type(LIVE), "- the plan was changed next make a plan document" in move.printed) == (13, True), move.printed
    move.write_plan()
    pinned = Path(str(move.world.folder / "keys" / "known_hosts"))
    keys = pinned.read_text(encoding="utf-8")
    pinned.write_text(keys.replace("AAAAC3NzaC1lZDI1NTE5AAAAI", "AAAAC3NzaC1lZDI1NTE5AAAAJ"), encoding="utf-8")
    code = move.type(LIVE)
    pinned.write_text(keys, encoding="utf-8")
    assert (code, "the host's key is not the one in known_hosts" in move.printed) == (13, True), move.printed

    assert move.manifests() == before
    move.on(Role.DEST, "sh", "-c", "mkdir -p /etc/pryv && echo kept > /etc/pryv/kept")
    assert (move.type(LIVE), "the dest is not empty: folders that would be overwritten: /etc/pryv" in move.printed) == (13, True)
    move.on(Role.DEST, "rm", "-r", "/etc/pryv")
    assert move.manifests() == before
    assert runs(move.reports, move.number) == []


def approve(move: LiveMove) -> None:
    """Have the plan document approved; one is made where there is none."""
    if not plan_folders(move.reports, move.number):
        assert move.type(DRY) == 0, move.printed
    assert move.type(APPROVE) == 0, move.printed


def test_a_core_is_moved_as_the_page_says_and_a_frozen_run_is_never_locked_out(move: LiveMove) -> None:
    approve(move)
    backup = move.world.folder / "backup.txt"
    backup.rename(move.folder / "away")
    assert move.type(LIVE) == 1, move.printed
    assert "backup.txt is not there" in move.printed
    elsewhere = move.folder / "elsewhere"
    assert move.type(LIVE, "--adopt", "source", reports=elsewhere) == 13, move.printed
    assert "was approved (looked in" in move.printed
    assert move.type(BACK) == 11, move.printed
    (move.folder / "away").rename(backup)

    assert move.type(LIVE, answers=f"{move.number}\nno\n") == 12, move.printed
    assert move.marks() == ["T_stop", "T_start"], move.printed
    assert move.type(DRY) == 13, move.printed
    assert "the source is frozen by a run of this change" in move.printed

    move.write_plan(begins_h=-3, ends_h=-1)
    assert move.type(FREEZE) == 12, move.printed
    assert "not as it was approved: the plan was changed; a person's yes to that is needed" in move.printed
    assert move.type(GO_ON) == 10, move.printed
    assert {line["what"]: line["approver"] for line in move.lines if line["kind"] == "deviation" and "approver" in line} == {
        "not as it was approved": "rehearsal (given ahead by --approve)",
        "outside the window of the change": "rehearsal (given ahead by --approve)",
    }
    assert move.type(RETIRE) == 0, move.printed

    assert move.marks() == ["T_stop", "T_start", "T_open", "retired"]
    said = [line["by"] for line in move.lines if line["kind"] == "gate"]
    assert said == ["typed at the terminal", "given ahead by --approve", "given ahead by --approve"]
    header = next(line for line in move.lines if line["kind"] == "run")
    given = json.loads(max(move.reports.glob("*-plan*/approval.json")).read_text(encoding="utf-8"))
    assert (header["mode"], header["approval"]["document"]) == ("live", given["document"])
    report = (move.record / "report.html").read_text(encoding="utf-8")
    assert "Follows the rehearsal" in report
    assert "2026-11-30-REHEARSAL-before-r1" in report
    assert "Version of PostgreSQL on the dest" in report
    assert given["document"] in report
    assert set(of_the_doc()) <= set(move.typed)
