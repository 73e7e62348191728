"""Signs to be checked: how many dossiers each rule about integrity found in a period, unit by unit.

Neutral on purpose. A sign is no finding of misconduct: software only assists, and faults of software or lawful reasons may
explain it. The dossiers behind most of them stand in ``audit.tell_tale_dossiers``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.delays import read_applied
from tthc_monitor.outputs.frames import read_frame, records
from tthc_monitor.outputs.report_tables import Table, TableChart, TableColumn
from tthc_monitor.outputs.word_fields import Field

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

_TOP: Final = 10
KINDS: Final = (
    "due_moved_after_due", "finish_backdated", "reception_later_than_number", "reception_after_first_sight",
    "steps_within_minutes", "bulk_closing", "refiled", "promise_over_limit", "source_verdict_differs", "vanished",
    "stopped_without_request", "number_date_differs", "number_gap",
)  # fmt: skip
"""Kinds of rules about integrity, in the order of their pack."""
_CAUTION: Final = (
    "Dấu hiệu do phần mềm phát hiện, chỉ hỗ trợ kiểm tra, không thay kết luận, không phải kết luận vi phạm. Lỗi phần mềm, đồng bộ "
    "chậm hoặc lý do hợp pháp có thể giải thích."
)
_OVERLAP: Final = "Hồ sơ có nhiều dấu hiệu được tính ở từng dấu hiệu, một lần trong số hồ sơ của đơn vị."
_AS_KNOWN: Final = "Dấu hiệu phát sinh trong kỳ, theo dữ liệu tại thời điểm lập báo cáo."
_COLUMNS: Final = (
    TableColumn("rule_code", "Mã quy tắc", "code", technical=True),
    TableColumn("title", "Dấu hiệu cần kiểm tra"),
    TableColumn("unit_code", "Mã đơn vị", "code"),
    TableColumn("unit_name", "Đơn vị"),
    TableColumn("dossiers", "Số hồ sơ", "count"),
)
_UNIT_COLUMNS: Final = (
    TableColumn("unit_code", "Mã đơn vị", "code"),
    TableColumn("unit_name", "Đơn vị"),
    TableColumn("dossiers", "Số hồ sơ có dấu hiệu", "count"),
    TableColumn("signs", "Dấu hiệu, số hồ sơ"),
)
_FOUND = """
SELECT f.rule_code, max(f.title) AS title, f.kind, coalesce(f.unit_code, '') AS unit_code, u.name AS unit_name,
       array_agg(DISTINCT f.dossier_id) AS dossier_ids
FROM audit.flags_in_force f
JOIN audit.dossiers d USING (dossier_id)
LEFT JOIN audit.units u ON u.unit_code = f.unit_code
WHERE f.kind = ANY(%(kinds)s) AND f.starts_at >= %(start)s AND f.starts_at < %(end)s AND f.ends_at >= %(start)s AND d.kind = 'dossier'
  AND (%(units)s::text[] IS NULL OR f.unit_code = ANY(%(units)s::text[]))
GROUP BY f.rule_code, f.kind, f.unit_code, u.name
"""
_SIGN: Final = Field("so", "số hồ sơ có dấu hiệu")
FIELDS_INTEGRITY: Final = (
    Field("dau_hieu_ap_dung", "số quy tắc về dấu hiệu cần kiểm tra đang được áp dụng"),
    Field("dau_hieu_so", "số hồ sơ có dấu hiệu cần kiểm tra phát sinh trong kỳ"),
    Field("dau_hieu_so_don_vi", "số đơn vị có hồ sơ như vậy"),
    Field(
        "dau_hieu",
        "từng dấu hiệu cần kiểm tra có hồ sơ, nhiều hồ sơ nhất trước",
        (Field("tt", "số thứ tự"), Field("ten", "dấu hiệu"), _SIGN, Field("so_don_vi", "số đơn vị")),
        many=True,
    ),
    Field(
        "dau_hieu_don_vi",
        "đơn vị có nhiều hồ sơ có dấu hiệu nhất trước, tối đa 10",
        (Field("tt", "số thứ tự"), Field("ten", "tên đơn vị"), _SIGN, Field("dau_hieu", "các dấu hiệu và số hồ sơ")),
        many=True,
    ),
    Field("con_dau_hieu_don_vi", "số đơn vị như vậy không nằm trong dau_hieu_don_vi"),
)


@dataclass(frozen=True)
class Integrity:
    """Signs to be checked.

    Attributes:
        rows: a row for each rule and unit: ``rule_code``, ``title``, ``kind``, ``unit_code``, ``unit_name``, ``dossiers``.
        rules: a row for each rule that is applied, also those that found nothing: ``title``, ``dossiers``, ``units``.
        units: a row for each unit: ``unit_name``, ``dossiers`` (each once, however many signs it has), ``signs`` in words.
        dossiers: dossiers with any sign, each once.
    """

    rows: pd.DataFrame
    rules: pd.DataFrame
    units: pd.DataFrame
    dossiers: int

    def tables(self) -> Sequence[Table]:
        """By rule and unit; then one row a unit, which is what a chart can draw."""
        empty = "Không có." if len(self.rules) else "Chưa áp dụng quy tắc nào về dấu hiệu cần kiểm tra."
        notes = (_CAUTION, _OVERLAP, _AS_KNOWN)
        chart = TableChart("bar", "Hồ sơ có dấu hiệu cần kiểm tra theo đơn vị", "unit_name", ("dossiers",), _TOP)
        return (
            Table(
                "integrity",
                "Dấu hiệu cần kiểm tra",
                "DẤU HIỆU CẦN KIỂM TRA THEO ĐƠN VỊ",
                _COLUMNS,
                self.rows,
                notes,
                empty=empty,
            ),
            Table(
                "integrity-by-unit",
                "Đơn vị cần kiểm tra",
                "ĐƠN VỊ CÓ HỒ SƠ CÓ DẤU HIỆU CẦN KIỂM TRA",
                _UNIT_COLUMNS,
                self.units,
                notes,
                chart,
                empty,
            ),
        )

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_INTEGRITY`."""
        return {
            "dau_hieu_ap_dung": len(self.rules),
            "dau_hieu_so": self.dossiers,
            "dau_hieu_so_don_vi": int((self.units["unit_code"] != "").sum()),
            "dau_hieu": [
                {"tt": number, "ten": row["title"], "so": row["dossiers"], "so_don_vi": row["units"]}
                for number, row in enumerate(records(self.rules[self.rules["dossiers"] > 0]), start=1)
            ],
            "dau_hieu_don_vi": [
                {"tt": number, "ten": row["unit_name"], "so": row["dossiers"], "dau_hieu": row["signs"]}
                for number, row in enumerate(records(self.units.head(_TOP)), start=1)
            ],
            "con_dau_hieu_don_vi": max(len(self.units) - _TOP, 0),
        }


def read_integrity(reading: Reading) -> Integrity:
    """Signs that began in the period."""
    found = read_frame(reading.connection, _FOUND, reading.values | {"kinds": list(KINDS)})
    found["unit_name"] = [
        wording.unit_label(code, name if isinstance(name, str) else None)
        for code, name in zip(found["unit_code"], found["unit_name"], strict=True)
    ]
    found["dossiers"] = pd.Series([len(ids) for ids in found["dossier_ids"]], dtype="int64")
    rows = found.sort_values(["dossiers", "rule_code", "unit_code"], ascending=[False, True, True], ignore_index=True)
    every = rows["dossier_ids"].explode()
    return Integrity(
        rows.drop(columns="dossier_ids"), _by_rule(rows, read_applied(reading)), _by_unit(rows), int(every.nunique())
    )


def _by_rule(rows: pd.DataFrame, applied: pd.DataFrame) -> pd.DataFrame:
    checked = applied[applied["kind"].isin(KINDS)].drop_duplicates("rule_code").set_index("rule_code")[["title"]]
    groups = rows.groupby("rule_code")
    held = pd.DataFrame(
        {"title": groups["title"].first(), "dossiers": groups["dossiers"].sum(), "units": groups.size()}
    )
    table = (
        held.combine_first(checked).fillna({"dossiers": 0, "units": 0}).astype({"dossiers": "int64", "units": "int64"})
    )
    return (
        table.rename_axis("rule_code")
        .reset_index()
        .sort_values(["dossiers", "rule_code"], ascending=[False, True], ignore_index=True)
    )


def _by_unit(rows: pd.DataFrame) -> pd.DataFrame:
    units = []
    for (code, name), some in rows.groupby(["unit_code", "unit_name"]):
        signs = "; ".join(
            f"{title}: {wording.number(count)} hồ sơ"
            for title, count in zip(some["title"], some["dossiers"].tolist(), strict=True)
        )
        units.append((code, name, len({one for ids in some["dossier_ids"] for one in ids}), signs))
    table = pd.DataFrame(units, columns=["unit_code", "unit_name", "dossiers", "signs"])
    return table.sort_values(["dossiers", "unit_code"], ascending=[False, True], ignore_index=True)
