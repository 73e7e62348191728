"""Logins for auditors: they may read schema ``audit`` and nothing else, all of it or what concerns some units."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.store.grants import settle_database
from tthc_monitor.store.logins import PASSWORD_BYTES, make_login, quoted
from tthc_monitor.store.rights import AUDITOR, UNIT_AUDITOR

# A login may change these for its sessions; they keep an honest one from standing in the way of the service.
_SETTINGS = (
    "default_transaction_read_only = on",
    "statement_timeout = '60s'",
    "idle_in_transaction_session_timeout = '60s'",
    "lock_timeout = '5s'",
    "search_path = audit",
    # Views rest on views: with the usual 8 the planner gives up looking for the best order of their joins.
    "join_collapse_limit = 16",
    "from_collapse_limit = 16",
    "timezone = 'Asia/Ho_Chi_Minh'",
)
LOGGED: Final = {
    "log_statement": "all",
    "log_duration": "on",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "session_preload_libraries": "auto_explain",
}
"""What has the server log every statement with its time and, through a plan with actual rows, its row count.

Only a superuser may set these, or whom one has granted it; and no session may change them, as it may those above.
"""
# What PostgreSQL lets everybody do, and only a superuser can take away.
_CLOSE_SIDE_DOORS = """
DO $$
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        REVOKE EXECUTE ON FUNCTION lo_creat(integer), lo_create(oid), lo_from_bytea(oid, bytea) FROM PUBLIC;
    END IF;
END $$
"""
_KNOWN_UNITS = """
SELECT code FROM unnest(CAST(:units AS text[])) code
WHERE code NOT IN (SELECT unit_code FROM tthc.units)
  AND code NOT IN (SELECT unit_code FROM tthc.unit_versions WHERE known_to IS NULL)
"""
_SET = """
SELECT split_part(setting, '=', 1), substr(setting, strpos(setting, '=') + 1)
FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) setting
WHERE r.rolname = :name AND s.setdatabase = 0
"""


def create_auditor(
    connection: Connection, url: URL, name: str, units: Sequence[str] = (), password: str | None = None
) -> URL:
    """Make a login for an auditor, or give an existing one a new password and these units instead of those it had.

    Args:
        units: codes of the units whose rows it sees, with all below them; none means all rows.
        password: its password; by default one that nobody can guess.

    Returns:
        the address with name and password; the password is kept nowhere.

    Raises:
        ConfigError: not a role name, an unknown unit, or the role exists and is no auditor, or one of the other kind.
    """
    unknown = list(connection.scalars(text(_KNOWN_UNITS), {"units": list(units)}))
    if unknown:
        raise ConfigError(
            f"no unit has the code {', '.join(unknown)}; see which there are with: tthc-monitor units list"
        )
    password = password or secrets.token_urlsafe(PASSWORD_BYTES)
    make_login(connection, name, UNIT_AUDITOR if units else AUDITOR, password)
    connection.execute(text("DELETE FROM tthc.auditor_units WHERE role_name = :name"), {"name": name})
    connection.execute(
        text("INSERT INTO tthc.auditor_units SELECT :name, unnest(CAST(:units AS text[]))"),
        {"name": name, "units": sorted(set(units))},
    )
    for setting in _SETTINGS:
        connection.exec_driver_sql(f"ALTER ROLE {quoted(connection, name)} SET {setting}")
    _log_statements(connection, name)
    connection.execute(text(_CLOSE_SIDE_DOORS))
    # The migration did it too, but a restored or copied database has lost it.
    settle_database(connection)
    return url.set(username=name, password=password, drivername="postgresql")


def _log_statements(connection: Connection, name: str) -> None:
    """As far as the login that makes it may; what failed, :func:`not_logged` tells."""
    settings = dict(LOGGED)
    is_superuser = connection.scalar(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user"))
    # A session that cannot load what it should does not begin: first see that it is there.
    if is_superuser and not _done(connection, "LOAD 'auto_explain'"):
        settings = {key: value for key, value in settings.items() if key.startswith("log_")}
    for key, value in settings.items():
        _done(connection, f"ALTER ROLE {quoted(connection, name)} SET {key} = '{value}'")


def _done(connection: Connection, statement: str) -> bool:
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(statement)
    except DBAPIError:
        return False
    return True


def not_logged(connection: Connection, name: str) -> list[str]:
    """Settings of :data:`LOGGED` that an auditor's login lacks, so that the server's log tells less of it."""
    held = {(row[0], row[1]) for row in connection.execute(text(_SET), {"name": name})}
    return [key for key, value in LOGGED.items() if (key, value) not in held]
