"""Tables of the reconciliation, and what verdicts and reasons are called in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.domain.published import COUNTED_BY_NAMES
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.reconciled_figures import FIGURES
from tthc_monitor.outputs.report_tables import Table, TableColumn

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_reconciliation import Reconciliation

REASONS: Final[Mapping[str, str]] = {
    "not_judged_yet": "Chưa được đánh giá",
    "no_due_date": "Không có ngày hẹn trả",
    "lawful_limit": "Bộ chỉ số 766 dùng thời hạn tối đa của thủ tục",
    "early_by_default": "OpenCPS coi hồ sơ không có ngày hẹn trả là trước hạn",
    "second_supplement": "Yêu cầu bổ sung quá 01 lần: quá hạn theo Bộ chỉ số 766",
    "refused_or_withdrawn": "Từ chối, rút: OpenCPS đếm riêng",
    "unknown_status": "Trạng thái không rõ",
    "unknown_end": "Không rõ thời điểm kết thúc",
    "unknown_wait": "Không rõ thời gian chờ bổ sung",
    "waiting": "Đang chờ bổ sung đến cuối kỳ: OpenCPS không hiện quá hạn",
    "pause": "Trừ thời gian chờ bổ sung theo cách khác nhau",
    "source_opinion": "Hệ thống nguồn kết luận khác",
    "other": "Lý do khác, cần xem từng hồ sơ",
}
"""What the reasons of ``audit.period_differences`` mean."""

OF_SOURCE: Final = (
    "Hồ sơ đến cuối kỳ chưa kết thúc không so sánh với hệ thống nguồn, vì hệ thống nguồn chỉ cho biết kết luận hiện nay, không "
    "phải kết luận tại thời điểm cuối kỳ."
)
"""What of a source's opinion is compared."""

VERDICTS: Final[Mapping[str, str]] = {
    "on_time": "Đúng hạn",
    "late": "Quá hạn",
    "open_in_time": "Đang giải quyết, trong hạn",
    "open_overdue": "Đang giải quyết, quá hạn",
    "cannot_tell": "Chưa xác định",
    "not_counted": "Không tính",
}

_NOT_OF_THESE: Final = "Chưa có số liệu công bố của đơn vị này."
_UNKNOWN: Final = "chưa giải thích được"
_EXPLAINED: Final = (
    "“Do khác cách tính” là tổng theo từng hồ sơ mà hai cách tính cho kết luận khác nhau (danh sách kèm theo). “Chưa giải "
    "thích được” là phần còn lại sau khi tính lại theo cách của nơi công bố: do đồng bộ, phạm vi, thời điểm lấy số liệu hoặc "
    "nguyên nhân khác mà dữ liệu của hệ thống này không cho biết."
)


def reconciliation_tables(found: Reconciliation) -> Sequence[Table]:
    """The tables, whether or not anything was published."""
    return (_figures(found), _scores(found), _reasons(found), _dossiers(found))


def said(verdict: Any) -> str:
    """A verdict in words; empty where there is none."""
    return "" if pd.isna(verdict) else VERDICTS.get(verdict, str(verdict))


def why(reasons: str) -> str:
    """Reasons in words."""
    return "; ".join(REASONS.get(code, code) for code in reasons.split())


def _figures(found: Reconciliation) -> Table:
    rows = found.rows
    shown = rows.assign(
        unit_name=[
            wording.unit_label(code, name) for code, name in zip(rows["unit_code"], rows["unit_name"], strict=True)
        ],
        figure_title=[FIGURES[name] for name in rows["figure"]],
        way=[COUNTED_BY_NAMES[name] for name in rows["counted_by"]],
    )
    columns = (
        TableColumn("publisher", "Nơi công bố"),
        TableColumn("way", "Cách tính của nơi công bố"),
        TableColumn("unit_code", "Mã đơn vị", "code", paper=False),
        TableColumn("unit_name", "Đơn vị"),
        TableColumn("sector_code", "Mã lĩnh vực", "code"),
        TableColumn("figure", "Mã chỉ tiêu", "code", technical=True),
        TableColumn("figure_title", "Chỉ tiêu"),
        TableColumn("published", "Số công bố", "count"),
        TableColumn("official", "Số của hệ thống này (cách tính chính thức)", "count"),
        TableColumn("difference", "Chênh lệch", "difference"),
        TableColumn("explained", "Do khác cách tính", "difference"),
        TableColumn("recomputed", "Số tính lại theo cách của nơi công bố", "count"),
        TableColumn("unexplained", "Chưa giải thích được", "difference"),
        TableColumn("unexplained_percent", "Chưa giải thích được / số công bố", "percent"),
        TableColumn("remark", "Nhận xét"),
    )
    return Table(
        "reconciliation",
        "Đối soát",
        "ĐỐI SOÁT VỚI SỐ LIỆU CÔNG BỐ",
        columns,
        shown[[column.name for column in columns]],
        (_EXPLAINED, *cautions(found)),
        empty=_NOT_OF_THESE if len(found.imports) else "Chưa nhập số liệu công bố của kỳ này.",
    )


def _scores(found: Reconciliation) -> Table:
    told = found.published
    told = told[told[["ratio_percent", "score", "average_days"]].notna().any(axis=1) & told["sector_code"].isna()]
    recomputed = {
        (row["publisher"], row["unit_code"], row["figure"]): int(row["recomputed"])
        for row in found.rows[found.rows["recomputed"].notna() & found.rows["sector_code"].isna()].to_dict("records")
    }
    rows = []
    for row in told.to_dict("records"):
        received, on_time = (
            recomputed.get((row["publisher"], row["unit_code"], name), 0)
            for name in ("total_received", "total_on_time")
        )
        share = on_time / received if received else None
        rows.append(
            {
                "publisher": row["publisher"],
                "unit_code": row["unit_code"],
                "unit_name": wording.unit_label(row["unit_code"], row["unit_name"]),
                "published_percent": row["ratio_percent"],
                "our_percent": None if share is None else round(100 * share, 2),
                "published_score": row["score"],
                "our_score": None if share is None else round(20 * share, 2),
                "published_days": row["average_days"],
            }
        )
    columns = (
        TableColumn("publisher", "Nơi công bố"),
        TableColumn("unit_code", "Mã đơn vị", "code", paper=False),
        TableColumn("unit_name", "Đơn vị"),
        TableColumn("published_percent", "Tỷ lệ đúng hạn công bố", "percent"),
        TableColumn("our_percent", "Tỷ lệ đúng hạn tính lại", "percent"),
        TableColumn("published_score", "Điểm công bố", "decimal"),
        TableColumn("our_score", "Điểm tính lại", "decimal"),
        TableColumn("published_days", "Số ngày trung bình công bố", "decimal"),
    )
    return Table(
        "reconciliation-scores",
        "Đối soát điểm, tỷ lệ",
        "TỶ LỆ, ĐIỂM CÔNG BỐ VÀ TÍNH LẠI THEO CÁCH CỦA NƠI CÔNG BỐ",
        columns,
        pd.DataFrame(rows, columns=[column.name for column in columns]),
        ("Tỷ lệ = đúng hạn / tổng số hồ sơ; điểm tiến độ giải quyết theo Bộ chỉ số 766 = 20 × tỷ lệ.",),
        empty="Chưa nhập tỷ lệ, điểm công bố của kỳ này.",
    )


def _reasons(found: Reconciliation) -> Table:
    rows = found.reasons.assign(
        unit_name=[
            wording.unit_label(code, name)
            for code, name in zip(found.reasons["unit_code"], found.reasons["unit_name"], strict=True)
        ]
    )
    columns = (
        TableColumn("unit_code", "Mã đơn vị", "code", paper=False),
        TableColumn("unit_name", "Đơn vị"),
        TableColumn("reason", "Mã lý do", "code", technical=True),
        TableColumn("meaning", "Lý do"),
        TableColumn("dossiers", "Số hồ sơ", "count"),
    )
    return Table(
        "reconciliation-reasons",
        "Lý do khác kết luận",
        "LÝ DO CÁC CÁCH TÍNH CHO KẾT LUẬN KHÁC NHAU, THEO ĐƠN VỊ",
        columns,
        rows[[column.name for column in columns]],
        ("Một hồ sơ có thể có nhiều lý do.", OF_SOURCE, *_not_applied(found)),
    )


def _dossiers(found: Reconciliation) -> Table:
    rows = found.dossiers
    shown = rows.assign(
        unit_name=[
            wording.unit_label(code, name) for code, name in zip(rows["unit_code"], rows["unit_name"], strict=True)
        ],
        **{name: [said(verdict) for verdict in rows[name]] for name in _VERDICT_COLUMNS},
        why=[why(reasons) for reasons in rows["reasons"]],
    )
    columns = (
        TableColumn("code", "Mã hồ sơ", "code"),
        TableColumn("unit_code", "Mã đơn vị", "code", paper=False),
        TableColumn("unit_name", "Đơn vị"),
        TableColumn("procedure_code", "Mã TTHC", "code", paper=False),
        TableColumn("procedure", "Thủ tục hành chính"),
        TableColumn("received_at", "Tiếp nhận", "instant"),
        TableColumn("due_at", "Hẹn trả", "instant"),
        TableColumn("ended_at", "Kết thúc trong kỳ", "instant"),
        TableColumn("official", "Theo ngày hẹn trả hiện hành"),
        TableColumn("national_766", "Theo Bộ chỉ số 766"),
        TableColumn("opencps", "Theo cách tính của OpenCPS"),
        TableColumn("source_verdict", "Theo hệ thống nguồn (hồ sơ đã kết thúc)"),
        TableColumn("reasons", "Mã lý do", "code", technical=True),
        TableColumn("why", "Lý do"),
    )
    left = found.count - len(rows)
    more = (f"Còn {wording.number(left)} hồ sơ khác; xem bằng hàm audit.period_differences.",) if left else ()
    return Table(
        "reconciliation-differences",
        "Hồ sơ khác kết luận",
        "HỒ SƠ MÀ CÁC CÁCH TÍNH CHO KẾT LUẬN KHÁC NHAU",
        columns,
        shown[[column.name for column in columns]],
        (*more, OF_SOURCE, *_not_applied(found)),
    )


_VERDICT_COLUMNS: Final = ("official", "national_766", "opencps", "source_verdict")


def cautions(found: Reconciliation) -> list[str]:
    """What must be known to read the comparison."""
    told = [*_not_applied(found)]
    if strange := sorted(set(found.published.loc[found.published["unknown_unit"].astype(bool), "unit_code"])):
        told.append(
            f"Số liệu công bố có đơn vị không có trong danh mục: {', '.join(strange)}; vẫn giữ để đối soát, cần kiểm tra mã đơn vị."
        )
    if found.clipped:
        told.append("Kỳ chưa kết thúc; số liệu công bố và số của hệ thống này có thể lấy ở hai thời điểm khác nhau.")
    for row in found.imports.to_dict("records"):
        before, now = row["index_source_before"], row["index_source"]
        if isinstance(before, str) and before != now:
            told.append(
                f"{row['publisher']}: số liệu kỳ này thuộc {now or 'thế hệ cổng không ghi rõ'}, kỳ trước thuộc "
                f"{before or 'thế hệ cổng không ghi rõ'}; không so sánh hai kỳ với nhau."
            )
    return told


def _not_applied(found: Reconciliation) -> tuple[str, ...]:
    if found.applied:
        return ()
    return (
        "Chưa áp dụng bộ quy tắc của Bộ chỉ số 766 và OpenCPS, nên chưa so sánh được kết luận của từng hồ sơ; toàn bộ "
        f"chênh lệch là {_UNKNOWN}.",
    )
