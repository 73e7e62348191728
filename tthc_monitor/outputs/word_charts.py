"""Native charts of a Word document: Word draws them, and opens their figures on "Edit data".

The chart's markup is that of a workbook's: xlsxwriter writes it, with the figures in it, and Word reads the same.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, Final
from xml.sax.saxutils import quoteattr

import xlsxwriter
from markupsafe import Markup

_EMU_PER_MILLIMETRE: Final = 36_000
_WIDTH, _ROW_HEIGHT, _FRAME_HEIGHT = 160, 8, 30
_SHEET: Final = "So lieu"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_DRAWING: Final = "http://schemas.openxmlformats.org/drawingml/2006"
_FONT: Final = {"name": "Times New Roman", "size": 11, "bold": False}
_COLOURS: Final = ("#8C8C8C", "#B3261E", "#1B6E3C", "#2F5597")


@dataclass(frozen=True)
class BarChart:
    """Stacked horizontal bars: a bar for each label, from the top, a part of it for each series."""

    name: str
    labels: Sequence[str]
    series: Mapping[str, Sequence[int]]

    @property
    def key(self) -> str:
        """Its name in relationships and parts."""
        return re.sub(r"\W", "", self.name)

    def paragraph(self) -> Markup:
        """The paragraph that it stands in."""
        height = _FRAME_HEIGHT + _ROW_HEIGHT * len(self.labels)
        number = sum(map(ord, self.name)) % 9000 + 10_000
        return Markup(  # noqa: S704
            '<w:p xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
            f' xmlns:wp="{_DRAWING}/wordprocessingDrawing" xmlns:a="{_DRAWING}/main">'
            '<w:pPr><w:spacing w:before="120"/><w:jc w:val="center"/></w:pPr><w:r><w:drawing>'
            '<wp:inline distT="0" distB="0" distL="0" distR="0">'
            f'<wp:extent cx="{_WIDTH * _EMU_PER_MILLIMETRE}" cy="{height * _EMU_PER_MILLIMETRE}"/>'
            f'<wp:docPr id="{number}" name={quoteattr(self.name)}/><wp:cNvGraphicFramePr/>'
            f'<a:graphic><a:graphicData uri="{_DRAWING}/chart"><c:chart xmlns:c="{_DRAWING}/chart" xmlns:r="{_OFFICE}"'
            f' r:id="rId{self.key}"/></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>'
        )


def with_chart(parts: Mapping[str, bytes], chart: BarChart) -> dict[str, bytes]:
    """The parts of a Word file with those that a chart needs."""
    types = (
        f'<Override PartName="/word/charts/{chart.key}.xml"'
        ' ContentType="application/vnd.openxmlformats-officedocument.drawingml.chart+xml"/>'
        f'<Override PartName="/word/embeddings/{chart.key}.xlsx"'
        ' ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"/></Types>'
    )
    link = f'<Relationship Id="rId{chart.key}" Type="{_OFFICE}/chart" Target="charts/{chart.key}.xml"/></Relationships>'
    figures = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
        f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_OFFICE}/package"'
        f' Target="../embeddings/{chart.key}.xlsx"/></Relationships>'
    )
    links = "word/_rels/document.xml.rels"
    return {
        **parts,
        "[Content_Types].xml": parts["[Content_Types].xml"].replace(b"</Types>", types.encode()),
        links: parts[links].replace(b"</Relationships>", link.encode()),
        f"word/charts/{chart.key}.xml": _markup(chart),
        f"word/charts/_rels/{chart.key}.xml.rels": figures.encode(),
        f"word/embeddings/{chart.key}.xlsx": _workbook(chart, drawn=False),
    }


def _markup(chart: BarChart) -> bytes:
    with zipfile.ZipFile(BytesIO(_workbook(chart, drawn=True))) as archive:
        drawn = archive.read("xl/charts/chart1.xml").decode()
    drawn = re.sub(r"<c:printSettings>.*</c:printSettings>", "", drawn, flags=re.DOTALL)
    linked = '<c:externalData r:id="rId1"><c:autoUpdate val="0"/></c:externalData></c:chartSpace>'
    return drawn.replace("</c:chartSpace>", linked).encode()


def _workbook(chart: BarChart, *, drawn: bool) -> bytes:
    """The figures as a workbook; with the chart on the sheet when it is to be ``drawn``."""
    buffer = BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(buffer, options) as workbook:
        workbook.set_properties({"created": datetime(2000, 1, 1, tzinfo=UTC)})
        sheet = workbook.add_worksheet(_SHEET)
        sheet.write_column(1, 0, chart.labels)
        for column, (title, values) in enumerate(chart.series.items(), start=1):
            sheet.write_string(0, column, title)
            sheet.write_column(1, column, values)
        if drawn:
            sheet.insert_chart(0, len(chart.series) + 2, _bars(workbook, chart))
    return buffer.getvalue()


def _bars(workbook: xlsxwriter.Workbook, chart: BarChart) -> Any:
    bars = workbook.add_chart({"type": "bar", "subtype": "stacked"})
    last = len(chart.labels)
    for column, (_, colour) in enumerate(zip(chart.series, _COLOURS, strict=False), start=1):
        bars.add_series(
            {
                "name": [_SHEET, 0, column],
                "categories": [_SHEET, 1, 0, last, 0],
                "values": [_SHEET, 1, column, last, column],
                "fill": {"color": colour},
                "gap": 40,
            }
        )
    bars.set_legend({"position": "bottom", "font": _FONT})
    # The first label stands at the top, as in a table.
    bars.set_y_axis({"reverse": True, "num_font": _FONT, "line": {"color": "#000000"}})
    bars.set_x_axis(
        {
            "num_font": _FONT,
            "num_format": "#,##0",
            "min": 0,
            "label_position": "high",
            "major_gridlines": {"visible": True, "line": {"color": "#D9D9D9"}},
        }
    )
    bars.set_chartarea({"border": {"none": True}})
    return bars
