"""The tables of a report as CSV: a folder with a file for each, for spreadsheets and programs alike.

UTF-8 with a byte order mark, RFC 4180, decimal point, ISO 8601 days and instants (with their offset), nothing for null.
Texts that a spreadsheet would take for formulas have an apostrophe before them
(:mod:`tthc_monitor.outputs.spreadsheet_cells`).
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from tthc_monitor.outputs.report_cells import column_values
from tthc_monitor.outputs.report_tables import Table, TableColumn
from tthc_monitor.outputs.spreadsheet_cells import neutral
from tthc_monitor.outputs.whole_file import write_whole


def write_tables(tables: Sequence[Table], folder: Path, zone: str) -> list[Path]:
    """Write ``<key>.csv`` for each table; a reader never sees half of one.

    Args:
        zone: IANA name of the zone in which instants are written.

    Returns:
        the files, in the order of the tables.

    Raises:
        DeliveryError: the folder cannot be written.
    """
    return [_write_table(table, folder / f"{table.key}.csv", zone) for table in tables]


def _write_table(table: Table, path: Path, zone: str) -> Path:
    def write(temporary: Path) -> None:
        with temporary.open("w", encoding="utf-8-sig", newline="") as file:
            rows = csv.writer(file)
            rows.writerow([column.name for column in table.columns])
            rows.writerows(zip(*(_texts(table, column, zone) for column in table.columns), strict=True))

    return write_whole(path, write)


def _texts(table: Table, column: TableColumn, zone: str) -> list[Any]:
    make = _WRITTEN.get(column.kind)
    values = column_values(table, column, zone)
    return values if make is None else [None if value is None else make(value) for value in values]


_WRITTEN: Final[dict[str, Callable[[Any], str]]] = {
    "text": neutral,
    "code": neutral,
    "day": lambda value: value.isoformat(),
    "instant": lambda value: value.isoformat(),
}
