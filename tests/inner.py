"""An inner runbook for tests: features and steps in a temporary folder, on a shelf instead of hosts.

The shelf is a set of things. `put THING` and `drop THING` are deeds, `has THING` is an observation; what is on it is kept in a
file, so that the same command can be typed again. Anything else raises.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.deed import Act, Ask, Command, CommandResult, Reading, Role
from harness.errors import Unreachable
from harness.journal import Journal
from harness.recording.plugin import Opened
from harness.run import Run
from harness.run.doing import Doing
from tests.plans import CONFIG, plan

if TYPE_CHECKING:
    import pytest

NO_CORE = '{"running": [], "kept": null}'  # of harness/hostside/started.py
CONFTEST = """
from __future__ import annotations
from pathlib import Path
import pytest
from harness.check import Check, Witness, equal
from harness.deed import Command, Role
from harness.recording.plugin import Runbook, register
from steps.words import given, then, when
from tests.inner import has, open_inner, put

def pytest_configure(config):
    named = tuple(Path(argument).resolve() for argument in config.args)
    register(config, Runbook(open=open_inner, say=print, named=named))

@given("{{thing}} is on the shelf")
@then("{{thing}} is on the shelf")
def is_there(run, thing):
    run.look(has(thing))

@when("{{thing}} is put on the shelf")
def put_it(thing):
    yield put(thing)

{steps}
"""


def put(thing: str) -> Command:
    """Return the deed that puts a thing on the shelf."""
    return Command(Role.DEST, ("put", thing))


def has(thing: str) -> Reading[Check]:
    """Look for a thing: absent when it is not there, not held when something else lies in its place ("broken THING")."""
    found = (yield Ask(Command(Role.DEST, ("has", thing)))).text
    return equal(thing, Witness.FILES, "there", found, absent=found == "absent")


@dataclass
class Shelf:
    """A performer without hosts."""

    file: Path
    things: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.file.exists():
            self.things = json.loads(self.file.read_text())

    def do(self, deed: Command) -> CommandResult:
        """Put or drop a thing; a thing called `bad` fails, one called `gone` is unreachable."""
        verb, thing = deed.argv
        self.done.append(thing)
        if thing == "gone":
            raise Unreachable("the shelf", f"doing {deed}", "it is not there")
        if thing != "bad":
            self.things = [*self.things, thing] if verb == "put" else [one for one in self.things if one != thing]
            self.file.write_text(json.dumps(self.things))
        return CommandResult(deed, int(thing == "bad"), b"", b"no room for it", 0.0)

    def observe(self, asked: Ask) -> CommandResult:
        """Say whether a thing is there; also the config that the runbook reads."""
        command = asked.of
        assert isinstance(command, Command)
        return CommandResult(command, 0, self._answer(*command.argv).encode(), b"", 0.0)

    def _answer(self, verb: str, *words: str) -> str:
        if verb == "find":
            return "/etc/pryv/override.yml"
        if verb == "cat":
            return CONFIG
        if verb == "python3":
            return NO_CORE
        assert verb == "has", verb
        if words[0] == "unreachable":
            raise Unreachable("the shelf", "looking", "it is not there")
        if f"broken {words[0]}" in self.things:
            return "something else"
        if words[0].startswith("slow") and words[0] in self.things:
            return "there" if time.time() > self.file.stat().st_mtime + 0.3 else "absent"
        return "there" if words[0] in self.things else "absent"


def open_inner(session: pytest.Session, whole: object) -> Opened:
    """Open an inner run in the current folder."""
    here = Path.cwd()
    journal = Journal(here / "journal.jsonl")
    journal.open()
    doing = Doing(journal, Shelf(here / "shelf.json"), here / "private")
    run = Run(plan(), doing, rehearsal=True, fresh=not journal.lines, standing=(), approve=lambda _: "the test")
    journal.append("run", run="r1", whole=whole, exit=session.exitstatus)
    if (here / "set_up.py").exists():
        exec((here / "set_up.py").read_text(), {"run": run})  # noqa: S102 - the test wrote it
    standing = here / "standing.py"
    if standing.exists():
        names: dict[str, Any] = {}
        exec(standing.read_text(), names)  # noqa: S102 - the test wrote it
        run.standing = names["STANDING"]
    return Opened(run, lambda code, cause: [f"CODE {code} {cause}"])


@dataclass
class Inner:
    """One inner runbook and what became of it."""

    pytester: pytest.Pytester

    def run(self, feature: str, steps: str = "", *arguments: str) -> Inner:
        """Write a feature (named 10_inner) and its own steps, and run it in this process."""
        self.pytester.makeconftest(CONFTEST.replace("{{", "{").replace("}}", "}").replace("{steps}", steps))
        features = self.pytester.path / "features"
        features.mkdir(exist_ok=True)
        (features / "10_inner.feature").write_text(feature, encoding="utf-8")
        return self.again(*arguments)

    def again(self, *arguments: str) -> Inner:
        """Type the same command again."""
        self.result = self.pytester.runpytest_inprocess(
            "features", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", *arguments
        )
        self.code = int(self.result.ret)
        self.printed = self.result.stdout.str()
        return self

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The journal's lines."""
        file = self.pytester.path / "journal.jsonl"
        return [json.loads(text) for text in file.read_text().splitlines()] if file.exists() else []

    def status(self, scenario: str) -> str:
        """Return the last status of a scenario."""
        return [line for line in self.lines if line["kind"] == "scenario" and line["scenario"] == scenario][-1]["status"]  # type: ignore[no-any-return]

    def cause(self, scenario: str) -> str:
        """Return why a scenario was not green."""
        return [line for line in self.lines if line["kind"] == "scenario" and line["scenario"] == scenario][-1]["cause"]  # type: ignore[no-any-return]

    def kinds(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the lines of some kinds."""
        return [line for line in self.lines if line["kind"] in kinds]

    @property
    def shelf(self) -> list[str]:
        """What is on the shelf."""
        file = self.pytester.path / "shelf.json"
        return json.loads(file.read_text()) if file.exists() else []


__all__ = ["Act", "Inner", "Role", "Shelf", "has", "open_inner", "put"]
