"""On a server of somebody else: an ordinary login that makes the roles, two databases at once, one login for everything."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import Engine, text

from tests.postgres.test_ledger import query, record, take
from tthc_monitor.domain.errors import DatabaseError
from tthc_monitor.store import embedded, migrate, rights
from tthc_monitor.store.auditors import create_auditor
from tthc_monitor.store.database import database_url, make_engine, transaction
from tthc_monitor.store.logins import create_service
from tthc_monitor.store.roles import require_service


@pytest.fixture(scope="module")
def server() -> Iterator[embedded.EmbeddedServer]:
    """A second server: groups belong to a whole one, and there nobody has made them yet."""
    folder = Path(tempfile.mkdtemp(prefix="tthc-roles-"))
    folder.chmod(0o755)
    running = embedded.start(folder / "data", fast_and_unsafe=True)
    yield running
    running.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def superuser(server: embedded.EmbeddedServer) -> Iterator[psycopg2.extensions.cursor]:
    """A server without any of our groups and databases, before and after."""
    connection = psycopg2.connect(server.url("postgres").replace("+psycopg2", ""))
    connection.autocommit = True
    with connection.cursor() as cursor:
        yield cursor
        cursor.execute("SELECT datname FROM pg_database WHERE datname ~ '^db_'")
        for (name,) in cursor.fetchall():
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
        cursor.execute("SELECT rolname FROM pg_roles WHERE rolname ~ '^tthc_|^login_' AND rolname <> 'tthc_owner'")
        found = [name for (name,) in cursor.fetchall()]
        for name in found:
            cursor.execute(f"DROP OWNED BY {name}")
        for name in found:
            cursor.execute(f"DROP ROLE {name}")
    connection.close()


def engine_of(server: embedded.EmbeddedServer, database: str, login: str, role: str | None = None) -> Engine:
    url = database_url(server.url(database)).set(username=login, password="x")
    return make_engine(url, role=role)


OWNERS = (
    "SELECT DISTINCT relnamespace::regnamespace || ' ' || relowner::regrole FROM pg_class "
    "WHERE relnamespace::regnamespace::text IN ('tthc', 'audit') ORDER BY 1"
)


@pytest.mark.parametrize("database_rights", ["owner", "create"])
def test_a_login_that_may_make_roles_sets_everything_up(
    server: embedded.EmbeddedServer, superuser: psycopg2.extensions.cursor, database_rights: str
) -> None:
    superuser.execute("CREATE ROLE login_quan_tri LOGIN CREATEROLE PASSWORD 'x'")
    if database_rights == "owner":
        superuser.execute("CREATE DATABASE db_mot OWNER login_quan_tri")
    else:
        superuser.execute("CREATE DATABASE db_mot")
        superuser.execute("GRANT CREATE ON DATABASE db_mot TO login_quan_tri")
    login = engine_of(server, "db_mot", "login_quan_tri")
    assert [migrate.upgrade(login) for _ in range(2)] == [migrate.head()] * 2
    assert query(login, OWNERS) == ["audit tthc_views", "tthc tthc_migrator"]
    with transaction(login) as connection:
        connection.execute(text("INSERT INTO tthc.units VALUES ('H99.01', 'Sở Xây dựng', now())"))
        made = create_service(connection, login.url, "login_dich_vu")
        create_auditor(connection, login.url, "login_kiem_toan")
        create_auditor(connection, login.url, "login_cua_so", ["H99.01"])
    service = make_engine(database_url(made.render_as_string(hide_password=False)), role=rights.SERVICE)
    take(service, record("a", unit_code="H99.01"))
    assert query(service, "SELECT source_key FROM audit.dossiers") == ["a"]
    with (
        pytest.raises(DatabaseError, match="permission denied for table observations"),
        transaction(service) as connection,
    ):
        connection.execute(text("DELETE FROM tthc.observations"))
    # Who did both so far goes on, and takes on the service's role to serve.
    both = engine_of(server, "db_mot", "login_quan_tri", rights.SERVICE)
    with transaction(both) as connection:
        require_service(connection)
    for one in (login, service, both):
        one.dispose()


def test_a_login_that_may_not_make_roles_is_told_before_anything_is_begun(
    server: embedded.EmbeddedServer, superuser: psycopg2.extensions.cursor
) -> None:
    superuser.execute("CREATE ROLE login_thuong LOGIN PASSWORD 'x'")
    superuser.execute("CREATE DATABASE db_mot OWNER login_thuong")
    login = engine_of(server, "db_mot", "login_thuong")
    told = r"login login_thuong may not make the roles tthc_migrator, .*; name a login with CREATEROLE in database\.migration_url"
    with pytest.raises(DatabaseError, match=told):
        migrate.upgrade(login)
    for group in rights.GROUPS:
        superuser.execute(f"CREATE ROLE {group} NOLOGIN")
    with pytest.raises(DatabaseError, match=r"run: GRANT tthc_migrator, tthc_views, tthc_service TO login_thuong WITH"):
        migrate.upgrade(login)
    superuser.execute("GRANT tthc_migrator, tthc_views, tthc_service TO login_thuong")
    assert migrate.upgrade(login) == migrate.head()
    with (
        pytest.raises(DatabaseError, match=r"login_khac is no member of tthc_service; .* tthc-monitor db service NAME"),
        transaction(_other(server, superuser)) as connection,
    ):
        require_service(connection)
    login.dispose()


def _other(server: embedded.EmbeddedServer, superuser: psycopg2.extensions.cursor) -> Engine:
    superuser.execute("CREATE ROLE login_khac LOGIN PASSWORD 'x'")
    return engine_of(server, "db_mot", "login_khac", rights.SERVICE)


def test_two_databases_of_a_server_may_be_set_up_at_once(
    server: embedded.EmbeddedServer, superuser: psycopg2.extensions.cursor
) -> None:
    superuser.execute("CREATE ROLE login_quan_tri LOGIN CREATEROLE PASSWORD 'x'")
    engines = []
    for name in ("db_mot", "db_hai", "db_ba"):
        superuser.execute(f"CREATE DATABASE {name} OWNER login_quan_tri")
        engines.append(engine_of(server, name, "login_quan_tri"))
    # In processes of their own: migrations of one process go through one global.
    program = "import sys; from tthc_monitor.store import database, migrate; migrate.upgrade(database.make_engine(sys.argv[1]))"
    running = [
        subprocess.Popen([sys.executable, "-c", program, engine.url.render_as_string(hide_password=False)])
        for engine in engines
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0, 0]
    for engine in engines:
        assert query(engine, OWNERS) == ["audit tthc_views", "tthc tthc_migrator"]
        engine.dispose()


def test_parts_of_the_ledger_are_filled_and_never_read(
    server: embedded.EmbeddedServer, superuser: psycopg2.extensions.cursor
) -> None:
    superuser.execute("CREATE DATABASE db_mot")
    owner = make_engine(server.url("db_mot"))
    migrate.upgrade(owner)
    with transaction(owner) as connection:
        # As the ledger will be: by months.
        connection.execute(
            text(
                "ALTER TABLE tthc.observations RENAME TO before; CREATE TABLE tthc.observations (LIKE tthc.before) "
                "PARTITION BY RANGE (seen_at); CREATE TABLE tthc.part PARTITION OF tthc.observations DEFAULT"
            )
        )
    migrate.upgrade(owner)
    with transaction(owner) as connection:
        held = connection.execute(
            text(
                "SELECT has_table_privilege('tthc_service', 'tthc.part', 'INSERT'), has_table_privilege('tthc_service', "
                "'tthc.part', 'SELECT, UPDATE, DELETE, TRUNCATE'), has_table_privilege('tthc_views', 'tthc.part', 'SELECT')"
            )
        ).one()
    assert tuple(held) == (True, False, False)
    owner.dispose()


def test_row_security_holds_for_relations_that_a_later_version_adds(
    server: embedded.EmbeddedServer, superuser: psycopg2.extensions.cursor
) -> None:
    """A table nobody has entered in the table of rights is open to nobody, a view over it to those who see everything."""
    superuser.execute("CREATE DATABASE db_mot")
    owner = make_engine(server.url("db_mot"))
    migrate.upgrade(owner)
    with transaction(owner) as connection:
        connection.execute(
            text(
                "CREATE TABLE tthc.later (a int) PARTITION BY RANGE (a); "
                "CREATE TABLE tthc.later_1 PARTITION OF tthc.later DEFAULT; INSERT INTO tthc.later VALUES (1); "
                "CREATE VIEW audit.later AS SELECT a FROM tthc.later; CREATE TABLE audit.kept (a int); "
                "CREATE MATERIALIZED VIEW audit.once AS SELECT 1 AS a; CREATE SEQUENCE tthc.numbers; "
                "CREATE FUNCTION audit.one() RETURNS int LANGUAGE sql AS 'SELECT 1'; "
                "CREATE PROCEDURE tthc.nothing() LANGUAGE sql AS ''; "
                "CREATE AGGREGATE audit.total (int) (SFUNC = int4pl, STYPE = int)"
            )
        )
    migrate.upgrade(owner)
    assert query(owner, OWNERS) == ["audit tthc_views", "tthc tthc_migrator"]
    with transaction(owner) as connection:
        connection.execute(text("INSERT INTO tthc.units VALUES ('H99', 'Tỉnh Mẫu', now())"))
        logins = {
            "login_ca": create_auditor(connection, owner.url, "login_ca"),
            "login_mot": create_auditor(connection, owner.url, "login_mot", ["H99"]),
        }
    for login, seen in (("login_ca", [(1,)]), ("login_mot", [])):
        connection = psycopg2.connect(logins[login].render_as_string(hide_password=False))
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT a FROM later")
            assert cursor.fetchall() == seen
            cursor.execute("SELECT audit.one(), audit.total(a) FROM once")
            assert cursor.fetchall() == [(1, 1)]
        connection.close()
    with transaction(owner) as connection:
        for table in ("later", "later_1"):
            assert not connection.scalar(
                text("SELECT has_table_privilege('tthc_service', CAST(:table AS regclass), 'SELECT, INSERT, UPDATE')"),
                {"table": f"tthc.{table}"},
            )
    owner.dispose()
