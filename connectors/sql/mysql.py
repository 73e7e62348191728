"""MySQL and MariaDB."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Connection, func, or_, text

from connectors.sql.flavour import CELL_CHARACTERS, CONNECT_SECONDS, Failure, Flavour, Kind, Snapshot, instant_of

_KINDS: Final[Mapping[int, Kind]] = {
    **dict.fromkeys((1, 2, 3, 8, 9, 13), Kind.INTEGER),
    **dict.fromkeys((0, 246), Kind.DECIMAL),
    **dict.fromkeys((4, 5), Kind.FLOAT),
    **dict.fromkeys((10, 14), Kind.DATE),
    **dict.fromkeys((7, 12), Kind.INSTANT),
    **dict.fromkeys((15, 245, 247, 248, 249, 250, 251, 252, 253, 254), Kind.TEXT),
}
_READS: Final = frozenset(
    {"usage", "select", "show view", "show databases", "process", "replication client", "slave monitor"}
    | {"binlog monitor", "replica monitor", "show_routine", "show create routine"}
)
_GRANT: Final = re.compile(r"GRANT (.+?) ON ", re.IGNORECASE)


class MySql(Flavour):
    """MySQL 5.7+ and MariaDB 10.2+ through PyMySQL. Cells come as the bytes that the server wrote."""

    title = "MySQL"
    driver = "mysql+pymysql"
    extra = "mysql"
    grammar = "mysql"
    settings = frozenset({"unix_socket", "ssl_ca", "ssl_cert", "ssl_key", "ssl_check_hostname"})
    isolation = "AUTOCOMMIT"
    failures: ClassVar[Mapping[str, Failure]] = {
        **dict.fromkeys(("1045", "1698", "1130", "1251", "1862"), Failure.LOGIN),
        **dict.fromkeys(("1044", "1049"), Failure.DATABASE),
        **dict.fromkeys(("1142", "1143", "1227", "1370"), Failure.RIGHT),
        **dict.fromkeys(("1054", "1060", "1064", "1146", "1305", "1052", "1248", "1356", "1235"), Failure.NAME),
        **dict.fromkeys(("1969", "3024", "1317"), Failure.TIMEOUT),
        **dict.fromkeys(("1040", "1203", "1205", "1213", "1226"), Failure.BUSY),
        **dict.fromkeys(("2003", "2006", "2013", "1053", "1927", "1158", "1159", "1160", "1161"), Failure.AWAY),
        "1298": Failure.ZONE,
        **dict.fromkeys(("1290", "1792", "1836"), Failure.WRITES),
        **dict.fromkeys(("1242", "1292", "1366", "1300", "1365", "1525", "1690"), Failure.DATA),
    }

    def connect_args(self, timeout: timedelta) -> dict[str, Any]:
        """UTF-8, no files of ours, and no waiting for ever."""
        return {
            "charset": "utf8mb4",
            "local_infile": False,
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": timeout.total_seconds() + CONNECT_SECONDS,
            "program_name": "tthc-monitor",
        }

    def begin(self, connection: Connection, zone: ZoneInfo, timeout: timedelta) -> Snapshot:
        """WITH CONSISTENT SNAPSHOT, READ ONLY. Columns of type TIMESTAMP are told in our zone, as DATETIME is read."""
        driver = connection.connection.driver_connection
        # Bytes instead of texts and dates: one cell that cannot be read must not cost the whole page, and a date
        # of zeros is for us to judge.
        driver.decoders = {}  # type: ignore[union-attr]
        driver.use_unicode = False  # type: ignore[union-attr]
        seconds = timeout.total_seconds()
        limit = (
            f"max_statement_time = {seconds}"
            if getattr(connection.dialect, "is_mariadb", False)
            else f"max_execution_time = {int(seconds * 1000)}"
        )
        for statement in (
            f"SET SESSION {limit}",
            f"SET SESSION time_zone = '{_zone(zone)}'",
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
        ):
            connection.execute(text(statement.replace(":", "\\:")))
        now = instant_of(connection.execute(text("SELECT UTC_TIMESTAMP(6)")).scalar_one())
        connection.execute(text("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"))
        return Snapshot(now, consistent=True)

    def kind(self, type_code: Any) -> Kind:
        """By type number of the protocol."""
        return _KINDS.get(type_code, Kind.OTHER)

    def cell(self, column: ColumnElement[Any], kind: Kind) -> ColumnElement[Any]:
        """Texts cut where they get too long."""
        return func.left(column, CELL_CHARACTERS + 1) if kind is Kind.TEXT else column

    def instant(self, at: datetime, kind: Kind, zone: ZoneInfo) -> Any:
        """As a text: it takes the type of the column."""
        found = super().instant(at, kind, zone)
        return found.isoformat(sep=" ") if isinstance(found, datetime) else found.isoformat()

    def unset(self, column: ColumnElement[Any], kind: Kind) -> ColumnElement[bool]:
        """Null, or zeros. A literal date of zeros is an error in strict mode; the first of all dates is not."""
        return or_(column.is_(None), column < "1000-01-01")

    def key(self, value: Any, kind: Kind) -> Any:
        """A number as a number: as text it would be compared as an approximate one."""
        if value is None:
            return None
        if kind is Kind.INTEGER:
            return int(value)
        if kind is Kind.DECIMAL:
            return Decimal(value.decode("ascii"))
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return value

    def rights(self, connection: Connection) -> list[str]:
        """The privileges granted, but those that only read."""
        found: set[str] = set()
        for (line,) in connection.execute(text("SHOW GRANTS")):
            match = _GRANT.match(line.decode("utf-8", "replace") if isinstance(line, bytes) else line)
            if match is not None:
                found |= {re.sub(r"\(.*", "", item).strip().lower() for item in match[1].split(", ")}
        return sorted(found - _READS)

    def code(self, error: BaseException) -> str:
        """The error number."""
        return str(error.args[0]) if error.args and isinstance(error.args[0], int) else ""


class MariaDb(MySql):
    """MariaDB by its own name."""

    title = "MariaDB"
    driver = "mariadb+pymysql"


def _zone(zone: ZoneInfo) -> str:
    """A zone as the server takes it: by offset where it never changes, for a server may know no names."""
    offsets = {datetime(year, month, 1, tzinfo=zone).utcoffset() for year in range(1990, 2038) for month in (1, 7)}
    if len(offsets) > 1:
        return zone.key
    minutes = int((offsets.pop() or timedelta()).total_seconds()) // 60
    return f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
