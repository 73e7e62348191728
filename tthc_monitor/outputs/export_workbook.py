"""A table as an XLSX workbook, written row by row; what does not fit on one sheet goes on upon the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import polars as pl
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from tthc_monitor.outputs.export_tables import Written, ends_as_text, titles
from tthc_monitor.outputs.spreadsheet_cells import dangerous
from tthc_monitor.store.read_columns import FIRST_DAY, FIRST_INSTANT, LAST_DAY, LAST_INSTANT, ReadColumn

SHEET_ROWS: Final = 1_048_575
"""Rows that a sheet of Excel holds below a line of headings."""

LONGEST_CELL: Final = 32_767
"""Characters that a cell of Excel holds."""

_LONGEST_NAME: Final = 31
_A4: Final = 9
_WHOLE: Final = 10**15
"""Excel keeps fifteen digits of a number; longer ones become texts."""

_FIRST_EXCEL: Final = datetime(1900, 3, 1, tzinfo=UTC)
"""Excel counts a day that 1900 did not have, so that days before are told apart from none in no reliable way."""

_DAY: Final = 86_400_000_000
_EXCEL_ZERO_DAY: Final = 25_569
"""Excel's number of 1 January 1970."""

_WIDTHS: Final = {
    "truth": 8, "whole": 14, "number": 14, "text": 24, "json": 40, "day": 12, "instant": 22, "wall_clock": 20,
}  # fmt: skip
_PATTERNS: Final = {"day": "yyyy-mm-dd", "instant": "yyyy-mm-dd hh:mm:ss", "wall_clock": "yyyy-mm-dd hh:mm:ss"}
_Write = Callable[[Worksheet, int, int, Any, Format], object]


class WorkbookTable:
    """Texts are text cells in the format "Text", never formulas; codes keep their zeros; instants are dates in the zone
    that the heading names, to the millisecond. Numbers of more than fifteen digits, days before March 1900, and days and
    instants without end are texts. Printed, a sheet is as wide as an A4 page across.

    Args:
        name: of the sheet; further ones are numbered.
        sheet_rows: rows below the headings of one sheet.
        notes: what columns mean, by name; shown over their headings.
    """

    def __init__(
        self,
        path: Path,
        name: str,
        columns: Sequence[ReadColumn],
        zone: str,
        *,
        sheet_rows: int = SHEET_ROWS,
        notes: Mapping[str, str] | None = None,
    ) -> None:
        self.written = Written()
        self._name, self._columns, self._zone, self._sheet_rows = name, columns, zone, sheet_rows
        self._notes = notes or {}
        # constant_memory: a row is on the disk when the next begins.
        options = {
            "constant_memory": True, "strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False,
            "tmpdir": str(path.parent),
        }  # fmt: skip
        self._workbook = xlsxwriter.Workbook(path, options)
        self._workbook.use_zip64()
        self._head = self._workbook.add_format({"bold": True, "num_format": "@", "bottom": 1})
        self._text = self._workbook.add_format({"num_format": "@"})
        self._writers = [_writer(column) for column in columns]
        self._formats = [
            self._text
            if column.dtype == pl.String
            else self._workbook.add_format({"num_format": _PATTERNS.get(column.kind, "General")})
            for column in columns
        ]
        self._sheet, self._row = self._next_sheet(), 0

    def take(self, frame: pl.DataFrame) -> None:
        """Append rows."""
        for column in self._columns:
            if column.dtype == pl.String:
                self.written.neutralised += int(frame.select(dangerous(column.name).sum()).item())
                long = pl.col(column.name).str.len_chars() > LONGEST_CELL
                self.written.cut += int(frame.select(long.sum()).item())
        cells = frame.select(
            named
            for number, column in enumerate(self._columns)
            for named in (_value(column, self._zone).alias(f"v{number}"), _words(column).alias(f"w{number}"))
        )
        for row in cells.iter_rows():
            if self._row == self._sheet_rows:
                self._finish_sheet()
                self._sheet, self._row = self._next_sheet(), 0
            self._row += 1
            self._write(row)
        self.written.rows += frame.height

    def close(self) -> None:
        """Write the workbook."""
        self._finish_sheet()
        self._workbook.close()

    def abandon(self) -> None:
        """Let go of the rows that wait; nothing is written any more."""
        for sheet in self._workbook.worksheets():
            if sheet.row_data_fh is not None and not sheet.row_data_fh.closed:
                sheet.row_data_fh.close()
                Path(sheet.row_data_filename).unlink(missing_ok=True)
        # Else it would be written when it is forgotten.
        self._workbook.fileclosed = True

    def _write(self, row: Sequence[Any]) -> None:
        for position, (write, style) in enumerate(zip(self._writers, self._formats, strict=True)):
            value, words = row[2 * position], row[2 * position + 1]
            if words is not None:
                self._sheet.write_string(self._row, position, words, self._text)
            elif value is not None:
                write(self._sheet, self._row, position, value, style)

    def _next_sheet(self) -> Worksheet:
        number = len(self.written.sheets) + 1
        tail = "" if number == 1 else f" {number}"
        name = f"{self._name[: _LONGEST_NAME - len(tail)]}{tail}"
        sheet = self._workbook.add_worksheet(name)
        self.written.sheets = (*self.written.sheets, name)
        for position, (column, title) in enumerate(zip(self._columns, titles(self._columns, self._zone), strict=True)):
            sheet.set_column(position, position, _WIDTHS[column.kind])
            sheet.write_string(0, position, title[:LONGEST_CELL], self._head)
            if column.name in self._notes:
                sheet.write_comment(0, position, self._notes[column.name][:LONGEST_CELL], {"x_scale": 2})
        sheet.freeze_panes(1, 0)
        sheet.set_landscape()
        sheet.set_paper(_A4)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        return sheet

    def _finish_sheet(self) -> None:
        """A filter over the rows that the sheet has got."""
        if self._columns:
            self._sheet.autofilter(0, 0, self._row, len(self._columns) - 1)


def _writer(column: ReadColumn) -> _Write:
    """How values of a column that are not in words are written."""
    write: _Write = Worksheet.write_number
    if column.kind == "truth":
        write = Worksheet.write_boolean
    elif column.dtype == pl.String:
        write = Worksheet.write_string
    return write


def _value(column: ReadColumn, zone: str) -> pl.Expr:
    """Values as Excel counts them; days and instants as days since its beginning."""
    value = pl.col(column.name)
    match column.kind:
        case "text" | "json":
            return value.str.slice(0, LONGEST_CELL)
        case "day":
            return value.cast(pl.Int32) + _EXCEL_ZERO_DAY
        case "instant":
            local = value.dt.convert_time_zone(zone).dt.replace_time_zone(None)
            return local.cast(pl.Int64) / _DAY + _EXCEL_ZERO_DAY
        case "wall_clock":
            return value.cast(pl.Int64) / _DAY + _EXCEL_ZERO_DAY
        case _:
            return value


def _words(column: ReadColumn) -> pl.Expr:
    """A text for values that Excel cannot hold; null for all others."""
    value, none = pl.col(column.name), pl.lit(None, pl.String)
    match column.kind:
        case "whole":
            return pl.when(value.abs() >= _WHOLE).then(value.cast(pl.String)).otherwise(none)
        case "number":
            return pl.when(value.is_finite().not_()).then(value.cast(pl.String)).otherwise(none)
        case "day":
            early = pl.when(value < _FIRST_EXCEL.date()).then(value.dt.to_string("%Y-%m-%d")).otherwise(none)
            return ends_as_text(column.name, early, FIRST_DAY, LAST_DAY)
        case "instant":
            early = pl.when(value < _FIRST_EXCEL).then(value.dt.to_string("%Y-%m-%dT%H:%M:%S%.6f%:z")).otherwise(none)
            return ends_as_text(column.name, early, FIRST_INSTANT, LAST_INSTANT)
        case "wall_clock":
            first, last, day = (one.replace(tzinfo=None) for one in (FIRST_INSTANT, LAST_INSTANT, _FIRST_EXCEL))
            early = pl.when(value < day).then(value.dt.to_string("%Y-%m-%dT%H:%M:%S%.6f")).otherwise(none)
            return ends_as_text(column.name, early, first, last)
        case _:
            return none
