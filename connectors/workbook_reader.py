"""Reads one sheet of a workbook (xlsx, xlsm, xls, xlsb, ods) as tables of texts; date cells stay dates beside them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import polars as pl
import python_calamine as calamine
from pydantic import Field, StringConstraints, field_validator, model_validator

from connectors.base import ConnectorOptions
from connectors.raw_table import RawTable, clean_header, locate_columns
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError

SHEET_ROWS: Final = 50_000
"""Rows of a sheet per table."""


class WorkbookOptions(ConnectorOptions):
    """Where the table stands in a workbook.

    ``sheet``
        number of the sheet, from 1, hidden ones included, or its name.
    ``header_row``
        row with the column names, as the spreadsheet numbers it.
    ``first_row``
        first row of data, when it is not the one after the header (a row of (1)(2)(3), say).
    ``fill_down``
        columns whose empty cells repeat the cell above (merged cells).
    ``ignore_rows``
        column → regular expression: rows in which it is found are no records (total rows), and are passed over.
    """

    sheet: Annotated[int, Field(strict=True, ge=1)] | str = 1
    header_row: int = Field(default=1, ge=1)
    first_row: int | None = None
    fill_down: tuple[str, ...] = ()
    ignore_rows: Mapping[Annotated[str, StringConstraints(min_length=1)], str] = Field(default_factory=dict)

    @field_validator("ignore_rows")
    @classmethod
    def _patterns(cls, value: Mapping[str, str]) -> Mapping[str, str]:
        for pattern in value.values():
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"'{pattern}' is not a regular expression: {error}; correct it") from None
        return value

    @model_validator(mode="after")
    def _data_below_header(self) -> WorkbookOptions:
        if self.first_row is not None and self.first_row <= self.header_row:
            raise ValueError(
                f"first_row {self.first_row} is not below header_row {self.header_row}; correct one of them"
            )
        return self


def read_workbook(
    path: Path, location: str, options: WorkbookOptions, wanted: Sequence[str], table_rows: int = SHEET_ROWS
) -> Iterator[tuple[RawTable, int]]:
    """Give a sheet's wanted columns as tables, each with the number of rows the sheet has below its header.

    Whole numbers become texts without decimals (2111, not 2111.0); rows without any cell are passed over.

    Raises:
        ConfigError: the sheet or a column is missing.
        PermanentSourceError: the workbook is encrypted, damaged or empty.
        OSError: the operating system refuses to read it.
    """
    with path.open("rb") as file:
        if not file.read(1):
            raise PermanentSourceError(f"{location}: the file is empty; export it again")
    try:
        with calamine.CalamineWorkbook.from_path(path) as book:
            sheet = _sheet(book, location, options.sheet)
            place = f"{location}, sheet '{sheet.name}'"
            yield from _tables(sheet, place, options, wanted, table_rows)
    except calamine.PasswordError:
        raise PermanentSourceError(
            f"{location}: the workbook is protected by a password; save it without one and try again"
        ) from None
    except (calamine.CalamineError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise PermanentSourceError(
            f"{location}: the workbook cannot be read ({error}); open it in a spreadsheet program and save it again"
        ) from None


def _sheet(book: calamine.CalamineWorkbook, location: str, sheet: int | str) -> calamine.CalamineSheet:
    names = book.sheet_names
    if isinstance(sheet, int) and sheet <= len(names):
        return book.get_sheet_by_index(sheet - 1)
    if isinstance(sheet, str) and sheet in names:
        return book.get_sheet_by_name(sheet)
    listed = ", ".join(f"{number} '{name}'" for number, name in enumerate(names, 1))
    raise ConfigError(f"{location}: no sheet {sheet!r}; it has {listed}; correct xlsx.sheet")


def _tables(
    sheet: calamine.CalamineSheet, place: str, options: WorkbookOptions, wanted: Sequence[str], table_rows: int
) -> Iterator[tuple[RawTable, int]]:
    rows = enumerate(sheet.iter_rows(), 1)  # empty rows above the first cell are given too
    header = next((row for number, row in rows if number == options.header_row), None)
    if header is None or not any(cell != "" for cell in header):
        raise PermanentSourceError(
            f"{place}: row {options.header_row} holds no column names; correct xlsx.header_row or export again"
        )
    names = [_text(cell) or "" for cell in header]
    hint = "" if len(names) > 1 else " or xlsx.header_row"
    columns = locate_columns(wanted, names, place, hint or ", or xlsx.header_row if the names stand lower")
    extra = locate_columns([*options.fill_down, *options.ignore_rows], names, place)
    ignored = [(extra[clean_header(name)], re.compile(pattern)) for name, pattern in options.ignore_rows.items()]
    filled: dict[int, Any] = {extra[clean_header(name)]: "" for name in options.fill_down}
    first = options.first_row or options.header_row + 1
    total = max(0, (sheet.end or (0, 0))[0] + 2 - first)
    piece = _Piece(place, columns)
    empty = True
    for number, row in rows:
        if number < first or not any(cell != "" for cell in row):
            continue
        if any(pattern.search(_text(row[index]) or "") for index, pattern in ignored):
            continue
        for index, above in filled.items():
            row[index] = above if row[index] == "" else row[index]
        filled = {index: row[index] for index in filled}
        piece.add(number, row)
        if len(piece.numbers) == table_rows:
            yield piece.table(), total
            piece, empty = _Piece(place, columns), False
    if piece.numbers or empty:
        yield piece.table(), total


class _Piece:
    """Rows gathered for one table."""

    def __init__(self, place: str, columns: Mapping[str, int]) -> None:
        self.numbers: list[int] = []
        self._place = place
        self._columns = columns
        self._cells: dict[str, list[Any]] = {name: [] for name in columns}

    def add(self, number: int, row: Sequence[Any]) -> None:
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
        )


def _text(cell: Any) -> str | None:
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
