"""What docker-compose.yml has its containers do, in its order and with its environment, on a real server without containers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg2
import pytest

from tests.end_to_end.program import Ran, run
from tests.end_to_end.test_backup import serving
from tests.end_to_end.test_cli import folder
from tests.house.compose_files import Files
from tthc_monitor.store import embedded
from tthc_monitor.store.database import address, database_url
from tthc_monitor.store.migrate import head

__all__ = ["folder"]

FILES = Files()


@dataclass(frozen=True)
class Project:
    """A folder with the configuration, and the database that stands for the container of PostgreSQL."""

    folder: Path
    database: str

    def environment(self, service: str) -> dict[str, str]:
        """What a service is given, with the server of the test where the container's would be."""
        url = database_url(self.database)
        here = f"@{url.host}:{url.port}/{url.database}"
        owner = f"tthc_owner:{url.password}"
        given = FILES.services[service]["environment"]
        return {
            name: value.replace("@postgres:5432/tthc", here).replace("tthc_owner:abc123", owner) + self.longer(name)
            for name, value in given.items()
        }

    @staticmethod
    def longer(name: str) -> str:
        """Passwords of the files under test are too short to be taken."""
        return "" if name.endswith("_URL") else "-of-enough-characters"

    def run(self, service: str) -> Ran:
        """A service that works and ends."""
        return run(*FILES.services[service]["command"], cwd=self.folder, **self.environment(service))


@pytest.fixture
def project(folder: Path) -> Iterator[Project]:
    """On a server of its own: the logins have names that belong to a whole server."""
    text = FILES.text(FILES.configuration)
    for old, new in (
        ("/var/lib/tthc-monitor", "data"),
        ("host: 0.0.0.0", "host: 127.0.0.1"),
        ("port: 9766", "port: 0"),
    ):
        assert old in text
        text = text.replace(old, new)
    (folder / "tthc-monitor.yaml").write_text(text, encoding="utf-8")
    server = embedded.start(folder / "server", fast_and_unsafe=True)
    yield Project(folder, server.url())
    server.stop()


def asked(url: str, statement: str) -> object:
    connection = psycopg2.connect(url)
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchone()
    finally:
        connection.close()


def test_from_an_empty_server_to_a_service_that_is_ready(project: Project) -> None:
    assert project.run("migrate").good().out == f"database at migration {head()}\n"
    for service, login in (("service-login", "tthc_dich_vu"), ("grafana-login", "grafana")):
        first, again = project.run(service).good().out, project.run(service).good().out
        assert first == again and f"://{login}@" in first, "each start does it anew, and tells no password"

    url = database_url(project.database)
    password = project.environment("grafana-login")["TTHC_GRAFANA_PASSWORD"]
    grafana = address(url.set(username="grafana", password=password), with_password=True)
    assert asked(grafana, "SELECT count(*) FROM audit.dossiers") == (0,)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        asked(grafana, "SELECT count(*) FROM tthc.dossiers")

    service = url.set(username="tthc_dich_vu", password=project.environment("service-login")["TTHC_SERVICE_PASSWORD"])
    named = address(service, with_password=True)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        asked(named, "DELETE FROM tthc.observations RETURNING 1")
    written = project.environment("service")["TTHC_DATABASE_URL"]
    assert written.replace(":abc123@", f":{service.password}@") == named
    with (
        serving(project.folder, TTHC_DATABASE_URL=named) as where,
        httpx.Client(base_url=where, timeout=20, trust_env=False) as client,
    ):
        assert client.get("/-/ready").text == "ready\n"
        shown = client.get("/metrics").text
        assert re.search(r"^tthc_database_up 1\b", shown, flags=re.MULTILINE), shown


def test_before_the_migration_the_service_says_what_is_missing(project: Project) -> None:
    ran = project.run("service-login")
    assert ran.code == 6 and "tthc-monitor db upgrade" in ran.err
