"""What was sent back in a period: refused, stopped, withdrawn, asked to be supplemented, by unit and by procedure.

Counts are dossiers (not petitions) of which a rule found it in the period; shares are of those received in the period.
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
from tthc_monitor.outputs.rule_titles import titles_not_applied
from tthc_monitor.outputs.shares import percent_of, percents
from tthc_monitor.outputs.word_fields import Field

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

_TOP: Final = 10
_COUNTS: Final[dict[str, str]] = {
    "refused": "Từ chối",
    "stopped": "Dừng giải quyết",
    "withdrawn": "Người dân rút",
    "supplement_once": "Yêu cầu bổ sung 01 lần",
    "supplement_more": "Yêu cầu bổ sung từ 02 lần",
    "supplement_unknown": "Yêu cầu bổ sung, chưa rõ số lần",
    "supplement_after_window": "Yêu cầu bổ sung sau thời hạn quy định",
    "returned_near_due": "Trả lại, yêu cầu bổ sung khi sắp đến hạn",
    "refused_late": "Từ chối khi đã quá hạn",
    "waiting": "Còn chờ bổ sung cuối kỳ",
    "waiting_long": "Chờ bổ sung lâu cuối kỳ",
}
_BY_RULE: Final = ("refused", "stopped", "withdrawn", "supplement_after_window", "returned_near_due", "refused_late")
_RULES: Final = (*_BY_RULE, "supplement_requested", "waiting_long")
_SHOWN: Final = (
    TableColumn("received", "Tiếp nhận mới trong kỳ", "count"),
    TableColumn("sent_back", "Trả lại (từ chối, dừng)", "count"),
    TableColumn("sent_back_percent", "Tỷ lệ trả lại (%)", "percent"),
    TableColumn("supplemented", "Yêu cầu bổ sung", "count"),
    TableColumn("supplemented_percent", "Tỷ lệ yêu cầu bổ sung (%)", "percent"),
    *(TableColumn(name, title, "count") for name, title in _COUNTS.items()),
)
_FOUND = """
SELECT f.rule_code, d.dossier_id, coalesce(d.unit_code, '') AS unit_code, d.unit_name, coalesce(d.procedure_code, '') AS procedure_code,
       d.procedure_name, d.supplement_count, f.starts_at >= %(start)s AS begun, f.ends_at >= %(end)s AS lasting
FROM audit.flags_in_force f JOIN audit.dossiers d USING (dossier_id)
WHERE f.rule_code = ANY(%(rules)s) AND d.kind = 'dossier' AND f.starts_at < %(end)s
  AND (f.starts_at >= %(start)s OR f.rule_code IN ('supplement_requested', 'waiting_long') AND f.ends_at >= %(end)s)
  AND (%(units)s::text[] IS NULL OR d.unit_code = ANY(%(units)s::text[]))
"""
_LONG_DAYS = """
SELECT (r.definition ->> 'working_days')::int AS working_days FROM audit.rules r
WHERE r.rule_code = 'waiting_long' AND r.rule_version_id = ANY((
    SELECT e.rule_version_ids FROM audit.evaluations e WHERE e.rule_version_ids IS NOT NULL ORDER BY e.evaluation_id DESC LIMIT 1)::int[])
"""
_RECEIVED = """
SELECT coalesce(d.procedure_code, '') AS procedure_code, count(*) AS received FROM audit.dossiers d
WHERE d.kind = 'dossier' AND d.received_at >= %(start)s AND d.received_at < %(end)s
  AND (%(units)s::text[] IS NULL OR d.unit_code = ANY(%(units)s::text[]))
GROUP BY 1
"""
_COUNTED: Final = (
    Field("tiep_nhan", "tiếp nhận mới trong kỳ: mẫu số của các tỷ lệ"),
    Field("tra_lai", "trả lại: từ chối và dừng giải quyết"),
    Field("ty_le_tra_lai", "tỷ lệ trả lại trên số tiếp nhận mới"),
    Field("tu_choi", "từ chối"),
    Field("dung", "dừng giải quyết"),
    Field("rut", "người dân rút"),
    Field("bo_sung", "yêu cầu bổ sung"),
    Field("ty_le_bo_sung", "tỷ lệ yêu cầu bổ sung trên số tiếp nhận mới"),
    Field("bo_sung_mot_lan", "yêu cầu bổ sung 01 lần"),
    Field("bo_sung_nhieu_lan", "yêu cầu bổ sung từ 02 lần trở lên"),
    Field("bo_sung_chua_ro", "yêu cầu bổ sung, hệ thống nguồn không cho biết số lần"),
    Field("bo_sung_sau_thoi_han", "yêu cầu bổ sung sau thời hạn quy định"),
    Field("tra_lai_sat_han", "trả lại, dừng, yêu cầu bổ sung đúng ngày hoặc ngay trước ngày hẹn trả"),
    Field("tu_choi_qua_han", "từ chối khi đã quá hạn"),
    Field("cho_bo_sung", "còn chờ bổ sung ở cuối kỳ, gồm cả yêu cầu từ kỳ trước"),
    Field("cho_qua_lau", "trong đó chờ quá so_ngay_cho ngày làm việc"),
)
FIELDS_RETURNS: Final = (
    Field("tra_ve", "hồ sơ trả lại, bổ sung trong kỳ", _COUNTED),
    Field(
        "tra_ve_don_vi",
        "đơn vị trả lại, yêu cầu bổ sung nhiều nhất trước, tối đa 10",
        (Field("tt", "số thứ tự"), Field("ten", "tên đơn vị"), *_COUNTED),
        many=True,
    ),
    Field("con_tra_ve_don_vi", "số đơn vị như vậy không nằm trong tra_ve_don_vi"),
    Field(
        "tra_ve_thu_tuc",
        "thủ tục bị trả lại, yêu cầu bổ sung nhiều nhất trước, tối đa 10",
        (Field("tt", "số thứ tự"), Field("ma", "mã thủ tục"), Field("ten", "tên thủ tục"), *_COUNTED),
        many=True,
    ),
    Field("so_ngay_cho", "số ngày làm việc mà chờ bổ sung lâu hơn thì nêu ra; trống khi quy tắc chưa được áp dụng"),
    Field("tra_ve_chua_ap_dung", "quy tắc về trả lại, bổ sung chưa được áp dụng", many=True),
)


@dataclass(frozen=True)
class Returns:
    """What was sent back.

    Attributes:
        units, procedures: a row for each with anything sent back or waiting, the most first.
        total: the same counts of all together; ``received`` of all units of the report.
        not_applied: titles of the rules by which dossiers are not judged, so that their counts say nothing.
        long_days: working days beyond which a wait is one of ``waiting_long``; None while no rule says so.
    """

    units: pd.DataFrame
    procedures: pd.DataFrame
    total: Mapping[str, int]
    not_applied: tuple[str, ...]
    long_days: int | None

    def tables(self) -> Sequence[Table]:
        """By unit and by procedure."""
        notes = [
            "Số liệu là số hồ sơ, không phải số lần. Tỷ lệ = số hồ sơ / hồ sơ tiếp nhận mới trong kỳ "
            f"(cột thứ ba, tổng số {wording.number(self.total['received'])} hồ sơ); hồ sơ trả lại trong kỳ có thể tiếp nhận từ kỳ trước.",
            "Trả lại = từ chối + dừng giải quyết. Số lần yêu cầu bổ sung tính đến nay. Còn chờ bổ sung gồm cả yêu cầu từ kỳ trước.",
        ]
        if self.long_days is not None:
            notes.append(f"Chờ bổ sung lâu: quá {wording.number(self.long_days)} ngày làm việc.")
        if self.not_applied:
            notes.append(
                f"Quy tắc chưa được áp dụng, số 0 của cột tương ứng là chưa biết: {'; '.join(self.not_applied)}."
            )
        named = (TableColumn("unit_code", "Mã đơn vị", "code", paper=False), TableColumn("unit_name", "Đơn vị"))
        by_procedure = (
            TableColumn("procedure_code", "Mã TTHC", "code", paper=False),
            TableColumn("procedure_name", "Thủ tục hành chính"),
        )
        chart = TableChart(
            "bar", "Đơn vị trả lại, yêu cầu bổ sung nhiều nhất", "unit_name", ("sent_back", "supplemented"), _TOP
        )
        title = "HỒ SƠ TRẢ LẠI, TỪ CHỐI, YÊU CẦU BỔ SUNG"
        return (
            Table(
                "returns",
                "Trả lại theo đơn vị",
                f"{title} CỦA CÁC ĐƠN VỊ",
                (*named, *_SHOWN),
                self.units,
                tuple(notes),
                chart,
            ),
            Table(
                "returns-by-procedure",
                "Trả lại theo thủ tục",
                f"{title} THEO THỦ TỤC",
                (*by_procedure, *_SHOWN),
                self.procedures,
                tuple(notes),
            ),
        )

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_RETURNS`."""
        return {
            "tra_ve": _named(self.total),
            "tra_ve_don_vi": [
                {"tt": number, "ten": row["unit_name"], **_named(row)}
                for number, row in enumerate(records(self.units.head(_TOP)), start=1)
            ],
            "con_tra_ve_don_vi": max(len(self.units) - _TOP, 0),
            "tra_ve_thu_tuc": [
                {"tt": number, "ma": row["procedure_code"], "ten": row["procedure_name"], **_named(row)}
                for number, row in enumerate(records(self.procedures.head(_TOP)), start=1)
            ],
            "so_ngay_cho": "" if self.long_days is None else self.long_days,
            "tra_ve_chua_ap_dung": list(self.not_applied),
        }


def read_returns(reading: Reading) -> Returns:
    """What was sent back in the period, and what waits for the applicant at its end."""
    found = read_frame(reading.connection, _FOUND, reading.values | {"rules": list(_RULES)})
    received = read_frame(reading.connection, _RECEIVED, reading.values).set_index("procedure_code")["received"]
    figures = reading.figures
    by_unit = (figures["received_online"] + figures["received_direct"]).groupby(figures["unit_code"]).sum()
    marks = _marks(found)
    total = {
        name: int(marks.loc[marks[name], "dossier_id"].nunique()) for name in (*_COUNTS, "sent_back", "supplemented")
    }
    days = read_frame(reading.connection, _LONG_DAYS, {})["working_days"]
    return Returns(
        _rows(marks, by_unit, "unit", wording.unit_label(None, None)),
        _rows(marks, received, "procedure", "Chưa rõ thủ tục"),
        total | {"received": int(by_unit.sum())},
        titles_not_applied(reading.connection, _RULES, read_applied(reading)["rule_code"]),
        None if days.empty else int(days.iloc[0]),
    )


def _marks(found: pd.DataFrame) -> pd.DataFrame:
    """A row a dossier, and of each count whether it is in it."""
    begun = found["begun"].astype(bool)
    asked = (found["rule_code"] == "supplement_requested") & begun
    times = found["supplement_count"]
    counts = {name: (found["rule_code"] == name) & begun for name in _BY_RULE} | {
        "supplement_once": asked & times.notna() & (times < 2),
        "supplement_more": asked & (times >= 2),
        "supplement_unknown": asked & times.isna(),
        "waiting": (found["rule_code"] == "supplement_requested") & found["lasting"].astype(bool),
        "waiting_long": (found["rule_code"] == "waiting_long") & found["lasting"].astype(bool),
        "supplemented": asked,
    }
    counts["sent_back"] = counts["refused"] | counts["stopped"]
    whose = ["dossier_id", "unit_code", "unit_name", "procedure_code", "procedure_name"]
    named = found[whose].drop_duplicates("dossier_id")
    any_of = pd.DataFrame(counts).groupby(found["dossier_id"]).any()
    return named.merge(any_of, left_on="dossier_id", right_index=True)


def _rows(marks: pd.DataFrame, received: pd.Series, of: str, unnamed: str) -> pd.DataFrame:
    counts = marks.groupby(f"{of}_code")[[*_COUNTS, "sent_back", "supplemented"]].sum().astype("int64")
    counts["received"] = received.reindex(counts.index).fillna(0).astype("int64")
    names = marks.drop_duplicates(f"{of}_code").set_index(f"{of}_code")[f"{of}_name"]
    rows = counts.reset_index()
    rows[f"{of}_name"] = [
        (name if isinstance(name, str) else None) or code or unnamed
        for code, name in zip(rows[f"{of}_code"], names.reindex(rows[f"{of}_code"]), strict=True)
    ]
    for name in ("sent_back", "supplemented"):
        rows[f"{name}_percent"] = percents(rows[name], rows["received"])
    order = rows["sent_back"] + rows["supplemented"]
    rows = rows.assign(order=order).sort_values(["order", f"{of}_code"], ascending=[False, True], ignore_index=True)
    return rows.drop(columns="order")


def _named(counts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tiep_nhan": counts["received"],
        "tra_lai": counts["sent_back"],
        "ty_le_tra_lai": percent_of(counts["sent_back"], counts["received"]),
        "tu_choi": counts["refused"],
        "dung": counts["stopped"],
        "rut": counts["withdrawn"],
        "bo_sung": counts["supplemented"],
        "ty_le_bo_sung": percent_of(counts["supplemented"], counts["received"]),
        "bo_sung_mot_lan": counts["supplement_once"],
        "bo_sung_nhieu_lan": counts["supplement_more"],
        "bo_sung_chua_ro": counts["supplement_unknown"],
        "bo_sung_sau_thoi_han": counts["supplement_after_window"],
        "tra_lai_sat_han": counts["returned_near_due"],
        "tu_choi_qua_han": counts["refused_late"],
        "cho_bo_sung": counts["waiting"],
        "cho_qua_lau": counts["waiting_long"],
    }
