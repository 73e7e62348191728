"""The erratum of a frozen period as tables: dossier by dossier with the cause, and the figures that these make up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from tthc_monitor.domain.periods import Period
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.report_form import COUNT_TITLES
from tthc_monitor.outputs.report_tables import Table, TableColumn
from tthc_monitor.store.erratum import ErratumOfPeriod, Move, Place

CAUSES: Final[Mapping[str, str]] = {
    "seen_late": "Dữ liệu về muộn: hồ sơ được thấy lần đầu sau khi chốt",
    "received_changed": "Ngày tiếp nhận thay đổi",
    "due_changed": "Ngày hẹn trả thay đổi",
    "end_told_late": "Thời điểm kết thúc được ghi sau khi chốt",
    "end_changed": "Thời điểm kết thúc thay đổi",
    "reopened": "Hồ sơ đã kết thúc nay đang giải quyết",
    "supplement_changed": "Thông tin yêu cầu bổ sung thay đổi",
    "unit_changed": "Chuyển đơn vị giải quyết",
    "procedure_changed": "Thủ tục, lĩnh vực thay đổi",
    "channel_changed": "Kênh nộp hồ sơ thay đổi",
    "kind_changed": "Loại hồ sơ thay đổi",
    "vanished": "Không còn trong hệ thống nguồn",
    "came_back": "Xuất hiện trở lại trong hệ thống nguồn",
    "status_changed": "Trạng thái thay đổi",
    "rules_changed": "Bộ quy tắc thay đổi",
    "calendar_changed": "Lịch làm việc thay đổi",
    "limits_changed": "Thời hạn giải quyết thay đổi",
    "engine_changed": "Phiên bản bộ máy đánh giá thay đổi",
    "judged_again": "Được đánh giá lại",
}
"""What the causes of ``audit.erratum_dossiers`` mean."""

_KINDS: Final = {"dossier": "Hồ sơ TTHC", "petition": "Phản ánh, kiến nghị"}
_UNEXPLAINED: Final = "Chưa giải thích được theo từng hồ sơ"


def erratum_tables(found: ErratumOfPeriod, notes: Sequence[str] = ()) -> tuple[Table, Table]:
    """The dossiers, and the figures that they make up.

    Args:
        notes: what was issued or frozen, by whom and when.
    """
    return _moves(found, notes), _figures(found, notes)


def period_words(period: Period) -> str:
    """The period beneath a title."""
    return (
        f"Kỳ báo cáo: {period.label} (từ ngày {wording.day(period.first_day)} đến ngày {wording.day(period.last_day)})"
    )


def cause_words(causes: Sequence[str]) -> str:
    """Causes in words."""
    return "; ".join(CAUSES.get(code, code) for code in causes)


def place_words(place: Place) -> str:
    """The columns of the form that a dossier stands in."""
    if not place.is_counted:
        return "Không tính trong kỳ"
    return "; ".join(COUNT_TITLES[figure] for figure in filter(None, (place.intake, place.outcome)))


def _moves(found: ErratumOfPeriod, notes: Sequence[str]) -> Table:
    columns = (
        TableColumn("code", "Mã hồ sơ", "code"),
        TableColumn("kind", "Loại"),
        TableColumn("unit_before", "Đơn vị (đã chốt)"),
        TableColumn("figures_before", "Số đã chốt: đứng ở cột"),
        TableColumn("unit_now", "Đơn vị (hiện nay)"),
        TableColumn("figures_now", "Hiện nay: đứng ở cột"),
        TableColumn("causes", "Mã nguyên nhân", "code", technical=True),
        TableColumn("cause", "Nguyên nhân"),
        TableColumn("due_before", "Hẹn trả khi chốt", "instant"),
        TableColumn("due_now", "Hẹn trả hiện nay", "instant"),
        TableColumn("ended_before", "Kết thúc khi chốt", "instant"),
        TableColumn("ended_now", "Kết thúc hiện nay", "instant"),
        TableColumn("learnt_at", "Ghi nhận mới nhất", "instant"),
    )
    rows = pd.DataFrame([_row(move) for move in found.moves], columns=[column.name for column in columns], dtype=object)
    for column in columns:
        if column.kind == "instant":
            rows[column.name] = pd.to_datetime(rows[column.name], utc=True).astype("datetime64[us, UTC]")
    return Table(
        "erratum",
        "Đính chính theo hồ sơ",
        "HỒ SƠ CÓ SỐ LIỆU ĐÍNH CHÍNH",
        columns,
        rows,
        tuple(notes),
        empty="Không có đính chính.",
    )


def _row(move: Move) -> dict[str, Any]:
    return {
        "code": move.code,
        "kind": _KINDS.get(move.kind, move.kind),
        "unit_before": _unit(move.before),
        "figures_before": place_words(move.before),
        "unit_now": _unit(move.now),
        "figures_now": place_words(move.now),
        "causes": " ".join(move.causes),
        "cause": cause_words(move.causes),
        "due_before": move.told.due_at,
        "due_now": move.tell.due_at,
        "ended_before": move.told.ended_at,
        "ended_now": move.tell.ended_at,
        "learnt_at": move.learnt_at,
    }


def _unit(place: Place) -> str:
    return wording.unit_label(place.unit_code, place.unit_name) if place.is_counted else ""


def _figures(found: ErratumOfPeriod, notes: Sequence[str]) -> Table:
    columns = (
        TableColumn("unit_code", "Mã đơn vị", "code"),
        TableColumn("unit_name", "Đơn vị"),
        TableColumn("sector", "Lĩnh vực"),
        TableColumn("procedure_code", "Mã TTHC", "code"),
        TableColumn("kind", "Loại"),
        TableColumn("figure", "Mã chỉ tiêu", "code", technical=True),
        TableColumn("figure_title", "Chỉ tiêu (cột của Biểu II.06a)"),
        TableColumn("frozen", "Số đã chốt", "count"),
        TableColumn("now", "Số theo dữ liệu hiện có", "count"),
        TableColumn("difference", "Chênh lệch", "difference"),
        TableColumn("unexplained", _UNEXPLAINED, "difference"),
    )
    rows = [
        {
            "unit_code": one.unit_code,
            "unit_name": wording.unit_label(one.unit_code, one.unit_name),
            "sector": one.sector_name or one.sector_code or "",
            "procedure_code": one.procedure_code,
            "kind": _KINDS.get(one.kind, one.kind),
            "figure": one.figure,
            "figure_title": COUNT_TITLES[one.figure],
            "frozen": one.frozen,
            "now": one.now,
            "difference": one.now - one.frozen,
            "unexplained": found.unexplained.get(
                (one.unit_code or None, one.procedure_code, one.sector_code, one.kind, one.figure), 0
            ),
        }
        for one in found.figures
    ]
    return Table(
        "erratum-figures",
        "Đính chính theo chỉ tiêu",
        "CHỈ TIÊU CÓ SỐ LIỆU ĐÍNH CHÍNH",
        columns,
        pd.DataFrame(rows, columns=[column.name for column in columns]),
        (*notes, "Tổng theo từng hồ sơ khớp với chênh lệch, trừ phần chưa giải thích được."),
        empty="Không có đính chính.",
    )
