"""Grants as the table of rights wants them: what is missing is given, what is too much is taken, by whomever it was given."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from sqlalchemy import Connection, text

from tthc_monitor.store.rights import (
    AUDITOR,
    FILLED_BY_PART,
    FUNCTIONS,
    MIGRATOR,
    READERS,
    SEQUENCES,
    SERVICE,
    TABLES,
    UNIT_AUDITOR,
    VIEWS,
)


class Grant(NamedTuple):
    """One privilege on one object; ``column`` is empty where it is for the whole of it."""

    kind: str
    name: str
    column: str
    role: str
    privilege: str


_HELD = """
WITH schema AS (SELECT oid, nspname, nspowner, nspacl FROM pg_namespace WHERE nspname IN ('tthc', 'audit')),
relation AS (
    SELECT c.oid, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
           format('%I.%I', s.nspname, c.relname) AS name, c.relowner, c.relacl
    FROM pg_class c JOIN schema s ON s.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
), held AS (
    SELECT r.kind, r.name, '' AS column, a.* FROM relation r, aclexplode(r.relacl) a WHERE a.grantee <> r.relowner
    UNION ALL
    SELECT r.kind, r.name, t.attname, a.* FROM relation r JOIN pg_attribute t ON t.attrelid = r.oid,
           aclexplode(t.attacl) a WHERE a.grantee <> r.relowner
    UNION ALL
    SELECT 'ROUTINE', format('%I.%I(%s)', s.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), '', a.*
    FROM pg_proc p JOIN schema s ON s.oid = p.pronamespace,
         aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a WHERE a.grantee <> p.proowner
    UNION ALL
    SELECT 'SCHEMA', format('%I', s.nspname), '', a.* FROM schema s, aclexplode(s.nspacl) a WHERE a.grantee <> s.nspowner
    UNION ALL
    SELECT 'DATABASE', format('%I', d.datname), '', a.*
    FROM pg_database d, aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
    WHERE d.datname = current_database() AND a.grantee <> d.datdba
)
SELECT h.kind, h.name, h.column, coalesce(r.rolname, 'PUBLIC') AS role, h.privilege_type AS privilege, h.is_grantable
FROM held h LEFT JOIN pg_roles r ON r.oid = h.grantee
"""
_OBJECTS = """
SELECT n.nspname AS schema, c.relname AS name, CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
       format('%I.%I', n.nspname, c.relname) AS quoted, false AS is_trigger,
       (SELECT p.relname FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhparent
        WHERE i.inhrelid = c.oid AND c.relispartition) AS part_of,
       n.nspname = 'tthc' AND c.oid IN (
           SELECT d.refobjid FROM pg_depend d JOIN pg_rewrite w ON w.oid = d.objid
           JOIN pg_class v ON v.oid = w.ev_class AND v.relnamespace = 'audit'::regnamespace
           WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass) AS is_shown,
       array(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
           AS columns
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('tthc', 'audit') AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
UNION ALL
SELECT n.nspname, p.proname, 'ROUTINE', format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
       p.prorettype = 'trigger'::regtype, NULL, false, '{}'
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname IN ('tthc', 'audit')
"""
_MAY_GIVE_DATABASE = """
SELECT format('%I', d.datname) AS name, pg_has_role(current_user, d.datdba, 'USAGE') AS may_give
FROM pg_database d WHERE d.datname = current_database()
"""
_OWNED_SCHEMAS = "SELECT nspname FROM pg_namespace WHERE nspowner = CAST(:role AS regrole)"
_SCHEMAS = (
    *(Grant("SCHEMA", "tthc", "", role, "USAGE") for role in (VIEWS, SERVICE)),
    # To own a view one must be allowed to make it.
    *(Grant("SCHEMA", "audit", "", VIEWS, privilege) for privilege in ("USAGE", "CREATE")),
    *(Grant("SCHEMA", "audit", "", role, "USAGE") for role in READERS),
    *(
        Grant("SCHEMA", name, "", MIGRATOR, privilege)
        for name in ("tthc", "audit")
        for privilege in ("USAGE", "CREATE")
    ),
)


def privileges(told: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Privileges as written in the table of rights, each with its columns; none means all."""
    for privilege, columns in re.findall(r"(\w+)(?: \(([^)]*)\))?(?:, |$)", told):
        yield privilege, tuple(columns.split(", ")) if columns else ()


def settle_schemas(connection: Connection) -> None:
    """Let the groups into the schemas, so that they can own what is in them."""
    owned = set(connection.scalars(text(_OWNED_SCHEMAS), {"role": MIGRATOR}))
    _settle(connection, (grant for grant in _SCHEMAS if grant.role != MIGRATOR or grant.name not in owned), ("SCHEMA",))


def settle_database(connection: Connection) -> None:
    """Temporary tables for the service, and for nobody else; nothing is done where the login may not grant it."""
    database = connection.execute(text(_MAY_GIVE_DATABASE)).one()
    if not database.may_give:
        return
    held = _held(connection, ("DATABASE",))
    given = {
        MIGRATOR: ("CONNECT", "CREATE", "TEMPORARY"),
        SERVICE: ("CONNECT", "TEMPORARY"),
        AUDITOR: ("CONNECT",),
        UNIT_AUDITOR: ("CONNECT",),
    }
    wanted = {
        Grant("DATABASE", database.name, "", role, privilege) for role, names in given.items() for privilege in names
    }
    # A database may have other users; of theirs only what PostgreSQL gives everybody is taken.
    ours = {*given, VIEWS}
    excess = {
        grant
        for grant, _ in held
        if grant not in wanted and (grant.role in ours or grant[3:] == ("PUBLIC", "TEMPORARY"))
    }
    _run(connection, _statements(excess, wanted - {grant for grant, _ in held}))


def settle_objects(connection: Connection) -> None:
    """Everything in the two schemas, as the table of rights says; what PUBLIC or others were given goes."""
    _settle(connection, _wanted(connection), ("TABLE", "SEQUENCE", "ROUTINE"))


def _wanted(connection: Connection) -> Iterator[Grant]:
    for one in connection.execute(text(_OBJECTS)):
        if one.schema == "audit":
            privilege = {"TABLE": "SELECT", "ROUTINE": "EXECUTE"}.get(one.kind)
            if privilege and not one.is_trigger:
                yield from (Grant(one.kind, one.quoted, "", role, privilege) for role in READERS)
            continue
        for privilege, columns in privileges(_of_service(one.kind, one.name, one.part_of)):
            # A column may come with a later migration.
            for column in (name for name in columns if name in one.columns) if columns else ("",):
                yield Grant(one.kind, one.quoted, column, SERVICE, privilege)
        if one.is_shown:
            yield Grant("TABLE", one.quoted, "", VIEWS, "SELECT")


def _of_service(kind: str, name: str, part_of: str | None) -> str:
    """What the table of rights tells of an object in ``tthc``; parts of tables are reached through the whole, or filled."""
    if kind == "ROUTINE":
        return "EXECUTE" if name in FUNCTIONS else ""
    if kind == "SEQUENCE":
        return SEQUENCES.get(name, "")
    if part_of is not None:
        return "INSERT" if part_of in FILLED_BY_PART else ""
    return TABLES[name].service if name in TABLES else ""


def _held(connection: Connection, kinds: Collection[str]) -> list[tuple[Grant, bool]]:
    rows = connection.execute(text(_HELD))
    return [(Grant(*row[:5]), row[5]) for row in rows if row.kind in kinds]


def _settle(connection: Connection, wanted: Iterable[Grant], kinds: Collection[str]) -> None:
    wished, held = set(wanted), _held(connection, kinds)
    # The right to pass a privilege on goes by taking it and giving it anew.
    excess = {grant for grant, passed_on in held if passed_on or grant not in wished}
    # To take a privilege on a table takes it on its columns too.
    touched = {(grant.kind, grant.name) for grant in excess}
    kept = {grant for grant, _ in held if grant[:2] not in touched}
    _run(connection, _statements(excess, wished - kept))


def _statements(excess: Collection[Grant], missing: Collection[Grant]) -> Iterator[str]:
    for grants, form in (
        (excess, "REVOKE {what} ON {on} FROM {role} CASCADE"),
        (missing, "GRANT {what} ON {on} TO {role}"),
    ):
        together: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        for grant in sorted(grants):
            column = f' ("{grant.column}")' if grant.column else ""
            role = grant.role if grant.role == "PUBLIC" else '"' + grant.role.replace('"', '""') + '"'
            together[grant.kind, grant.name, role].append(grant.privilege + column)
        objects: dict[tuple[str, str, str], list[str]] = defaultdict(list)
        for (kind, name, role), what in together.items():
            objects[kind, role, ", ".join(what)].append(name)
        for (kind, role, listed), names in objects.items():
            yield form.format(what=listed, on=f"{kind} {', '.join(names)}", role=role)


def _run(connection: Connection, statements: Iterable[str]) -> None:
    script = ";\n".join(statements)
    if script:
        connection.execute(text(script.replace(":", "\\:")))
