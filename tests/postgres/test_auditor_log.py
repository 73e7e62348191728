"""What the server's log tells of an auditor's session, and logins for the service."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psycopg2
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.engine import URL

from tests.postgres.test_auditor_limits import administer, fresh
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.store import rights
from tthc_monitor.store.auditors import LOGGED, create_auditor, not_logged
from tthc_monitor.store.database import database_url, make_engine, transaction
from tthc_monitor.store.logins import create_service


@contextmanager
def session(address: URL) -> Iterator[psycopg2.extensions.connection]:
    connection = psycopg2.connect(address.render_as_string(hide_password=False))
    connection.autocommit = True
    try:
        yield connection
    finally:
        connection.close()


@pytest.fixture
def name(engine: Engine) -> Iterator[str]:
    name = fresh("nhat_ky")
    yield name
    with transaction(engine) as connection:
        connection.execute(text(f"DROP ROLE IF EXISTS {name}"))


def test_every_statement_is_logged_with_role_time_and_row_count(engine: Engine, name: str) -> None:
    with transaction(engine) as connection:
        address = create_auditor(connection, engine.url, name)
        assert not_logged(connection, name) == []
    mark = uuid4().hex
    with session(address) as auditor, auditor.cursor() as cursor:
        cursor.execute(f"SELECT '{mark}' FROM generate_series(1, 17)")
    with transaction(engine) as connection:
        log: str = connection.scalar(text("SELECT pg_read_file(pg_current_logfile())"))
    entries = re.split(r"\n(?=\d{4}-\d\d-\d\d )", log)
    told = [entry for entry in entries if mark in entry]
    line = rf"\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+ UTC,\d+,{name}@{engine.url.database},LOG:  "
    assert re.match(rf"{line}statement: SELECT '{mark}'", told[0])
    assert re.match(rf"{line}duration: [\d.]+ ms  plan:", told[1])
    assert re.search(r"actual rows=17(\.00)? loops=1", told[1])


def test_an_auditor_cannot_switch_the_logging_off(engine: Engine, name: str) -> None:
    with transaction(engine) as connection:
        address = create_auditor(connection, engine.url, name)
    with session(address) as auditor, auditor.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = off")
        for setting in LOGGED:
            for statement in (f"SET {setting} = DEFAULT", f"RESET {setting}", f"ALTER ROLE {name} SET {setting} = '0'"):
                with pytest.raises((psycopg2.errors.InsufficientPrivilege, psycopg2.errors.CantChangeRuntimeParam)):
                    cursor.execute(statement)
        # These are everybody's own; only how many sessions there may be is not.
        cursor.execute(f"SET statement_timeout = 0; ALTER ROLE {name} SET statement_timeout = 0")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(f"ALTER ROLE {name} CONNECTION LIMIT 100")


def test_a_login_that_may_not_switch_logging_on_says_what_is_missing(
    server_url: str, engine: Engine, name: str
) -> None:
    maker = fresh("quan_tri")
    administer(
        server_url,
        f"CREATE ROLE {maker} LOGIN CREATEROLE PASSWORD 'x'",
        f"GRANT tthc_migrator, tthc_auditor TO {maker} WITH ADMIN OPTION",
        f"GRANT SET ON PARAMETER log_statement TO {maker}",
    )
    plain = make_engine(engine.url.set(username=maker, password="x"))
    try:
        with transaction(plain) as connection:
            address = create_auditor(connection, plain.url, name)
            assert set(not_logged(connection, name)) == set(LOGGED) - {"log_statement"}
        with session(address) as auditor, auditor.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM dossiers")
            assert cursor.fetchone() == (0,)
    finally:
        plain.dispose()
        administer(
            server_url,
            f"DROP ROLE {name}",
            f"REVOKE SET ON PARAMETER log_statement FROM {maker}",
            f"DROP ROLE {maker}",
        )


def test_a_service_login_works_and_gets_a_new_password(engine: Engine, name: str) -> None:
    with transaction(engine) as connection:
        first = create_service(connection, engine.url, name)
        second = create_service(connection, engine.url, name)
    assert (second.username, second.drivername) == (name, "postgresql") and first.password != second.password
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"), session(first):
        pass
    service = make_engine(database_url(second.render_as_string(hide_password=False)), role=rights.SERVICE)
    with transaction(service) as connection:
        assert tuple(connection.execute(text("SELECT session_user, current_user")).one()) == (name, rights.SERVICE)
        connection.execute(text("CREATE TEMP TABLE x AS SELECT * FROM tthc.dossiers"))
    service.dispose()


def test_a_login_of_one_kind_is_none_of_another(engine: Engine, name: str) -> None:
    with transaction(engine) as connection:
        create_auditor(connection, engine.url, name)
    told = f"role {name} exists and is not a login of the service but an auditor; choose another name"
    with pytest.raises(ConfigError, match=told), transaction(engine) as connection:
        create_service(connection, engine.url, name)
