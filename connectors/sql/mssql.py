"""Microsoft SQL Server."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from sqlalchemy import NVARCHAR, ColumnElement, Connection, cast, func, text

from connectors.sql.flavour import (
    CELL_CHARACTERS,
    CONNECT_SECONDS,
    Failure,
    Flavour,
    Kind,
    Snapshot,
    instant_of,
    kind_of_python,
)

_CHANGES: Final = ("INSERT", "UPDATE", "DELETE", "ALTER", "CONTROL")
_STATES: Final = (
    (re.compile(r"Login failed|password of the account|Authentication", re.IGNORECASE), "18456"),
    (re.compile(r"Cannot open database", re.IGNORECASE), "4060"),
    (re.compile(r"Invalid object name", re.IGNORECASE), "208"),
    (re.compile(r"Invalid column name|Ambiguous column|no column name was specified", re.IGNORECASE), "207"),
    (re.compile(r"Incorrect syntax", re.IGNORECASE), "102"),
    (re.compile(r"permission was denied", re.IGNORECASE), "229"),
    (re.compile(r"Query timeout|timeout expired", re.IGNORECASE), "HYT00"),
    (re.compile(r"deadlock|Snapshot isolation transaction", re.IGNORECASE), "1205"),
    (re.compile(r"Conversion failed|Arithmetic overflow|Divide by zero|out-of-range", re.IGNORECASE), "245"),
    (re.compile(r"link failure|TCP Provider|Connection not open|establish connection", re.IGNORECASE), "08S01"),
)


class MsSql(Flavour):
    """SQL Server 2012+ through Microsoft's mssql-python, which needs no driver of the system."""

    title = "SQL Server"
    driver = "mssql+mssqlpython"
    extra = "mssql"
    grammar = "tsql"
    settings = frozenset({"Encrypt", "TrustServerCertificate", "MultiSubnetFailover", "authentication"})
    isolation = "AUTOCOMMIT"
    takes_with_inside = False
    tells_kinds = False
    failures: ClassVar[Mapping[str, Failure]] = {
        "18456": Failure.LOGIN,
        "4060": Failure.DATABASE,
        **dict.fromkeys(("102", "207", "208"), Failure.NAME),
        "229": Failure.RIGHT,
        "HYT00": Failure.TIMEOUT,
        "1205": Failure.BUSY,
        "245": Failure.DATA,
        "08S01": Failure.AWAY,
    }

    def connect_args(self, timeout: timedelta) -> dict[str, Any]:
        """How long connecting may take; questions have a limit of their own."""
        return {"timeout": CONNECT_SECONDS}

    def begin(self, connection: Connection, zone: ZoneInfo, timeout: timedelta) -> Snapshot:
        """SNAPSHOT where the database allows it, else what is committed at each question. No session is read-only."""
        connection.connection.driver_connection.timeout = int(timeout.total_seconds())  # type: ignore[union-attr]
        now = instant_of(connection.execute(text("SELECT SYSUTCDATETIME()")).scalar_one())
        allowed = connection.execute(
            text("SELECT snapshot_isolation_state FROM sys.databases WHERE database_id = DB_ID()")
        ).scalar()
        connection.execute(text(f"SET LOCK_TIMEOUT {CONNECT_SECONDS * 1000}"))
        connection.rollback()
        level = "SNAPSHOT" if allowed == 1 else "READ COMMITTED"
        connection.execution_options(isolation_level=level)
        return Snapshot(now, consistent=level == "SNAPSHOT")

    def kind(self, type_code: Any) -> Kind:
        """By the Python type that the driver gives."""
        return kind_of_python(type_code) if isinstance(type_code, type) else Kind.OTHER

    def refine(self, kind: Kind, sample: Any) -> Kind:
        """A datetimeoffset is told from a datetime2 by its values only."""
        offset = kind is Kind.INSTANT and isinstance(sample, datetime) and sample.tzinfo is not None
        return Kind.INSTANT_UTC if offset else kind

    def cell(self, column: ColumnElement[Any], kind: Kind) -> ColumnElement[Any]:
        """Texts (XML too) and bytes cut where they get too long."""
        if kind is Kind.TEXT:
            return func.left(cast(column, NVARCHAR(None)), CELL_CHARACTERS + 1)
        return func.substring(column, 1, CELL_CHARACTERS + 1) if kind is Kind.BINARY else column

    def compared(self, column: ColumnElement[Any], kind: Kind) -> ColumnElement[Any]:
        """Types of their own as texts."""
        return cast(column, NVARCHAR(100)) if kind is Kind.OTHER else column

    def rights(self, connection: Connection) -> list[str]:
        """Permissions on the whole database, and those on single tables."""
        whole = "SELECT permission_name FROM fn_my_permissions(NULL, 'DATABASE')"
        single = (
            "SELECT DISTINCT p.permission_name FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id "
            "CROSS APPLY fn_my_permissions(QUOTENAME(s.name) + '.' + QUOTENAME(t.name), 'OBJECT') p"
        )
        found = {row[0] for statement in (whole, single) for row in connection.execute(text(statement))}
        return sorted(name.lower() for name in found if name in _CHANGES)

    def code(self, error: BaseException) -> str:
        """The driver tells no number; the server's words stand for it."""
        message = str(error)
        return next((code for pattern, code in _STATES if pattern.search(message)), "")
