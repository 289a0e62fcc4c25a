"""Going back: the source serves again as it did, and the dest is cleared of what this run made there.

Before T_open nothing can be lost: nobody but us was on the dest. After it, what users wrote there is counted, and lost only if a
person has accepted so much. Counted are the rows that carry their time (events, streams, accesses, webhooks, passwords, account
fields; made, changed or deleted), and by how many the users and the series' points differ from what was measured at rest. A sign-in
is counted with the accesses: it writes its app's personal access anew. Not counted: what was both made and removed for good after
T_open, sessions that were only prolonged, and rows of the platform (they follow from accounts and accesses, which are).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from harness import booting, door, remade, service, verification
from harness.check import Check, Witness, equal
from harness.control import control
from harness.databases.postgresql import admin_sql
from harness.deed import Ask, Command, Measured, Role
from harness.errors import LossNotAccepted
from harness.preflight import forget_unit, unit_is_forgotten
from harness.resetting import DROP, FILLED
from harness.roots import data_roots
from harness.seal import figures, measured_again
from harness.sending import claimed

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from harness.configuration import Config
    from harness.deed import Act, Reading
    from harness.plan import Plan

POSTGRESQL = "PostgreSQL"
CAN_SIGN_IN = 'ALTER ROLE :"role_name" LOGIN;'
DROP_ROLE = 'DROP ROLE IF EXISTS :"name";'
# Emptied, not only removed: a folder may be a mount of its own.
CLEAR = (
    'if [ -d "$0" ]; then find "$0/" -xdev -mindepth 1 -delete && { rmdir -- "$0" 2>/dev/null || true; }; else rm -f -- "$0"; fi'
)
OTHERS = "user_id IS DISTINCT FROM (SELECT user_id FROM users_index WHERE username = :'ours')"
WRITTEN = f"""
SELECT 'events', count(*) FROM events WHERE greatest(created, modified, deleted) >= :since AND {OTHERS}
UNION ALL SELECT 'streams', count(*) FROM streams WHERE greatest(created, modified, deleted) >= :since AND {OTHERS}
UNION ALL SELECT 'accesses', count(*) FROM accesses WHERE greatest(created, modified, deleted) >= :since AND {OTHERS}
UNION ALL SELECT 'webhooks', count(*) FROM webhooks WHERE greatest(created, modified) >= :since AND {OTHERS}
UNION ALL SELECT 'passwords', count(*) FROM passwords WHERE time >= :since AND {OTHERS}
UNION ALL SELECT 'account fields', count(*) FROM account_fields WHERE time >= :since AND {OTHERS}
UNION ALL SELECT 'users', abs((SELECT count(*) FROM users_index) - :users)
UNION ALL SELECT 'points of series', abs((SELECT count(*) FROM series_data) - :points)
"""  # noqa: S608 - made of constants


# --- what would be lost


def _written(plan: Plan, dest: Config, opened: str, measured: Mapping[str, Measured]) -> Command:
    """Return the command that counts, table by table, what others than the verification user wrote on the dest since T_open."""
    parts = measured[POSTGRESQL].parts if POSTGRESQL in measured else {}
    at_rest = {
        name: str(parts.get(table, {}).get("rows", 0)) for name, table in (("users", "users_index"), ("points", "series_data"))
    }
    since = f"{datetime.fromisoformat(opened).timestamp():.3f}"
    database, ours = dest.login(Role.DEST).database, plan.verification_user.username
    asked = admin_sql(plan, Role.DEST, WRITTEN, database, ours=ours, since=since, **at_rest)
    return replace(asked, says="count what users have written on the dest since T_open")


def _counts(text: str) -> dict[str, int]:
    return {name: int(count) for name, _, count in (line.partition("|") for line in text.splitlines())}


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items() if count) or "none that can be counted"


def loss_accepted(
    plan: Plan, dest: Config, marks: Mapping[str, str], measured: Mapping[str, Measured], accepted: int | None
) -> Reading[list[Check]]:
    """Look whether users were never on the dest; else whether it is stopped, and so many lost writes are accepted by a person."""
    opened = marks.get("T_open")
    if opened is None:
        return [equal("T_open in the record", Witness.RECORD, None, opened)]
    stopped = yield from service.is_status(plan, Role.DEST, "stopped")
    counts = _counts((yield Ask(_written(plan, dest, opened, measured))).text)
    held = accepted is not None and sum(counts.values()) <= accepted
    expected = "none is accepted as lost" if accepted is None else f"at most {accepted}, accepted as lost"
    why = "what users wrote on the dest is not on the source"
    name = "writes of users on the dest since T_open"
    return [stopped, Check(name, Witness.SQL, expected, counts, held, len(counts), len(counts), why=why)]


def close_dest(plan: Plan, dest: Config, marks: Mapping[str, str], measured: Mapping[str, Measured], accepted: int | None) -> Act:
    """Stop the dest core, which is its users' door, and count anew what would be lost.

    Raises LossNotAccepted, the core running as before, when that is more than is accepted.
    """
    ask = _written(plan, dest, marks["T_open"], measured)
    _demand(_counts((yield ask).text), accepted, "")
    yield replace(control(plan).stop(Role.DEST), says="stop the dest core: users can write on neither host")
    counts = _counts((yield ask).text)
    try:
        _demand(counts, accepted, ", counted with the dest core stopped")
    except LossNotAccepted:
        yield replace(control(plan).start(Role.DEST), says="start the dest core again: more would be lost than is accepted")
        raise


def _demand(counts: Mapping[str, int], accepted: int | None, when: str) -> None:
    total = sum(counts.values())
    if accepted is not None and total <= accepted:
        return
    said = "nobody accepts that they are lost" if accepted is None else f"at most {accepted} are accepted as lost"
    raise LossNotAccepted(
        f"users have written on the dest since T_open: {total} write(s) ({_told(counts)}){when}; {said}. "
        f"They are on no other host. To go back all the same: --accept-loss {total} --approver NAME"
    )


# --- the dest can do no harm, the source is compared


def silence_dest(plan: Plan) -> Act:
    """Stop the dest core and keep it from starting at boot; one that is stopped, or not there yet, is so already."""
    any_exit = tuple(range(256))
    yield replace(control(plan).stop(Role.DEST), exits=any_exit, says="stop the dest core")
    if disable := control(plan).disable(Role.DEST):
        yield replace(disable, exits=any_exit, says="the dest core does not start at boot")


def measure_again(plan: Plan, source: Config, measured: Mapping[str, Measured]) -> Generator[Any, Any, dict[str, Any]]:
    """Measure the source once more as it was measured at rest; returns {what: [at rest, now]} in digests.

    Where nothing was measured at rest the cheap figures of a seal are read: they are the last that this run saw of it.
    """
    if not set(measured) - {"seal"}:
        return {"figures": [None, (yield from figures(plan, source))]}
    found = yield from measured_again(plan, source)
    return {
        name: [before.digest, found[name].digest if name in found else "not there"]
        for name, before in measured.items()
        if name != "seal"
    }


def differing(compared: Mapping[str, Any]) -> list[str]:
    """Return what is not as it was measured at rest."""
    return [name for name, (before, now) in compared.items() if before is not None and before != now]


def differences_told(compared: Mapping[str, Any], deviations: list[str]) -> Check:
    """Check that every difference from what was measured at rest is a deviation in the record."""
    different = differing(compared)
    told = [name for name in different if changed(name) in deviations]
    observed = {name: "another" if name in different else "as at rest" if before else "read, nothing was measured at rest"
                for name, (before, _) in compared.items()}  # fmt: skip
    expected = observed if told == different else f"{', '.join(different)}: told as a deviation"
    return Check(
        "the source beside what was measured at rest", Witness.RECORD, expected, observed, told == different, len(compared)
    )


def changed(name: str) -> str:
    """Return what the deviation of a difference says."""
    return f"the source was changed while it was frozen: {name}"


# --- the source serves


def unfreeze(plan: Plan, source: Config, at_boot: str | None) -> Act:
    """Let the core's role sign in again, take the fence away, and let the core start at boot as it did before."""
    opened = admin_sql(plan, Role.SOURCE, CAN_SIGN_IN, role_name=source.login(Role.SOURCE).user)
    yield replace(opened, says="the core's role may sign in to the source's database again")
    yield replace(control(plan).unfence(Role.SOURCE), says="take the source core's fence away")
    yield from booting.restore(plan, at_boot)


def not_fenced(plan: Plan, source: Config) -> Reading[list[Check]]:
    """Look whether the source core is not fenced, and its role may sign in."""
    answer = yield Ask(control(plan).status(Role.SOURCE))
    fenced = Check("the source core's fence", Witness.PROCESSES, "none", answer.text, "fenced" not in answer.text, 1)
    closed = yield from service.role_cannot_sign_in(plan, source)
    may = equal("the core's role on the source", Witness.SQL, "may sign in", closed.observed)
    return [fenced, may]


def start(plan: Plan) -> Act:
    """Start the source core."""
    yield replace(control(plan).start(Role.SOURCE), says="start the source core")


def served(plan: Plan, source: Config, known: dict[str, Any] | None, via: Role | str) -> Reading[list[Check]]:
    """Look whether the verification data set is served; where this run has none, whether the core answers as itself."""
    if known is None:
        return [(yield from verification.ready(source, via))]
    return (yield from verification.data_set_served(plan, known, via))


# --- the dest is cleared


def _paths(plan: Plan, source: Config, mine: set[str]) -> list[str]:
    known = [*plan.core.folders, *(root.path for root in data_roots(source))]
    claimed_paths = sorted(thing.partition(" ")[2] for thing in mine if thing.startswith("path "))
    return list(dict.fromkeys([path.rstrip("/") for path in known] + claimed_paths))


def clear(plan: Plan, source: Config, dest: Config, mine: set[str]) -> Act:
    """Remove what this run made on the dest, and nothing else: database, role, data, config, the core's tree."""
    login = dest.login(Role.DEST)
    if f"database {login.database}" in mine:
        yield replace(admin_sql(plan, Role.DEST, DROP, db=login.database), says=f"drop the database {login.database} on the dest")
    if f"role {login.user}" in mine:
        yield replace(admin_sql(plan, Role.DEST, DROP_ROLE, name=login.user), says=f"drop the role {login.user} on the dest")
    yield from remade.remove(plan, mine)
    for path in _paths(plan, source, mine):
        if f"path {path}" in mine:
            yield Command(Role.DEST, ("sh", "-c", CLEAR, path), timeout_s=3600.0, says=f"remove {path} on the dest")
    yield from forget_unit(plan, mine)
    yield from door.reopen(plan, mine)


def cleared(plan: Plan, source: Config, dest: Config) -> Reading[list[Check]]:
    """Look for what this run made on the dest; what lay there before is no part of it. Its door is as it was."""
    mine = yield from claimed(plan, Role.DEST)
    paths, login = _paths(plan, source, mine), dest.login(Role.DEST)
    filled = (yield Ask(Command(Role.DEST, ("sh", "-c", FILLED, "filled", *paths)))).lines
    sql = "SELECT 'database ' || datname FROM pg_database UNION ALL SELECT 'role ' || rolname FROM pg_roles"
    there = (yield Ask(admin_sql(plan, Role.DEST, sql))).lines
    left = [thing for thing in (f"database {login.database}", f"role {login.user}") if thing in mine and thing in there]
    return [
        equal("this run's folders on the dest", Witness.FILES, [], [path for path in filled if f"path {path}" in mine], len(paths)),
        equal("this run's database and role on the dest", Witness.SQL, [], left, len(there)),
        *(yield from unit_is_forgotten(plan, mine)),
        *(yield from remade.is_gone(plan)),
        *(yield from door.as_before(plan)),
    ]
