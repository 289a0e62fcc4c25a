"""What a record says in one sentence, what it does not show, and where it does not bear out its own verdict.

The verdict line is the run's own word. It is repeated only where the lines above it bear it out; a green verdict that they do not
bear out is shown as in doubt, and a record without a verdict as unfinished.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.report.steps import WAIVED
from harness.report.tree import GOOD_STEPS
from harness.shown import between, clock, plural, printable, seconds

if TYPE_CHECKING:
    from harness.report.tree import DeedView, Pair, Record, Scenario, Turn

SOUND = frozenset({"green", "settled", "not applicable"})
NAMED_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """The report's first lines. `status` is the run's own word, "unfinished" or "in doubt"; `state` is the state block."""

    status: str
    sentence: str
    doubts: tuple[str, ...]
    not_shown: tuple[str, ...]
    state: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outage:
    """How long users waited: from T_stop to T_open (UTC texts, empty where there is none), in seconds."""

    stopped: str
    opened: str
    seconds: float | None
    planned_s: float | None


def judge(record: Record) -> Verdict:
    """Return the verdict of a record."""
    line = record.newest.verdict
    not_shown = tuple(_not_shown(record))
    if line is None:
        return Verdict("unfinished", _unfinished(record), (), not_shown, ())
    status = str(line.get("status", ""))
    doubts = tuple(_doubts(record, claims_green=status == "green"))
    status = "in doubt" if status == "green" and doubts else status
    state = line.get("state") or []
    lines = state if isinstance(state, list) else str(state).splitlines()
    return Verdict(status, _sentence(status, printable(str(line.get("text") or ""))), doubts, not_shown, tuple(map(str, lines)))


def _sentence(status: str, said: str) -> str:
    """Return the verdict's text, led by its status unless it begins with that itself."""
    if said.lower().startswith(status.lower()):
        return said[:1].upper() + said[1:]
    return f"{status.capitalize()}: {said}" if said else f"{status.capitalize()}."


def _unfinished(record: Record) -> str:
    """Say how far a record came that holds no verdict."""
    parts = ["the record ends without a verdict"]
    parts += [
        f"“{scenario.name}” had begun and did not end" for scenario in record.scenarios if _in_newest(scenario, record) == "begun"
    ]
    intents = open_intents(record)
    deeds = _deeds(record)
    if intents:
        parts.append(
            f"the last intent was “{printable(intents[-1].deed)}” at {clock(intents[-1].begun)} UTC, and nothing answered it"
        )
    elif deeds:
        said = "nothing answered it" if deeds[-1].ok is None else "it was answered"
        parts.append(f"the last intent was “{printable(deeds[-1].deed)}” at {clock(deeds[-1].begun)} UTC, and {said}")
    else:
        parts.append("no intent is in it: nothing was changed")
    if record.torn:
        parts.append(f"its last line is torn ({plural(record.torn, 'byte')}): a writer was killed")
    return f"Unfinished: {'; '.join(parts)}."


def open_intents(record: Record) -> list[DeedView]:
    """Return the intents of the newest attempt that nothing answered, in the order of the journal."""
    return [deed for deed in _deeds(record) if deed.ok is None and deed.attempt == record.newest.number]


def _deeds(record: Record) -> list[DeedView]:
    deeds = [deed for scenario in record.scenarios for turn in scenario.turns for deed in turn.deeds]
    return sorted(deeds, key=lambda deed: deed.seq)


def _in_newest(scenario: Scenario, record: Record) -> str:
    """Return the scenario's status in the newest attempt, empty where it does not occur in it."""
    return scenario.last.status if scenario.last.attempt == record.newest.number else ""


def _doubts(record: Record, *, claims_green: bool) -> list[str]:
    """Return where the lines do not bear out the verdict."""
    doubts = [
        f"“{printable(deed.deed)}” was begun at {clock(deed.begun)} UTC and nothing answered it" for deed in open_intents(record)
    ]
    if record.torn:
        doubts.append(f"the last line of the journal is torn ({plural(record.torn, 'byte')})")
    if claims_green:
        here = [scenario for scenario in record.scenarios if _in_newest(scenario, record)]
        doubts += [doubt for scenario in here for doubt in _unproved(scenario)]
        if not any(scenario.last.status in {"green", "settled"} for scenario in here):
            doubts.append("no scenario is green")
    return doubts


def _unproved(scenario: Scenario) -> list[str]:
    """Return why a scenario does not stand for a green verdict."""
    name = f"“{scenario.name}”"
    if scenario.last.status not in SOUND:
        return [f"{name} is {'not ended' if scenario.last.status == 'begun' else scenario.last.status}"]
    if scenario.last.status == "not applicable":
        return []
    if scenario.evidence.status != "green":
        return [f"{name} is settled, and no attempt in this record shows it green"]
    return [f"{name} is green, yet {reason}" for reason in _weak(scenario.evidence)]


def _weak(turn: Turn) -> list[str]:
    """Return what in a green turn does not hold: a step, the newest look of a check, or that there is no check."""
    reasons = [f"its step “{step.text}” is {step.status}" for step in turn.steps if step.status and step.status not in GOOD_STEPS]
    proving = [step for step in turn.steps if step.status != "waived"]
    newest = {(step.text, pair.newest.name): pair for step in proving for pair in step.pairs if pair.after}
    reasons += [f"“{pair.newest.name}” is {_said(pair)}" for pair in newest.values() if pair.red]
    return reasons if newest or len(proving) < len(turn.steps) else [*reasons, "no check was looked at for good"]


def _said(pair: Pair) -> str:
    return pair.newest.shortfall or pair.newest.outcome


def _not_shown(record: Record) -> list[str]:
    """Return what a reader must not take from this record."""
    run = record.newest.run
    said = [
        f"A defect was put in on purpose ({printable(str(entry.line.get('text', '')))})."
        for entry in record.of_kind("note")
        if entry.attempt == record.newest.number and str(entry.line.get("text", "")).startswith("fault ")
    ]
    if "stand-in" in str(run.get("core", "")).lower():
        said.append("The stand-in core was used in place of a real one.")
    if run.get("mode") == "rehearsal":
        said.append("This was a rehearsal on disposable hosts: the hosts of the change itself were not touched.")
    for status, words in (
        ("not applicable", "not applicable"),
        ("blocked", "not run"),
        ("begun", "begun and not ended"),
    ):
        said += _counted([scenario for scenario in record.scenarios if _in_newest(scenario, record) == status], words)
    said += _counted(
        [scenario for scenario in record.scenarios if not _in_newest(scenario, record)], "not reached in the last attempt"
    )
    settled = [scenario for scenario in record.scenarios if _in_newest(scenario, record) == "settled"]
    if settled:
        said.append(f"{plural(len(settled), 'scenario')} settled: green in an earlier attempt and not looked at again.")
    said += [
        f"How “{printable(deed.deed)}” of attempt {deed.attempt} ended is not in this record."
        for deed in _deeds(record)
        if deed.ok is None and deed.attempt != record.newest.number
    ]
    deviations = record.of_kind("deviation")
    waived = [entry for entry in deviations if str(entry.line.get("what", "")).startswith(WAIVED)]
    if waived:
        said.append(f"{plural(len(waived), 'red fact')} waived, not proved.")
    return [*said, f"{plural(len(deviations), 'deviation')} accepted; see below."] if deviations else said


def _counted(scenarios: list[Scenario], words: str) -> list[str]:
    """Return one sentence for each cause, naming the first few scenarios."""
    causes: dict[str, list[str]] = defaultdict(list)
    for scenario in scenarios:
        causes[printable(scenario.last.cause)].append(f"“{scenario.name}”")
    return [
        f"{plural(len(names), 'scenario')} {words}{f' ({cause})' if cause else ''}: {', '.join(names[:NAMED_AT_MOST])}"
        f"{f' and {len(names) - NAMED_AT_MOST} more' if len(names) > NAMED_AT_MOST else ''}."
        for cause, names in causes.items()
    ]


def outage(record: Record) -> Outage:
    """Return the outage of the newest epoch: from its T_stop to the first T_open after it."""
    stopped = opened = ""
    for entry in record.of_kind("mark"):
        time = str(entry.line.get("time", ""))
        if entry.line.get("mark") == "T_stop":
            stopped, opened = time, ""
        elif entry.line.get("mark") == "T_open" and stopped and not opened:
            opened = time
    planned = record.newest.run.get("expected_downtime_s")
    return Outage(
        stopped, opened, between(stopped, opened), float(planned) if isinstance(planned, int | float) and planned else None
    )


def outage_said(waited: Outage) -> str:
    """Return the outage in a sentence."""
    planned = f"; planned: {seconds(waited.planned_s)}" if waited.planned_s else ""
    if not waited.stopped:
        return f"users did not wait: the source was not stopped{planned}"
    if waited.seconds is None:
        return f"the source is stopped since {clock(waited.stopped)} UTC and the dest was not opened{planned}"
    over = waited.planned_s is not None and waited.seconds > waited.planned_s
    return f"{seconds(waited.seconds)} from T_stop to T_open{planned}{', longer than planned' if over else ''}"
