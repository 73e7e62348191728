"""Connecting as each role and trying everything: tables, schemas, functions, files, other roles."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeAlias
from uuid import uuid4

import psycopg2
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import URL

from tthc_monitor.store import migrate, rights
from tthc_monitor.store.auditors import create_auditor
from tthc_monitor.store.database import database_url, make_engine, transaction
from tthc_monitor.store.logins import create_service
from tthc_monitor.store.roles import settle

Session: TypeAlias = psycopg2.extensions.connection

# What the service may do with each table; nobody else may do anything with any of them.
READ, APPEND, QUEUE, KEEP, ALL = "S", "SI", "SID", "SIU", "SIUD"
EXPECTED: Final = {
    **dict.fromkeys(("statuses", "alembic_version", "erasures", "erased"), READ),
    **dict.fromkeys(("observations", "ledger_events", "ledger_checks", "frozen_periods", "frozen_figures"), APPEND),
    **dict.fromkeys(("replays", "replayed_flags"), APPEND),
    **dict.fromkeys(("configuration_changes", "unit_imports", "rule_versions", "limit_versions"), APPEND),
    **dict.fromkeys(("cause_imports", "assigned_causes"), APPEND),
    **dict.fromkeys(("calendar_versions", "calendar_variants", "calendar_units", "calendar_segments"), APPEND),
    **dict.fromkeys(("compiled_calendars", "calendar_days"), APPEND),
    **dict.fromkeys(("published_imports", "published_figures", "issued_reports", "issued_files"), APPEND),
    "observation_batches": APPEND,
    "ledger_checks": APPEND,
    **dict.fromkeys(("time_limits", "procedure_catalogue", "unit_versions", "unit_successions"), KEEP),
    **dict.fromkeys(("flags", "evaluations"), KEEP),
    **dict.fromkeys(("dossiers", "sources", "units", "sectors", "procedures", "pull_runs"), KEEP),
    **dict.fromkeys(("metric_snapshot_taken", "metric_totals", "procedure_totals"), KEEP),
    **dict.fromkeys(("pending_dossiers", "pending_evaluations", "unit_successions_now"), QUEUE),
    **dict.fromkeys(("rejects", "unknown_codes", "inbox", "open_findings"), QUEUE),
    **dict.fromkeys(("lawful_dues", "missing", "job_runs", "metric_snapshot", "deliveries"), ALL),
    "acknowledgements": QUEUE,
    "digest_optouts": ALL,
    "auditor_units": "",
}
# Of these a part of the columns only.
UPDATED: Final = {
    "flags": {"believed_to"},
    **{name: {"known_to"} for name in ("time_limits", "procedure_catalogue", "unit_versions", "unit_successions")},
    "evaluations": {"finished_at", "dossiers_judged", "flags_opened", "flags_closed"},
    "digest_optouts": {"taken_back_at"},
}
NOT_INSERTED: Final = {
    "observation_batches": {"batch_id", "version", "linked_at", "previous_hash", "chain_hash"},
    "evaluations": {"evaluation_id", "recorded_at", *UPDATED["evaluations"]},
    "replays": {"replay_id", "recorded_at"},
    "published_imports": {"published_import_id", "recorded_at"},
    "issued_reports": {"issued_report_id", "recorded_at"},
}


@pytest.fixture(scope="module")
def owner() -> Iterator[Engine]:
    """A database migrated by the program itself, for the tests of this module."""
    name = f"t_{uuid4().hex}"
    server = make_engine(os.environ["TTHC_TEST_DATABASE_URL"])
    with server.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
        engine = make_engine(server.url.set(database=name))
        migrate.upgrade(engine)
        yield engine
        engine.dispose()
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture(scope="module")
def logins(owner: Engine) -> Iterator[dict[str, URL]]:
    """One login of each kind; roles belong to the whole server, so they go at the end."""
    names = {kind: f"{kind}_{uuid4().hex[:12]}" for kind in ("service", "auditor", "unit_auditor", "migrator")}
    with transaction(owner) as connection:
        connection.execute(text("INSERT INTO tthc.units VALUES ('H99.01', 'Sở Xây dựng', now())"))
        made = {
            "service": create_service(connection, owner.url, names["service"]),
            "auditor": create_auditor(connection, owner.url, names["auditor"]),
            "unit_auditor": create_auditor(connection, owner.url, names["unit_auditor"], ["H99.01"]),
            "migrator": owner.url.set(drivername="postgresql", username=names["migrator"], password="x"),
        }
        connection.execute(text(f"CREATE ROLE {names['migrator']} LOGIN PASSWORD 'x' IN ROLE tthc_migrator"))
    yield made
    with transaction(owner) as connection:
        connection.execute(text(f"DROP ROLE {', '.join(names.values())}"))


@contextmanager
def session(address: URL, role: str | None = None) -> Iterator[Session]:
    connection = psycopg2.connect(address.render_as_string(hide_password=False))
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off; SET search_path = tthc, audit")
        if role is not None:
            cursor.execute(f"SET ROLE {role}")
    connection.commit()
    try:
        yield connection
    finally:
        connection.close()


def ask(connection: Session, statement: str) -> list[tuple[Any, ...]]:
    """Run a statement, and leave nothing of it."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []
    finally:
        connection.rollback()


def is_allowed(connection: Session, statement: str) -> bool:
    """Whether rights stand in the way; what else does, such as a trigger or a constraint, comes after them."""
    try:
        ask(connection, statement)
    except psycopg2.errors.InsufficientPrivilege:
        return False
    except (psycopg2.errors.RaiseException, psycopg2.IntegrityError, psycopg2.errors.FeatureNotSupported):
        return True
    return True


def tables(owner: Engine) -> dict[str, list[str]]:
    """Every table of ours but the parts of others, with its columns."""
    with transaction(owner) as connection:
        rows = connection.execute(
            text(
                "SELECT c.relname, array_agg(a.attname::text) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
                "WHERE c.relnamespace = 'tthc'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition "
                "AND a.attnum > 0 AND NOT a.attisdropped GROUP BY 1"
            )
        )
        return {row[0]: row[1] for row in rows}


def test_no_table_was_forgotten(owner: Engine) -> None:
    assert set(tables(owner)) <= set(EXPECTED) == set(rights.TABLES)


def test_the_service_may_do_with_each_table_what_it_needs_and_no_more(owner: Engine, logins: dict[str, URL]) -> None:
    with session(logins["service"]) as service:
        for table, columns in tables(owner).items():
            expected = EXPECTED[table]
            assert is_allowed(service, f"SELECT * FROM {table}") == ("S" in expected), table
            assert is_allowed(service, f"DELETE FROM {table}") == ("D" in expected), table
            for column in columns:
                may_update = "U" in expected and column in UPDATED.get(table, columns)
                updated = is_allowed(service, f"UPDATE {table} SET {column} = DEFAULT WHERE false")
                assert updated == may_update, f"{table}.{column}"
                may_insert = "I" in expected and column not in NOT_INSERTED.get(table, ())
                inserted = is_allowed(service, f"INSERT INTO {table} ({column}) VALUES (DEFAULT)")
                assert inserted == may_insert, f"{table}.{column}"
            for statement in OWNERS_ONLY:
                assert not is_allowed(service, statement.format(table)), statement.format(table)


OWNERS_ONLY: Final = (
    "TRUNCATE {}",
    "DROP TABLE {} CASCADE",
    "ALTER TABLE {} ADD COLUMN x int",
    "ALTER TABLE {} RENAME TO x",
    "ALTER TABLE {} OWNER TO CURRENT_USER",
    "ALTER TABLE {} DISABLE TRIGGER ALL",
    "ALTER TABLE {} DISABLE ROW LEVEL SECURITY",
    "CREATE TRIGGER x BEFORE INSERT ON {} FOR EACH ROW EXECUTE FUNCTION tthc.refuse_change()",
    "CREATE RULE x AS ON DELETE TO {} DO INSTEAD NOTHING",
    "CREATE POLICY x ON {} USING (true)",
    "CREATE INDEX x ON {} ((1))",
    "COMMENT ON TABLE {} IS 'x'",
)


@pytest.mark.parametrize("kind", ["auditor", "unit_auditor"])
def test_an_auditor_may_do_nothing_with_any_table(owner: Engine, logins: dict[str, URL], kind: str) -> None:
    with session(logins[kind]) as auditor:
        for table, columns in tables(owner).items():
            for statement in (
                *("SELECT * FROM tthc.{}", "SELECT 1 FROM tthc.{}", "DELETE FROM tthc.{}", "COPY tthc.{} TO STDOUT"),
                *("INSERT INTO tthc.{} DEFAULT VALUES", f"UPDATE tthc.{{}} SET {columns[0]} = DEFAULT"),
                *("LOCK TABLE tthc.{} IN ACCESS SHARE MODE", "TRUNCATE tthc.{}", "ANALYZE tthc.{}"),
            ):
                assert not is_allowed(auditor, statement.format(table)), statement.format(table)


NO_VIEW_TO_WRITE: Final = (psycopg2.errors.ObjectNotInPrerequisiteState, psycopg2.errors.FeatureNotSupported)


@pytest.mark.parametrize("kind", ["service", "auditor", "unit_auditor"])
def test_views_are_read_and_never_written(owner: Engine, logins: dict[str, URL], kind: str) -> None:
    with transaction(owner) as connection:
        views = connection.execute(
            text(
                "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid "
                "AND a.attnum = c.relnatts WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind NOT IN ('i', 'c')"
            )
        ).all()
    assert len(views) > 30
    with session(logins[kind]) as one:
        for view, column in views:
            ask(one, f"SELECT * FROM audit.{view}")
            for statement in ("INSERT INTO {} DEFAULT VALUES", f"UPDATE {{}} SET {column} = DEFAULT", "DELETE FROM {}"):
                with pytest.raises((psycopg2.errors.InsufficientPrivilege, *NO_VIEW_TO_WRITE)):
                    ask(one, statement.format(f"audit.{view}"))
            for statement in ("DROP VIEW {} CASCADE", "ALTER VIEW {} RENAME TO x", "COMMENT ON VIEW {} IS 'x'"):
                assert not is_allowed(one, statement.format(f"audit.{view}")), view


FORBIDDEN: Final = (
    *(
        "CREATE TABLE tthc.x (a int)",
        "CREATE TABLE audit.x (a int)",
        "CREATE TABLE public.x (a int)",
        "CREATE SCHEMA x",
    ),
    *("CREATE VIEW audit.x AS SELECT 1", "CREATE FUNCTION audit.x() RETURNS int LANGUAGE sql AS 'SELECT 1'"),
    *("CREATE FUNCTION tthc.x() RETURNS int LANGUAGE sql AS 'SELECT 1'", "CREATE ROLE x"),
    *("DROP SCHEMA tthc CASCADE", "DROP SCHEMA audit CASCADE", "ALTER SCHEMA audit RENAME TO x"),
    *("DROP FUNCTION tthc.refuse_change() CASCADE", "ALTER FUNCTION tthc.refuse_change() OWNER TO CURRENT_USER"),
    *("DROP OWNED BY tthc_migrator", "REASSIGN OWNED BY tthc_migrator TO CURRENT_USER"),
    *("SET ROLE tthc_migrator", "SET ROLE tthc_views", "SET ROLE tthc_owner", "SET SESSION AUTHORIZATION tthc_owner"),
    *("GRANT tthc_migrator TO CURRENT_USER", "ALTER ROLE CURRENT_USER SUPERUSER", "ALTER ROLE CURRENT_USER BYPASSRLS"),
    *("ALTER ROLE tthc_migrator LOGIN", "SET session_replication_role = replica"),
    *("COPY (SELECT 1) TO PROGRAM 'true'", "COPY (SELECT 1) TO '/tmp/x'", "SELECT pg_read_file('postgresql.conf')"),
    *(
        "SELECT pg_ls_dir('.')",
        "SELECT lo_import('/etc/hostname')",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
    ),
    *("SELECT setval('tthc.flag_ids', 1)", "SELECT setval('tthc.dossier_ids', 1)", "SELECT pg_reload_conf()"),
    *("SET log_statement = 'none'", "SET log_duration = off", "SET log_min_messages = panic"),
    *("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tthc_owner'", "CHECKPOINT"),
    *("SELECT tthc.refuse_change()", "SELECT pg_rotate_logfile()", "SELECT pg_read_binary_file('PG_VERSION')"),
)


@pytest.mark.parametrize("kind", ["service", "auditor", "unit_auditor"])
@pytest.mark.parametrize("statement", FORBIDDEN)
def test_nobody_may_do_what_only_the_owner_or_an_administrator_does(
    logins: dict[str, URL], kind: str, statement: str
) -> None:
    with session(logins[kind]) as one, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(one, statement)


def test_temporary_tables_are_for_the_service_only(logins: dict[str, URL]) -> None:
    with session(logins["service"]) as service:
        ask(service, "CREATE TEMP TABLE x (a int); INSERT INTO x VALUES (1); ANALYZE x; TRUNCATE x; DISCARD TEMP")
    for kind in ("auditor", "unit_auditor"):
        with session(logins[kind]) as auditor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(auditor, "CREATE TEMP TABLE x (a int)")


def test_functions_of_the_owner_take_names_they_know_only(logins: dict[str, URL]) -> None:
    with session(logins["service"]) as service:
        for good in (
            "renew_statistics('dossiers')",
            "observations_loaded(now())",
            "lock_for_import('time_limits')",
        ):
            ask(service, f"SELECT tthc.{good}")
        for wrong in ("renew_statistics('pg_authid')", "lock_for_import('flags; DROP TABLE tthc.flags')"):
            with pytest.raises(psycopg2.errors.CaseNotFound):
                ask(service, f"SELECT tthc.{wrong}")
        with pytest.raises(psycopg2.errors.CaseNotFound):
            ask(service, "SELECT tthc.make_group_lookup('x')")
    with session(logins["auditor"]) as auditor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(auditor, "SELECT tthc.renew_statistics('dossiers')")


def test_functions_of_the_owner_fix_their_search_path_and_are_closed_to_everybody_else(owner: Engine) -> None:
    with transaction(owner) as connection:
        loose = connection.scalars(
            text(
                "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace::regnamespace::text IN ('tthc', 'audit') "
                "AND (has_function_privilege('public', oid, 'EXECUTE') "
                "OR prosecdef AND coalesce(array_to_string(proconfig, ','), '') !~ '^search_path=pg_catalog')"
            )
        ).all()
    assert loose == []


def test_the_migrator_owns_the_tables_and_looks_after_them(owner: Engine, logins: dict[str, URL]) -> None:
    with session(logins["migrator"]) as migrator:
        for table in tables(owner):
            ask(migrator, f"ALTER TABLE tthc.{table} ADD COLUMN x int")
            ask(migrator, f"SELECT count(*) FROM tthc.{table}")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(migrator, "CREATE ROLE x")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(migrator, "COPY (SELECT 1) TO PROGRAM 'true'")


def test_a_service_that_gives_up_its_role_is_no_more_than_before(logins: dict[str, URL]) -> None:
    engine = make_engine(logins["service"].set(drivername="postgresql+psycopg2"), role=rights.SERVICE)
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT current_user")) == rights.SERVICE
        connection.execute(text("RESET ROLE"))
        assert connection.scalar(text("SELECT current_user")) == logins["service"].username
        assert not connection.scalar(
            text("SELECT has_table_privilege('tthc.observations', 'DELETE, TRUNCATE, UPDATE')")
        )
    engine.dispose()


GIVEN: Final = "array(SELECT g::text FROM unnest({acl}) g WHERE g::text NOT LIKE {owner}::regrole || '=%' ORDER BY 1)"
STATE: Final = f"""
SELECT 'relation', c.oid::regclass::text, concat_ws(' ', [[c.xmin]] c.relowner::regrole, c.relrowsecurity,
    {GIVEN.format(acl="c.relacl", owner="c.relowner")}) FROM pg_class c
    WHERE c.relnamespace IN ('tthc'::regnamespace, 'audit'::regnamespace)
UNION ALL SELECT 'column', c.oid::regclass || '.' || a.attname,
    concat_ws(' ', [[a.xmin]] {GIVEN.format(acl="a.attacl", owner="c.relowner")})
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relnamespace = 'tthc'::regnamespace
UNION ALL SELECT 'function', p.oid::regprocedure::text,
    concat_ws(' ', [[p.xmin]] p.proowner::regrole, {GIVEN.format(acl="p.proacl", owner="p.proowner")})
    FROM pg_proc p WHERE pronamespace IN ('tthc'::regnamespace, 'audit'::regnamespace)
UNION ALL SELECT 'schema', nspname,
    concat_ws(' ', [[n.xmin]] nspowner::regrole, {GIVEN.format(acl="nspacl", owner="nspowner")})
    FROM pg_namespace n WHERE nspname IN ('tthc', 'audit')
UNION ALL SELECT 'database', datname, concat_ws(' ', {GIVEN.format(acl="datacl", owner="datdba")})
    FROM pg_database WHERE datname = current_database()
UNION ALL SELECT 'policy', polrelid::regclass || ' ' || polname,
    concat_ws(' ', [[p.xmin]] polcmd, polroles::regrole[], pg_get_expr(polqual, polrelid)) FROM pg_policy p
"""


def state(engine: Engine, *, written: bool = False) -> set[tuple[str, ...]]:
    """Who owns and may what; with ``written``, also when each row of the catalogue was written last."""
    query = re.sub(r"\[\[(.*?)\]\]", r"\1," if written else "", STATE)
    with transaction(engine) as connection:
        return {tuple(row) for row in connection.execute(text(query))}


def test_settling_twice_writes_nothing(owner: Engine) -> None:
    before = state(owner, written=True)
    assert len(before) > 150
    with transaction(owner) as connection:
        settle(connection)
    assert state(owner, written=True) == before


BY_HAND: Final = (
    "GRANT ALL ON tthc.observations TO tthc_service",
    "GRANT UPDATE (content_hash) ON tthc.observations TO tthc_service",
    "GRANT UPDATE ON tthc.flags TO tthc_service WITH GRANT OPTION",
    "GRANT INSERT (chain_hash, batch_id) ON tthc.observation_batches TO tthc_service",
    "GRANT SELECT ON ALL TABLES IN SCHEMA tthc TO PUBLIC",
    "GRANT SELECT ON tthc.dossiers TO tthc_auditor, pg_monitor",
    "GRANT USAGE, CREATE ON SCHEMA tthc TO tthc_auditor",
    "GRANT CREATE ON SCHEMA audit TO tthc_unit_auditor",
    "GRANT INSERT, DELETE ON audit.flags TO tthc_auditor",
    "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA tthc TO PUBLIC",
    "GRANT ALL ON ALL SEQUENCES IN SCHEMA tthc TO tthc_service",
    "ALTER TABLE tthc.observations OWNER TO tthc_owner",
    "ALTER TABLE tthc.flags OWNER TO tthc_service",
    "ALTER VIEW audit.dossiers OWNER TO tthc_owner",
    "ALTER FUNCTION tthc.make_group_lookup(text) OWNER TO tthc_owner",
    "REVOKE INSERT ON tthc.observations FROM tthc_service",
    "REVOKE SELECT ON tthc.dossiers FROM tthc_views",
    "REVOKE EXECUTE ON FUNCTION audit.figures FROM tthc_auditor",
    "ALTER TABLE tthc.dossiers DISABLE ROW LEVEL SECURITY",
    "CREATE POLICY open ON tthc.flags USING (true)",
    "DROP POLICY rows_of_the_asking ON tthc.observations",
    "ALTER POLICY rows_of_the_asking ON tthc.dossiers USING (true)",
    "ALTER POLICY rows_of_the_asking ON tthc.flags TO PUBLIC",
    "GRANT TEMPORARY ON DATABASE {database} TO PUBLIC",
    "GRANT CREATE ON DATABASE {database} TO tthc_service",
)


@pytest.mark.parametrize("statement", BY_HAND)
def test_what_was_changed_by_hand_is_mended_by_the_next_upgrade(owner: Engine, statement: str) -> None:
    before = state(owner)
    with transaction(owner) as connection:
        connection.execute(text(statement.format(database=owner.url.database)))
    assert state(owner) != before
    migrate.upgrade(owner)
    assert state(owner) == before


def test_groups_are_in_no_other_group_and_open_to_no_login(owner: Engine) -> None:
    """In one transaction that is taken back: roles belong to the whole server."""
    wrong = (
        "SELECT count(*) FROM pg_auth_members WHERE member IN ('tthc_service'::regrole, 'tthc_unit_auditor'::regrole)",
        "SELECT count(*) FROM pg_roles WHERE rolname = 'tthc_views' AND (rolcanlogin OR rolbypassrls OR rolcreaterole)",
    )
    with owner.connect() as connection, connection.begin() as attempt:
        connection.execute(
            text(
                "GRANT tthc_migrator TO tthc_service; GRANT tthc_auditor, pg_read_all_data TO tthc_unit_auditor; "
                "ALTER ROLE tthc_views LOGIN BYPASSRLS CREATEROLE"
            )
        )
        assert [connection.scalar(text(query)) for query in wrong] == [3, 1]
        settle(connection)
        assert [connection.scalar(text(query)) for query in wrong] == [0, 0]
        attempt.rollback()


def test_a_login_that_does_not_look_after_the_database_is_told_who_may(owner: Engine, logins: dict[str, URL]) -> None:
    from tthc_monitor.domain.errors import DatabaseError

    engine = make_engine(database_url(logins["service"].render_as_string(hide_password=False)))
    with pytest.raises(
        DatabaseError, match=r"no member of tthc_migrator, .*database\.migration_url, or .* run: GRANT tthc_migrator"
    ):
        migrate.upgrade(engine)
    engine.dispose()
