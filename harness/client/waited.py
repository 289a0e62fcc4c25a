"""How long clients waited and how fast they were answered: facts about the past, told as deviations where nothing mends them.

Each is read from the ledgers and the marks; nothing is asked.
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness
from harness.client import ledger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.plan import Plan

AT_LEAST = 3
AGREED_S = 1.0
NOBODY_SAW = "no client saw the whole outage: it is told by the marks alone"
LONGER = "the outage was longer than planned"
SLOWER = "reads take longer since users are served by the dest"
PACE = "a read of the client, median seconds"
NOT_PACED = "no client read before the freeze: how fast reads were then is not known"
APART = "the client and the marks tell of other outages"
SLOWER_TIMES, SLOWER_S = 3.0, 0.05


def outage(plan: Plan, folder: Path, marks: Mapping[str, str]) -> dict[str, Any]:
    """Return the outage as it was planned, as the marks tell it and as clients saw it, in seconds; None where they did not.

    "from T_stop" is until the first write that was saved after T_open: what the marks know the beginning of.
    """
    stopped, opened = ledger.moment(marks["T_stop"]) or 0.0, ledger.moment(marks["T_open"]) or 0.0
    seen = ledger.seen(ledger.all_answers(folder, ledger.roles(plan)), stopped, opened)
    whole = seen.seconds is not None and not seen.gap_s
    return {
        "planned": plan.change.expected_downtime_s,
        "by the marks": round(opened - stopped, 3),
        "by the client": round(seen.seconds, 3) if seen.seconds is not None and whole else None,
        "from T_stop": round(seen.first - stopped, 3) if seen.first and whole else None,
        "first error": ledger.iso(seen.failed[0]) if seen.failed else None,
        "last error": ledger.iso(seen.failed[1]) if seen.failed else None,
        "without a client": round(seen.gap_s, 3),
    }


def told_apart(found: Mapping[str, Any]) -> list[str]:
    """Return what is to be told as a deviation: facts about the past that nothing can mend."""
    client, since = found["by the client"], found["from T_stop"]
    apart = [APART] if client is not None and since is not None and abs(client - since) > AGREED_S else []
    told = [NOBODY_SAW] if client is None else apart
    longest = max(found["by the marks"], client or 0.0)
    return [*told, LONGER] if longest > found["planned"] else told


def agrees(found: Mapping[str, Any], deviations: list[str]) -> Check:
    """Check that the client saw the outage that the marks tell of, within a second; else that this is told as a deviation."""
    to_tell = [one for one in told_apart(found) if one != LONGER]
    observed = {name: value for name, value in found.items() if name != "planned"}
    held = all(one in deviations for one in to_tell)
    expected = f"by the client as from T_stop, within {AGREED_S:g} s" if not to_tell else f"told as a deviation: {to_tell[0]}"
    return Check("the outage by the client and by the marks, seconds", Witness.API, expected, observed, held, len(observed))


def in_time(found: Mapping[str, Any], deviations: list[str]) -> Check:
    """Check that the outage was no longer than planned; else that this is told as a deviation."""
    longer = LONGER in told_apart(found)
    observed = {name: found[name] for name in ("by the marks", "by the client")}
    held = not longer or LONGER in deviations
    expected = f"at most {found['planned']:g}" + (", or told as a deviation" if longer else "")
    return Check("the outage, seconds", Witness.RECORD, expected, observed, held, len(observed))


def pace(plan: Plan, folder: Path, marks: Mapping[str, str]) -> dict[str, Any]:
    """Return how many reads were answered before the freeze and since T_open, and their medians in seconds (None without any)."""
    stopped, opened = ledger.moment(marks["T_stop"]) or 0.0, ledger.moment(marks["T_open"]) or 0.0
    before, after = ledger.reads_took(ledger.all_answers(folder, ledger.roles(plan)), stopped, opened)
    return {
        "before the freeze": round(median(before), 4) if before else None,
        "since users are served": round(median(after), 4) if after else None,
        "reads": [len(before), len(after)],
    }


def told_slower(found: Mapping[str, Any]) -> list[str]:
    """Return what is to be told of the pace of reads as a deviation: three times as long, and by more than 50 ms."""
    before, after = found["before the freeze"], found["since users are served"]
    if before is None:
        return [NOT_PACED]
    return [SLOWER] if after is not None and after > max(before * SLOWER_TIMES, before + SLOWER_S) else []


def as_fast(found: Mapping[str, Any], deviations: list[str]) -> Check:
    """Check that reads are as fast as before the freeze; else that this is told as a deviation."""
    to_tell = told_slower(found)
    expected = (
        f"told as a deviation: {to_tell[0]}" if to_tell else f"at most {SLOWER_TIMES:g} times as before, or {SLOWER_S:g} more"
    )
    held, examined = all(one in deviations for one in to_tell), found["reads"][1]
    why = "without its statistics a database answers, and reads whole tables for it"
    return Check(PACE, Witness.API, expected, dict(found), held, examined, AT_LEAST, why=why)
