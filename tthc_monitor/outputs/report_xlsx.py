"""The monthly report as a workbook: form II.06a with its checks, and the lists behind it.

Everything that came from a source is written as text, so a code that begins with ``=`` never becomes a formula.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pandas as pd
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.report import MonthlyReport
from tthc_monitor.outputs.report_form import COUNT_TITLES, ERRATA_SHEET, draw_form, frozen_line
from tthc_monitor.outputs.report_styles import Styles, print_setup, row_height
from tthc_monitor.outputs.whole_file import write_whole

MAX_LIST_ROWS: Final = 200_000
"""Dossiers that one list sheet carries; how many more there are is said beneath."""

_LONGEST_CELL: Final = 32_000
_FIRST_EXCEL_YEAR: Final = 1900


@dataclass(frozen=True)
class Column:
    """One column of a list sheet: heading, width in characters, and how a value is written."""

    title: str
    width: float
    write: Callable[[Worksheet, int, int, Any], object]
    values: Sequence[Any]


def write_report(report: MonthlyReport, path: Path) -> Path:
    """Write the workbook; a reader never sees half of it.

    Returns:
        ``path``.

    Raises:
        DeliveryError: the folder cannot be written.
    """
    return write_whole(path, lambda temporary: _write_workbook(report, temporary))


def _write_workbook(report: MonthlyReport, path: Path) -> None:
    options = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(path, options) as workbook:
        workbook.set_properties({"title": f"Kết quả giải quyết TTHC {report.period.label}", "author": "tthc-monitor"})
        workbook.formats[0].set_font_name("Times New Roman")
        styles = Styles(workbook)
        draw_form(workbook.add_worksheet("II.06a"), styles, report)
        _delayed(workbook.add_worksheet("Hồ sơ quá hạn"), styles, report)
        _units(workbook.add_worksheet("Theo đơn vị"), styles, report)
        _sent_back(workbook.add_worksheet("Trả lại, bổ sung"), styles, report)
        if report.errata:
            _errata(workbook.add_worksheet(ERRATA_SHEET), styles, report)


def _delayed(sheet: Worksheet, styles: Styles, report: MonthlyReport) -> None:
    rows = report.delayed.head(MAX_LIST_ROWS)
    kinds = {"late": "Đã giải quyết, quá hạn", "open_overdue": "Đang giải quyết, quá hạn"}
    text, whole, when = _writers(styles, report.period.zone)
    _list_sheet(
        sheet,
        styles,
        report,
        "DANH SÁCH HỒ SƠ QUÁ HẠN",
        [
            Column("Mã hồ sơ", 24, text, rows["code"].tolist()),
            Column("Đơn vị", 26, text, _unit_labels(rows)),
            Column("Lĩnh vực", 22, text, rows["sector"].tolist()),
            Column("Mã TTHC", 12, text, rows["procedure_code"].tolist()),
            Column("Thủ tục hành chính", 46, text, rows["procedure"].tolist()),
            Column("Ngày tiếp nhận", 17, when, rows["received_at"].tolist()),
            Column("Ngày hẹn trả", 17, when, rows["due_at"].tolist()),
            Column("Ngày kết thúc", 17, when, rows["ended_at"].tolist()),
            Column("Số ngày làm việc quá hạn", 12, whole, rows["working_days_late"].tolist()),
            Column("Tình trạng", 28, text, [kinds[verdict] for verdict in rows["verdict"]]),
        ],
        len(report.delayed),
        "Số ngày làm việc quá hạn tính từ sau ngày hẹn trả; 0 là quá hạn trong chính ngày hẹn trả. Hồ sơ chưa kết "
        "thúc tính đến hết kỳ báo cáo; kỳ chưa kết thúc thì tính đến thời điểm lập báo cáo.",
        _as_known_now(report),
    )


def _units(sheet: Worksheet, styles: Styles, report: MonthlyReport) -> None:
    rows = report.units
    text, whole, _ = _writers(styles, report.period.zone)
    share = _share_writer(styles)
    finished_known = rows["finished_early"] + rows["finished_on_time"] + rows["finished_late"]
    pending_known = rows["pending_in_time"] + rows["pending_overdue"]
    _list_sheet(
        sheet,
        styles,
        report,
        "XẾP THEO SỐ HỒ SƠ QUÁ HẠN CỦA ĐƠN VỊ",
        [
            Column("TT", 6, whole, list(range(1, len(rows) + 1))),
            Column("Đơn vị", 34, text, _unit_labels(rows)),
            Column("Mã đơn vị", 16, text, rows["unit_code"].tolist()),
            Column("Quá hạn (đã và đang giải quyết)", 14, whole, rows["late"].tolist()),
            Column("Đã giải quyết, có hạn (mẫu số)", 14, whole, finished_known.tolist()),
            Column("Đã giải quyết quá hạn", 12, whole, rows["finished_late"].tolist()),
            Column("Tỷ lệ đúng hạn", 18, share, rows["on_time_percent"].tolist()),
            Column("Đang giải quyết, có hạn (mẫu số)", 14, whole, pending_known.tolist()),
            Column("Đang giải quyết quá hạn", 12, whole, rows["pending_overdue"].tolist()),
            Column("Tỷ lệ còn trong hạn", 18, share, rows["pending_in_time_percent"].tolist()),
            Column("Chưa xác định hạn", 12, whole, (rows["finished_unknown"] + rows["pending_unknown"]).tolist()),
        ],
        len(rows),
        "Tỷ lệ đúng hạn = (trước hạn + đúng hạn) / hồ sơ đã giải quyết có hạn. Tỷ lệ còn trong hạn = trong hạn / hồ sơ "
        "đang giải quyết có hạn. Hồ sơ chưa xác định hạn không nằm trong tử số, mẫu số.",
        frozen_line(report),
    )


def _sent_back(sheet: Worksheet, styles: Styles, report: MonthlyReport) -> None:
    rows = report.sent_back.head(MAX_LIST_ROWS)
    kinds = {"returned": "Trả lại, từ chối, dừng", "supplement_requested": "Yêu cầu bổ sung"}
    text, whole, when = _writers(styles, report.period.zone)
    waiting = ["Đang chờ" if still else "" for still in rows["still_waiting"]]
    requests = [None if pd.isna(count) else int(count) for count in rows["supplement_count"]]
    _list_sheet(
        sheet,
        styles,
        report,
        "HỒ SƠ TRẢ LẠI, YÊU CẦU BỔ SUNG TRONG KỲ",
        [
            Column("Mã hồ sơ", 24, text, rows["code"].tolist()),
            Column("Đơn vị", 28, text, _unit_labels(rows)),
            Column("Lĩnh vực", 22, text, rows["sector"].tolist()),
            Column("Thủ tục hành chính", 44, text, rows["procedure"].tolist()),
            Column("Hình thức", 22, text, [kinds[kind] for kind in rows["kind"]]),
            Column("Thời điểm", 17, when, rows["happened_at"].tolist()),
            Column("Số lần yêu cầu bổ sung", 12, whole, requests),
            Column("Chờ bổ sung cuối kỳ", 14, text, waiting),
            Column("Tình trạng hiện nay", 26, text, rows["status"].tolist()),
        ],
        len(report.sent_back),
        "Mỗi lần trả lại, mỗi lần yêu cầu bổ sung còn ghi nhận là một dòng.",
        _as_known_now(report),
    )


def _errata(sheet: Worksheet, styles: Styles, report: MonthlyReport) -> None:
    rows = report.errata[:MAX_LIST_ROWS]
    text, whole, _ = _writers(styles, report.period.zone)
    _list_sheet(
        sheet,
        styles,
        report,
        "ĐÍNH CHÍNH SỐ LIỆU ĐÃ CHỐT",
        [
            Column("Đơn vị", 28, text, [wording.unit_label(one.unit_code, one.unit_name) for one in rows]),
            Column("Lĩnh vực", 24, text, [one.sector_name or one.sector_code for one in rows]),
            Column("Mã TTHC", 14, text, [one.procedure_code for one in rows]),
            Column("Thủ tục hành chính", 46, text, [one.procedure_name for one in rows]),
            Column("Chỉ tiêu (cột của Biểu II.06a)", 50, text, [COUNT_TITLES[one.figure] for one in rows]),
            Column("Số đã chốt", 12, whole, [one.frozen for one in rows]),
            Column("Số theo dữ liệu hiện có", 14, whole, [one.now for one in rows]),
            Column("Chênh lệch", 12, _difference_writer(styles), [one.now - one.frozen for one in rows]),
        ],
        len(report.errata),
        "Biểu II.06a và trang tính “Theo đơn vị” giữ nguyên số đã chốt. Trang tính này nêu từng chỉ tiêu mà dữ liệu hiện có cho "
        "số khác; chênh lệch bằng số hiện có trừ số đã chốt.",
        frozen_line(report),
    )


def _as_known_now(report: MonthlyReport) -> str:
    return "Danh sách theo dữ liệu hiện có, có thể không khớp số liệu đã chốt trên Biểu II.06a" if report.frozen else ""


def _list_sheet(
    sheet: Worksheet,
    styles: Styles,
    report: MonthlyReport,
    title: str,
    columns: Sequence[Column],
    total: int,
    note: str,
    standing: str,
) -> None:
    """A title, whether its figures stand, a table with frozen headings and filter, and what must be known to read it."""
    head = 3
    last = len(columns) - 1
    sheet.merge_range(0, 0, 0, last, title, styles(bold=True, font_size=14, align="center"))
    subtitle = ". ".join(filter(None, (period_line(report), standing)))
    sheet.merge_range(1, 0, 1, last, subtitle, styles(italic=True, align="center"))
    sheet.set_row(head, 50)
    for position, column in enumerate(columns):
        sheet.set_column(position, position, column.width)
        sheet.write_string(head, position, column.title, styles.head())
        for row, value in enumerate(column.values, start=head + 1):
            column.write(sheet, row, position, value)
    for row, values in enumerate(zip(*(column.values for column in columns), strict=True), start=head + 1):
        texts = ((value, column.width) for value, column in zip(values, columns, strict=True) if isinstance(value, str))
        sheet.set_row(row, row_height(texts))
    rows = len(columns[0].values)
    below = head + rows + 1
    if rows == 0:
        sheet.merge_range(below, 0, below, last, "Không có.", styles.cell(align="center", italic=True))
        below += 1
    if total > rows:
        sheet.write_string(below, 0, f"và {wording.number(total - rows)} dòng khác", styles(italic=True))
        below += 1
    sheet.merge_range(below + 1, 0, below + 1, last, note, styles(italic=True, text_wrap=True, valign="top"))
    sheet.set_row(below + 1, row_height([(note, sum(column.width for column in columns))]))
    sheet.autofilter(head, 0, head + max(rows, 1), last)
    sheet.freeze_panes(head + 1, 0)
    print_setup(sheet)
    sheet.repeat_rows(head)


def period_line(report: MonthlyReport) -> str:
    """The period in words, and where its figures end when it has not ended."""
    period = report.period
    line = (
        f"Kỳ báo cáo: {period.label} (Từ ngày {wording.day(period.first_day)} đến ngày {wording.day(period.last_day)})"
    )
    return f"{line}. Số liệu tính đến {wording.instant(report.as_of, period.zone)}" if report.clipped else line


def _unit_labels(rows: pd.DataFrame) -> list[str]:
    names = [name if isinstance(name, str) else None for name in rows["unit_name"]]
    return [wording.unit_label(code, name) for code, name in zip(rows["unit_code"], names, strict=True)]


Writer = Callable[[Worksheet, int, int, Any], object]


def _writers(styles: Styles, zone: str) -> tuple[Writer, Writer, Writer]:
    plain, number = styles.cell(indent=1), styles.cell(num_format="#,##0", align="right", indent=1)
    dated = styles.cell(num_format="hh:mm dd/mm/yyyy", align="center")
    local = ZoneInfo(zone)

    def text(sheet: Worksheet, row: int, column: int, value: Any) -> object:
        return sheet.write_string(row, column, value[:_LONGEST_CELL] if isinstance(value, str) else "", plain)

    def whole(sheet: Worksheet, row: int, column: int, value: Any) -> object:
        return (
            sheet.write_blank(row, column, None, number)
            if value is None
            else sheet.write_number(row, column, value, number)
        )

    def when(sheet: Worksheet, row: int, column: int, value: Any) -> object:
        if pd.isna(value):
            return sheet.write_blank(row, column, None, dated)
        moment: datetime = value.to_pydatetime().astimezone(local).replace(tzinfo=None)
        if moment.year <= _FIRST_EXCEL_YEAR:  # Excel knows no earlier days
            return sheet.write_string(row, column, wording.short_instant(value.to_pydatetime(), zone), dated)
        return sheet.write_datetime(row, column, moment, dated)

    return text, whole, when


def _difference_writer(styles: Styles) -> Writer:
    number = styles.cell(num_format="+#,##0;-#,##0;0", align="right", indent=1, bold=True)
    return lambda sheet, row, column, value: sheet.write_number(row, column, value, number)


def _share_writer(styles: Styles) -> Writer:
    number, empty = styles.cell(num_format='0.00"%"', align="right", indent=1), styles.cell(italic=True, align="center")

    def share(sheet: Worksheet, row: int, column: int, value: Any) -> object:
        if pd.isna(value):
            return sheet.write_string(row, column, wording.NO_DATA, empty)
        return sheet.write_number(row, column, float(value), number)

    return share
