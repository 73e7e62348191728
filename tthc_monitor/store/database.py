"""Connections: the address of the database, how it is reached, and how its errors read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg2
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tthc_monitor.domain.errors import ConfigError, DatabaseError

_CONNECT: Final = {
    "connect_timeout": 10,
    # After a failover the old connections may be gone without a word. What is asked for is given up after a minute, whether
    # the answer does not come (keepalives) or the question does not arrive; the system alone would take a quarter of an hour
    # or two hours.
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
_DRIVER = "postgresql+psycopg2"
# Up to PostgreSQL 15 a member could always take on a role; since 16 that is a right of its own.
_TAKE_ON = """
SELECT set_config('role', rolname, false) FROM pg_roles WHERE rolname = %(role)s AND pg_has_role(
    oid, CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END)
"""


def database_url(address: str) -> URL:
    """Parse a database address and pin the driver (SQLAlchemy 2.1 reads a bare ``postgresql://`` as psycopg 3).

    Raises:
        ConfigError: not an address, or not PostgreSQL.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):
        raise ConfigError(
            "database.url is not a database address; write it as postgresql://user:password@host:5432/name"
        ) from None
    if url.drivername in ("postgres", "postgresql", _DRIVER):
        return url.set(drivername=_DRIVER)
    raise ConfigError(
        f"database.url names '{url.drivername}', but only PostgreSQL 15 or later is supported; "
        "write it as postgresql://user:password@host:5432/name"
    )


def address(url: URL, *, with_password: bool) -> str:
    """An address as clients of PostgreSQL read it; without its password it may stand in arguments and logs."""
    # URL.set takes None for "as it is".
    password = url.password if with_password else None
    bare = URL.create("postgresql", url.username, password, url.host, url.port, url.database, url.query)
    return bare.render_as_string(hide_password=False)


def make_engine(url: str | URL, *, role: str | None = None) -> Engine:
    """An engine whose sessions speak UTC, find our tables without a schema name, and notice a dead line in a minute.

    Args:
        url: what its query says of timeouts and keepalives goes before ours.
        role: what they run as, where it exists and the login is a member; else, and for None, as the login itself.
    """
    parsed = database_url(url) if isinstance(url, str) else url
    # A job uses up to four connections at once, and those that wait for another's evaluation hold theirs meanwhile.
    told = {name: value for name, value in _CONNECT.items() if name not in parsed.query}
    engine = create_engine(parsed, pool_pre_ping=True, pool_size=5, max_overflow=45, connect_args=told)

    @event.listens_for(engine, "connect")
    def _session(connection: psycopg2.extensions.connection, _record: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SET search_path = tthc, audit; SET timezone = 'UTC'; SET lock_timeout = '30s'")
            if role is not None:
                cursor.execute(_TAKE_ON, {"role": role})
        connection.commit()

    return engine


@contextmanager
def session(engine: Engine) -> Iterator[Connection]:
    """A connection whose user commits; database errors come out as ours.

    Raises:
        DatabaseError: the server cannot be reached, has no tables of ours, refuses the role, or is busy with another run.
    """
    try:
        with engine.connect() as connection:
            yield connection
    except (DBAPIError, psycopg2.Error) as error:  # COPY goes past SQLAlchemy, and so do its errors
        found = _ours(error, engine.url)
        if found is None:
            raise
        raise found from error
    except PoolTimeoutError as error:
        raise DatabaseError(
            "no connection to the database became free in time; try again when fewer jobs run"
        ) from error


def _ours(error: BaseException, url: URL) -> DatabaseError | None:
    """What an error of the driver means for the operator; None when it is a fault of this program."""
    original = getattr(error, "orig", None) or error
    code = getattr(original, "pgcode", None)
    if code in ("42P01", "3F000"):
        return DatabaseError("the database has no tables of ours; run: tthc-monitor db upgrade")
    if code == "42501":
        return DatabaseError(
            f"the database refuses role {url.username}: {first_line(error)}; grant it the right, or name another role "
            "in database.url, for upgrades, logins and backups in database.migration_url"
        )
    if code == "55P03":
        return DatabaseError(f"another run held what this one needs: {first_line(error)}; try again when it has ended")
    if not isinstance(original, (psycopg2.OperationalError, psycopg2.InterfaceError)):
        return None
    if code is None or code.startswith(("08", "57P")):
        where = url.render_as_string(hide_password=True)
        return DatabaseError(
            f"the database at {where} cannot be reached or stopped answering: {first_line(error)}; "
            "check that it runs, then database.url"
        )
    return DatabaseError(
        f"the database gave up: {first_line(error)}; look into its log, mend what it names and try again"
    )


@contextmanager
def as_login(engine: Engine) -> Iterator[Connection]:
    """One transaction as the login itself, whatever role its sessions run as; errors as in :func:`session`."""
    with transaction(engine) as connection:
        connection.execute(text("SET LOCAL ROLE NONE"))
        yield connection


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction, committed at the end; errors as in :func:`session`."""
    with session(engine) as connection, connection.begin():
        yield connection


def first_line(error: BaseException) -> str:
    """The first line of a driver's message; the rest repeats the statement."""
    original = getattr(error, "orig", None) or error
    return str(original).strip().splitlines()[0] if str(original).strip() else type(original).__name__


def storable(message: str | None) -> str | None:
    """A text as PostgreSQL can keep it: all but U+0000, which a message may quote from a source."""
    return None if message is None else message.replace("\x00", "\ufffd")


def raw_cursor(connection: Connection) -> psycopg2.extensions.cursor:
    """The driver's cursor below a connection, for COPY, in the same transaction."""
    if not connection.in_transaction():
        # What the driver begins by itself, a later rollback of the connection would not end.
        connection.begin()
    driver = connection.connection.driver_connection
    assert driver is not None
    cursor: psycopg2.extensions.cursor = driver.cursor()
    return cursor
