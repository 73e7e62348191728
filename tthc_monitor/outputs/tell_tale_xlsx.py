"""The tell-tale report as a workbook: a sheet of numbers, each a link to the rows behind it on the second sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pandas as pd
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.report_styles import Styles, print_setup, row_height
from tthc_monitor.outputs.sealed import head_line
from tthc_monitor.outputs.spreadsheet_cells import is_dangerous
from tthc_monitor.outputs.tell_tale import CAUTION, INSTANTS, NOT_APPLIED, TellTale
from tthc_monitor.outputs.whole_file import write_whole

NUMBERS: Final = "Dấu hiệu"
BEHIND: Final = "Hồ sơ"
MAX_ROWS: Final = 200_000
"""Rows of the second sheet; how many more there are is said beneath."""

_HEAD: Final = 3
_UNIT_WIDTH: Final = 34
"""In characters; LibreOffice needs more than Excel for the same name."""

_FIRST_EXCEL_YEAR: Final = 1900
_LIST: Final = {
    "unit": ("Đơn vị", _UNIT_WIDTH),
    "figure_name": ("Dấu hiệu", 30),
    "code": ("Mã hồ sơ", 24),
    "procedure": ("Thủ tục hành chính", 40),
    "received_at": ("Tiếp nhận", 22),
    "due_at": ("Ngày hẹn trả khi ấy", 22),
    "claimed_at": ("Nguồn ghi xảy ra lúc", 22),
    "seen_before": ("Lần cuối thấy chưa xảy ra", 22),
    "seen_at": ("Thấy đã xảy ra lúc", 22),
    "gap": ("Ghi sớm hơn lần cuối thấy chưa xảy ra (giờ)", 15),
}


def write_workbook(report: TellTale, path: Path) -> Path:
    """Write the workbook; a reader never sees half of it.

    Returns:
        ``path``.

    Raises:
        DeliveryError: the folder cannot be written.
    """
    return write_whole(path, lambda temporary: _write(report, temporary))


def _write(report: TellTale, path: Path) -> None:
    options = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(path, options) as workbook:
        workbook.set_properties({"title": f"Dấu hiệu cần kiểm tra {report.period.label}", "author": "tthc-monitor"})
        workbook.formats[0].set_font_name("Times New Roman")
        styles = Styles(workbook)
        _numbers(workbook.add_worksheet(NUMBERS), styles, report)
        _behind(workbook.add_worksheet(BEHIND), styles, report)


def _numbers(sheet: Worksheet, styles: Styles, report: TellTale) -> None:
    last = len(report.figures) + 1
    _title(sheet, styles, report, "DẤU HIỆU CẦN KIỂM TRA THEO ĐƠN VỊ", last)
    head, count = styles.head(), styles.cell(num_format="#,##0", align="center")
    linked = styles.cell(num_format="#,##0", align="center", font_color="#0563C1", underline=1)
    absent = styles.cell(italic=True, align="center", font_color="#7F7F7F")
    titles = ["Đơn vị", *(figure.title for figure in report.figures), "Số hồ sơ có dấu hiệu"]
    for column, title in enumerate(titles):
        sheet.set_column(column, column, _UNIT_WIDTH if column == 0 else 14)
        sheet.write_string(_HEAD, column, title, head)
    sheet.set_row(_HEAD, 84)
    first = _first_rows(report)
    for row, (unit, label) in enumerate(
        zip(report.counts["unit_code"], report.unit_labels(), strict=True), start=_HEAD + 1
    ):
        _text(sheet, row, 0, label, styles)
        sheet.set_row(row, row_height([(label, _UNIT_WIDTH)]))
        for column, figure in enumerate(report.figures, start=1):
            value = report.counts[figure.name].iloc[row - _HEAD - 1]
            behind = first.get((unit, figure.name))
            if not figure.applied:
                sheet.write_string(row, column, NOT_APPLIED, absent)
            elif behind is not None and behind <= MAX_ROWS + _HEAD:
                # The number over the link: it stays a number, and can be summed.
                sheet.write_url(row, column, f"internal:'{BEHIND}'!A{behind + 1}", linked)
                sheet.write_number(row, column, int(value), linked)
            else:
                sheet.write_number(row, column, int(value), count)
        sheet.write_number(row, last, int(report.counts["dossiers"].iloc[row - _HEAD - 1]), count)
    below = _HEAD + 1 + len(report.counts)
    if report.counts.empty:
        sheet.merge_range(below, 0, below, last, report.nothing, styles.cell(align="center", italic=True))
    else:
        _totals(sheet, styles, report, below)
    sheet.merge_range(below + 2, 0, below + 2, last, CAUTION, styles(italic=True, text_wrap=True, valign="top"))
    sheet.set_row(below + 2, row_height([(CAUTION, _UNIT_WIDTH + 14 * last)]))
    sheet.merge_range(below + 3, 0, below + 3, last, head_line(report.ledger_head), styles(font_size=10))
    sheet.freeze_panes(_HEAD + 1, 1)
    print_setup(sheet)
    sheet.repeat_rows(_HEAD)


def _totals(sheet: Worksheet, styles: Styles, report: TellTale, row: int) -> None:
    bold = styles.cell(bold=True, num_format="#,##0", align="center")
    sheet.write_string(row, 0, "Cộng", styles.cell(bold=True, indent=1))
    for column, figure in enumerate(report.figures, start=1):
        if figure.applied:
            sheet.write_number(row, column, int(report.counts[figure.name].sum()), bold)
        else:
            sheet.write_string(row, column, "", bold)
    sheet.write_number(row, len(report.figures) + 1, int(report.counts["dossiers"].sum()), bold)


def _behind(sheet: Worksheet, styles: Styles, report: TellTale) -> None:
    rows = report.dossiers.head(MAX_ROWS)
    last = len(_LIST) - 1
    _title(sheet, styles, report, "HỒ SƠ ĐỨNG SAU TỪNG CON SỐ", last)
    for column, (title, width) in enumerate(_LIST.values()):
        sheet.set_column(column, column, width)
        sheet.write_string(_HEAD, column, title, styles.head())
    sheet.set_row(_HEAD, 68)
    labels = dict(zip(report.counts["unit_code"], report.unit_labels(), strict=True))
    hours = styles.cell(num_format="#,##0.0", align="center")
    for row, one in enumerate(rows.to_dict("records"), start=_HEAD + 1):
        procedure = " ".join(
            value for value in (one["procedure_code"], one["procedure_name"]) if isinstance(value, str)
        )
        texts = {
            "unit": labels[one["unit_code"]],
            "figure_name": one["figure_name"],
            "code": one["code"],
            "procedure": procedure,
        }
        for column, (name, (_, _width)) in enumerate(_LIST.items()):
            if name in texts:
                _text(sheet, row, column, texts[name], styles)
            elif name in INSTANTS:
                _instant(sheet, row, column, one[name], styles, report.period.zone)
            else:
                early = (one["seen_before"] - one["claimed_at"]).total_seconds() / 3600
                if one["figure"] == "finish_backdated" and not pd.isna(early):
                    sheet.write_number(row, column, early, hours)
                else:
                    sheet.write_blank(row, column, None, hours)
        wrapped = ((value, _LIST[name][1]) for name, value in texts.items() if isinstance(value, str))
        sheet.set_row(row, row_height(wrapped))
    if len(report.dossiers) > len(rows):
        more = f"và {wording.number(len(report.dossiers) - len(rows))} dòng khác"
        sheet.write_string(_HEAD + 1 + len(rows), 0, more, styles(italic=True))
    sheet.autofilter(_HEAD, 0, _HEAD + max(len(rows), 1), last)
    sheet.freeze_panes(_HEAD + 1, 0)
    print_setup(sheet)
    sheet.repeat_rows(_HEAD)


def _first_rows(report: TellTale) -> dict[tuple[str | None, str], int]:
    """Row on the second sheet, from 0, of the first dossier of each unit and figure."""
    first: dict[tuple[str | None, str], int] = {}
    for row, key in enumerate(
        zip(report.dossiers["unit_code"], report.dossiers["figure"], strict=True), start=_HEAD + 1
    ):
        first.setdefault(key, row)
    return first


def _title(sheet: Worksheet, styles: Styles, report: TellTale, title: str, last: int) -> None:
    period = report.period
    line = f"Kỳ: {period.label}. Số liệu tính đến {wording.instant(report.as_of, period.zone)}"
    sheet.merge_range(0, 0, 0, last, title, styles(bold=True, font_size=14, align="center"))
    sheet.merge_range(1, 0, 1, last, line, styles(italic=True, align="center"))


def _text(sheet: Worksheet, row: int, column: int, value: Any, styles: Styles) -> None:
    """A text, never a formula, also when somebody edits the cell or saves the sheet as CSV and opens that."""
    text = value if isinstance(value, str) else ""
    style = styles.cell(indent=1, quote_prefix=True) if is_dangerous(text) else styles.cell(indent=1)
    sheet.write_string(row, column, text, style)


def _instant(sheet: Worksheet, row: int, column: int, value: Any, styles: Styles, zone: str) -> None:
    dated = styles.cell(num_format="hh:mm:ss dd/mm/yyyy", align="center")
    if pd.isna(value):
        sheet.write_blank(row, column, None, dated)
        return
    moment = value.to_pydatetime().astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    if moment.year <= _FIRST_EXCEL_YEAR:  # Excel knows no earlier days
        sheet.write_string(row, column, wording.short_instant(value.to_pydatetime(), zone), dated)
    else:
        sheet.write_datetime(row, column, moment, dated)
