"""A database moved from one real PostgreSQL to another by the engine's own deeds, and looked at by its own looks."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from harness.check import Outcome
from harness.databases import ENGINES, pg_globals
from harness.deed import Role
from harness.errors import Unreachable
from tests.plans import plan
from tests.unit.cluster import RICH, Cluster, Hosts, cluster, rich
from tests.unit.test_databases_compared import OTHER_ORDER, config

if TYPE_CHECKING:
    from collections.abc import Iterator

    from harness.check import Check
    from harness.deed import Measured

ENGINE = ENGINES["PostgreSQL"]
CONFIG = config("rich")
PASSWORD = "secret-password"  # the one in `config`
SETTINGS = RICH.with_name("settings.sql").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    keeps = "shared_preload_libraries=pg_stat_statements"
    logs = ("log_statement=all", "log_min_duration_statement=0", "log_transaction_sample_rate=1", keeps)
    with cluster() as source, cluster(*logs) as dest:
        rich(source)
        source.sql(SETTINGS)
        for folder in (source.folder, dest.folder):
            (folder / "CHG0031337" / "dumps").mkdir(parents=True)
        yield Hosts({Role.SOURCE: source, Role.DEST: dest})


@pytest.fixture
def dest(hosts: Hosts) -> Iterator[Cluster]:
    """Give the dest as it was made, with no role and no database of the core."""
    one = hosts.clusters[Role.DEST]
    yield one
    one.sql("DROP DATABASE IF EXISTS rich WITH (FORCE)")
    for role in ("pryv", "reader", '"Odd role"', "club"):
        one.sql(f"DROP ROLE IF EXISTS {role}")


def at_rest(hosts: Hosts) -> dict[str, Measured]:
    """Return what was measured on the source."""
    return {name: one for (role, name), one in hosts.measured.items() if role is Role.SOURCE}


def prepared(hosts: Hosts) -> list[Check]:
    """Prepare the dest's database and look at it."""
    hosts.drive(pg_globals.recreate(plan(), CONFIG.login(Role.SOURCE), CONFIG.login(Role.DEST)))
    found: list[Check] = hosts.drive(ENGINE.empty_and_owned(plan(), CONFIG, CONFIG))
    return found


def moved(hosts: Hosts) -> None:
    """Prepare, measure, dump, copy and restore."""
    prepared(hosts)
    dumped(hosts)
    hosts.drive(ENGINE.restore(plan(), CONFIG, CONFIG, 1))


def dumped(hosts: Hosts) -> None:
    """Measure, dump, copy the dump."""
    hosts.drive(ENGINE.measure(plan(), CONFIG))
    hosts.drive(ENGINE.dump(plan(), CONFIG, 1))
    source, dest = (hosts.clusters[role].folder / "CHG0031337" / "dumps" / "1-rich.dump" for role in Role)
    dest.write_bytes(source.read_bytes())
    dest.chmod(0o644)


def test_no_database_yet_is_absent(hosts: Hosts, dest: Cluster) -> None:
    assert dest.sql("SELECT count(*) FROM pg_database WHERE datname = 'rich'") == "0"
    measured = at_rest(hosts)

    [prepared_] = hosts.drive(ENGINE.empty_and_owned(plan(), CONFIG, CONFIG))
    [arrived] = hosts.drive(ENGINE.arrived_unchanged(plan(), CONFIG, measured))

    assert (prepared_.outcome, arrived.outcome) == (Outcome.ABSENT, Outcome.ABSENT)


def test_role_and_database_are_made_as_on_the_source_but_may_sign_in(hosts: Hosts, dest: Cluster) -> None:
    checks = prepared(hosts)

    assert [check.outcome for check in checks] == [Outcome.HELD] * 3
    assert checks[1].observed == {
        "attributes of the role": "INHERIT CREATEDB 40 connections until 2036-01-01T00:00:00+00:00",
        "roles it is a member of": ["club (admin)"],
        "encoding and locale": "ENCODING 'UTF8' LOCALE_PROVIDER libc LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'",
        "connections to the database": 77,
        "rights on the database": [
            "(the core's role) CONNECT",
            "(the core's role) CREATE",
            "(the core's role) TEMPORARY",
            "PUBLIC TEMPORARY",
            "reader CONNECT",
        ],
        "role in database: statement_timeout": "30s",
        "role: search_path": '"$user", public, "odd one"',
        "role: work_mem": "7MB",
        "database: app.secret": "(not shown)",
        "other roles that are named in the database": ["Odd role", "reader"],
    }
    assert dest.sql("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'pryv'") == "t"
    assert dest.sql("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'reader'") == "f"


def test_preparing_again_takes_away_what_the_source_has_not(hosts: Hosts, dest: Cluster) -> None:
    prepared(hosts)
    dest.sql("ALTER ROLE pryv SET jit TO off; ALTER DATABASE rich SET geqo TO off; ALTER ROLE pryv SUPERUSER CONNECTION LIMIT 3")
    dest.sql("GRANT CREATE ON DATABASE rich TO PUBLIC")

    assert [check.outcome for check in prepared(hosts)] == [Outcome.HELD] * 3


@pytest.mark.parametrize(
    ("sql", "what"),
    [
        ("ALTER ROLE pryv CONNECTION LIMIT 3", "attributes of the role"),
        ("ALTER ROLE pryv NOINHERIT", "attributes of the role"),
        ("REVOKE CONNECT ON DATABASE rich FROM reader; DROP ROLE reader", "other roles that are named in the database"),
        ("REVOKE club FROM pryv", "roles it is a member of"),
        ("ALTER ROLE pryv SET work_mem TO '8MB'", "role: work_mem"),
        ("ALTER ROLE pryv IN DATABASE rich RESET statement_timeout", "role in database: statement_timeout"),
        ("ALTER DATABASE rich SET app.secret TO 'other'", "database: app.secret"),
        ("ALTER DATABASE rich CONNECTION LIMIT 5", "connections to the database"),
        ("GRANT CONNECT ON DATABASE rich TO PUBLIC", "rights on the database"),
        ("DROP DATABASE rich; CREATE DATABASE rich OWNER pryv TEMPLATE template0 LOCALE 'C'", "encoding and locale"),
        (f"DROP DATABASE rich; CREATE DATABASE rich OWNER pryv TEMPLATE template0 {OTHER_ORDER}", "encoding and locale"),
    ],
)
def test_each_difference_of_role_and_database_is_red(hosts: Hosts, dest: Cluster, sql: str, what: str) -> None:
    prepared(hosts)
    dest.sql(sql)

    check = hosts.drive(ENGINE.empty_and_owned(plan(), CONFIG, CONFIG))[1]

    assert check.outcome is Outcome.NOT_HELD
    assert what in {key for key in check.expected if check.expected[key] != check.observed.get(key)}
    assert "other'" not in f"{check}"


def test_a_locale_that_the_dest_has_not_is_told_with_what_to_do(hosts: Hosts, dest: Cluster) -> None:
    found = pg_globals.read(hosts.clusters[Role.SOURCE].run(pg_globals.command(plan(), CONFIG.login(Role.SOURCE))))
    found["database"]["datcollate"] = "xx_XX.UTF-8"
    dest.run(pg_globals.set_role(plan(), found, CONFIG.login(Role.DEST)))
    refused = pg_globals.new_database(plan(), found, CONFIG.login(Role.DEST))

    with pytest.raises(pg_globals.NotMadeError, match=r'invalid .*locale name: "xx_XX.UTF-8"\nmake the locale xx_XX.UTF-8 there'):
        hosts.drive(refused)


def test_the_password_reaches_no_log_of_a_server_that_logs_everything(hosts: Hosts, dest: Cluster) -> None:
    dest.sql("CREATE EXTENSION pg_stat_statements")
    prepared(hosts)

    log = (dest.folder / "log").read_text()
    kept = dest.sql("SELECT query FROM pg_stat_statements")
    dest.sql("DROP EXTENSION pg_stat_statements")

    assert "CREATE DATABASE rich" in log
    assert "CREATE DATABASE rich" in kept
    for secret in (PASSWORD, "nobody"):
        assert secret not in log
        assert secret not in kept
    assert all(PASSWORD not in f"{command} {command!r}" for command in hosts.done)


def test_a_statement_with_the_password_that_fails_is_not_logged_either(dest: Cluster) -> None:
    command = pg_globals.set_role(plan(), {"role": {}, "member of": [], "others": []}, CONFIG.login(Role.DEST))
    failing = command.input.replace(b"PASSWORD :'password'", b"PASSWORD :'password' NONSENSE")
    argv = [*dest.psql(), "-XqAt", "-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-f", "-"]

    done = subprocess.run(argv, input=failing, capture_output=True, check=False)

    assert done.returncode == 3
    assert PASSWORD not in (dest.folder / "log").read_text()


def test_a_database_moves_with_owners_rights_and_all(hosts: Hosts, dest: Cluster) -> None:
    moved(hosts)
    measured = at_rest(hosts)

    in_dump = hosts.drive(ENGINE.dump_complete(plan(), CONFIG, 1, measured["PostgreSQL"]))
    arrived = hosts.drive(ENGINE.arrived_unchanged(plan(), CONFIG, measured))
    owned = hosts.drive(ENGINE.owned(CONFIG))
    before = hosts.drive(ENGINE.has_statistics(CONFIG, measured["PostgreSQL"]))
    for _ in range(2):
        hosts.drive(ENGINE.gather_statistics(plan(), CONFIG))
        after = hosts.drive(ENGINE.has_statistics(CONFIG, measured["PostgreSQL"]))
        assert (after.outcome, after.minimum) == (Outcome.HELD, 10)

    assert (in_dump.outcome, in_dump.observed["parted"], in_dump.observed["events"]) == (Outcome.HELD, 40, 50)
    assert [check.outcome for check in arrived] == [Outcome.HELD] * 3
    assert (owned.outcome, before.outcome) == (Outcome.HELD, Outcome.ABSENT)
    assert dest.sql("SELECT tableowner FROM pg_tables WHERE tablename = 'events'", "rich") == "pryv"


@pytest.mark.parametrize(
    ("sql", "table", "observed"),
    [
        ("DELETE FROM events WHERE id = 'Bé2'", "events", "49 rows "),
        ("DROP TABLE fast", "fast", ""),
        ("CREATE TABLE more (id int)", "more", "0 rows "),
    ],
)
def test_a_table_that_differs_is_told_with_its_rows(hosts: Hosts, dest: Cluster, sql: str, table: str, observed: str) -> None:
    moved(hosts)
    dest.sql(sql, "rich")
    measured = at_rest(hosts)

    check = hosts.drive(ENGINE.arrived_unchanged(plan(), CONFIG, measured))[0]

    assert check.outcome is Outcome.NOT_HELD
    assert {name for name in check.expected | check.observed if check.expected.get(name) != check.observed.get(name)} == {table}
    assert check.observed.get(table, "").startswith(observed)
    assert (table != "events") or check.why == "an event is what a user stored"


@pytest.mark.parametrize(
    ("sql", "missing"),
    [
        ("DELETE FROM pg_statistic WHERE starelid = 'events'::regclass", "events"),
        ("DELETE FROM pg_statistic WHERE starelid = 'parted'::regclass", "parted"),
        ("DELETE FROM pg_statistic_ext_data", "events"),
        ("UPDATE pg_class SET reltuples = -1 WHERE relname = 'zero'", "zero"),
    ],
)
def test_statistics_that_are_missing_are_red(hosts: Hosts, dest: Cluster, sql: str, missing: str) -> None:
    moved(hosts)
    hosts.drive(ENGINE.gather_statistics(plan(), CONFIG))
    dest.sql(sql, "rich")

    check = hosts.drive(ENGINE.has_statistics(CONFIG, hosts.measured[Role.SOURCE, "PostgreSQL"]))

    assert check.outcome is Outcome.NOT_HELD
    assert set(check.expected) - set(check.observed) == {missing}


@pytest.mark.parametrize(
    ("sql", "refused"),
    [
        ("REVOKE UPDATE ON events FROM pryv", ["public.events"]),
        ("REVOKE ALL ON SEQUENCE given FROM pryv", ["public.given"]),
        ('ALTER TABLE "Other".t1 OWNER TO postgres', ['"Other".t1']),
        ("ALTER DATABASE rich OWNER TO postgres; GRANT CONNECT ON DATABASE rich TO pryv", ["database owned by postgres"]),
    ],
)
def test_what_the_core_may_not_use_is_named(hosts: Hosts, dest: Cluster, sql: str, refused: list[str]) -> None:
    moved(hosts)
    dest.sql(sql, "rich")

    check = hosts.drive(ENGINE.owned(CONFIG))

    assert (check.outcome, check.observed) == (Outcome.NOT_HELD, refused)


def test_a_role_that_may_not_sign_in_is_an_error_not_an_answer(hosts: Hosts, dest: Cluster) -> None:
    prepared(hosts)
    dest.sql("ALTER ROLE pryv NOLOGIN")

    with pytest.raises(Unreachable, match="asking as pryv"):
        hosts.drive(ENGINE.owned(CONFIG))


def test_a_planned_change_of_the_roles_name_makes_all_its_own(hosts: Hosts, dest: Cluster) -> None:
    renamed = config("rich", "pryv2")
    hosts.drive(pg_globals.recreate(plan(), CONFIG.login(Role.SOURCE), renamed.login(Role.DEST)))
    dumped(hosts)
    try:
        hosts.drive(ENGINE.restore(plan(), CONFIG, renamed, 1))
        measured = at_rest(hosts)
        tables, objects, rights = hosts.drive(ENGINE.arrived_unchanged(plan(), renamed, measured))
    finally:
        dest.sql("DROP DATABASE rich WITH (FORCE); DROP ROLE pryv2")

    assert (tables.outcome, objects.outcome) == (Outcome.HELD, Outcome.HELD)
    # Rights that others were given by name are not given again: the operator is told which.
    told = {name for name in rights.expected if rights.expected[name] != rights.observed.get(name)}
    assert {name for name in told if not name.startswith("number of ")} == {
        "grants table public.events",
        "grants table column public.ids.id",
        "default grants (the core's role) r public",
    }
