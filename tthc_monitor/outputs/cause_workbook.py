"""A workbook of delayed dossiers in which people say why: a drop-down of causes on each row, read back by ``causes import``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from tthc_monitor.domain.causes import CLASS_TITLES, COLUMNS, TAKE_BACK, CauseList
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.frames import records
from tthc_monitor.outputs.report import MonthlyReport
from tthc_monitor.outputs.report_causes import Causes
from tthc_monitor.outputs.report_styles import Styles, print_setup, row_height
from tthc_monitor.outputs.whole_file import write_whole

DOSSIERS: Final = "Hồ sơ quá hạn"
CODES: Final = "Danh mục"
_NUMBER, _CAUSE, _NOTE = COLUMNS
_TEXTS: Final = (
    (_NUMBER, 24), ("Đơn vị", 28), ("Thủ tục hành chính", 44), ("Ngày hẹn trả", 17), ("Số ngày làm việc quá hạn", 12),
    ("Nguyên nhân đang ghi nhận", 34), ("Căn cứ", 44), ("Khâu chậm", 30), (_CAUSE, 44), (_NOTE, 40),
)  # fmt: skip


def write_cause_workbook(report: MonthlyReport, path: Path) -> Path:
    """Write the workbook; a reader never sees half of it.

    Args:
        report: with :class:`~tthc_monitor.outputs.report_causes.Causes` among its topics.

    Raises:
        DeliveryError: the folder cannot be written.
    """
    causes = next(topic for topic in report.topics if isinstance(topic, Causes))
    return write_whole(path, lambda temporary: _write(report, causes, temporary))


def _write(report: MonthlyReport, causes: Causes, path: Path) -> None:
    options = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(path, options) as workbook:
        workbook.set_properties({"title": f"Nguyên nhân quá hạn {report.period.label}", "author": "tthc-monitor"})
        workbook.formats[0].set_font_name("Times New Roman")
        styles = Styles(workbook)
        _dossiers(workbook.add_worksheet(DOSSIERS), styles, report, causes)
        _codes(workbook.add_worksheet(CODES), styles, causes.causes)


def _dossiers(sheet: Worksheet, styles: Styles, report: MonthlyReport, causes: Causes) -> None:
    head, cell = styles.head(), styles.cell(valign="top")
    day = styles.cell(num_format="dd/mm/yyyy hh:mm", align="center", valign="top")
    count = styles.cell(num_format="#,##0", align="center", valign="top")
    asked = styles.cell(bg_color="#FFF2CC", valign="top")
    for column, (title, width) in enumerate(_TEXTS):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, title, head)
    sheet.set_row(0, 52)
    told = causes.delayed()
    zone = ZoneInfo(report.period.zone)
    for line, row in enumerate(records(report.delayed), start=1):
        said = told.loc[row["dossier_id"]]
        unit = wording.unit_label(row["unit_code"], row["unit_name"] if isinstance(row["unit_name"], str) else None)
        texts = {
            0: row["code"],
            1: unit,
            2: row["procedure"],
            5: said["cause"],
            6: said["cause_basis"],
            7: said["fault"],
        }
        for column, text in texts.items():
            sheet.write_string(line, column, text if isinstance(text, str) else "", cell)
        due: datetime = row["due_at"].to_pydatetime().astimezone(zone).replace(tzinfo=None)
        if due.year >= 1900:
            sheet.write_datetime(line, 3, due, day)
        else:
            sheet.write_string(line, 3, wording.day(due.date()), day)
        sheet.write_number(line, 4, int(row["working_days_late"]), count)
        for column in (8, 9):
            sheet.write_blank(line, column, None, asked)
        widths = [(str(texts[column] or ""), _TEXTS[column][1]) for column in texts]
        sheet.set_row(line, row_height([(text, float(width)) for text, width in widths]))
    last = max(len(report.delayed), 1)
    choices = f"='{CODES}'!$A$2:$A${len(causes.causes.causes) + 2}"
    sheet.data_validation(
        1,
        8,
        last,
        8,
        {
            "validate": "list",
            "source": choices,
            "error_title": _CAUSE,
            "error_message": f"Chọn một nguyên nhân ở trang {CODES}.",
        },
    )
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, last, len(_TEXTS) - 1)
    print_setup(sheet)
    sheet.repeat_rows(0)


def _codes(sheet: Worksheet, styles: Styles, causes: CauseList) -> None:
    rows = [(cause.name, CLASS_TITLES[cause.kind]) for cause in causes.causes]
    rows.append((TAKE_BACK, "(rút lại nguyên nhân đã xác định trước đây)"))
    for column, (title, width) in enumerate((("Nguyên nhân", 70), ("Loại", 50))):
        sheet.set_column(column, column, width)
        sheet.write_string(0, column, title, styles.head())
    for line, row in enumerate(rows, start=1):
        for column, text in enumerate(row):
            sheet.write_string(line, column, text, styles.cell())
    for line, text in enumerate(
        (
            f"Chọn nguyên nhân ở cột “{_CAUSE}”, ghi căn cứ ở cột “{_NOTE}” (không ghi họ tên, thông tin của người dân); dòng để trống giữ "
            "nguyên như đang ghi nhận.",
            f"“{TAKE_BACK}” rút lại nguyên nhân đã xác định trước đây. Điền xong, gửi lại tệp này cho nơi đã gửi.",
        ),
        start=len(rows) + 2,
    ):
        sheet.write_string(line, 0, text, styles(italic=True))
    sheet.freeze_panes(1, 0)
