"""One real PostgreSQL for the whole run, and a fresh database for each test that asks for one."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import Connection, Engine, text

from tests.fault_table import fault_table
from tthc_monitor.store import database, embedded, migrate
from tthc_monitor.store.rights import SERVICE

_URL = "TTHC_TEST_DATABASE_URL"
_TEMPLATE = "tthc_template"
_MEMORY = "/dev/shm"  # noqa: S108  (the names in it are made by tempfile)
_ENOUGH_MEMORY = 4 * 1024**3
"""Bytes that must be free there."""
_started: list[tuple[embedded.EmbeddedServer, Path]] = []


@cache
def _maintenance(server_url: str) -> Connection:
    """One connection for a whole process: opening two for each test costs as much as the queries of many of them."""
    return database.make_engine(server_url).connect().execution_options(isolation_level="AUTOCOMMIT")


def _admin(server_url: str, statement: str) -> None:
    _maintenance(server_url).execute(text(statement))


def _room_in_memory() -> str | None:
    """A file system in memory for databases and temporary files: a disk may want most of a millisecond for each new file,
    and a database has a thousand of them. None where there is none with room, where files in it may not be executed,
    or where somebody has chosen a folder."""
    if "TMPDIR" in os.environ or not os.access(_MEMORY, os.W_OK | os.X_OK):
        return None
    found = os.statvfs(_MEMORY)
    fits = found.f_bavail * found.f_frsize >= _ENOUGH_MEMORY and not found.f_flag & os.ST_NOEXEC
    return _MEMORY if fits else None


def pytest_configure(config: pytest.Config) -> None:
    """The controlling process starts the server; parallel workers inherit its address."""
    if hasattr(config, "workerinput"):
        return
    if room := _room_in_memory():
        # Workers and the commands that tests start learn it from the environment.
        os.environ["TMPDIR"] = tempfile.tempdir = room
    if os.environ.get(_URL):
        return
    folder = Path(tempfile.mkdtemp(prefix="tthc-tests-"))
    folder.chmod(0o755)
    server = embedded.start(folder / "data", fast_and_unsafe=True)
    _started.append((server, folder))
    os.environ[_URL] = server.url("postgres")
    _admin(server.url("postgres"), f"CREATE DATABASE {_TEMPLATE}")
    engine = database.make_engine(server.url(_TEMPLATE))
    migrate.upgrade(engine)
    engine.dispose()


def pytest_collection_finish(session: pytest.Session) -> None:
    """What was imported and collected is never garbage: looking it through again and again takes a tenth of the time."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure(config: pytest.Config) -> None:
    if _URL in os.environ and _maintenance.cache_info().currsize:
        kept = _maintenance(os.environ[_URL])
        kept.close()
        kept.engine.dispose()
        _maintenance.cache_clear()
    for server, folder in _started:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
        os.environ.pop(_URL, None)


@pytest.fixture
def server_url() -> str:
    """Address of the test server's maintenance database, as its owner."""
    return os.environ[_URL]


@pytest.fixture
def empty_database(server_url: str) -> Iterator[str]:
    """Address of a database that has never been migrated."""
    yield from _database(server_url, "template0")


@pytest.fixture(scope="module")
def empty_database_of_module() -> Iterator[str]:
    """Address of a database of the module's own that has never been migrated."""
    yield from _database(os.environ[_URL], "template0")


@pytest.fixture
def database_address(server_url: str) -> Iterator[str]:
    """Address of a database at the newest migration, with no rows."""
    yield from _database(server_url, _TEMPLATE)


def _database(server_url: str, template: str) -> Iterator[str]:
    name = f"t_{uuid4().hex}"
    _admin(server_url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    url = database.database_url(server_url).set(database=name)
    yield url.render_as_string(hide_password=False)
    _admin(server_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def engine(database_address: str) -> Iterator[Engine]:
    """An engine on a migrated, empty database."""
    engine = database.make_engine(database_address)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def engine_of_module() -> Iterator[Engine]:
    """An engine on a database of the module's own, for tests that only read what one of them wrote."""
    for address in _database(os.environ[_URL], _TEMPLATE):
        engine = database.make_engine(address)
        yield engine
        engine.dispose()


@pytest.fixture
def service_engine(database_address: str) -> Iterator[Engine]:
    """An engine on the same database as ``engine``, with the rights of the running service and no more."""
    engine = database.make_engine(database_address, role=SERVICE)
    yield engine
    engine.dispose()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What became of each fault of each kind of source."""
    lines = fault_table(terminalreporter.getreports("passed"))
    if lines:
        terminalreporter.section("faults of the sources")
        for line in lines:
            terminalreporter.write_line(line)
