"""Twelve months that end with a report's period: how many were received, ended, late; which months cannot be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.frames import read_frame
from tthc_monitor.outputs.report_comparison import before_first_sight, count_shares, read_first_day, recorded_in_full
from tthc_monitor.outputs.report_series import PeriodCounts
from tthc_monitor.outputs.report_tables import Table, TableChart, TableColumn
from tthc_monitor.outputs.word_fields import Field

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

FIELDS_TREND: Final = (
    Field(
        "xu_huong",
        "từng tháng có số liệu trong 12 tháng đến hết kỳ báo cáo",
        (
            Field("thang", "tháng, ví dụ “10/2026”"),
            Field("moi", "tiếp nhận mới"),
            Field("da_giai_quyet", "đã giải quyết"),
            Field("da_qua_han", "đã giải quyết quá hạn"),
            Field("ty_le_dung_han", "tỷ lệ đúng hạn của hồ sơ đã giải quyết có hạn"),
            Field("dang_giai_quyet", "đang giải quyết cuối tháng"),
            Field("dang_qua_han", "đang giải quyết quá hạn cuối tháng"),
        ),
        many=True,
    ),
    Field(
        "cau_xu_huong",
        "tháng có tỷ lệ đúng hạn cao nhất, thấp nhất, kèm mẫu số; trống khi chưa đủ 02 tháng có số liệu đầy đủ",
    ),
    Field("ghi_chu_xu_huong", "điều cần biết khi so sánh các tháng", many=True),
)

_SHOWN: Final = {
    "received": ("Tiếp nhận mới", "moi"),
    "finished": ("Đã giải quyết", "da_giai_quyet"),
    "finished_late": ("Đã giải quyết quá hạn", "da_qua_han"),
    "finished_with_due": ("Đã giải quyết, có hạn (mẫu số)", "da_co_han"),
    "on_time_percent": ("Tỷ lệ đúng hạn", "ty_le_dung_han"),
    "pending": ("Đang giải quyết cuối tháng", "dang_giai_quyet"),
    "pending_overdue": ("Đang giải quyết quá hạn cuối tháng", "dang_qua_han"),
    "unknown": ("Chưa xác định hạn", "chua_ro"),
}
_WORDS: Final = ("moi", "da_giai_quyet", "da_qua_han", "ty_le_dung_han", "dang_giai_quyet", "dang_qua_han")
_DENOMINATOR: Final = "Tỷ lệ đúng hạn = (trước hạn + đúng hạn) / hồ sơ đã giải quyết có hạn trong tháng."
# What was handed over breaks the series of those who gave and of those who took.
_BREAKS: Final = """
SELECT DISTINCT s.succeeds_on FROM audit.unit_successions s
WHERE s.known_to IS NULL AND s.from_code <> s.to_code AND s.succeeds_on > %(first)s::date AND s.succeeds_on <= %(last)s::date
  AND (s.from_code = ANY(%(units)s::text[]) OR s.to_code = ANY(%(units)s::text[]))
  AND NOT (s.from_code = ANY(%(units)s::text[]) AND s.to_code = ANY(%(units)s::text[]))
ORDER BY 1
"""


@dataclass(frozen=True)
class Trend:
    """Twelve months, or as many of them as have begun.

    Attributes:
        months: the earliest first.
        rows: counts and shares of each by the names of the template; None where the store holds nothing.
        notes: what breaks the series.
        full: of each whether it has ended, and was recorded from its first day on; the others are neither best nor worst.
    """

    months: tuple[PeriodCounts, ...]
    rows: tuple[Mapping[str, Any] | None, ...]
    notes: tuple[str, ...]
    full: tuple[bool, ...]

    def tables(self) -> Sequence[Table]:
        """One row per month."""
        rows = [
            {"month": _month(month), "from_day": month.period.first_day, "to_day": month.period.last_day}
            | {name: None if row is None else row[field] for name, (_, field) in _SHOWN.items()}
            | {"remark": _remark(month, full)}
            for month, row, full in zip(self.months, self.rows, self.full, strict=True)
        ]
        kinds = {"on_time_percent": "percent"}
        columns = (
            TableColumn("month", "Tháng", "code"),
            TableColumn("from_day", "Từ ngày", "day"),
            TableColumn("to_day", "Đến ngày", "day"),
            *(TableColumn(name, title, kinds.get(name, "count")) for name, (title, _) in _SHOWN.items()),  # type: ignore[arg-type]
            TableColumn("remark", "Ghi chú"),
        )
        chart = TableChart("line", "Hồ sơ quá hạn từng tháng", "month", ("finished_late", "pending_overdue"), len(rows))
        frame = pd.DataFrame(rows, columns=[column.name for column in columns], dtype=object)
        title = "XU HƯỚNG 12 THÁNG"
        return (Table("trend", "Xu hướng 12 tháng", title, columns, frame, (_DENOMINATOR, *self.notes), chart),)

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_TREND`."""
        return {
            "xu_huong": [
                {"thang": _month(month)} | {name: row[name] for name in _WORDS}
                for month, row in zip(self.months, self.rows, strict=True)
                if row is not None
            ],
            "cau_xu_huong": self._sentence(),
            "ghi_chu_xu_huong": list(self.notes),
        }

    def _sentence(self) -> str:
        shares = [
            (row["ty_le_dung_han"], f"{month.period.label}, trên {wording.number(row['da_co_han'])} hồ sơ")
            for month, row, full in zip(self.months, self.rows, self.full, strict=True)
            if full and row is not None and row["ty_le_dung_han"] is not None
        ]
        if len(shares) < 2:
            return ""
        best, worst = max(shares, key=lambda one: one[0]), min(shares, key=lambda one: one[0])
        if best[0] == worst[0]:
            return f"Trong {len(shares):02d} tháng có số liệu đầy đủ, tỷ lệ giải quyết đúng hạn không đổi: {wording.percent(best[0])}."
        return (
            f"Trong {len(shares):02d} tháng có số liệu đầy đủ, tỷ lệ giải quyết đúng hạn cao nhất là {wording.percent(best[0])} "
            f"({best[1]}), thấp nhất là {wording.percent(worst[0])} ({worst[1]})."
        )


def read_trend(reading: Reading) -> Trend:
    """The months of a report's trend, from the figures that were counted with it."""
    months = reading.series.months
    rows = count_shares(reading, months)
    known = [month for month in months if month.known]
    notes = []
    if missing := [_month(month) for month in months if not month.known]:
        notes.append(f"Tháng {', '.join(missing)}: {wording.NO_DATA}.")
    if frozen := [_month(month) for month in months if month.frozen]:
        notes.append(f"Số đã chốt: tháng {', '.join(frozen)}.")
    if months[-1].end < months[-1].period.end:
        notes.append(
            f"Tháng {_month(months[-1])} chưa kết thúc, tính đến {wording.instant(months[-1].end, reading.period.zone)}."
        )
    first_day = read_first_day(reading)
    notes += before_first_sight(first_day, known)
    notes += _breaks(reading)
    full = tuple(recorded_in_full(month, first_day) and month.end == month.period.end for month in months)
    shown = tuple(row if one.known else None for row, one in zip(rows, months, strict=True))
    return Trend(months, shown, tuple(notes), full)


def _breaks(reading: Reading) -> list[str]:
    months, scope = reading.series.months, reading.scope
    if scope.units is None or scope.units_as == "now":
        return []
    zone = ZoneInfo(reading.period.zone)
    days = {"first": months[0].period.first_day, "last": months[-1].end.astimezone(zone).date()}
    found = read_frame(reading.connection, _BREAKS, days | {"units": scope.units})["succeeds_on"]
    if found.empty:
        return []
    named = ", ".join(wording.day(day) for day in found)
    return [
        f"Nhiệm vụ của đơn vị được bàn giao, tiếp nhận từ ngày {named}; số liệu trước và sau ngày đó không so sánh được."
    ]


def _month(one: PeriodCounts) -> str:
    year, month = one.period.name.split("-")
    return f"{month}/{year}"


def _remark(one: PeriodCounts, full: bool) -> str:
    if not one.known:
        return wording.NO_DATA
    if one.end < one.period.end:
        return "chưa hết tháng"
    said = ("số đã chốt" if one.frozen else "", "" if full else "không ghi nhận trọn tháng")
    return ", ".join(filter(None, said))
