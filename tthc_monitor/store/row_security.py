"""Row-level security: a unit's auditor sees the rows of its units and of their dossiers, through every view.

The views belong to a role that owns no table, so policies hold for them, and in a policy current_user is who asks. What
that role may see is worked out once a statement (``tthc.asking``, three sub-queries without a reference to the row):
of a row only a value is compared, and conditions on indexed columns are looked up as before.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection, text

from tthc_monitor.store.rights import SERVICE, TABLES, VIEWS, Rights, Rows

_ALL: Final = "(SELECT a.sees_all FROM tthc.asking a) IS NOT NULL"
_DOSSIER: Final = "dossier_id <@ (SELECT a.dossiers FROM tthc.asking a)"
_UNIT: Final = "{} = ANY ((SELECT a.unit_codes FROM tthc.asking a)::text[])"

_TABLES = """
SELECT c.relname AS name, c.relrowsecurity AS is_on,
       array(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
           AS columns,
       coalesce((SELECT jsonb_object_agg(p.polname, jsonb_build_array(obj_description(p.oid, 'pg_policy'), md5(concat_ws(' ',
           p.polroles::regrole[], p.polcmd, p.polpermissive, pg_get_expr(p.polqual, p.polrelid),
           pg_get_expr(p.polwithcheck, p.polrelid))))) FROM pg_policy p WHERE p.polrelid = c.oid), '{}') AS policies
FROM pg_class c WHERE c.relnamespace = 'tthc'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
"""
# How the server writes a policy down depends on its version; so what it wrote is remembered beside what we asked for.
_REMEMBER = """
DO $$
DECLARE
    made record;
BEGIN
    FOR made IN
        SELECT p.polname, p.polrelid::regclass AS of_table, md5(concat_ws(' ', p.polroles::regrole[], p.polcmd,
               p.polpermissive, pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))) AS written
        FROM pg_policy p WHERE p.polrelid = 'tthc."{table}"'::regclass
    LOOP
        EXECUTE format('COMMENT ON POLICY %I ON %s IS %L', made.polname, made.of_table, '{asked} ' || made.written);
    END LOOP;
END $$
"""


def settle_rows(connection: Connection) -> None:
    """Switch row-level security on where rows belong to units, with our policies and no others."""
    for table in connection.execute(text(_TABLES)).all():
        rights = TABLES.get(table.name, Rights("", Rows.NONE))
        wanted = {} if rights.rows is Rows.ALL else _policies(rights, table.columns)
        asked = sha256(repr(wanted).encode()).hexdigest()[:16]
        as_wanted = table.policies.keys() == wanted.keys() and all(
            comment == f"{asked} {written}" for comment, written in table.policies.values()
        )
        if as_wanted and table.is_on == bool(wanted):
            continue
        connection.execute(text(";\n".join(_statements(table.name, table.policies, wanted)).replace(":", "\\:")))
        if wanted:
            connection.execute(text(_REMEMBER.format(table=table.name, asked=asked).replace(":", "\\:")))


def _policies(rights: Rights, columns: list[str]) -> dict[str, str]:
    units = [_UNIT.format(name) for name in ("unit_code", "receiving_unit_code") if name in columns]
    seen = {
        # The table of dossiers itself tells whose each is.
        Rows.DOSSIER: units if "receiving_unit_code" in columns and "first_seen_at" in columns else [_DOSSIER],
        Rows.UNIT: units,
        Rows.NONE: [],
    }[rights.rows]
    policies = {"rows_of_the_asking": f"FOR SELECT TO {VIEWS} USING ({' OR '.join((_ALL, *seen))})"}
    if rights.service:
        policies["all_for_the_service"] = f"FOR ALL TO {SERVICE} USING (true) WITH CHECK (true)"
    return policies


def _statements(table: str, held: dict[str, object], wanted: dict[str, str]) -> Iterator[str]:
    name = f'tthc."{table}"'
    for policy in held:
        yield 'DROP POLICY "{}" ON {}'.format(policy.replace('"', '""'), name)
    for policy, what in wanted.items():
        yield f'CREATE POLICY "{policy}" ON {name} {what}'
    yield f"ALTER TABLE {name} {'ENABLE' if wanted else 'DISABLE'} ROW LEVEL SECURITY"
