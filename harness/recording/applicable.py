"""What does not apply to this move: decided before the first scenario, by one table of tags and Examples columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import rqlite
from harness.databases import ENGINES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from harness.configuration import Config
    from harness.plan import Plan


def _strategy(wanted: str) -> Callable[[Plan, Config | None], str]:
    return lambda plan, _config: "" if plan.cutover.strategy == wanted else f"the plan cuts over by {plan.cutover.strategy}"


def _rqlite(_plan: Plan, config: Config | None) -> str:
    return "" if config and rqlite.used(config) else "the source's config does not keep the platform in rqlite"


def _raft_address(plan: Plan, config: Config | None) -> str:
    if said := _rqlite(plan, config):
        return said
    stays = f"rqlited's address is {rqlite.address(config)} on both hosts" if config else ""
    return "" if config and rqlite.moves_address(plan, config) else stays


def _deploy(wanted: str) -> Callable[[Plan, Config | None], str]:
    return lambda plan, _config: "" if plan.core.deploy == wanted else f"the plan deploys by {plan.core.deploy}"


def _git_clone(plan: Plan, _config: Config | None) -> str:
    return "" if plan.dest.install == "git-clone" else f"the plan installs the core by {plan.dest.install}"


TAGS: Mapping[str, Callable[[Plan, Config | None], str]] = {
    "by_dns": _strategy("dns"),
    "by_proxy": _strategy("proxy"),
    "multicore": lambda _plan, _config: "the plan names one core",
    "preseed": lambda plan, _: "" if plan.transfer == "preseed" else f"the plan's transfer is {plan.transfer}: nothing goes ahead",
    "door": lambda plan, _: "" if plan.dest.door else "the plan names no door of the dest (dest.door): strangers are not kept out",
    "docker": _deploy("docker"),
    "git_clone": _git_clone,
    "systemd": _deploy("systemd"),
    "dokku": _deploy("dokku"),
    "rqlite": _rqlite,
    "raft_address": _raft_address,
}


def reason(plan: Plan, config: Config | None, tags: frozenset[str], row: Mapping[str, str]) -> str:
    """Return why a scenario does not apply, or nothing when it does."""
    for tag in sorted(tags & TAGS.keys()):
        if said := TAGS[tag](plan, config):
            return said
    engine = row.get("engine")
    if engine and not (config and engine in ENGINES and ENGINES[engine].used(config)):
        return f"the source's config does not use {engine}"
    return ""
