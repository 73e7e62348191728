"""Refuses workbooks that would fill the memory when they are opened: a few kilobytes can claim a billion cells.

What is zipped is measured by its directory first, then unpacked piece by piece and thrown away, so that neither the
directory's claims nor the cells' positions have to be believed. The parser is given only what was found harmless.
"""

from __future__ import annotations

import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import IO, Final
from xml.parsers import expat

import numpy as np
import numpy.typing as npt

from connectors.workbook_records import SheetRecords
from connectors.workbook_repeats import RepeatedCells
from connectors.workbook_texts import Pieces, SharedTexts, cells_naming_texts, has_texts, most_bytes
from tthc_monitor.domain.errors import PermanentSourceError

MAX_UNPACKED: Final = 1 << 30
"""Bytes that all parts of a workbook may have together when they are unpacked."""
MAX_RATIO: Final = 200
"""How many times its packed size a workbook may become, beyond :data:`_SMALL`."""
MAX_CELLS: Final = 40_000_000
"""Rows times columns of a sheet: the parser holds all of them, empty ones too, at some 32 bytes each."""
_SMALL: Final = 64 << 20
_OLE: Final = bytes.fromhex("D0CF11E0A1B11AE1")
Bytes = npt.NDArray[np.uint8]
_PIECE: Final = 4 << 20
_REFERENCE: Final = re.compile(rb"\br\s*=\s*[\"']([A-Za-z]{0,3})(\d{1,18})[\"']")
_ROW_TAG: Final = re.compile(rb"<(?:\w+:)?row\b")
_CELL_TAGS: Final = (b"<c ", b"<c>", b"<c/", b"<c\n", b":c ", b":c>", b":c/")
_BLANK: Final = ord(" ")
_PLACES: Final = 12


def check_workbook(path: Path, location: str) -> None:
    """Look through a workbook that is a zip archive (xlsx, xlsm, xlsb, ods); an xls is bounded by its format.

    Raises:
        PermanentSourceError: it is no workbook, damaged, protected, or would become too large.
        OSError: the operating system refuses to read it.
    """
    with path.open("rb") as file:
        head = file.read(len(_OLE))
        # The parser finds an archive behind anything that stands before it.
        if head == _OLE and (path.suffix.lower() == ".xls" or not zipfile.is_zipfile(file)):
            return
        if not head.startswith(b"PK"):
            raise _damaged(location, "it is no workbook")
        try:
            with zipfile.ZipFile(file) as archive:
                parts = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            raise _damaged(location, str(error)) from None
        _sizes(parts, path.stat().st_size, location)
        try:
            _contents(file, parts, location)
        except (zlib.error, expat.ExpatError) as error:
            if _is_encrypted(file, parts, location):
                raise _protected(location) from None
            raise _damaged(location, str(error)) from None


def _contents(file: IO[bytes], parts: list[zipfile.ZipInfo], location: str) -> None:
    records = SharedTexts()
    naming: list[Pieces] = []
    texts: list[Pieces] = []
    text_bytes = cells = 0
    for part in parts:
        name = part.filename.lower()
        binary = name.endswith(".bin")
        # What a part is called does not prove what the parser takes it for.
        extents: list[_Xml | SheetRecords] = [_Xml(), SheetRecords(records)] if binary else [_Xml()]
        tables = RepeatedCells() if name.endswith("content.xml") else None
        before, holds, end = cells, False, b""
        for piece in _unpacked(file, part, location):
            for extent in extents:
                extent.look(piece)
            cells += cells_naming_texts(piece)
            holds = holds or has_texts(end + piece)
            end = piece[-2:]
            if tables is not None:
                tables.look(piece)
                _check_repeats(location, tables)
        for extent in extents:
            if extent.rows * extent.columns > MAX_CELLS:
                raise PermanentSourceError(
                    f"{location}: a sheet reaches to row {extent.rows} and column {extent.columns}, more than "
                    f"{MAX_CELLS:,} cells; delete what stands far from the table, or save the sheet as CSV"
                )
        again = partial(_unpacked, file, part, location)
        if cells > before:
            naming.append(again)
        # Macros and pictures in .bin parts are no XML.
        if holds and not binary:
            texts.append(again)
            text_bytes += part.file_size
    _check_texts(location, records.most())
    if cells * text_bytes > MAX_UNPACKED:
        _check_texts(location, most_bytes(cells, naming, texts, MAX_UNPACKED))


def _check_repeats(location: str, tables: RepeatedCells) -> None:
    if tables.cells > MAX_CELLS:
        raise PermanentSourceError(
            f"{location}: cells are repeated until there are more than {MAX_CELLS:,}; delete what stands far from the "
            "table, or save the sheet as CSV"
        )
    _check_texts(location, tables.text)


def _check_texts(location: str, size: int) -> None:
    if size > MAX_UNPACKED:
        raise PermanentSourceError(
            f"{location}: the texts of the cells would take {size >> 20:,} MiB; save the sheet as CSV, or in several "
            "workbooks"
        )


def _sizes(parts: list[zipfile.ZipInfo], packed: int, location: str) -> None:
    unpacked = sum(part.file_size for part in parts)
    if unpacked > MAX_UNPACKED or unpacked > max(_SMALL, MAX_RATIO * packed):
        raise PermanentSourceError(
            f"{location}: unpacked, the workbook would take {unpacked >> 20:,} MiB (it has {packed >> 10:,} KiB); "
            "save it as CSV, or in several workbooks"
        )
    if any(part.flag_bits & 1 for part in parts):
        raise _protected(location)


def _protected(location: str) -> PermanentSourceError:
    return PermanentSourceError(
        f"{location}: the workbook is protected by a password; save it without one and try again"
    )


def _is_encrypted(file: IO[bytes], parts: list[zipfile.ZipInfo], location: str) -> bool:
    """Whether an ods document says that its parts are encrypted."""
    manifests = (part for part in parts if part.filename == "META-INF/manifest.xml")
    return any(b"encryption-data" in piece for part in manifests for piece in _unpacked(file, part, location))


def _unpacked(file: IO[bytes], part: zipfile.ZipInfo, location: str) -> Iterator[bytes]:
    """The content of a part, at most as much of it as the directory says."""
    file.seek(part.header_offset)
    head = file.read(30)
    if len(head) < 30 or head[:4] != b"PK\x03\x04":
        raise _damaged(location, "a part is missing")
    file.seek(sum(struct.unpack("<HH", head[26:30])), 1)
    left = part.compress_size
    given = 0
    if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise _damaged(location, f"a part is packed by method {part.compress_type}")
    inflate = zlib.decompressobj(-15) if part.compress_type == zipfile.ZIP_DEFLATED else None
    while left and not (inflate is not None and inflate.eof):
        block = file.read(min(left, _PIECE // 4))
        if not block:
            raise _damaged(location, "it is cut short")
        left -= len(block)
        while block:
            piece = block if inflate is None else inflate.decompress(block, _PIECE)
            block = b"" if inflate is None else inflate.unconsumed_tail
            given += len(piece)
            if given > part.file_size:
                raise _damaged(location, "a part is larger than the directory says")
            yield piece


def _damaged(location: str, what: str) -> PermanentSourceError:
    return PermanentSourceError(
        f"{location}: the workbook cannot be read ({what}); open it in a spreadsheet program and save it again"
    )


class _Xml:
    """How far the cells of a sheet written in XML reach, found in its ``r`` attributes, or counted where it has none."""

    def __init__(self) -> None:
        self.rows = 0
        self.columns = 0
        self._rest = b""
        self._row_tags = 0
        self._in_row = 0

    def look(self, piece: bytes) -> None:
        """Take the next piece of the text into account."""
        text = self._rest + piece
        cut = max(text.rfind(b"<"), 0)
        self._rest, text = text[cut:][:_PIECE], text[:cut]
        data = np.frombuffer(text + b"\0" * (_PLACES + 4), dtype=np.uint8)
        equals = np.flatnonzero(data == ord("="))
        blanks = bool(((data[equals - 1] <= _BLANK) | (data[equals + 1] <= _BLANK)).any())
        found = _loose(text) if blanks else _numbered(data, equals)
        self.rows = max(self.rows, found.row)
        self.columns = max(self.columns, found.column)
        row_tags, cell_tags = _tags(text, data)
        self._row_tags += row_tags
        if row_tags + cell_tags > found.count:
            self._count(text, found)

    def _count(self, text: bytes, found: _Found) -> None:
        """Rows and cells without ``r`` stand after those before them."""
        self.rows = max(self.rows, found.row + self._row_tags)
        first, *others = _ROW_TAG.split(text)
        self._in_row += sum(map(first.count, _CELL_TAGS))
        most = self._in_row
        for segment in others:
            self._in_row = sum(map(segment.count, _CELL_TAGS))
            most = max(most, self._in_row)
        self.columns = max(self.columns, found.column + most)


@dataclass(frozen=True)
class _Found:
    """How many ``r="AB12"`` a text holds, and the largest column and row in them."""

    count: int
    column: int
    row: int


def _loose(text: bytes) -> _Found:
    found = _REFERENCE.findall(text)
    columns = [reduce(lambda number, letter: number * 26 + letter - 64, letters.upper(), 0) for letters, _ in found]
    return _Found(len(found), max(columns, default=0), max((int(row) for _, row in found), default=0))


def _tags(text: bytes, data: Bytes) -> tuple[int, int]:
    """How many rows and cells begin in a text."""
    if b":c" in text or b":row" in text:
        return len(_ROW_TAG.findall(text)), sum(map(text.count, _CELL_TAGS))
    at = np.flatnonzero(data[: len(text)] == ord("<"))
    first, second = data[at + 1], data[at + 2]
    rows = np.count_nonzero((first == ord("r")) & (second == ord("o")))
    cells = np.count_nonzero((first == ord("c")) & ((second <= _BLANK) | (second == ord(">")) | (second == ord("/"))))
    return int(rows), int(cells)


def _numbered(data: Bytes, equals: npt.NDArray[np.int64]) -> _Found:
    """As :func:`_loose`, a column of bytes at a time, where no blanks stand around the equals signs."""
    at = equals[(data[equals - 1] == ord("r")) & (data[equals - 2] <= _BLANK)] + 2
    count = len(at)
    column, row = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    widest = longest = 0
    for _ in range(_PLACES):
        byte = data[at]
        letter, digit = (byte | 32) - ord("a"), byte - ord("0")
        letters, digits = (letter < 26) & (row == 0), digit < 10
        going = letters | digits
        if not going.all():
            ended = ~going & (row > 0) & ((byte == ord('"')) | (byte == ord("'")))
            widest, longest = int(column[ended].max(initial=widest)), int(row[ended].max(initial=longest))
            at, column, row = at[going], column[going], row[going]
            letters, digits, letter, digit = letters[going], digits[going], letter[going], digit[going]
        column[letters] = column[letters] * 26 + letter[letters] + 1
        row[digits] = row[digits] * 10 + digit[digits]
        at = at + 1
    if (data[at - 1] - ord("0") < 10).any():
        widest, longest = max(widest, 1), MAX_CELLS + 1
    return _Found(count, widest, longest)
