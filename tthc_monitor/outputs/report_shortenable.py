"""Topic "shortenable": limits that are longer than the work, what they could be, and the days that this would spare.

NQ 66/NQ-CP (26/03/2025) asks to cut processing time; which limit can be cut is read here from what dossiers really took.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.domain.time_limits import LimitUnit, TimeLimit
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.report_tables import Table, TableColumn, frame_of
from tthc_monitor.outputs.report_times import ProcedureTimes, measure
from tthc_monitor.outputs.word_fields import Field
from tthc_monitor.store.time_limits import load_limits

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

_TOP: Final = 20
_HALF_DAY: Final = 0.5
_UNITS: Final[Mapping[LimitUnit, str]] = {
    "working_day": "ngày làm việc",
    "calendar_day": "ngày",
    "working_hour": "giờ làm việc",
    "month": "tháng",
    "same_day": "trong ngày",
}
BY_LAW: Final = "thời hạn quy định"
BY_PROMISE: Final = "ngày hẹn trả"

FIELDS_SHORTENABLE: Final = (
    Field(
        "nguong_rut_ngan",
        "phần thời hạn mà 90\N{NO-BREAK SPACE}% hồ sơ chỉ dùng đến thì có thể rút ngắn, phần trăm (report.shortenable_below)",
    ),
    Field("so_ho_so_toi_thieu", "số hồ sơ ít nhất để xét rút ngắn (report.shortenable_at_least)"),
    Field("so_thoi_han_rut_ngan", "số thời hạn có thể rút ngắn"),
    Field("con_thoi_han_rut_ngan", "số thời hạn có thể rút ngắn không nằm trong thoi_han_rut_ngan"),
    Field("tong_ngay_tiet_kiem", "tổng số ngày làm việc giảm được một năm"),
    Field(
        "thoi_han_rut_ngan",
        "thời hạn có thể rút ngắn, giảm được nhiều ngày nhất trước, tối đa 20",
        (
            Field("tt", "số thứ tự"),
            Field("ma", "mã thủ tục"),
            Field("thu_tuc", "tên thủ tục"),
            Field("thoi_han", "thời hạn hiện hành; tạm thời thì kèm ngày hết hiệu lực"),
            Field("duoc_phep", "thời hạn bằng ngày làm việc"),
            Field("can_cu", "lấy theo thời hạn quy định hay theo ngày hẹn trả"),
            Field("p50", "số ngày làm việc mà một nửa số hồ sơ dùng"),
            Field("p90", "số ngày làm việc mà 90\N{NO-BREAK SPACE}% số hồ sơ dùng"),
            Field("de_xuat", "thời hạn đề xuất, ngày làm việc"),
            Field("giam", "số ngày giảm mỗi hồ sơ"),
            Field("so_ho_so", "số hồ sơ đã đo; đo trên 12 tháng thì ghi rõ"),
            Field("so_ho_so_nam", "số hồ sơ kết thúc trong 12 tháng"),
            Field("giam_nam", "số ngày giảm một năm"),
        ),
        many=True,
    ),
)
_COLUMNS: Final = (
    TableColumn("procedure_code", "Mã TTHC", "code"),
    TableColumn("procedure", "Thủ tục hành chính"),
    TableColumn("limit", "Thời hạn hiện hành"),
    TableColumn("temporary_until", "Tạm thời đến hết ngày", "day"),
    TableColumn("allowed_days", "Thời hạn, ngày làm việc", "decimal"),
    TableColumn("allowed_by", "Lấy theo"),
    TableColumn("used_p50_days", "Một nửa số hồ sơ dùng đến, ngày", "decimal"),
    TableColumn("used_p90_days", "90\N{NO-BREAK SPACE}% số hồ sơ dùng đến, ngày", "decimal"),
    TableColumn("ratio_p90_percent", "90\N{NO-BREAK SPACE}% số hồ sơ dùng đến, so với thời hạn", "percent"),
    TableColumn("proposed_days", "Thời hạn đề xuất, ngày", "decimal"),
    TableColumn("gain_days", "Giảm mỗi hồ sơ, ngày", "decimal"),
    TableColumn("measured", "Số hồ sơ đã đo", "count"),
    TableColumn("measured_in", "Đo trong"),
    TableColumn("yearly", "Số hồ sơ 12 tháng", "count"),
    TableColumn("yearly_gain_days", "Giảm một năm, ngày", "decimal"),
)


@dataclass(frozen=True)
class Shortenable:
    """``rows`` have the columns of the table, the largest gain first; ``day_hours``: working hours of a day."""

    rows: pd.DataFrame
    day_hours: float
    below_percent: Decimal
    at_least: int

    def tables(self) -> Sequence[Table]:
        """The limits that could be shorter."""
        notes = (
            f"Xét thủ tục có từ {wording.number(self.at_least)} hồ sơ kết thúc trong kỳ (không đủ thì trong 12 tháng, nhiều thì chọn ngẫu nhiên theo mã), khi "
            f"90\N{NO-BREAK SPACE}% số hồ sơ dùng dưới {wording.percent(self.below_percent)} thời gian được phép.",
            "Thời gian đã dùng và được phép tính theo giờ làm việc, trừ thời gian chờ bổ sung; được phép là từ tiếp nhận đến "
            f"ngày hẹn trả. Một ngày làm việc bằng {wording.decimal(self.day_hours)} giờ.",
            "Thời hạn đề xuất là thời gian mà 90\N{NO-BREAK SPACE}% số hồ sơ dùng đến, làm tròn lên nửa ngày. Giảm một năm = giảm mỗi hồ sơ × "
            "số hồ sơ kết thúc trong 12 tháng.",
        )
        return (
            Table(
                "shortenable",
                "Thời hạn có thể rút ngắn",
                "THỜI HẠN GIẢI QUYẾT CÓ THỂ RÚT NGẮN",
                _COLUMNS,
                self.rows,
                notes,
            ),
        )

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_SHORTENABLE`."""
        return {
            "nguong_rut_ngan": self.below_percent,
            "so_ho_so_toi_thieu": self.at_least,
            "so_thoi_han_rut_ngan": len(self.rows),
            "con_thoi_han_rut_ngan": max(len(self.rows) - _TOP, 0),
            "tong_ngay_tiet_kiem": wording.number(round(self.rows["yearly_gain_days"].sum())),
            "thoi_han_rut_ngan": [
                {
                    "tt": number,
                    "ma": row["procedure_code"],
                    "thu_tuc": row["procedure"],
                    "thoi_han": _with_end(row["limit"], row["temporary_until"]),
                    "duoc_phep": wording.decimal(row["allowed_days"]),
                    "can_cu": row["allowed_by"],
                    "p50": wording.decimal(row["used_p50_days"]),
                    "p90": wording.decimal(row["used_p90_days"]),
                    "de_xuat": wording.decimal(row["proposed_days"]),
                    "giam": wording.decimal(row["gain_days"]),
                    "so_ho_so": wording.number(row["measured"])
                    + ("" if row["measured_in"] == _IN_PERIOD else " (12 tháng)"),
                    "so_ho_so_nam": row["yearly"],
                    "giam_nam": wording.number(round(row["yearly_gain_days"])),
                }
                for number, row in enumerate(self.rows.head(_TOP).to_dict("records"), start=1)
            ],
        }


_IN_PERIOD: Final = "kỳ báo cáo"
_IN_YEAR: Final = "12 tháng"


def read_shortenable(reading: Reading, times: ProcedureTimes) -> Shortenable:
    """The limits of which nine of ten dossiers use less than ``report.shortenable_below``."""
    settings = reading.settings
    found = _short(times.rows, settings.shortenable_below, settings.shortenable_at_least)
    last_day = reading.period.last_day
    limits: dict[str, list[TimeLimit]] = {code: [] for code in found["procedure_code"]}
    for limit in load_limits(reading.connection) if limits else ():
        if limit.procedure_code in limits:
            limits[limit.procedure_code].append(limit)
    limits = {code: _in_force(own, last_day) for code, own in limits.items()}
    found = _under_today_s_limits(reading, found, limits)
    rows = [
        _row({str(name): value for name, value in row.items()}, limits[row["procedure_code"]], times.day_seconds)
        for row in found.to_dict("records")
        if not any(limit.abolished for limit in limits[row["procedure_code"]])
    ]
    rows = [row for row in rows if row[10] >= _HALF_DAY]
    rows.sort(key=lambda row: (-row[14], row[0]))
    return Shortenable(
        frame_of(_COLUMNS, rows),
        times.day_seconds / 3600,
        Decimal(str(settings.shortenable_below)) * 100,
        settings.shortenable_at_least,
    )


def _in_force(limits: Sequence[TimeLimit], day: date) -> list[TimeLimit]:
    """The limits of a day; of one within another's dates the inner one, as a temporary limit is."""
    inner: dict[tuple[str, str | None, str | None], TimeLimit] = {}
    for limit in sorted(limits, key=lambda one: (one.valid_from or date.min, -(one.valid_to or date.max).toordinal())):
        if limit.in_force(day):
            inner[limit.key] = limit
    return list(inner.values())


def _short(rows: pd.DataFrame, below: float, at_least: int) -> pd.DataFrame:
    return rows[(rows["number"] >= at_least) & (rows["ratio_p90"] < below)]


def _under_today_s_limits(reading: Reading, found: pd.DataFrame, limits: Mapping[str, list[TimeLimit]]) -> pd.DataFrame:
    """Procedures whose limit is newer than the oldest dossiers measured are measured again, by those of this limit."""
    since = {code: max((one.valid_from for one in own if one.valid_from), default=None) for code, own in limits.items()}
    dated = {code: first for code, first in since.items() if first is not None}
    if not dated:
        return found
    older = found[found["procedure_code"].isin(dated)]
    again = measure(reading, older.assign(since=older["procedure_code"].map(dated)))
    settings = reading.settings
    again = _short(again, settings.shortenable_below, settings.shortenable_at_least)
    return pd.concat([found[~found["procedure_code"].isin(dated)], again], ignore_index=True)


def _row(row: Mapping[str, Any], limits: Sequence[TimeLimit], day: float) -> tuple[Any, ...]:
    stated = _stated_days(limits, day)
    allowed = row["allowed_p50"] / day if stated is None else stated
    used = row["used_p90"] / day
    # Never below half a day: a limit of none cannot be kept.
    proposed = max(math.ceil(round(used / _HALF_DAY, 6)) * _HALF_DAY, _HALF_DAY)
    gain = allowed - proposed
    until = min((limit.valid_to for limit in limits if limit.valid_to), default=None)
    return (
        row["procedure_code"],
        row["procedure"] if isinstance(row["procedure"], str) else row["procedure_code"],
        limit_words(limits) or f"khoảng {wording.decimal(round(allowed, 1))} ngày làm việc theo ngày hẹn trả",
        None if until is None else until - timedelta(days=1),
        round(allowed, 2),
        BY_PROMISE if stated is None else BY_LAW,
        round(row["used_p50"] / day, 2),
        round(used, 2),
        Decimal(str(round(100 * row["ratio_p90"], 2))),
        proposed,
        round(gain, 2),
        int(row["number"]),
        _IN_PERIOD if pd.isna(row["one_of"]) else _IN_YEAR,
        int(row["yearly"]),
        round(gain * row["yearly"], 2),
    )


def _stated_days(limits: Sequence[TimeLimit], day: float) -> float | None:
    """A limit in working days; None where there is none, several, or one that is not counted in working time."""
    if len(limits) != 1 or limits[0].amount is None or limits[0].unit not in ("working_day", "working_hour"):
        return None
    return limits[0].amount * (1 if limits[0].unit == "working_day" else 3600 / day)


def limit_words(limits: Sequence[TimeLimit]) -> str:
    """The limits as they are written: ``05 ngày làm việc``; each once."""
    return "; ".join(dict.fromkeys(_limit(limit) for limit in limits if limit.unit is not None))


def _limit(limit: TimeLimit) -> str:
    assert limit.unit is not None
    if limit.amount is None:
        return _UNITS[limit.unit]
    whole = limit.amount == int(limit.amount)
    return f"{f'{int(limit.amount):02d}' if whole else wording.decimal(limit.amount)} {_UNITS[limit.unit]}"


def _with_end(limit: str, until: date | None) -> str:
    return limit if until is None else f"{limit} (tạm thời đến hết ngày {wording.day(until)})"
