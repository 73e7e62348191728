"""A monthly report in the words and numbers of its document: a value for each field of the template."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any, Final
from zoneinfo import ZoneInfo

from tthc_monitor.domain.periods import month_label
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.drawings import rule_under
from tthc_monitor.outputs.report import MonthlyReport
from tthc_monitor.outputs.report_counts import count_rows, late_procedures, rank_rows, records, text_of
from tthc_monitor.outputs.report_form import COUNT_TITLES, frozen_since, notes_of, roman
from tthc_monitor.outputs.report_tables import Table
from tthc_monitor.outputs.report_topics import TOPICS
from tthc_monitor.outputs.sealed import head_line
from tthc_monitor.outputs.word_rows import listed_rows
from tthc_monitor.report_settings import ReportSettings

SUBJECT: Final = "Tình hình, kết quả giải quyết thủ tục hành chính"

MAX_ROWS: Final = 20_000
"""Rows that a list of the document carries: a thousand pages. How many more there are is said beneath."""

_TOP: Final = 10
_DELAYED: Final = {
    "ma": "code",
    "don_vi": "unit",
    "linh_vuc": "sector",
    "ma_thu_tuc": "procedure_code",
    "thu_tuc": "procedure",
    "tiep_nhan": "received_at",
    "hen_tra": "due_at",
    "ket_thuc": "ended_at",
    "so_ngay": "working_days_late",
    "tinh_trang": "state",
}
_SENT_BACK: Final = {
    "ma": "code",
    "don_vi": "unit",
    "linh_vuc": "sector",
    "thu_tuc": "procedure",
    "hinh_thuc": "manner",
    "thoi_diem": "happened_at",
    "so_lan": "supplement_count",
    "dang_cho": "waiting",
    "tinh_trang": "status",
}
_WHOLE: Final = ("ỦY BAN NHÂN DÂN", "HỘI ĐỒNG NHÂN DÂN", "HÀNH CHÍNH CÔNG")
_AGENCY_ROOM: Final = 180.0
_SUBJECT_ROOM: Final = 460.0


def report_words(report: MonthlyReport, office: ReportSettings, tables: Mapping[str, Table]) -> dict[str, Any]:
    """The value of every field in :data:`~tthc_monitor.outputs.report_fields.FIELDS`, but the charts.

    Args:
        tables: the tables of the report by their keys.
    """
    return {
        **_paper(report, office),
        **_counts(report),
        **_form(report),
        **_delayed(report, tables["delayed"]),
        **_sent_back(report, tables["sent-back"]),
        **_errata(report),
        "niem_phong": head_line(report.ledger_head),
        **{name: value for topic in report.topics for name, value in topic.words().items()},
    }


def title_of(report: MonthlyReport) -> str:
    """What the document is about."""
    period, scope = report.period, report.scope
    whose = f" của {scope[0]}" if len(scope) == 1 else f" của {len(scope):02d} đơn vị" if scope else ""
    # By the decree a month of the same name has other days than by the calendar.
    days = f" (từ ngày {wording.day(period.first_day)} đến ngày {wording.day(period.last_day)})"
    return f"{SUBJECT} {period.label}{whose}{days if period.reckoning == 'nd09' else ''}"


def _paper(report: MonthlyReport, office: ReportSettings) -> dict[str, Any]:
    period, signer = report.period, office.signer
    made = report.made_at.astimezone(ZoneInfo(period.zone)).date()
    copies = [*(["Như trên"] if office.addressees else []), *office.recipients]
    filed = ", ".join(filter(None, ("Lưu: VT", office.filed)))
    until = wording.instant(report.as_of, period.zone) if report.clipped else f"hết ngày {wording.day(period.last_day)}"
    return {
        "co_quan_chu_quan": _unbroken(office.superior.upper()),
        "co_quan": _unbroken(office.office.upper()),
        "ten_co_quan": office.office,
        "ke_ngang_co_quan": rule_under(office.office.upper(), size=12, room=_AGENCY_ROOM, name="Kẻ dưới tên cơ quan"),
        "ke_ngang_trich_yeu": rule_under(title_of(report), size=14, room=_SUBJECT_ROOM, name="Kẻ dưới trích yếu"),
        "viet_tat": office.abbreviation,
        "so_ky_hieu": report.paper.number if report.paper and report.paper.is_this else "",
        "trich_yeu": title_of(report),
        "dia_danh": office.place or "……………",
        "thang_nam_lap": month_label(made),
        "ky": period.label,
        "tu_ngay": wording.day(period.first_day),
        "den_ngay": wording.day(period.last_day),
        "so_lieu_den": until,
        "chua_het_ky": report.clipped,
        "pham_vi": "; ".join(report.scope),
        "kinh_gui": list(office.addressees),
        "can_cu": _punctuated(office.bases),
        "ky_thay": [line.upper() for line in signer.on_behalf],
        "chuc_vu": signer.title.upper(),
        "nguoi_ky": signer.name,
        "noi_nhan": _punctuated([*copies, filed]),
    }


def _unbroken(name: str) -> str:
    """A name in capitals in which no line breaks within "Ủy ban nhân dân" and the like."""
    for kind in _WHOLE:
        name = name.replace(kind, kind.replace(" ", "\N{NO-BREAK SPACE}"))
    return name


def _punctuated(lines: Iterable[str]) -> list[str]:
    bare = [line.rstrip(" ;.") for line in lines]
    return [
        f"{line}{'.' if last else ';'}" for last, line in zip([False] * (len(bare) - 1) + [True], bare, strict=False)
    ]


def _counts(report: MonthlyReport) -> dict[str, Any]:
    total = count_rows(records(report.total.to_frame().T))[0]
    units, sectors = rank_rows(report.units, "unit"), rank_rows(report.sectors, "sector")
    late_units, late_sectors = ([row for row in rows if row["qua_han"]] for rows in (units, sectors))
    procedures = late_procedures(report.delayed)
    return {
        "so": total,
        "so_don_vi": sum(1 for row in units if row["ma"]),
        "so_don_vi_qua_han": sum(1 for row in late_units if row["ma"]),
        "don_vi_qua_han": late_units[:_TOP],
        "con_don_vi_qua_han": max(len(late_units) - _TOP, 0),
        "don_vi": units,
        "so_linh_vuc_qua_han": len(late_sectors),
        "linh_vuc_qua_han": late_sectors[:_TOP],
        "so_thu_tuc_qua_han": len(procedures),
        "thu_tuc_qua_han": procedures[:_TOP],
    }


def _form(report: MonthlyReport) -> dict[str, Any]:
    sectors = records(report.figures)
    counted = zip(sectors, count_rows(sectors), strict=True)
    rows = []
    for number, (code, held) in enumerate(groupby(counted, key=lambda pair: pair[0]["unit_code"]), start=1):
        pairs = list(held)
        rows.append(
            {
                "tt": roman(number),
                "ten": wording.unit_label(code, text_of(pairs[0][0]["unit_name"])),
                **{name: sum(counts[name] for _, counts in pairs) for name in pairs[0][1]},
                "linh_vuc": [
                    {
                        "tt": place,
                        "ten": text_of(row["sector_name"]) or row["sector_code"] or "Chưa rõ lĩnh vực",
                        **counts,
                    }
                    for place, (row, counts) in enumerate(pairs, start=1)
                ],
            }
        )
    checks = [
        {
            "ten": check.name,
            "ve_trai": check.left,
            "ve_phai": check.right,
            "ket_qua": "ĐẠT" if check.passed else f"KHÔNG ĐẠT ({wording.number(check.failing_rows)} dòng)",
        }
        for check in report.checks
    ]
    return {"bieu": rows, "kiem_tra": checks, "ghi_chu": notes_of(report)}


def _delayed(report: MonthlyReport, table: Table) -> dict[str, Any]:
    columns = {column.field.name: column.column.name for source in TOPICS for column in source.delayed}
    return {
        "so_ho_so_qua_han": len(table.rows),
        "con_ho_so_qua_han": max(len(table.rows) - MAX_ROWS, 0),
        "ho_so_qua_han": listed_rows(table, _DELAYED | columns, report.period.zone, MAX_ROWS),
    }


def _sent_back(report: MonthlyReport, table: Table) -> dict[str, Any]:
    every = report.sent_back
    return {
        "so_dong_tra_lai": len(every),
        "con_tra_lai": max(len(every) - MAX_ROWS, 0),
        "tra_lai": listed_rows(table, _SENT_BACK, report.period.zone, MAX_ROWS),
    }


def _errata(report: MonthlyReport) -> dict[str, Any]:
    rows = report.errata[:MAX_ROWS]
    return {
        "da_chot": frozen_since(report),
        "so_dinh_chinh": len(report.errata),
        "con_dinh_chinh": len(report.errata) - len(rows),
        "dinh_chinh": [
            {
                "tt": number,
                "don_vi": wording.unit_label(one.unit_code, one.unit_name),
                "linh_vuc": one.sector_name or one.sector_code or "",
                "thu_tuc": " ".join(filter(None, (one.procedure_code, one.procedure_name))),
                "chi_tieu": COUNT_TITLES[one.figure],
                "da_chot": one.frozen,
                "hien_co": one.now,
                "chenh_lech": _signed(one.now - one.frozen),
            }
            for number, one in enumerate(rows, start=1)
        ],
    }


def _signed(value: int) -> str:
    return f"{'+' if value > 0 else '-' if value < 0 else ''}{wording.number(abs(value))}"
