"""A report's period beside the one before and the same one of last year; what the store does not hold is not 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.frames import read_frame
from tthc_monitor.outputs.report_columns import COUNTS
from tthc_monitor.outputs.report_counts import count_rows, records
from tthc_monitor.outputs.report_ranking import with_shares
from tthc_monitor.outputs.report_series import PeriodCounts
from tthc_monitor.outputs.report_tables import Table, TableColumn
from tthc_monitor.outputs.word_fields import Field

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

FIELDS_COMPARISON: Final = (
    Field("co_ky_truoc", "đúng khi kỳ trước có số liệu, dùng trong {% if %}"),
    Field("co_cung_ky", "đúng khi cùng kỳ năm trước có số liệu, dùng trong {% if %}"),
    Field("ten_ky_truoc", "kỳ trước, ví dụ “tháng 9 năm 2026”"),
    Field("ten_cung_ky", "cùng kỳ năm trước, ví dụ “tháng 10 năm 2025”"),
    Field(
        "so_sanh",
        "so với kỳ trước và cùng kỳ năm trước, từng chỉ tiêu; kỳ không có số liệu ghi “không có dữ liệu”",
        (
            Field("chi_tieu", "chỉ tiêu"),
            Field("ky_nay", "số kỳ này"),
            Field("ky_truoc", "số kỳ trước"),
            Field(
                "tang_giam",
                "chênh lệch so với kỳ trước, có dấu; “không so sánh được” khi một kỳ không được ghi nhận trọn vẹn",
            ),
            Field("cung_ky", "số cùng kỳ năm trước"),
            Field("tang_giam_cung_ky", "chênh lệch so với cùng kỳ năm trước, như trên"),
        ),
        many=True,
    ),
    Field("ghi_chu_so_sanh", "điều cần biết khi so sánh các kỳ", many=True),
)

_COUNTED: Final = {
    "Tiếp nhận mới trong kỳ": "moi",
    "Đã giải quyết": "da_giai_quyet",
    "Đã giải quyết quá hạn": "da_qua_han",
    "Đang giải quyết": "dang_giai_quyet",
    "Đang giải quyết quá hạn": "dang_qua_han",
    "Chưa xác định hạn": "chua_ro",
}
_SHARED: Final = {
    "Tỷ lệ giải quyết đúng hạn": "ty_le_dung_han",
    "Tỷ lệ còn trong hạn": "ty_le_trong_han",
    "Tỷ lệ tiếp nhận trực tuyến": "ty_le_truc_tuyen",
}
_PERIODS: Final = ("Kỳ này", "Kỳ trước", "Cùng kỳ năm trước")
NOT_COMPARABLE: Final = "không so sánh được"
_POINTS: Final = "Chênh lệch của tỷ lệ tính bằng điểm phần trăm."
_FIRST_SEEN: Final = "SELECT min(seen_at) AS seen_at FROM audit.ledger WHERE kind = 'observations'"


@dataclass(frozen=True)
class Comparison:
    """Figures of three periods, by the names of the template; None where the store holds nothing of one.

    Attributes:
        periods: this, the one before, the same of last year.
        rows: counts and shares of each.
        notes: what must be known to compare them.
        comparable: whether all of it was recorded, of each; a difference is told only between two such periods.
    """

    periods: tuple[PeriodCounts, PeriodCounts, PeriodCounts]
    rows: tuple[Mapping[str, Any] | None, ...]
    notes: tuple[str, ...]
    comparable: tuple[bool, bool, bool]

    def tables(self) -> Sequence[Table]:
        """Counts in one table, shares in another: a column holds one kind of values."""
        labels = [f"{title} ({one.period.label})" for title, one in zip(_PERIODS, self.periods, strict=True)]
        return (
            Table(
                "comparison",
                "So sánh",
                "SO VỚI KỲ TRƯỚC VÀ CÙNG KỲ NĂM TRƯỚC",
                self._columns("count", "difference", labels),
                self._frame(_COUNTED),
                self.notes,
            ),
            Table(
                "comparison-shares",
                "So sánh tỷ lệ",
                "TỶ LỆ SO VỚI KỲ TRƯỚC VÀ CÙNG KỲ NĂM TRƯỚC",
                self._columns("percent", "decimal", labels),
                self._frame(_SHARED),
                (_POINTS, *self.notes),
            ),
        )

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_COMPARISON`."""
        this, before, year_ago = self.rows
        with_before, with_year_ago = (self.comparable[0] and self.comparable[place] for place in (1, 2))
        return {
            "co_ky_truoc": before is not None,
            "co_cung_ky": year_ago is not None,
            "ten_ky_truoc": self.periods[1].period.label,
            "ten_cung_ky": self.periods[2].period.label,
            "so_sanh": [
                {
                    "chi_tieu": title,
                    "ky_nay": _said(this, name),
                    "ky_truoc": _said(before, name),
                    "tang_giam": _change(this, before, name, with_before),
                    "cung_ky": _said(year_ago, name),
                    "tang_giam_cung_ky": _change(this, year_ago, name, with_year_ago),
                }
                for title, name in {**_COUNTED, **_SHARED}.items()
            ],
            "ghi_chu_so_sanh": [*([_POINTS] if before or year_ago else []), *self.notes],
        }

    @staticmethod
    def _columns(kind: Any, difference: Any, labels: Sequence[str]) -> tuple[TableColumn, ...]:
        return (
            TableColumn("indicator", "Chỉ tiêu"),
            TableColumn("this_period", labels[0], kind),
            TableColumn("previous_period", labels[1], kind),
            TableColumn("change", "Tăng, giảm so với kỳ trước", difference),
            TableColumn("same_period_last_year", labels[2], kind),
            TableColumn("change_in_a_year", "Tăng, giảm so với cùng kỳ", difference),
        )

    def _frame(self, indicators: Mapping[str, str]) -> pd.DataFrame:
        this, before, year_ago = self.rows
        with_before, with_year_ago = (self.comparable[0] and self.comparable[place] for place in (1, 2))
        rows = [
            {
                "indicator": title,
                "this_period": _value(this, name),
                "previous_period": _value(before, name),
                "change": _less(this, before, name) if with_before else None,
                "same_period_last_year": _value(year_ago, name),
                "change_in_a_year": _less(this, year_ago, name) if with_year_ago else None,
            }
            for title, name in indicators.items()
        ]
        return pd.DataFrame(rows, dtype=object)


def read_comparison(reading: Reading) -> Comparison:
    """Compare the period of a report."""
    series = reading.series
    periods = (series.this, series.before, series.year_ago)
    named = count_shares(reading, periods)
    # The report's own period is what it is, even when nothing was received.
    rows = (named[0], *(row if one.known else None for row, one in zip(named[1:], periods[1:], strict=True)))
    notes = [
        f"{title} ({one.period.label}): {wording.NO_DATA}."
        for title, one in zip(_PERIODS[1:], periods[1:], strict=True)
        if not one.known
    ]
    notes += [
        f"Số liệu {one.period.label} là số đã chốt."
        for one in sorted(periods, key=lambda each: each.period.start)
        if one.frozen
    ]
    if series.this.end < reading.period.end:
        notes.append("Kỳ này chưa kết thúc, các kỳ khác tính trọn kỳ.")
    first_day = read_first_day(reading)
    notes += before_first_sight(first_day, [one for one in periods if one.known])
    this, before, year_ago = (recorded_in_full(one, first_day) for one in periods)
    return Comparison(periods, rows, tuple(notes), (this, before, year_ago))


def count_shares(reading: Reading, periods: Sequence[PeriodCounts]) -> list[dict[str, Any]]:
    """Counts and shares of periods by the names of the template, in order."""
    places = [str(place) for place in range(len(periods))]
    sums = pd.DataFrame([one.counts for one in periods], index=places, columns=list(COUNTS))
    return count_rows(records(with_shares(reading.connection, sums).loc[places]))


def read_first_day(reading: Reading) -> date | None:
    """The day of the first observation; None when there is none. Nobody saw what the source showed before."""
    seen = read_frame(reading.connection, _FIRST_SEEN, {}, instants=("seen_at",))["seen_at"].iloc[0]
    if pd.isna(seen):
        return None
    first: datetime = seen.to_pydatetime()
    return first.astimezone(ZoneInfo(reading.period.zone)).date()


def recorded_in_full(one: PeriodCounts, first_day: date | None) -> bool:
    """Whether a period was watched from its first day on; figures of another are only what the source still showed."""
    return first_day is None or one.period.first_day >= first_day


def before_first_sight(first_day: date | None, periods: Sequence[PeriodCounts]) -> list[str]:
    """A note when some of these periods began before the first observation."""
    if first_day is None or all(recorded_in_full(one, first_day) for one in periods):
        return []
    return [
        f"Hồ sơ được ghi nhận từ ngày {wording.day(first_day)}; các kỳ bắt đầu trước ngày đó chỉ gồm hồ sơ mà hệ thống nguồn còn "
        "cung cấp, không so sánh được."
    ]


def _value(row: Mapping[str, Any] | None, name: str) -> Any:
    return None if row is None else row[name]


def _less(this: Mapping[str, Any] | None, other: Mapping[str, Any] | None, name: str) -> Any:
    now, then = _value(this, name), _value(other, name)
    return None if now is None or then is None else now - then


def _said(row: Mapping[str, Any] | None, name: str) -> Any:
    """A count; a share as Decimal or None, which the template writes; the words for a period without data."""
    return wording.NO_DATA if row is None else row[name]


def _change(this: Mapping[str, Any] | None, other: Mapping[str, Any] | None, name: str, comparable: bool) -> str:
    change = _less(this, other, name)
    if change is None:
        return wording.NO_DATA
    if not comparable:
        return NOT_COMPARABLE
    sign = "+" if change > 0 else "-" if change < 0 else ""
    if isinstance(change, Decimal):
        return f"{sign}{wording.fixed(abs(change))}"
    return f"{sign}{wording.number(abs(change))}"
