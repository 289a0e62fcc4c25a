"""Who the users of a core are: what they are called by, so that pseudonyms stand for them in everything that is recorded.

Known are user ids by the names of the users' folders (<users>/<c>/<b>/<a>/<id>, the last three characters of the id first), and,
where the core's base storage is in PostgreSQL, user names and the account fields that only one user has (the e-mail address, and
what else a platform makes unique). The verification user's own are ours and may be shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.databases.postgresql import admin_sql
from harness.deed import Ask, Command, Learn, Role

if TYPE_CHECKING:
    from harness.configuration import Config
    from harness.deed import Reading
    from harness.plan import Plan

LONGEST_S = 600.0
FOLDERS = ("-mindepth", "4", "-maxdepth", "4", "-type", "d", "-printf", "%f\\n")
# What users share tells nobody from another; appId, language and the like are no names even where one user has them alone.
NAMES = """
SELECT username FROM users_index UNION SELECT user_id FROM users_index
UNION SELECT min(value #>> '{}') FROM account_fields
 WHERE jsonb_typeof(value) = 'string' AND field NOT IN ('appId', 'language', 'referer', 'invitationToken')
 GROUP BY value HAVING count(DISTINCT user_id) = 1
"""


def known_people(plan: Plan, config: Config) -> Reading[tuple[str, ...]]:
    """Read what the source's users are called by, and let it be learnt; raises DeedFailed when it cannot be read."""
    users = config.path("storages.engines.sqlite.path")
    folders = yield Ask(Command(Role.SOURCE, ("find", "-H", users, *FOLDERS), timeout_s=LONGEST_S, private=True))
    found = set(folders.lines)
    if config.get("storages.base.engine") == "postgresql":
        names = yield Ask(admin_sql(plan, Role.SOURCE, NAMES, config.login(Role.SOURCE).database))
        found.update(names.lines)
    ours = {plan.verification_user.username, plan.verification_user.email, ""}
    people = tuple(sorted(found - ours))
    yield Learn(people=people, below=config.user_folders())
    return people
