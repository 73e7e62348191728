"""Migrations by code: no ini file, one lock, and the same scripts from a checkout and from the wheel."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, text

from tthc_monitor.domain.errors import DatabaseError
from tthc_monitor.store import roles
from tthc_monitor.store.database import transaction

_LOCK = 7_411_001


def scripts_folder() -> Path:
    """Folder of the migration scripts: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_alembic", package.parent / "alembic"):
        if (folder / "env.py").exists():
            return folder
    raise DatabaseError("the migration scripts are missing from this installation; install the wheel again")


def head() -> str:
    """The migration this version of the code expects: the last number, since they are numbered in one line."""
    return max(script.name for script in (scripts_folder() / "versions").glob("[0-9]*.py")).partition("_")[0]


def current(connection: Connection) -> str | None:
    """The migration the database is at; None when it has never been migrated."""
    if connection.scalar(text("SELECT to_regclass('tthc.alembic_version')")) is None:
        return None
    version: str | None = connection.scalar(text("SELECT version_num FROM tthc.alembic_version"))
    return version


def upgrade(engine: Engine) -> str:
    """Bring the database to :func:`head` and settle its roles; several processes may try at once, the others wait.

    The engine's sessions must be those of the login itself, not of the service.

    Raises:
        DatabaseError: the login may not create schemas or roles, or is not who looks after the database.
    """
    # A fifth of a second to import, and of all commands only those need it that migrate.
    from alembic.config import Config  # noqa: PLC0415

    from alembic import command  # noqa: PLC0415

    config = Config()
    # ConfigParser reads % as interpolation; a path may contain one.
    config.set_main_option("script_location", str(scripts_folder()).replace("%", "%%"))
    with transaction(engine) as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        major = connection.scalar(text("SELECT current_setting('server_version_num')::int / 10000")) or 0
        if major < 15:
            raise DatabaseError(f"the server is PostgreSQL {major}; use 15 or later")
        # Not "IF NOT EXISTS": that asks for the right to make it also where it is there.
        if connection.scalar(text("SELECT to_regnamespace('tthc') IS NULL")):
            connection.execute(text("CREATE SCHEMA tthc"))
        roles.require_migrator(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        roles.settle(connection)
    return head()


def require_head(connection: Connection) -> None:
    """Refuse to work on a database that is at another migration.

    Raises:
        DatabaseError: with the command that mends it.
    """
    found, expected = current(connection), head()
    if found != expected:
        raise DatabaseError(
            f"the database is at migration {found or 'none'}, this version needs {expected}; run: tthc-monitor db upgrade"
        )
