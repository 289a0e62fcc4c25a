"""What a PostgreSQL dump leaves out: the core's role and the database itself, made on the dest as they are on the source.

Read on a host are the role's attributes and memberships, its settings and the database's (ALTER ROLE … SET, ALTER DATABASE … SET),
encoding and locale, the database's access list, and the names of the other roles that own something in it or were given a right.
Whether the core's role may sign in is not read: on the dest it may, whatever the source's fence did to it. Other roles are made
without rights of their own and without sign-in: who uses them gives them a password.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.check import Check, Witness, equal
from harness.databases.psql import admin_sql, identifier, literal
from harness.errors import HarnessError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.deed import Act, Command, CommandResult, Login
    from harness.plan import Plan

FAILED = 3  # psql's exit code when the server refuses a statement
# Settings that are lists of names: each element is quoted on its own (as pg_dumpall does it).
LISTS = frozenset({"search_path", "session_preload_libraries", "local_preload_libraries", "temp_tablespaces"})
ELEMENT = re.compile(r'"((?:[^"]|"")*)"|([^\s,"]+)')
NAMED = "other roles that are named in the database"
PROVIDERS = {"c": "libc", "i": "icu", "b": "builtin"}
ATTRIBUTES = {
    "rolsuper": "SUPERUSER",
    "rolinherit": "INHERIT",
    "rolcreaterole": "CREATEROLE",
    "rolcreatedb": "CREATEDB",
    "rolreplication": "REPLICATION",
    "rolbypassrls": "BYPASSRLS",
}
# In newer versions columns have other names, hence to_jsonb.
READ = """
SET default_transaction_read_only TO on;
SELECT json_build_object(
  'role', to_jsonb(r),
  'member of', (SELECT coalesce(json_agg(json_build_array(g.rolname, m.admin_option) ORDER BY g.rolname COLLATE "C"), '[]')
     FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid),
  'settings', (SELECT coalesce(json_agg(json_build_array(CASE WHEN s.setrole = 0 THEN 'database' WHEN s.setdatabase = 0 THEN 'role'
       ELSE 'role in database' END, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)) ORDER BY c COLLATE "C"), '[]')
     FROM pg_db_role_setting s, unnest(s.setconfig) AS c
    WHERE s.setrole IN (0, r.oid) AND s.setdatabase IN (0, d.oid) AND (s.setrole <> 0 OR s.setdatabase <> 0)),
  'database', to_jsonb(d) - 'datacl',
  'encoding', pg_encoding_to_char(d.encoding),
  'library', pg_database_collation_actual_version(d.oid),
  'rights', (SELECT coalesce(json_agg(json_build_array(CASE g.rolname WHEN r.rolname THEN '' ELSE g.rolname END, a.privilege_type,
       a.is_grantable) ORDER BY g.rolname COLLATE "C", a.privilege_type), '[]')
     FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) AS a LEFT JOIN pg_roles g ON g.oid = a.grantee),
  'roles', (SELECT json_agg(rolname) FROM pg_roles),
  'others', (SELECT coalesce(json_agg(o.rolname ORDER BY o.rolname COLLATE "C"), '[]') FROM pg_roles o
    WHERE o.oid <> r.oid AND o.rolname !~ '^pg_' AND (
          EXISTS (SELECT FROM pg_shdepend s WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = o.oid AND (s.dbid = d.oid
                     OR (s.dbid = 0 AND s.classid = 'pg_database'::regclass AND s.objid = d.oid)))
       OR EXISTS (SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE o.oid = c.relowner AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema')))
) FROM pg_database d LEFT JOIN pg_roles r ON r.rolname = :'core' WHERE d.datname = current_database();
"""
# The statement with the password is kept from the server's log and from what extensions keep of statements.
QUIET = """
SET log_statement TO 'none';
SET log_min_error_statement TO 'panic';
SET log_min_duration_statement TO -1;
SET log_min_duration_sample TO -1;
SET log_transaction_sample_rate TO 0;
SET track_activities TO off;
SET pg_stat_statements.track_utility TO off;
"""
NEW_ROLE = """
SELECT format('CREATE ROLE %I', :'owner') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'owner') \\gexec
"""
NEW_DATABASE = """
SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ', :'db', :'owner') || :'how'
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'db') \\gexec
"""


class NotMadeError(HarnessError):
    """The dest's server cannot make a database with the source's encoding and locale."""


def command(plan: Plan, login: Login) -> Command:
    """Return the command that reads them on a host, as one JSON object."""
    asked = admin_sql(plan, login.host, READ, login.database, core=login.user)
    return replace(asked, says=f"read the role {login.user} and the database's settings on the {login.host}")


def recreate(plan: Plan, source: Login, dest: Login) -> Act:
    """Make the core's role and an empty database of its own on the dest, as on the source; raises NotMadeError."""
    found = read((yield command(plan, source)))
    yield set_role(plan, found, dest)
    yield from new_database(plan, found, dest)
    settings = admin_sql(plan, dest.host, settings_of(found, dest))
    yield replace(settings, says=f"give the role and the database on the dest the source's settings ({len(found['settings'])})")


def set_role(plan: Plan, found: Mapping[str, Any], dest: Login) -> Command:
    """Return the command that makes the core's role, with the password its config has, and bare roles that it needs beside it."""
    made = admin_sql(plan, dest.host, new_role(found), owner=dest.user, password=dest.password.value)
    return replace(made, says=f"create the role {dest.user} on the dest, as on the source")


def new_database(plan: Plan, found: Mapping[str, Any], dest: Login) -> Act:
    """Make the empty database; raises NotMadeError when the dest's server has not what the source's has."""
    how = locale(found)
    made = admin_sql(plan, dest.host, NEW_DATABASE, db=dest.database, owner=dest.user, how=how)
    answer = yield replace(made, exits=(0, FAILED), says=f"create the empty database {dest.database} on the dest ({how})")
    if answer.exit:
        raise NotMadeError(_not_made(found, answer))


def _not_made(found: Mapping[str, Any], made: CommandResult) -> str:
    cause = next(
        (text.split("ERROR:", 1)[1].strip() for text in made.err.decode().splitlines() if "ERROR:" in text), "no reason given"
    )
    name = found["database"]["datcollate"]
    remedy = (
        f"\nmake the locale {name} there (Debian: package locales, locale-gen), start its PostgreSQL anew, and run again; "
        "the order of texts and of their indexes depends on it"
    )
    return f"the dest cannot make the database as the source has it: {cause}{remedy if 'locale' in cause else ''}"


def new_role(found: Mapping[str, Any]) -> str:
    """Return the SQL that makes the roles; psql variables: owner (the core's role), password."""
    role = found["role"] or {}
    words = [word if role.get(name, name == "rolinherit") else f"NO{word}" for name, word in ATTRIBUTES.items()]
    until = literal(role["rolvaliduntil"]) if role.get("rolvaliduntil") else "'infinity'"
    limits = f"CONNECTION LIMIT {int(role.get('rolconnlimit', -1))} VALID UNTIL {until}"
    alter = f'ALTER ROLE :"owner" LOGIN {" ".join(words)} {limits};\n'
    secret = f"{QUIET}ALTER ROLE :\"owner\" PASSWORD :'password';\nRESET ALL;\n"
    groups = [name for name, _ in found["member of"]]
    others = "".join(_bare(name) for name in sorted({*found["others"], *groups}) if not name.startswith("pg_"))
    grants = [
        f'GRANT {identifier(name)} TO :"owner"{" WITH ADMIN OPTION" if admin else ""};\n' for name, admin in found["member of"]
    ]
    return f"{NEW_ROLE}{alter}{secret}{others}{''.join(grants)}"


def _bare(name: str) -> str:
    make = f"CREATE ROLE {identifier(name)} NOLOGIN"
    return f"SELECT {literal(make)} WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {literal(name)}) \\gexec\n"  # noqa: S608 - quoted


def locale(found: Mapping[str, Any]) -> str:
    """Return the options of CREATE DATABASE that give it the source's encoding and locale."""
    one = found["database"]
    provider = PROVIDERS[one["datlocprovider"]]
    words = [f"ENCODING {literal(found['encoding'])} LOCALE_PROVIDER {provider}"]
    words.append(f"LC_COLLATE {literal(one['datcollate'])} LC_CTYPE {literal(one['datctype'])}")
    name, rules = one.get("datlocale") or one.get("daticulocale"), one.get("daticurules")
    if name and provider != "libc":
        words.append(f"{provider.upper()}_LOCALE {literal(name)}")
    return " ".join([*words, *([f"ICU_RULES {literal(rules)}"] if rules else [])])


def elements(text: str) -> list[str]:
    """Return the elements of a setting that is a list of names, as stored: quoted where need be."""
    return [bare or quoted.replace('""', '"') for quoted, bare in ELEMENT.findall(text)]


def value(name: str, text: str) -> str:
    """Return a setting's value as SQL."""
    return ", ".join(map(literal, elements(text))) or "''" if name in LISTS else literal(text)


def settings_of(found: Mapping[str, Any], dest: Login) -> str:
    """Return the SQL that gives the role and the database their settings, limits and rights, and takes all others away."""
    role, database = identifier(dest.user), identifier(dest.database)
    targets = {
        "database": f"DATABASE {database}",
        "role": f"ROLE {role}",
        "role in database": f"ROLE {role} IN DATABASE {database}",
    }
    resets = [f"ALTER {target} RESET ALL;" for target in targets.values()]
    sets = [f"ALTER {targets[where]} SET {identifier(name)} TO {value(name, text)};" for where, name, text in found["settings"]]
    rights = [f"REVOKE ALL ON DATABASE {database} FROM PUBLIC, {role};"]
    for grantee, privilege, grantable in found["rights"]:
        to = role if grantee == "" else "PUBLIC" if grantee is None else identifier(grantee)
        rights.append(f"GRANT {privilege} ON DATABASE {database} TO {to}{' WITH GRANT OPTION' if grantable else ''};")
    limit = f"ALTER DATABASE {database} CONNECTION LIMIT {int(found['database']['datconnlimit'])};"
    return "\n".join([f"{QUIET}ALTER DATABASE {database} OWNER TO {role};", *resets, *sets, limit, *rights, ""])


def told(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is compared of one host, for people; the values of settings of extensions may be secrets and are not in it."""
    role, database = found["role"] or {}, found["database"]
    flags = [word for name, word in ATTRIBUTES.items() if role.get(name)]
    until = role.get("rolvaliduntil") or "infinity"
    return {
        "attributes of the role": " ".join([*flags, f"{role.get('rolconnlimit')} connections", f"until {until}"]),
        "roles it is a member of": [f"{name}{' (admin)' if admin else ''}" for name, admin in found["member of"]],
        "encoding and locale": locale(found),
        "connections to the database": database["datconnlimit"],
        "rights on the database": sorted(_right(*right) for right in found["rights"]),
        **{f"{where}: {name}": "(not shown)" if "." in name else text for where, name, text in found["settings"]},
    }


def _right(grantee: str | None, privilege: str, grantable: bool) -> str:
    who = "PUBLIC" if grantee is None else grantee or "(the core's role)"
    return f"{who} {privilege}{' and may grant it' if grantable else ''}"


def check(source: Mapping[str, Any], dest: Mapping[str, Any]) -> list[Check]:
    """Compare both hosts: the role, the database, their settings; and whether the dest's collation is its library's."""
    expected, observed = told(source), told(dest)
    expected[NAMED], observed[NAMED] = source["others"], [name for name in source["others"] if name in dest["roles"]]
    values = {f"{where}: {name}": text for where, name, text in source["settings"]}
    for where, name, text in dest["settings"]:
        if "." in name and values.get(f"{where}: {name}", text) != text:
            observed[f"{where}: {name}"] = "(not shown) another value"
    why = "what a dump leaves out changes in silence: limits, defaults of sessions, the order of texts"
    made = dest["database"].get("datcollversion")
    return [
        equal(
            "the role and the database, as on the source", Witness.SQL, expected, observed, len(observed), len(expected), why=why
        ),
        equal(
            "collation version of the dest's database",
            Witness.SQL,
            dest["library"],
            made,
            why="indexes of text may be in another order",
        ),
    ]


def read(answer: CommandResult) -> dict[str, Any]:
    """Return what a host answered."""
    found: dict[str, Any] = json.loads(answer.out)
    return found
