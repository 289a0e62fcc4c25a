"""What a core leaves on disk and in its database, column by column: what a move has to bring over."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from .client import Client
from .lifecycle import CONTENT, all_ready, became, own_core, running, stored
from .stage import Stage, staged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fixtures.hosts.product import Product

pytestmark = own_core

CATALOGUE = Path(__file__).with_name("catalogue.txt")  # taken from a real core's PostgreSQL and one of its SQLite files
OURS = "127.0.0.1"  # where requests to a loopback address come from
MARKED = "DO NOT DELETE THIS FILE - IT IS USED TO DETECT MIGRATION SUCCESS"
COLUMNS = """SELECT c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
    || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY c.relname, a.attnum"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"
STRANGE = """SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace
    AND (c.relkind NOT IN ('r', 'i') OR pg_get_userbyid(c.relowner) <> 'pryv')"""
OWN = "SELECT value FROM platform_kv WHERE key = 'core-info/single'"
VALUES = {"postgresql": COLUMNS, "indexes": INDEXES}


def audit_file(stage: Stage) -> Path:
    """Return the main file of the only user's audit."""
    (wal,) = stage.users.glob("*/*/*/*/audit-1.0.0.sqlite-wal")
    return wal.with_name("audit-1.0.0.sqlite")


def copied(file: Path, folder: Path, *, wal: bool) -> Path:
    """Return a copy of a SQLite file, with its -wal or alone."""
    target = folder / f"{'whole' if wal else 'alone'}.sqlite"
    shutil.copy(file, target)
    if wal:
        shutil.copy(f"{file}-wal", f"{target}-wal")
    return target


def rows(file: Path) -> int:
    """Return how many audit events a SQLite file has; none, when not even its table is there."""
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        with suppress(sqlite3.OperationalError):
            return int(connection.execute("SELECT count(*) FROM events").fetchone()[0])
        return 0


def catalogue(stage: Stage, folder: Path) -> list[str]:
    """Return the tables, columns and indexes of a core's PostgreSQL and of one of its SQLite files, a line each."""
    listed = [f"{kind}: {text}" for kind, sql in VALUES.items() for (text,) in stage.postgres.sql(sql, database="pryv")]
    with closing(sqlite3.connect(copied(audit_file(stage), folder, wal=True))) as connection:
        found = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()
    return listed + [f"sqlite: {kind} {name}: {' '.join((sql or '').split())}" for kind, name, sql in found]


def row(stage: Stage, *, url: bool) -> str:
    """Return the platform's row about the core, byte by byte."""
    shown = '"url":"http://core.test:3000",' if url else ""
    return f'{{"id":"single",{shown}"ip":"{stage.config["core"]["ip"]}","available":true}}'


def digests(stage: Stage) -> dict[str, str]:
    """Return a digest of each table's rows."""
    sql = "SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} t"
    names = ("streams", "events", "event_streams", "accesses", "profile", "sessions", "passwords", "account_fields", "users_index")
    return {
        name: value(stage, sql.format(name)) for name in (*names, "webhooks", "series_data", "platform_kv", "schema_migrations")
    }


def value(stage: Stage, sql: str, *values: object) -> Any:  # noqa: ANN401 - a column's value
    """Return the only value of a query."""
    ((found,),) = stage.postgres.sql(sql, *values, database="pryv")
    return found


@pytest.fixture(scope="module")
def at_rest(product: Product) -> Iterator[Stage]:
    """Stage a core of our own, for one user alone."""
    with tempfile.TemporaryDirectory(prefix="contract-") as name:
        Path(name).chmod(0o755)
        with staged(Path(name), product) as made:
            yield made


@pytest.fixture(scope="module")
def known(at_rest: Stage) -> Iterator[dict[str, Any]]:
    """Store a user's data, and stop the core: {client, note, file, series}."""
    made = stored(at_rest)
    yield made
    made["client"].session.close()


@pytest.fixture(autouse=True)
def everything(known: dict[str, Any]) -> None:
    """Have the data there before anything is looked at."""
    assert known["client"]


def test_the_tables_columns_and_indexes_are_the_real_cores(at_rest: Stage, tmp_path: Path) -> None:
    assert catalogue(at_rest, tmp_path) == CATALOGUE.read_text(encoding="utf-8").splitlines()
    assert at_rest.postgres.sql(STRANGE, database="pryv") == []
    assert at_rest.postgres.sql("SELECT version FROM schema_migrations ORDER BY 1", database="pryv") == [(1,), (2,), (3,)]


def test_the_platform_keeps_digests_in_place_of_names_and_addresses(at_rest: Stage, known: dict[str, Any]) -> None:
    client: Client = known["client"]
    stored = dict(at_rest.postgres.sql("SELECT key, value FROM platform_kv", database="pryv"))
    assert stored.pop("core-info/single") == row(at_rest, url=False)
    (core,) = [key for key in stored if key.startswith("user-core/")]
    name = core.removeprefix("user-core/")
    assert re.fullmatch("[0-9a-f]{64}", name)
    assert stored.pop(core) == "single"
    indexed = {"language": "fr", "appId": "contract-test", "invitationToken": "no-token"}
    assert {key: stored.pop(f"user-indexed/{key}/{name}") for key in indexed} == indexed
    (email,) = [key for key in stored if key.startswith("user-unique/email/")]
    assert stored.pop(email) == name
    assert all(key.startswith("access-index/") for key in stored)
    fields = {"accessId", "type", "expires", "created", "lastModified", "usernameToken"}
    assert [json.loads(one).keys() for one in stored.values()] == [fields] * 2
    assert all('", ' not in one for one in stored.values())
    assert client.username not in str(stored)


def test_the_account_is_rows_of_its_own(at_rest: Stage) -> None:
    fields = dict(at_rest.postgres.sql("SELECT field, value FROM account_fields", database="pryv"))
    assert fields.keys() == {"email", "language", "appId", "invitationToken", "dbDocuments", "attachedFiles"}
    assert value(at_rest, "SELECT hash FROM passwords").startswith("$2b$")
    assert value(at_rest, "SELECT name FROM streams WHERE id = ':_emails:'") == "Emails"
    assert value(at_rest, "SELECT content->>'value' FROM events WHERE type = 'email/multiple'") == fields["email"]
    assert value(at_rest, "SELECT count(*) FROM accesses WHERE type = 'personal' AND permissions IS NULL") == 1
    assert value(at_rest, "SELECT data->>'appId' FROM sessions") == "contract-test"


def test_points_are_kept_by_nanoseconds_under_the_users_name(at_rest: Stage, known: dict[str, Any]) -> None:
    found = at_rest.postgres.sql(
        "SELECT user_id, event_id, point_time, delta_time, fields FROM series_data ORDER BY 4", database="pryv"
    )
    names = (f"user.{known['client'].username}", f"event.{known['series']['id']}")
    assert found == [(*names, 0.0, 0, {"value": 70}), (*names, 1e9, 1_000_000_000, {"value": 71.5})]


def test_files_lie_by_the_end_of_the_users_identifier(at_rest: Stage, known: dict[str, Any]) -> None:
    user_id = value(at_rest, "SELECT user_id FROM users_index")
    folder = at_rest.users / user_id[-1] / user_id[-2] / user_id[-3] / user_id
    file = known["file"]["attachments"][0]
    place = f"attachments/{known['file']['id']}/{file['id']}"
    expected = {"audit-1.0.0.sqlite", "audit-1.0.0.sqlite-wal", "audit-1.0.0.sqlite-shm", place}
    assert {str(one.relative_to(folder)) for one in folder.rglob("*") if one.is_file()} == expected
    assert (folder / place).read_bytes() == CONTENT
    assert (at_rest.users / "audit-db-version-1.0.0.txt").read_text() == MARKED
    modes = {"d" if one.is_dir() else "f": oct(one.stat().st_mode & 0o777) for one in at_rest.users.rglob("*")}
    assert modes == {"d": "0o755", "f": "0o644"}
    assert not list((at_rest.folder / "data").glob("[!u]*")), "previews are made when they are asked for"


def test_a_stop_leaves_the_wal_which_is_the_data(at_rest: Stage, tmp_path: Path) -> None:
    file = audit_file(at_rest)
    assert file.stat().st_size == 4096
    assert rows(copied(file, tmp_path, wal=True)) > rows(copied(file, tmp_path, wal=False)) == 0


def test_the_audit_says_what_was_written_with_its_digest(at_rest: Stage, known: dict[str, Any], tmp_path: Path) -> None:
    with closing(sqlite3.connect(copied(audit_file(at_rest), tmp_path, wal=True))) as connection:
        found = connection.execute("SELECT streamIds, type, content, createdBy FROM events ORDER BY time").fetchall()
    (note,) = [row for row in found if known["note"]["integrity"] in row[2]]
    content = json.loads(note[2])
    assert note[0] == f"access-{known['note']['createdBy']} action-events.create .."
    assert (note[1], note[3]) == ("audit-log/pryv-api", "system")
    assert content["source"] == {"name": "http", "ip": OURS}
    modified = json.dumps(known["note"]["modified"])
    assert content["record"] == {"key": f"EVENT:0:{known['note']['id']}:{modified}", "integrity": known["note"]["integrity"]}
    assert found[0][0] == "access-valid-password action-auth.login .."


def test_a_start_rewrites_nothing_but_the_cores_own_row(at_rest: Stage) -> None:
    before = digests(at_rest)
    with running(at_rest, "--core:ip=203.0.113.9"):
        all_ready(at_rest)
    after = digests(at_rest)
    assert {name for name in before if before[name] != after[name]} == {"platform_kv"}
    assert json.loads(value(at_rest, OWN))["ip"] == "203.0.113.9"


def test_the_cores_own_row_loses_its_url_when_the_hfs_serves_a_user(at_rest: Stage, known: dict[str, Any]) -> None:
    with running(at_rest) as client:
        all_ready(at_rest)
        assert value(at_rest, OWN) == row(at_rest, url=True)
        became(client, known["client"])
        assert client.get(f"/events/{known['series']['id']}/series").status_code == 200
        assert value(at_rest, OWN) == row(at_rest, url=False)
        (core,) = client.admin("GET", "/system/admin/cores").json()["cores"]
        assert core["url"] == "http://core.test:3000/"
