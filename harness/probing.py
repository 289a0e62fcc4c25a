"""Tries to write on the frozen source, by each way that leads to its data, as the verification user. All must be refused.

What is tried carries a content that nobody else has, which is then looked for in the source's data.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.core_api import call, websocket
from harness.databases.postgresql import admin_sql
from harness.deed import Ask, Command, HttpRequest, Role, Secret
from harness.errors import HarnessError, Unreachable
from harness.roots import data_roots

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from harness.configuration import Config
    from harness.deed import Reading
    from harness.plan import Plan

    Known = dict[str, Any]

NOT_SERVED = 500
NOBODY = "ConnectionRefusedError"  # a core without a proxy: its own port was the public one
NO_USER = "there is no verification user in this run: it cannot try to write"
NOW = Command(Role.SOURCE, ("date", "+%s.%N"), says="read the source's clock")
# The number that the next transaction that writes will have, as rows carry it in xmin (32 bits); asking for it takes none.
NEXT = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint % 4294967296"
# As the core's role, with its own password, by the address that its config names: what another program would do. The password is
# in no argv and no environment: libpq reads it from a file that has no name any more when psql begins.
PSQL = (
    'umask 077; file=$(mktemp "$6/password.XXXXXXXX") && exec 3<>"$file" && rm "$file" && cat >&3 || exit 99; '
    'PGPASSFILE=/dev/fd/3; export PGPASSFILE; exec psql -wXqAt -v ON_ERROR_STOP=1 -h "$1" -p "$2" -U "$3" -d "$4" -c "$5"'
)
INSERT = "INSERT INTO store_key_values (user_id, store_id, key) VALUES ('{unique}', '{unique}', '{unique}')"  # digits only
# Only the content of rows written since is read: all of it would be read four times while users wait. A row so old that its number
# has come round again looks young, and its content decides.
FIND = """
SELECT sum(rows), sum(holding) FROM (
  SELECT count(*) AS rows,
         count(*) FILTER (WHERE age(xmin) <= age(:'next'::xid) AND content::text LIKE '%' || :'unique' || '%') AS holding
    FROM events
  UNION ALL SELECT count(*), count(*) FILTER (WHERE age(xmin) <= age(:'next'::xid) AND t::text LIKE '%' || :'unique' || '%')
    FROM series_data AS t
  UNION ALL SELECT count(*), count(*) FILTER (WHERE key = :'unique') FROM store_key_values) AS found
"""


@dataclass(frozen=True, slots=True)
class Since:
    """A moment on the source: by its clock (seconds since 1970), and the number of PostgreSQL's next transaction that writes."""

    clock: str
    transaction: str


@dataclass(frozen=True, slots=True)
class Tried:
    """A try to write: what was written, since when, how it was answered, and whether that is a refusal."""

    unique: str
    since: Since
    answer: str
    refused: bool


def _unique() -> str:
    return str(10**15 + secrets.randbelow(10**15))


def _now(plan: Plan, config: Config) -> Generator[Any, Any, Since]:
    number = admin_sql(plan, Role.SOURCE, NEXT, config.login(Role.SOURCE).database)
    clock, transaction = yield (NOW, replace(number, says="read the number of the source's next transaction"))
    return Since(clock.text, transaction.text)


def _by_http(plan: Plan, config: Config, path: str, body: object, unique: str, known: Known | None) -> Generator[Any, Any, Tried]:
    if known is None:
        raise HarnessError(NO_USER)
    since = yield from _now(plan, config)
    request = call("POST", f"/{plan.verification_user.username}{path}", body, token=Secret(known["personal"]))
    return Tried(unique, since, *(yield from _answered(request)))


def by_api(plan: Plan, config: Config, known: Known | None) -> Generator[Any, Any, Tried]:
    """Create an event."""
    unique = _unique()
    event = {"streamIds": ["verification"], "type": "note/txt", "content": unique}
    return (yield from _by_http(plan, config, "/events", event, unique, known))


def by_series(plan: Plan, config: Config, known: Known | None) -> Generator[Any, Any, Tried]:
    """Add a point to the series."""
    unique = _unique()
    points = {"format": "flatJSON", "fields": ["deltaTime", "value"], "points": [[int(unique), 1]]}
    return (yield from _by_http(plan, config, f"/events/{(known or {}).get('series')}/series", points, unique, known))


def by_websocket(plan: Plan, config: Config, known: Known | None) -> Generator[Any, Any, Tried]:
    """Open a websocket by the public name, over which events would be created: the core lets in who has a token."""
    if known is None:
        raise HarnessError(NO_USER)
    unique, since = _unique(), (yield from _now(plan, config))
    opening = websocket(Secret(known["personal"]), plan.verification_user.username)
    return Tried(unique, since, *(yield from _answered(opening)))


def _answered(request: HttpRequest) -> Generator[Any, Any, tuple[str, bool]]:
    """Send a request by the public name; returns how it was answered and whether it was refused, by nobody listening too."""
    try:
        answer = yield request
    except Unreachable as unreachable:
        if not unreachable.cause.startswith(NOBODY):
            raise
        return unreachable.cause, True
    return f"status {answer.status}", answer.status >= NOT_SERVED


def passfile(password: str) -> bytes:
    """Return the text of libpq's password file for any server: a backslash stands before each colon and backslash."""
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:*:*:{escaped}\n".encode()


def by_sql(plan: Plan, config: Config, _known: Known | None) -> Generator[Any, Any, Tried]:
    """Insert a row, signed in as the core's role with the password of its config."""
    unique, login = _unique(), config.login(Role.SOURCE)
    where = (login.address, str(login.port), login.user, login.database)
    argv = ("sh", "-c", PSQL, "psql", *where, INSERT.format(unique=unique), plan.run_folder)
    password = passfile(login.password.value)
    since = yield from _now(plan, config)
    says = f"insert a row on the source, signed in as {login.user}"
    answer = yield Command(Role.SOURCE, argv, input=password, exits=tuple(range(256)), private=True, says=says)
    told = answer.err.decode(errors="replace").strip().splitlines()
    return Tried(
        unique,
        since,
        f"exit {answer.exit}: {told[-1] if told else ''}",
        answer.exit != 0 and "not permitted to log in" in " ".join(told),
    )


TRIES: Mapping[str, Callable[[Plan, Config, Known | None], Generator[Any, Any, Tried]]] = {
    "API": by_api,
    "series": by_series,
    "websocket": by_websocket,
    "SQL": by_sql,
}


def refused(tried: Tried) -> Check:
    """Check that a try was refused."""
    why = "what users write on the source from here on is lost"
    return Check("the try to write", Witness.API, "refused", tried.answer, tried.refused, 1, why=why)


def nowhere(plan: Plan, config: Config, tried: Tried) -> Reading[list[Check]]:
    """Look for what was tried in the source's events, series and platform, and for files of its data roots changed since."""
    words = {"unique": tried.unique, "next": tried.since.transaction}
    rows = admin_sql(plan, Role.SOURCE, FIND, config.login(Role.SOURCE).database, **words)
    found, changed, files = yield (Ask(rows), Ask(_files(config, "-newerct", f"@{tried.since.clock}")), Ask(_counted(config)))
    seen, holding = (int(number) for number in found.text.split("|"))
    return [
        equal("rows that hold what was tried", Witness.SQL, 0, holding, seen),
        equal("files in the data roots that have changed since", Witness.FILES, [], changed.lines, int(files.text)),
    ]


def _files(config: Config, *since: str) -> Command:
    roots = [root.path for root in data_roots(config)]
    return Command(Role.SOURCE, ("find", *roots, "-type", "f", *since), timeout_s=600.0, private=True)


def _counted(config: Config) -> Command:
    """Return the command that prints how many files there are: their names would take longer than the rest of the look."""
    roots = [root.path for root in data_roots(config)]
    return Command(Role.SOURCE, ("sh", "-c", 'find "$@" -type f -printf x | wc -c', "count", *roots), timeout_s=600.0)
