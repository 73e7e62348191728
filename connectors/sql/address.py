"""The address of a database: a SQLAlchemy URL, of a kind of server that is known here, through the driver chosen here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from connectors.http import read_secret
from connectors.sql.flavour import Flavour
from connectors.sql.mssql import MsSql
from connectors.sql.mysql import MariaDb, MySql
from connectors.sql.oracle import Oracle
from connectors.sql.postgresql import PostgreSql
from tthc_monitor.domain.errors import ConfigError

_FLAVOURS: Final[Mapping[str, Flavour]] = {
    "postgresql": PostgreSql(),
    "postgres": PostgreSql(),
    "mysql": MySql(),
    "mariadb": MariaDb(),
    "mssql": MsSql(),
    "oracle": Oracle(),
}
EXAMPLE: Final = "mysql://giamsat@10.0.0.5/motcua"


@dataclass(frozen=True)
class Address:
    """Where a database is and how it is spoken to. Only :attr:`shown` is for people; the URL may hold a password."""

    url: URL
    flavour: Flavour

    @property
    def shown(self) -> str:
        """The address without account and password."""
        where = self.url.host or "this machine"
        port = f":{self.url.port}" if self.url.port else ""
        return f"{self.flavour.title} at {where}{port}"

    def with_password(self, password: str) -> Address:
        """The same with a password of its own."""
        return Address(self.url.set(password=password), self.flavour)


def read_address(text: str) -> Address:
    """Read a SQLAlchemy URL; the driver may be left out of it.

    Raises:
        ValueError: it is none, or of a server or driver that is not used here; nothing of it is repeated.
    """
    try:
        url = make_url(text.strip())
        backend, _, driver = url.drivername.partition("+")
    except (ArgumentError, ValueError):
        raise ValueError(f"is not the address of a database; write it like {EXAMPLE}") from None
    flavour = _FLAVOURS.get(backend)
    if flavour is None:
        raise ValueError(
            f"names a kind of database that is not read here; use one of {', '.join(sorted(set(_FLAVOURS) - {'postgres'}))}"
        )
    if driver and driver != flavour.driver.partition("+")[2]:
        raise ValueError(f"names another driver than the one used here; write {backend}:// alone")
    if not url.database and not (backend == "oracle" and "service_name" in url.query):
        raise ValueError(f"names no database; add it after the last slash, as in {EXAMPLE}")
    unknown = sorted(set(url.query) - flavour.settings)
    if unknown:
        raise ValueError(
            f"has settings behind the ? that are not taken ({', '.join(unknown)[:80]}); "
            f"remove them; taken are {', '.join(sorted(flavour.settings))}"
        )
    return Address(url.set(drivername=flavour.driver), flavour)


def find_address(
    url: SecretStr | None,
    url_file: Path | None,
    url_env: str | None,
    password: SecretStr | None,
    password_file: Path | None,
    password_env: str | None,
    base_dir: Path,
) -> Address:
    """The address from wherever the settings keep it, with the password from wherever they keep that.

    Raises:
        ConfigError: a file or variable cannot be read, or what it holds is no address.
    """
    found = read_secret("url", url, url_file, url_env, base_dir).get_secret_value()
    try:
        address = read_address(found)
    except ValueError as error:
        raise ConfigError(f"url {error}") from None
    if password is None and password_file is None and password_env is None:
        return address
    if address.url.password is not None:
        raise ConfigError("url holds a password, and there is another beside it; remove one of the two")
    secret = read_secret("password", password, password_file, password_env, base_dir)
    return address.with_password(secret.get_secret_value())
