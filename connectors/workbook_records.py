"""Measures the binary parts of an xlsb workbook: how far a sheet's cells reach, and the texts that they name."""

from __future__ import annotations

from typing import Final

from connectors.workbook_texts import SharedTexts

# Of xlsb: the longest head of a record, the mark before a sheet's cells, the kinds of row and cells, a cell's length.
_RECORD_HEAD: Final = 6
_BEGIN_SHEET_DATA: Final = 145
_LAST_CELL_KIND: Final = 11
_CELL_NAMING_TEXT: Final = 7
_TEXT: Final = 19
_LONGEST_CELL: Final = 1 << 20


class SheetRecords:
    """How far the cells of a sheet written in records (xlsb) reach; texts, and cells that name them, are noted."""

    def __init__(self, texts: SharedTexts) -> None:
        self._texts = texts
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
            skips = end - start > _LONGEST_CELL
            if kind == _TEXT and not self._in_sheet and (skips or end <= len(data)):
                self._texts.lengths.append(end - start)
            if end > len(data):
                if skips:
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
                if kind == _CELL_NAMING_TEXT:
                    self._texts.named[int.from_bytes(data[start + 8 : min(start + 12, end)], "little")] += 1
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
