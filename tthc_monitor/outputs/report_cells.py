"""The values of a table's column as plain Python holds them: one reading for sheets, CSV and JSON."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final

import pandas as pd

from tthc_monitor.outputs.report_tables import ColumnKind, Table, TableColumn


def column_values(table: Table, column: TableColumn, zone: str) -> list[Any]:
    """A column, null as None.

    ``text`` and ``code`` are ``str``; ``count`` and ``difference`` ``int``; ``decimal`` and ``percent`` ``float``; ``day``
    is a ``date``; ``instant`` a ``datetime`` of the zone.

    Args:
        zone: IANA name of the zone in which instants are shown.

    Raises:
        TypeError, ValueError: the column holds something else.
    """
    values = table.rows[column.name]
    if column.kind == "instant":
        values = as_instants(values).dt.tz_convert(zone)
    make = _MAKERS[column.kind]
    return [None if null else make(value) for value, null in zip(values.tolist(), values.isna().tolist(), strict=True)]


def as_instants(values: pd.Series) -> pd.Series:
    """A column of instants in UTC, also when all of it is null."""
    return pd.to_datetime(values, utc=True).astype("datetime64[us, UTC]")


def _day(value: Any) -> date:
    day = value.date() if hasattr(value, "date") else value
    if not isinstance(day, date):
        raise TypeError(f"{value!r} is no day")
    return day


_MAKERS: Final[dict[ColumnKind, Callable[[Any], Any]]] = {
    "text": str,
    "code": str,
    "count": int,
    "difference": int,
    "decimal": float,
    "percent": float,
    "day": _day,
    "instant": lambda value: value.to_pydatetime(),
}
