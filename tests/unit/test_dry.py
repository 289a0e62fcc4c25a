"""A dry run: what would be done is told, up to the first answer that somebody needs, and nothing is done."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.deed import Ask, Command, Role
from harness.errors import DeedFailed, NotKnownYet
from harness.live.command import REFUSED, strange, typed_again
from harness.live.looking import ReadOnly
from harness.report.planned import parts, render_plan
from harness.run.dry import LEFT, Unknown, changes_nothing, would_do
from harness.run.opening import reach
from tests.inner import Inner
from tests.plans import CONTENT, plan
from tests.runbook.rehearsing import ROOT

FEATURE = """Feature: A shelf
  Scenario: The lamp is there
    Then the lamp is on the shelf
  Scenario: The book is there
    Given the lamp is on the shelf
    When the book is put on the shelf
    Then the book is on the shelf
  @probe
  Scenario: The cup is tried
    When the cup is tried
    Then it was tried
  Scenario: The plant is there
    Then the plant is on the shelf
  @gate
  Scenario: The door is shut
    When the door is put on the shelf
    Then the door is on the shelf
  Scenario: The chair is there
    Then unreachable is on the shelf
"""
STEPS = """
@when("the cup is tried")
def tries():
    answer = yield put("cup")
    yield put(f"another {answer.text}")

@then("it was tried")
def tried(run):
    run.check(equal("tries", Witness.FILES, 1, run.result))
"""
THINNED = "-k clocks -m 'not gate' --deselect x --setup-plan --fault y --fresh -p randomly -o addopts= --lf"
DRY = "from harness.run.dry import Dry\nrun.dry = Dry(run, lambda scenario, at: 2.5, {'the book': 7})\n"


@pytest.fixture
def dried(inner: Inner) -> Inner:
    (inner.pytester.path / "set_up.py").write_text(DRY)
    (inner.pytester.path / "shelf.json").write_text('["broken the lamp"]')
    return inner.run(FEATURE, STEPS)


def test_nothing_is_done_every_scenario_is_looked_at_and_what_is_asked_for_before_any_act_is_red(dried: Inner) -> None:
    assert dried.code == 0
    assert dried.shelf == ["broken the lamp"]
    assert dried.kinds("deed", "intent", "mark", "gate", "fact") == []
    ended = [(line["scenario"], line["status"]) for line in dried.kinds("scenario") if line["status"] != "begun"]
    assert ended == [
        ("The lamp is there", "red"),
        ("The book is there", "planned"),
        ("The cup is tried", "planned"),
        ("The plant is there", "later"),
        ("The door is shut", "planned"),
        ("The chair is there", "later"),
    ]


def test_what_would_be_done_is_told_until_an_answer_is_needed(dried: Inner) -> None:
    told = [(line["scenario"], line.get("deed") or line.get("depends") or line["gate"]) for line in dried.kinds("planned")]
    assert told == [
        ("The book is there", "dest$ put 'the book'"),
        ("The cup is tried", "dest$ put cup"),
        ("The cup is tried", "what this answers: dest$ put cup"),
        ("The door is shut", "The door is shut"),
        ("The door is shut", "dest$ put 'the door'"),
        ("The chair is there", f"{LEFT} (now: the shelf is unreachable while looking: it is not there)"),
    ]
    assert {line["expected_s"] for line in dried.kinds("planned") if "deed" in line} == {2.5}
    assert [line["moves_bytes"] for line in dried.kinds("planned") if "deed" in line] == [7, 0, 0]


def test_the_plan_document_is_drawn_from_the_record_and_escapes_what_is_in_it(dried: Inner) -> None:
    lines = [*dried.lines, {"kind": "verdict", "status": "red", "text": "<b>1</b> fact", "open_points": ["<i>lamp</i>"]}]
    lines[0] |= {"digests": {}, "operator": "o", "approver": "a", "follows": {}, "expected_downtime_s": 9, "time": ""}

    page = render_plan(lines, "sha256:1", "the-folder")

    assert [len(part.scenarios) for part in parts(lines)] == [6]
    assert "<b>1</b>" not in page
    assert "&lt;i&gt;lamp&lt;/i&gt;" in page
    assert "then depends on what this answers: dest$ put cup" in page
    assert "<strong>Asks for a yes:</strong> The door is shut" in page


def put(thing: str) -> Command:
    return Command(Role.DEST, ("put", thing))


def in_turn() -> Generator[Any, Any, Any]:
    yield put("a")
    yield (put("b"), put("c"))
    yield put("d")


def asks_all() -> Generator[Any, Any, Any]:
    first, second = yield (put("a"), put("b"))
    if second.exit:
        yield put("c")
    yield put(first.text)


def heeds_failures() -> Generator[Any, Any, Any]:
    try:
        answer = yield put("a")
        yield put(answer["b"])
    except DeedFailed:
        yield put("c")


def for_ever() -> Generator[Any, Any, Any]:
    while True:
        yield put("a")


def broken() -> Generator[Any, Any, Any]:
    yield put("a")
    raise KeyError("T_stop")


@pytest.mark.parametrize(
    ("act", "told"),
    [
        (in_turn, [put("a"), put("b"), put("c"), put("d")]),
        (asks_all, [put("a"), put("b"), "what this answers: dest$ put b"]),
        (heeds_failures, [put("a"), "what this answers: dest$ put a"]),
        (for_ever, [*([put("a")] * 200), "more than 200 deeds"]),
        (broken, [put("a"), LEFT]),
    ],
)
def test_an_act_is_driven_without_doing(act: Any, told: list[Any]) -> None:  # noqa: ANN401 - a generator function
    assert would_do(act) == told


@pytest.mark.parametrize(
    "use",
    [
        lambda it: it.text,
        lambda it: it["a"],
        list,
        bool,
        lambda it: it == 1,
        lambda it: it != 1,
        lambda it: "a" in it,
        lambda it: f"{it}",
        str,
        int,
        lambda it: it < 1,
        lambda it: {it},
        lambda it: it(),
    ],
)
def test_whatever_is_asked_of_an_answer_that_nobody_has_says_so(use: Any) -> None:  # noqa: ANN401 - a lambda
    with pytest.raises(NotKnownYet, match="of the dump"):
        use(Unknown("of the dump"))


def test_a_look_that_leaves_a_list_on_a_host_is_not_made() -> None:
    writes = Ask(Command(Role.DEST, ("python3", "-", "/opt", "--out", "/var/lib/list")))
    assert not changes_nothing(writes)
    assert changes_nothing(Ask(Command(Role.DEST, ("cat", "/out"))))
    with pytest.raises(NotKnownYet):
        ReadOnly(reach(plan())).observe(writes)
    with pytest.raises(NotKnownYet):
        ReadOnly(reach(plan())).do(put("a"))


def test_a_command_is_typed_again_without_what_was_approved_ahead() -> None:
    words = ["features/", "--approve", "freeze", "--live", "CHG1", "--approve=cutover", "--plan", "m.yml"]

    assert typed_again(words) == "pytest features/ --live CHG1 --plan m.yml"


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("plan") / "migration.yml"
    path.write_text(yaml.safe_dump(CONTENT))
    (path.parent / "randomly.py").write_text("def pytest_report_header(config):\n    return 'here'\n")
    return path


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("features/ --live CHG0031338", ["--live CHG0031338: the plan is that of CHG0031337"]),
        (
            f"features/10_preflight.feature --live CHG0031337 {THINNED}",
            [
                *("-k leaves", "-m leaves", "--deselect leaves", "--setup-plan does", "--fault is", "--fresh is"),
                *("--lf leaves", "the plugin randomly", "features/10_preflight.feature is not features/ or features/rollback"),
            ],
        ),
        ("features/ --live CHG0031337 -n 2", ["REFUSED -n runs scenarios side by side"]),
        ("features/ features/rollback.feature --dry-run", ["features/ features/rollback.feature is not features/ alone"]),
    ],
)
def test_a_live_command_that_is_not_the_whole_runbook_is_refused(plan_file: Path, arguments: str, said: list[str]) -> None:
    argv = (
        sys.executable,
        "-m",
        "pytest",
        *shlex.split(arguments),
        "--plan",
        str(plan_file),
        "--reports",
        str(plan_file.parent / "r"),
    )
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(plan_file.parent), "MOVE_KEY": "a", "VERIFY_PASSWORD": "b"}

    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60, env=environment)

    printed = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 13, done.stdout + done.stderr
    assert [one for one in said if one not in printed] == []
    assert not (plan_file.parent / "r").exists()


def test_beside_the_features_lies_nothing(tmp_path: Path) -> None:
    for name in ("10_a.feature", "conftest.py", "__pycache__", "test_a.py"):
        (tmp_path / name).touch()

    assert strange(tmp_path) == ["conftest.py", "test_a.py"]
    assert strange(ROOT / "features") == []


def test_every_option_that_is_refused_says_which() -> None:
    assert all(said.split()[0].startswith("-") for said in REFUSED.values())
