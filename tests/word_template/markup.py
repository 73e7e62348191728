"""The markup of a Word file, as little of it as an official paper needs. Lengths are in twips: 20 to the point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

NAMESPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    ' xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)
DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
MILLIMETRE = 1440 / 25.4
KEEP_NEXT = "<w:keepNext/>"
"""Of a paragraph, or of all paragraphs of a row: on the page of what follows."""


def mm(length: float) -> int:
    """Millimetres in twips."""
    return round(length * MILLIMETRE)


def paragraph(style: str, text: str = "", *, bold: bool = False, more: str = "") -> str:
    """A paragraph of one style.

    Args:
        more: markup to add to its properties.
    """
    weight = "<w:rPr><w:b/></w:rPr>" if bold else ""
    run = f'<w:r>{weight}<w:t xml:space="preserve">{escape(text)}</w:t></w:r>' if text else ""
    return f'<w:p><w:pPr><w:pStyle w:val="{style}"/>{more}</w:pPr>{run}</w:p>'


def cell(width: int, content: str, *, span: int = 1, merge: str = "", top: bool = False) -> str:
    """A cell: its width, and the paragraphs in it."""
    spanned = f'<w:gridSpan w:val="{span}"/>' if span > 1 else ""
    merged = f'<w:vMerge w:val="{merge}"/>' if merge else ""
    align = "" if top else '<w:vAlign w:val="center"/>'
    return f'<w:tc><w:tcPr><w:tcW w:w="{width}" w:type="dxa"/>{spanned}{merged}{align}</w:tcPr>{content}</w:tc>'


def row(cells: Sequence[str], *, head: bool = False) -> str:
    """A row that no page break splits; a heading is repeated on each page."""
    return f"<w:tr><w:trPr><w:cantSplit/>{'<w:tblHeader/>' if head else ''}</w:trPr>{''.join(cells)}</w:tr>"


def tag_row(tag: str, widths: Sequence[int]) -> str:
    """A row that holds a tag of the template and is gone when it is filled."""
    return row([cell(sum(widths), paragraph("BieuChu", tag), span=len(widths))])


def table(widths: Sequence[int], rows: Sequence[str], *, ruled: bool = True) -> str:
    """A table of fixed columns, ruled or, for what stands side by side, without lines."""
    look = '<w:tblStyle w:val="BangKe"/>' if ruled else ""
    sides = (
        "" if ruled else '<w:tblCellMar><w:left w:w="0" w:type="dxa"/><w:right w:w="0" w:type="dxa"/></w:tblCellMar>'
    )
    columns = "".join(f'<w:gridCol w:w="{width}"/>' for width in widths)
    return (
        f'<w:tbl><w:tblPr>{look}<w:tblW w:w="{sum(widths)}" w:type="dxa"/><w:jc w:val="center"/>'
        f'<w:tblLayout w:type="fixed"/>{sides}</w:tblPr><w:tblGrid>{columns}</w:tblGrid>{"".join(rows)}</w:tbl>'
    )


def when(condition: str, *content: str) -> str:
    """Paragraphs and tables that are there only when a condition of the template holds."""
    return paragraph("BangChu", f"{{%p if {condition} %}}") + "".join(content) + paragraph("BangChu", "{%p endif %}")


def each(name: str, items: str, *content: str) -> str:
    """Paragraphs and tables for each item of a list."""
    return (
        paragraph("BangChu", f"{{%p for {name} in {items} %}}")
        + "".join(content)
        + paragraph("BangChu", "{%p endfor %}")
    )


@dataclass(frozen=True)
class Column:
    """A column of a list: its title, its width in millimetres, the field in it, and how it is aligned."""

    title: str
    width: float
    field: str
    style: str = "BieuChu"


def ranking(items: str, title: str, columns: Sequence[Column]) -> str:
    """A short table in the text, with a row for each item of a list."""
    widths = [mm(column.width) for column in columns]
    return paragraph("TenBang", title) + table(
        widths,
        [
            row([cell(mm(column.width), paragraph("BangDau", column.title)) for column in columns], head=True),
            tag_row(f"{{%tr for dong in {items} %}}", widths),
            row(
                [
                    cell(mm(column.width), paragraph(column.style, f"{{{{ dong.{column.field} }}}}"))
                    for column in columns
                ]
            ),
            tag_row("{%tr endfor %}", widths),
        ],
    )


def section(*, landscape: bool) -> str:
    """A4 with the margins of NĐ 30/2020; pages numbered from 1, at the top, not on the first."""
    wide, high = mm(210), mm(297)
    size = f'w:w="{high}" w:h="{wide}" w:orient="landscape"' if landscape else f'w:w="{wide}" w:h="{high}"'
    sides = {"top": 20, "right": 15, "bottom": 20, "left": 30, "header": 10, "footer": 10}
    margins = " ".join(f'w:{side}="{mm(length)}"' for side, length in sides.items())
    return (
        '<w:sectPr><w:headerReference w:type="default" r:id="rIdTrang"/><w:headerReference w:type="first" r:id="rIdDau"/>'
        f'<w:type w:val="nextPage"/><w:pgSz {size}/>'
        f'<w:pgMar {margins} w:gutter="0"/>'
        '<w:pgNumType w:start="1"/><w:titlePg/></w:sectPr>'
    )


def end_of_section(*, landscape: bool) -> str:
    """The paragraph that ends a section."""
    return f'<w:p><w:pPr><w:pStyle w:val="BieuChu"/>{section(landscape=landscape)}</w:pPr></w:p>'


def style(
    name: str,
    title: str,
    size: float,
    *,
    bold: bool = False,
    italic: bool = False,
    align: str = "left",
    before: float = 0,
    after: float = 0,
    first_line: float = 0,
    keep: bool = False,
    outline: int | None = None,
) -> str:
    """A paragraph style; sizes and distances in points, the first line's indent in millimetres."""
    indent = f'<w:ind w:firstLine="{mm(first_line)}"/>' if first_line else ""
    level = "" if outline is None else f'<w:outlineLvl w:val="{outline}"/>'
    return (
        f'<w:style w:type="paragraph" w:customStyle="1" w:styleId="{name}"><w:name w:val="{title}"/>'
        f'<w:basedOn w:val="Normal"/><w:qFormat/><w:pPr>{"<w:keepNext/>" if keep else ""}'
        f'<w:spacing w:before="{before * 20:.0f}" w:after="{after * 20:.0f}"/>{indent}<w:jc w:val="{align}"/>{level}</w:pPr>'
        f"<w:rPr>{'<w:b/><w:bCs/>' if bold else ''}{'<w:i/><w:iCs/>' if italic else ''}"
        f'<w:sz w:val="{size * 2:.0f}"/><w:szCs w:val="{size * 2:.0f}"/></w:rPr></w:style>'
    )
