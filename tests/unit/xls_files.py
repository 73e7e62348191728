"""Writes the old binary workbooks (.xls), which no maintained library writes any more, as small as they can be."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from datetime import date
from pathlib import Path

_SECTOR = 512
_FREE, _END, _FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
_GENERAL, _DATE = 0, 1

Cell = str | float | date | None


def write_xls(
    path: Path,
    rows: Sequence[Sequence[Cell]],
    *,
    epoch_1904: bool = False,
    protected: bool = False,
    name: str = "Sheet1",
) -> Path:
    """Write one sheet; None leaves a cell out. ``protected``: as if encrypted by a password."""
    globals_end = _record(0x0A)
    start = (
        _record(0x809, struct.pack("<HHHHII", 0x600, 5, 0, 0, 0, 0))
        + (_record(0x2F, struct.pack("<HHH", 1, 1, 1) + bytes(48)) if protected else b"")
        + _record(0x42, struct.pack("<H", 1200))
        + _record(0x22, struct.pack("<H", epoch_1904))
        + _xf(0)
        + _xf(14)
    )
    title = name.encode("utf-16-le")
    size = len(start) + 4 + 8 + len(title) + len(globals_end)
    bound = _record(0x85, struct.pack("<IBBBB", size, 0, 0, len(name), 1) + title)
    width = max((len(row) for row in rows), default=0)
    sheet = _record(0x809, struct.pack("<HHHHII", 0x600, 0x10, 0, 0, 0, 0))
    sheet += _record(0x200, struct.pack("<IIHHH", 0, len(rows), 0, width, 0))
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            sheet += _cell(number, column, cell, epoch_1904)
    path.write_bytes(_compound(start + bound + globals_end + sheet + _record(0x0A)))
    return path


def _cell(row: int, column: int, cell: Cell, epoch_1904: bool) -> bytes:
    if cell is None:
        return b""
    if isinstance(cell, str):
        text = cell.encode("utf-16-le")
        return _record(0x204, struct.pack("<HHHHB", row, column, _GENERAL, len(cell), 1) + text)
    kind = _DATE if isinstance(cell, date) else _GENERAL
    if isinstance(cell, date):
        cell = (cell - (date(1904, 1, 1) if epoch_1904 else date(1899, 12, 30))).days
    return _record(0x203, struct.pack("<HHHd", row, column, kind, cell))


def _xf(number_format: int) -> bytes:
    return _record(0xE0, struct.pack("<HHH", 0, number_format, 0) + bytes(14))


def _record(kind: int, content: bytes = b"") -> bytes:
    return struct.pack("<HH", kind, len(content)) + content


def _compound(stream: bytes) -> bytes:
    stream = stream.ljust(4096, b"\0")
    sectors = -(-len(stream) // _SECTOR)
    fat = [_FAT, _END, *range(3, 2 + sectors), _END]
    header = bytes.fromhex("D0CF11E0A1B11AE1") + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIIIIIIIII", 0, 1, 1, 0, 4096, _END, 0, _END, 0, 0) + struct.pack("<I", _FREE) * 108
    directory = _entry("Root Entry", 5, 1, _END, 0) + _entry("Workbook", 2, _FREE, 2, len(stream))
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(_SECTOR, b"\xff")
    return header + table + directory.ljust(_SECTOR, b"\0") + stream.ljust(sectors * _SECTOR, b"\0")


def _entry(name: str, kind: int, child: int, start: int, size: int) -> bytes:
    text = name.encode("utf-16-le") + b"\0\0"
    return (
        text.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(text), kind, 1, _FREE, _FREE, child)
        + bytes(36)
        + struct.pack("<IQ", start, size)
    )
