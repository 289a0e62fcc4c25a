"""What is measured of a database: equal after every harmless difference, different after each kind of change. A real PostgreSQL."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from harness.configuration import Config, flat
from harness.databases import ENGINES
from harness.databases.pg_schema import checks
from harness.deed import Role
from tests.plans import plan
from tests.unit.cluster import Cluster, Hosts, cluster, programs, rich

if TYPE_CHECKING:
    from collections.abc import Iterator

ENGINE = ENGINES["PostgreSQL"]
OTHER_ORDER = "LOCALE_PROVIDER icu ICU_LOCALE 'en-US' LC_COLLATE 'C.UTF-8' LC_CTYPE 'C.UTF-8'"


def config(database: str, user: str = "pryv") -> Config:
    """Return a core's config, as far as its PostgreSQL goes."""
    login = {"host": "127.0.0.1", "port": 5432, "database": database, "user": user, "password": "secret-password"}
    return Config(flat({"storages": {"base": {"engine": "postgresql"}, "engines": {"postgresql": login}}}), ("override.yml",))


def measured(server: Cluster, database: str, user: str = "pryv") -> dict[str, Any]:
    """Return every table and object with what was measured of it."""
    hosts = Hosts({Role.SOURCE: server})
    hosts.drive(ENGINE.measure(plan(), config(database, user)))
    return {name: part for one in hosts.measured.values() for name, part in one.parts.items()}


def differing(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    """Return what differs."""
    return {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}


@pytest.fixture(scope="module")
def server() -> Iterator[Cluster]:
    with cluster() as one:
        rich(one)
        yield one


@dataclass
class Scrap:
    """A database that is changed step by step, and what was last measured of it."""

    server: Cluster
    last: dict[str, Any]

    def changed_by(self, sql: str) -> set[str]:
        """Return what differs after a change."""
        self.server.sql(sql, "scrap")
        before, self.last = self.last, measured(self.server, "scrap")
        return differing(before, self.last)


@pytest.fixture(scope="module")
def scrap(server: Cluster) -> Scrap:
    server.sql("CREATE DATABASE scrap OWNER pryv TEMPLATE rich")
    return Scrap(server, measured(server, "scrap"))


@pytest.fixture(scope="module")
def before(server: Cluster) -> dict[str, Any]:
    return measured(server, "rich")


@pytest.fixture
def copy(server: Cluster) -> Iterator[str]:
    server.sql("CREATE DATABASE copy OWNER pryv TEMPLATE rich")
    yield "copy"
    server.sql("DROP DATABASE copy WITH (FORCE)")


def test_every_kind_of_thing_is_measured_once(before: dict[str, Any]) -> None:
    rows = {name: part["rows"] for name, part in before.items() if isinstance(part, dict)}

    assert rows == {
        '"Other".t1': 1,
        '"Tâble ""x"" | y"': 3,
        "a_name_as_long_as_a_name_may_be_which_is_sixty_three_bytes_long": 0,
        "child": 1,
        "events": 50,
        "fast": 2,
        "ids": 1,
        "large objects": 1,
        "no_key": 6,
        "parent": 1,
        "parted": 40,
        "zero": 2,
    }
    assert before["parted"]["partitions"] == ["parted_1", "parted_2a", "parted_2b"]
    assert before["sequence value public.untouched"] == "42 next"
    assert before["owner table public.events"] == "(the core's role)"
    assert before["column public.events.size"] == "4. integer stored default length(content)"


@pytest.mark.parametrize(
    "sql",
    [
        "VACUUM FULL",
        "REINDEX DATABASE copy",
        "ANALYZE",
        "WITH gone AS (DELETE FROM no_key RETURNING *) INSERT INTO no_key SELECT * FROM gone ORDER BY a DESC",
        "UPDATE events SET n = n",
        "CLUSTER events USING events_pkey; ALTER TABLE events SET WITHOUT CLUSTER",
        "ALTER TABLE events ADD COLUMN more int; ALTER TABLE events DROP COLUMN more",
        "ALTER DATABASE copy SET search_path TO nowhere; ALTER DATABASE copy SET DateStyle TO 'German'",
        "ALTER DATABASE copy SET extra_float_digits TO 0; ALTER DATABASE copy SET IntervalStyle TO 'postgres'",
        "ALTER DATABASE copy SET bytea_output TO 'escape'; ALTER DATABASE copy SET quote_all_identifiers TO on",
        "GRANT ALL ON fast TO pryv",
    ],
)
def test_what_changes_no_value_and_no_definition_is_no_difference(
    server: Cluster, before: dict[str, Any], copy: str, sql: str
) -> None:
    server.sql(sql, copy)

    assert differing(before, measured(server, copy)) == set()


@pytest.mark.parametrize("locale", ["LOCALE 'C'", OTHER_ORDER])
def test_a_dump_restored_into_a_database_of_another_locale_is_equal(server: Cluster, before: dict[str, Any], locale: str) -> None:
    server.sql(f"CREATE DATABASE restored OWNER pryv TEMPLATE template0 ENCODING 'UTF8' {locale}")
    try:
        dump = subprocess.run(
            [str(programs() / "pg_dump"), "-Fc", "-d", "rich"], check=True, capture_output=True, env=server.environment
        )
        restore = [str(programs() / "pg_restore"), "--exit-on-error", "--single-transaction", "-d", "restored"]
        subprocess.run(restore, input=dump.stdout, check=True, env=server.environment)

        assert differing(before, measured(server, "restored")) == set()
    finally:
        server.sql("DROP DATABASE restored")


CHANGES = [
    ("DELETE FROM events WHERE id = 'Bé2'", "events"),
    ("INSERT INTO no_key (a) VALUES (1)", "no_key"),
    ("INSERT INTO no_key SELECT * FROM no_key WHERE a = 2", "no_key"),
    ("UPDATE no_key SET b = '0' WHERE a = 2", "no_key"),
    ("""UPDATE no_key SET j = '{"a": 1}'""", "no_key"),
    ("UPDATE no_key SET by = '\\x00fe'", "no_key"),
    ("UPDATE no_key SET ar = ARRAY['a', 'NULL', 'b\"c']", "no_key"),
    ("UPDATE no_key SET ts = ts + interval '1 microsecond'", "no_key"),
    ('UPDATE "Tâble ""x"" | y" SET t = \'\' WHERE t IS NULL', '"Tâble ""x"" | y"'),
    ('UPDATE "Tâble ""x"" | y" SET t = \'a\\nb\\\\c\' WHERE t LIKE \'a%\'', '"Tâble ""x"" | y"'),
    ("DELETE FROM parted WHERE id = 40", "parted"),
    ("UPDATE child SET more = 'y'", "child"),
    ("INSERT INTO zero DEFAULT VALUES", "zero"),
    ("UPDATE \"Other\".t1 SET m = 'sad'", '"Other".t1'),
    ("DELETE FROM fast", "fast"),
    ("SELECT lo_put(70000, 4999, '\\x00')", "large objects"),
    ("SELECT nextval('given')", "sequence value public.given"),
    ("SELECT setval('untouched', 42)", "sequence value public.untouched"),
    ("ALTER SEQUENCE given CYCLE", "sequence public.given"),
    ("ALTER TABLE events ALTER content SET DEFAULT 'y'", "column public.events.content"),
    ("ALTER TABLE events ALTER content DROP NOT NULL", "column public.events.content"),
    ("ALTER TABLE events ALTER n TYPE bigint", "column public.events.n"),
    ("ALTER TABLE events ALTER at TYPE timestamptz(3)", "column public.events.at"),
    ('ALTER TABLE no_key ALTER ar TYPE text[] COLLATE "C"', "column public.no_key.ar"),
    ("ALTER TABLE events ALTER content SET STORAGE EXTERNAL", "column public.events.content"),
    ("ALTER TABLE events ALTER content SET STATISTICS 500", "column public.events.content"),
    ("ALTER TABLE ids ALTER id SET GENERATED ALWAYS", "column public.ids.id"),
    ("ALTER TABLE events ADD CHECK (n < 9) NOT VALID", "constraint events_n_check on public.events"),
    ('ALTER TABLE "Other".t1 DROP CONSTRAINT t1_f_fkey', 'constraint t1_f_fkey on "Other".t1'),
    ("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'events_at'::regclass", "index public.events_at"),
    ("DROP INDEX fast_at", "index public.fast_at"),
    ("DROP STATISTICS events_st", "statistics public.events_st"),
    ("CREATE OR REPLACE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a + 2'", "function public.f(integer)"),
    ("ALTER TABLE events DISABLE TRIGGER keeps", "trigger keeps on public.events"),
    ("CREATE OR REPLACE VIEW v AS SELECT id || '' AS id FROM events", "view public.v"),
    ("ALTER TABLE child DISABLE RULE quiet", "rule quiet on public.child"),
    ("ALTER POLICY mine ON no_key USING (a = 2)", "policy mine on public.no_key"),
    ("ALTER TABLE no_key NO FORCE ROW LEVEL SECURITY", "table public.no_key"),
    ("ALTER TABLE events SET (fillfactor = 90)", "table public.events"),
    ("ALTER TABLE fast SET LOGGED", "table public.fast"),
    ("ALTER TYPE mood ADD VALUE 'glad'", "type public.mood"),
    ("ALTER DOMAIN positive SET DEFAULT 1", "type public.positive"),
    ("COMMENT ON TABLE events IS 'other'", "comment table public.events"),
    ("ALTER TABLE zero OWNER TO postgres", "owner table public.zero"),
    ("ALTER FUNCTION f(int) OWNER TO postgres", "owner function public.f(integer)"),
    ("REVOKE SELECT ON events FROM reader", "grants table public.events"),
    ("GRANT SELECT (e) ON ids TO reader", "grants table column public.ids.e"),
    ("REVOKE INSERT ON fast FROM pryv", "grants table public.fast"),
    ('GRANT USAGE ON SCHEMA "Other" TO reader', 'grants schema "Other"'),
    (
        'ALTER DEFAULT PRIVILEGES FOR ROLE pryv IN SCHEMA public REVOKE SELECT ON TABLES FROM "Odd role"',
        "default grants (the core's role) r public",
    ),
    ("CREATE CAST (mood AS int) WITH INOUT", "other object cast (public.mood AS integer)"),
    ("CREATE PUBLICATION p FOR TABLE zero", "publication p"),
    ("CREATE EVENT TRIGGER et ON sql_drop EXECUTE FUNCTION caught()", "event trigger et"),
]


@pytest.mark.parametrize(("sql", "what"), CHANGES, ids=[sql[:60] for sql, _ in CHANGES])
def test_each_kind_of_change_is_seen_at_its_own_object_alone(scrap: Scrap, sql: str, what: str) -> None:
    assert scrap.changed_by(sql) == {what}


def test_what_is_new_is_told_with_all_that_it_brings(scrap: Scrap) -> None:
    assert scrap.changed_by("SELECT lo_from_bytea(70001, '')") == {"large objects", "owner large object 70001"}
    assert scrap.changed_by("CREATE EXTENSION citext") == {"extension citext", "comment extension citext"}
    assert scrap.changed_by("CREATE SCHEMA more; CREATE TABLE more.t (id int PRIMARY KEY)") == {
        "more.t",
        "schema more",
        "table more.t",
        "column more.t.id",
        "constraint t_pkey on more.t",
        "index more.t_pkey",
        "owner schema more",
        "owner table more.t",
    }


def test_the_cores_role_is_the_same_whatever_its_name(server: Cluster, copy: str) -> None:
    as_pryv = measured(server, copy)
    server.sql("REASSIGN OWNED BY pryv TO reader", copy)

    renamed = measured(server, copy, "reader")

    assert renamed["owner table public.zero"] == as_pryv["owner table public.zero"]


def test_what_differs_is_told_object_by_object_and_the_rest_as_numbers() -> None:
    source = {"index public.a": "CREATE INDEX a", "table public.t": "table", "owner table public.t": "(the core's role)"}

    objects, rights = checks(source, {"table public.t": "table", "owner table public.t": "postgres"})

    assert objects.expected == {"index public.a": "CREATE INDEX a", "number of index": 1, "number of table": 1}
    assert objects.observed == {"index public.a": "not there", "number of table": 1}
    assert (objects.held, objects.examined, objects.minimum) == (False, 2, 2)
    assert rights.observed == {"owner table public.t": "postgres", "number of owner": 1}
    assert "only its owner may change a table" in rights.why


def test_equal_schemas_hold_and_an_empty_one_does_not() -> None:
    source = {"table public.t": "table", "owner table public.t": "(the core's role)"}

    assert [check.outcome for check in checks(source, source)] == ["held", "held"]
    assert [check.outcome for check in checks(source, {})] == ["not held", "not held"]
    assert [check.outcome for check in checks({}, {})] == ["not held", "not held"]
