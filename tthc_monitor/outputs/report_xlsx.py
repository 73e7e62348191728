"""The monthly report as a workbook: form II.06a with its checks, charts, and a sheet for each table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xlsxwriter

from tthc_monitor.outputs.report import MonthlyReport
from tthc_monitor.outputs.report_charts import SHEET, draw_charts, drawn
from tthc_monitor.outputs.report_form import ERRATA_SHEET, draw_form, period_line
from tthc_monitor.outputs.report_own_tables import FORM_SHEET, report_tables
from tthc_monitor.outputs.report_sheets import draw_table
from tthc_monitor.outputs.report_styles import Styles
from tthc_monitor.outputs.report_tables import Table
from tthc_monitor.outputs.sheet_rows import LongSheet
from tthc_monitor.outputs.whole_file import write_whole


def write_report(report: MonthlyReport, path: Path, tables: Sequence[Table] | None = None) -> Path:
    """Write the workbook; a reader never sees half of it. The same report gives the same bytes.

    Args:
        tables: those of the report, when they are made already.

    Returns:
        ``path``.

    Raises:
        DeliveryError: the folder cannot be written.
    """
    every = report_tables(report) if tables is None else tables
    return write_whole(path, lambda temporary: _write_workbook(report, every, temporary))


def _write_workbook(report: MonthlyReport, tables: Sequence[Table], path: Path) -> None:
    options = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(path, options) as workbook:
        workbook.set_properties(
            {
                "title": f"Kết quả giải quyết TTHC {report.period.label}",
                "author": "tthc-monitor",
                "created": report.as_of.replace(tzinfo=None),
            }
        )
        workbook.formats[0].set_font_name("Times New Roman")
        styles, line = Styles(workbook), period_line(report)
        draw_form(workbook.add_worksheet(FORM_SHEET), styles, report)
        shown = [table for table in tables if _has_sheet(table)]
        charts = workbook.add_worksheet(SHEET) if drawn(shown) else None
        for table in shown:
            draw_table(workbook.add_worksheet(table.sheet, LongSheet), styles, table, line, report.period.zone)
        if charts is not None:
            draw_charts(workbook, charts, styles, shown, line)


def _has_sheet(table: Table) -> bool:
    """The form has its own; there are errata only of a frozen period."""
    return table.sheet != FORM_SHEET and (table.sheet != ERRATA_SHEET or len(table.rows) > 0)
