"""Logins: names that may be given, passwords that nobody else sees, and the group that each is in."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Final

import psycopg2.extensions
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.store.grants import settle_database
from tthc_monitor.store.rights import AUDITOR, MIGRATOR, SERVICE, UNIT_AUDITOR, VIEWS

PASSWORD_BYTES = 18

_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RESERVED = re.compile(r"pg_.*|public|none")
_CALLED: Final[Mapping[str, str]] = {
    AUDITOR: "an auditor",
    UNIT_AUDITOR: "a unit auditor",
    SERVICE: "a login of the service",
}
_CONNECTIONS: Final[Mapping[str, int]] = {AUDITOR: 5, UNIT_AUDITOR: 5, SERVICE: -1}


def create_service(connection: Connection, url: URL, name: str, password: str | None = None) -> URL:
    """Make a login for the service, or give an existing one a new password.

    Args:
        password: its password; by default one that nobody can guess.

    Returns:
        the address with name and password; the password is kept nowhere.

    Raises:
        ConfigError: not a role name, or the role exists and is something else.
    """
    password = password or secrets.token_urlsafe(PASSWORD_BYTES)
    make_login(connection, name, SERVICE, password)
    settle_database(connection)
    return url.set(username=name, password=password, drivername="postgresql")


def make_login(connection: Connection, name: str, group: str, password: str) -> None:
    """Make a login of one of our groups, or give an existing one a new password.

    Raises:
        ConfigError: not a role name, or the role exists and is not in that group alone.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"'{name}' is not a role name; use lower-case letters, digits and _, starting with a letter")
    exists = connection.scalar(text("SELECT count(*) FROM pg_roles WHERE rolname = :name"), {"name": name})
    if exists:
        _require_alone(connection, name, group)
    if _RESERVED.fullmatch(name):
        raise ConfigError(
            f"'{name}' is not a role name; PostgreSQL keeps public, none and all that starts with pg_ for itself; "
            "choose another name"
        )
    # Only a verifier travels: neither the server's log nor an error can tell the password.
    verifier = psycopg2.extensions.encrypt_password(
        password, name, scope=connection.connection.driver_connection, algorithm="scram-sha-256"
    )
    role = quoted(connection, name)
    verb, membership = ("ALTER", "") if exists else ("CREATE", f" IN ROLE {group}")
    # A verifier is made of base64, $ and : only.
    connection.exec_driver_sql(
        f"{verb} ROLE {role} LOGIN PASSWORD '{verifier}' CONNECTION LIMIT {_CONNECTIONS[group]}{membership}"
    )


def quoted(connection: Connection, name: str) -> str:
    """A role's name as SQL wants it."""
    return connection.dialect.identifier_preparer.quote_identifier(name)


def _require_alone(connection: Connection, name: str, group: str) -> None:
    found = connection.scalars(
        text(
            "SELECT g.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid "
            "WHERE r.rolname = :name"
        ),
        {"name": name},
    )
    groups = set(found)
    others = sorted(groups & {AUDITOR, UNIT_AUDITOR, SERVICE, MIGRATOR, VIEWS} - {group})
    if group not in groups:
        kind = f" but {_CALLED[others[0]]}" if others and others[0] in _CALLED else ""
        raise ConfigError(f"role {name} exists and is not {_CALLED[group]}{kind}; choose another name")
    if others:
        raise ConfigError(
            f"role {name} is {_CALLED[group]} and in {', '.join(others)} too, which gives it more; choose another name"
        )
