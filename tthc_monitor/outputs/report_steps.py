"""Topic "steps": where the working time of the procedures goes that take most of it.

Steps stand in the ledger, dossier by dossier. Of a procedure with very many dossiers some are looked at, chosen by a hash of
their id: the same whenever the report is made, and no step, unit or day is favoured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.frames import read_frame
from tthc_monitor.outputs.report_tables import Table, TableColumn, frame_of
from tthc_monitor.outputs.report_times import ProcedureTimes
from tthc_monitor.outputs.word_fields import Field

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

PROCEDURES: Final = 5
"""Procedures whose steps are read: those that took the most working time of the period."""
DOSSIERS: Final = 100
"""Dossiers of each that are looked at."""
_TOP_STEPS: Final = 3
_CHOSEN: Final = """
SELECT c.dossier_id, c.procedure_code, c.every FROM (
    SELECT t.dossier_id, t.procedure_code, count(*) OVER of_procedure AS every,
           row_number() OVER (PARTITION BY t.procedure_code ORDER BY hashint8(t.dossier_id), t.dossier_id) AS place
    FROM audit.processing_times t
    WHERE t.kind = 'dossier' AND t.procedure_code = ANY(%(procedures)s::text[])
      AND t.ended_at >= %(start)s AND t.ended_at < %(end)s
      AND (%(units)s::text[] IS NULL OR t.unit_code = ANY(%(units)s::text[]))
    WINDOW of_procedure AS (PARTITION BY t.procedure_code)
) c WHERE c.place <= %(most)s
"""
_STEPS: Final = """
SELECT s.procedure_code, s.code, coalesce(s.step_name, s.step_code) AS step, s.step_unit_code, u.name AS step_unit_name,
       s.working_seconds::float8 AS seconds, s.step_due_at, s.ended_at
FROM audit.step_durations s LEFT JOIN audit.units u ON u.unit_code = s.step_unit_code
WHERE s.dossier_id = ANY(%(ids)s::bigint[]) AND s.working_seconds IS NOT NULL
"""

FIELDS_STEPS: Final = (
    Field(
        "buoc_xu_ly",
        "các bước chiếm nhiều thời gian làm việc nhất của 5 thủ tục tốn nhiều thời gian nhất, mỗi thủ tục 3 bước",
        (
            Field("tt", "số thứ tự"),
            Field("thu_tuc", "tên thủ tục"),
            Field("buoc", "tên bước"),
            Field("ty_trong", "tỷ trọng trong tổng thời gian làm việc của thủ tục"),
            Field("p50", "số ngày làm việc mà một nửa số lần qua bước dùng"),
            Field("p90", "số ngày làm việc mà 90\N{NO-BREAK SPACE}% số lần qua bước dùng"),
            Field("qua_han", "số lần quá hạn của bước / số lần bước có hạn; trống khi bước không có hạn"),
            Field("lau_nhat", "lần lâu nhất: mã hồ sơ, đơn vị của bước, số ngày làm việc"),
            Field("so_ho_so", "số hồ sơ đã xem / số hồ sơ kết thúc trong kỳ"),
        ),
        many=True,
    ),
)
_COLUMNS: Final = (
    TableColumn("procedure_code", "Mã TTHC", "code"),
    TableColumn("procedure", "Thủ tục hành chính"),
    TableColumn("step", "Bước xử lý"),
    TableColumn("passed", "Số lần qua bước", "count"),
    TableColumn("total_days", "Tổng thời gian, ngày làm việc", "decimal"),
    TableColumn("share_percent", "Tỷ trọng trong thủ tục", "percent"),
    TableColumn("p50_days", "Một nửa số lần dùng đến, ngày", "decimal"),
    TableColumn("p90_days", "90\N{NO-BREAK SPACE}% số lần dùng đến, ngày", "decimal"),
    TableColumn("over_allowance", "Quá hạn của bước", "count"),
    TableColumn("with_allowance", "Bước có hạn (mẫu số)", "count"),
    TableColumn("longest_days", "Lâu nhất, ngày", "decimal"),
    TableColumn("longest_code", "Hồ sơ lâu nhất", "code"),
    TableColumn("longest_unit", "Đơn vị của bước lâu nhất"),
    TableColumn("dossiers", "Số hồ sơ đã xem", "count"),
    TableColumn("dossiers_ended", "Số hồ sơ kết thúc trong kỳ", "count"),
)


@dataclass(frozen=True)
class Steps:
    """``rows`` have the columns of the table: procedures with the most working time first, of each the longest steps."""

    rows: pd.DataFrame

    def tables(self) -> Sequence[Table]:
        """The steps."""
        notes = (
            f"Các bước của {PROCEDURES} thủ tục có tổng thời gian làm việc lớn nhất trong kỳ, theo hồ sơ kết thúc trong kỳ; "
            f"thủ tục có trên {DOSSIERS} hồ sơ thì xem {DOSSIERS} hồ sơ chọn ngẫu nhiên theo mã.",
            "Thời gian của một bước tính theo giờ làm việc, từ khi bắt đầu bước đến khi chuyển bước sau hoặc kết thúc; gồm cả "
            "thời gian chờ bổ sung, nếu chờ trong bước đó.",
        )
        empty = "Không có dữ liệu về các bước xử lý."
        return (
            Table("steps", "Bước xử lý", "CÁC BƯỚC CHIẾM NHIỀU THỜI GIAN", _COLUMNS, self.rows, notes, empty=empty),
        )

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_STEPS`."""
        top = self.rows.groupby("procedure_code", sort=False).head(_TOP_STEPS)
        return {
            "buoc_xu_ly": [
                {
                    "tt": number,
                    "thu_tuc": row["procedure"],
                    "buoc": row["step"],
                    "ty_trong": row["share_percent"],
                    "p50": wording.decimal(row["p50_days"]),
                    "p90": wording.decimal(row["p90_days"]),
                    "qua_han": f"{wording.number(row['over_allowance'])}/{wording.number(row['with_allowance'])}"
                    if row["with_allowance"]
                    else "",
                    "lau_nhat": f"{row['longest_code']}, {row['longest_unit']}: "
                    f"{wording.decimal(row['longest_days'])} ngày làm việc",
                    "so_ho_so": f"{wording.number(row['dossiers'])}/{wording.number(row['dossiers_ended'])}",
                }
                for number, row in enumerate(top.to_dict("records"), start=1)
            ]
        }


def read_steps(reading: Reading, times: ProcedureTimes) -> Steps:
    """The steps of the :data:`PROCEDURES` procedures that took the most working time."""
    used = times.rows.dropna(subset="used_in_period").sort_values(
        ["used_in_period", "procedure_code"], ascending=[False, True]
    )
    names = dict(zip(used["procedure_code"], used["procedure"], strict=True))
    procedures = used["procedure_code"].head(PROCEDURES).tolist()
    chosen = read_frame(reading.connection, _CHOSEN, reading.values | {"procedures": procedures, "most": DOSSIERS})
    ids = chosen["dossier_id"].tolist()
    steps = read_frame(reading.connection, _STEPS, {"ids": ids}, instants=("step_due_at", "ended_at"))
    steps["days"] = steps["seconds"].astype(float) / times.day_seconds
    every = chosen.groupby("procedure_code")["every"].agg(["size", "max"])
    rows: list[tuple[Any, ...]] = []
    for code in procedures:
        own = steps[steps["procedure_code"] == code]
        total = own["days"].sum()
        if not total:
            continue
        title = names[code] if isinstance(names[code], str) else code
        found = [
            (code, title, *_step(str(name), passed, total), int(every["size"][code]), int(every["max"][code]))
            for name, passed in own.groupby("step")
        ]
        rows += sorted(found, key=lambda row: (-row[4], row[2]))
    return Steps(frame_of(_COLUMNS, rows))


def _step(name: str, passed: pd.DataFrame, total: float) -> tuple[Any, ...]:
    days = passed["days"]
    longest = passed.iloc[int(days.to_numpy().argmax())]
    limited = passed[passed["step_due_at"].notna()]
    unit = longest["step_unit_name"] if isinstance(longest["step_unit_name"], str) else longest["step_unit_code"]
    return (
        name,
        len(passed),
        round(float(days.sum()), 2),
        Decimal(str(round(100 * days.sum() / total, 2))),
        round(float(days.quantile(0.5)), 2),
        round(float(days.quantile(0.9)), 2),
        int((limited["ended_at"] > limited["step_due_at"]).sum()),
        len(limited),
        round(float(longest["days"]), 2),
        longest["code"],
        unit if isinstance(unit, str) else "chưa rõ đơn vị",
    )
