"""Tables of a report as data: what each column is, so that one and the same table becomes a sheet, a CSV and JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

ColumnKind = Literal["text", "code", "count", "difference", "decimal", "percent", "day", "instant"]
"""``code`` is text that must never be read as a number; ``difference`` a count shown with its sign; ``percent`` 0..100,
null without a denominator; ``instant`` UTC."""


Shape = Literal["bar", "column", "line"]
"""Of a chart; the bars of ``bar`` lie, those of ``column`` stand."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column: its name in CSV and JSON (English, snake case), its heading (Vietnamese), what it holds.

    ``width`` is that of its column on a sheet, in characters; 0 lets what it holds decide. What is ``technical`` (codes
    for programs, such as that of a rule) stands in CSV and JSON, not on sheets. ``absent`` is what
    stands on paper for a count that nobody knows. What has no room on ``paper`` stands at the right end of its sheet, outside
    of what is printed.
    """

    name: str
    title: str
    kind: ColumnKind = "text"
    width: float = 0
    technical: bool = False
    absent: str = ""
    paper: bool = True


@dataclass(frozen=True, slots=True)
class TableChart:
    """A native chart of a table: ``values`` are columns drawn over ``categories`` for the first ``rows`` rows."""

    shape: Shape
    title: str
    categories: str
    values: tuple[str, ...]
    rows: int
    stacked: bool = False


@dataclass(frozen=True)
class Table:
    """One table of a report.

    Attributes:
        key: name of the file of its CSV and of its part in JSON (English, with hyphens), unique in a report.
        sheet: name of its sheet (Vietnamese, at most 31 characters), unique in a report.
        title: heading above it, in capitals.
        columns: in the order in which they are shown; each is a column of ``rows``.
        rows: the values, with null where there is none.
        notes: what must be known to read it, the denominators of its shares first.
        chart: drawn on the sheet of charts.
        empty: what stands in place of rows when there are none.
        standing: what its figures stand on when that is not as usual (frozen, or known only later); beneath the title.
    """

    key: str
    sheet: str
    title: str
    columns: tuple[TableColumn, ...]
    rows: pd.DataFrame
    notes: tuple[str, ...] = ()
    chart: TableChart | None = None
    empty: str = "Không có."
    standing: str = ""


def frame_of(columns: Sequence[TableColumn], rows: Sequence[tuple[Any, ...]]) -> pd.DataFrame:
    """Rows as the frame of a table: values stay what they are, also when a column has none."""
    return pd.DataFrame(rows, columns=[column.name for column in columns], dtype=object)
