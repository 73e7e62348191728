"""Rules of an official paper: drawn lines whose length follows from the text above them."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final
from xml.sax.saxutils import quoteattr

from markupsafe import Markup

RULE_SHARE: Final = 0.4
"""Length of the rule under an office's name and under the subject, of its line: NĐ 30/2020 wants 1/3 to 1/2."""

_EMU_PER_POINT: Final = 12_700
# Advance widths of Times New Roman Bold, in thousandths of the size; marks above and below letters add nothing.
_WIDTHS: Final = {
    250: " ,.",
    278: "'/\\il",
    333: "!()-:;[]`fjt",
    389: "Is",
    444: "cerz",
    500: "#$*0123456789?J_agovxy–“”",
    554: "ơ",
    556: "Sbdhknpquđ",
    570: "+<=>",
    600: "ư",
    611: "FP",
    667: "BELTZ",
    722: "ACDNRUVXYwĐ",
    778: "GHKOQƠ",
    796: "Ư",
    833: "&m",
    944: "M",
    1000: "%W—…",
}
_USUAL: Final = 556
_HORN: Final = "\N{COMBINING HORN}"


def text_width(text: str, size: float) -> float:
    """How long a text is in Times New Roman Bold of a size; both in points."""
    return sum(map(_advance, text)) * size / 1000


@cache
def _advance(letter: str) -> int:
    parts = unicodedata.normalize("NFD", letter)
    base = unicodedata.normalize("NFC", parts[0] + _HORN) if _HORN in parts else parts[0]
    if unicodedata.combining(base):
        return 0
    return next((width for width, letters in _WIDTHS.items() if base in letters), _USUAL)


def rule_under(text: str, *, size: float, room: float, name: str) -> Markup:
    """A run with the rule under a text; nothing under none.

    Args:
        size: of the letters, in points.
        room: the longest line that the text has room for, in points.
        name: what the drawing is called in Word.
    """
    return rule(min(text_width(text, size), room) * RULE_SHARE, name) if text else Markup("")


def rule(length: float, name: str) -> Markup:
    """A run with a horizontal line, in the way of the text, of a length in points."""
    wide = round(length * _EMU_PER_POINT)
    number = sum(map(ord, name)) % 9000 + 1000
    return Markup(  # noqa: S704
        '<w:r xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
        ' xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
        ' xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"'
        ' xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
        ' xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        '<mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wp:inline distT="0" distB="0" distL="0" distR="0">'
        f'<wp:extent cx="{wide}" cy="0"/><wp:docPr id="{number}" name={quoteattr(name)}/><wp:cNvGraphicFramePr/>'
        '<a:graphic><a:graphicData uri="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"><wps:wsp>'
        f'<wps:cNvCnPr/><wps:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="{wide}" cy="0"/></a:xfrm>'
        '<a:prstGeom prst="line"><a:avLst/></a:prstGeom><a:ln w="9525"><a:solidFill><a:srgbClr val="000000"/></a:solidFill>'
        "</a:ln></wps:spPr><wps:bodyPr/></wps:wsp></a:graphicData></a:graphic></wp:inline></w:drawing></mc:Choice>"
        "</mc:AlternateContent></w:r>"
    )
