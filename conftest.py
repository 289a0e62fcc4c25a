"""Wiring only: options, the steps, and which hosts a run gets."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from harness.recording.plugin import Runbook, is_runbook, register
from harness.run.endings import REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.recording.plugin import Opened

ROOT = Path(__file__).parent


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of a run."""
    group = parser.getgroup("runbook", "moving a core")
    group.addoption("--plan", type=Path, help="the plan (migration.yml); without it, a rehearsal makes its own")
    group.addoption("--live", metavar="CHANGE", help="move the hosts of the plan; the number must be that of its change")
    group.addoption("--dry-run", action="store_true", help="look at the hosts of the plan, change nothing, write the plan document")
    group.addoption("--rehearse", action="store_true", help="rehearse the plan on new disposable hosts of its shape")
    group.addoption(
        "--approved", type=Path, metavar="FILE", help="the approval of the plan document (else the newest in --reports)"
    )
    group.addoption(
        "--hosts", choices=("containers", "loopback"), help="which rehearsal hosts are made: containers where an engine answers"
    )
    group.addoption("--deploy", choices=("systemd", "docker"), help="how the core is run on new containers (systemd unless said)")
    group.addoption(
        "--install",
        choices=("copy-image", "pull-image"),
        help="with --deploy docker: how the dest gets the image (copied unless said)",
    )
    group.addoption(
        "--core-image", metavar="REF", help="rehearse with a core's own image, in a container: in the engine, or pulled"
    )
    group.addoption("--core-tree", type=Path, metavar="DIR", help="rehearse with a real core: a native checkout, built")
    group.addoption("--node", type=Path, metavar="BIN", help="the node that runs it")
    group.addoption("--rqlited", type=Path, metavar="BIN", help="keep the core's platform in rqlite: the rqlited that does it")
    group.addoption("--cutover", choices=("dns", "proxy"), default="dns", help="how a rehearsal's users are led to the dest")
    group.addoption("--scale", default="1", help="how much new hosts' source has: N times 20 people with 2,000 events, or small")
    group.addoption(
        "--transfer", choices=("literal", "preseed"), default="literal", help="new hosts' plan: what is sent before users wait"
    )
    group.addoption("--worlds", type=Path, default=ROOT / ".rehearsal", help="where rehearsal hosts lie")
    group.addoption("--reports", type=Path, default=ROOT / "reports", help="where the record goes")
    group.addoption("--fresh", action="store_true", help="rehearse on new hosts, whatever was kept")
    group.addoption("--fault", metavar="NAME", help="rehearse with a declared fault or control (fixtures/faults)")
    group.addoption("--approve", metavar="GATES", help="approved ahead: freeze,cutover,retire (frozen: window,changed)")
    group.addoption("--ask", action="store_true", help="a rehearsal asks at gates, as a live run does")
    group.addoption("--adopt", choices=("source", "dest"), help="go on with a run from the copy of its journal on a host")
    group.addoption("--waive", action="append", metavar="SCENARIO", help="accept the red facts of a scenario")
    group.addoption("--reason", help="why they are accepted")
    group.addoption("--approver", help="who accepts them, or that writes are lost")
    group.addoption("--accept-loss", type=int, metavar="N", help="accept that at most N writes of users are lost (--approver)")
    group.addoption("--until", metavar="TIME", help="until when (ISO 8601 with time zone)")


def pytest_configure(config: pytest.Config) -> None:
    """Register the runbook when features are named on the command line."""
    if not is_runbook(config.args):
        return
    live = config.option.live or config.option.dry_run
    if live and config.option.rehearse:
        raise pytest.UsageError("--rehearse is no live run: leave out --live and --dry-run")
    if getattr(config.option, "numprocesses", None):  # pytest-xdist's, where it is installed
        if live:
            pytest.exit("REFUSED  -n runs scenarios side by side: nothing was changed", returncode=REFUSED)
        raise pytest.UsageError("a move is one process: scenarios come one after the other (leave out -n)")
    for module in sorted((ROOT / "steps").glob("[a-z]*.py")):
        config.pluginmanager.register(importlib.import_module(f"steps.{module.stem}"), f"steps.{module.stem}")
    _quiet(config)
    named = tuple(Path(argument.split("::")[0]).resolve() for argument in config.args)
    register(config, Runbook(open=_open, say=lambda text: _say(config, text), named=named))


def _quiet(config: pytest.Config) -> None:
    """Leave the terminal to the narration: no tracebacks, no letters, no summary of pytest's own."""
    config.option.tbstyle = "no"
    config.option.no_header = True
    config.option.no_summary = True
    config.option.reportchars = ""
    config.option.showfspath = False
    config.option.verbose = min(config.option.verbose, -2)


def _say(config: pytest.Config, text: str) -> None:
    """Print a line although pytest captures what steps print."""
    capture = config.pluginmanager.getplugin("capturemanager")
    reporter = config.pluginmanager.getplugin("terminalreporter")
    with capture.global_and_fixture_disabled():
        reporter.write_line(text)
        reporter.flush()


def _asks(config: pytest.Config) -> Callable[[str], str] | None:
    """Return what asks the person at the terminal, or None where there is none; pytest keeps the terminal from us until then."""
    capture = config.pluginmanager.getplugin("capturemanager")

    def ask(question: str) -> str:
        capture.suspend(in_=True)
        try:
            return input(question)
        except EOFError:
            return ""
        finally:
            capture.resume()

    capture.suspend(in_=True)
    try:
        return ask if sys.stdin.isatty() else None
    finally:
        capture.resume()


def _open(session: pytest.Session, whole: bool) -> Opened:
    config = session.config
    if config.option.live or config.option.dry_run:
        return _open_live(session, whole=whole)
    from fixtures.rehearsal import open_rehearsal  # noqa: PLC0415 - unit tests and --collect-only need no rehearsal hosts

    return open_rehearsal(config, ROOT, lambda text: _say(config, text), _asks(config), whole=whole)


def _open_live(session: pytest.Session, *, whole: bool) -> Opened:
    from fixtures.faults import proof  # noqa: PLC0415 - as above
    from harness.live import Terminal, open_dry, open_live  # noqa: PLC0415 - as above

    config = session.config
    terminal = Terminal(lambda text: _say(config, text), _asks(config))
    if config.option.dry_run:
        return open_dry(session, ROOT, terminal)
    return open_live(session, ROOT, terminal, proof, whole=whole)
