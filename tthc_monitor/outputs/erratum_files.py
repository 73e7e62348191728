"""The erratum of a frozen period in the format that is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import xlsxwriter

from tthc_monitor.domain.periods import Period
from tthc_monitor.outputs.erratum_tables import period_words
from tthc_monitor.outputs.report_csv import write_tables
from tthc_monitor.outputs.report_sheets import draw_table
from tthc_monitor.outputs.report_styles import Styles
from tthc_monitor.outputs.report_tables import Table
from tthc_monitor.outputs.sheet_rows import LongSheet
from tthc_monitor.outputs.whole_file import write_whole

TITLE: Final = "Đính chính số liệu kết quả giải quyết TTHC"


def write_erratum(tables: Sequence[Table], period: Period, path: Path, made_at: datetime) -> Path:
    """Write a workbook with a sheet for each table; a reader never sees half of it.

    Args:
        made_at: when it is made (UTC); it is told among the properties of the file.

    Raises:
        DeliveryError: the folder cannot be written.
    """

    def write(temporary: Path) -> None:
        options = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
        with xlsxwriter.Workbook(temporary, options) as workbook:
            workbook.set_properties(
                {"title": f"{TITLE} {period.label}", "author": "tthc-monitor", "created": made_at.replace(tzinfo=None)}
            )
            workbook.formats[0].set_font_name("Times New Roman")
            styles = Styles(workbook)
            for table in tables:
                draw_table(
                    workbook.add_worksheet(table.sheet, LongSheet), styles, table, period_words(period), period.zone
                )

    return write_whole(path, write)


def write_erratum_csv(tables: Sequence[Table], period: Period, folder: Path) -> list[Path]:
    """Write a CSV file for each table into a folder; returns the files.

    Raises:
        DeliveryError: the folder cannot be written.
    """
    return write_tables(tables, folder, period.zone)
