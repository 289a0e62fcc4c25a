"""What a core says of itself: its checks of the platform, of its rows, and how many users it counts; before the move, and after.

Errors that the source had before are its own: they are told as such and are no failure of the move. The texts of errors name users:
they stay in the private folder, the record has counts.

The core's check of its rows computes the digests of events and accesses anew, and sees nothing else: no file, no point, no stream,
no profile, no row that is lost.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness import rqlite
from harness.check import Check, Witness, equal
from harness.container import with_pid
from harness.core_api import call
from harness.deed import Ask, Command, Keep, Query, Role, Secret
from harness.errors import DeedFailed
from harness.host import python

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from harness.configuration import Config
    from harness.deed import Act, HttpAnswer, HttpRequest, Reading
    from harness.plan import Plan

    Noted = Mapping[str, Any]

KEPT = "own-checks"
OK = 200
LONGEST_S = 3600.0
OWN_CHECKS = 2  # what check-platform-integrity looks at
COUNTED = "SELECT count(*) FROM platform_kv WHERE key LIKE 'user-core/%%'"
NAME = "what the source's core says of itself"


def _asked(config: Config, via: Role) -> tuple[HttpRequest, HttpRequest]:
    token = Secret(str(config["auth.adminAccessKey"]))
    return (
        call("GET", "/system/check-platform-integrity", token=token, via=via),
        call("GET", "/system/admin/cores", token=token, via=via),
    )


def _of_platform(answers: Sequence[HttpAnswer]) -> dict[str, Any]:
    """Return {checks, errors, users} of the two answers; raises DeedFailed where the core does not tell."""
    for answer in answers:
        if answer.status != OK:
            raise DeedFailed(f"{answer.request}: answered {answer.status}, expected {OK}", answer)
    integrity, cores = (answer.json() for answer in answers)
    checks = integrity.get("checks", [])
    errors = [f"{one.get('title')}: {error}" for one in checks for error in one.get("errors", [])]
    digests = sorted(hashlib.sha256(error.encode()).hexdigest() for error in errors)
    return {"checks": len(checks), "errors": digests, "users": sum(one.get("userCount", 0) for one in cores.get("cores", []))}


def _of_rows(plan: Plan, role: Role) -> Command:
    """Return the command that runs the core's own check of its rows beside the running core, as its user."""
    asked = python(role, "integrity", plan.core.app_path, str(LONGEST_S), timeout_s=LONGEST_S + 60)
    said = replace(asked, private=True, says=f"run the core's own integrity check on the {role}")
    return with_pid(plan, said) if plan.core.docker else replace(said, as_user=plan.core.user)


def note(plan: Plan, config: Config) -> Act:
    """Note what the source's core says of itself, its errors from before the move included."""
    integrity, cores = _asked(config, Role.SOURCE)
    platform = _of_platform([(yield integrity), (yield cores)])
    rows = yield _of_rows(plan, Role.SOURCE)
    kept = {"platform": platform, "rows": rows.json()}
    yield Keep(KEPT, kept)
    return kept


def noted(config: Config, kept: Noted | None) -> Reading[Check]:
    """Look whether that is noted, and the platform still says the same: users come as long as the source serves."""
    if kept is None:
        return equal(NAME, Witness.API, "noted", "not noted yet", 0, absent=True)
    now = _of_platform((yield tuple(Ask(request) for request in _asked(config, Role.SOURCE))))
    rows = kept["rows"]
    observed = "noted" if kept["platform"] == now else "noted, and another by now"
    return equal(NAME, Witness.API, "noted", observed, now["users"] + rows.get("events", 0), 2)


def told(kept: Noted) -> str:
    """Return what is said of errors that were there before the move; nothing where there were none."""
    platform, rows = len(kept["platform"]["errors"]), len(kept["rows"].get("errors", []))
    return f"errors that the source had before the move: {platform} of its platform, {rows} of its rows" if platform + rows else ""


def _beside(before: Sequence[str], now: Sequence[str]) -> dict[str, int]:
    return {"as before": len(set(now) & set(before)), "new": len(set(now) - set(before)), "gone": len(set(before) - set(now))}


def platform_as_before(config: Config, kept: Noted | None, via: Role) -> Reading[list[Check]]:
    """Look whether the platform's own checks find what they found on the source, and it counts as many users."""
    name = "errors of the platform's own checks"
    if kept is None:
        return [equal(name, Witness.API, "as on the source", "nothing was noted on the source", 0)]
    now, before = _of_platform((yield tuple(Ask(request) for request in _asked(config, via)))), kept["platform"]
    expected = {"as before": len(before["errors"]), "new": 0, "gone": 0}
    why = "sign-in works without the platform, and e-mail addresses are no longer unique"
    errors = equal(name, Witness.API, expected, _beside(before["errors"], now["errors"]), now["checks"], OWN_CHECKS, why=why)
    more = now["users"] >= before["users"]
    expected_users = f"{before['users']} or more"
    return [errors, Check("users that the platform counts", Witness.API, expected_users, now["users"], more, now["users"], why=why)]


def counted_by_both(config: Config, via: Role) -> Reading[Check]:
    """Look whether the platform counts as many users through the API as its database has rows."""
    now = _of_platform((yield tuple(Ask(request) for request in _asked(config, via))))
    if rqlite.used(config):
        rows = yield from rqlite.users(via, config)
    else:
        [(rows,)] = yield Query(config.login(via), COUNTED, ())
    return equal("users by the platform's rows and by the API", Witness.SQL, rows, now["users"], rows)


def rows_as_before(plan: Plan, kept: Noted | None) -> Reading[list[Check]]:
    """Look whether the core's own check of its rows, run on the dest, examines users and events and finds no new error."""
    name = "errors of the core's own integrity check"
    if kept is None:
        return [equal(name, Witness.PROCESSES, "as on the source", "nothing was noted on the source", 0)]
    found = (yield Ask(_of_rows(plan, Role.DEST))).json()
    before, now = kept["rows"].get("errors", []), found.get("errors")
    examined = {kind: found.get(kind, 0) for kind in ("users", "events", "accesses")}
    expected = {"as before": len(before), "new": 0, "gone": 0}
    observed = _beside(before, now) if now is not None else found
    remedy = "" if now is not None else "run it by hand: config=FILE logs__console__active=false bin/integrity-check.js --json"
    least = min(examined["users"], examined["events"])
    looked = Check(
        "users, events and accesses that it examined", Witness.PROCESSES, "more than none of each", examined, least > 0, least
    )
    why = "a row that is not what was stored is served as if it were"
    return [looked, equal(name, Witness.SQL, expected, observed, sum(examined.values()), why=why, remedy=remedy)]
