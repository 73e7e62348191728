"""The lists behind the figures of a report as tables: dossiers delayed, dossiers sent back."""

from __future__ import annotations

from typing import Final, cast

from tthc_monitor.outputs.report import MonthlyReport
from tthc_monitor.outputs.report_labels import dossier_numbers, unit_labels
from tthc_monitor.outputs.report_tables import Table, TableColumn
from tthc_monitor.outputs.report_topics import TOPICS, DelayedDetails

VERDICTS: Final = {"late": "Đã giải quyết", "open_overdue": "Đang giải quyết"}
"""How a delayed dossier stands at the end of the period."""

SENT_BACK: Final = {"returned": "Trả lại, từ chối, dừng", "supplement_requested": "Yêu cầu bổ sung"}
"""How a dossier was sent back."""

_AS_KNOWN_NOW: Final = "Danh sách theo dữ liệu hiện có, có thể không khớp số liệu đã chốt trên Biểu II.06a"


def delayed_table(report: MonthlyReport) -> Table:
    """Every delayed dossier, with what the topics know of each."""
    rows = report.delayed
    rows = rows.assign(
        unit=unit_labels(rows),
        reference=rows["code"],
        code=dossier_numbers(rows),
        state=[VERDICTS[verdict] for verdict in rows["verdict"]],
    )
    further: list[TableColumn] = []
    for source, topic in zip(TOPICS, report.topics, strict=False):
        if source.delayed:
            columns = [one.column for one in source.delayed]
            told = cast("DelayedDetails", topic).delayed()
            rows = rows.join(told[[column.name for column in columns]], on="dossier_id")
            further += columns
    return Table(
        "delayed",
        "Hồ sơ quá hạn",
        "DANH SÁCH HỒ SƠ QUÁ HẠN",
        (
            TableColumn("unit", "Đơn vị"),
            TableColumn("sector", "Lĩnh vực"),
            TableColumn("code", "Mã hồ sơ", "code"),
            TableColumn("procedure_code", "Mã TTHC", "code", paper=False),
            TableColumn("procedure", "Thủ tục hành chính"),
            TableColumn("received_at", "Ngày tiếp nhận", "instant"),
            TableColumn("due_at", "Ngày hẹn trả", "instant"),
            TableColumn("ended_at", "Ngày kết thúc", "instant"),
            TableColumn("working_days_late", "Số ngày làm việc quá hạn", "count"),
            TableColumn("state", "Tình trạng", width=16, paper=False),
            *further,
            TableColumn("unit_code", "Mã đơn vị", "code", paper=False),
            TableColumn("reference", "Mã tham chiếu của hệ thống nguồn", "code", technical=True),
            TableColumn("source_key", "Khóa của hệ thống nguồn", "code", technical=True),
        ),
        rows,
        (
            "Số ngày làm việc quá hạn tính từ sau ngày hẹn trả; 0 là quá hạn trong chính ngày hẹn trả. Hồ sơ chưa kết "
            "thúc tính đến hết kỳ báo cáo; kỳ chưa kết thúc thì tính đến thời điểm lập báo cáo.",
        ),
        standing=as_known_now(report),
    )


def sent_back_table(report: MonthlyReport) -> Table:
    """Every return and every request to supplement."""
    rows = report.sent_back
    return Table(
        "sent-back",
        "Trả lại, bổ sung",
        "HỒ SƠ TRẢ LẠI, YÊU CẦU BỔ SUNG TRONG KỲ",
        (
            TableColumn("unit", "Đơn vị"),
            TableColumn("sector", "Lĩnh vực"),
            TableColumn("code", "Mã hồ sơ", "code"),
            TableColumn("procedure", "Thủ tục hành chính"),
            TableColumn("manner", "Hình thức", width=22),
            TableColumn("happened_at", "Thời điểm", "instant"),
            TableColumn("supplement_count", "Số lần yêu cầu bổ sung", "count", absent="chưa rõ"),
            TableColumn("waiting", "Chờ bổ sung cuối kỳ", width=14),
            TableColumn("status", "Tình trạng (lúc lập báo cáo)"),
            TableColumn("unit_code", "Mã đơn vị", "code", paper=False),
            TableColumn("reference", "Mã tham chiếu của hệ thống nguồn", "code", technical=True),
            TableColumn("source_key", "Khóa của hệ thống nguồn", "code", technical=True),
        ),
        rows.assign(
            unit=unit_labels(rows),
            reference=rows["code"],
            code=dossier_numbers(rows),
            manner=[SENT_BACK[kind] for kind in rows["kind"]],
            waiting=["Đang chờ" if still else "" for still in rows["still_waiting"]],
        ),
        ("Mỗi lần trả lại, mỗi lần yêu cầu bổ sung còn ghi nhận là một dòng.",),
        standing=as_known_now(report),
    )


def as_known_now(report: MonthlyReport) -> str:
    """What is said of a list beside frozen figures that would be others now; empty when none would."""
    return _AS_KNOWN_NOW if report.errata else ""
