"""The groups, what they own and what they may: settled at the end of every upgrade, whatever was done by hand meanwhile.

Works as a superuser, and as an ordinary login that may make roles or was given the groups. Groups belong to the whole
server, of which several databases, and upgrades of them at once, may make use.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from tthc_monitor.domain.errors import DatabaseError
from tthc_monitor.store.grants import settle_database, settle_objects, settle_schemas
from tthc_monitor.store.rights import ADVISORY, GROUPS, MIGRATOR, SERVICE, VIEWS
from tthc_monitor.store.row_security import settle_rows

_NAMES = ", ".join(f"'{name}'" for name in GROUPS)
# Up to PostgreSQL 15 a member could always take on a role; since 16 that is a right of its own.
MAY_BE = "CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END"
"""SQL for the privilege of ``pg_has_role`` that lets a login SET ROLE."""

_MISSING = f"SELECT name FROM unnest(ARRAY[{_NAMES}]) name WHERE to_regrole(name) IS NULL"
_TOO_MUCH = f"""
SELECT format('ALTER ROLE %I %s', rolname, concat_ws(' ',
    CASE WHEN rolcanlogin THEN 'NOLOGIN' END, CASE WHEN rolsuper THEN 'NOSUPERUSER' END,
    CASE WHEN rolcreaterole THEN 'NOCREATEROLE' END, CASE WHEN rolcreatedb THEN 'NOCREATEDB' END,
    CASE WHEN rolreplication THEN 'NOREPLICATION' END, CASE WHEN rolbypassrls THEN 'NOBYPASSRLS' END)) AS statement
FROM pg_roles WHERE rolname IN ({_NAMES})
  AND (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls)
UNION ALL
SELECT format('REVOKE %I FROM %I%s', g.rolname, m.rolname,
    CASE WHEN current_setting('server_version_num')::int >= 160000 THEN format(' GRANTED BY %I CASCADE', by.rolname) END)
FROM pg_auth_members a JOIN pg_roles g ON g.oid = a.roleid JOIN pg_roles m ON m.oid = a.member
LEFT JOIN pg_roles by ON by.oid = a.grantor
WHERE m.rolname IN ({_NAMES})
"""
_NOT_MINE = f"""
SELECT name FROM unnest(ARRAY['{MIGRATOR}', '{VIEWS}', '{SERVICE}']) name
WHERE NOT (pg_has_role(current_user, name, {MAY_BE}) AND pg_has_role(current_user, name, 'USAGE'))
"""
# Two upgrades at once may give the same; who comes second finds it given.
_ATTEMPT = """
DO $attempt$ BEGIN {} ;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
    WHEN internal_error THEN IF SQLERRM !~ 'concurrently' THEN RAISE; END IF;
END $attempt$
"""
_OWNERS = f"""
WITH ours AS (
    SELECT oid AS schema, nspname, CASE nspname WHEN 'audit' THEN '{VIEWS}' ELSE '{MIGRATOR}' END::regrole AS owner
    FROM pg_namespace WHERE nspname IN ('tthc', 'audit')
)
SELECT format('ALTER %s %I.%I OWNER TO %s', CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
              WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, o.nspname, c.relname, o.owner)
FROM ours o JOIN pg_class c ON c.relnamespace = o.schema
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relowner <> o.owner
  -- A sequence that belongs to a column goes with its table.
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
                  AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND c.relkind = 'S')
UNION ALL
SELECT format('ALTER ROUTINE %I.%I(%s) OWNER TO %s', o.nspname, p.proname, pg_get_function_identity_arguments(p.oid), o.owner)
FROM ours o JOIN pg_proc p ON p.pronamespace = o.schema WHERE p.proowner <> o.owner
"""
_SCHEMA_OWNERS = f"""
SELECT format('ALTER SCHEMA %I OWNER TO {MIGRATOR}', nspname) FROM pg_namespace
WHERE nspname IN ('tthc', 'audit') AND nspowner <> '{MIGRATOR}'::regrole AND pg_has_role(current_user, nspowner, 'USAGE')
  AND has_database_privilege('{MIGRATOR}', current_database(), 'CREATE')
"""
_LOCKS = f"""
SELECT format('GRANT EXECUTE ON FUNCTION pg_catalog.%s TO %I', called, role)
FROM unnest(ARRAY[{", ".join(f"'{name}'" for name in ADVISORY)}]) called, unnest(ARRAY['{SERVICE}', '{MIGRATOR}']) role
WHERE NOT has_function_privilege(role, 'pg_catalog.' || called, 'EXECUTE')
"""
_LOGIN = """
SELECT rolname AS name, quote_ident(rolname) AS quoted, rolsuper AS is_superuser, rolcreaterole AS makes_roles,
       current_setting('server_version_num')::int AS version FROM pg_roles WHERE rolname = current_user
"""
_MINE_TO_GIVE = """
SELECT name FROM unnest(CAST(:groups AS text[])) name WHERE pg_has_role(current_user, name, 'MEMBER WITH ADMIN OPTION')
    OR current_setting('server_version_num')::int < 160000
       AND (SELECT rolcreaterole FROM pg_roles WHERE rolname = current_user)
"""


def require_migrator(connection: Connection) -> None:
    """Refuse an upgrade by a login that could not end it, before anything is begun.

    Raises:
        DatabaseError: with what gives it the right.
    """
    login = connection.execute(text(_LOGIN)).one()
    if login.is_superuser:
        return
    missing = list(connection.scalars(text(_MISSING)))
    if missing and not login.makes_roles:
        raise DatabaseError(
            f"login {login.name} may not make the roles {', '.join(missing)}; name a login with CREATEROLE in "
            "database.migration_url, or as an administrator make them as docs/database-roles.md says"
        )
    groups = [] if missing else _join(connection, login.version, login.quoted)
    if groups:
        raise DatabaseError(
            f"login {login.name} may not change the database, it is no member of {', '.join(groups)}; name another login "
            f"in database.migration_url, or as an administrator run: GRANT {', '.join(groups)} TO {login.quoted} "
            "WITH ADMIN OPTION"
        )


def _join(connection: Connection, version: int, login: str) -> list[str]:
    """Make the login a member of the groups that an upgrade acts for, where it may; returns those that it is not in."""
    groups = list(connection.scalars(text(_NOT_MINE)))
    if groups:
        options = " WITH INHERIT TRUE, SET TRUE" if version >= 160000 else ""
        for name in connection.scalars(text(_MINE_TO_GIVE), {"groups": groups}).all():
            connection.execute(text(_ATTEMPT.format(f"GRANT {name} TO {login}{options}")))
        groups = list(connection.scalars(text(_NOT_MINE)))
    return groups


def make_groups(connection: Connection) -> None:
    """Make those groups that the server lacks, and the login a member of those that an upgrade acts for.

    Raises:
        DatabaseError: the login lacks a right for it.
    """
    for name in connection.scalars(text(_MISSING)).all():
        connection.execute(text(_ATTEMPT.format(f"CREATE ROLE {name} NOLOGIN")))
    require_migrator(connection)


def settle(connection: Connection) -> None:
    """Make groups, owners, grants and policies what they should be, in the caller's transaction; twice is once.

    Raises:
        DatabaseError: the login lacks a right for it.
    """
    path = connection.scalar(text("SELECT current_setting('search_path')"))
    # Policies read the same whoever upgrades: names of tables are written down as far as the path does not find them.
    connection.execute(text("SET LOCAL search_path = pg_catalog"))
    make_groups(connection)
    _run(connection, _TOO_MUCH)
    settle_database(connection)
    settle_schemas(connection)
    _run(connection, _SCHEMA_OWNERS)
    _run(connection, _OWNERS)
    settle_objects(connection)
    settle_rows(connection)
    if connection.execute(text(_LOGIN)).one().is_superuser:
        _run(connection, _LOCKS)
    _require_enough(connection)
    connection.execute(text("SELECT set_config('search_path', :path, true)"), {"path": path})


def require_service(connection: Connection) -> None:
    """Refuse a session that did not take on the service's role: it would have other rights, too few or too many.

    Raises:
        DatabaseError: with what gives it the right.
    """
    found, login = connection.execute(text("SELECT current_user, session_user")).one()
    if found != SERVICE:
        raise DatabaseError(
            f"login {login} is no member of {SERVICE}; make one for the service with: tthc-monitor db service NAME, and "
            "put its address into database.url"
        )


def _run(connection: Connection, query: str) -> None:
    """Run the statements that a query writes."""
    statements = list(connection.scalars(text(query)))
    if statements:
        connection.execute(text(";\n".join(statements).replace(":", "\\:")))


def _require_enough(connection: Connection) -> None:
    """What the login could not give, and the service cannot do without."""
    database = connection.scalar(text("SELECT quote_ident(current_database())"))
    if not connection.scalar(text(f"SELECT has_database_privilege('{SERVICE}', current_database(), 'TEMPORARY')")):
        raise DatabaseError(
            f"the service may not make temporary tables; as owner of the database run: "
            f"GRANT TEMPORARY ON DATABASE {database} TO {SERVICE}"
        )
    locks = list(connection.scalars(text(_LOCKS)))
    if locks:
        raise DatabaseError(f"the service may not take its locks; as an administrator run: {'; '.join(locks)}")
