"""Who says yes at a gate, and which red facts a person has accepted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from harness.client import LOST_NOTHING
from harness.errors import Refused
from harness.run.values import Loss, Waiver

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FREEZE, CUTOVER, RETIRE = "freeze", "cutover", "retire"
GATES = {50: FREEZE, 85: CUTOVER, 98: RETIRE}
# What a frozen live run asks beside its gates: to go on outside the window, and otherwise than it was approved.
WINDOW, CHANGED = "window", "changed"


def gate_of(number: int, scenario: str) -> str:
    """Return a gate's name for --approve: by its feature, else the scenario's own name."""
    return GATES.get(number, scenario)


def approver(given: Sequence[str], *, rehearsal: bool, change: str, ask: Callable[[str], str] | None) -> Callable[[str], str]:
    """Return what answers a gate: who approved it, or nothing.

    `given` are the gates approved ahead, and what a frozen run may do otherwise ("window", "changed"). A rehearsal
    approves its own. Else the person at the terminal types the change number.
    """
    if unknown := set(given) - {*GATES.values(), WINDOW, CHANGED}:
        raise Refused(f"no gate is called {', '.join(sorted(unknown))}; there are: {', '.join(GATES.values())}")

    def approved_by(gate: str) -> str:
        if gate in given:
            return "given ahead by --approve"
        if rehearsal:
            return "the rehearsal itself"
        typed = ask(f"{gate}: type the change number {change} to go on, anything else to stop here: ") if ask else ""
        return "typed at the terminal" if typed.strip() == change else ""

    return approved_by


def waivers(scenarios: Sequence[str], reason: str, who: str, until: str) -> Mapping[str, Waiver]:
    """Return the waivers of a command line; raises Refused when one says less than it must."""
    if not scenarios:
        return {}
    if LOST_NOTHING in scenarios:
        raise Refused(f"“{LOST_NOTHING}” is waived by its count only: --accept-loss N --approver NAME")
    if not (reason and who and until):
        raise Refused("a waiver needs --reason, --approver and --until (ISO 8601, with its time zone)")
    try:
        end = datetime.fromisoformat(until)
    except ValueError as error:
        raise Refused(f"--until is no time: {until}") from error
    if end.tzinfo is None or end < datetime.now(UTC):
        raise Refused(f"--until must have a time zone and lie ahead: {until}")
    return {scenario: Waiver(scenario, reason, who, end) for scenario in scenarios}


def accepted_loss(count: int | None, who: str) -> Loss | None:
    """Return what a command line accepts as lost; raises Refused when it does not say who does."""
    if count is None:
        return None
    if count < 0 or not who:
        raise Refused("--accept-loss N needs --approver, and a number that is not negative")
    return Loss(count, who)
