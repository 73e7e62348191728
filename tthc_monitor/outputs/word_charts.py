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

import pandas as pd
import xlsxwriter
from markupsafe import Markup

from tthc_monitor.outputs.report_charts import add_series, drawn, new_chart, of_percents, style_chart
from tthc_monitor.outputs.report_tables import Shape, Table
from tthc_monitor.outputs.word_template import clean

_EMU_PER_MILLIMETRE: Final = 36_000
_WIDTH, _ROW_HEIGHT, _FRAME_HEIGHT, _HIGH = 160, 5.5, 22, 56
_SHEET: Final = "So lieu"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_DRAWING: Final = "http://schemas.openxmlformats.org/drawingml/2006"


@dataclass(frozen=True)
class WordChart:
    """A chart: a bar, column or point for each label, of it a part, neighbour or line for each series.

    ``percent``: its values are percentages.
    """

    name: str
    shape: Shape
    labels: Sequence[str]
    series: Mapping[str, Sequence[float | None]]
    stacked: bool = False
    percent: bool = False

    @property
    def key(self) -> str:
        """Its name in relationships and parts."""
        return re.sub(r"\W", "", self.name)

    def paragraph(self) -> Markup:
        """The paragraph that it stands in."""
        height = _FRAME_HEIGHT + _ROW_HEIGHT * len(self.labels) if self.shape == "bar" else _HIGH
        number = sum(map(ord, self.name)) % 9000 + 10_000
        return Markup(  # noqa: S704
            '<w:p xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
            f' xmlns:wp="{_DRAWING}/wordprocessingDrawing" xmlns:a="{_DRAWING}/main">'
            '<w:pPr><w:spacing w:before="120"/><w:jc w:val="center"/></w:pPr><w:r><w:drawing>'
            '<wp:inline distT="0" distB="0" distL="0" distR="0">'
            f'<wp:extent cx="{_WIDTH * _EMU_PER_MILLIMETRE}" cy="{round(height * _EMU_PER_MILLIMETRE)}"/>'
            f'<wp:docPr id="{number}" name={quoteattr(self.name)}/><wp:cNvGraphicFramePr/>'
            f'<a:graphic><a:graphicData uri="{_DRAWING}/chart"><c:chart xmlns:c="{_DRAWING}/chart" xmlns:r="{_OFFICE}"'
            f' r:id="rId{self.key}"/></a:graphicData></a:graphic></wp:inline></w:drawing></w:r></w:p>'
        )


def chart_of(name: str, table: Table) -> WordChart | None:
    """The chart of a table, without bars of nothing; None when it has none, or there is nothing to draw."""
    found = drawn([table])
    if not found:
        return None
    wanted = found[0][1]
    columns = {column.name: column for column in table.columns}
    rows = table.rows.head(wanted.rows)
    if wanted.shape == "bar":
        rows = rows[[any(row) for row in rows[list(wanted.values)].fillna(0).to_numpy().tolist()]]
    return WordChart(
        name,
        wanted.shape,
        [clean(text if isinstance(text, str) else "") for text in rows[wanted.categories]],
        {
            columns[value].title: [None if pd.isna(one) else float(one) for one in rows[value]]
            for value in wanted.values
        },
        wanted.stacked,
        of_percents(table, wanted),
    )


def with_chart(parts: Mapping[str, bytes], chart: WordChart) -> dict[str, bytes]:
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


def _markup(chart: WordChart) -> bytes:
    with zipfile.ZipFile(BytesIO(_workbook(chart, drawn=True))) as archive:
        drawn = archive.read("xl/charts/chart1.xml").decode()
    drawn = re.sub(r"<c:printSettings>.*</c:printSettings>", "", drawn, flags=re.DOTALL)
    # What a workbook leaves out as usual, a document takes for the opposite: smooth lines, and nothing drawn as 0.
    drawn = drawn.replace('<c:plotVisOnly val="1"/>', '<c:plotVisOnly val="1"/><c:dispBlanksAs val="gap"/>')
    if chart.shape == "line":
        drawn = drawn.replace("</c:val></c:ser>", '</c:val><c:smooth val="0"/></c:ser>')
    linked = '<c:externalData r:id="rId1"><c:autoUpdate val="0"/></c:externalData></c:chartSpace>'
    return drawn.replace("</c:chartSpace>", linked).encode()


def _workbook(chart: WordChart, *, drawn: bool) -> bytes:
    """The figures as a workbook; with the chart on the sheet when it is to be ``drawn``."""
    buffer = BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(buffer, options) as workbook:
        workbook.set_properties({"created": datetime(2000, 1, 1, tzinfo=UTC)})
        sheet = workbook.add_worksheet(_SHEET)
        for row, label in enumerate(chart.labels, start=1):
            sheet.write_string(row, 0, label)
        for column, (title, values) in enumerate(chart.series.items(), start=1):
            sheet.write_string(0, column, title)
            for row, value in enumerate(values, start=1):
                if value is not None:
                    sheet.write_number(row, column, value)
        if drawn:
            sheet.insert_chart(0, len(chart.series) + 2, _drawn(workbook, chart))
    return buffer.getvalue()


def _drawn(workbook: xlsxwriter.Workbook, chart: WordChart) -> Any:
    last = len(chart.labels)
    drawn = new_chart(workbook, chart.shape, stacked=chart.stacked)
    for place in range(len(chart.series)):
        add_series(drawn, chart.shape, place if len(chart.series) > 1 else None, _SHEET, 0, 0, 1 + place, last)
    style_chart(drawn, chart.shape, percent=chart.percent, several=len(chart.series) > 1)
    return drawn
