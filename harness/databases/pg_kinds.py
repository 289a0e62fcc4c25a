"""The kinds of objects in a PostgreSQL database, each with the query that tells them all (see harness.databases.pg_schema)."""

# ruff: noqa: S608 - every query here is made of constants of this file

from __future__ import annotations

from dataclasses import dataclass

OURS = "(SELECT oid FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema')"
FIRST_OWN_OID = 16384  # what initdb makes is below


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of object: SQL for an object's name and definition, the catalogs to read, and which of their rows are meant.

    `schema` is the expression of its schema's OID, if it lies in one; `member` is (catalog, OID) of what an extension may own.
    """

    name: str
    naming: str
    definition: str
    source: str
    where: str = "true"
    schema: str = ""
    member: tuple[str, str] = ("", "")

    @property
    def query(self) -> str:
        """The query: one JSON array [kind, name, definition] a line."""
        catalog, oid = self.member
        inside = f" AND {self.schema} IN {OURS}" if self.schema else ""
        extension = f"d.classid = '{catalog}'::regclass AND d.objid = {oid} AND d.deptype = 'e'"
        outside = f" AND NOT EXISTS (SELECT FROM pg_depend d WHERE {extension})" if catalog else ""
        columns = f"json_build_array('{self.name}', ({self.naming})::text, {self.definition})"
        return f'SELECT {columns} FROM {self.source} WHERE {self.where}{inside}{outside} ORDER BY ({self.naming})::text COLLATE "C"'


def _of_table(name: str, naming: str, definition: str, source: str, where: str = "true") -> Kind:
    """Return a kind that belongs to a relation `c`: it lies in that one's schema, and is an extension's with it."""
    return Kind(name, naming, definition, source, where, "c.relnamespace", ("pg_class", "c.oid"))


def _digest(text: str) -> str:
    return f"'sha256:' || left(encode(sha256(convert_to({text}, 'UTF8')), 'hex'), 16)"


def _role(oid: str) -> str:
    named = "CASE rolname WHEN :'core' THEN '(the core''s role)' ELSE quote_ident(rolname) END"
    return f"coalesce((SELECT {named} FROM pg_roles WHERE pg_roles.oid = {oid}), 'PUBLIC')"


def _rights(acl: str) -> str:
    """Return SQL for an access list as text: grantee=privilege/grantor, `*` for the right to grant on.

    MAINTAIN is not told: an owner has it since PostgreSQL 17 without having been given it.
    """
    privilege = "x.privilege_type || CASE WHEN x.is_grantable THEN '*' ELSE '' END"
    told = f"{_role('x.grantee')} || '=' || {privilege} || '/' || {_role('x.grantor')}"
    listed = f"SELECT {told} AS told FROM aclexplode({acl}) AS x WHERE x.privilege_type <> 'MAINTAIN'"
    return f"(SELECT string_agg(told, ', ' ORDER BY told COLLATE \"C\") FROM ({listed}) AS y)"


def _options(options: str) -> str:
    """Return the options as text, but for pg_attver: the server's own count of changes since 15.20; pg_dump leaves it out too."""
    return f"(SELECT string_agg(o, ', ' ORDER BY o COLLATE \"C\") FROM unnest({options}) AS o WHERE left(o, 10) <> 'pg_attver=')"


TABLE = f"""concat_ws(' ',
  CASE c.relkind WHEN 'r' THEN 'table' WHEN 'f' THEN 'foreign' ELSE 'partitioned by ' || pg_get_partkeydef(c.oid) END,
  CASE c.relpersistence WHEN 'u' THEN 'unlogged' END, 'of ' || nullif(c.reloftype, 0)::regtype,
  'using ' || (SELECT amname FROM pg_am WHERE pg_am.oid = c.relam), 'identity ' || nullif(c.relreplident, 'd')::text,
  CASE WHEN c.relrowsecurity THEN 'row security' END, CASE WHEN c.relforcerowsecurity THEN 'forced' END,
  'inherits ' || (SELECT string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno) FROM pg_inherits i
                   WHERE i.inhrelid = c.oid), pg_get_expr(c.relpartbound, c.oid), 'with ' || {_options("c.reloptions")},
  'toast with ' || (SELECT {_options("t.reloptions")} FROM pg_class t WHERE t.oid = c.reltoastrelid))"""
COLUMN = f"""concat_ws(' ', (SELECT count(*) FROM pg_attribute b
                     WHERE b.attrelid = c.oid AND b.attnum BETWEEN 1 AND a.attnum AND NOT b.attisdropped) || '.',
  format_type(a.atttypid, a.atttypmod), 'collate ' || nullif(nullif(a.attcollation, y.typcollation), 0)::regcollation,
  CASE WHEN a.attnotnull THEN 'not null' END, CASE a.attidentity WHEN 'a' THEN 'identity' WHEN 'd' THEN 'identity by default' END,
  CASE a.attgenerated WHEN 's' THEN 'stored' WHEN 'v' THEN 'virtual' END,
  'default ' || (SELECT pg_get_expr(e.adbin, e.adrelid) FROM pg_attrdef e WHERE e.adrelid = c.oid AND e.adnum = a.attnum),
  'storage ' || nullif(a.attstorage, y.typstorage)::text, 'compressed ' || nullif(a.attcompression::text, ''),
  'statistics ' || nullif(a.attstattarget, -1)::text, 'with ' || {_options("a.attoptions")})"""
SEQUENCE = """concat_ws(' ', s.seqtypid::regtype, 'from', s.seqstart, 'by', s.seqincrement, 'in', s.seqmin, s.seqmax,
  'cache', s.seqcache, CASE WHEN s.seqcycle THEN 'cycle' END, CASE c.relpersistence WHEN 'u' THEN 'unlogged' END,
  (SELECT 'of ' || o.identity FROM pg_depend w, pg_identify_object(w.refclassid, w.refobjid, w.refobjsubid) AS o
    WHERE w.classid = 'pg_class'::regclass AND w.objid = c.oid AND w.deptype IN ('a', 'i') AND w.refobjsubid > 0))"""
TYPE = """CASE y.typtype
  WHEN 'e' THEN 'enum ' || (SELECT string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_enum e
                             WHERE e.enumtypid = y.oid)
  WHEN 'd' THEN concat_ws(' ', 'domain', format_type(y.typbasetype, y.typtypmod), CASE WHEN y.typnotnull THEN 'not null' END,
                          'default ' || y.typdefault, 'collate ' || nullif(y.typcollation, 0)::regcollation)
  WHEN 'r' THEN (SELECT 'range of ' || r.rngsubtype::regtype FROM pg_range r WHERE r.rngtypid = y.oid)
  WHEN 'c' THEN 'composite' ELSE concat_ws(' ', 'base', y.typinput, y.typoutput, y.typlen, y.typalign, y.typstorage) END"""
FUNCTION = """CASE p.prokind WHEN 'a' THEN (SELECT
    concat_ws(' ', g.aggtransfn, g.aggfinalfn, g.aggtranstype::regtype, g.agginitval, g.aggkind) FROM pg_aggregate g
     WHERE g.aggfnoid = p.oid) ELSE pg_get_functiondef(p.oid) END"""
POLICY = f"""concat_ws(' ', l.polcmd, l.polpermissive,
  (SELECT string_agg({_role("r")}, ', ' ORDER BY {_role("r")} COLLATE "C") FROM unnest(l.polroles) AS r),
  pg_get_expr(l.polqual, l.polrelid), 'check', pg_get_expr(l.polwithcheck, l.polrelid))"""
PUBLICATION = """concat_ws(' ', CASE WHEN b.puballtables THEN 'all tables' END, b.pubinsert, b.pubupdate, b.pubdelete,
  b.pubtruncate, b.pubviaroot, (SELECT string_agg(concat_ws(' ', format('%I.%I', t.schemaname, t.tablename), t.attnames,
      t.rowfilter), ', ' ORDER BY t.schemaname, t.tablename) FROM pg_publication_tables t WHERE t.pubname = b.pubname))"""
# Types of their own, without those that tables and arrays bring along.
OWN_TYPE = """y.typcategory <> 'A' AND y.typtype <> 'm'
   AND (y.typrelid = 0 OR (SELECT relkind FROM pg_class WHERE pg_class.oid = y.typrelid) = 'c')"""
# What has an owner and an access list: its catalog, OID, owner, list, and the letter that acldefault knows it by.
OWNED = f"""(
  SELECT 'pg_class'::regclass, c.oid, 0, c.relowner, c.relacl, CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char"
    FROM pg_class c WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S') AND c.relnamespace IN {OURS}
  UNION ALL SELECT 'pg_class'::regclass, c.oid, a.attnum, c.relowner, a.attacl, 'c'
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
   WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND c.relnamespace IN {OURS}
  UNION ALL SELECT 'pg_proc'::regclass, p.oid, 0, p.proowner, p.proacl, 'f' FROM pg_proc p WHERE p.pronamespace IN {OURS}
  UNION ALL SELECT 'pg_type'::regclass, y.oid, 0, y.typowner, y.typacl, 'T' FROM pg_type y
   WHERE y.typnamespace IN {OURS} AND {OWN_TYPE}
  UNION ALL SELECT 'pg_namespace'::regclass, n.oid, 0, n.nspowner, n.nspacl, 'n' FROM pg_namespace n WHERE n.oid IN {OURS}
  UNION ALL SELECT 'pg_largeobject'::regclass, m.oid, 0, m.lomowner, m.lomacl, 'L' FROM pg_largeobject_metadata m
  ) AS w (classid, oid, sub, owner, acl, letter), pg_identify_object(w.classid, w.oid, w.sub) AS o"""
OTHERS = "UNION ALL ".join(
    f"SELECT '{catalog}'::regclass, oid FROM {catalog} "
    for catalog in (
        *("pg_operator", "pg_opclass", "pg_opfamily", "pg_collation", "pg_conversion", "pg_cast", "pg_language", "pg_transform"),
        *("pg_ts_config", "pg_ts_dict", "pg_ts_parser", "pg_ts_template", "pg_am"),
        *("pg_foreign_data_wrapper", "pg_foreign_server"),
    )
)
# Neither an extension's nor made along with something else.
ON_ITS_OWN = """NOT EXISTS (
  SELECT FROM pg_depend d WHERE d.classid = w.classid AND d.objid = w.oid AND d.deptype IN ('e', 'i'))"""
KINDS: tuple[Kind, ...] = (
    Kind("schema", "quote_ident(n.nspname)", "''", "pg_namespace n", schema="n.oid", member=("pg_namespace", "n.oid")),
    _of_table("table", "c.oid::regclass", TABLE, "pg_class c", "c.relkind IN ('r', 'p', 'f')"),
    _of_table(
        "column",
        "format('%s.%I', c.oid::regclass, a.attname)",
        COLUMN,
        "pg_class c JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type y ON y.oid = a.atttypid",
        "c.relkind IN ('r', 'p', 'f', 'c') AND a.attnum > 0 AND NOT a.attisdropped",
    ),
    Kind(
        "constraint",
        "format('%I on %s', k.conname, CASE k.conrelid WHEN 0 THEN k.contypid::regtype::text ELSE k.conrelid::regclass::text END)",
        "pg_get_constraintdef(k.oid)",
        "pg_constraint k",
        "k.contype <> 'n'",
        schema="k.connamespace",
        member=("pg_class", "k.conrelid"),
    ),
    _of_table(
        "index",
        "i.indexrelid::regclass",
        "concat_ws(' ', pg_get_indexdef(i.indexrelid), CASE WHEN i.indisclustered THEN 'clustered' END,"
        " CASE WHEN i.indisreplident THEN 'identity' END)",
        "pg_index i JOIN pg_class c ON c.oid = i.indrelid",
        "i.indisvalid AND c.relkind <> 't'",
    ),
    _of_table("sequence", "c.oid::regclass", SEQUENCE, "pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid"),
    _of_table(
        "view",
        "c.oid::regclass",
        f"concat_ws(' ', c.relkind, c.relispopulated, {_options('c.reloptions')}, {_digest('pg_get_viewdef(c.oid)')})",
        "pg_class c",
        "c.relkind IN ('v', 'm')",
    ),
    _of_table(
        "rule",
        "format('%I on %s', r.rulename, c.oid::regclass)",
        f"r.ev_enabled::text || ' ' || {_digest('pg_get_ruledef(r.oid)')}",
        "pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class",
        "r.rulename <> '_RETURN'",
    ),
    _of_table(
        "trigger",
        "format('%I on %s', t.tgname, c.oid::regclass)",
        f"t.tgenabled::text || ' ' || {_digest('pg_get_triggerdef(t.oid)')}",
        "pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid",
        "NOT t.tgisinternal",
    ),
    _of_table(
        "policy",
        "format('%I on %s', l.polname, c.oid::regclass)",
        _digest(POLICY),
        "pg_policy l JOIN pg_class c ON c.oid = l.polrelid",
    ),
    Kind("function", "p.oid::regprocedure", _digest(FUNCTION), "pg_proc p", schema="p.pronamespace", member=("pg_proc", "p.oid")),
    Kind(
        "type",
        "y.oid::regtype",
        TYPE,
        "pg_type y",
        OWN_TYPE,
        "y.typnamespace",
        ("pg_type", "y.oid"),
    ),
    Kind(
        "statistics",
        "format('%I.%I', n.nspname, s.stxname)",
        "pg_get_statisticsobjdef(s.oid)",
        "pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace",
        schema="n.oid",
    ),
    Kind(
        "extension", "quote_ident(e.extname)", "concat_ws(' ', e.extversion, 'in', e.extnamespace::regnamespace)", "pg_extension e"
    ),
    Kind(
        "event trigger",
        "quote_ident(v.evtname)",
        "concat_ws(' ', v.evtevent, v.evtenabled, v.evttags, v.evtfoid::regprocedure)",
        "pg_event_trigger v",
        member=("pg_event_trigger", "v.oid"),
    ),
    Kind("publication", "quote_ident(b.pubname)", PUBLICATION, "pg_publication b"),
    Kind(
        "other object",
        "o.type || ' ' || o.identity",
        "''",
        f"({OTHERS}) AS w (classid, oid), pg_identify_object(w.classid, w.oid, 0) AS o",
        f"w.oid >= {FIRST_OWN_OID} AND coalesce(o.schema, '') <> 'pg_catalog' AND {ON_ITS_OWN}",
    ),
    Kind(
        "comment",
        "o.type || ' ' || o.identity",
        _digest("w.description"),
        "pg_description AS w (oid, classid), pg_identify_object(w.classid, w.oid, w.objsubid) AS o",
        f"w.oid >= {FIRST_OWN_OID} AND coalesce(o.schema, '') <> 'pg_toast' AND {ON_ITS_OWN}",
    ),
    Kind("owner", "o.type || ' ' || o.identity", _role("w.owner"), OWNED, f"w.sub = 0 AND {ON_ITS_OWN}"),
    Kind(
        "grants",
        "o.type || ' ' || o.identity",
        f"coalesce({_rights('w.acl')}, 'none')",
        OWNED,
        f"w.acl IS NOT NULL AND {ON_ITS_OWN} AND {_rights('w.acl')} IS DISTINCT FROM {_rights('acldefault(w.letter, w.owner)')}",
    ),
    Kind(
        "default grants",
        f"concat_ws(' ', {_role('f.defaclrole')}, f.defaclobjtype, nullif(f.defaclnamespace, 0)::regnamespace)",
        f"coalesce({_rights('f.defaclacl')}, 'none')",
        "pg_default_acl f",
    ),
)
RIGHTS = ("owner", "grants", "default grants", "policy")
# A sequence's value can only be read from the sequence itself: psql runs what this query prints.
VALUES = f"""
SELECT format($$SELECT json_build_array('sequence value', %L, last_value || CASE WHEN is_called THEN ' given' ELSE ' next' END)
                  FROM %s$$, c.oid::regclass, c.oid::regclass)
  FROM pg_class c WHERE c.relkind = 'S' AND c.relnamespace IN {OURS}
   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY c.oid::regclass::text COLLATE "C" \\gexec
"""
