"""Workbooks of plain tables, made of rows that are written once.

Two hundred mails of a morning carry the same dossiers again and again: each goes with its unit, its sector, the whole. So a
row is turned into the text of its cells once, and a workbook puts rows together; that takes a tenth of the time that a
library for workbooks takes cell by cell. Cells carry no addresses, which the format leaves to the writer: a row goes
wherever it is put. Texts are text cells, never formulas; the same rows give the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from io import BytesIO
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

MIME: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

LONGEST_CELL: Final = 32_767
"""Characters that a cell of Excel holds."""

SHEET_ROWS: Final = 1_000_000
"""Rows below the headings of a sheet; further ones go on upon the next."""

HEAD: Final = 3
"""Lines above the rows: a title, a line about it, the headings."""

_TEXT, _WHOLE, _INSTANT, _TITLE, _LINE, _HEADING = range(1, 7)
"""Formats of cells, in the order of :data:`_STYLES`."""

_LONGEST_NAME: Final = 31
# What XML cannot hold is written as its code; and a text that looks like such a code is told apart from it.
_UNWRITABLE: Final = re.compile("[\x00-\x08\x0b\x0c\r\x0e-\x1f\ud800-\udfff\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_XML: Final = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_FONT: Final = '<name val="Times New Roman"/><family val="1"/>'
_STYLES: Final = f"""{_XML}<styleSheet xmlns="{_MAIN}">
<numFmts count="1"><numFmt numFmtId="164" formatCode="hh:mm\\ dd/mm/yyyy"/></numFmts>
<fonts count="4"><font><sz val="12"/>{_FONT}</font><font><b/><sz val="14"/>{_FONT}</font>
<font><i/><sz val="12"/>{_FONT}</font><font><b/><sz val="12"/>{_FONT}</font></fonts>
<fills count="3"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>
<fill><patternFill patternType="solid"><fgColor rgb="FFDCE6F1"/><bgColor indexed="64"/></patternFill></fill></fills>
<borders count="2"><border><left/><right/><top/><bottom/><diagonal/></border>
<border><left/><right/><top/><bottom style="thin"><color auto="1"/></bottom><diagonal/></border></borders>
<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>
<cellXfs count="7"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>
<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyAlignment="1"><alignment vertical="top"/></xf>
<xf numFmtId="3" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyAlignment="1"><alignment horizontal="center" vertical="top"/></xf>
<xf numFmtId="164" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1" applyAlignment="1"><alignment horizontal="left" vertical="top"/></xf>
<xf numFmtId="49" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>
<xf numFmtId="49" fontId="2" fillId="0" borderId="0" xfId="0" applyFont="1"/>
<xf numFmtId="49" fontId="3" fillId="2" borderId="1" xfId="0" applyFont="1" applyFill="1" applyBorder="1" applyAlignment="1"><alignment vertical="center" wrapText="1"/></xf>
</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>"""


def text_cell(text: str, style: int = _TEXT) -> str:
    """A cell that holds a text, whatever it begins with."""
    if not text:
        return f'<c s="{style}"/>'
    written = escape(_UNWRITABLE.sub(lambda found: f"_x{ord(found[0]):04X}_", text[:LONGEST_CELL]), quote=False)
    return f'<c s="{style}" t="inlineStr"><is><t xml:space="preserve">{written}</t></is></c>'


def whole_cell(number: int) -> str:
    """A cell that holds a whole number."""
    return f'<c s="{_WHOLE}"><v>{number}</v></c>'


def instant_cell(day: float) -> str:
    """A cell that holds a local instant, as days by Excel's count."""
    return f'<c s="{_INSTANT}"><v>{day:.9f}</v></c>'


EMPTY_CELL: Final = f'<c s="{_TEXT}"/>'


def row_of(cells: Iterable[str]) -> str:
    """A row, to be put into any number of sheets."""
    return f"<row>{''.join(cells)}</row>"


@dataclass(frozen=True)
class Sheet:
    """One table: name of the sheet, what stands above, headings with their widths in characters, and the rows."""

    name: str
    title: str
    line: str
    columns: Sequence[tuple[str, float]]
    rows: Sequence[str]


def workbook(sheets: Iterable[Sheet], title: str, created: datetime) -> bytes:
    """A workbook with frozen headings and a filter on each sheet; printed, a sheet is as wide as an A4 page across.

    Args:
        created: what the file says about itself; else the bytes would differ each time.
    """
    parts = [part for sheet in sheets for part in _of_one_sheet(sheet)]
    names = [part.name for part in parts]
    content = BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED, compresslevel=4) as package:

        def put(name: str, text: str) -> None:
            # Its own time would make the bytes differ.
            part = ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            part.compress_type = ZIP_DEFLATED
            package.writestr(part, text)

        put("[Content_Types].xml", _content_types(len(parts)))
        put("_rels/.rels", _relations([("officeDocument", "xl/workbook.xml")], core="docProps/core.xml"))
        put("docProps/core.xml", _core(title, created))
        put("xl/workbook.xml", _book(parts))
        sheet_files = [("worksheet", f"worksheets/sheet{number}.xml") for number in range(1, len(names) + 1)]
        put("xl/_rels/workbook.xml.rels", _relations([*sheet_files, ("styles", "styles.xml")]))
        put("xl/styles.xml", _STYLES)
        for number, part in enumerate(parts, 1):
            put(f"xl/worksheets/sheet{number}.xml", _sheet(part))
    return content.getvalue()


def _of_one_sheet(sheet: Sheet) -> list[Sheet]:
    """The sheets over which its rows go, numbered where there are several."""
    firsts = range(0, max(len(sheet.rows), 1), SHEET_ROWS)
    tails = ["" if first == 0 else f" {first // SHEET_ROWS + 1}" for first in firsts]
    return [
        Sheet(
            f"{sheet.name[: _LONGEST_NAME - len(tail)]}{tail}",
            sheet.title,
            sheet.line,
            sheet.columns,
            sheet.rows[first : first + SHEET_ROWS],
        )
        for first, tail in zip(firsts, tails, strict=True)
    ]


def _sheet(sheet: Sheet) -> str:
    columns = "".join(
        f'<col min="{number}" max="{number}" width="{width:g}" customWidth="1"/>'
        for number, (_, width) in enumerate(sheet.columns, 1)
    )
    headings = "".join(text_cell(title, _HEADING) for title, _ in sheet.columns)
    return (
        f'{_XML}<worksheet xmlns="{_MAIN}"><sheetPr><pageSetUpPr fitToPage="1"/></sheetPr>'
        '<sheetViews><sheetView workbookViewId="0"><pane xSplit="1" ySplit="3" topLeftCell="B4" activePane="bottomRight" '
        'state="frozen"/><selection pane="bottomRight" activeCell="B4" sqref="B4"/></sheetView></sheetViews>'
        f'<sheetFormatPr defaultRowHeight="15.75"/><cols>{columns}</cols><sheetData>'
        f"<row>{text_cell(sheet.title, _TITLE)}</row><row>{text_cell(sheet.line, _LINE)}</row>"
        f'<row ht="34" customHeight="1">{headings}</row>{"".join(sheet.rows)}</sheetData>'
        f'<autoFilter ref="{_filtered(sheet, "")}"/>'
        '<pageMargins left="0.4" right="0.4" top="0.6" bottom="0.6" header="0.3" footer="0.3"/>'
        '<pageSetup paperSize="9" orientation="landscape" fitToHeight="0"/></worksheet>'
    )


def _filtered(sheet: Sheet, sign: str) -> str:
    """The headings with the rows below them, as an address; ``$`` before each part makes it an absolute one."""
    last = chr(ord("A") + len(sheet.columns) - 1)
    return f"{sign}A{sign}{HEAD}:{sign}{last}{sign}{HEAD + max(len(sheet.rows), 1)}"


def _book(sheets: Sequence[Sheet]) -> str:
    listed = "".join(
        f'<sheet name="{escape(sheet.name)}" sheetId="{number}" r:id="rId{number}"/>'
        for number, sheet in enumerate(sheets, 1)
    )
    names = "".join(
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="{number}" hidden="1">{quoted}!{_filtered(sheet, "$")}'
        f'</definedName><definedName name="_xlnm.Print_Titles" localSheetId="{number}">{quoted}!${HEAD}:${HEAD}</definedName>'
        for number, sheet in enumerate(sheets)
        for quoted in (escape("'" + sheet.name.replace("'", "''") + "'", quote=False),)
    )
    return (
        f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_RELATIONS}"><bookViews><workbookView/></bookViews>'
        f"<sheets>{listed}</sheets><definedNames>{names}</definedNames></workbook>"
    )


def _content_types(sheets: int) -> str:
    base = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    overrides = "".join(
        f'<Override PartName="{name}" ContentType="{kind}"/>'
        for name, kind in [
            ("/xl/workbook.xml", f"{base}.sheet.main+xml"),
            ("/xl/styles.xml", f"{base}.styles+xml"),
            ("/docProps/core.xml", "application/vnd.openxmlformats-package.core-properties+xml"),
            *((f"/xl/worksheets/sheet{number}.xml", f"{base}.worksheet+xml") for number in range(1, sheets + 1)),
        ]
    )
    return (
        f'{_XML}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels" '
        'ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )


def _relations(targets: Sequence[tuple[str, str]], core: str | None = None) -> str:
    found = [(f"{_RELATIONS}/{kind}", target) for kind, target in targets]
    if core is not None:
        found.append((f"{_PACKAGE}/relationships/metadata/core-properties", core))
    listed = "".join(
        f'<Relationship Id="rId{number}" Type="{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(found, 1)
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{listed}</Relationships>'


def _core(title: str, created: datetime) -> str:
    return (
        f'{_XML}<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{escape(title)}</dc:title><dc:creator>tthc-monitor</dc:creator>"
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{created:%Y-%m-%dT%H:%M:%SZ}</dcterms:created></cp:coreProperties>'
    )
