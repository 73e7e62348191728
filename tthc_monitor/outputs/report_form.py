"""Form II.06a on a sheet: heading, two levels of column titles, units with their sectors, checks and notes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
from xlsxwriter.worksheet import Worksheet

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.report import MonthlyReport
from tthc_monitor.outputs.report_columns import CARRIED_OVER, form_columns
from tthc_monitor.outputs.report_styles import Styles, print_setup, row_height
from tthc_monitor.outputs.sealed import head_line

TITLE: Final = "TÌNH HÌNH, KẾT QUẢ GIẢI QUYẾT TTHC TẠI CƠ QUAN, ĐƠN VỊ TRỰC TIẾP GIẢI QUYẾT TTHC"

ERRATA_SHEET: Final = "Đính chính"
"""Name of the sheet that lists what changed since a period was frozen."""

NOTES: Final = (
    "Cột (4) là hồ sơ nộp trực tuyến; cột (5) là hồ sơ nộp trực tiếp, qua dịch vụ bưu chính, ki-ốt và hồ sơ "
    "không rõ kênh.",
    "Cột (6) là hồ sơ tiếp nhận trước kỳ, đến đầu kỳ chưa kết thúc.",
    "Cột (8), (9): kết thúc trước ngày hẹn trả, hoặc trong ngày hẹn trả và không muộn hơn giờ hẹn trả, gồm cả hồ sơ "
    "trả lại, từ chối, dừng xử lý và công dân xin rút. Cột (10): kết thúc sau thời điểm hẹn trả, kể cả trả lại, từ chối, dừng, rút "
    "sau thời điểm đó. Hồ sơ bị từ chối hoặc được rút khi chưa tiếp nhận không có trong biểu.",
    "Cột (12) gồm cả hồ sơ đang chờ công dân bổ sung và chờ thực hiện nghĩa vụ tài chính mà chưa đến hạn. Cột (13): đã "
    "qua thời điểm hẹn trả mà chưa kết thúc. Trong khi chờ bổ sung, thời hạn tạm dừng; hạn qua trong lúc chờ được lùi bằng thời gian "
    "còn lại khi yêu cầu bổ sung.",
    "Hạn là ngày hẹn trả hiện hành (sau lần hẹn lại gần nhất, nếu có).",
    "Cột (14), (15): không có ngày hẹn trả, hoặc không rõ thời điểm kết thúc; đã tính trong tổng số (7), (11), không "
    "tính là đúng hạn hay trong hạn.",
    "Bộ chỉ số 766 xếp khác: hồ sơ đang giải quyết còn trong hạn là đúng hạn; yêu cầu bổ sung từ lần thứ hai là quá hạn; không có ngày "
    "hẹn trả thì so với thời hạn tối đa của thủ tục. Vì vậy điểm tiến độ khác tỷ lệ đúng hạn của biểu này.",
)
"""How dossiers are sorted into the columns; printed beneath the form."""


def notes_of(report: MonthlyReport) -> list[str]:
    """What must be known to read the form of a report: of its columns, then of the choice of units."""
    return [*NOTES, *report.unit_notes]


COUNT_TITLES: Final = {
    "received_online": "(4) Nhận trong kỳ: trực tuyến",
    "received_direct": "(5) Nhận trong kỳ: trực tiếp, dịch vụ bưu chính",
    "carried_over": "(6) Từ kỳ trước",
    "finished_early": "(8) Đã giải quyết: trước hạn",
    "finished_on_time": "(9) Đã giải quyết: đúng hạn",
    "finished_late": "(10) Đã giải quyết: quá hạn",
    "finished_unknown": "(14) Đã giải quyết: chưa xác định hạn",
    "pending_in_time": "(12) Đang giải quyết: trong hạn",
    "pending_overdue": "(13) Đang giải quyết: quá hạn",
    "pending_unknown": "(15) Đang giải quyết: chưa xác định hạn",
}
"""Each count by its column of the form."""

_NAME_WIDTH: Final = 40
_COUNT_WIDTH: Final = 10.5
_LAST: Final = 14  # zero-based index of column (15)
_HEAD_ROW: Final = 7
_GROUPS: Final = (
    (2, 5, "Nhận giải quyết"),
    (6, 9, "Đã giải quyết"),
    (10, 12, "Đang giải quyết"),
    (13, 14, "Chưa xác định hạn"),
)
_TITLES: Final = (
    "Tổng số",
    "Trong kỳ: Trực tuyến",
    "Trong kỳ: Trực tiếp, dịch vụ bưu chính",
    "Từ kỳ trước",
    "Tổng số",
    "Trước hạn",
    "Đúng hạn",
    "Quá hạn",
    "Tổng số",
    "Trong hạn",
    "Quá hạn",
    "Đã giải quyết",
    "Đang giải quyết",
)


def draw_form(sheet: Worksheet, styles: Styles, report: MonthlyReport) -> None:
    """Draw the form of a report on an empty sheet."""
    _heading(sheet, styles, report)
    _column_titles(sheet, styles)
    below = _body(sheet, styles, report.figures)
    below = _checks(sheet, styles, report, below + 1)
    below = _errata(sheet, styles, report, below + 1)
    _notes(sheet, styles, report, below)
    sheet.set_column(0, 0, 6)
    sheet.set_column(1, 1, _NAME_WIDTH)
    sheet.set_column(2, _LAST, _COUNT_WIDTH)
    sheet.freeze_panes(_HEAD_ROW + 3, 2)
    print_setup(sheet)
    sheet.repeat_rows(_HEAD_ROW, _HEAD_ROW + 2)


def _heading(sheet: Worksheet, styles: Styles, report: MonthlyReport) -> None:
    period = report.period
    centred = {"align": "center"}
    sheet.write_string(0, 0, "Biểu số II.06a/VPCP/KSTT", styles(bold=True))
    sheet.merge_range(1, 0, 1, _LAST, TITLE, styles(bold=True, font_size=14, **centred))
    dates = f"(Từ ngày {wording.day(period.first_day)} đến ngày {wording.day(period.last_day)})"
    sheet.merge_range(2, 0, 2, _LAST, f"Kỳ báo cáo: {period.label} {dates}", styles(**centred))
    if report.clipped:
        said = f"Số liệu tính đến {wording.instant(report.as_of, period.zone)} (kỳ báo cáo chưa kết thúc)"
        sheet.merge_range(3, 0, 3, _LAST, said, styles(bold=True, italic=True, font_color="#B3261E", **centred))
    if report.frozen:
        sheet.merge_range(3, 0, 3, _LAST, frozen_line(report), styles(bold=True, italic=True, **centred))
    sheet.write_string(4, 0, f"Đơn vị báo cáo: {report.reporting_unit}", styles())
    sheet.write_string(5, 0, "Đơn vị nhận báo cáo: ………………………………", styles())
    sheet.merge_range(5, _LAST - 4, 5, _LAST, "Đơn vị tính: Số hồ sơ TTHC", styles(italic=True, align="right"))


def _column_titles(sheet: Worksheet, styles: Styles) -> None:
    head = styles.head()
    sheet.set_row(_HEAD_ROW, 22)
    sheet.set_row(_HEAD_ROW + 1, 66)
    sheet.merge_range(_HEAD_ROW, 0, _HEAD_ROW + 1, 0, "TT", head)
    sheet.merge_range(_HEAD_ROW, 1, _HEAD_ROW + 1, 1, "Lĩnh vực, công việc giải quyết theo cấp", head)
    for first, last, title in _GROUPS:
        sheet.merge_range(_HEAD_ROW, first, _HEAD_ROW, last, title, head)
    for column, title in enumerate(_TITLES, start=2):
        sheet.write_string(_HEAD_ROW + 1, column, title, head)
    for column in range(_LAST + 1):
        sheet.write_string(_HEAD_ROW + 2, column, f"({column + 1})", styles.cell(italic=True, align="center"))


def _body(sheet: Worksheet, styles: Styles, figures: pd.DataFrame) -> int:
    """Units with their sectors and the grand total; gives the row after it."""
    row = _HEAD_ROW + 3
    columns = form_columns(figures)
    # Plain numbers: thousands of lines looked up in a frame take longer than they take to write.
    counts = dict(zip(columns.index, columns.to_numpy().tolist(), strict=True))
    for number, (code, rows) in enumerate(figures.groupby("unit_code", sort=False), start=1):
        name = rows["unit_name"].iloc[0]
        label = wording.unit_label(str(code), name if isinstance(name, str) else None)
        row = _line(sheet, styles, row, roman(number), label, columns.loc[rows.index].sum().tolist(), bold=True)
        for place, (index, sector) in enumerate(zip(rows.index, rows.to_dict("records"), strict=True), start=1):
            title = sector["sector_name"] if isinstance(sector["sector_name"], str) else sector["sector_code"]
            row = _line(sheet, styles, row, str(place), title or "Chưa rõ lĩnh vực", counts[index], bold=False)
    return _line(sheet, styles, row, "", "TỔNG CỘNG", columns.sum().tolist(), bold=True, bg_color="#F2F2F2")


def _line(
    sheet: Worksheet, styles: Styles, row: int, place: str, label: str, counts: Sequence[int], **look: Any
) -> int:
    sheet.write_string(row, 0, place, styles.cell(align="center", **look))
    sheet.write_string(row, 1, label, styles.cell(indent=1, **look))
    # Bold letters are a little wider.
    sheet.set_row(row, row_height([(label, _NAME_WIDTH / 1.06 if look.get("bold") else _NAME_WIDTH)]))
    number = styles.cell(num_format="#,##0_)", align="right", **look)
    for column, count in zip(range(2, _LAST + 1), counts, strict=True):
        sheet.write_number(row, column, count, number)
    return row + 1


def _checks(sheet: Worksheet, styles: Styles, report: MonthlyReport, row: int) -> int:
    sheet.write_string(row, 0, "Kiểm tra số liệu (trên từng dòng; giá trị của dòng tổng cộng)", styles(bold=True))
    for check in report.checks:
        row += 1
        sheet.write_string(row, 1, check.name, styles.cell())
        sheet.write_number(row, 2, check.left, styles.cell(num_format="#,##0", align="right"))
        sheet.write_number(row, 3, check.right, styles.cell(num_format="#,##0", align="right"))
        colour = "#1B6E3C" if check.passed else "#B3261E"
        said = "ĐẠT" if check.passed else f"KHÔNG ĐẠT ({wording.number(check.failing_rows)} dòng)"
        sheet.merge_range(row, 4, row, 6, said, styles.cell(bold=True, align="center", font_color=colour))
        if check.name == CARRIED_OVER and not check.passed and (report.frozen or report.frozen_before):
            said = "Số liệu kỳ này hoặc kỳ trước đã chốt; chênh lệch có thể do dữ liệu thay đổi sau khi chốt."
            sheet.merge_range(row, 7, row, _LAST, said, styles(italic=True, text_wrap=True, indent=1))
            sheet.set_row(row, row_height([(said, (_LAST - 6) * _COUNT_WIDTH)]))
    return row + 1


def frozen_line(report: MonthlyReport) -> str:
    """When and by whom the figures of a report were frozen; empty when they were not."""
    return f"{frozen_since(report)} (người chốt: {report.frozen.person})" if report.frozen else ""


def frozen_since(report: MonthlyReport) -> str:
    """When the figures of a report were frozen, for a paper that is signed; empty when they were not."""
    return f"Số liệu đã chốt lúc {wording.instant(report.frozen.at, report.period.zone)}" if report.frozen else ""


def period_line(report: MonthlyReport) -> str:
    """The period in words, and where its figures end when it has not ended."""
    period = report.period
    line = (
        f"Kỳ báo cáo: {period.label} (Từ ngày {wording.day(period.first_day)} đến ngày {wording.day(period.last_day)})"
    )
    return f"{line}. Số liệu tính đến {wording.instant(report.as_of, period.zone)}" if report.clipped else line


def _errata(sheet: Worksheet, styles: Styles, report: MonthlyReport, row: int) -> int:
    if report.frozen is None:
        return row
    count = wording.number(len(report.errata))
    said = f"Có {count} đính chính, xem trang tính “{ERRATA_SHEET}”." if report.errata else "Không có đính chính."
    sheet.write_string(row, 0, said, styles(bold=True))
    return row + 2


def _notes(sheet: Worksheet, styles: Styles, report: MonthlyReport, row: int) -> None:
    notes = notes_of(report)
    sheet.write_string(row, 0, "Ghi chú cách xếp số liệu vào các cột:", styles(bold=True))
    for number, note in enumerate(notes, start=1):
        sheet.merge_range(
            row + number, 0, row + number, _LAST, f"{number}. {note}", styles(text_wrap=True, italic=True)
        )
        sheet.set_row(row + number, row_height([(note, _NAME_WIDTH + 13 * _COUNT_WIDTH)]))
    sheet.write_string(row + len(notes) + 2, 0, head_line(report.ledger_head), styles(italic=True))


def roman(number: int) -> str:
    """A number as the Romans wrote it."""
    signs = {1000: "M", 900: "CM", 500: "D", 400: "CD", 100: "C", 90: "XC", 50: "L", 40: "XL", 10: "X", 9: "IX"}
    signs |= {5: "V", 4: "IV", 1: "I"}
    text = ""
    for value, sign in signs.items():
        text += sign * (number // value)
        number %= value
    return text
