"""The ``files`` connector: dossiers from CSV files (plain or gzipped) and workbooks that offices export."""

from __future__ import annotations

import glob
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from connectors.base import ConnectorOptions, Cursor, Page, Surroundings
from connectors.csv_reader import CsvOptions, read_csv
from connectors.found_files import Format, FoundFile, HandedFile, format_of, refused_file
from connectors.mapping import MappingOptions
from connectors.mapping_engine import Mapped, Mapper
from connectors.raw_table import RawTable
from connectors.sweeping import scope_of
from connectors.workbook_reader import WorkbookOptions, read_workbook
from tthc_monitor.domain.errors import ConfigError, PermanentSourceError, TransientSourceError
from tthc_monitor.domain.records import INSTANT_COLUMNS, Batch

_CHECK_BYTES: Final = 256 * 1024
_CHECK_ROWS: Final = 1000


class FilesOptions(MappingOptions):
    """Options of the ``files`` connector, beside those of the mapping.

    ``path``
        a file, a folder, or a pattern (``*``, ``?``, ``**``), relative to the configuration's folder. Of a folder,
        all files with a known ending are read, in the order of their modification times, then of their names: where
        two tell of one dossier, the newer one counts. None: there is nothing to pull, files are handed in.
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

    path: str | None = Field(default=None, min_length=1)
    format: Format | None = None
    csv: CsvOptions = Field(default_factory=CsvOptions)
    xlsx: WorkbookOptions = Field(default_factory=WorkbookOptions)
    reread: Literal["always", "changed"] = "always"
    lists_all_open: bool = False

    @field_validator("csv", "xlsx")
    @classmethod
    def _used(cls, value: Any, info: ValidationInfo) -> Any:
        chosen = info.data.get("format") or format_of(info.data.get("path") or "")
        if chosen is not None and chosen != info.field_name:
            raise ValueError(f"is not used for files of format {chosen}; remove it")
        return value

    @model_validator(mode="after")
    def _all_are_read(self) -> FilesOptions:
        if self.lists_all_open and self.reread == "changed":
            raise ValueError("lists_all_open needs every file in every run; set reread to always, or leave one out")
        if self.reread == "changed" and self.path is None:
            raise ValueError("reread has no meaning without 'path'; leave it out")
        return self

    @model_validator(mode="after")
    def _formats_given(self) -> FilesOptions:
        if (self.format or format_of(self.path or "")) == "csv":
            require_formats(self, self.path or "CSV files")
        return self


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


class FilesConnector:
    """Reads the files that the options name, piece by piece; only mapped columns leave a file."""

    Options: ClassVar[type[ConnectorOptions]] = FilesOptions

    def __init__(self, name: str, options: FilesOptions, surroundings: Surroundings) -> None:
        self.name = name
        self._options = options
        self._base = surroundings.base_dir
        self._surroundings = surroundings
        self._handed: HandedFile | None = None
        self._mapper = Mapper(options, surroundings.applicant_key)

    def over(self, file: Path, name: str, *, whole: bool = False, as_of: datetime | None = None) -> FilesConnector:
        """The same connector reading this file alone; it remembers nothing of it.

        The file is a list of all open dossiers only where it is ``whole`` and the option ``lists_all_open`` is set.
        Without ``as_of`` (aware) its pages are undated: when a file was written is not told by when it was handed in.
        """
        options = self._options.model_copy(
            update={"reread": "always", "lists_all_open": self._options.lists_all_open and whole}
        )
        connector = FilesConnector(self.name, options, self._surroundings)
        connector._handed = HandedFile(file, name, whole, as_of)
        return connector

    @property
    def provides(self) -> frozenset[str]:
        """The columns that the mapping fills."""
        return self._mapper.provides

    def fetch(self, cursor: Cursor | None) -> Iterator[Page]:
        """Give the files' tables as pages; with ``reread: changed``, of the files that are not as they were.

        ``Page.total`` is known when there is one file and it is a workbook. The cursor maps a file's location to its
        size and modification time, beside a fingerprint of the options and of the applicants' key; it comes with the
        last page. A page tells the state as of its file's modification time, or as of what was said when it was handed in.

        Raises:
            PermanentSourceError: nothing is found under the path, or a file cannot be read as what it should be.
            TransientSourceError: reading failed in a way that may pass: a share went away, a file was still being written.
            ConfigError: a column, a sheet or the format of a file does not fit the options.
        """
        files = self._files()
        is_part = self._handed is not None and not self._handed.whole
        remember = self._options.reread == "changed"
        fingerprint = scope_of(self._options, self._surroundings.applicant_key, beside=())
        known: dict[str, Any] = {}
        if remember and cursor is not None and cursor.get("options") == fingerprint:
            known = cursor["files"]
        now_known = {file.location: file.stamp for file in files}
        changed = [file for file in files if known.get(file.location) != file.stamp]
        for file in changed:
            waiting: Page | None = None
            for table, total in self._tables(file):
                if waiting is not None:
                    yield waiting
                known_total = total if len(files) == 1 else None
                waiting = Page(
                    table, table.location, total=known_total,
                    as_of=file.as_of, undated=file.as_of is None, part=is_part,
                )  # fmt: skip
            if waiting is not None and file is changed[-1]:
                remembered = {"options": fingerprint, "files": now_known} if remember else None
                waiting = replace(waiting, cursor=remembered, listed_all=self._options.lists_all_open)
            if waiting is not None:
                yield waiting

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
        if self._options.path is None and self._handed is None:
            return ["no 'path' is set: files are handed in, nothing is pulled"]
        files = self._files()
        lines = [f"{len(files)} file{'s' * (len(files) != 1)} found under {self._options.path or files[0].location}"]
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
        self, file: FoundFile, block_bytes: int | None = None, rows: int | None = None
    ) -> Iterator[tuple[RawTable, int | None]]:
        try:
            for table, total in self._read(file, block_bytes, rows):
                yield self._mapper.veiled(table), total
        except OSError as error:
            raise refused_file(file.location, error) from None
        except (PermanentSourceError, ConfigError):
            if file.is_as_it_was():
                raise
        if not file.is_as_it_was():
            raise TransientSourceError(
                f"{file.location}: the file changed while it was read; nothing of it is kept, the next run tries again"
            ) from None

    def _read(
        self, file: FoundFile, block_bytes: int | None, rows: int | None
    ) -> Iterator[tuple[RawTable, int | None]]:
        wanted = self._mapper.source_columns
        if file.format == "csv":
            sizes = {} if block_bytes is None else {"block_bytes": block_bytes}
            for table in read_csv(file.path, file.location, self._options.csv, wanted, **sizes):
                yield table, None
        else:
            limits = {} if rows is None else {"table_rows": rows}
            yield from read_workbook(file.path, file.location, self._options.xlsx, wanted, **limits)

    def _files(self) -> list[FoundFile]:
        if self._handed is None and self._options.path is None:
            return []
        pattern = self._base / Path(self._options.path or "").expanduser()
        try:
            if self._handed is not None:
                found = [replace(self._file(self._handed.path, self._handed.name), as_of=self._handed.as_of)]
            else:
                found = [self._file(path, self._location(path)) for path in self._paths(pattern)]
                # Of two files that tell of one dossier the newer one counts; so-9.csv is not newer than so-10.csv.
                found.sort(key=lambda file: (file.written, file.location))
        except OSError as error:
            raise refused_file(str(pattern), error) from None
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
        return [path for path in candidates if path.is_file() and not path.name.startswith(("~$", "."))]

    def _location(self, path: Path) -> str:
        return str(path.relative_to(self._base)) if path.is_relative_to(self._base) else str(path)

    def _file(self, path: Path, location: str) -> FoundFile:
        form = self._options.format or format_of(location)
        if form is None:
            raise ConfigError(f"{location}: the file's ending does not tell its format; set 'format' to csv or xlsx")
        stat = path.stat()
        as_of = datetime.fromtimestamp(stat.st_mtime, UTC)
        return FoundFile(path, location, form, [stat.st_size, stat.st_mtime_ns], stat.st_ino, as_of)
