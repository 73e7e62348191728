"""Logins for auditors: they may read schema ``audit`` and nothing else."""

from __future__ import annotations

import re
import secrets

import psycopg2.extensions
from sqlalchemy import Connection, text
from sqlalchemy.engine import URL

from tthc_monitor.domain.errors import ConfigError

GROUP = "tthc_auditor"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RESERVED = re.compile(r"pg_.*|public|none")
# A login may change these for its sessions; they keep an honest one from standing in the way of the service.
_SETTINGS = (
    "default_transaction_read_only = on",
    "statement_timeout = '60s'",
    "idle_in_transaction_session_timeout = '60s'",
    "lock_timeout = '5s'",
    "search_path = audit",
    "timezone = 'Asia/Ho_Chi_Minh'",
)
# What PostgreSQL lets everybody do. The first is done by the migration too, but a restored or copied database has lost
# it; the second only a superuser can take away.
_CLOSE_SIDE_DOORS = """
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
    END IF;
END $$
"""


def create_auditor(connection: Connection, url: URL, name: str) -> URL:
    """Make a login for an auditor, or give an existing one a new password.

    Returns:
        the address with name and password; the password is kept nowhere.

    Raises:
        ConfigError: not a role name, or the role exists and is not an auditor.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"'{name}' is not a role name; use lower-case letters, digits and _, starting with a letter")
    exists, is_auditor = connection.execute(
        text(
            "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :name), EXISTS (SELECT FROM pg_auth_members m "
            "JOIN pg_roles r ON r.oid = m.member JOIN pg_roles g ON g.oid = m.roleid "
            "WHERE r.rolname = :name AND g.rolname = :role)"
        ),
        {"name": name, "role": GROUP},
    ).one()
    if exists and not is_auditor:
        raise ConfigError(f"role {name} exists and is not an auditor; choose another name")
    if _RESERVED.fullmatch(name):
        raise ConfigError(
            f"'{name}' is not a role name; PostgreSQL keeps public, none and all that starts with pg_ for itself; "
            "choose another name"
        )
    password = secrets.token_urlsafe(18)
    # Only a verifier travels: neither the server's log nor an error can tell the password.
    verifier = psycopg2.extensions.encrypt_password(
        password, name, scope=connection.connection.driver_connection, algorithm="scram-sha-256"
    )
    role = connection.dialect.identifier_preparer.quote_identifier(name)
    verb, membership = ("ALTER", "") if exists else ("CREATE", f" IN ROLE {GROUP}")
    # A verifier is made of base64, $ and : only.
    connection.exec_driver_sql(f"{verb} ROLE {role} LOGIN PASSWORD '{verifier}' CONNECTION LIMIT 5{membership}")
    for setting in _SETTINGS:
        connection.exec_driver_sql(f"ALTER ROLE {role} SET {setting}")
    connection.execute(text(_CLOSE_SIDE_DOORS))
    return url.set(username=name, password=password, drivername="postgresql")
