"""Measures an ods document, in which one cell may stand for millions, before the parser makes them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from xml.parsers import expat

_CELLS: Final = ("table:table-cell", "table:covered-table-cell")


class RepeatedCells:
    """Cells and bytes of text that the parser makes of the tables of a document.

    It matches names as they are written, prefix included, and so does this.
    """

    def __init__(self) -> None:
        self._done = 0
        self._text = 0
        self._made = 0
        self._rows = self._gap = self._columns = 0
        self._row_repeat = 1
        self._row_text = self._row_cells = self._row_width = self._waiting = 0
        self._cell_repeat = 0
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._written

    @property
    def cells(self) -> int:
        """Cells of all tables up to here, with the empty ones between them."""
        return max(self._done + self._rows * self._columns, self._made)

    @property
    def text(self) -> int:
        """Bytes of the texts and formulas in these cells."""
        return self._text

    def look(self, piece: bytes) -> None:
        """Take the next piece of the document into account.

        Raises:
            ExpatError: it is not well-formed.
        """
        self._parser.Parse(piece, False)

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in _CELLS:
            self._cell(attributes)
        elif name == "table:table-row":
            self._row_repeat = _number(attributes.get("table:number-rows-repeated"))
            self._row_text = self._row_cells = self._row_width = self._waiting = self._cell_repeat = 0
        elif name == "table:table":
            self._done += self._rows * self._columns
            self._rows = self._gap = self._columns = 0
        elif name == "text:s":
            self._row_text += self._cell_repeat * _number(attributes.get("text:c"))
        elif name == "text:p":
            self._row_text += self._cell_repeat

    def _cell(self, attributes: Mapping[str, str]) -> None:
        repeat = _number(attributes.get("table:number-columns-repeated"))
        # An empty cell is made when another one follows in its row.
        self._row_cells += self._waiting
        if any(key.startswith("office:") or key == "table:formula" for key in attributes):
            self._row_cells += repeat
            self._waiting = 0
            self._row_width = self._row_cells
            self._cell_repeat = repeat
            self._row_text += repeat * sum(len(value.encode()) for value in attributes.values())
        else:
            self._waiting = repeat
            self._cell_repeat = 0

    def _written(self, text: str) -> None:
        if self._cell_repeat:
            self._row_text += self._cell_repeat * len(text.encode())

    def _end(self, name: str) -> None:
        if name != "table:table-row":
            return
        self._made += self._row_cells
        if self._row_width:
            self._rows += self._gap + self._row_repeat
            self._gap = 0
            self._columns = max(self._columns, self._row_width)
            self._text += self._row_text * self._row_repeat
        else:
            self._gap += self._row_repeat
        self._cell_repeat = 0


def _number(written: str | None) -> int:
    """How often something is repeated; what is no number is an error of the parser's, later."""
    try:
        return max(int(written), 0) if written is not None else 1
    except ValueError:
        return 1
