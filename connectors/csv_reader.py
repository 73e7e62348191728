"""Reads CSV files of any size, plain or gzipped, in pieces of constant memory, and never shifts or loses a line.

Each block is measured first: where its records end, whether every record has as many fields as the header, whether its
quoting is regular. A block that is regular goes to polars; one that is not goes through :mod:`connectors.csv_exact`,
line by line, which turns what is wrong into rejects with line numbers.
"""

from __future__ import annotations

import codecs
import gzip
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO, Final

import numpy as np
import polars as pl
from pydantic import Field, field_validator

from connectors.base import ConnectorOptions
from connectors.csv_exact import MAX_SPAN, Broken, Dialect, Record, records_of
from connectors.csv_layout import Layout, measure
from connectors.raw_table import RawTable, locate_columns
from tthc_monitor.domain.errors import PermanentSourceError
from tthc_monitor.domain.records import Reject

BLOCK_BYTES: Final = 16 * 1024 * 1024
"""Text read at a time: about 100,000 rows of a usual export."""
EXACT_ROWS: Final = 100_000
_LONGEST_RECORD: Final = 4
"""Blocks that one record may span before its quoting is taken to be broken."""


class CsvOptions(ConnectorOptions):
    """How CSV files are written.

    ``separator``
        the character between fields.
    ``encoding``
        of the text, by its Python name: ``utf-8`` (with or without BOM), ``cp1258``, ``utf-16``.
    ``quote``
        the character around texts that hold separators or line breaks; null when the file does not quote.
    ``header_row``
        line on which the column names stand, from 1; lines above it are passed over.
    """

    separator: str = ","
    encoding: str = "utf-8"
    quote: str | None = '"'
    header_row: int = Field(default=1, ge=1)

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
    passed over.

    Raises:
        ConfigError: a wanted column is missing.
        PermanentSourceError: the file is empty, damaged, or in another encoding than configured.
        OSError: the operating system refuses to read it.
    """
    yield from _Reader(path, location, options, block_bytes).tables(wanted)


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

    def tables(self, wanted: Sequence[str]) -> Iterator[RawTable]:
        blocks = self._blocks()
        header, rest = self._header(blocks)
        self._width = len(header)
        self._columns = locate_columns(wanted, header, self._location, self._hint(header))
        empty = True
        carry = rest
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

    # -- bytes to text -------------------------------------------------------------------------------------------

    def _raw(self) -> Iterator[bytes]:
        try:
            with self._path.open("rb") as plain:
                zipped = plain.read(2) == b"\x1f\x8b"
                plain.seek(0)
                stream: IO[bytes] | gzip.GzipFile = gzip.GzipFile(fileobj=plain) if zipped else plain
                while block := stream.read(self._block_bytes):
                    yield block
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise PermanentSourceError(
                f"{self._location}: the gzip file is damaged or cut short ({error}); copy or export it again"
            ) from None

    def _blocks(self) -> Iterator[bytes]:
        """The text as UTF-8 with plain line feeds and without BOM."""
        name = self._options.encoding
        utf8 = name in ("utf-8", "utf-8-sig")
        decoder = codecs.getincrementaldecoder("utf-8-sig" if utf8 else name)("strict")
        offset, lines, held = 0, 1, b""
        first = True
        for raw in chain(self._raw(), [b""]):
            kept = not first and decoder.getstate()[0] != b""
            try:
                if utf8 and not first and not kept and raw and raw.isascii():
                    text = raw
                else:
                    text = decoder.decode(raw, final=not raw).encode()
            except UnicodeDecodeError as error:
                raise self._wrong_encoding(error, offset + len(raw) - len(error.object), lines) from None
            except UnicodeError as error:
                raise PermanentSourceError(
                    f"{self._location}: {error}; set csv.encoding to the file's encoding"
                ) from None
            offset += len(raw)
            text = held + text
            held = b"\r" if raw and text.endswith(b"\r") else b""
            text = text[: len(text) - len(held)]
            if b"\r" in text:
                text = text.replace(b"\r\n", b"\n")
                if first and b"\n" not in text:
                    raise PermanentSourceError(
                        f"{self._location}: lines end in a carriage return alone; save the file with usual line ends"
                    )
                text = text.replace(b"\r", b" ")
            first = False
            lines += text.count(b"\n")
            if text:
                yield text

    def _wrong_encoding(self, error: UnicodeDecodeError, base: int, lines: int) -> PermanentSourceError:
        before = bytes(error.object[: error.start])
        line = lines + before.count(b"\n")
        start = bytes(error.object[:2])
        hint = "utf-16" if base == 0 and start in (b"\xff\xfe", b"\xfe\xff") else "cp1258, say"
        return PermanentSourceError(
            f"{self._location}: byte {base + error.start} (line {line}) is not {self._options.encoding} "
            f"({error.reason}); set csv.encoding to the file's encoding ({hint})"
        )

    # -- header --------------------------------------------------------------------------------------------------

    def _header(self, blocks: Iterator[bytes]) -> tuple[list[str], bytes]:
        """Column names, and the text after them that was already read."""
        text = b""
        for block, last in _with_last(blocks):
            text += block
            if b"\0" in text[:1000]:
                raise PermanentSourceError(
                    f"{self._location}: the text holds NUL characters; set csv.encoding to the file's encoding (utf-16, say)"
                )
            lines = text.split(b"\n", self._options.header_row + MAX_SPAN)
            complete = lines if last else lines[:-1]
            skipped = self._options.header_row - 1
            records = records_of(
                (line.decode() for line in complete[skipped:]), self._options.header_row, self._dialect
            )
            record = next(records, None)
            if isinstance(record, Record):
                used = record.last_line
                self._line = used + 1
                return record.fields, b"\n".join(lines[used:])
            if isinstance(record, Broken) and (last or len(text) > self._block_bytes):
                raise PermanentSourceError(f"{self._location}: line {record.line}, the header: {record.reason}")
            if last:
                break
        if not text:
            raise PermanentSourceError(f"{self._location}: the file is empty; export it again")
        raise PermanentSourceError(
            f"{self._location}: no header on line {self._options.header_row}; correct csv.header_row or export again"
        )

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

    def _exact(self, blocks: Iterator[bytes] | list[bytes]) -> Iterator[RawTable]:
        rows = records_of(_lines(blocks), self._line, self._dialect)
        while chunk := list(islice(rows, EXACT_ROWS)):
            first = self._line
            self._line = chunk[-1].last_line + 1
            yield self._table(chunk, first)

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


def _lines(blocks: Iterator[bytes] | list[bytes]) -> Iterator[str]:
    carry = b""
    for block in blocks:
        *lines, carry = (carry + block).split(b"\n")
        for line in lines:
            yield line.decode()
    if carry:
        yield carry.decode()
