"""Where an auditor's login ends: names PostgreSQL keeps, passwords that nobody sees, and nothing to block others with."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias
from uuid import uuid4

import psycopg2
import pytest
from sqlalchemy import Engine, event, text
from sqlalchemy.engine import URL

from tthc_monitor.domain.errors import ConfigError, DatabaseError
from tthc_monitor.store import migrate
from tthc_monitor.store.auditors import create_auditor
from tthc_monitor.store.database import database_url, make_engine, transaction

Session: TypeAlias = psycopg2.extensions.connection
SECRET = "mat-khau-vua-dat-xong"


def fresh(prefix: str) -> str:
    return f"{prefix}_{uuid4().hex[:12]}"


def administer(server_url: str, *statements: str) -> None:
    engine = make_engine(server_url)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            for statement in statements:
                connection.execute(text(statement))
    finally:
        engine.dispose()


@contextmanager
def auditor_named(engine: Engine, name: str) -> Iterator[URL]:
    """A login for an auditor that goes at the end."""
    with transaction(engine) as connection:
        address = create_auditor(connection, engine.url, name)
    try:
        yield address
    finally:
        with transaction(engine) as connection:
            connection.execute(text(f'DROP ROLE "{name}"'))


@contextmanager
def session(address: URL) -> Iterator[Session]:
    connection = psycopg2.connect(address.render_as_string(hide_password=False))
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture
def address(engine: Engine) -> Iterator[URL]:
    with auditor_named(engine, fresh("kiem_toan")) as address:
        yield address


@pytest.fixture
def auditor(address: URL) -> Iterator[Session]:
    with session(address) as connection:
        ask(connection, "SET default_transaction_read_only = off")
        yield connection


def ask(connection: Session, statement: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


@pytest.mark.parametrize("name", ["user", "select", "all", "current_user", "table", "default"])
def test_a_word_of_the_language_is_as_good_a_name_as_another(engine: Engine, name: str) -> None:
    with auditor_named(engine, name) as address, session(address) as connection:
        assert ask(connection, "SELECT session_user::text, count(*) FROM dossiers") == [(name, 0)]
        assert ask(connection, "SHOW statement_timeout") == [("1min",)]


@pytest.mark.parametrize("name", ["public", "none", "pg_x", "pg_", "pg_kiem_toan"])
def test_a_name_that_postgresql_keeps_is_refused(engine: Engine, name: str) -> None:
    with (
        pytest.raises(ConfigError, match=rf"'{name}' is not a role name; .*choose another name$"),
        transaction(engine) as connection,
    ):
        create_auditor(connection, engine.url, name)


def test_the_password_never_travels(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{create_auditor.__module__}.secrets.token_urlsafe", lambda _bytes: SECRET)
    sent: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _note(_connection: object, _cursor: object, statement: str, parameters: object, *_rest: object) -> None:
        sent.append(f"{statement} {parameters!r}")

    name = fresh("kiem_toan")
    with auditor_named(engine, name) as address, session(address) as connection:
        assert address.password == SECRET
        assert ask(connection, "SELECT count(*) FROM dossiers") == [(0,)]
        with transaction(engine) as owner:
            kept = owner.scalar(text("SELECT rolpassword FROM pg_authid WHERE rolname = :name"), {"name": name})
    assert str(kept).startswith("SCRAM-SHA-256$")
    assert any("CREATE ROLE" in statement for statement in sent)
    assert not [statement for statement in sent if SECRET in statement]


def test_no_error_tells_the_password(engine: Engine, server_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{create_auditor.__module__}.secrets.token_urlsafe", lambda _bytes: SECRET)
    role = fresh("khong_quyen")
    administer(server_url, f"CREATE ROLE {role} LOGIN PASSWORD 'x'")
    plain = make_engine(engine.url.set(username=role, password="x"))
    try:
        with pytest.raises(DatabaseError, match=f"refuses role {role}") as caught, transaction(plain) as connection:
            create_auditor(connection, plain.url, fresh("kiem_toan"))
    finally:
        plain.dispose()
        administer(server_url, f"DROP ROLE {role}")
    assert SECRET not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_advisory_lock_shared(1)",
        "SELECT pg_advisory_xact_lock(1, 2)",
        "SELECT pg_try_advisory_lock(1)",
        "SELECT pg_try_advisory_xact_lock_shared(1, 2)",
        "SELECT pg_advisory_unlock_all()",
        "SELECT lo_creat(-1)",
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "SELECT lo_put(1, 0, 'x')",
        "SELECT lo_import('/etc/hostname')",
        "CREATE TEMP TABLE x (a int)",
    ],
)
def test_nothing_to_block_or_fill_with_even_with_read_only_off(auditor: Session, statement: str) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        ask(auditor, statement)


def test_no_function_of_that_kind_was_forgotten(auditor: Session, engine: Engine) -> None:
    kind = (
        "FROM pg_proc WHERE (proname ~ 'advisory' OR proname ~ '^lo_(creat|from|import|put)') "
        "AND pronamespace = 'pg_catalog'::regnamespace"
    )
    ((found, open_to_us),) = ask(
        auditor, f"SELECT count(*), count(*) FILTER (WHERE has_function_privilege(oid, 'EXECUTE')) {kind}"
    )
    assert isinstance(found, int) and found > 20 and open_to_us == 0
    with transaction(engine) as connection:
        assert connection.scalar(text(f"SELECT bool_and(has_function_privilege(oid, 'EXECUTE')) {kind}"))
        assert connection.scalar(text("SELECT pg_try_advisory_xact_lock(1)"))


def test_a_session_does_not_wait_or_idle_for_long(address: URL) -> None:
    with session(address) as connection:
        assert ask(connection, "SHOW idle_in_transaction_session_timeout") == [("1min",)]
        assert ask(connection, "SHOW lock_timeout") == [("5s",)]


@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_the_other_databases_of_our_server_are_closed(address: URL, database: str) -> None:
    refused = pytest.raises(psycopg2.OperationalError, match="permission denied for database")
    with refused, session(address.set(database=database)):
        pass


def test_an_owner_who_is_no_superuser_can_upgrade_and_work(server_url: str) -> None:
    """Such an owner cannot take the functions from everybody; that must not stop the upgrade."""
    name = fresh("chu_so_huu")
    administer(
        server_url,
        f"CREATE ROLE {name} LOGIN PASSWORD 'x'",
        f"GRANT tthc_migrator, tthc_views, tthc_service TO {name}",
        f"CREATE DATABASE {name} OWNER {name}",
    )
    engine = make_engine(database_url(server_url).set(username=name, password="x", database=name))
    try:
        assert migrate.upgrade(engine) == migrate.head()
        with transaction(engine) as connection:
            assert connection.scalar(text("SELECT pg_try_advisory_xact_lock(1)"))
    finally:
        engine.dispose()
        administer(server_url, f"DROP DATABASE {name} WITH (FORCE)", f"DROP ROLE {name}")
