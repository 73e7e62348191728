"""Sheets of long lists: the rows in their midst are put together as text, which takes a quarter of the time of cells.

Tens of thousands of rows are hundreds of thousands of cells, and the library for workbooks holds, looks up and writes each
by itself. Here a text that stands in many rows is turned into its cell once. The first rows and the last are the library's:
charts take what they show from them, and the sheet its extent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from tthc_monitor.outputs.plain_workbook import text_cell

ORDINARY: Final = 200
"""Rows of a table that are always cells of the library; no chart shows as many."""

_AT_ONCE: Final = 2000


@dataclass(frozen=True)
class Cells:
    """A column of cells: each a text, a number or None (an empty cell), with the format that it has."""

    values: Sequence[str | float | None]
    format_of: Callable[[Any], Format]


@dataclass(frozen=True)
class LongRows:
    """Rows of a sheet from ``first`` (zero-based) on: columns from the left, and heights in points (None: as usual)."""

    first: int
    columns: Sequence[Cells]
    heights: Sequence[float | None]


class LongSheet(Worksheet):  # type: ignore[misc]  # the library has no types
    """A sheet with rows put together as text."""

    long_rows: LongRows | None = None
    dim_rowmin: int | None
    dim_rowmax: int | None

    def _write_rows(self) -> None:
        rows = self.long_rows
        if rows is None:
            super()._write_rows()
            return
        top, bottom = self.dim_rowmin, self.dim_rowmax
        self.dim_rowmax = rows.first - 1
        super()._write_rows()
        for text in _texts(rows):
            self.fh.write(text)
        self.dim_rowmin, self.dim_rowmax = rows.first + len(rows.heights), bottom
        super()._write_rows()
        self.dim_rowmin = top


def _texts(rows: LongRows) -> Iterable[str]:
    looks: dict[tuple[str, int], str] = {}
    for begin in range(0, len(rows.heights), _AT_ONCE):
        columns = [_cells(column.values[begin : begin + _AT_ONCE], column.format_of, looks) for column in rows.columns]
        heights = rows.heights[begin : begin + _AT_ONCE]
        yield "".join(
            f'<row r="{number}"{_height(height)}>{"".join(cells)}</row>'
            for number, height, cells in zip(
                range(rows.first + begin + 1, rows.first + begin + 1 + len(heights)),
                heights,
                zip(*columns, strict=True),
                strict=True,
            )
        )


def _cells(
    values: Sequence[str | float | None], format_of: Callable[[Any], Format], made: dict[tuple[str, int], str]
) -> list[str]:
    cells = []
    for value in values:
        # Numbers of formats are given out in the order in which they are first asked for.
        look = format_of(value)._get_xf_index()  # noqa: SLF001
        if value is None:
            cells.append(f'<c s="{look}"/>')
        elif isinstance(value, str):
            cell = made.get((value, look))
            if cell is None:
                cell = made[value, look] = text_cell(value, look)
            cells.append(cell)
        else:
            cells.append(f'<c s="{look}"><v>{value:.16G}</v></c>')
    return cells


def _height(height: float | None) -> str:
    return "" if height is None else f' ht="{height:.16g}" customHeight="1"'
