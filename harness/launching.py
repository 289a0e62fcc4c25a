"""What a first start does to the outside: held back by a temporary difference in the dest's config until users are there.

Read in the real core, and tried on it: each API worker posts to every stored webhook when it starts (webhooks.inProcess), and the
master orders certificates (letsEncrypt.enabled). Mail is only sent on a request (a registration, a reset of a password), and
nobody but us comes in before users do: holding it back would only lose the mails of those who come before it is given back.
Held back is what would do something: without stored webhooks and certificate orders nothing is, and no restart is needed later.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness import configuration
from harness.check import Check, Witness, equal
from harness.control import control
from harness.databases.psql import admin_sql
from harness.deed import Ask, Command, Role
from harness.sending import claim, claimed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.configuration import Config, Edit
    from harness.deed import Act, Reading
    from harness.plan import Plan

WEBHOOKS = "webhooks.inProcess"
CERTIFICATES = "letsEncrypt.enabled"
GIVEN_BACK = "Webhooks and certificate orders work again"
POSTGRESQL = "postgresql"
STORED = "SELECT count(*) FROM webhooks WHERE deleted IS NULL"
POSTED = "SELECT count(*), coalesce(sum(run_count), 0) FROM webhooks"
HELD = "the dest config, with what is held back"
GIVEN = "what was held back is given back"
BOOT = "webhooksServiceBoot"  # of the core's own log


def held_back(plan: Plan, source: Config) -> Reading[dict[str, Any]]:
    """Return the config keys that are held back on the dest while nobody but us is there, with the values that do so."""
    dest, held = source.changed(plan.planned_changes), {}
    if dest.get(WEBHOOKS, True) is not False and (yield from _webhooks_stored(plan, source)):
        held[WEBHOOKS] = False
    if dest.get(CERTIFICATES):
        held[CERTIFICATES] = False
    return held


def _webhooks_stored(plan: Plan, source: Config) -> Reading[bool]:
    """Return whether the frozen source has webhooks; of another engine than PostgreSQL it is assumed."""
    if source.get("storages.base.engine", POSTGRESQL) != POSTGRESQL:
        return True
    counted = yield Ask(admin_sql(plan, Role.SOURCE, STORED, source.login(Role.SOURCE).database))
    return int(counted.text) > 0


def differing_files(plan: Plan, held: Mapping[str, Any]) -> Reading[list[tuple[Edit, Edit]]]:
    """Return the dest's config files that what is held back stands in: each as it is planned, and as it is meanwhile."""
    if not held:
        return []
    meanwhile = yield from configuration.edits(plan, held)
    changes = plan.planned_changes
    planned = [replace(one, changes={key: changes[key] for key in one.changes if key in changes}) for one in meanwhile]
    return [(before, now) for before, now in zip(planned, meanwhile, strict=True) if before != now]


def sums(plan: Plan, source: Config) -> Reading[dict[str, tuple[str, str]]]:
    """Return {path: (SHA-256 with what is held back, SHA-256 as planned)} of the dest's config files that it stands in."""
    files = yield from differing_files(plan, (yield from held_back(plan, source)))
    return {now.path: (_sum(now), _sum(before)) for before, now in files}


def _sum(edit: Edit) -> str:
    return hashlib.sha256(configuration.edited(edit.text, edit.changes, edit.path).encode()).hexdigest()


def hold_back(plan: Plan, held: Mapping[str, Any], files: list[tuple[Edit, Edit]]) -> Act:
    """Write on the dest that this run holds something back there, then do so in its config."""
    named = ", ".join(sorted(held))
    yield from claim(plan, Role.DEST, f"held back in the config: {named}")
    for _, meanwhile in files:
        yield replace(configuration.written(meanwhile), says=f"hold back in {meanwhile.path} on the dest: {named}")


def is_held_back(plan: Plan, source: Config, marks: Mapping[str, str]) -> Reading[Check]:
    """Look whether the dest's config differs in the planned changes and in what is held back, and in nothing else.

    A core that is started once more when users are on the dest may have been given back what was held back.
    """
    held = yield from held_back(plan, source)
    if "T_open" in marks and GIVEN in (yield from claimed(plan, Role.DEST)):
        held = {}
    found = yield from configuration.differs_only_as_planned(plan, source, held)
    why = "a first start posts to users' webhooks and orders certificates, while the public name still leads to the source"
    return replace(found, name=HELD, why=f"{why}; {found.why}" if found.why else why)


def nobody_noticed(plan: Plan, source: Config, dest: Config, marks: Mapping[str, str]) -> Reading[Check]:
    """Look whether the dest core has posted to no stored webhook: each post is counted in the webhook's row, or told in the log."""
    name, why = "posts to stored webhooks", "a third party acts on what a core tells that nobody uses yet"
    if source.get("storages.base.engine", POSTGRESQL) != POSTGRESQL:
        log = yield Ask(control(plan).logs(Role.DEST))
        told = [text for text in log.lines if BOOT in text]
        return equal(name, Witness.LOG, [], [] if "T_open" in marks else told, len(log.lines), why=why)
    databases = {Role.SOURCE: source.login(Role.SOURCE).database, Role.DEST: dest.login(Role.DEST).database}
    at_rest, now = yield tuple(Ask(admin_sql(plan, role, POSTED, database)) for role, database in databases.items())
    if "T_open" in marks:
        return Check(name, Witness.SQL, "any: users are on the dest", now.text, held=True, examined=1)
    stored = int(at_rest.text.partition("|")[0])
    return equal(name, Witness.SQL, _counted(at_rest.text), _counted(now.text), max(stored, 1), why=why)


def _counted(text: str) -> dict[str, int]:
    return dict(zip(("webhooks", "posts"), map(int, text.split("|")), strict=True))


def give_back(plan: Plan, files: list[tuple[Edit, Edit]]) -> Act:
    """Write the dest's config as it is planned, and restart its core, for which users wait."""
    yield from claim(plan, Role.DEST, GIVEN)
    for planned, _ in files:
        yield replace(configuration.written(planned), says=f"write {planned.path} on the dest as it is planned")
    yield replace(control(plan).stop(Role.DEST), says="stop the dest core: users wait")
    yield replace(control(plan).start(Role.DEST), says="start the dest core")


def runs_with_its_config(plan: Plan) -> Reading[Check]:
    """Look whether the dest's core was started after its config was last written: a core reads it when it starts."""
    config = yield from configuration.effective(plan, Role.DEST)
    files = config.files if config else ()
    dated = yield Ask(Command(Role.DEST, ("stat", "-L", "-c", "%.Y", "--", *files, "/")))
    written = max(map(float, dated.lines[: len(files)]), default=0.0)
    running = (yield from configuration.masters(plan, Role.DEST))["running"]
    since = [round(one["began"] - written, 2) for one in running]
    why = "what was held back is at work only once the core has read its config again"
    held, expected = bool(since) and min(since) > 0, "after its config was written"
    observed = [f"{abs(seconds)} s {'after' if seconds > 0 else 'before'}" for seconds in since] or "no master of a core runs"
    return Check("start of the dest core", Witness.PROCESSES, expected, observed, held, len(running), why=why)
