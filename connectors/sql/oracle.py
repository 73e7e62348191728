"""Oracle Database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, func, text

from connectors.sql.flavour import (
    CELL_CHARACTERS,
    CONNECT_SECONDS,
    Failure,
    Flavour,
    Kind,
    Snapshot,
    instant_of,
)

_KINDS: Final[Mapping[str, Kind]] = {
    "DB_TYPE_NUMBER": Kind.DECIMAL,
    "DB_TYPE_BINARY_INTEGER": Kind.INTEGER,
    "DB_TYPE_BINARY_FLOAT": Kind.FLOAT,
    "DB_TYPE_BINARY_DOUBLE": Kind.FLOAT,
    # A DATE of Oracle has a time of day.
    "DB_TYPE_DATE": Kind.INSTANT,
    "DB_TYPE_TIMESTAMP": Kind.INSTANT,
    "DB_TYPE_TIMESTAMP_TZ": Kind.INSTANT_UTC,
    "DB_TYPE_TIMESTAMP_LTZ": Kind.INSTANT_UTC,
    **dict.fromkeys(("DB_TYPE_VARCHAR", "DB_TYPE_NVARCHAR", "DB_TYPE_CHAR", "DB_TYPE_NCHAR"), Kind.TEXT),
    **dict.fromkeys(("DB_TYPE_CLOB", "DB_TYPE_NCLOB"), Kind.TEXT),
    "DB_TYPE_BLOB": Kind.BINARY,
}
_CHANGES: Final = re.compile(
    r"^(INSERT|UPDATE|DELETE|ALTER|DROP|CREATE) (ANY|TABLE|PROCEDURE)|^(INSERT|UPDATE|DELETE)$"
)
_CODE: Final = re.compile(r"\b(ORA-\d{5}|DPY-\d{4})\b")


class Oracle(Flavour):
    """Oracle 12.1+ through oracledb in its thin mode, which needs no client of the system. Empty texts are null there."""

    title = "Oracle"
    driver = "oracle+oracledb"
    extra = "oracle"
    grammar = "oracle"
    settings = frozenset({"service_name"})
    failures: ClassVar[Mapping[str, Failure]] = {
        **dict.fromkeys(("ORA-01017", "ORA-28000", "ORA-28001", "ORA-01045", "DPY-4001"), Failure.LOGIN),
        **dict.fromkeys(("ORA-12514", "ORA-12505", "DPY-6001", "DPY-6003"), Failure.DATABASE),
        "ORA-01031": Failure.RIGHT,
        **dict.fromkeys(("ORA-00904", "ORA-00918", "ORA-00923", "ORA-00933", "ORA-00936", "ORA-00942"), Failure.NAME),
        **dict.fromkeys(("DPY-4024", "ORA-01013"), Failure.TIMEOUT),
        **dict.fromkeys(("ORA-01555", "ORA-00018", "ORA-00020", "ORA-12516", "ORA-12519", "ORA-08177"), Failure.BUSY),
        **dict.fromkeys(("ORA-01456", "ORA-16000"), Failure.WRITES),
        **dict.fromkeys(("ORA-01722", "ORA-01427", "ORA-01476", "ORA-018", "DPY-3022"), Failure.DATA),
        **dict.fromkeys(("DPY-6005", "DPY-6000", "DPY-4011", "DPY-1001", "ORA-03113", "ORA-03114"), Failure.AWAY),
        **dict.fromkeys(("ORA-12541", "ORA-12170", "ORA-01033", "ORA-01034", "ORA-01089"), Failure.AWAY),
    }

    def connect_args(self, timeout: timedelta) -> dict[str, Any]:
        """No waiting for ever."""
        return {"tcp_connect_timeout": CONNECT_SECONDS}

    def begin(self, connection: Connection, zone: ZoneInfo, timeout: timedelta) -> Snapshot:
        """SET TRANSACTION READ ONLY: every question sees the state at this moment."""
        connection.connection.driver_connection.call_timeout = int(timeout.total_seconds() * 1000)  # type: ignore[union-attr]
        connection.execute(text("ALTER SESSION SET TIME_ZONE = 'UTC'"))
        now = instant_of(connection.execute(text("SELECT SYS_EXTRACT_UTC(SYSTIMESTAMP) FROM dual")).scalar_one())
        connection.rollback()
        connection.execute(text("SET TRANSACTION READ ONLY"))
        return Snapshot(now, consistent=True)

    def kind(self, type_code: Any) -> Kind:
        """By name of the type."""
        return _KINDS.get(getattr(type_code, "name", ""), Kind.OTHER)

    def cell(self, column: ColumnElement[Any], kind: Kind) -> ColumnElement[Any]:
        """Texts cut where they get too long; instants with offset in UTC, for the driver drops offsets."""
        if kind is Kind.TEXT:
            return func.substr(column, 1, CELL_CHARACTERS + 1)
        if kind is Kind.BINARY:
            return func.dbms_lob.substr(column, 2000, 1)
        return func.sys_extract_utc(column) if kind is Kind.INSTANT_UTC else column

    def rights(self, connection: Connection) -> list[str]:
        """System privileges, and those on others' tables."""
        statements = ("SELECT privilege FROM session_privs", "SELECT DISTINCT privilege FROM user_tab_privs_recd")
        found = {row[0] for statement in statements for row in connection.execute(text(statement))}
        return sorted(name.lower() for name in found if _CHANGES.match(name))

    def code(self, error: BaseException) -> str:
        """ORA- of the server, DPY- of the driver."""
        match = _CODE.search(str(error))
        return match[1] if match else ""
