"""The pytest plugin: collects features, lints them, runs them in order, and writes what happens to the journal.

What opens a run (a rehearsal's hosts, or a plan's) and what ends it is given by the caller, so that this module knows neither.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from _pytest.outcomes import OutcomeException

from harness.configuration import effective
from harness.deed import Role
from harness.errors import CollectError, HarnessError, LossNotAccepted, Refused, StoppedForApproval, Stuck
from harness.recording import applicable, collect, nouns
from harness.recording.outline import outline
from harness.recording.words import remember
from harness.run.endings import GREEN, RED, REFUSED, STOPPED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import FrameType

    from pytest_bdd.parser import Scenario as GherkinScenario
    from pytest_bdd.parser import Step

    from harness.run import Run
    from harness.run.values import Scenario

CODES: Mapping[type, int] = {StoppedForApproval: STOPPED, LossNotAccepted: REFUSED}
SCENARIO = pytest.StashKey["Scenario"]()
NOT_APPLICABLE = pytest.StashKey[str]()


@dataclass
class Opened:
    """A run that may begin, and how it is ended: `close` gets the exit code and returns the last lines for the terminal.

    `outcome` makes of what pytest found the exit code of the run (a rollback that came to its end is no plain success).
    """

    run: Run
    close: Callable[[int, str], Sequence[str]]
    after_scenario: Callable[[], None] = lambda: None
    end_deeds: Callable[[], None] = lambda: None
    outcome: Callable[[int], int] = lambda code: code


@dataclass
class Runbook:
    """One pytest session that runs features."""

    open: Callable[[pytest.Session, bool], Opened]
    say: Callable[[str], None]
    opened: Opened | None = None
    items: list[pytest.Item] = field(default_factory=list)
    red: str = ""
    cause: str = ""
    code: int = GREEN
    named: tuple[Path, ...] = ()
    _feature: str = ""

    # --- collecting

    def pytest_collect_file(self, file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
        """Collect numbered features, and others when they are named."""
        if not collect.is_wanted(file_path, self.named):
            return None
        return collect.FeatureFile.from_parent(parent, path=file_path)

    def pytest_bdd_apply_tag(self, tag: str) -> bool | None:
        """Leave unknown tags to our own lint, which tells them with everything else."""
        return None if tag in collect.TAGS else True

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Lint everything that was collected, before anything runs."""
        self.items = [item for item in session.items if collect.template_of(item)]
        problems = session.stash.get(collect.PROBLEMS, [])
        if session.config.option.collectonly or not (self.items or problems):
            return
        for item in self.items:
            problems += self._problems(item)
        if problems:
            self._refuse(CollectError(f"the features are no runbook: {len(problems)} problem(s)", problems))

    def _problems(self, item: pytest.Item) -> list[str]:
        template = collect.template_of(item)
        if template is None:
            return []
        scenario, gherkin = collect.rendered(item, template)
        item.stash[SCENARIO] = scenario
        return [f"{item.path.name}: “{gherkin.name}” {problem}" for problem in collect.step_problems(item, gherkin)]

    def _refuse(self, error: HarnessError) -> None:
        self.say(f"REFUSED  {error}")
        pytest.exit("refused: nothing was changed", returncode=REFUSED)

    # --- running

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Open the run once everything is collected and linted."""
        if not self.items or session.config.option.collectonly or session.testsfailed:
            if not (self.items or session.items or session.config.option.collectonly or session.testsfailed):
                self.say("REFUSED  no scenario is left to be run")
            return
        if len(self.items) != len(session.items):
            self._refuse(Refused("features and other tests do not run in one session"))
        try:
            whole = all(collect.NUMBERED.match(item.path.name) for item in self.items)
            self.opened = self.open(session, whole)
            self._decide_not_applicable(self.opened.run)
            signal.signal(signal.SIGINT, self._on_interrupt)
        except Stuck as error:
            self.say(f"RED  {error}")
            pytest.exit("the run could not be taken up", returncode=RED)
        except HarnessError as error:
            self._refuse(error)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Leave out what does not apply, is settled or is blocked; the record says which and why."""
        scenario = item.stash.get(SCENARIO, None)
        if scenario is None or self.opened is None:
            return
        run = self.opened.run
        if scenario.feature != self._feature:
            self._feature = scenario.feature
            run.journal.append("feature", feature=scenario.feature, file=item.path.name, outline=outline(item.path))
        status, cause = self._left_out(item, scenario, run)
        if status:
            run.not_run(scenario, status, cause)
            pytest.skip(f"{status}: {cause}")

    def _left_out(self, item: pytest.Item, scenario: Scenario, run: Run) -> tuple[str, str]:
        if self.red:
            return "blocked", f"blocked by: {self.red}"
        if reason := item.stash[NOT_APPLICABLE]:
            return "not applicable", reason
        if run.state.settled(scenario.key):
            return "settled", "green in this run, and nothing has unsettled it"
        return "", ""

    def _decide_not_applicable(self, run: Run) -> None:
        """Decide what does not apply, before the first scenario: by the table, never by a step."""
        config = run.read(effective(run.plan, Role.SOURCE))
        for item in self.items:
            callspec = getattr(item, "callspec", None)
            row = callspec.params.get("_pytest_bdd_example", {}) if callspec else {}
            item.stash[NOT_APPLICABLE] = applicable.reason(run.plan, config, item.stash[SCENARIO].tags, row)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Block what comes after a failure of pytest's own (a fixture, a hook): it is red too, and never passed over."""
        if report.failed and self.items and not self.red:
            self.red, self.cause, self.code = report.nodeid, str(report.longrepr), RED

    def pytest_bdd_before_scenario(self, request: pytest.FixtureRequest) -> None:
        """Begin a scenario in the record; the retire asks for its yes before anything of it is looked at."""
        if self.opened:
            self.opened.run.begin(request.node.stash[SCENARIO])
            self.opened.run.ask_ahead()

    def pytest_bdd_before_step(self, request: pytest.FixtureRequest, scenario: GherkinScenario, step: Step) -> None:
        """Remember which step comes."""
        remember(request, scenario, step)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """End the scenario in the record, whatever happened in it."""
        scenario = item.stash.get(SCENARIO, None)
        if scenario is None or self.opened is None:
            return (yield)
        try:
            result = yield
            self.opened.run.end(green=True)
        except (Exception, OutcomeException, KeyboardInterrupt) as error:
            self._red(scenario, error)
            raise
        self._keep_copies(scenario, self.opened)
        return result

    def _keep_copies(self, scenario: Scenario, opened: Opened) -> None:
        """Do what is done after each scenario: a run whose hosts cannot keep its record does not go on."""
        try:
            opened.after_scenario()
        except HarnessError as error:
            self.red, self.code = scenario.key, RED
            self.cause = f"after “{scenario.name}” the hosts' copies of the record could not be kept: {error}"
            raise

    def _red(self, scenario: Scenario, error: BaseException) -> None:
        self.red, self.cause = scenario.key, str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
        self.code = CODES.get(type(error), RED)
        if self.opened:
            self.opened.run.end(green=False, cause=self.cause)
            if isinstance(error, KeyboardInterrupt):
                self.cause = "ended by the operator (Ctrl-C, twice)"
                self.opened.end_deeds()

    def _on_interrupt(self, number: int, frame: FrameType | None) -> None:
        """First Ctrl-C: the deed that is being done is finished, and nothing after it begun. Second: it is ended."""
        if self.opened is None or self.opened.run.doing.stopping:
            signal.default_int_handler(number, frame)
        else:
            self.opened.run.doing.stopping = True
            self.say("Ctrl-C: stopping once this deed is done; again: ends it now")

    # --- ending

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the verdict and end the run."""
        if self.opened is None:
            return
        interrupted = session.exitstatus == pytest.ExitCode.INTERRUPTED and not self.red
        self.code = self.opened.outcome(self.code or (RED if interrupted or session.testsfailed else GREEN))
        session.exitstatus = self.code
        for line in self.opened.close(self.code, self.cause or ("interrupted" if interrupted else "")):
            self.say(line)

    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Keep pytest's own letters out of the narration."""
        if not self.items:
            return None
        if report.when == "call" or (report.when == "setup" and report.outcome != "passed"):
            return report.outcome, "", ""
        return "", "", ""


def register(config: pytest.Config, runbook: Runbook) -> None:
    """Make this pytest session one that runs features."""
    config.pluginmanager.register(runbook, nouns.PLUGIN)
    config.pluginmanager.register(nouns, "runbook-nouns")


def is_runbook(arguments: Sequence[str]) -> bool:
    """Whether a command line names features."""
    return any(re.search(r"(^|/)features(/|$)|\.feature($|::)", argument) for argument in arguments)
