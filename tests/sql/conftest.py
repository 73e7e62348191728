"""Sources of the tests of the sql connector: each test runs on every server that is at hand."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.sql import servers


@pytest.fixture(scope="session")
def mariadb_port() -> Iterator[int]:
    """A MariaDB server for this process's tests."""
    if servers.program("mariadbd") is None:
        pytest.skip("no MariaDB here: install mariadb-server")
    with servers.mariadb_server() as port:
        yield port


@pytest.fixture(scope="session")
def postgresql_database() -> Iterator[servers.Source]:
    """A database of the run's PostgreSQL for this process's tests; making one for each would take most of the time."""
    with servers.postgresql(os.environ["TTHC_TEST_DATABASE_URL"]) as made:
        yield made


@pytest.fixture
def postgres(postgresql_database: servers.Source) -> servers.Source:
    """An empty PostgreSQL database."""
    postgresql_database.run(
        "DROP SCHEMA public CASCADE", "CREATE SCHEMA public", "GRANT USAGE ON SCHEMA public TO PUBLIC"
    )
    return postgresql_database


@pytest.fixture
def mariadb(mariadb_port: int) -> Iterator[servers.Source]:
    """An empty MariaDB database."""
    with servers.mariadb(mariadb_port) as made:
        yield made


@pytest.fixture(params=["postgres", "mariadb"])
def source(request: pytest.FixtureRequest) -> servers.Source:
    """An empty database on each server in turn."""
    made: servers.Source = request.getfixturevalue(request.param)
    return made
