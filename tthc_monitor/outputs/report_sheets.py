"""A table of a report as a sheet: title, frozen headings, filter, typed cells, notes, a page to print.

Whatever came from a source is written as text, so a code that begins with ``=`` never becomes a formula, and one that
begins with 0 keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from functools import partial
from math import ceil
from typing import Any, Final

from xlsxwriter.worksheet import Worksheet

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.report_cells import column_values
from tthc_monitor.outputs.report_styles import LINE_HEIGHT, Styles, lines_of, print_setup, row_height
from tthc_monitor.outputs.report_tables import ColumnKind, Table, TableColumn
from tthc_monitor.outputs.sheet_rows import ORDINARY, Cells, LongRows, LongSheet
from tthc_monitor.outputs.spreadsheet_cells import is_dangerous

MAX_SHEET_ROWS: Final = 200_000
"""Rows that one sheet carries; how many more there are is said beneath."""

FIRST_ROW: Final = 4
"""Zero-based row of the first row of a table on its sheet."""

_HEAD: Final = FIRST_ROW - 1
_LONGEST_CELL: Final = 32_000
_NUMBER_WIDTH: Final = 6
_WIDTHS: Final[dict[ColumnKind, float]] = {
    "count": 12,
    "difference": 12,
    "decimal": 12,
    "percent": 17,
    "day": 13,
    "instant": 16.5,
}
_NARROWEST, _TIGHTEST, _WIDEST_CODE, _WIDEST = 12.0, 16.0, 26.0, 46.0
_PAGE: Final = 210
"""Characters that a page across has room for in letters of a readable size."""

# Excel's days count from here; what lies before March 1900 it takes for other days.
_EXCEL_ZERO: Final = datetime(1899, 12, 30, tzinfo=UTC)
_EXCEL_FIRST: Final = datetime(1900, 3, 1, tzinfo=UTC)
_DAY_SECONDS: Final = 86_400


@dataclass(frozen=True)
class _Column:
    title: str
    width: float
    kind: ColumnKind
    values: list[Any]
    absent: str


def column_place(table: Table, name: str) -> int:
    """Zero-based column of a sheet in which a column of its table stands; the first holds the row's number."""
    return 1 + [column.name for column in _shown(table)].index(name)


def draw_table(sheet: LongSheet, styles: Styles, table: Table, period_line: str, zone: str) -> None:
    """Draw a table on an empty sheet.

    Args:
        period_line: the period in words, beneath the title.
        zone: IANA name of the zone in which instants are shown.
    """
    shown = table if len(table.rows) <= MAX_SHEET_ROWS else _cut(table)
    every = _shown(shown)
    last = sum(column.paper for column in every)
    columns = [_column(shown, column, zone) for column in every]
    columns[:last] = _fitted(columns[:last])
    rows = len(shown.rows)
    _heading(sheet, styles, table, period_line, last)
    _titles(sheet, styles, columns)
    number = styles.cell(num_format="0", align="center")
    cells = [Cells(range(1, rows + 1), lambda _: number)]
    cells += [_cells(styles, column) for column in columns]
    heights = [LINE_HEIGHT * lines + 1 if lines > 1 else None for lines in _lines(columns, rows)]
    long = range(ORDINARY, max(rows - 1, ORDINARY))
    ordinary = [*range(min(rows, ORDINARY)), *range(max(long.stop, ORDINARY), rows)]
    for place, (width, column) in enumerate(zip([_NUMBER_WIDTH, *(one.width for one in columns)], cells, strict=True)):
        sheet.set_column(place, place, width)
        _write(sheet, place, column, ordinary)
    for row in ordinary:
        if heights[row] is not None:
            sheet.set_row(FIRST_ROW + row, heights[row])
    if long:
        within = slice(long.start, long.stop)
        midst = [Cells(column.values[within], column.format_of) for column in cells]
        sheet.long_rows = LongRows(FIRST_ROW + long.start, midst, heights[within])
    end = _below(sheet, styles, table, columns[:last], rows)
    sheet.autofilter(_HEAD, 0, _HEAD + max(rows, 1), len(columns))
    sheet.freeze_panes(FIRST_ROW, 2)
    print_setup(sheet)
    if last < len(columns):
        sheet.print_area(0, 0, end, last)
    sheet.repeat_rows(_HEAD)


def _cells(styles: Styles, column: _Column) -> Cells:
    make = _CELLS[column.kind]
    cells: Cells = make(styles, column.values, absent=column.absent) if column.absent else make(styles, column.values)
    return cells


def _shown(table: Table) -> list[TableColumn]:
    """The columns of a sheet, those that are printed first."""
    return sorted((column for column in table.columns if not column.technical), key=lambda column: not column.paper)


def _cut(table: Table) -> Table:
    return Table(table.key, table.sheet, table.title, table.columns, table.rows.head(MAX_SHEET_ROWS))


def _column(table: Table, column: TableColumn, zone: str) -> _Column:
    values = column_values(table, column, zone)
    if column.kind in ("text", "code"):
        values = [value if value is None or len(value) <= _LONGEST_CELL else value[:_LONGEST_CELL] for value in values]
    return _Column(column.title, column.width or _width(column, values), column.kind, values, column.absent)


def _fitted(columns: Sequence[_Column]) -> list[_Column]:
    """The columns of texts made narrower when a printed page would become too small to read."""
    texts = sum(column.width for column in columns if column.kind == "text")
    room = _PAGE - sum(column.width for column in columns if column.kind != "text")
    if texts <= room or not texts:
        return list(columns)
    share = room / texts
    return [
        replace(column, width=max(column.width * share, _TIGHTEST)) if column.kind == "text" else column
        for column in columns
    ]


def _width(column: TableColumn, values: Sequence[Any]) -> float:
    """Wide enough for most of a column's texts on one line, and for the longest word of its title."""
    word = max(map(len, column.title.split()), default=0) * 1.25 + 2
    if column.kind in _WIDTHS:
        return max(_WIDTHS[column.kind], word)
    lengths = sorted(len(value) for value in values if value) or [0]
    # The longest tenth may take a second line. Codes are of figures and capitals, which are wider than small letters.
    wanted, each, most = lengths[len(lengths) * 9 // 10], 1.0, _WIDEST
    if column.kind == "code":
        each, most = 1.2, _WIDEST_CODE
    return min(max(wanted * each + 3, word, _NARROWEST), most)


def _heading(sheet: Worksheet, styles: Styles, table: Table, period_line: str, last: int) -> None:
    sheet.merge_range(0, 0, 0, last, table.title, styles(bold=True, font_size=14, align="center"))
    subtitle = ". ".join(filter(None, (period_line, table.standing)))
    sheet.merge_range(1, 0, 1, last, subtitle, styles(italic=True, align="center"))


def _titles(sheet: Worksheet, styles: Styles, columns: Sequence[_Column]) -> None:
    sheet.write_string(_HEAD, 0, "TT", styles.head())
    for place, column in enumerate(columns, start=1):
        sheet.write_string(_HEAD, place, column.title, styles.head())
    # Bold letters are a little wider, and the button of the filter stands in their way.
    titles = ((column.title, max(column.width / 1.06 - 2, 6)) for column in columns)
    sheet.set_row(_HEAD, max(row_height(titles), 2 * LINE_HEIGHT) + 4)


def _lines(columns: Sequence[_Column], rows: int) -> list[int]:
    """Lines that each row needs."""
    needed = [
        [lines_of(value, column.width) if value else 1 for value in column.values]
        for column in columns
        if column.kind in ("text", "code")
    ]
    return [max(row) for row in zip(*needed, strict=True)] if needed else [1] * rows


def _below(sheet: Worksheet, styles: Styles, table: Table, columns: Sequence[_Column], rows: int) -> int:
    """What stands beneath the rows; gives the last row of the sheet."""
    last, row = len(columns), FIRST_ROW + rows
    if rows == 0:
        sheet.merge_range(row, 0, row, last, table.empty, styles.cell(align="center", italic=True))
        row += 1
    if len(table.rows) > rows:
        said = f"và {wording.number(len(table.rows) - rows)} dòng khác"
        sheet.write_string(row, 0, said, styles(italic=True))
        row += 1
    room = _NUMBER_WIDTH + sum(column.width for column in columns)
    for place, note in enumerate(table.notes, start=row + 1):
        sheet.merge_range(place, 0, place, last, note, styles(italic=True, text_wrap=True, valign="top"))
        sheet.set_row(place, LINE_HEIGHT * ceil(len(note) / (room * 0.95)) + 1)
    return row + len(table.notes)


def _texts(styles: Styles, values: Sequence[Any], **look: Any) -> Cells:
    plain = styles.cell(**look)
    # Else a text like a formula becomes one as soon as somebody edits its cell.
    quoted = styles.cell(quote_prefix=True, **look)
    return Cells([value or None for value in values], lambda value: quoted if value and is_dangerous(value) else plain)


def _numbers(styles: Styles, values: Sequence[Any], *, absent: str = "", **look: Any) -> Cells:
    number = styles.cell(align="right", **look)
    none = styles.cell(italic=True, align="center")
    shown = [absent or None if value is None else value for value in values]
    return Cells(shown, lambda value: none if isinstance(value, str) else number)


def _moments(styles: Styles, values: Sequence[Any], *, shown: str, said: Callable[[Any], str]) -> Cells:
    dated = styles.cell(num_format=shown, align="center")
    return Cells([_excel_day(value, said) for value in values], lambda _: dated)


def _excel_day(value: Any, said: Callable[[Any], str]) -> str | float | None:
    if value is None:
        return None
    clock = value.time() if isinstance(value, datetime) else time()
    moment = datetime.combine(value, clock, UTC)
    return said(value) if moment < _EXCEL_FIRST else (moment - _EXCEL_ZERO).total_seconds() / _DAY_SECONDS


def _write(sheet: Worksheet, place: int, cells: Cells, rows: Iterable[int]) -> None:
    """Write cells of a column one by one."""
    for row in rows:
        value = cells.values[row]
        look = cells.format_of(value)
        if value is None:
            sheet.write_blank(FIRST_ROW + row, place, None, look)
        elif isinstance(value, str):
            sheet.write_string(FIRST_ROW + row, place, value, look)
        else:
            sheet.write_number(FIRST_ROW + row, place, value, look)


# "_)" keeps numbers from the edge of their cell; an indent on the right is not drawn alike everywhere.
_CELLS: Final[dict[ColumnKind, Any]] = {
    "text": partial(_texts, indent=1),
    "code": partial(_texts, indent=1, num_format="@"),
    "count": partial(_numbers, num_format="#,##0_)"),
    "difference": partial(_numbers, num_format="+#,##0_);-#,##0_);0_)"),
    "decimal": partial(_numbers, num_format="#,##0.00_)"),
    "percent": partial(_numbers, num_format='0.00" %"_)', absent=wording.NO_DATA),
    "day": partial(_moments, shown="dd/mm/yyyy", said=wording.day),
    "instant": partial(_moments, shown="hh:mm dd/mm/yyyy", said=lambda value: f"{value:%H:%M} {wording.day(value)}"),
}
