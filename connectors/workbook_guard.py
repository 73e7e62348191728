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
from functools import reduce
from pathlib import Path
from typing import IO, Final

import numpy as np
import numpy.typing as npt

from tthc_monitor.domain.errors import PermanentSourceError

MAX_UNPACKED: Final = 1 << 30
"""Bytes that all parts of a workbook may have together when they are unpacked."""
MAX_RATIO: Final = 200
"""How many times its packed size a workbook may become, beyond :data:`_SMALL`."""
MAX_CELLS: Final = 40_000_000
"""Rows times columns of a sheet: the parser holds all of them, empty ones too, at some 32 bytes each."""
_SMALL: Final = 64 << 20
Bytes = npt.NDArray[np.uint8]
_PIECE: Final = 4 << 20
_REFERENCE: Final = re.compile(rb"\br\s*=\s*[\"']([A-Za-z]{0,3})(\d{1,18})[\"']")
_ROW_TAG: Final = re.compile(rb"<(?:\w+:)?row\b")
_CELL_TAGS: Final = (b"<c ", b"<c>", b"<c/", b"<c\n", b":c ", b":c>", b":c/")
_BLANK: Final = ord(" ")
_PLACES: Final = 12
# Of xlsb: the longest head of a record, the mark before a sheet's cells, the kinds of row and cells, a cell's length.
_RECORD_HEAD: Final = 6
_BEGIN_SHEET_DATA: Final = 145
_LAST_CELL_KIND: Final = 11
_LONGEST_CELL: Final = 1 << 20


def check_workbook(path: Path, location: str) -> None:
    """Look through a workbook that is a zip archive (xlsx, xlsm, xlsb, ods); others are bounded by their format.

    Raises:
        PermanentSourceError: it is damaged, protected, or would become too large.
        OSError: the operating system refuses to read it.
    """
    with path.open("rb") as file:
        if file.read(2) != b"PK":
            return
        try:
            with zipfile.ZipFile(file) as archive:
                parts = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
            raise _damaged(location, str(error)) from None
        _sizes(parts, path.stat().st_size, location)
        for part in parts:
            extent = _Records() if part.filename.lower().endswith(".bin") else _Xml()
            try:
                for piece in _unpacked(file, part, location):
                    extent.look(piece)
            except zlib.error as error:
                raise _damaged(location, str(error)) from None
            if extent.rows * extent.columns > MAX_CELLS:
                raise PermanentSourceError(
                    f"{location}: a sheet reaches to row {extent.rows} and column {extent.columns}, more than "
                    f"{MAX_CELLS:,} cells; delete what stands far from the table, or save the sheet as CSV"
                )


def _sizes(parts: list[zipfile.ZipInfo], packed: int, location: str) -> None:
    unpacked = sum(part.file_size for part in parts)
    if unpacked > MAX_UNPACKED or unpacked > max(_SMALL, MAX_RATIO * packed):
        raise PermanentSourceError(
            f"{location}: unpacked, the workbook would take {unpacked >> 20:,} MiB (it has {packed >> 10:,} KiB); "
            "save it as CSV, or in several workbooks"
        )
    if any(part.flag_bits & 1 for part in parts):
        raise PermanentSourceError(
            f"{location}: the workbook is protected by a password; save it without one and try again"
        )


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


class _Records:
    """How far the cells of a sheet written in records (xlsb) reach."""

    def __init__(self) -> None:
        self.rows = 0
        self.columns = 0
        self._rest = b""
        self._skip = 0
        self._in_sheet = False

    def look(self, piece: bytes) -> None:
        """Take the next piece of the records into account."""
        skipped = min(self._skip, len(piece))
        self._skip -= skipped
        data = self._rest + piece[skipped:]
        place = 0
        while (head := _record(data, place)) is not None:
            kind, start, end = head
            if end > len(data):
                if end - start > _LONGEST_CELL:
                    self._skip = end - len(data)
                    place = len(data)
                break
            if kind == _BEGIN_SHEET_DATA:
                self._in_sheet = True
            elif self._in_sheet and kind <= _LAST_CELL_KIND and end - start >= 4:
                number = int.from_bytes(data[start : start + 4], "little") + 1
                if kind == 0:
                    self.rows = max(self.rows, number)
                else:
                    self.columns = max(self.columns, number)
            place = end
        self._rest = data[place:]


def _record(data: bytes, place: int) -> tuple[int, int, int] | None:
    """Kind of the record at a place, and where its content starts and ends; None when its head is not complete."""
    if place + _RECORD_HEAD > len(data):
        return None
    kind = data[place]
    place += 1
    if kind & 0x80:
        kind = (kind & 0x7F) | (data[place] & 0x7F) << 7
        place += 1
    length = 0
    for shift in (0, 7, 14, 21):
        byte = data[place]
        place += 1
        length |= (byte & 0x7F) << shift
        if not byte & 0x80:
            break
    return kind, place, place + length
