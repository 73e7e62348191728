"""Files in which people say why dossiers were late: a row each, with number, cause and note; CSV or a workbook."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from connectors.raw_table import clean_header
from connectors.workbook_reader import WorkbookOptions, read_workbook
from tthc_monitor.domain.causes import BETWEEN, COLUMNS, TAKE_BACK, Cause, CauseList
from tthc_monitor.domain.errors import ConfigError, Problem

_NUMBER, _CAUSE, _ = COLUMNS
_LONGEST_NOTE: Final = 500


@dataclass(frozen=True, slots=True)
class Said:
    """A row that says something. ``cause`` None: what was said before is taken back."""

    number: str
    cause: Cause | None
    note: str
    line: int


def read_said(path: Path, causes: CauseList, restored: Callable[[str], str] = str) -> tuple[list[Said], int]:
    """What a file says, and how many of its rows say nothing yet.

    Args:
        restored: takes away what was put before a text so that no spreadsheet takes it for a formula.

    Raises:
        ConfigError: no such file or column, a cause that the list has not, a dossier twice; all rows at once, by line.
        PermanentSourceError: a workbook that cannot be opened.
    """
    said: list[Said] = []
    problems: list[Problem] = []
    seen: dict[str, int] = {}
    blank = 0
    for line, cells in _rows(path):
        number, written, note = (restored(cells.get(name, "")).strip() for name in COLUMNS)
        if not written:
            blank += 1
            continue
        cause = _cause(written, causes)
        wrong = _wrong(number, written, cause, note, seen)
        problems.extend(Problem(str(path), line, message) for message in wrong)
        if number:
            seen.setdefault(number, line)
        said.append(Said(number, cause, note, line))
    if problems:
        raise ConfigError(problems)
    return said, blank


def _wrong(number: str, written: str, cause: Cause | None, note: str, seen: Mapping[str, int]) -> Iterator[str]:
    if not number:
        yield f"no dossier is named; fill in '{_NUMBER}', or empty '{_CAUSE}'"
    if cause is None and written != TAKE_BACK:
        yield (
            f"unknown cause '{written}'; take a code of `tthc-monitor causes list`, or '{TAKE_BACK}' to take back what was said"
        )
    if len(note) > _LONGEST_NOTE:
        yield f"the note has {len(note)} characters; shorten it to {_LONGEST_NOTE}"
    if number in seen:
        yield f"dossier {number} stands already on line {seen[number]}; remove one of the two"


def _cause(written: str, causes: CauseList) -> Cause | None:
    """By its code, by code and name, or by its name."""
    code = written.partition(BETWEEN)[0].strip()
    return causes.get(code) or next((one for one in causes.causes if one.name.casefold() == written.casefold()), None)


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    if not path.is_file():
        raise ConfigError(f"{path} does not exist or is no file; name an existing one")
    name = path.name.lower()
    if name.endswith(".csv"):
        return _csv_rows(path)
    if name.endswith(".xlsx"):
        return _workbook_rows(path)
    raise ConfigError(f"{path}: not a file that can be read here; give one ending in .csv or .xlsx")


def _csv_rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is not UTF-8 at byte {error.start}; save it as UTF-8") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; check the name and the rights") from None
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    header = [clean_header(cell) for cell in next(reader, [])]
    _require(path, header)
    for row in reader:
        if any(cell.strip() for cell in row):
            yield reader.line_num, dict(zip(header, row, strict=False))


def _require(path: Path, header: Sequence[str]) -> None:
    if absent := [name for name in (_NUMBER, _CAUSE) if name not in header]:
        raise ConfigError(
            [Problem(str(path), 1, f"no column '{absent[0]}'; name the columns as `tthc-monitor causes template` does")]
        )


def _workbook_rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    try:
        for table, _ in read_workbook(path, str(path), WorkbookOptions(), COLUMNS):
            for index, row in enumerate(table.frame.select(COLUMNS).iter_rows()):
                yield table.row(index), {name: cell or "" for name, cell in zip(COLUMNS, row, strict=True)}
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; name an existing, readable file") from None
