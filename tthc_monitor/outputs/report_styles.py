"""How the workbook looks: one font, one set of cell formats, one page."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import ceil
from typing import Any, Final

from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from tthc_monitor.outputs.drawings import text_width

LINE_HEIGHT: Final = 16.0
"""Points that a line of text takes."""

_FONT_SIZE: Final = 12
_FONT: Final = {"font_name": "Times New Roman", "font_size": _FONT_SIZE, "valign": "vcenter"}
# A character of a column's width is seven pixels; the indent and the edges of a cell take a dozen.
_POINTS_PER_CHARACTER: Final = 5.25
_PADDING: Final = 9.0
_REGULAR: Final = 0.95
"""How wide letters are beside bold ones."""


class Styles:
    """Cell formats, each made once per workbook."""

    def __init__(self, workbook: Workbook) -> None:
        self._workbook = workbook
        self._made: dict[tuple[tuple[str, Any], ...], Format] = {}

    def __call__(self, **properties: Any) -> Format:
        """The format with these properties over the house font."""
        key = tuple(sorted(properties.items()))
        if key not in self._made:
            self._made[key] = self._workbook.add_format({**_FONT, **properties})
        return self._made[key]

    def cell(self, **properties: Any) -> Format:
        """The format of a bordered table cell."""
        return self(border=1, text_wrap=True, **properties)

    def head(self) -> Format:
        """The format of a column heading."""
        return self.cell(bold=True, align="center", bg_color="#DCE6F1")


def row_height(texts: Iterable[tuple[str, float]]) -> float:
    """Height in points of a row whose cells hold these texts in columns of these widths (in characters).

    Programs other than Excel do not stretch a row to its wrapped text by themselves.
    """
    return LINE_HEIGHT * max((lines_of(text, width) for text, width in texts if text), default=1) + 1


def lines_of(text: str, width: float) -> int:
    """Lines that a text takes in a column of a width (in characters), with an indent of one step."""
    # Even capitals fit then: most texts need no measuring.
    return 1 if len(text) < width * 0.6 - 1 else _measured(text, width)


@lru_cache(maxsize=50_000)
def _measured(text: str, width: float) -> int:
    # Words do not break, so that a line is seldom full to its end: the more lines, the more of them is left empty.
    room = width * _POINTS_PER_CHARACTER - _PADDING
    needed = text_width(text, _FONT_SIZE) * _REGULAR / room
    return 1 if needed <= 1 else ceil(needed * 1.08)


def print_setup(sheet: Worksheet) -> None:
    """A4 landscape, as wide as the page, page number centred at the top."""
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.fit_to_pages(1, 0)
    sheet.set_margins(left=0.6, right=0.6, top=0.8, bottom=0.8)
    sheet.set_header('&C&"Times New Roman,Regular"&13&P', {"margin": 0.4})
    sheet.hide_gridlines(2)
