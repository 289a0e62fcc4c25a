"""Users' folders and the users that the database knows: two witnesses that must agree.

A user's folder is <users>/<c>/<b>/<a>/<user id>, the last three characters of the id first; series in SQLite lie likewise, under
`user.` and the user's name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.check import Check, Witness, equal
from harness.databases.psql import as_admin
from harness.deed import Command, Compare, Role

if TYPE_CHECKING:
    from collections.abc import Callable

    from harness.configuration import Config
    from harness.deed import Reading
    from harness.plan import Plan

LONGEST_S = 3600.0
# Both sides sorted by their bytes; they are compared as they stream.
FOLDERS = 'find "$0" -mindepth 4 -maxdepth 4 -type d -printf "%f\\n" | sort'
USERS = """
SELECT name COLLATE "C" FROM (SELECT user_id FROM users_index UNION ALL SELECT 'user.' || username FROM users_index) AS known (name)
 ORDER BY 1
"""


def belong_to_users(plan: Plan, dest: Config, pseudonym: Callable[[str], str]) -> Reading[Check]:
    """Look for folders of users whom the dest's database does not know; users without a folder are many: it is made when needed."""
    users = dest.path("storages.engines.sqlite.path")
    there = Command(Role.DEST, ("sh", "-c", FOLDERS, users), timeout_s=LONGEST_S)
    psql = as_admin(plan, "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", dest.login(Role.DEST).database, "-c", USERS)
    found = yield Compare(there, Command(Role.DEST, psql, timeout_s=LONGEST_S))
    strangers = [pseudonym(folder) for folder in found.left_only]
    return equal(
        "folders of users whom the database does not know",
        Witness.SQL,
        [],
        strangers,
        found.left_lines,
        why="a user who was deleted would be back with all files: an erasure undone",
        remedy="remove the folder on the source and freeze it anew, or accept it with a reason (--waive)",
    )
