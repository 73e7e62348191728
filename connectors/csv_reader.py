"""Reads CSV files of any size, plain or gzipped, in pieces of constant memory, and never shifts or loses a line.

Each block is measured first: where its records end, whether every record has as many fields as the header, whether its
quoting is regular. A block that is regular goes to polars; one that is not goes through :mod:`connectors.csv_exact`,
line by line, which turns what is wrong into rejects with line numbers.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from pydantic import field_validator

from connectors.csv_exact import LONGEST_LINE, MAX_SPAN, Broken, Dialect, Record, lines_of, records_of
from connectors.csv_layout import Layout, measure
from connectors.csv_text import text_blocks
from connectors.raw_table import RawTable, locate_columns
from connectors.table_rules import Header, HeaderRow, TableOptions, TableRules, find_header
from tthc_monitor.domain.errors import PermanentSourceError
from tthc_monitor.domain.records import Reject

BLOCK_BYTES: Final = 8 * 1024 * 1024
"""Text read at a time: some 30,000 rows of a usual export."""
EXACT_ROWS: Final = 50_000
_LONGEST_RECORD: Final = 4
"""Blocks that one record may span before its quoting is taken to be broken."""
_WORTH_A_THREAD: Final = 1 << 20
"""Bytes of a file from which on its next piece is read ahead."""


class CsvOptions(TableOptions):
    """How CSV files are written, beside where the table stands in them.

    ``separator``
        the character between fields.
    ``encoding``
        of the text, by its Python name: ``utf-8`` (with or without BOM), ``cp1258``, ``utf-16``.
    ``quote``
        the character around texts that hold separators or line breaks; null when the file does not quote.
    """

    separator: str = ","
    encoding: str = "utf-8"
    quote: str | None = '"'

    @field_validator("separator", "quote")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is None:
            return value
        if len(value) != 1 or not value.isascii() or value in "\r\n\0":
            raise ValueError(
                "must be one ASCII character; write for example ';' or, for tabs, \"\\t\" in double quotes"
            )
        return value

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, value: str) -> str:
        try:
            info = codecs.lookup(value)
        except LookupError:
            raise ValueError(f"unknown encoding '{value}'; use for example utf-8, cp1258 or utf-16") from None
        # The one mark that tells hex and its like, which are no encodings of texts, from the others.
        if not info._is_text_encoding:  # noqa: SLF001
            raise ValueError(f"'{value}' is not an encoding of texts; use for example utf-8, cp1258 or utf-16")
        return info.name

    @property
    def dialect(self) -> Dialect:
        """The part that cutting lines into fields needs."""
        return Dialect(self.separator, self.quote)


def read_csv(
    path: Path, location: str, options: CsvOptions, wanted: Sequence[str], block_bytes: int = BLOCK_BYTES
) -> Iterator[RawTable]:
    """Give a file's wanted columns as tables of texts, in the order of the file; at least one table, perhaps empty.

    A line with too few or too many fields, or with irregular quoting, is a broken row of its table; blank lines are
    passed over. The next piece is read while one is worked on.

    Raises:
        ConfigError: a wanted column is missing.
        PermanentSourceError: the file is empty, damaged, or in another encoding than configured.
        OSError: the operating system refuses to read it.
    """
    rules = TableRules(options, wanted)
    tables = _Reader(path, location, options, block_bytes).tables(rules.columns, wanted)
    if path.stat().st_size < _WORTH_A_THREAD:
        yield from map(rules.apply, tables)
        return
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="csv") as pool:
        coming = pool.submit(next, tables, None)
        while (table := coming.result()) is not None:
            coming = pool.submit(next, tables, None)
            yield rules.apply(table)


class _Reader:
    def __init__(self, path: Path, location: str, options: CsvOptions, block_bytes: int) -> None:
        self._path = path
        self._location = location
        self._options = options
        self._dialect = options.dialect
        self._block_bytes = block_bytes
        self._line = 1
        self._width = 0
        self._columns: dict[str, int] = {}

    def tables(self, columns: Sequence[str], wanted: Sequence[str]) -> Iterator[RawTable]:
        blocks = text_blocks(self._path, self._location, self._options.encoding, self._block_bytes)
        header, carry = self._header(blocks, wanted)
        self._width = len(header)
        self._columns = locate_columns(columns, header, self._location, self._hint(header), may_be_record=True)
        empty = True
        for block, last in _with_last(blocks):
            data = carry + block
            if last and data and not data.endswith(b"\n"):
                data += b"\n"
            carry = data
            layout = measure(data, self._dialect, self._width)
            if layout is None and not last and len(data) <= _LONGEST_RECORD * self._block_bytes:
                continue
            if layout is None or not layout.quoting:
                break
            carry = data[layout.cut :]
            for table in self._regular(data[: layout.cut], layout):
                empty = False
                yield table
        for table in self._exact(chain([carry], blocks)):
            empty = False
            yield table
        if empty:
            yield self._table([], self._line)

    # -- header --------------------------------------------------------------------------------------------------

    def _header(self, blocks: Iterator[bytes], wanted: Sequence[str]) -> tuple[Sequence[str], bytes]:
        """Column names, and the text after them that was already read."""
        text = b""
        for block, last in _with_last(blocks):
            text += block
            if any(b"\0" in line for line in text[:1000].split(b"\n", self._start)[: self._start]):
                raise PermanentSourceError(
                    f"{self._location}: the text holds NUL characters; set csv.encoding to the file's encoding (utf-16, say)"
                )
            full = last or len(text) > max(LONGEST_LINE, self._block_bytes)
            found = self._names(text, wanted, last=last) if full or text.count(b"\n") > self._start + MAX_SPAN else None
            if found is not None:
                self._line = found.last + 1
                rest = text.split(b"\n", found.last)
                return found.names, rest[-1] if len(rest) > found.last else b""
            if full:
                break
        if not text:
            raise PermanentSourceError(f"{self._location}: the file is empty; export it again")
        raise PermanentSourceError(
            f"{self._location}: no header on line {self._options.header_row}; correct csv.header_row or export again"
        )

    @property
    def _start(self) -> int:
        return 1 if self._options.header_row == "auto" else self._options.header_row

    def _names(self, text: bytes, wanted: Sequence[str], *, last: bool) -> Header | None:
        """The header among the first lines of the text; None when there is none."""
        start = self._start
        lines = text.split(b"\n", start + MAX_SPAN)
        complete = lines if last else lines[:-1]
        rows = records_of((line.decode(errors="replace") for line in complete[start - 1 :]), start, self._dialect)
        hint = ", or csv.separator, or csv.header_row"
        return find_header(self._header_rows(rows), self._options, wanted, self._location, hint)

    def _header_rows(self, rows: Iterator[Record | Broken]) -> Iterator[HeaderRow]:
        for row in rows:
            if isinstance(row, Record):
                yield HeaderRow(row.last_line, row.fields)
            elif self._options.header_row != "auto":
                raise PermanentSourceError(f"{self._location}: line {row.line}, the header: {row.reason}")

    def _hint(self, header: Sequence[str]) -> str:
        other = [name for mark, name in ((";", "';'"), ("\t", "tab"), ("|", "'|'"), (",", "','")) if mark in header[0]]
        return f" or set csv.separator ({other[0]}, it seems)" if len(header) == 1 and other else ""

    # -- rows ----------------------------------------------------------------------------------------------------

    def _regular(self, data: bytes, layout: Layout) -> Iterator[RawTable]:
        first = self._line
        frame = self._polars(data) if layout.widths else None
        if frame is not None and frame.height == layout.records:
            starts = None if layout.starts is None else layout.starts + first
            yield RawTable(self._location, frame, first, starts)
        else:
            yield from self._exact([data])
        self._line = first + layout.lines

    def _polars(self, data: bytes) -> pl.DataFrame | None:
        names = [f"column_{index + 1}" for index in range(self._width)]
        try:
            frame = pl.read_csv(
                data,
                has_header=False,
                schema=dict.fromkeys(names, pl.String),
                columns=[names[index] for index in self._columns.values()],
                separator=self._options.separator,
                quote_char=self._options.quote,
                empty_string_is_null=False,
            )
        except pl.exceptions.PolarsError:
            return None
        return frame.rename({names[index]: name for name, index in self._columns.items()})

    def _exact(self, blocks: Iterable[bytes]) -> Iterator[RawTable]:
        chunk: list[Record | Broken] = []
        size = 0
        for item in records_of(lines_of(blocks), self._line, self._dialect):
            chunk.append(item)
            size += sum(map(len, item.fields)) if isinstance(item, Record) else 0
            if len(chunk) == EXACT_ROWS or size > self._block_bytes:
                yield self._piece(chunk)
                chunk, size = [], 0
        if chunk:
            yield self._piece(chunk)

    def _piece(self, chunk: Sequence[Record | Broken]) -> RawTable:
        first = self._line
        self._line = chunk[-1].last_line + 1
        return self._table(chunk, first)

    def _table(self, chunk: Sequence[Record | Broken], first: int) -> RawTable:
        good = [item for item in chunk if isinstance(item, Record) and len(item.fields) == self._width]
        broken = tuple(
            self._reject(item) for item in chunk if isinstance(item, Broken) or len(item.fields) != self._width
        )
        frame = pl.DataFrame(
            {name: [item.fields[index] for item in good] for name, index in self._columns.items()},
            schema=dict.fromkeys(self._columns, pl.String),
        )
        return RawTable(
            self._location, frame, first, np.array([item.line for item in good], dtype=np.int64), None, broken
        )

    def _reject(self, item: Record | Broken) -> Reject:
        if isinstance(item, Broken):
            return Reject(self._location, item.line, None, item.reason)
        span = "" if item.last_line == item.line else f" (it ends on line {item.last_line})"
        return Reject(
            self._location,
            item.line,
            None,
            f"the record has {len(item.fields)} fields where the header has {self._width}{span}; correct it in the file "
            "(a text that holds the separator must stand in quotation marks)",
        )


def _with_last(blocks: Iterator[bytes]) -> Iterator[tuple[bytes, bool]]:
    """The blocks, then an empty one marked as the last."""
    for block in blocks:
        yield block, False
    yield b"", True
