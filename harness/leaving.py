"""What both endings of a run have in common: nothing of it stays behind on either host.

What is looked at after the run folders are gone needs none of them: the key is told by its line, the user by the core's answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.check import Check, Witness, equal
from harness.core_api import call
from harness.deed import Ask, Command, Role
from harness.sending import KEYS_FILE, READ_KEYS, claimed, keys_command
from harness.verification import DEPARTED, MADE, delete_account, departed

if TYPE_CHECKING:
    from harness.configuration import Config
    from harness.deed import Act, Reading
    from harness.plan import Plan

MADE_THERE = 'cat "$0" 2>/dev/null || true'
FORBID = KEYS_FILE + (
    '[ -f "$file" ] || exit 0; umask 077; grep -vF -- "$0" "$file" > "$file.part" || [ $? = 1 ] '
    '|| exit; chmod --reference="$file" "$file.part" && mv "$file.part" "$file"'
)
REMOVE = 'rm -rf -- "$0" && { rmdir -- "$(dirname "$0")" 2>/dev/null || true; }'


def _line_of_key(plan: Plan) -> str:
    """Return what only the line of this run's key has in authorized_keys."""
    return f"{plan.run_folder}/receive"


def remove_key(plan: Plan) -> Act:
    """Take the migration key's line away on the dest, and the key itself on the source."""
    says = "the migration key is let in on the dest no more"
    yield keys_command(plan, FORBID, _line_of_key(plan), says=says)
    paths = tuple(f"{plan.run_folder}/{name}" for name in ("key", "key.pub", "known_hosts"))
    yield Command(Role.SOURCE, ("rm", "-f", "--", *paths), says="remove the migration key on the source")


def key_is_gone(plan: Plan) -> Reading[list[Check]]:
    """Look for the migration key: a line that lets it in on the dest, the key itself on the source."""
    lines = (yield Ask(keys_command(plan, READ_KEYS))).lines
    left = sum(_line_of_key(plan) in line for line in lines)
    there = yield Ask(Command(Role.SOURCE, ("find", f"{plan.run_folder}/key"), exits=(0, 1)))
    why = "who has the key may overwrite the core's data on the dest"
    return [
        equal("lines that let the migration key in on the dest", Witness.FILES, 0, left, len(lines) + 1, why=why),
        equal("migration keys on the source", Witness.FILES, [], there.lines, why=why),
    ]


def delete_user(plan: Plan, config: Config, via: Role) -> Act:
    """Delete the verification user through the API with the core's admin key, and the account that should be deleted already.

    Raises DeedFailed when the core refuses. What this run has not made is left alone (the run folder is there until the end).
    """
    made = yield Command(Role.SOURCE, ("sh", "-c", MADE_THERE, f"{plan.run_folder}/made"), says="read what this run has made")
    user = plan.verification_user
    names = {} if user.keep else {MADE: user.username}
    for thing, name in {**names, DEPARTED: departed(plan)}.items():
        if thing in made.lines:
            yield from delete_account(name, config, via)


def user_is_gone(plan: Plan, via: Role) -> Reading[list[Check]]:
    """Look whether the core still knows the verification user; kept by the plan, or not made by this run, it is left as it is.

    The account that was made and deleted before the move is looked for too, where this run has made it.
    """
    user = plan.verification_user
    mine = yield from claimed(plan, Role.SOURCE)
    checks = [(yield from _account_is_gone(user.username, via, made=MADE in mine, keep=user.keep))]
    if DEPARTED in mine:
        checks.append((yield from _account_is_gone(departed(plan), via, made=True, keep=False)))
    return checks


def _account_is_gone(username: str, via: Role, *, made: bool, keep: bool) -> Reading[Check]:
    name = f"the account {username} on the {via}"
    answer = yield Ask(call("GET", f"/reg/{username}/check_username", via=via))
    known = answer.json().get("reserved")
    observed = {True: "there", False: "gone"}.get(known, f"status {answer.status}")
    if not made or keep:
        expected = "left as it is: " + ("the plan keeps it" if made else "not made by this run")
        return Check(name, Witness.API, expected, observed, isinstance(known, bool), 1)
    why = "an account that nobody needs any more has a password and tokens that somebody may know"
    return equal(name, Witness.API, "gone", observed, why=why)


def removal(role: Role, folder: str) -> Command:
    """Return the command that removes a host's run folder, and the folder around it when that is empty then."""
    return Command(role, ("sh", "-c", REMOVE, folder), lets_go=True, says=f"remove the run folder on the {role}")


def remove_folders(plan: Plan) -> Act:
    """Remove the run folder on both hosts, the source's last: what is known of how its core was started lies there."""
    for role in (Role.DEST, Role.SOURCE):
        yield removal(role, plan.run_folder)


def nothing_kept(plan: Plan, role: Role) -> Reading[Check]:
    """Look whether a host has the run folder."""
    found = yield Ask(Command(role, ("find", plan.run_folder, "-maxdepth", "0"), exits=(0, 1)))
    return equal(f"run folders on the {role}", Witness.FILES, [], found.lines)
