"""Standing facts: what must hold from one scenario until a named mark, looked at before every act."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import configuration, launching, preflight, remade, seal, service, verification
from harness.check import Check, Witness, equal
from harness.deed import Ask, Command, Role
from harness.run.fold import name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.configuration import Config
    from harness.deed import CommandResult, Reading
    from harness.plan import Plan
    from harness.run.fold import State

BOOT = "the dest has not been rebooted"
FROZEN = "the source is frozen"
SEALED = "the seal of the source is whole"
SERVES = "the dest serves"
CONFIG = "the dest config is as planned"
CONFIG_FILES = 'for path; do [ ! -e "$path" ] || find -H "$path" -maxdepth 1 -type f -exec sha256sum {} + || exit 1; done'
READ: dict[str, Config] = {}
BOOTED = 'cat /proc/sys/kernel/random/boot_id; sed "s/.*) //" /proc/1/stat | cut -d " " -f 20'


@dataclass(frozen=True, slots=True)
class Standing:
    """A fact that stands once the scenario `since` is green, until the mark `until` (or until the run is closed).

    Broken, it unsettles the runbook from the scenario `unsettles` on. `value` reads what is remembered when it begins. A rollback
    undoes what the others stand for: it looks only at those that hold `on_the_way_back` too.
    """

    name: str
    since: str
    until: str
    unsettles: str
    look: Callable[[Plan, State], Reading[list[Check]]]
    value: Callable[[Plan], Reading[str]] | None = None
    on_the_way_back: bool = False


def in_force(state: State, standing: tuple[Standing, ...]) -> list[Standing]:
    """Return the standing facts that must hold now."""
    return [fact for fact in standing if fact.name in state.facts and not (fact.until and fact.until in state.marks)]


def begun_by(scenario: str, state: State, standing: tuple[Standing, ...]) -> list[Standing]:
    """Return the standing facts that a scenario, once green, begins."""
    return [fact for fact in standing if fact.since == scenario and fact.name not in state.facts]


def _pinned(_plan: Plan, _state: State) -> Reading[list[Check]]:
    return (yield from preflight.all_keys_are_pinned())


def _frozen(plan: Plan, _state: State) -> Reading[list[Check]]:
    return (yield from service.frozen(plan))


def _config_of_source(plan: Plan) -> Reading[Config]:
    """Read the source's config once: its core is stopped by then, and what is looked at is what was sealed."""
    if plan.run_folder not in READ:
        READ[plan.run_folder] = yield from configuration.of_source(plan)
    return READ[plan.run_folder]


def _sealed(plan: Plan, state: State) -> Reading[list[Check]]:
    config = yield from _config_of_source(plan)
    whole = yield from seal.is_whole(plan, config, state.measured)
    return [whole]


def _dest_stopped(plan: Plan, _state: State) -> Reading[list[Check]]:
    return (yield from service.stopped_and_not_enabled(plan, Role.DEST))


def _container(plan: Plan, _state: State) -> Reading[list[Check]]:
    return [(yield from remade.is_as_planned(plan))]


def _config_sums(plan: Plan) -> Reading[list[str]]:
    """Return what sha256sum says of the dest's config files, those beside the core's own included (a forgotten override)."""
    tree = () if plan.core.docker else (f"{plan.core.app_path}/config",)
    where = (*plan.core.config_paths, *tree)
    answer: CommandResult = yield Ask(Command(Role.DEST, ("sh", "-c", CONFIG_FILES, "sh", *where)))
    return answer.lines


def _digest(lines: list[str]) -> str:
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def _as_planned(lines: list[str], held: Mapping[str, tuple[str, str]]) -> list[str]:
    """Return the lines where each file of `held` that has the first of its sums counts as if it had the second."""
    planned = {f"{meanwhile}  {path}": f"{sum_}  {path}" for path, (meanwhile, sum_) in held.items()}
    return [planned.get(line, line) for line in lines]


def _config_digest(plan: Plan) -> Reading[str]:
    """Return one digest over the dest's config files."""
    return _digest((yield from _config_sums(plan)))


def _config(plan: Plan, state: State) -> Reading[list[Check]]:
    """Look at the dest's config; until that is given back, exactly what the launch holds back is no difference."""
    lines = yield from _config_sums(plan)
    now = _digest(lines)
    if now != state.facts[CONFIG] and not any(name_of(key) == launching.GIVEN_BACK for key in state.green):
        source = yield from _config_of_source(plan)
        now = _digest(_as_planned(lines, (yield from launching.sums(plan, source))))
    why = "the dest core would start with another config than was looked at"
    return [equal("digest of the dest's config files", Witness.FILES, state.facts[CONFIG], now, why=why)]


def booted(_plan: Plan) -> Reading[str]:
    """Return what tells one boot of the dest from another: the kernel's boot id and the start of its first process."""
    answer: CommandResult = yield Ask(Command(Role.DEST, ("sh", "-c", BOOTED)))
    return " ".join(answer.lines)


def _not_rebooted(plan: Plan, state: State) -> Reading[list[Check]]:
    now = yield from booted(plan)
    return [
        equal("boot of the dest", Witness.PROCESSES, state.facts[BOOT], now, why="what was written may not have reached the disk")
    ]


def _serves(plan: Plan, _state: State) -> Reading[list[Check]]:
    config = yield from _config_of_source(plan)
    found = yield from verification.ready(config, Role.DEST)
    return [found]


PINNED = "Both hosts answer with the keys we pinned"
INSTALLED = "The dest has the source's core version"
MADE = "The dest has the source's container, not started"
CONFIGURED = "The dest config differs only in the planned changes"
DUMPED = "The PostgreSQL dump is complete"
LAUNCHED = "The dest core starts clean"
STANDING: tuple[Standing, ...] = (
    Standing("both hosts have the pinned keys", PINNED, "", PINNED, _pinned, on_the_way_back=True),
    Standing(FROZEN, "The source core is fenced", "", "The source core is stopped", _frozen),
    Standing(SEALED, "What was measured is sealed", "T_start", "What was measured is sealed", _sealed),
    Standing("the dest core is stopped and does not start at boot", INSTALLED, "T_start", INSTALLED, _dest_stopped),
    Standing("the dest's container is the source's, but for the planned changes", MADE, "", MADE, _container),
    Standing(CONFIG, CONFIGURED, "", CONFIGURED, _config, _config_digest),
    Standing(BOOT, DUMPED, "T_start", DUMPED, _not_rebooted, booted),
    Standing(SERVES, LAUNCHED, "", LAUNCHED, _serves),
)
