"""The tables that every report has: form II.06a, units, sectors and procedures ranked, and errata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.report import MonthlyReport
from tthc_monitor.outputs.report_columns import form_columns
from tthc_monitor.outputs.report_counts import late_by_procedure, share_of
from tthc_monitor.outputs.report_dossier_tables import as_known_now, delayed_table, sent_back_table
from tthc_monitor.outputs.report_form import COUNT_TITLES, ERRATA_SHEET, NOTES, TITLE, frozen_line
from tthc_monitor.outputs.report_labels import named, unit_labels
from tthc_monitor.outputs.report_tables import Table, TableChart, TableColumn

FORM_SHEET: Final = "II.06a"
"""Name of the sheet on which the form is drawn as the form that it is."""

_CHARTED: Final = 10
_FORM_COLUMNS: Final = {
    3: ("total", "(3) Nhận giải quyết: tổng số"),
    4: ("received_online", COUNT_TITLES["received_online"]),
    5: ("received_direct", COUNT_TITLES["received_direct"]),
    6: ("carried_over", COUNT_TITLES["carried_over"]),
    7: ("finished", "(7) Đã giải quyết: tổng số"),
    8: ("finished_early", COUNT_TITLES["finished_early"]),
    9: ("finished_on_time", COUNT_TITLES["finished_on_time"]),
    10: ("finished_late", COUNT_TITLES["finished_late"]),
    11: ("pending", "(11) Đang giải quyết: tổng số"),
    12: ("pending_in_time", COUNT_TITLES["pending_in_time"]),
    13: ("pending_overdue", COUNT_TITLES["pending_overdue"]),
    14: ("finished_unknown", COUNT_TITLES["finished_unknown"]),
    15: ("pending_unknown", COUNT_TITLES["pending_unknown"]),
}
_SHARES_NOTE: Final = (
    "Tỷ lệ đúng hạn = (trước hạn + đúng hạn) / hồ sơ đã giải quyết có hạn. Tỷ lệ còn trong hạn = trong hạn / hồ sơ "
    "đang giải quyết có hạn. Tỷ trọng = quá hạn / tổng số hồ sơ quá hạn. Hồ sơ chưa xác định hạn không nằm trong tử số, "
    "mẫu số."
)
_OF_FIGURES: Final = frozenset(
    (
        *("comparison", "comparison-shares", "trend", "progress-766", "focus-sectors", "sectors-to-explain", "heads"),
        *("indices", "proposals"),
    )
)
"""Tables of topics that rest on the figures of the form, or say themselves what they rest on."""


def report_tables(report: MonthlyReport) -> tuple[Table, ...]:
    """Every table of a report, those of its topics included, in the order of its sheets.

    The form stands among them as plain rows; its sheet is drawn by :mod:`tthc_monitor.outputs.report_form`.
    """
    return (
        _form(report),
        _units(report),
        _sectors(report),
        _procedures(report),
        delayed_table(report),
        sent_back_table(report),
        *(_standing(report, table) for topic in report.topics for table in topic.tables()),
        _errata(report),
    )


def _standing(report: MonthlyReport, table: Table) -> Table:
    """A table of a topic; what was counted anew for a period that is frozen says so."""
    if table.standing or table.key in _OF_FIGURES:
        return table
    return replace(table, standing=as_known_now(report))


def _form(report: MonthlyReport) -> Table:
    figures = report.figures
    counts = form_columns(figures).rename(columns={number: name for number, (name, _) in _FORM_COLUMNS.items()})
    labels = figures[["unit_code", "sector_code"]].assign(
        unit=unit_labels(figures), sector=named(figures, "sector_name", "sector_code", "Chưa rõ lĩnh vực")
    )
    return Table(
        "form-ii-06a",
        FORM_SHEET,
        TITLE,
        (
            TableColumn("unit_code", "Mã đơn vị", "code"),
            TableColumn("unit", "Đơn vị"),
            TableColumn("sector_code", "Mã lĩnh vực", "code"),
            TableColumn("sector", "Lĩnh vực"),
            *(TableColumn(name, title, "count") for name, title in _FORM_COLUMNS.values()),
        ),
        labels.join(counts),
        ("Mỗi dòng là một lĩnh vực của một đơn vị; dòng của đơn vị và dòng tổng cộng là tổng các dòng ấy.", *NOTES),
        standing=frozen_line(report),
    )


def _units(report: MonthlyReport) -> Table:
    code = TableColumn("unit_code", "Mã đơn vị", "code")
    labels = unit_labels(report.units)
    return _ranked(report, "units", "Theo đơn vị", "ĐƠN VỊ", code, TableColumn("unit", "Đơn vị"), report.units, labels)


def _sectors(report: MonthlyReport) -> Table:
    code = TableColumn("sector_code", "Mã lĩnh vực", "code")
    labels = named(report.sectors, "sector_name", "sector_code", "Chưa rõ lĩnh vực")
    name = TableColumn("sector", "Lĩnh vực")
    return _ranked(report, "sectors", "Theo lĩnh vực", "LĨNH VỰC", code, name, report.sectors, labels)


def _ranked(
    report: MonthlyReport,
    key: str,
    sheet: str,
    whose: str,
    code: TableColumn,
    name: TableColumn,
    rows: pd.DataFrame,
    labels: Sequence[str],
) -> Table:
    charted = min(int((rows["late"] > 0).sum()), _CHARTED)
    chart = TableChart(
        "bar",
        f"Hồ sơ quá hạn theo {whose.lower()}",
        name.name,
        ("finished_late", "pending_overdue"),
        charted,
        stacked=True,
    )
    return Table(
        key,
        sheet,
        f"KẾT QUẢ GIẢI QUYẾT TTHC CỦA CÁC {whose}, XẾP THEO SỐ HỒ SƠ QUÁ HẠN",
        (
            name,
            code,
            TableColumn("total", "Phải giải quyết trong kỳ", "count"),
            TableColumn("late", "Quá hạn (đã và đang giải quyết)", "count", 14),
            TableColumn("share_of_late", "Tỷ trọng", "percent"),
            TableColumn("finished_known", "Đã giải quyết, có hạn (mẫu số)", "count", 14),
            TableColumn("finished_late", "Đã giải quyết quá hạn", "count"),
            TableColumn("on_time_percent", "Tỷ lệ đúng hạn", "percent"),
            TableColumn("pending_known", "Đang giải quyết, có hạn (mẫu số)", "count", 14),
            TableColumn("pending_overdue", "Đang giải quyết quá hạn", "count"),
            TableColumn("pending_in_time_percent", "Tỷ lệ còn trong hạn", "percent"),
            TableColumn("unknown", "Chưa xác định hạn", "count"),
        ),
        rows.assign(
            **{name.name: labels},
            total=form_columns(rows)[3],
            share_of_late=_shares(rows["late"]),
            finished_known=rows["finished_early"] + rows["finished_on_time"] + rows["finished_late"],
            pending_known=rows["pending_in_time"] + rows["pending_overdue"],
            unknown=rows["finished_unknown"] + rows["pending_unknown"],
        ),
        (_SHARES_NOTE,),
        chart if charted else None,
        standing=frozen_line(report),
    )


def _procedures(report: MonthlyReport) -> Table:
    rows = late_by_procedure(report.delayed)
    return Table(
        "procedures",
        "Theo thủ tục",
        "THỦ TỤC HÀNH CHÍNH CÓ HỒ SƠ QUÁ HẠN",
        (
            TableColumn("procedure_code", "Mã TTHC", "code"),
            TableColumn("procedure", "Thủ tục hành chính", width=70),
            TableColumn("late", "Quá hạn (đã và đang giải quyết)", "count", 14),
            TableColumn("finished_late", "Đã giải quyết quá hạn", "count"),
            TableColumn("pending_overdue", "Đang giải quyết quá hạn", "count"),
            TableColumn("share_of_late", "Tỷ trọng", "percent"),
        ),
        rows.assign(share_of_late=_shares(rows["late"])),
        ("Đếm theo danh sách hồ sơ quá hạn. Tỷ trọng = quá hạn / tổng số hồ sơ quá hạn.",),
        standing=as_known_now(report),
    )


def _errata(report: MonthlyReport) -> Table:
    names = ("unit_code", "unit", "sector", "procedure_code", "procedure", "figure", "frozen", "now", "difference")
    rows: list[Mapping[str, Any]] = [
        {
            "unit_code": one.unit_code,
            "unit": wording.unit_label(one.unit_code, one.unit_name),
            "sector": one.sector_name or one.sector_code,
            "procedure_code": one.procedure_code,
            "procedure": one.procedure_name,
            "figure": COUNT_TITLES[one.figure],
            "frozen": one.frozen,
            "now": one.now,
            "difference": one.now - one.frozen,
        }
        for one in report.errata
    ]
    return Table(
        "errata",
        ERRATA_SHEET,
        "ĐÍNH CHÍNH SỐ LIỆU ĐÃ CHỐT",
        (
            TableColumn("unit", "Đơn vị"),
            TableColumn("sector", "Lĩnh vực"),
            TableColumn("procedure_code", "Mã TTHC", "code"),
            TableColumn("procedure", "Thủ tục hành chính"),
            TableColumn("figure", "Chỉ tiêu (cột của Biểu II.06a)"),
            TableColumn("frozen", "Số đã chốt", "count"),
            TableColumn("now", "Số theo dữ liệu hiện có", "count"),
            TableColumn("difference", "Chênh lệch", "difference"),
            TableColumn("unit_code", "Mã đơn vị", "code"),
        ),
        pd.DataFrame(rows, columns=list(names)),
        (
            "Biểu II.06a và các bảng theo đơn vị, theo lĩnh vực giữ nguyên số đã chốt. Bảng này nêu từng chỉ tiêu mà dữ "
            "liệu hiện có cho số khác; chênh lệch bằng số hiện có trừ số đã chốt.",
        ),
        empty="Không có đính chính.",
        standing=frozen_line(report),
    )


def _shares(counts: pd.Series) -> pd.Series:
    total = int(counts.sum())
    return pd.Series([share_of(int(count), total) for count in counts], index=counts.index, dtype=object)
