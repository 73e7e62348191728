"""Where a table stands among titles, numbering rows, merged cells and totals: the same rules for CSV and workbooks."""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
import numpy.typing as npt
import polars as pl
from pydantic import Field, StringConstraints, field_validator, model_validator

from connectors.base import ConnectorOptions
from connectors.cell_texts import by_text
from connectors.raw_table import RawTable, clean_header, locate_columns
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.records import Reject

AUTO_ROWS: Final = 30
"""Rows among which ``header_row: auto`` looks for the column names."""

Rows = npt.NDArray[np.int64]
_NUMBERING: Final = re.compile(r"[(\[]?(\d{1,3}|[A-Z])[)\]]?(\s*=.*)?", re.DOTALL)


class TableOptions(ConnectorOptions):
    """Where the table stands, and which of its rows are records.

    ``header_row``
        row (of a workbook) or line (of a CSV file) with the column names, from 1; what stands above is passed over.
        ``auto``: the first of the first 30 that holds every column of the mapping.
    ``header_rows``
        how many rows the column names take; a column is called what stands lowest in them.
    ``first_row``
        first row of data, when it is not the one after the header.
    ``numbering_row``
        whether a row of (1) (2) (3) right under the header is passed over. A row that is none is read as a record.
    ``fill_down``
        columns whose empty cells repeat the cell above (merged cells). Below a row that cannot be read nobody knows what
        stands above: rows with an empty cell are refused until one is told again.
    ``ignore_rows``
        column → regular expression: rows in which it is found are no records (``(?i)^tổng``; ``^$`` for an empty cell),
        and are passed over. It is looked for before cells are filled down.
    """

    header_row: Annotated[int, Field(ge=1)] | Literal["auto"] = 1
    header_rows: int = Field(default=1, ge=1, le=10)
    first_row: int | None = None
    numbering_row: bool = False
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
    def _data_below_header(self) -> Self:
        if self.first_row is None:
            return self
        if self.header_row == "auto":
            raise ValueError("first_row cannot be known where header_row is auto; use numbering_row, or give the row")
        if self.first_row < self.header_row + self.header_rows:
            raise ValueError(
                f"first_row {self.first_row} is not below header_row {self.header_row}; correct one of them"
            )
        return self


@dataclass(frozen=True)
class HeaderRow:
    """Texts of a row that may hold column names, and the last row or line that it takes."""

    last: int
    cells: Sequence[str]


@dataclass(frozen=True)
class Header:
    """Column names, and the last row or line that they take."""

    last: int
    names: Sequence[str]


def find_header(
    rows: Iterable[HeaderRow], options: TableOptions, wanted: Sequence[str], location: str, hint: str
) -> Header | None:
    """The column names among the rows from ``header_row`` on (``auto``: from the first); None when there are too few.

    With ``auto``, rows below the names are looked at, too.

    Raises:
        ConfigError: ``header_row`` is ``auto`` and no row holds every wanted column.
    """
    window: deque[HeaderRow] = deque(maxlen=options.header_rows)
    names_wanted = {clean_header(name) for name in wanted}
    best: Sequence[str] | None = None
    most = 0
    header: Header | None = None
    beyond = 0
    for count, row in enumerate(rows, 1):
        window.append(row)
        if len(window) == options.header_rows:
            names = _lowest([item.cells for item in window])
            if options.header_row != "auto":
                return Header(row.last, names)
            found = len(names_wanted & {clean_header(name) for name in names})
            if found == len(names_wanted):
                header = Header(row.last, names)
            if found > most:
                best, most = names, found
        # What was found may begin with a title: then the names go on below.
        beyond += header is not None
        if count == AUTO_ROWS or beyond == options.header_rows:
            break
    if header is not None or options.header_row != "auto":
        return header
    if best is not None:
        locate_columns(wanted, best, location, hint)
    listed = ", ".join(f"'{name}'" for name in sorted(names_wanted))
    raise ConfigError(
        f"{location}: none of the first {AUTO_ROWS} rows holds the columns {listed}; correct the mapping{hint}"
    )


def _lowest(rows: Sequence[Sequence[str]]) -> list[str]:
    names = [""] * max(map(len, rows))
    for row in rows:
        for index, text in enumerate(row):
            names[index] = text if text.strip() else names[index]
    return names


class TableRules:
    """The rules of one table, applied to its pieces in order; cells to repeat are carried from piece to piece."""

    def __init__(self, options: TableOptions, wanted: Sequence[str]) -> None:
        self._wanted = list(dict.fromkeys(map(clean_header, wanted)))
        self._ignored = {clean_header(name): re.compile(pattern) for name, pattern in options.ignore_rows.items()}
        self._filled = {clean_header(name): _Above() for name in options.fill_down}
        self._broken_row = 0
        self._first_row = options.first_row
        self._numbering = options.numbering_row
        self.columns = list(dict.fromkeys([*self._wanted, *self._ignored, *self._filled]))
        """Every column that has to be read: the wanted ones, and those that only the rules look at."""

    def apply(self, table: RawTable) -> RawTable:
        """The records among a piece's rows, with the wanted columns alone."""
        if self._first_row is None and not (self._numbering or self._ignored or self._filled):
            return table
        if self._first_row is not None:
            below = tuple(item for item in table.broken if item.row is None or item.row >= self._first_row)
            table = replace(table, broken=below)
        kept = self._records(table)
        if not kept.all():
            table = _only(table, kept)
        table = self._fill_down(table)
        typed = table.typed if table.typed is None else table.typed.select(self._in_order(table.typed))
        return replace(table, frame=table.frame.select(self._in_order(table.frame)), typed=typed)

    def _in_order(self, frame: pl.DataFrame) -> list[str]:
        return [name for name in frame.columns if name in self._wanted]

    def _records(self, table: RawTable) -> pl.Series:
        kept = pl.Series([True]).new_from_index(0, table.frame.height)
        if self._first_row is not None:
            kept &= pl.Series(table.row_numbers() >= self._first_row)
        for name, pattern in self._ignored.items():
            found = by_text(table.frame[name], partial(_matches, pattern))
            kept &= ~found.fill_null(pattern.search("") is not None)
        if self._numbering and kept.any():
            self._numbering = False
            first = int(kept.arg_max() or 0)
            cells = [text.strip() for text in table.frame.row(first) if text and text.strip()]
            if _is_numbering(cells):
                kept = kept.set(pl.Series(np.arange(len(kept)) == first), False)
        return kept

    def _fill_down(self, table: RawTable) -> RawTable:
        if not self._filled:
            return table
        broken = np.array([self._broken_row, *sorted(item.row for item in table.broken if item.row is not None)])
        self._broken_row = int(broken[-1])
        if not table.frame.height:
            return table
        rows = table.row_numbers()
        last_broken = broken[np.searchsorted(broken, rows) - 1]
        refused: dict[int, Reject] = {}
        for name in self._filled:
            table, told_at = self._fill(table, name, rows)
            for index in np.flatnonzero(last_broken > told_at):
                reason = f"{name} is empty below a row that cannot be read; correct that row, or fill in the cell"
                refused.setdefault(int(index), Reject(table.location, int(rows[index]), name, reason))
        if not refused:
            return table
        kept = np.ones(len(rows), dtype=bool)
        kept[list(refused)] = False
        return replace(_only(table, pl.Series(kept)), broken=(*table.broken, *refused.values()))

    def _fill(self, table: RawTable, name: str, rows: Rows) -> tuple[RawTable, Rows]:
        """The table with a column filled, and the row that each of its cells was told in."""
        above = self._filled[name]
        text = table.frame[name]
        empty = text.str.strip_chars().fill_null("") == ""
        # The row above the first one is put before it, and taken off again.
        told = np.concatenate([[True], ~empty.to_numpy()])
        taken = np.maximum.accumulate(np.where(told, np.arange(len(told)), 0))
        texts = pl.Series([above.text], dtype=pl.String).append(text).gather(taken)[1:]
        frame = table.frame.with_columns(texts.alias(name))
        typed = table.typed
        cell = None
        if typed is not None and name in typed.columns:
            cells = pl.Series([above.cell], dtype=typed[name].dtype).append(typed[name]).gather(taken)[1:]
            typed = typed.with_columns(cells.alias(name))
            cell = cells[-1]
        told_at = np.concatenate([[above.row], rows])[taken][1:]
        self._filled[name] = _Above(texts[-1], cell, int(told_at[-1]))
        return replace(table, frame=frame, typed=typed), told_at


@dataclass(frozen=True)
class _Above:
    """What a cell to be filled repeats: a text, its instant where it is one, and the row that they were told in."""

    text: str | None = ""
    cell: Any = None
    row: int = 0


def _is_numbering(cells: Sequence[str]) -> bool:
    """Whether a row's cells number the columns: (1) (2) (3), or 1 2 3, A B C growing to the right."""
    marks = [match[1] for text in cells if (match := _NUMBERING.fullmatch(text))]
    if not cells or len(marks) < len(cells):
        return False
    numbers, letters = [int(mark) for mark in marks if mark.isdigit()], [mark for mark in marks if mark.isalpha()]
    growing = all(left < right for left, right in pairwise(numbers))
    growing &= all(left < right for left, right in pairwise(letters))
    return growing and (len(cells) > 1 or cells[0].startswith(("(", "[")))


def _matches(pattern: re.Pattern[str], texts: pl.Series) -> pl.Series:
    found = (
        None if text is None else pattern.search(unicodedata.normalize("NFC", text).strip()) is not None
        for text in texts
    )
    return pl.Series(list(found), dtype=pl.Boolean)


def _only(table: RawTable, kept: pl.Series) -> RawTable:
    typed = None if table.typed is None else table.typed.filter(kept)
    return replace(table, frame=table.frame.filter(kept), rows=table.row_numbers()[kept.to_numpy()], typed=typed)
