"""Topic "heads": the units ranked by what is late, each with who was responsible for it on the last day of the period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.frames import read_frame
from tthc_monitor.outputs.report_heads_file import read_heads
from tthc_monitor.outputs.report_percents import percents, sums_by
from tthc_monitor.outputs.report_tables import Table, TableColumn, frame_of
from tthc_monitor.outputs.report_units import unit_names
from tthc_monitor.outputs.word_fields import Field

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

NOT_TOLD: Final = "chưa khai báo"
_TOP: Final = 10
_KNOWN: Final = """
SELECT unit_code FROM audit.units WHERE unit_code = ANY(%(codes)s::text[])
UNION SELECT unit_code FROM audit.unit_versions WHERE unit_code = ANY(%(codes)s::text[]) AND known_to IS NULL
"""

FIELDS_HEADS: Final = (
    Field("co_nguoi_dung_dau", "đúng khi đã khai báo người đứng đầu (report.heads_file), dùng trong {% if %}"),
    Field(
        "nguoi_dung_dau",
        "đơn vị có hồ sơ quá hạn và người đứng đầu vào ngày cuối kỳ, nhiều hồ sơ quá hạn nhất trước, tối đa 10",
        (
            Field("tt", "số thứ tự"),
            Field("don_vi", "tên đơn vị"),
            Field("nguoi", "chức vụ, họ tên người đứng đầu; “chưa khai báo” khi tệp không có"),
            Field("qua_han", "số hồ sơ quá hạn, đã và đang giải quyết"),
            Field("ty_trong", "tỷ trọng trong tổng số hồ sơ quá hạn"),
            Field("da_co_han", "đã giải quyết có hạn: mẫu số của tỷ lệ đúng hạn"),
            Field("ty_le_dung_han", "tỷ lệ đúng hạn của hồ sơ đã giải quyết có hạn"),
            Field("thu_tuc", "thủ tục có nhiều hồ sơ quá hạn nhất của đơn vị, số hồ sơ"),
        ),
        many=True,
    ),
    Field("ma_don_vi_la", "mã đơn vị trong tệp người đứng đầu mà dữ liệu không có, cách nhau dấu phẩy"),
)
_COLUMNS: Final = (
    TableColumn("unit_code", "Mã đơn vị", "code"),
    TableColumn("unit", "Đơn vị"),
    TableColumn("head", "Người đứng đầu vào ngày cuối kỳ"),
    TableColumn("late", "Quá hạn (đã và đang giải quyết)", "count"),
    TableColumn("late_share_percent", "Tỷ trọng trong tổng số quá hạn", "percent"),
    TableColumn("finished_known", "Đã giải quyết, có hạn (mẫu số)", "count"),
    TableColumn("on_time_percent", "Tỷ lệ đúng hạn", "percent"),
    TableColumn("worst_procedure_code", "Mã TTHC quá hạn nhiều nhất", "code"),
    TableColumn("worst_procedure", "Thủ tục quá hạn nhiều nhất"),
    TableColumn("worst_procedure_late", "Số hồ sơ quá hạn của thủ tục đó", "count"),
)


@dataclass(frozen=True)
class Heads:
    """``ranked`` has the columns of the table; ``declared``: there is a file; ``unknown``: its codes of no unit."""

    ranked: pd.DataFrame
    declared: bool
    unknown: tuple[str, ...]

    def tables(self) -> Sequence[Table]:
        """The ranking."""
        notes = ["Tỷ lệ đúng hạn = (trước hạn + đúng hạn) / hồ sơ đã giải quyết có hạn."]
        if not self.declared:
            notes.append("Chưa khai báo người đứng đầu các đơn vị.")
        if self.unknown:
            notes.append(f"Mã đơn vị trong tệp người đứng đầu mà dữ liệu không có: {', '.join(self.unknown)}.")
        return (
            Table(
                "heads",
                "Người đứng đầu",
                "ĐƠN VỊ CÓ HỒ SƠ QUÁ HẠN VÀ NGƯỜI ĐỨNG ĐẦU",
                _COLUMNS,
                self.ranked,
                tuple(notes),
            ),
        )

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_HEADS`."""
        return {
            "co_nguoi_dung_dau": self.declared,
            "nguoi_dung_dau": [
                {
                    "tt": number,
                    "don_vi": row["unit"],
                    "nguoi": row["head"],
                    "qua_han": row["late"],
                    "ty_trong": row["late_share_percent"],
                    "da_co_han": row["finished_known"],
                    "ty_le_dung_han": row["on_time_percent"],
                    "thu_tuc": f"{row['worst_procedure']} ({wording.number(row['worst_procedure_late'])} hồ sơ)"
                    if row["worst_procedure_late"]
                    else "",
                }
                for number, row in enumerate(self.ranked.head(_TOP).to_dict("records"), start=1)
            ],
            "ma_don_vi_la": ", ".join(self.unknown),
        }


def read_heads_topic(reading: Reading) -> Heads:
    """The units with late dossiers, the most first.

    Raises:
        ConfigError: ``report.heads_file`` cannot be used.
    """
    path = reading.settings.heads_file
    heads = () if path is None else read_heads(reading.base_dir / path)
    on_last_day = {head.unit_code: head for head in heads if head.on(reading.period.last_day)}
    sums = sums_by(reading.figures, "unit_code")
    sums["late"] = sums["finished_late"] + sums["pending_overdue"]
    sums["on_time"] = sums["finished_early"] + sums["finished_on_time"]
    names = unit_names(reading.connection, reading.scope, [str(code) for code in sums.index])
    total = int(sums["late"].sum())
    sums = sums[sums["late"] > 0].rename_axis("unit_code").reset_index()
    sums = sums.sort_values(["late", "unit_code"], ascending=[False, True])
    late = sums["late"].tolist()
    shares = percents(reading.connection, late, [total - one for one in late])
    on_time = percents(reading.connection, sums["on_time"].tolist(), sums["finished_late"].tolist())
    worst = _worst_procedures(reading.delayed)
    rows = []
    for row, share, percent in zip(sums.to_dict("records"), shares, on_time, strict=True):
        code = str(row["unit_code"])
        head = on_last_day.get(code)
        known = int(row["on_time"] + row["finished_late"])
        rows.append(
            (
                code,
                wording.unit_label(code, names.get(code)),
                head.label if head else NOT_TOLD,
                int(row["late"]),
                share,
                known,
                percent,
                *worst.get(code, (None, None, None)),
            )
        )
    unknown = _unknown(reading, {head.unit_code for head in heads})
    return Heads(frame_of(_COLUMNS, rows), path is not None, unknown)


def _unknown(reading: Reading, codes: set[str]) -> tuple[str, ...]:
    known = read_frame(reading.connection, _KNOWN, {"codes": sorted(codes)})["unit_code"]
    return tuple(sorted(codes - set(known)))


def _worst_procedures(delayed: pd.DataFrame) -> dict[str, tuple[str | None, str, int]]:
    """Of each unit the procedure with the most delayed dossiers: code, name, how many."""
    counts = (
        delayed.assign(code=delayed["procedure_code"].fillna(""), name=delayed["procedure"].fillna("Chưa rõ thủ tục"))
        .groupby(["unit_code", "code", "name"], as_index=False, observed=True)
        .size()
        .sort_values(["unit_code", "size", "code"], ascending=[True, False, True])
        .drop_duplicates("unit_code")
    )
    return {
        str(row["unit_code"]): (row["code"] or None, row["name"], int(row["size"])) for row in counts.to_dict("records")
    }
