"""Reads sheets of a workbook (xlsx, xlsm, xls, xlsb, ods) as tables of texts; date cells stay dates beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import polars as pl
import python_calamine as calamine
from pydantic import Field, field_validator

from connectors.raw_table import RawTable, locate_columns
from connectors.table_rules import HeaderRow, TableOptions, TableRules, find_header
from connectors.workbook_guard import check_workbook
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError
from tthc_monitor.domain.records import Reject

SHEET_ROWS: Final = 50_000
"""Rows of a sheet per table."""
EXACT_BELOW: Final = 10**15
"""Spreadsheets keep fifteen digits of a number; from here on two different codes can be one number."""

SheetName = Annotated[int, Field(strict=True, ge=1)] | Annotated[str, Field(min_length=1)]


class WorkbookOptions(TableOptions):
    """Where the table stands in a workbook.

    ``sheet``
        number of the sheet, from 1, hidden ones included, or its name; or a list of these. A name with ``*`` or ``?``
        stands for every sheet that is shown, is not empty, and is called so: ``"*"`` for all.
    """

    sheet: SheetName | tuple[SheetName, ...] = 1

    @field_validator("sheet")
    @classmethod
    def _some_sheet(cls, value: SheetName | tuple[SheetName, ...]) -> SheetName | tuple[SheetName, ...]:
        if value == ():
            raise ValueError("names no sheet; give one, or leave 'sheet' out for the first")
        return value


def read_workbook(
    path: Path, location: str, options: WorkbookOptions, wanted: Sequence[str], table_rows: int = SHEET_ROWS
) -> Iterator[tuple[RawTable, int]]:
    """Give the wanted columns as tables, each with the number of rows that the sheets have below their headers.

    Whole numbers become texts without decimals (2111, not 2111.0); a row with one too large to be exact is broken. Rows
    without any cell are passed over. A cell with an error, or a formula that was never computed, is empty.

    Raises:
        ConfigError: a sheet or a column is missing.
        PermanentSourceError: the workbook is encrypted, damaged, empty, or would fill the memory.
        OSError: the operating system refuses to read it.
    """
    with path.open("rb") as file:
        if not file.read(1):
            raise PermanentSourceError(f"{location}: the file is empty; export it again")
    check_workbook(path, location)
    try:
        with calamine.CalamineWorkbook.from_path(path) as book:
            total = 0
            for sheet in _sheets(book, location, options.sheet):
                first = options.first_row or (1 if options.header_row == "auto" else options.header_row) + 1
                total += max(0, (sheet.end or (0, 0))[0] + 2 - first)
                place = f"{location}, sheet '{sheet.name}'"
                for table in _tables(sheet, place, options, wanted, table_rows):
                    yield table, total
    except calamine.PasswordError:
        raise PermanentSourceError(
            f"{location}: the workbook is protected by a password; save it without one and try again"
        ) from None
    except (calamine.CalamineError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _unreadable(location, str(error)) from None
    except BaseException as error:
        # What the parser did not expect; it is no Exception.
        if type(error).__name__ == "PanicException":
            raise _unreadable(location, "it is damaged") from None
        raise


def _unreadable(location: str, why: str) -> PermanentSourceError:
    return PermanentSourceError(
        f"{location}: the workbook cannot be read ({why}); open it in a spreadsheet program and save it again"
    )


def _sheets(
    book: calamine.CalamineWorkbook, location: str, wanted: SheetName | tuple[SheetName, ...]
) -> Iterator[calamine.CalamineSheet]:
    names = book.sheet_names
    shown = {item.name for item in book.sheets_metadata if item.visible == calamine.SheetVisibleEnum.Visible}
    found: dict[str, None] = {}
    for one in wanted if isinstance(wanted, tuple) else (wanted,):
        if isinstance(one, str) and one not in names and set("*?") & set(one):
            alike = [name for name in names if name in shown and fnmatchcase(name, one)]
            alike = [name for name in alike if book.get_sheet_by_name(name).end is not None]
        else:
            alike = names[one - 1 : one] if isinstance(one, int) else [one] if one in names else []
        if not alike:
            listed = ", ".join(f"{number} '{name}'" for number, name in enumerate(names, 1))
            raise ConfigError(f"{location}: no sheet {one!r}; it has {listed}; correct xlsx.sheet")
        found |= dict.fromkeys(alike)
    for name in found:
        yield book.get_sheet_by_name(name)


def _tables(
    sheet: calamine.CalamineSheet, place: str, options: WorkbookOptions, wanted: Sequence[str], table_rows: int
) -> Iterator[RawTable]:
    rules = TableRules(options, wanted)
    # Empty rows above the first cell are given, too.
    start = 1 if options.header_row == "auto" else options.header_row
    header = find_header(
        (HeaderRow(number, [_text(cell) for cell in row]) for number, row in enumerate(sheet.iter_rows(), 1) if number >= start),
        options, wanted, place, ", or xlsx.sheet or xlsx.header_row",
    )  # fmt: skip
    if header is None or not any(header.names):
        raise PermanentSourceError(
            f"{place}: row {start} holds no column names; correct xlsx.header_row or export again"
        )
    hint = " or xlsx.header_row" if len(header.names) == 1 else ", or xlsx.header_row if the names stand lower"
    columns = locate_columns(rules.columns, header.names, place, hint, may_be_record=True)
    piece = _Piece(place, columns)
    empty = True
    for number, row in islice(enumerate(sheet.iter_rows(), 1), header.last, None):
        if not any(cell != "" for cell in row):
            continue
        piece.add(number, row)
        if len(piece.numbers) == table_rows:
            yield rules.apply(piece.table())
            piece, empty = _Piece(place, columns), False
    if piece.numbers or piece.broken or empty:
        yield rules.apply(piece.table())


class _Piece:
    """Rows gathered for one table."""

    def __init__(self, place: str, columns: Mapping[str, int]) -> None:
        self.numbers: list[int] = []
        self.broken: list[Reject] = []
        self._place = place
        self._columns = columns
        self._cells: dict[str, list[Any]] = {name: [] for name in columns}

    def add(self, number: int, row: Sequence[Any]) -> None:
        for name, index in self._columns.items():
            if isinstance(row[index], float) and abs(row[index]) >= EXACT_BELOW:
                reason = "is a number of more than 15 digits, which spreadsheets round; format the column as text"
                self.broken.append(Reject(self._place, number, name, f"{name} {reason} and enter it again"))
                return
        self.numbers.append(number)
        for name, index in self._columns.items():
            self._cells[name].append(row[index])

    def table(self) -> RawTable:
        texts = {name: [_text(cell) for cell in cells] for name, cells in self._cells.items()}
        typed = {name: [_instant(cell) for cell in cells] for name, cells in self._cells.items()}
        return RawTable(
            self._place,
            pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String)),
            rows=np.array(self.numbers, dtype=np.int64),
            typed=pl.DataFrame(typed, schema=dict.fromkeys(typed, pl.Datetime("us"))),
            broken=tuple(self.broken),
        )


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, bool):
        return "TRUE" if cell else "FALSE"
    if isinstance(cell, float) and cell.is_integer():
        return f"{cell:.0f}"
    if isinstance(cell, datetime):
        return cell.isoformat(" ")
    return str(cell)


def _instant(cell: Any) -> datetime | None:
    if isinstance(cell, datetime):
        return cell
    # A cell has no zone; the mapping gives it one.
    return datetime(cell.year, cell.month, cell.day) if isinstance(cell, date) else None  # noqa: DTZ001
