"""Reconciliation: published figures against ours, and the dossiers that the ways of counting judge differently.

What of a difference another way of counting explains is in :mod:`tthc_monitor.outputs.reconciled_figures`; here it becomes
tables and words. Without an import the list of dossiers stands by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.outputs.frames import read_frame
from tthc_monitor.outputs.reconciled_dossiers import known_at_end
from tthc_monitor.outputs.reconciled_figures import FIGURES, ROW, compared, moved_by_counting, official_figures
from tthc_monitor.outputs.reconciliation_tables import REASONS, reconciliation_tables
from tthc_monitor.outputs.reconciliation_words import reconciliation_words
from tthc_monitor.outputs.report_tables import Table
from tthc_monitor.outputs.report_units import shown_under, unit_names
from tthc_monitor.outputs.word_fields import Field

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

MAX_DOSSIERS: Final = 20_000
"""Dossiers that the list carries; how many more there are is said beneath."""

_IN_PERIOD: Final = "from_at = %(from_at)s AND to_at = %(to_at)s AND zone = %(zone)s"
_IMPORTS: Final = f"""
SELECT publisher, counted_by, version, index_source, file, imported_at, imported_by,
       (SELECT e.index_source FROM audit.published_imports e
        WHERE e.publisher = i.publisher AND e.in_force AND e.to_at <= i.from_at
        ORDER BY e.to_at DESC, e.from_at DESC LIMIT 1) AS index_source_before
FROM audit.published_imports i WHERE in_force AND {_IN_PERIOD} ORDER BY publisher
"""
_PUBLISHED: Final = f"""
SELECT f.publisher, f.counted_by, f.unit_code, coalesce(f.unit_name, u.name) AS unit_name, f.parent_code, f.sector_code,
       {", ".join(f"f.{name}" for name in FIGURES)}, f.ratio_percent, f.score, f.average_days,
       u.unit_code IS NULL AND NOT EXISTS (
           SELECT FROM audit.unit_versions v WHERE v.unit_code = f.unit_code AND v.known_to IS NULL) AS unknown_unit
FROM audit.published_figures f LEFT JOIN audit.units u USING (unit_code)
WHERE f.in_force AND {_IN_PERIOD} AND (%(shown)s::text[] IS NULL OR f.unit_code = ANY(%(shown)s::text[]))
ORDER BY f.publisher, f.unit_code, f.sector_code NULLS FIRST
"""
_OFFICIAL: Final = """
SELECT coalesce(f.unit_code, '') AS unit_code, f.procedure_code, coalesce(f.sector_code, '') AS sector_code,
       sum(received_online)::bigint AS received_online, sum(received_direct)::bigint AS received_direct,
       sum(carried_over)::bigint AS carried_over, sum(finished_early)::bigint AS finished_early,
       sum(finished_on_time)::bigint AS finished_on_time, sum(finished_late)::bigint AS finished_late,
       sum(finished_unknown)::bigint AS finished_unknown, sum(pending_in_time)::bigint AS pending_in_time,
       sum(pending_overdue)::bigint AS pending_overdue, sum(pending_unknown)::bigint AS pending_unknown
FROM audit.figures(%(start)s, %(end)s, %(zone)s) f
WHERE f.kind = 'dossier' AND (%(units)s::text[] IS NULL OR f.unit_code = ANY(%(units)s::text[]))
GROUP BY 1, 2, 3
"""
_DIFFERENCES: Final = """
SELECT d.dossier_id, d.code, coalesce(d.unit_code, '') AS unit_code, d.procedure_code,
       coalesce(d.sector_code, '') AS sector_code, d.received_at, d.due_current AS due_at, d.ended_at,
       coalesce(d.ended_at < %(end)s, false) AS finished, d.official, d.national_766, d.opencps, d.source_verdict,
       array_to_string(d.reasons, ' ') AS reasons
FROM audit.period_differences(%(start)s, %(end)s, %(units)s::text[]) d
"""
_PROCEDURES: Final = """
SELECT procedure_code, name FROM audit.procedures WHERE procedure_code = ANY(%(codes)s::text[])
"""
_APPLIED: Final = "SELECT audit.system_applied('national_766') AND audit.system_applied('opencps') AS applied"
_NOTHING: Final = (
    *(
        "dossier_id",
        "code",
        "unit_code",
        "procedure_code",
        "sector_code",
        "received_at",
        "due_at",
        "ended_at",
        "finished",
    ),
    *("official", "national_766", "opencps", "source_verdict", "reasons"),
)


@dataclass(frozen=True)
class Reconciliation:
    """What was found.

    Attributes:
        imports: the import in use of each publisher of this very period, one row each.
        published: what they published, one row per unit and sector.
        rows: as in :data:`~tthc_monitor.outputs.reconciled_figures.ROW`; none where nothing was imported.
        dossiers: judged differently by two ways of counting, or by the source; the first :data:`MAX_DOSSIERS`.
        count: how many there are.
        reasons: by unit and reason, how many dossiers; a dossier may have several reasons.
        applied: whether the national rules were applied; without them there is nothing to compare with.
        zone: of the instants that are shown.
        clipped: whether the period was still under way.
    """

    imports: pd.DataFrame
    published: pd.DataFrame
    rows: pd.DataFrame
    dossiers: pd.DataFrame
    count: int
    reasons: pd.DataFrame
    applied: bool
    zone: str
    clipped: bool

    def tables(self) -> Sequence[Table]:
        """Figures, scores, reasons and dossiers."""
        return reconciliation_tables(self)

    def words(self) -> Mapping[str, Any]:
        """Section and annex."""
        return reconciliation_words(self)


def read_reconciliation(reading: Reading) -> Reconciliation:
    """Hold what was published of the period against what is known of it now, frozen figures or not."""
    connection = reading.connection
    scope = reading.scope
    values = reading.values | {"from_at": reading.period.start, "to_at": reading.period.end, "shown": scope.units}
    imports = read_frame(connection, _IMPORTS, values, instants=("imported_at",))
    published = read_frame(connection, _PUBLISHED, values)
    applied = bool(read_frame(connection, _APPLIED, {})["applied"].iloc[0])
    found = read_frame(connection, _DIFFERENCES, values) if applied else pd.DataFrame(columns=list(_NOTHING))
    found = shown_under(connection, scope, known_at_end(found))
    rows = pd.DataFrame(columns=list(ROW))
    if len(published):
        official = official_figures(shown_under(connection, scope, read_frame(connection, _OFFICIAL, values)))
        names = unit_names(connection, scope, sorted(set(official["unit_code"])))
        official["unit_name"] = [names.get(code) for code in official["unit_code"]]
        moved = {way: moved_by_counting(found, way) for way in published["counted_by"].unique()}
        rows = compared(published, official, moved)
    dossiers = _named(reading, found.sort_values(["unit_code", "code"], ignore_index=True).head(MAX_DOSSIERS))
    return Reconciliation(
        imports,
        published,
        rows,
        dossiers,
        len(found),
        _reasons(reading, found),
        applied,
        reading.period.zone,
        reading.end < reading.period.end,
    )


def _named(reading: Reading, rows: pd.DataFrame) -> pd.DataFrame:
    codes = rows["procedure_code"].dropna().unique().tolist()
    known = read_frame(reading.connection, _PROCEDURES, {"codes": codes})
    procedures = dict(zip(known["procedure_code"], known["name"], strict=True))
    named = rows.assign(
        unit_name=_unit_names(reading, rows),
        procedure=pd.Series(
            [procedures.get(code) or code for code in rows["procedure_code"]], index=rows.index, dtype=object
        ),
    )
    for instant in ("received_at", "due_at", "ended_at"):
        named[instant] = pd.to_datetime(named[instant], utc=True).astype("datetime64[us, UTC]")
    return named


def _unit_names(reading: Reading, rows: pd.DataFrame) -> pd.Series:
    names = unit_names(reading.connection, reading.scope, sorted(set(rows["unit_code"])))
    return rows["unit_code"].map(names).astype(object)


def _reasons(reading: Reading, found: pd.DataFrame) -> pd.DataFrame:
    each = (
        found[["unit_code", "reasons"]].assign(reason=found["reasons"].astype(object).str.split(" ")).explode("reason")
    )
    counted = each.groupby(["unit_code", "reason"], as_index=False).size().rename(columns={"size": "dossiers"})
    counted["unit_name"] = _unit_names(reading, counted)
    counted["meaning"] = [REASONS.get(code, code) for code in counted["reason"]]
    return counted.sort_values(["dossiers", "unit_code", "reason"], ascending=[False, True, True], ignore_index=True)


_DOSSIER_FIELDS: Final = (
    Field("tt", "số thứ tự"),
    Field("ma", "mã hồ sơ"),
    Field("don_vi", "đơn vị"),
    Field("thu_tuc", "tên thủ tục"),
    Field("tiep_nhan", "thời điểm tiếp nhận"),
    Field("hen_tra", "thời điểm hẹn trả"),
    Field("ket_thuc", "thời điểm kết thúc; trống khi đến cuối kỳ chưa kết thúc"),
    Field("chinh_thuc", "kết luận theo ngày hẹn trả hiện hành"),
    Field("theo_766", "kết luận theo Bộ chỉ số 766"),
    Field("theo_opencps", "kết luận theo cách tính của OpenCPS"),
    Field("theo_nguon", "kết luận của hệ thống nguồn, chỉ với hồ sơ đã kết thúc trong kỳ"),
    Field("ly_do", "lý do khác nhau"),
)
FIELDS_RECONCILIATION: Final = (
    Field("doi_soat_da_nhap", "đúng khi đã nhập số liệu công bố của kỳ, dùng trong {% if %}"),
    Field("doi_soat_ap_dung", "đúng khi bộ quy tắc của Bộ chỉ số 766 đã được áp dụng, dùng trong {% if %}"),
    Field("doi_soat_ghi_chu_nguon", "kết luận của hệ thống nguồn được so sánh thế nào"),
    Field("doi_soat_luu_y", "lưu ý khi đọc số liệu đối soát", many=True),
    Field(
        "doi_soat_nguon",
        "từng nơi công bố",
        (
            Field("ten", "nơi công bố"),
            Field("cach_tinh", "cách tính của nơi công bố"),
            Field("lan", "lần nhập"),
            Field("nhap_luc", "nhập lúc nào"),
            Field("nguoi_nhap", "người nhập"),
            Field("so_don_vi", "số đơn vị được công bố"),
            Field("so_lech", "số đơn vị có số công bố khác số của hệ thống này"),
            Field("chi_cong_bo", "số đơn vị chỉ có trong số liệu công bố"),
            Field("chi_he_thong", "số đơn vị chỉ có trong hệ thống này"),
            Field(
                "chi_tieu",
                "cộng các đơn vị, từng chỉ tiêu",
                (
                    Field("ten", "chỉ tiêu"),
                    Field("cong_bo", "số công bố"),
                    Field("he_thong", "số của hệ thống này"),
                    Field("chenh_lech", "chênh lệch, có dấu"),
                    Field("giai_thich", "do khác cách tính, giải thích được theo từng hồ sơ"),
                    Field("chua_giai_thich", "chưa giải thích được"),
                ),
                many=True,
            ),
        ),
        many=True,
    ),
    Field(
        "doi_soat_don_vi",
        "đơn vị có số quá hạn lệch nhiều nhất, tối đa 10",
        (
            Field("tt", "số thứ tự"),
            Field("nguon", "nơi công bố"),
            Field("ten", "tên đơn vị"),
            Field("cong_bo", "số quá hạn công bố"),
            Field("he_thong", "số quá hạn của hệ thống này"),
            Field("chenh_lech", "chênh lệch, có dấu"),
            Field("giai_thich", "do khác cách tính"),
            Field("chua_giai_thich", "chưa giải thích được"),
        ),
        many=True,
    ),
    Field("doi_soat_con_don_vi", "số đơn vị lệch không nằm trong doi_soat_don_vi"),
    Field("doi_soat_so_ho_so", "số hồ sơ mà các cách tính cho kết luận khác nhau"),
    Field("doi_soat_con_ho_so", "số hồ sơ trong đó không in ra vì danh sách quá dài"),
    Field(
        "doi_soat_ly_do",
        "lý do khác nhau, nhiều nhất trước",
        (Field("ten", "lý do"), Field("so", "số hồ sơ")),
        many=True,
    ),
    Field("doi_soat_ho_so", "danh sách hồ sơ có kết luận khác nhau", _DOSSIER_FIELDS, many=True),
)
