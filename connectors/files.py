"""The ``files`` connector: dossiers from CSV files (plain or gzipped) and workbooks that offices export."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from connectors.base import ConnectorOptions, Cursor, Page, Surroundings
from connectors.csv_reader import CsvOptions, read_csv
from connectors.mapping import MappingOptions
from connectors.mapping_engine import Mapped, Mapper
from connectors.raw_table import RawTable
from connectors.workbook_reader import WorkbookOptions, read_workbook
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError, TransientSourceError
from tthc_monitor.domain.records import INSTANT_COLUMNS, Batch

Format = Literal["csv", "xlsx"]
SUFFIXES: Final[dict[str, Format]] = {
    **dict.fromkeys((".csv", ".txt", ".tsv", ".csv.gz", ".txt.gz", ".tsv.gz"), "csv"),
    **dict.fromkeys((".xlsx", ".xlsm", ".xls", ".xlsb", ".ods"), "xlsx"),
}
_CHECK_BYTES: Final = 256 * 1024
_CHECK_ROWS: Final = 1000


class FilesOptions(MappingOptions):
    """Options of the ``files`` connector, beside those of the mapping.

    ``path``
        a file, a folder, or a pattern (``*``, ``?``, ``**``), relative to the configuration's folder. Of a folder,
        all files with a known ending are read; files are read in the order of their names.
    ``format``
        ``csv`` or ``xlsx`` (any workbook); by default each file's ending decides.
    ``csv`` / ``xlsx``
        see :class:`~connectors.csv_reader.CsvOptions`, :class:`~connectors.workbook_reader.WorkbookOptions`.
    ``reread``
        ``always``, or ``changed``: files whose size and modification time are those of the last run are skipped (and
        read again once these options change). ``always`` costs time, never a second observation.
    ``lists_all_open``
        true when the files together always hold every dossier that is open at the time they are written, and their
        modification time is that of writing: then a dossier that is no longer in them counts as gone from the source.
        Needs ``reread: always``.
    """

    path: str = Field(min_length=1)
    format: Format | None = None
    csv: CsvOptions = Field(default_factory=CsvOptions)
    xlsx: WorkbookOptions = Field(default_factory=WorkbookOptions)
    reread: Literal["always", "changed"] = "always"
    lists_all_open: bool = False

    @field_validator("csv", "xlsx")
    @classmethod
    def _used(cls, value: Any, info: ValidationInfo) -> Any:
        chosen = info.data.get("format") or format_of(info.data.get("path", ""))
        if chosen is not None and chosen != info.field_name:
            raise ValueError(f"is not used for files of format {chosen}; remove it")
        return value

    @model_validator(mode="after")
    def _all_are_read(self) -> FilesOptions:
        if self.lists_all_open and self.reread == "changed":
            raise ValueError("lists_all_open needs every file in every run; set reread to always, or leave one out")
        return self

    @model_validator(mode="after")
    def _formats_given(self) -> FilesOptions:
        if (self.format or format_of(self.path)) == "csv":
            require_formats(self, self.path)
        return self


def format_of(name: str) -> Format | None:
    """The format that a file's ending tells, None when it tells nothing."""
    lower = name.lower()
    return next((form for suffix, form in SUFFIXES.items() if lower.endswith(suffix)), None)


def require_formats(options: MappingOptions, name: str) -> None:
    """CSV cells are texts, so that every instant needs a format.

    Raises:
        ValueError: an instant column has none.
    """
    bare = [key for key, spec in options.columns.items() if key in INSTANT_COLUMNS and spec.format is None]
    if bare:
        raise ValueError(
            f"columns {', '.join(bare)} hold texts in {name}; give each a 'format', "
            "for example {column: NAME, format: '%d/%m/%Y %H:%M'}"
        )


@dataclass(frozen=True)
class _File:
    path: Path
    location: str
    format: Format
    stamp: list[int]
    as_of: datetime


class FilesConnector:
    """Reads the files that the options name, piece by piece; only mapped columns leave a file."""

    Options: ClassVar[type[ConnectorOptions]] = FilesOptions

    def __init__(self, name: str, options: FilesOptions, surroundings: Surroundings) -> None:
        self.name = name
        self._options = options
        self._base = surroundings.base_dir
        self._mapper = Mapper(options, surroundings.applicant_key)

    @property
    def provides(self) -> frozenset[str]:
        """The columns that the mapping fills."""
        return self._mapper.provides

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        """Give the files' tables as pages; with ``reread: changed``, of the files that are not as they were.

        ``Page.total`` is known when there is one file and it is a workbook. The cursor maps a file's location to its
        size and modification time, beside a fingerprint of the options; a file enters it with its last page. A page
        tells the state as of its file's modification time.

        Raises:
            PermanentSourceError: nothing is found under the path, or a file cannot be read as what it should be.
            TransientSourceError: reading failed in a way that may pass (a share that went away, say).
            ConfigError: a column, a sheet or the format of a file does not fit the options.
        """
        files = self._files()
        remember = self._options.reread == "changed"
        fingerprint = hashlib.sha256(self._options.model_dump_json().encode()).hexdigest()
        known: dict[str, Any] = {}
        if remember and cursor is not None and cursor.get("options") == fingerprint:
            known = {
                file.location: cursor["files"][file.location] for file in files if file.location in cursor["files"]
            }
        for file in files:
            if known.get(file.location) == file.stamp:
                continue
            waiting: Page | None = None
            for table, total in self._tables(file):
                if waiting is not None:
                    yield waiting
                waiting = Page(table, table.location, total=total if len(files) == 1 else None, as_of=file.as_of)
            if remember and waiting is not None:
                known = {**known, file.location: file.stamp}
                cursor_now = {"options": fingerprint, "files": known}
                waiting = replace(waiting, cursor=cursor_now)
            if waiting is not None:
                yield replace(waiting, listed_all=self._options.lists_all_open and file is files[-1])

    def normalise(self, page: Page) -> Batch:
        """Turn a page into canonical records and rejects; see :mod:`connectors.mapping_engine` for the rules."""
        return self.map(page).batch

    def map(self, page: Page) -> Mapped:
        """As :meth:`normalise`, with the counts of unknown codes."""
        table: RawTable = page.content
        return self._mapper.apply(table)

    def check(self) -> list[str]:
        """Open every file, match its columns, and map its first rows; nothing is kept.

        Raises:
            TthcError: the first thing that is wrong, with what to do; ConfigError when no row of a sample can be read.
        """
        files = self._files()
        lines = [f"{len(files)} file{'s' * (len(files) != 1)} found under {self._options.path}"]
        for file in files:
            table, _ = next(self._tables(file, _CHECK_BYTES, _CHECK_ROWS))
            mapped = self._mapper.apply(table)
            count = len(self._mapper.source_columns)
            lines.append(f"{table.location}: {count} columns matched: {', '.join(self._mapper.source_columns)}")
            if mapped.rows_read and not mapped.records.height:
                first = mapped.rejects[0]
                column = f", column {first.column}" if first.column else ""
                raise ConfigError(f"{first.location}, row {first.row}{column}: {first.reason} (no row could be read)")
            text = f"{table.location}: {mapped.records.height} of the first {mapped.rows_read} rows can be read"
            lines.append(text)
            lines += [f"{r.location}, row {r.row}, would be refused: {r.reason}" for r in mapped.rejects[:3]]
            lines += [
                f"{table.location}: {field} does not know '{value[:80]}' ({rows} of these rows)"
                for (field, value), rows in mapped.unknown.items()
            ]
        return lines

    # -- files ---------------------------------------------------------------------------------------------------

    def _tables(
        self, file: _File, block_bytes: int | None = None, rows: int | None = None
    ) -> Iterator[tuple[RawTable, int | None]]:
        wanted = self._mapper.source_columns
        try:
            if file.format == "csv":
                sizes = {} if block_bytes is None else {"block_bytes": block_bytes}
                for table in read_csv(file.path, file.location, self._options.csv, wanted, **sizes):
                    yield table, None
            else:
                limits = {} if rows is None else {"table_rows": rows}
                yield from read_workbook(file.path, file.location, self._options.xlsx, wanted, **limits)
        except OSError as error:
            raise _refused(file.location, error) from None

    def _files(self) -> list[_File]:
        pattern = self._base / Path(self._options.path).expanduser()
        try:
            found = [self._file(path) for path in self._paths(pattern)]
        except OSError as error:
            raise _refused(str(pattern), error) from None
        if not found:
            raise PermanentSourceError(
                f"no file found under {pattern}; put the file there or correct 'path' in the source's options"
            )
        for file in found:
            if file.format == "csv":
                try:
                    require_formats(self._options, file.location)
                except ValueError as error:
                    raise ConfigError(str(error)) from None
        return found

    def _paths(self, pattern: Path) -> list[Path]:
        if pattern.is_file():
            return [pattern]
        if pattern.is_dir():
            known = [(path, format_of(path.name)) for path in pattern.iterdir()]
            candidates = [path for path, form in known if form is not None and self._options.format in (None, form)]
        else:
            # Path.glob takes no absolute pattern.
            candidates = [Path(name) for name in glob.glob(str(pattern), recursive=True)]  # noqa: PTH207
        return sorted(path for path in candidates if path.is_file() and not path.name.startswith(("~$", ".")))

    def _file(self, path: Path) -> _File:
        form = self._options.format or format_of(path.name)
        location = str(path.relative_to(self._base)) if path.is_relative_to(self._base) else str(path)
        if form is None:
            raise ConfigError(f"{location}: the file's ending does not tell its format; set 'format' to csv or xlsx")
        stat = path.stat()
        as_of = datetime.fromtimestamp(stat.st_mtime, UTC)
        return _File(path, location, form, [stat.st_size, stat.st_mtime_ns], as_of)


def _refused(location: str, error: OSError) -> PermanentSourceError | TransientSourceError:
    reason = error.strerror or str(error)
    if isinstance(error, (PermissionError, FileNotFoundError, IsADirectoryError, NotADirectoryError)):
        return PermanentSourceError(f"{location}: {reason}; make the file readable for this program")
    return TransientSourceError(f"{location}: {reason}; the next run tries again")
