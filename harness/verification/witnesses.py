"""Three witnesses, each taken on its own (rows of the database, files on the disk, the API); and where requests arrive."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.core_api import call
from harness.databases.postgresql import admin_sql
from harness.deed import Ask, Command, CommandResult, Compare, Role, Secret
from harness.errors import HarnessError
from harness.verification.account import OK, absent, answered, body_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from harness.configuration import Config
    from harness.deed import Reading
    from harness.plan import Plan
    from harness.verification.account import Known

LONGEST_S = 3600.0
USERS = "storages.engines.sqlite.path"
# "user event file bytes", sorted by their bytes; the files lie in <users>/<c>/<b>/<a>/<user>/attachments/<event>/<file>.
ROWS = """
SELECT user_id || ' ' || id || ' ' || (file ->> 'id') || ' ' || (file ->> 'size') COLLATE "C" AS line
  FROM events, LATERAL jsonb_array_elements(CASE jsonb_typeof(attachments) WHEN 'array' THEN attachments ELSE '[]' END) AS file
 WHERE deleted IS NULL {only} ORDER BY 1
"""
OF_USER = "AND user_id = (SELECT user_id FROM users_index WHERE username = :'username')"
FILES = (
    'cd "$0" && find -L . -mindepth 7 -maxdepth 7 -type f -path "./*/*/*/*/attachments/*/*" -printf "%P %s\\n" | '
    "awk -F'[/ ]' '{ print $4, $6, $7, $8 }' | sort"
)
FILES_OF_USER = (
    'cd "$0" && find -L . -mindepth 7 -maxdepth 7 -type f -path "./*/*/*/$1/attachments/*/*" -printf "%P %s\\n" | '
    "awk -F'[/ ]' '{ print $4, $6, $7, $8 }' | sort"
)
USER_ID = "SELECT user_id FROM users_index WHERE username = :'username'"
# How many files of the audit hold a text (a number that only we asked for), and how many were read.
AUDIT = (
    'found=0; read=0; for file in "$0"/*/*/*/"$1"/audit-*.sqlite*; do [ -f "$file" ] || continue; read=$((read + 1)); '
    'grep -qF -- "$2" "$file" && found=$((found + 1)); done; echo "$found $read"'
)
LOGGED = 'text=$0; cat -- "$@" 2>/dev/null | awk -v text="$text" \'index($0, text) { found++ } END { print found + 0, NR }\''


def _rows(plan: Plan, config: Config, role: Role) -> Command:
    sql = ROWS.format(only="")
    return replace(admin_sql(plan, role, sql, config.login(role).database), timeout_s=LONGEST_S)


def attachments_by_two(plan: Plan, source: Config, dest: Config) -> Reading[list[Check]]:
    """Look whether the files that the rows name lie on the disk with their sizes, and no others, as on the source.

    What is amiss on the source itself is told and no failure of the move. Asked before users are on the dest.
    """
    found = []
    for role, config in ((Role.SOURCE, source), (Role.DEST, dest)):
        files = Command(role, ("sh", "-c", FILES, config.path(USERS)), timeout_s=LONGEST_S, private=True)
        found.append((yield Compare(_rows(plan, config, role), files)))
    before, now = found
    expected = {"rows": before.left_lines, "files": before.right_lines, "amiss as on the source": _amiss(before), "amiss newly": 0}
    newly = {*now.left_only, *now.right_only} - {*before.left_only, *before.right_only}
    amiss = _amiss(now) - len(newly)
    observed = {"rows": now.left_lines, "files": now.right_lines, "amiss as on the source": amiss, "amiss newly": len(newly)}
    why = "a row without its file answers 404, a file without its row is data that nobody can delete"
    return [equal("attachments by rows and by files", Witness.FILES, expected, observed, now.right_lines, why=why)]


def _amiss(found: Any) -> int:  # noqa: ANN401 - Differences
    return len(found.left_only) + len(found.right_only)


def three_witnesses(plan: Plan, dest: Config, known: Known | None) -> Reading[list[Check]]:
    """Look whether rows, files and the API each tell the same attachments of the verification user on the dest."""
    if known is None:
        return [absent("attachments of the verification user")]
    username, database = plan.verification_user.username, dest.login(Role.DEST).database
    user = (yield Ask(admin_sql(plan, Role.DEST, USER_ID, database, username=username))).text
    rows = yield Ask(admin_sql(plan, Role.DEST, ROWS.format(only=OF_USER), database, username=username))
    files = yield Ask(Command(Role.DEST, ("sh", "-c", FILES_OF_USER, dest.path(USERS), user), private=True))
    answer = yield Ask(call("GET", f"/{username}/events?limit=1000&state=all", token=Secret(known["personal"])))
    served = sorted(
        f"{user} {event['id']} {file['id']} {file['size']}"
        for event in body_of(answer).get("events", [])
        for file in event.get("attachments") or []
    )
    wanted = {f"{one['event']['id']} {one['event']['attachments'][0]['id']} {one['size']}" for one in known["files"]}
    by = {"rows": rows.lines, "files": files.lines, "API": served}
    observed = {name: len(wanted & {line.partition(" ")[2] for line in lines}) for name, lines in by.items()}
    agree = {name: sorted(lines) == sorted(rows.lines) for name, lines in by.items()}
    expected = dict.fromkeys(by, len(wanted))
    why = "each of them alone passes where another has lost something"
    return [
        equal("the known attachments, by each witness", Witness.FILES, expected, observed, sum(observed.values()), 3, why=why),
        equal("witnesses that agree with the rows", Witness.SQL, dict.fromkeys(by, True), agree, len(rows.lines), len(wanted)),
    ]


def ask_once(plan: Plan, known: Known | None) -> Generator[Any, Any, str]:
    """Ask for something, through the public name, that nobody else asks for; returns the number that tells it in a log."""
    if known is None:
        raise HarnessError("there is no verification user in this run: it has nothing to ask for")
    unique = str(10**8 + secrets.randbelow(9 * 10**8))
    path = f"/{plan.verification_user.username}/events?limit=1&skip={unique}"
    answered((yield call("GET", path, token=Secret(known["personal"]))), OK)
    return unique


def in_audit(plan: Plan, config: Config, role: Role, unique: str, *, expected: bool) -> Reading[Check]:
    """Look for that request in the audit that a core writes in its user's folder on a host."""
    database = config.login(role).database
    user = (yield Ask(admin_sql(plan, role, USER_ID, database, username=plan.verification_user.username))).text
    answer: CommandResult = yield Ask(Command(role, ("sh", "-c", AUDIT, config.path(USERS), user, unique), private=True))
    found, read = (int(word) for word in answer.text.split())
    why = "a request that arrives on the source is answered from old data"
    return equal(f"our request in the {role}'s audit", Witness.FILES, expected, found > 0, read, why=why)


def not_in_source_log(plan: Plan, unique: str) -> Reading[Check]:
    """Look for that request in what the source's proxy logs."""
    logs = (str(path) for path in plan.source.proxy.access_logs)
    found, read = (int(word) for word in (yield Ask(Command(Role.SOURCE, ("sh", "-c", LOGGED, unique, *logs)))).text.split())
    why = "the public name still leads to the source"
    return equal("our request in the log of the source's proxy", Witness.LOG, 0, found, read, why=why)
