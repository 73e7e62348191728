"""Where delayed dossiers lay: the unit and the step past their own deadline, which may be another's than the resolving unit's.

NĐ 61/2018/NĐ-CP Art. 19.5 to 19.7: every body taking part has a deadline of its own. Rules say whose was missed; a dossier of
which none of them says so stays unattributed, and is counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.cause_proofs import is_within
from tthc_monitor.outputs.delays import FAULTS, Delays, working_hours
from tthc_monitor.outputs.frames import records, texts
from tthc_monitor.outputs.report_tables import Table, TableChart, TableColumn
from tthc_monitor.outputs.shares import percent_of
from tthc_monitor.outputs.word_fields import Field

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

_TOP: Final = 10
CONSULTATION: Final = "Trả lời lấy ý kiến"
UNNAMED_STEP: Final = "Chưa rõ bước"
_CONSULTED: Final = frozenset({"lead_late_because_consulted_late", "consulted_late"})

_HOURS: Final = (
    TableColumn("late_hours_average", "Quá hạn của khâu, trung bình (giờ làm việc)", "decimal"),
    TableColumn("late_hours_most", "Quá hạn của khâu, nhiều nhất (giờ làm việc)", "decimal"),
)
_UNIT_COLUMNS: Final = (
    TableColumn("unit_code", "Mã đơn vị có khâu chậm", "code"),
    TableColumn("unit_name", "Đơn vị có khâu chậm"),
    TableColumn("dossiers", "Số hồ sơ quá hạn", "count"),
    TableColumn("own", "Hồ sơ của chính đơn vị", "count"),
    TableColumn("of_others", "Hồ sơ của đơn vị khác", "count"),
    TableColumn("consultations", "Trong đó: chậm trả lời lấy ý kiến", "count"),
    TableColumn("percent", "Tỷ trọng (%)", "percent"),
    *_HOURS,
)
_STEP_COLUMNS: Final = (
    TableColumn("step_name", "Bước, khâu"),
    TableColumn("dossiers", "Số hồ sơ quá hạn", "count"),
    TableColumn("units", "Số đơn vị", "count"),
    TableColumn("percent", "Tỷ trọng (%)", "percent"),
    *_HOURS,
)
_SHARED: Final = (
    Field("tt", "số thứ tự"),
    Field("so", "số hồ sơ quá hạn"),
    Field("ty_trong", "tỷ trọng trong số hồ sơ xác định được khâu chậm"),
    Field("gio_trung_binh", "quá hạn của khâu, trung bình, giờ làm việc"),
)
FIELDS_FAULTS: Final = (
    Field("khau_cham_so", "số hồ sơ quá hạn xác định được đơn vị, khâu chậm"),
    Field("khau_cham_khac", "trong đó số hồ sơ chậm ở đơn vị khác đơn vị giải quyết"),
    Field("khau_cham_chua_ro", "số hồ sơ quá hạn chưa xác định được khâu chậm"),
    Field("khau_cham_ngoai", "số hồ sơ quá hạn không phải chậm thực, không xét khâu chậm"),
    Field(
        "khau_cham_don_vi",
        "đơn vị có khâu chậm, nhiều hồ sơ nhất trước, tối đa 10",
        (
            *_SHARED,
            Field("ten", "tên đơn vị"),
            Field("cua_minh", "hồ sơ của chính đơn vị"),
            Field("cua_don_vi_khac", "hồ sơ của đơn vị khác"),
        ),
        many=True,
    ),
    Field("con_khau_cham_don_vi", "số đơn vị có khâu chậm không nằm trong khau_cham_don_vi"),
    Field(
        "khau_cham_buoc",
        "bước, khâu chậm, nhiều hồ sơ nhất trước, tối đa 10",
        (*_SHARED, Field("ten", "tên bước"), Field("so_don_vi", "số đơn vị")),
        many=True,
    ),
)


@dataclass(frozen=True)
class Faults:
    """Where delayed dossiers lay.

    Attributes:
        by_dossier: by ``dossier_id``, of those attributed: ``fault_unit`` (name), ``fault_step``.
        units, steps: rows of the two tables, the most dossiers first.
        of_others: dossiers that lay with a unit that is neither the resolving one nor below it.
        unattributed: delayed dossiers, real or unexplained, of which no rule says where they lay.
        apparent: delayed dossiers that were ready in time; of these no step is asked for.
    """

    by_dossier: pd.DataFrame
    units: pd.DataFrame
    steps: pd.DataFrame
    of_others: int
    unattributed: int
    apparent: int

    @property
    def attributed(self) -> int:
        """Dossiers of which a rule says where they lay."""
        return len(self.by_dossier)

    def tables(self) -> Sequence[Table]:
        """By unit and by step."""
        notes = (
            f"Tỷ trọng tính trên {wording.number(self.attributed)} hồ sơ quá hạn xác định được khâu chậm; còn "
            f"{wording.number(self.unattributed)} hồ sơ chưa xác định được, {wording.number(self.apparent)} hồ sơ không phải "
            "chậm thực.",
            "Khâu chậm là bước hoặc lần lấy ý kiến quá hạn riêng của nó khi hồ sơ quá hạn; đơn vị có khâu chậm có thể khác đơn vị giải quyết.",
            "Quá hạn của khâu tính từ hạn của bước, của lần lấy ý kiến đến khi trả lời, kết thúc hoặc hết kỳ báo cáo.",
        )
        chart = TableChart(
            "bar", "Đơn vị có nhiều khâu chậm nhất", "unit_name", ("own", "of_others"), _TOP, stacked=True
        )
        return (
            Table(
                "faults-by-unit",
                "Khâu chậm theo đơn vị",
                "ĐƠN VỊ CÓ KHÂU CHẬM TRONG HỒ SƠ QUÁ HẠN",
                _UNIT_COLUMNS,
                self.units,
                notes,
                chart,
            ),
            Table(
                "faults-by-step",
                "Khâu chậm theo bước",
                "BƯỚC CHẬM TRONG HỒ SƠ QUÁ HẠN",
                _STEP_COLUMNS,
                self.steps,
                notes,
            ),
        )

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_FAULTS`."""

        def shared(number: int, row: Mapping[str, Any]) -> dict[str, Any]:
            return {
                "tt": number,
                "so": row["dossiers"],
                "ty_trong": row["percent"],
                "gio_trung_binh": wording.decimal(row["late_hours_average"]),
            }

        return {
            "khau_cham_so": self.attributed,
            "khau_cham_khac": self.of_others,
            "khau_cham_chua_ro": self.unattributed,
            "khau_cham_ngoai": self.apparent,
            "khau_cham_don_vi": [
                shared(number, row)
                | {"ten": row["unit_name"], "cua_minh": row["own"], "cua_don_vi_khac": row["of_others"]}
                for number, row in enumerate(records(self.units.head(_TOP)), start=1)
            ],
            "con_khau_cham_don_vi": max(len(self.units) - _TOP, 0),
            "khau_cham_buoc": [
                shared(number, row) | {"ten": row["step_name"], "so_don_vi": row["units"]}
                for number, row in enumerate(records(self.steps.head(_TOP)), start=1)
            ],
        }


def read_faults(reading: Reading, delays: Delays, real: pd.Index) -> Faults:
    """Where they lay.

    Args:
        real: the dossiers that were not ready in time, or of which nobody knows it.
    """
    lay = _strongest(delays, real)
    rows = delays.rows.reindex(lay["dossier_id"]).set_axis(lay.index)
    name, code = rows["step_name"].astype(object), rows["step_code"].astype(object)
    step = name.fillna(code).fillna(UNNAMED_STEP)
    found = pd.DataFrame(
        {
            "dossier_id": lay["dossier_id"],
            "unit_code": texts(lay["unit_code"]),
            "unit_name": [
                wording.unit_label(code, delays.unit_names.get(code))
                if isinstance(code, str)
                else wording.unit_label(None, None)
                for code in lay["unit_code"]
            ],
            "step_name": step.where(~lay["kind"].isin(_CONSULTED), CONSULTATION),
            "own": [is_within(*pair) for pair in zip(lay["unit_code"], lay["resolving_code"], strict=True)],
            "consultation": lay["kind"].isin(_CONSULTED),
            "hours": working_hours(reading.calendar, _allowed_until(lay), _over(lay, rows["until"])),
        }
    ).astype({"own": bool})
    by_dossier = found.set_index("dossier_id")[["unit_name", "step_name"]]
    return Faults(
        by_dossier.rename(columns={"unit_name": "fault_unit", "step_name": "fault_step"}),
        _units(found),
        _steps(found),
        int((~found["own"]).sum()),
        len(real) - len(found),
        len(delays.rows) - len(real),
    )


def _strongest(delays: Delays, real: pd.Index) -> pd.DataFrame:
    """One finding a dossier: what explains the whole delay before a step held elsewhere, before one's own."""
    found = delays.findings[delays.findings["kind"].isin(FAULTS) & delays.findings["dossier_id"].isin(real)]
    found = found[found["lasting"] | (found["kind"] != "lead_late_because_consulted_late")]
    order = found["kind"].map({kind: place for place, kind in enumerate(FAULTS)})
    ranked = found.assign(place=order).sort_values(["dossier_id", "place", "starts_at"])
    return ranked.drop_duplicates("dossier_id").reset_index(drop=True)


def _allowed_until(lay: pd.DataFrame) -> pd.Series:
    """What the step, or the answer, was due by: as the evidence has it, with waits for the applicant taken out."""
    step = lay["due_at"].where(lay["kind"] == "step_overdue", lay["step_due_at"])
    return step.where(~lay["kind"].isin(_CONSULTED), lay["consulted_due_at"])


def _over(lay: pd.DataFrame, until: pd.Series) -> pd.Series:
    answered = lay["consulted_answered_at"]
    return until.where(~(answered < until), answered)


def _hours(groups: Any) -> dict[str, pd.Series]:
    hours = groups["hours"]
    return {"late_hours_average": hours.mean().round(2), "late_hours_most": hours.max().round(2)}


def _units(found: pd.DataFrame) -> pd.DataFrame:
    groups = found.groupby(["unit_code", "unit_name"])
    own, every = groups["own"].sum().astype("int64"), groups["own"].count()
    consulted = groups["consultation"].sum().astype("int64")
    counts = {"dossiers": every, "own": own, "of_others": every - own, "consultations": consulted}
    table = pd.DataFrame({**counts, **_hours(groups)})
    return _ranked(table, found, ["unit_code"])


def _steps(found: pd.DataFrame) -> pd.DataFrame:
    groups = found.groupby(["step_name"])
    table = pd.DataFrame({"dossiers": groups["own"].count(), "units": groups["unit_code"].nunique(), **_hours(groups)})
    return _ranked(table, found, ["step_name"])


def _ranked(table: pd.DataFrame, found: pd.DataFrame, then: list[str]) -> pd.DataFrame:
    rows = table.reset_index()
    rows["percent"] = pd.Series([percent_of(count, len(found)) for count in rows["dossiers"]], dtype=object)
    return rows.sort_values(["dossiers", *then], ascending=[False, True], ignore_index=True)
