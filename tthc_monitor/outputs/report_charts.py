"""The sheet of charts of a report's workbook: native ones, drawn over the cells of the tables' own sheets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from tthc_monitor.outputs.report_sheets import FIRST_ROW, column_place
from tthc_monitor.outputs.report_styles import Styles, print_setup
from tthc_monitor.outputs.report_tables import Shape, Table, TableChart

SHEET: Final = "Biểu đồ"
"""Name of the sheet."""

_COLOURS: Final = ("#8C8C8C", "#B3261E", "#1B6E3C", "#2F5597", "#B8860B", "#6A3D9A")
"""Of the series, in their order; the second is the one that somebody must do something about."""

_ALONE: Final = "#2F5597"
_FONT: Final = {"name": "Times New Roman", "size": 11, "bold": False}
_WIDTH, _FRAME_HEIGHT, _BAR_HEIGHT, _HIGH = 1000, 130, 34, 380
_ROW_PIXELS: Final = 20
_FIRST: Final = 3


def drawn(tables: Sequence[Table]) -> list[tuple[Table, TableChart]]:
    """The tables that have a chart, and something to draw in it."""
    return [(table, table.chart) for table in tables if table.chart is not None and _tells(table, table.chart)]


def _tells(table: Table, chart: TableChart) -> bool:
    rows = table.rows.head(chart.rows)
    return any(value for name in chart.values for value in rows[name].dropna())


def draw_charts(workbook: Workbook, sheet: Worksheet, styles: Styles, tables: Sequence[Table], line: str) -> None:
    """Draw the chart of each table that has one, one below the other.

    Args:
        line: the period in words, beneath the title.
    """
    sheet.merge_range(0, 0, 0, 15, "BIỂU ĐỒ", styles(bold=True, font_size=14, align="center"))
    sheet.merge_range(1, 0, 1, 15, line, styles(italic=True, align="center"))
    row, breaks, used = _FIRST, [], 0
    for table, wanted in drawn(tables):
        rows = min(wanted.rows, len(table.rows))
        height = _FRAME_HEIGHT + _BAR_HEIGHT * rows if wanted.shape == "bar" else _HIGH
        if used and used + height > _WIDTH * 0.62:  # what an A4 page across has room for
            breaks.append(row)
            used = 0
        sheet.insert_chart(row, 0, _chart(workbook, table, wanted, rows, height))
        row += height // _ROW_PIXELS + 2
        used += height
    sheet.set_h_pagebreaks(breaks)
    sheet.freeze_panes(2, 0)
    print_setup(sheet)
    sheet.repeat_rows(0, 1)


def _chart(workbook: Workbook, table: Table, wanted: TableChart, rows: int, height: int) -> Any:
    chart = new_chart(workbook, wanted.shape, stacked=wanted.stacked)
    last = FIRST_ROW + rows - 1
    labels = column_place(table, wanted.categories)
    several = len(wanted.values) > 1
    for place, name in enumerate(wanted.values):
        series = place if several else None
        add_series(chart, wanted.shape, series, table.sheet, FIRST_ROW - 1, labels, column_place(table, name), last)
    style_chart(chart, wanted.shape, percent=of_percents(table, wanted), several=several)
    chart.set_title({"name": wanted.title, "name_font": _FONT | {"size": 14, "bold": True}, "overlay": False})
    chart.set_size({"width": _WIDTH, "height": height})
    return chart


def of_percents(table: Table, wanted: TableChart) -> bool:
    """Whether all that a chart draws are percentages."""
    kinds = {column.name: column.kind for column in table.columns}
    return all(kinds[name] == "percent" for name in wanted.values)


def new_chart(workbook: Workbook, shape: Shape, *, stacked: bool) -> Any:
    """An empty chart; lines are never stacked."""
    return workbook.add_chart({"type": shape} | ({"subtype": "stacked"} if stacked and shape != "line" else {}))


def add_series(
    chart: Any, shape: Shape, place: int | None, sheet: str, title_row: int, labels: int, values: int, last: int
) -> None:
    """Add a series: the column ``values`` of a sheet over its column ``labels``, from the row after its title to ``last``.

    Args:
        place: which series of the chart it is, from 0, None when it is the only one; says its colour.
    """
    colour = _ALONE if place is None else _COLOURS[place % len(_COLOURS)]
    line: dict[str, Any] = {"line": {"color": colour, "width": 2.25}, "marker": {"type": "circle", "size": 5}}
    line["marker"] |= {"fill": {"color": colour}, "border": {"color": colour}}
    chart.add_series(
        {
            "name": [sheet, title_row, values],
            "categories": [sheet, title_row + 1, labels, last, labels],
            "values": [sheet, title_row + 1, values, last, values],
            **(line if shape == "line" else {"fill": {"color": colour}, "gap": 40}),
        }
    )


def style_chart(chart: Any, shape: Shape, *, percent: bool, several: bool) -> None:
    """The axes, letters and lines that charts of sheets and of documents share.

    Args:
        shape: ``bar`` (lying), ``column`` or ``line``.
        percent: its values are percentages.
        several: it has more than one series, so that a legend is needed.
    """
    # The first label of lying bars stands at the top, as in a table.
    categories: dict[str, Any] = {
        "num_font": _FONT,
        "line": {"color": "#000000"},
        "reverse": shape == "bar",
        "text_axis": True,
    }
    values: dict[str, Any] = {
        "num_font": _FONT,
        "num_format": '0" %"' if percent else "#,##0",
        "line": {"none": True},
        "major_gridlines": {"visible": True, "line": {"color": "#D9D9D9"}},
    }
    if shape != "line" or not percent:
        values["min"] = 0
    if shape == "bar":
        # xlsxwriter's y axis of lying bars is the one of the labels.
        chart.set_y_axis(categories)
        chart.set_x_axis(values | {"label_position": "high"})
    else:
        chart.set_x_axis(categories)
        chart.set_y_axis(values)
    chart.set_legend({"position": "bottom", "font": _FONT} if several else {"none": True})
    chart.set_chartarea({"border": {"none": True}})
    chart.show_blanks_as("gap")
