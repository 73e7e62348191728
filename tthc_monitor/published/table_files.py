"""Published figures as people keep them: CSV, plain or gzipped, and workbooks, with the header wherever it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import python_calamine as calamine

from connectors.csv_reader import CsvOptions, read_csv
from connectors.csv_text import text_blocks
from connectors.raw_table import RawTable, clean_header
from connectors.workbook_guard import check_workbook
from connectors.workbook_reader import WorkbookOptions, read_workbook
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError
from tthc_monitor.domain.published import PublishedRow
from tthc_monitor.published.columns import UNIT, figure_of, has_figures, listed
from tthc_monitor.published.rows import Gathered

SEPARATORS: Final = (",", ";", "\t", "|")
_AMONG: Final = 30
"""Rows among which the header is looked for."""
_FIRST_BYTES: Final = 1 << 20


def read_tables(path: Path) -> tuple[tuple[PublishedRow, ...], tuple[str, ...]]:
    """The rows of a file, and its columns that are none of ours.

    Raises:
        ConfigError: no header of ours, or rows that cannot be taken, all at once by line.
        PermanentSourceError: the file is damaged, protected, empty or in another encoding than UTF-8.
        OSError: the operating system refuses to read it.
    """
    gathered = Gathered(str(path))
    unread: tuple[str, ...] = ()
    for table, names, others in _workbook(path) if _is_workbook(path) else _csv(path):
        unread = others
        for broken in table.broken:
            gathered.wrong(broken.row, broken.reason)
        for index, row in enumerate(table.frame.iter_rows(named=True)):
            line = table.row(index)
            gathered.add({ours: row[name] or "" for name, ours in names.items()}, f"dòng {line}", line)
    return gathered.done(), unread


Read = Iterator[tuple[RawTable, dict[str, str], tuple[str, ...]]]


def _is_workbook(path: Path) -> bool:
    return path.name.lower().endswith((".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"))


def _csv(path: Path) -> Read:
    try:
        yield from _csv_tables(path)
    except PermanentSourceError as error:
        if "csv.encoding" not in str(error):
            raise
        raise PermanentSourceError(f"{path}: the text is not UTF-8; save the file as CSV UTF-8") from None


def _csv_tables(path: Path) -> Read:
    first = next(text_blocks(path, str(path), "utf-8", _FIRST_BYTES), b"").decode("utf-8", errors="replace")
    lines = first.split("\n")[:_AMONG]
    # The separator by which the header has the most columns of ours.
    separator = max(SEPARATORS, key=lambda sign: max((len(_ours(line.split(sign))) for line in lines), default=0))
    header = _header(([cell.strip().strip('"') for cell in line.split(separator)] for line in lines), path)
    number, names, unread = header
    options = CsvOptions(separator=separator, header_row=number)
    for table in read_csv(path, str(path), options, list(names)):
        yield table, names, unread


def _workbook(path: Path) -> Read:
    with path.open("rb") as file:
        if not file.read(1):
            raise PermanentSourceError(f"{path}: the file is empty; export it again")
    check_workbook(path, str(path))
    try:
        with calamine.CalamineWorkbook.from_path(path) as book:
            rows = [[str(cell) for cell in row] for row in islice(book.get_sheet_by_index(0).iter_rows(), _AMONG)]
    except calamine.PasswordError:
        raise PermanentSourceError(
            f"{path}: the workbook is protected by a password; save it without one and try again"
        ) from None
    except calamine.CalamineError as error:
        raise PermanentSourceError(
            f"{path}: the workbook cannot be read ({error}); open it in a spreadsheet program and save it again"
        ) from None
    number, names, unread = _header(rows, path)
    for table, _ in read_workbook(path, str(path), WorkbookOptions(header_row=number), list(names)):
        yield table, names, unread


def _ours(cells: Iterable[str]) -> list[str]:
    return [figure for cell in cells if (figure := figure_of(cell.strip().strip('"'))) is not None]


def _header(rows: Iterable[Sequence[str]], path: Path) -> tuple[int, dict[str, str], tuple[str, ...]]:
    """The row of the header, our name of each of its columns that is ours, and the columns that are not."""
    nearest: list[str] = []
    for number, cells in enumerate(rows, 1):
        names = [clean_header(cell) for cell in cells]
        ours = [figure_of(name) for name in names]
        found = [name for name in ours if name is not None]
        if UNIT in found and has_figures(found):
            if twice := sorted({name for name in found if found.count(name) > 1}):
                raise ConfigError(
                    f"{path}:{number}: {', '.join(twice)} stands in more than one column; remove all but one of them"
                )
            matched = {name: figure for name, figure in zip(names, ours, strict=True) if figure is not None}
            return (
                number,
                matched,
                tuple(name for name, figure in zip(names, ours, strict=True) if name and figure is None),
            )
        if len(found) > len(nearest):
            nearest = found
    lacking = "the code of the unit" if UNIT not in nearest else "any figure"
    known = "; ".join(f"{figure} ({others})" for figure, others in listed())
    raise ConfigError(
        f"{path}: none of the first {_AMONG} rows names the columns: {lacking} is missing; name them {known}"
    )
