"""What is approved, what has changed since, and what a rehearsal tells of the time that users will wait."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness import stated
from harness.__main__ import main
from harness.configuration import Config
from harness.deed import Ask, Command, CommandResult
from harness.errors import JournalBroken, Refused
from harness.journal import Journal
from harness.live.opening import find_approval
from harness.run.approved import approve, changed, document_digest, load, new_plan_folder, newest, plan_folders
from harness.run.driving import drive
from harness.run.estimating import Rehearsed, expected, newest_rehearsal, of_freeze
from tests.plans import plan

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
DIGESTS = {"plan": "p", "features": "f", "code": "c"}
GB = 1_000_000_000
FACTS: dict[str, Any] = {"versions": {"core": "2.0"}, "sizes": {"db": GB, "files": 10 * GB}, "topology": {"core": "a"}}
TREE = {
    "storages.base.engine": "postgresql",
    "storages.engines.postgresql.host": "127.0.0.1",
    "storages.engines.postgresql.port": 5432,
    "storages.engines.postgresql.database": "pryv",
    "storages.engines.postgresql.user": "pryv",
    "storages.engines.sqlite.path": "/var/lib/pryv/data/users",
    "storages.engines.filesystem.previewsDirPath": "/var/lib/pryv/data/previews",
    "core.id": "core-a",
}


def dry_run(folder: Path, *, mode: str = "dry run", ends: bool = True, operator: str = "Odile") -> Path:
    """Write the record of a dry run."""
    journal = Journal(folder / "journal.jsonl")
    journal.open()
    journal.append("run", run=folder.name, change="CHG1", mode=mode, operator=operator, digests=DIGESTS)
    journal.append("facts", facts=FACTS)
    if ends:
        journal.append("verdict", status="red", open_points=["the backup is old"])
    return folder


def test_an_approval_names_the_document_who_when_and_what_was_open(tmp_path: Path) -> None:
    folder = dry_run(tmp_path / "2026-12-01-CHG1-plan1")

    given = load(approve(folder, " Anna ", NOW))

    assert given.told == {
        "approver": "Anna",
        "at": "2026-12-01T09:30:00+00:00",
        "of": "2026-12-01-CHG1-plan1",
        "document": document_digest(DIGESTS, FACTS),
    }
    assert (given.open_points, given.digests, given.facts) == (("the backup is old",), DIGESTS, FACTS)
    assert (folder / "approval.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("made", "approver", "said"),
    [
        ({"mode": "rehearsal"}, "Anna", "holds no dry run that came to its end"),
        ({"ends": False}, "Anna", "holds no dry run that came to its end"),
        ({}, "odile", "not the operator of the change"),
        ({}, " ", "a person with a name"),
    ],
)
def test_what_is_no_finished_dry_run_is_not_approved_and_not_by_the_operator(
    tmp_path: Path, made: dict[str, Any], approver: str, said: str
) -> None:
    folder = dry_run(tmp_path / "2026-12-01-CHG1-plan1", **made)

    with pytest.raises(Refused, match=said):
        approve(folder, approver)
    assert not (folder / "approval.json").exists()


def test_a_record_that_was_changed_is_not_approved(tmp_path: Path) -> None:
    folder = dry_run(tmp_path / "2026-12-01-CHG1-plan1")
    journal = folder / "journal.jsonl"
    journal.write_text(journal.read_text().replace('"core-a"', '"core-b"').replace("2.0", "2.1"))

    with pytest.raises(JournalBroken, match="was changed"):
        approve(folder, "Anna")
    with pytest.raises(Refused, match="it has no journal"):
        approve(tmp_path, "Anna")


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda told: told["digests"].update(plan="another"), "was changed after it was given"),
        (lambda told: told["facts"]["versions"].update(core="3"), "was changed after it was given"),
        (lambda told: told.pop("approver"), "is no approval"),
        (lambda told: told.update(more=1), "is no approval"),
    ],
)
def test_an_approval_that_was_changed_is_refused(tmp_path: Path, edit: Any, said: str) -> None:  # noqa: ANN401 - a lambda
    path = approve(dry_run(tmp_path / "2026-12-01-CHG1-plan1"), "Anna")
    told = json.loads(path.read_text())
    edit(told)
    path.write_text(json.dumps(told))

    with pytest.raises(Refused, match=said):
        load(path)


@pytest.mark.parametrize("text", ["", "[]", "null", "{", '{"change": "CHG1"}'])
def test_what_is_no_approval_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "approval.json").write_text(text)

    with pytest.raises(Refused, match=r"cannot be read|is no approval"):
        load(tmp_path / "approval.json")


def test_an_approval_is_demanded_of_a_run_that_begins_and_locks_out_none_that_goes_on(tmp_path: Path) -> None:
    given = approve(dry_run(tmp_path / "2026-12-01-CHG1-plan1"), "Anna")

    found = find_approval("CHG1", tmp_path, None, demanded=True)
    assert found == find_approval("CHG1", tmp_path / "elsewhere", given, demanded=True) == load(given)
    with pytest.raises(Refused, match="is that of CHG1, the plan that of CHG2"):
        find_approval("CHG2", tmp_path, given, demanded=True)
    given.write_text("{")
    with pytest.raises(Refused, match="cannot be read"):
        find_approval("CHG1", tmp_path, None, demanded=True)
    assert find_approval("CHG1", tmp_path, None, demanded=False) is None


def test_the_newest_approval_of_the_change_counts_and_not_of_another(tmp_path: Path) -> None:
    assert newest(tmp_path, "CHG1") is None
    for count in (1, 2, 9, 10):
        dry_run(tmp_path / f"2026-12-01-CHG1-plan{count}")
    dry_run(tmp_path / "2026-12-01-CHG1-planned")
    approve(tmp_path / "2026-12-01-CHG1-plan2", "Anna")
    approve(tmp_path / "2026-12-01-CHG1-plan9", "Berta")

    assert [path.name[-2:] for path in plan_folders(tmp_path, "CHG1")] == ["n1", "n2", "n9", "10"]
    assert getattr(newest(tmp_path, "CHG1"), "approver", "") == "Berta"
    assert newest(tmp_path, "CHG2") is None
    assert new_plan_folder(tmp_path, "CHG1", "2026-12-02").name == "2026-12-02-CHG1-plan11"


def test_what_has_changed_since_is_told_one_by_one(tmp_path: Path) -> None:
    given = load(approve(dry_run(tmp_path / "2026-12-01-CHG1-plan1"), "Anna"))

    assert changed(given, DIGESTS, FACTS) == []
    assert changed(given, DIGESTS, {}) == []
    assert changed(given, {"plan": "other", "features": "f", "code": "other"}, {}) == [
        "the plan was changed",
        "the code of the runbook was changed",
    ]
    now = {"versions": {"core": "2.1", "new": "1"}, "sizes": {}, "topology": {}}
    assert changed(given, DIGESTS, now) == [
        "core: 2.0 was stated, it is 2.1",
        "new: not there was stated, it is 1",
        "core: a was stated, it is not there",
    ]
    assert changed(None, DIGESTS, FACTS) == ["no approval of this move is known here"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (10 * GB, []),
        (12 * GB, []),
        (8 * GB, []),
        (12 * GB + 1, ["size of files: 10.0 GB was stated, it is 12.0 GB"]),
        (8 * GB - 1, ["size of files: 10.0 GB was stated, it is 8.0 GB"]),
        (0, ["size of files: 10.0 GB was stated, it is nothing"]),
    ],
)
def test_a_size_may_differ_by_a_fifth(files: int, said: list[str]) -> None:
    assert stated.differences(FACTS, {**FACTS, "sizes": {"db": GB, "files": files}}) == said


def test_a_small_size_may_differ_by_64_mb() -> None:
    small = {**FACTS, "sizes": {"db": 1000}}

    assert stated.differences(small, {**FACTS, "sizes": {"db": 64_001_000}}) == []
    assert stated.differences(small, {**FACTS, "sizes": {"db": 64_001_001}}) == ["size of db: 1.0 kB was stated, it is 64.0 MB"]


def answering(told: dict[str, str]) -> Any:  # noqa: ANN401 - a function of any observation
    """Return what answers commands by a word of them."""

    def answer(wanted: Any) -> Any:  # noqa: ANN401 - any observation
        if isinstance(wanted, tuple):
            return [answer(one) for one in wanted]
        assert isinstance(wanted, Ask)
        assert isinstance(wanted.of, Command)
        text = " ".join((*wanted.of.argv, wanted.of.input.decode()))
        said = next(out for word, out in told.items() if word in text)
        return CommandResult(wanted.of, 0, said.encode(), b"", 0.0)

    return answer


TOLD = {"package.json": '{"version": "2.0.0"}', "server_version": "15.20", "pg_database_size": "9000", "test -e": "", "du": "7\t/x"}


def test_versions_sizes_and_topology_are_read_from_the_hosts() -> None:
    found = drive(stated.facts(plan(), Config(TREE, ())), answering(TOLD))

    assert found["versions"] == {"core": "2.0.0", "PostgreSQL on the source": "15.20", "PostgreSQL on the dest": "15.20"}
    assert found["sizes"] == {"PostgreSQL pryv": 9000, "/var/lib/pryv/data": 7168}
    assert found["topology"]["data roots"] == "/var/lib/pryv/data"
    assert drive(stated.facts(plan(), Config(TREE, ()), sizes=False), answering(TOLD))["sizes"] == {}


@pytest.mark.parametrize("word", ["pg_database_size", "du"])
def test_a_size_that_cannot_be_read_is_an_error(word: str) -> None:
    with pytest.raises(stated.NotMeasured, match="could not be read"):
        drive(stated.facts(plan(), Config(TREE, ())), answering({**TOLD, word: ""}))


REHEARSED = Rehearsed(
    "r1", "", "", "", "", {}, GB, {"F: stop": 2.0, "D: dump": 30.0, "C: cut": 3.0, "P: look": 9.0, "V: verify": 7.0},
    numbers={"F: stop": 50, "D: dump": 60, "C: cut": 85, "P: look": 10, "V: verify": 90},
)  # fmt: skip


@pytest.mark.parametrize(
    ("now", "waits"),
    [(GB, 35.0), (GB // 2, 35.0), (2 * GB, 67.0), (10 * GB, 323.0), (10 * GB + 1, None), (0, None)],
)
def test_users_wait_as_in_the_rehearsal_scaled_by_size_and_not_by_more_than_ten(now: int, waits: float | None) -> None:
    found = of_freeze(REHEARSED, now)

    assert found.seconds == waits
    assert found.said.startswith("users wait about" if waits else "no estimate: the newest green rehearsal is r1")


def test_without_a_rehearsal_there_is_no_estimate() -> None:
    assert of_freeze(None, GB).said == "no estimate: there is no record of a green rehearsal here"
    assert expected(None, "D: dump", 3.0, GB) is None
    assert expected(REHEARSED, "D: dump", 3.0, 2 * GB) == 6.0
    assert expected(REHEARSED, "P: look", 3.0, 2 * GB) == 3.0


def record(folder: Path, mode: str, status: str) -> None:
    """Write the record of a run."""
    journal = Journal(folder / "journal.jsonl")
    journal.open()
    journal.append("run", run=folder.name, mode=mode, hosts="two", core="one", digests={"code": "c"})
    journal.append("feature", feature="F", file="50_f.feature")
    journal.append("facts", facts={"sizes": {"db": 5}})
    journal.append("deed", feature="F", scenario="S", example="", seconds=1.5)
    journal.append("scenario", feature="F", scenario="S", example="", status="green", seconds=2)
    journal.append("verdict", status=status, closes=status == "green")


def test_the_rehearsal_that_counts_is_the_newest_that_is_green(tmp_path: Path) -> None:
    assert newest_rehearsal(tmp_path) is None
    record(tmp_path / "2026-11-01-A-r1", "rehearsal", "green")
    record(tmp_path / "2026-11-02-A-r2", "rehearsal", "red")
    record(tmp_path / "2026-11-03-CHG1-r1", "live", "green")
    record(tmp_path / "2026-11-04-A-r3", "rehearsal", "green")
    broken = tmp_path / "2026-11-04-A-r3" / "journal.jsonl"
    broken.write_text(broken.read_text().replace("two", "one", 1))

    found = newest_rehearsal(tmp_path)

    assert found
    assert (found.run, found.bytes, found.took, found.deeds) == ("2026-11-01-A-r1", 5, {"F: S": 2.0}, {"F: S": (1.5,)})
    assert found.unlike({"code": "c", "features": "f"}) == ["features"]


def test_the_command_approves_and_tells_what_is_open(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = dry_run(tmp_path / "2026-12-01-CHG1-plan1")

    assert main(["approve", str(folder), "--approver", "Odile"]) == 1
    assert main(["approve", str(folder), "--approver", "Anna"]) == 0

    printed = capsys.readouterr()
    assert "not the operator" in printed.err
    assert f"CHG1 approved by Anna: {folder}/approval.json" in printed.out
    assert "still open: the backup is old" in printed.out
