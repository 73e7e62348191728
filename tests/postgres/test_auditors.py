"""What a login for auditors may do: read schema audit, all of it, and nothing else whatever it tries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import psycopg2
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import URL

from tests.postgres.test_ledger import query, record, take
from tthc_monitor.domain.calendars import Calendars
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.store import migrate
from tthc_monitor.store.auditors import create_auditor
from tthc_monitor.store.calendars import keep_segments
from tthc_monitor.store.database import make_engine, transaction
from tthc_monitor.store.grounds import register_calendar

Session = psycopg2.extensions.connection


@pytest.fixture(scope="module")
def owner(empty_database_of_module: str) -> Iterator[Engine]:
    """A database migrated by the program itself; a copy of a template would not have its rights.

    One for all: each test has an auditor of its own, who leaves nothing in it.
    """
    engine = make_engine(empty_database_of_module)
    migrate.upgrade(engine)
    take(engine, record("a", unit_code="H99.01", unit_name="Sở Xây dựng"))
    yield engine
    engine.dispose()


@pytest.fixture
def name(owner: Engine) -> Iterator[str]:
    """A role name that no other test uses; the role goes with the test."""
    name = f"kiem_toan_{uuid4().hex[:12]}"
    yield name
    with transaction(owner) as connection:
        if connection.scalar(text("SELECT count(*) FROM pg_roles WHERE rolname = :name"), {"name": name}):
            connection.execute(text(f"DROP OWNED BY {name}; DROP ROLE {name}"))


@pytest.fixture
def address(owner: Engine, name: str) -> URL:
    with transaction(owner) as connection:
        return create_auditor(connection, owner.url, name)


@contextmanager
def session(address: URL) -> Iterator[Session]:
    """A session of any PostgreSQL client, each statement by itself."""
    connection = psycopg2.connect(address.render_as_string(hide_password=False))
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture
def auditor(address: URL) -> Iterator[Session]:
    with session(address) as connection:
        yield connection


def ask(connection: Session, statement: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


def names(owner: Engine, kind: str, schema: str) -> list[str]:
    found = query(
        owner, f"SELECT relname FROM pg_class WHERE relkind = '{kind}' AND relnamespace = '{schema}'::regnamespace"
    )
    assert found
    return found


def test_every_view_can_be_read(owner: Engine, auditor: Session) -> None:
    views = names(owner, "v", "audit")
    assert {"dossiers", "flags", "verdicts_now", "ledger", "observations", "rejects"} <= set(views)
    for view in views:
        ask(auditor, f"SELECT * FROM {view}")
    assert ask(auditor, "SELECT source_key, unit_name FROM dossiers") == [("a", "Sở Xây dựng")]


def test_every_function_can_be_called(owner: Engine, auditor: Session) -> None:
    functions = query(owner, "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'audit'::regnamespace")
    calendar = WorkCalendar("UTC", {"mon": [("07:30", "11:30")]})
    with transaction(owner) as connection:
        version = register_calendar(connection, "thử", calendar.fingerprint, {}, datetime.now(UTC))
        keep_segments(connection, version, Calendars(calendar))
    values = {
        "timestamp with time zone": "now()",
        "text": "'UTC'",
        "numeric": "1",
        "integer": str(version),
        "boolean": "true",
        "tstzmultirange": "'{}'",
        "tstzrange[]": "ARRAY[tstzrange(now() - interval '1 day', now())]",
        "text[]": "ARRAY['H99.01']",
    }
    values["date"] = "current_date"
    assert len(functions) >= 3
    for function in functions:
        called, _, types = function.removeprefix("audit.").rstrip(")").partition("(")
        arguments = ", ".join(values[one] for one in types.split(",") if one)
        if called == "figures_by_unit":
            arguments = "now(), now(), 'now', 'UTC', current_date"
        elif called in ("reported_figures_of", "progress_766_by_unit"):
            arguments = arguments.replace("'UTC'", "'now'", 1)
        elif called in ("verdict_kinds", "known_system", "verdicts_by"):
            arguments = arguments.replace("'UTC'", "'official'")
        ask(auditor, f"SELECT * FROM audit.{called}({arguments})")
    assert ask(auditor, "SELECT audit.on_time_percent(3, 1)")[0][0] == 75


def test_no_view_or_function_is_open_to_everybody(owner: Engine) -> None:
    public = query(
        owner,
        "SELECT proname FROM pg_proc WHERE pronamespace IN ('audit'::regnamespace, 'tthc'::regnamespace) "
        "AND prokind = 'f' AND prorettype <> 'trigger'::regtype AND has_function_privilege('public', oid, 'EXECUTE')",
    )
    assert public == []
    opened = query(
        owner,
        "SELECT relname FROM pg_class WHERE relnamespace IN ('audit'::regnamespace, 'tthc'::regnamespace) "
        "AND relkind IN ('r', 'v', 'S') AND EXISTS (SELECT FROM aclexplode(relacl) WHERE grantee = 0)",
    )
    assert opened == []


def test_no_table_behind_the_views_can_be_read(owner: Engine, auditor: Session) -> None:
    for table in names(owner, "r", "tthc"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(auditor, f"SELECT * FROM tthc.{table}")
    for sequence in names(owner, "S", "tthc"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            ask(auditor, f"SELECT nextval('tthc.{sequence}')")


FORBIDDEN = [
    "CREATE TABLE audit.x (a int)",
    "CREATE TABLE tthc.x (a int)",
    "CREATE TABLE public.x (a int)",
    "CREATE TABLE x (a int)",
    "CREATE TEMP TABLE x (a int)",
    "CREATE SCHEMA x",
    "CREATE VIEW audit.x AS SELECT 1",
    "CREATE FUNCTION audit.x() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE ROLE x_cua_kiem_toan",
    "DROP VIEW audit.flags_now",
    "ALTER VIEW audit.flags_now RENAME TO x",
    "TRUNCATE tthc.flags",
    "UPDATE tthc.alembic_version SET version_num = 'x'",
    "SET ROLE tthc_owner",
    "SET SESSION AUTHORIZATION tthc_owner",
    "ALTER SYSTEM SET fsync = off",
    "COPY audit.dossiers TO PROGRAM 'true'",
    "COPY audit.dossiers TO '/tmp/x'",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT lo_create(0)",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'tthc_owner'",
]


def test_views_cannot_be_written_even_with_the_read_only_default_switched_off(owner: Engine, auditor: Session) -> None:
    for switched in (False, True):
        if switched:
            ask(auditor, "SET default_transaction_read_only = off")
        for view in names(owner, "v", "audit"):
            (column,) = query(
                owner,
                "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:view) AND attnum = 1",
                view=f"audit.{view}",
            )
            for statement in (
                f"INSERT INTO audit.{view} DEFAULT VALUES",
                f"UPDATE audit.{view} SET {column} = {column}",
                f"DELETE FROM audit.{view}",
            ):
                with pytest.raises(psycopg2.Error):
                    ask(auditor, statement)


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_nothing_else_is_allowed_even_with_the_read_only_default_switched_off(auditor: Session, statement: str) -> None:
    with pytest.raises(psycopg2.Error):
        ask(auditor, statement)
    ask(auditor, "SET default_transaction_read_only = off")
    with pytest.raises(psycopg2.Error) as caught:
        ask(auditor, statement)
    allowed = (
        psycopg2.errors.InsufficientPrivilege,
        psycopg2.errors.InvalidSchemaName,
        psycopg2.errors.WrongObjectType,
    )
    assert isinstance(caught.value, allowed), caught.value


def test_a_database_that_was_copied_or_restored_gives_no_more_away(engine: Engine) -> None:
    """The rights of a database as such do not travel with a copy, nor with a dump of its content."""
    name = f"kiem_toan_{uuid4().hex[:12]}"
    with transaction(engine) as connection:
        address = create_auditor(connection, engine.url, name)
    try:
        with session(address) as auditor:
            ask(auditor, "SET default_transaction_read_only = off")
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                ask(auditor, "CREATE TEMP TABLE x (a int)")
    finally:
        with transaction(engine) as connection:
            connection.execute(text(f"DROP ROLE {name}"))


def test_a_session_is_read_only_limited_in_time_and_finds_the_views(auditor: Session) -> None:
    assert ask(auditor, "SHOW statement_timeout") == [("1min",)]
    assert ask(auditor, "SHOW default_transaction_read_only") == [("on",)]
    assert ask(auditor, "SHOW search_path") == [("audit",)]
    assert ask(auditor, "SHOW timezone") == [("Asia/Ho_Chi_Minh",)]
    assert ask(
        auditor, "SELECT rolconnlimit, rolsuper, rolcreaterole, rolcreatedb FROM pg_roles WHERE rolname = current_user"
    ) == [(5, False, False, False)]


def test_the_second_call_gives_a_new_password_and_ends_the_old_one(owner: Engine, name: str, address: URL) -> None:
    with transaction(owner) as connection:
        again = create_auditor(connection, owner.url, name)
    assert (again.username, again.drivername) == (name, "postgresql")
    assert again.password != address.password and len(str(again.password)) >= 20
    with session(again) as connection:
        assert ask(connection, "SELECT count(*) FROM dossiers") == [(1,)]
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"), session(address):
        pass


@pytest.mark.parametrize(
    "wrong", ["", "A", "kiểm", "1a", "_a", "a b", "a-b", "a;b", 'a"b', "a'b", "a" * 64, "a\n", "a\nb", "tthc_auditor "]
)
def test_what_is_no_role_name_is_refused(owner: Engine, wrong: str) -> None:
    with (
        pytest.raises(ConfigError, match="is not a role name; use lower-case letters"),
        transaction(owner) as connection,
    ):
        create_auditor(connection, owner.url, wrong)


def test_a_role_that_is_no_auditor_is_refused_and_left_as_it_is(owner: Engine, name: str) -> None:
    with transaction(owner) as connection:
        connection.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'cua-nguoi-khac'"))
    for taken in (name, "tthc_owner", "tthc_auditor", "pg_monitor"):
        with (
            pytest.raises(ConfigError, match="exists and is not an auditor; choose another name"),
            transaction(owner) as connection,
        ):
            create_auditor(connection, owner.url, taken)
    psycopg2.connect(
        owner.url.set(username=name, password="cua-nguoi-khac", drivername="postgresql").render_as_string(False)
    ).close()


def test_a_name_of_the_greatest_length_works(owner: Engine, name: str) -> None:
    longest = f"{name}_{'x' * 63}"[:63]
    with transaction(owner) as connection:
        address = create_auditor(connection, owner.url, longest)
    try:
        with session(address) as auditor:
            assert ask(auditor, "SELECT current_user") == [(longest,)]
    finally:
        with transaction(owner) as connection:
            connection.execute(text(f"DROP ROLE {longest}"))
