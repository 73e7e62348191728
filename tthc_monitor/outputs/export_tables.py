"""Tables as files, written as rows come: CSV, and Parquet in row groups. Workbooks are in ``export_workbook``."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import polars as pl

from tthc_monitor.outputs.spreadsheet_cells import dangerous, neutral, neutralised
from tthc_monitor.store.read_columns import FIRST_DAY, FIRST_INSTANT, LAST_DAY, LAST_INSTANT, ReadColumn, empty_frame

ENDLESS: Final = "infinity"
"""How instants and days without end are written where a cell may hold a text; ``-infinity`` those without beginning."""

_ROWS_OF_A_GROUP: Final = 100_000


@dataclass
class Written:
    """What became of the cells of one file, beside its rows.

    Attributes:
        rows: of the query.
        neutralised: texts that a spreadsheet would have taken for formulas.
        cut: texts that were too long for a cell.
        sheets: of a workbook.
    """

    rows: int = 0
    neutralised: int = 0
    cut: int = 0
    sheets: tuple[str, ...] = ()


class Table(Protocol):
    """A file that takes rows until it is closed."""

    written: Written

    def take(self, frame: pl.DataFrame) -> None:
        """Append rows."""
        ...

    def close(self) -> None:
        """Write what is left; the file is whole then."""
        ...

    def abandon(self) -> None:
        """Let go of everything that a failed export holds."""
        ...


def titles(columns: Sequence[ReadColumn], zone: str) -> list[str]:
    """Headings of a spreadsheet: no formulas, and the zone where cells cannot tell it."""
    return [
        f"{neutral(column.name)} ({zone})" if column.kind == "instant" else neutral(column.name) for column in columns
    ]


class CsvTable:
    """UTF-8, commas, LF, a line of headings. Instants are ISO 8601 with the offset of the zone; null is nothing, an
    empty text is ``""``.

    Args:
        bom: begin with a byte order mark, by which Excel knows UTF-8.
    """

    def __init__(self, path: Path, columns: Sequence[ReadColumn], zone: str, *, bom: bool) -> None:
        self.written = Written()
        self._columns, self._zone = columns, zone
        self._file = path.open("wb")
        heading = empty_frame(columns).rename({column.name: neutral(column.name) for column in columns})
        self._file.write(heading.write_csv(include_bom=bom).encode())

    def take(self, frame: pl.DataFrame) -> None:
        """Append rows."""
        texts = [column.name for column in self._columns if column.dtype == pl.String]
        if texts:
            self.written.neutralised += int(frame.select(pl.sum_horizontal(dangerous(n).sum() for n in texts)).item())
        frame.select(self._cell(column) for column in self._columns).write_csv(self._file, include_header=False)
        self.written.rows += frame.height

    def close(self) -> None:
        """Write what is left."""
        self._file.close()

    def abandon(self) -> None:
        """Close the file."""
        self._file.close()

    def _cell(self, column: ReadColumn) -> pl.Expr:
        value = pl.col(column.name)
        match column.kind:
            case "instant":
                local = value.dt.convert_time_zone(self._zone).dt.to_string("%Y-%m-%dT%H:%M:%S%.6f%:z")
                return ends_as_text(column.name, local, FIRST_INSTANT, LAST_INSTANT)
            case "wall_clock":
                first, last = (one.replace(tzinfo=None) for one in (FIRST_INSTANT, LAST_INSTANT))
                return ends_as_text(column.name, value.dt.to_string("%Y-%m-%dT%H:%M:%S%.6f"), first, last)
            case "day":
                return ends_as_text(column.name, value.dt.to_string("%Y-%m-%d"), FIRST_DAY, LAST_DAY)
            case "text" | "json":
                return neutralised(column.name)
            case _:
                return value


def ends_as_text(name: str, written: pl.Expr, first: object, last: object) -> pl.Expr:
    """Days and instants as ``written``, those without end or beginning in words."""
    value = pl.col(name)
    endless = pl.when(value == pl.lit(last)).then(pl.lit(ENDLESS))
    return endless.when(value == pl.lit(first)).then(pl.lit(f"-{ENDLESS}")).otherwise(written).alias(name)


class ParquetTable:
    """Values as they are: instants in UTC with microseconds, texts untouched.

    Rows wait in a folder beside the file, and are put together by row groups when the last has come: polars writes
    Parquet by itself only from a query.
    """

    def __init__(self, path: Path, columns: Sequence[ReadColumn]) -> None:
        self.written = Written()
        self._path = path
        self._parts = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.stem}-"))
        self._count = 0
        # A file without rows has its columns too.
        self._keep(empty_frame(columns))

    def take(self, frame: pl.DataFrame) -> None:
        """Append rows."""
        self._keep(frame)
        self.written.rows += frame.height

    def close(self) -> None:
        """Write the file."""
        parts = sorted(self._parts.iterdir())
        pl.scan_ipc(parts).sink_parquet(self._path, compression="zstd", row_group_size=_ROWS_OF_A_GROUP)
        self.abandon()

    def abandon(self) -> None:
        """Remove what waited."""
        shutil.rmtree(self._parts, ignore_errors=True)

    def _keep(self, frame: pl.DataFrame) -> None:
        frame.write_ipc(self._parts / f"{self._count:08}.arrow", compression="lz4")
        self._count += 1
