"""The rows of a table as a Word template reads them: column by column, for lists of twenty thousand rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.report_cells import column_values
from tthc_monitor.outputs.report_tables import Table, TableColumn


def listed_rows(table: Table, fields: Mapping[str, str], zone: str, most: int) -> list[dict[str, Any]]:
    """The first rows of a table, numbered (``tt``), by the names of a template.

    Args:
        fields: the column of the table that each field shows; null is what the column has for it, else an empty text.
        zone: IANA name of the zone in which instants are shown.
        most: rows that are listed at most.
    """
    shown = replace(table, rows=table.rows.head(most))
    columns = {column.name: column for column in table.columns}
    values = [
        _words(column_values(shown, column, zone), column) for column in map(columns.__getitem__, fields.values())
    ]
    names = ("tt", *fields)
    return [dict(zip(names, row, strict=True)) for row in zip(range(1, len(shown.rows) + 1), *values, strict=True)]


def _words(values: list[Any], column: TableColumn) -> list[Any]:
    make = _WRITTEN.get(column.kind)
    return [column.absent if value is None else value if make is None else make(value) for value in values]


def _moment(value: datetime) -> str:
    return f"{value:%H:%M} {wording.day(value)}"


def _signed(value: int) -> str:
    return f"{'+' if value > 0 else '-' if value < 0 else ''}{wording.number(abs(value))}"


_WRITTEN: Final[dict[str, Callable[[Any], Any]]] = {
    "difference": _signed,
    "decimal": wording.decimal,
    "percent": lambda value: Decimal(str(value)),
    "day": wording.day,
    "instant": _moment,
}
