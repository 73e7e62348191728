"""PostgreSQL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, Text, cast, func, text

from connectors.sql.flavour import CELL_CHARACTERS, CONNECT_SECONDS, Failure, Flavour, Kind, Snapshot, instant_of

_KINDS: Final[Mapping[int, Kind]] = {
    **dict.fromkeys((20, 21, 23), Kind.INTEGER),
    1700: Kind.DECIMAL,
    **dict.fromkeys((700, 701), Kind.FLOAT),
    1082: Kind.DATE,
    1114: Kind.INSTANT,
    1184: Kind.INSTANT_UTC,
    17: Kind.BINARY,
    **dict.fromkeys((18, 19, 25, 1042, 1043), Kind.TEXT),
}
# Of a standby, how far it has come: what the primary committed later cannot be seen yet.
_CLOCK: Final = """
    SELECT CAST((CASE WHEN pg_is_in_recovery() THEN least(now(), pg_last_xact_replay_timestamp()) ELSE now() END)
           AT TIME ZONE 'UTC' AS text)
"""
_WRITABLE: Final = """
    SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
      AND has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
"""
_UNREACHED: Final = (
    (re.compile(r"authentication failed|no password supplied|role .* does not exist|pg_hba\.conf"), "28000"),
    (re.compile(r"database .* does not exist"), "3D000"),
)


class PostgreSql(Flavour):
    """PostgreSQL, primary or standby, through psycopg2. Every cell is read as text, so that none is rounded."""

    title = "PostgreSQL"
    driver = "postgresql+psycopg2"
    extra = None
    grammar = "postgres"
    settings = frozenset({"sslmode", "sslrootcert", "sslcert", "sslkey", "host", "target_session_attrs"})
    failures: ClassVar[Mapping[str, Failure]] = {
        "28": Failure.LOGIN,
        "3D": Failure.DATABASE,
        "42501": Failure.RIGHT,
        "42": Failure.NAME,
        "3F": Failure.NAME,
        "57014": Failure.TIMEOUT,
        "40": Failure.BUSY,
        "53": Failure.BUSY,
        "55": Failure.BUSY,
        "08": Failure.AWAY,
        "57": Failure.AWAY,
        "25006": Failure.WRITES,
        "22021": Failure.ENCODING,
        "21": Failure.DATA,
        "22": Failure.DATA,
    }

    def connect_args(self, timeout: timedelta) -> dict[str, Any]:
        """UTF-8, a name that the server's operator sees, and a connection that is noticed when it dies."""
        return {
            "connect_timeout": CONNECT_SECONDS,
            "client_encoding": "utf8",
            "application_name": "tthc-monitor",
            "keepalives_idle": 30,
        }

    def begin(self, connection: Connection, zone: ZoneInfo, timeout: timedelta) -> Snapshot:
        """REPEATABLE READ, READ ONLY; the snapshot is taken by the question after the clock."""
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        milliseconds = int(timeout.total_seconds() * 1000)
        for setting, value in (("statement_timeout", milliseconds), ("datestyle", "ISO, YMD"), ("timezone", "UTC")):
            connection.execute(text(f"SET LOCAL {setting} = '{value}'"))
        return Snapshot(instant_of(connection.execute(text(_CLOCK)).scalar_one()), consistent=True)

    def kind(self, type_code: Any) -> Kind:
        """By object id of the type."""
        return _KINDS.get(type_code, Kind.OTHER)

    def cell(self, column: ColumnElement[Any], kind: Kind) -> ColumnElement[Any]:
        """The text that the server writes for it."""
        return func.left(cast(column, Text), CELL_CHARACTERS + 1)

    def compared(self, column: ColumnElement[Any], kind: Kind) -> ColumnElement[Any]:
        """Types of their own as texts."""
        return cast(column, Text) if kind is Kind.OTHER else column

    def instant(self, at: datetime, kind: Kind, zone: ZoneInfo) -> Any:
        """As a text: it takes the type of the column."""
        return super().instant(at, kind, zone).isoformat()

    def rights(self, connection: Connection) -> list[str]:
        """Tables that it may write to. A standby takes no writes from anybody."""
        if connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one():
            return []
        if connection.execute(text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")).scalar_one():
            return ["everything (it is a superuser)"]
        count = connection.execute(text(_WRITABLE)).scalar_one()
        return [f"the rows of {count} table{'s' * (count != 1)}"] if count else []

    def code(self, error: BaseException) -> str:
        """SQLSTATE; before there is a connection the driver tells it in words only."""
        found = getattr(error, "pgcode", None)
        if found:
            return str(found)
        message = str(error)
        return next((code for pattern, code in _UNREACHED if pattern.search(message)), "")
