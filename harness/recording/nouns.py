"""The fixtures that steps may ask for: run, plan, source, dest, platform. They are made when first asked for, once a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from harness.configuration import Config, of_source
from harness.deed import Role
from harness.errors import Refused

if TYPE_CHECKING:
    from harness.plan import Plan
    from harness.run import Run

PLUGIN = "runbook"


@dataclass(frozen=True, slots=True)
class Core:
    """One of the two cores: its role and its effective config (the dest's is what the plan makes of the source's)."""

    role: Role
    config: Config


@pytest.fixture(scope="session")
def run(pytestconfig: pytest.Config) -> Run:
    """Return the run."""
    opened = pytestconfig.pluginmanager.getplugin(PLUGIN).opened
    if opened is None:
        raise Refused("no run was opened")
    found: Run = opened.run
    return found


@pytest.fixture(scope="session")
def plan(run: Run) -> Plan:
    """Return the plan."""
    return run.plan


@pytest.fixture(scope="session")
def source(run: Run) -> Core:
    """Return the source core, its effective config read when first asked for."""
    return Core(Role.SOURCE, run.read(of_source(run.plan)))


@pytest.fixture(scope="session")
def dest(run: Run, source: Core) -> Core:
    """Return the dest core with the config that the plan gives it."""
    return Core(Role.DEST, source.config.changed(run.plan.planned_changes))


@pytest.fixture(scope="session")
def platform(dest: Core) -> Core:
    """Return the core whose platform database is asked: on a single core, the dest's own."""
    return dest
