"""What is looked at in the file tree, on real trees and a real database."""

from __future__ import annotations

import copy
import os
import pwd
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import files, folders
from harness.check import Check, Outcome
from harness.deed import Command, CommandResult, Role
from harness.errors import DeedFailed
from harness.plan import Plan
from harness.sending import send
from tests.plans import CONTENT, plan
from tests.unit.cluster import Cluster, cluster
from tests.unit.trees import Trees, config

ME = pwd.getpwuid(os.getuid()).pw_name
ROOT = "/var/lib/pryv/data"
SOMEBODY, ANOTHER = "d/c/a/somebody0123456789dca", "f/e/b/another00123456789bef"
KNOWN = """
CREATE TABLE users_index (username text, user_id text);
INSERT INTO users_index
VALUES ('somebody', 'somebody0123456789dca'), ('nofiles', 'zz-without-a-folder'), ('another', 'another00123456789bef')
"""


def owned_by(user: str) -> Plan:
    return plan(core={**copy.deepcopy(CONTENT["core"]), "user": user})


def pseudonym(text: str) -> str:
    return f"~{text}"


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    made = Trees(tmp_path)
    for role in Role:
        for user in (SOMEBODY, ANOTHER):
            (made.data(role) / user / "attachments").mkdir(parents=True)
            (made.data(role) / user / "attachments" / "scan").write_bytes(b"content")
    return made


def compared(trees: Trees) -> Check:
    """Measure at rest, then look at the dest."""
    trees.drive(files.measure(plan(), config(audit="postgresql")))
    measured = {ROOT: trees.at_rest(ROOT)}
    [check] = trees.drive(files.arrived_unchanged(plan(), config(), measured, pseudonym))
    assert isinstance(check, Check)
    return check


def test_the_same_tree_is_held_whatever_previews_and_shm_it_has(trees: Trees) -> None:
    for role, name in ((Role.SOURCE, "one"), (Role.DEST, "two")):
        (trees.folder / role / "data" / "previews").mkdir()
        (trees.folder / role / "data" / "previews" / name).write_bytes(b"made anew")
        (trees.data(role) / SOMEBODY / f"{name}-shm").write_bytes(b"rebuilt")

    check = compared(trees)

    assert (check.outcome, check.examined) == (Outcome.HELD, 15)


@pytest.mark.parametrize("change", ["lost", "extra", "cut", "mode"])
def test_what_differs_is_told_by_pseudonym_on_the_side_that_has_it(trees: Trees, change: str) -> None:
    scan = trees.data(Role.DEST) / SOMEBODY / "attachments" / "scan"
    match change:
        case "lost":
            scan.unlink()
        case "extra":
            scan.with_name("more").write_bytes(b"")
        case "cut":
            scan.write_bytes(b"conten")
        case _:
            scan.chmod(0o777)

    check = compared(trees)

    assert check.outcome is Outcome.NOT_HELD
    sides = {side: [row.split()[0] for row in rows] for side, rows in check.observed.items()}
    there = f"~users/{SOMEBODY}/attachments/scan"
    only_source = [] if change == "extra" else [there]
    only_dest = {"lost": [], "extra": [f"~users/{SOMEBODY}/attachments/more"]}.get(change, [there])
    assert sides == {"only on the source": only_source, "only on the dest": only_dest}


def test_a_link_on_the_source_is_what_rsync_makes_of_it_and_a_link_on_the_dest_is_a_difference(trees: Trees) -> None:
    for role in Role:
        (trees.folder / role / "elsewhere").mkdir()
        (trees.folder / role / "elsewhere" / "file").write_bytes(b"on another disk")
    (trees.data(Role.SOURCE) / "more").symlink_to("../../elsewhere")
    flags = [word for word in send(plan(), f"{ROOT}/").argv if word.startswith("--")]
    subprocess.run(("rsync", *flags, f"{trees.data(Role.SOURCE)}/", str(trees.data(Role.DEST))), check=True)

    same = compared(trees)
    subprocess.run(("rm", "-r", str(trees.data(Role.DEST) / "more")), check=True)
    (trees.data(Role.DEST) / "more").symlink_to("../../elsewhere")

    assert same.outcome is Outcome.HELD
    assert compared(trees).outcome is Outcome.NOT_HELD


def test_files_of_another_owner_are_counted(trees: Trees) -> None:
    [mine] = trees.drive(files.belong_to_core(owned_by(ME), config()))
    [others] = trees.drive(files.belong_to_core(owned_by("pryv"), config()))

    assert (mine.outcome, mine.examined) == (Outcome.HELD, 14)
    assert (others.outcome, others.observed) == (Outcome.NOT_HELD, {ME: "14 path(s)"})


def test_a_tree_that_cannot_be_listed_whole_is_no_finding(trees: Trees) -> None:
    subprocess.run(("rm", "-r", str(trees.folder / Role.DEST / "data")), check=True)

    with pytest.raises(DeedFailed, match="not every path in /var/lib/pryv/data on the dest could be listed"):
        trees.drive(files.belong_to_core(owned_by(ME), config()))


def rsync(*arguments: str) -> CommandResult:
    done = subprocess.run(("rsync", "--archive", "--stats", *arguments), capture_output=True, check=True)
    return CommandResult(Command(Role.SOURCE, ("rsync",)), 0, done.stdout, b"", 0.0)


def test_a_second_transfer_is_read_from_what_rsync_tells(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "from" / name).mkdir(parents=True)
        (tmp_path / "from" / name / "file").write_bytes(name.encode())
    arguments = ("--delete", f"{tmp_path}/from/", f"{tmp_path}/to")
    first, second = rsync(*arguments), rsync(*arguments)
    (tmp_path / "to" / "one" / "file").write_bytes(b"another")
    (tmp_path / "to" / "extra").write_bytes(b"")

    checks = [files.nothing_moved({ROOT: answer})[0] for answer in (first, second, rsync(*arguments))]

    assert [check.outcome for check in checks] == [Outcome.NOT_HELD, Outcome.HELD, Outcome.NOT_HELD]
    assert checks[1].examined == 5
    assert checks[2].observed == {"Number of created files": 0, "Number of deleted files": 1, "Literal data": 3}


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as made:
        made.sql(KNOWN)
        yield made


def test_every_folder_belongs_to_a_user_and_not_every_user_needs_one(trees: Trees, server: Cluster) -> None:
    trees.environment = server.environment

    check = trees.drive(folders.belong_to_users(plan(), config(), pseudonym))

    assert (check.outcome, check.examined) == (Outcome.HELD, 2)


def test_a_users_series_lie_under_the_users_name(trees: Trees, server: Cluster) -> None:
    trees.environment = server.environment
    for folder in ("y/d/o/user.somebody", "d/e/s/user.erased"):
        (trees.data(Role.DEST) / folder).mkdir(parents=True)

    check = trees.drive(folders.belong_to_users(plan(), config(), pseudonym))

    assert (check.outcome, check.observed, check.examined) == (Outcome.NOT_HELD, ["~user.erased"], 4)


def test_no_folder_at_all_is_not_held(tmp_path: Path, server: Cluster) -> None:
    trees = Trees(tmp_path, server.environment)

    check = trees.drive(folders.belong_to_users(plan(), config(), pseudonym))

    assert (check.outcome, check.shortfall) == (Outcome.NOT_HELD, "examined 0 of at least 1")
