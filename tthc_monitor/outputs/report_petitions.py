"""Petitions (phản ánh, kiến nghị, hotline 1022) of a period: handled on time, late, or nobody can tell, unit by unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.frames import read_frame
from tthc_monitor.outputs.report_counts import records, text_of
from tthc_monitor.outputs.report_tables import Table, TableChart, TableColumn
from tthc_monitor.outputs.report_units import shown_under, unit_names
from tthc_monitor.outputs.word_fields import Field

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

_COUNTED: Final = (
    Field("tong", "phản ánh, kiến nghị trong kỳ"),
    Field("da_dung_han", "đã xử lý đúng hạn"),
    Field("da_cham", "đã xử lý chậm"),
    Field("da_chua_ro", "đã xử lý, chưa xác định được đúng hạn hay chậm"),
    Field("dang_trong_han", "đang xử lý trong hạn"),
    Field("dang_cham", "đang xử lý đã chậm"),
    Field("dang_chua_ro", "đang xử lý, chưa xác định được"),
    Field("chua_ro", "chưa xác định được, đã và đang xử lý"),
    Field("mau_so", "đã xử lý đúng hạn, đã xử lý chậm và đang xử lý đã chậm: mẫu số của tỷ lệ"),
    Field("ty_le_dung_han", "tỷ lệ xử lý đúng hạn"),
)
FIELDS_PETITIONS: Final = (
    Field("co_pakn", "đúng khi trong kỳ có phản ánh, kiến nghị, dùng trong {% if %}"),
    Field("pakn", "phản ánh, kiến nghị của cả báo cáo", _COUNTED),
    Field(
        "pakn_don_vi",
        "phản ánh, kiến nghị từng đơn vị, chậm nhiều nhất trước",
        (Field("tt", "số thứ tự"), Field("ten", "tên đơn vị"), Field("ma", "mã đơn vị"), *_COUNTED),
        many=True,
    ),
    Field("ghi_chu_pakn", "cách tính tỷ lệ xử lý phản ánh, kiến nghị đúng hạn", many=True),
)

NOTES: Final = (
    "Tỷ lệ đúng hạn = đã xử lý đúng hạn / (đã xử lý đúng hạn + đã xử lý chậm + đang xử lý đã chậm). Phản ánh, kiến nghị được rút không tính.",
    "Chưa xác định: nguồn không ghi thời điểm gửi, thời điểm chuyển hoặc thời điểm xử lý xong; không tính là đúng hạn hay chậm.",
    "Mục 5.3, 5.4 Bộ chỉ số 766 cần kết quả đánh giá hài lòng, dữ liệu hồ sơ không có nên không tính.",
)

_SUMS: Final = ("handled_on_time", "handled_late", "handled_unknown", "open_in_time", "open_late", "open_unknown")
_BY_UNIT: Final = f"""
SELECT coalesce(unit_code, '') AS unit_code, NULL::text AS sector_code, NULL::text AS procedure_code, {", ".join(_SUMS)}
FROM audit.petition_shares(%(start)s, %(end)s)
"""
_PERCENT: Final = """
SELECT code, audit.on_time_percent(on_time, late) AS on_time_percent
FROM unnest(%(codes)s::text[], %(on_time)s::numeric[], %(late)s::numeric[]) AS t (code, on_time, late)
"""
_NONE: Final = "Trong kỳ không có phản ánh, kiến nghị."
_ALL: Final = "\n"  # no unit's code
_TITLES: Final = {
    "handled_on_time": ("Đã xử lý đúng hạn", "da_dung_han"),
    "handled_late": ("Đã xử lý chậm", "da_cham"),
    "handled_unknown": ("Đã xử lý, chưa xác định", "da_chua_ro"),
    "open_in_time": ("Đang xử lý trong hạn", "dang_trong_han"),
    "open_late": ("Đang xử lý, đã chậm", "dang_cham"),
    "open_unknown": ("Đang xử lý, chưa xác định", "dang_chua_ro"),
}


@dataclass(frozen=True)
class Petitions:
    """Petitions by unit, the most late first, and all together (None when there are none)."""

    units: pd.DataFrame
    total: Mapping[str, Any] | None

    def tables(self) -> Sequence[Table]:
        """One row per unit, then all together."""
        columns = (
            TableColumn("unit_name", "Đơn vị"),
            TableColumn("unit_code", "Mã đơn vị", "code"),
            *(TableColumn(name, title, "count") for name, (title, _) in _TITLES.items()),
            TableColumn("denominator", "Mẫu số của tỷ lệ", "count"),
            TableColumn("on_time_percent", "Tỷ lệ đúng hạn", "percent"),
        )
        names = [column.name for column in columns]
        whole = [] if self.total is None else [{**self.total, "unit_name": "TỔNG CỘNG", "unit_code": ""}]
        rows = pd.DataFrame([*records(self.units[names]), *whole], columns=names)
        chart = TableChart(
            "bar",
            "Phản ánh, kiến nghị chậm",
            "unit_name",
            ("handled_late", "open_late"),
            min(len(self.units), 10),
            stacked=True,
        )
        return (
            Table(
                "petitions",
                "Phản ánh, kiến nghị",
                "XỬ LÝ PHẢN ÁNH, KIẾN NGHỊ",
                columns,
                rows,
                NOTES,
                chart if len(self.units) else None,
                _NONE,
            ),
        )

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_PETITIONS`."""
        none = dict.fromkeys((*_SUMS, "denominator"), 0) | {"on_time_percent": None}
        return {
            "co_pakn": self.total is not None,
            "pakn": _said(self.total or none),
            "pakn_don_vi": [
                {"tt": place, "ten": row["unit_name"], "ma": row["unit_code"], **_said(row)}
                for place, row in enumerate(records(self.units), start=1)
            ],
            "ghi_chu_pakn": list(NOTES),
        }


def read_petitions(reading: Reading) -> Petitions:
    """Petitions of a report's period."""
    connection, scope = reading.connection, reading.scope
    found = shown_under(connection, scope, read_frame(connection, _BY_UNIT, reading.values))
    sums = found.groupby("unit_code")[list(_SUMS)].sum()
    every = pd.concat([sums, pd.DataFrame([sums.sum()], index=[_ALL])]).astype("int64")
    every["denominator"] = every["handled_on_time"] + every["handled_late"] + every["open_late"]
    values = {
        "codes": every.index.tolist(),
        "on_time": every["handled_on_time"].tolist(),
        "late": (every["handled_late"] + every["open_late"]).tolist(),
    }
    every = every.join(read_frame(connection, _PERCENT, values).set_index("code"))
    units = every.drop(index=_ALL).rename_axis("unit_code").reset_index()
    names = unit_names(connection, scope, units["unit_code"].tolist())
    units.insert(1, "unit_name", [wording.unit_label(code, text_of(names.get(code))) for code in units["unit_code"]])
    units = units.assign(late=units["handled_late"] + units["open_late"])
    units = units.sort_values(["late", "unit_code"], ascending=[False, True], ignore_index=True)
    return Petitions(units, records(every.loc[[_ALL]])[0] if len(units) else None)


def _said(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row in the words of the template."""
    share = row["on_time_percent"]
    return {
        "tong": int(sum(row[name] for name in _SUMS)),
        **{word: int(row[name]) for name, (_, word) in _TITLES.items()},
        "chua_ro": int(row["handled_unknown"] + row["open_unknown"]),
        "mau_so": int(row["denominator"]),
        "ty_le_dung_han": wording.NO_DATA if pd.isna(share) else wording.percent(share),
    }
