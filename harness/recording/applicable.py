"""What does not apply to this move: decided before the first scenario, by one table of tags and Examples columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.databases import ENGINES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.configuration import Config
    from harness.plan import Plan


def _strategy(wanted: str) -> Callable[[Plan], str]:
    return lambda plan: "" if plan.cutover.strategy == wanted else f"the plan cuts over by {plan.cutover.strategy}"


TAGS: Mapping[str, Callable[[Plan], str]] = {
    "by_dns": _strategy("dns"),
    "by_proxy": _strategy("proxy"),
    "multicore": lambda _: "the plan names one core",
    "door": lambda plan: "" if plan.dest.door else "the plan names no door of the dest (dest.door): strangers are not kept out",
}


def reason(plan: Plan, config: Config | None, tags: frozenset[str], row: Mapping[str, str]) -> str:
    """Return why a scenario does not apply, or nothing when it does."""
    for tag in sorted(tags & TAGS.keys()):
        if said := TAGS[tag](plan):
            return said
    engine = row.get("engine")
    if engine and not (config and engine in ENGINES and ENGINES[engine].used(config)):
        return f"the source's config does not use {engine}"
    return ""
