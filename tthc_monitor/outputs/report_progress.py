"""The progress score of index 766 beside the official rate, unit by unit, and why the two differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.frames import read_frame
from tthc_monitor.outputs.report_columns import COUNTS
from tthc_monitor.outputs.report_counts import records, text_of
from tthc_monitor.outputs.report_ranking import with_shares
from tthc_monitor.outputs.report_tables import Table, TableChart, TableColumn
from tthc_monitor.outputs.report_units import unit_names
from tthc_monitor.outputs.word_fields import Field

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tthc_monitor.outputs.report_topics import Reading

_SCORED: Final = (
    Field("tiep_nhan", "hồ sơ tiếp nhận, xử lý trong kỳ: mẫu số"),
    Field("dung_han", "trong đó đúng hạn theo Bộ chỉ số 766: tử số"),
    Field("qua_han", "quá hạn theo Bộ chỉ số 766"),
    Field("chua_ro", "chưa xác định được, không tính là đúng hạn"),
    Field("ty_le", "tỷ lệ đúng hạn theo Bộ chỉ số 766"),
    Field("diem", "điểm tiến độ: quy đổi 20 × tỷ lệ đúng hạn theo Bộ chỉ số 766, 2 chữ số thập phân"),
    Field("diem_cao_nhat", "điểm nếu mọi hồ sơ chưa xác định được đều đúng hạn"),
    Field("ty_le_dung_han", "tỷ lệ đúng hạn của hồ sơ đã giải quyết có hạn, theo Biểu II.06a"),
)
FIELDS_PROGRESS: Final = (
    Field("co_diem_766", "đúng khi có điểm tiến độ theo Bộ chỉ số 766, dùng trong {% if %}"),
    Field("diem_766", "điểm tiến độ theo Bộ chỉ số 766 của cả báo cáo", _SCORED),
    Field(
        "diem_766_don_vi",
        "điểm tiến độ từng đơn vị, thấp nhất trước",
        (Field("tt", "số thứ tự"), Field("ten", "tên đơn vị"), Field("ma", "mã đơn vị"), *_SCORED),
        many=True,
    ),
    Field("ghi_chu_766", "vì sao điểm tiến độ khác tỷ lệ đúng hạn của Biểu II.06a", many=True),
)

NOTES: Final = (
    "Điểm tiến độ: quy đổi 20 × tỷ lệ đúng hạn (suy từ số liệu Cổng Dịch vụ công quốc gia); tỷ lệ = hồ sơ đúng hạn / hồ sơ tiếp nhận, "
    "xử lý trong kỳ. Tỷ lệ đúng hạn của Biểu II.06a chỉ tính hồ sơ đã giải quyết có hạn.",
    "Theo Bộ chỉ số 766: hồ sơ đang giải quyết còn trong hạn tính là đúng hạn; thời gian chờ bổ sung luôn được trừ; yêu cầu bổ sung từ "
    "lần thứ hai tính là quá hạn; không có ngày hẹn trả thì so với thời hạn tối đa của thủ tục.",
    "Hồ sơ chưa xác định được nằm trong mẫu số, không tính là đúng hạn; điểm cao nhất có thể là điểm khi các hồ sơ đó đều đúng hạn.",
    "Cổng Dịch vụ công quốc gia hiện hành tính trên dữ liệu của Cổng; không so sánh với điểm công bố trên Cổng trước đây.",
)
_NOT_APPLIED: Final = "Chưa tính điểm tiến độ theo Bộ chỉ số 766: quy tắc của Bộ chỉ số chưa được áp dụng."
_AS_KNOWN_NOW: Final = "Số liệu của kỳ đã chốt; điểm tiến độ tính theo dữ liệu hiện có."

_APPLIED: Final = "SELECT audit.system_applied('national_766') AS applied"
_BY_UNIT: Final = """
SELECT coalesce(unit_code, '') AS unit_code, sum(total_received)::bigint AS received, sum(total_on_time)::bigint AS on_time,
       sum(total_overdue)::bigint AS overdue, sum(total_cannot_tell)::bigint AS cannot_tell
FROM audit.progress_766_by_unit(%(start)s, %(end)s, %(units_as)s, %(zone)s, %(day)s::date)
WHERE %(units)s::text[] IS NULL OR unit_code = ANY(%(units)s::text[])
GROUP BY 1
"""
_SCORES: Final = """
SELECT code, round(100.0 * on_time / nullif(received, 0), 2) AS ratio_percent, audit.score_766(on_time, received) AS score,
       audit.score_766(on_time + cannot_tell, received) AS score_at_most
FROM unnest(%(codes)s::text[], %(received)s::numeric[], %(on_time)s::numeric[], %(cannot_tell)s::numeric[])
     AS t (code, received, on_time, cannot_tell)
"""
_SUMS: Final = ("received", "on_time", "overdue", "cannot_tell")
_ALL: Final = "\n"  # no unit's code


@dataclass(frozen=True)
class Progress:
    """Scores by index 766.

    Attributes:
        applied: whether the rules of the index were applied; if not there are no rows.
        units: a row per unit, the lowest score first; ``on_time_percent`` is the official rate.
        total: the same of all together; None when not applied.
        notes: why the score differs from the official rate.
    """

    applied: bool
    units: pd.DataFrame
    total: Mapping[str, Any] | None
    notes: tuple[str, ...]

    def tables(self) -> Sequence[Table]:
        """One row per unit, then all together."""
        columns = (
            TableColumn("unit_name", "Đơn vị"),
            TableColumn("unit_code", "Mã đơn vị", "code"),
            TableColumn("received", "Tiếp nhận, xử lý trong kỳ (mẫu số)", "count"),
            TableColumn("on_time", "Đúng hạn theo 766 (tử số)", "count"),
            TableColumn("overdue", "Quá hạn theo 766", "count"),
            TableColumn("cannot_tell", "Chưa xác định được", "count"),
            TableColumn("ratio_percent", "Tỷ lệ đúng hạn theo 766", "percent"),
            TableColumn("score", "Điểm tiến độ (tối đa 20)", "decimal"),
            TableColumn("score_at_most", "Điểm cao nhất có thể", "decimal"),
            TableColumn("on_time_percent", "Tỷ lệ đúng hạn Biểu II.06a", "percent"),
        )
        names = [column.name for column in columns]
        rows = self.units[names] if self.applied else pd.DataFrame(columns=names)
        if self.total is not None:
            whole = pd.DataFrame([{**self.total, "unit_name": "TỔNG CỘNG", "unit_code": ""}], columns=names)
            rows = pd.concat([rows, whole], ignore_index=True) if len(rows) else whole
        chart = TableChart("bar", "Điểm tiến độ thấp nhất", "unit_name", ("score",), min(len(self.units), 10))
        title = "ĐIỂM TIẾN ĐỘ GIẢI QUYẾT THEO BỘ CHỈ SỐ 766"
        empty = "Không có." if self.applied else _NOT_APPLIED
        return (
            Table(
                "progress-766",
                "Điểm tiến độ 766",
                title,
                columns,
                rows,
                self.notes,
                chart if len(self.units) else None,
                empty,
            ),
        )

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_PROGRESS`."""
        return {
            "co_diem_766": self.total is not None,
            "diem_766": _said(self.total or dict.fromkeys((*_SUMS, "score", "score_at_most", "ratio_percent"), None)),
            "diem_766_don_vi": [
                {"tt": place, "ten": row["unit_name"], "ma": row["unit_code"], **_said(row)}
                for place, row in enumerate(records(self.units), start=1)
            ],
            "ghi_chu_766": list(self.notes),
        }


def read_progress(reading: Reading) -> Progress:
    """Score the units of a report for its period."""
    connection, scope = reading.connection, reading.scope
    if not bool(read_frame(connection, _APPLIED, {})["applied"].iloc[0]):
        return Progress(False, pd.DataFrame(columns=["unit_code", "unit_name", *_SUMS]), None, (_NOT_APPLIED,))
    values = reading.values | scope.values | {"units_as": scope.units_as}
    counted = read_frame(connection, _BY_UNIT, values).set_index("unit_code")
    scored = _scored(connection, pd.concat([counted, pd.DataFrame([counted.sum()], index=[_ALL])]).astype("int64"))
    official = reading.figures.groupby("unit_code")[list(COUNTS)].sum().reindex(counted.index, fill_value=0)
    official = pd.concat([official, pd.DataFrame([reading.series.this.counts], index=[_ALL])])
    scored["on_time_percent"] = with_shares(connection, official)["on_time_percent"]
    units = scored.drop(index=_ALL).rename_axis("unit_code").reset_index()
    names = unit_names(connection, scope, units["unit_code"].tolist())
    units.insert(1, "unit_name", [wording.unit_label(code, text_of(names.get(code))) for code in units["unit_code"]])
    units = units.sort_values(["score", "unit_code"], ignore_index=True)
    notes = (*NOTES, _AS_KNOWN_NOW) if reading.series.this.frozen else NOTES
    return Progress(True, units, records(scored.loc[[_ALL]])[0], notes)


def _scored(connection: Connection, counted: pd.DataFrame) -> pd.DataFrame:
    values = {"codes": counted.index.tolist(), **{name: counted[name].tolist() for name in _SUMS}}
    return counted.join(read_frame(connection, _SCORES, values).set_index("code"))


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row in the words of the template."""
    score, most = row["score"], row["score_at_most"]
    return {
        "tiep_nhan": row["received"] or 0,
        "dung_han": row["on_time"] or 0,
        "qua_han": row["overdue"] or 0,
        "chua_ro": row["cannot_tell"] or 0,
        "ty_le": _share(row["ratio_percent"]),
        "diem": wording.NO_DATA if pd.isna(score) else wording.fixed(score),
        "diem_cao_nhat": wording.NO_DATA if pd.isna(most) else wording.fixed(most),
        "ty_le_dung_han": _share(row.get("on_time_percent")),
    }


def _share(value: Any) -> str:
    return wording.NO_DATA if pd.isna(value) else wording.percent(value)
