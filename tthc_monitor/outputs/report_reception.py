"""What came online in a period and was not answered in time, and from which sources a report's figures are, as of when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.frames import read_frame
from tthc_monitor.outputs.report_tables import Table, TableColumn, frame_of
from tthc_monitor.outputs.report_units import unit_names
from tthc_monitor.outputs.shares import percent_of
from tthc_monitor.outputs.word_fields import Field

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

NOT_WATCHED: Final = "không theo dõi"
FIELDS_RECEPTION: Final = (
    Field("theo_doi_cham_tiep_nhan", "đúng khi quy tắc về chậm tiếp nhận đang được áp dụng, dùng trong {% if %}"),
    Field(
        "cham_tiep_nhan",
        "hồ sơ trực tuyến nộp trong kỳ, chậm tiếp nhận; “không theo dõi” khi quy tắc chưa được áp dụng",
    ),
    Field("nop_truc_tuyen", "hồ sơ trực tuyến nộp trong kỳ: mẫu số của cham_tiep_nhan"),
    Field("ty_le_cham_tiep_nhan", "tỷ lệ chậm tiếp nhận"),
    Field("gio_tiep_nhan", "số giờ làm việc phải tiếp nhận, theo quy tắc đang áp dụng"),
    Field("nguon_so_lieu", "tên các hệ thống nguồn", many=True),
    Field("trich_xuat_luc", "thời điểm lần ghi nhận dữ liệu gần nhất từ hệ thống nguồn"),
)
_COLUMNS: Final = (
    TableColumn("unit_code", "Mã đơn vị", "code"),
    TableColumn("unit_name", "Đơn vị"),
    TableColumn("submitted_online", "Nộp trực tuyến trong kỳ (mẫu số)", "count"),
    TableColumn("acknowledged_late", "Chậm tiếp nhận", "count"),
    TableColumn("acknowledged_late_percent", "Tỷ lệ chậm tiếp nhận", "percent"),
)
_RULE: Final = """
SELECT (r.definition ->> 'working_hours')::float8 AS hours FROM audit.rules r
WHERE r.kind = 'acknowledged_late' AND r.rule_version_id = ANY((
    SELECT e.rule_version_ids FROM audit.evaluations e WHERE e.rule_version_ids IS NOT NULL ORDER BY e.evaluation_id DESC LIMIT 1)::int[])
"""
# Of what was submitted in the period, so that the late ones are a part of their denominator.
_BY_UNIT: Final = """
SELECT coalesce(d.unit_code, '') AS unit_code, count(*) AS submitted,
       count(*) FILTER (WHERE EXISTS (
           SELECT FROM audit.flags_in_force f
           WHERE f.dossier_id = d.dossier_id AND f.kind = 'acknowledged_late' AND f.starts_at < %(end)s
       )) AS late
FROM audit.dossiers d
WHERE d.kind = 'dossier' AND d.channel = 'online' AND d.submitted_at >= %(start)s AND d.submitted_at < %(end)s
  AND (%(units)s::text[] IS NULL OR d.unit_code = ANY(%(units)s::text[]))
GROUP BY 1
"""
_SOURCES: Final = "SELECT source FROM audit.sources ORDER BY 1"
_RECORDED: Final = "SELECT max(seen_at) AS seen_at FROM audit.ledger WHERE kind = 'observations'"


@dataclass(frozen=True)
class Reception:
    """How what came online was received.

    Attributes:
        units: a row for each unit with anything submitted online in the period, the most late first.
        submitted, late: of all together; ``late`` tells nothing while there are no ``hours``.
        hours: working hours that the rule allows; None while it is not applied.
        sources: names of the systems that the figures come from.
        recorded: when anything was recorded from them last, in words.
    """

    units: pd.DataFrame
    submitted: int
    late: int
    hours: float | None
    sources: tuple[str, ...]
    recorded: str

    def tables(self) -> Sequence[Table]:
        """By unit."""
        within = (
            ""
            if self.hours is None
            else f" Chậm tiếp nhận: quá {wording.decimal(self.hours)} giờ làm việc kể từ khi nộp."
        )
        return (
            Table(
                "late-reception",
                "Chậm tiếp nhận",
                "HỒ SƠ TRỰC TUYẾN CHẬM TIẾP NHẬN",
                _COLUMNS,
                self.units,
                (f"Tỷ lệ = hồ sơ chậm tiếp nhận / hồ sơ nộp trực tuyến trong kỳ.{within}",),
                empty="Không có."
                if self.hours is not None
                else "Không theo dõi: quy tắc về chậm tiếp nhận chưa được áp dụng.",
            ),
        )

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_RECEPTION`."""
        watched = self.hours is not None
        return {
            "theo_doi_cham_tiep_nhan": watched,
            "cham_tiep_nhan": self.late if watched else NOT_WATCHED,
            "nop_truc_tuyen": self.submitted,
            "ty_le_cham_tiep_nhan": percent_of(self.late, self.submitted) if watched else NOT_WATCHED,
            "gio_tiep_nhan": "" if self.hours is None else wording.decimal(self.hours),
            "nguon_so_lieu": list(self.sources),
            "trich_xuat_luc": self.recorded,
        }


def read_reception(reading: Reading) -> Reception:
    """Count what was submitted online in the period, and what of it was answered too late or not yet."""
    connection = reading.connection
    hours = read_frame(connection, _RULE, {})["hours"]
    counted = read_frame(connection, _BY_UNIT, reading.values).sort_values(
        ["late", "unit_code"], ascending=[False, True]
    )
    names = unit_names(connection, reading.scope, counted["unit_code"].tolist())
    rows = [
        (
            code,
            wording.unit_label(code, names.get(code)),
            int(submitted),
            int(late),
            percent_of(int(late), int(submitted)),
        )
        for code, submitted, late in counted.itertuples(index=False, name=None)
    ]
    seen = read_frame(connection, _RECORDED, {}, instants=("seen_at",))["seen_at"].iloc[0]
    return Reception(
        frame_of(_COLUMNS, rows if len(hours) else []),
        int(counted["submitted"].sum()),
        int(counted["late"].sum()),
        float(hours.max()) if len(hours) else None,
        tuple(read_frame(connection, _SOURCES, {})["source"]),
        wording.NO_DATA if pd.isna(seen) else wording.instant(seen.to_pydatetime(), reading.period.zone),
    )
