"""Letters of apology of the delayed dossiers, and new dates given: who was owed one, who had it, and when.

NĐ 61/2018/NĐ-CP Art. 19.9, kept by provincial rules: a written apology no later than one day before the due day, and one new
date at most. The rules of pack ``duties`` decide by the office's parameters; here their findings are counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.outputs import wording
from tthc_monitor.outputs.delays import LETTERS, Delays
from tthc_monitor.outputs.frames import records
from tthc_monitor.outputs.report_tables import Table, TableChart, TableColumn
from tthc_monitor.outputs.rule_titles import titles_not_applied
from tthc_monitor.outputs.shares import percent_of, percents
from tthc_monitor.outputs.word_fields import Field

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

_TOP: Final = 10
ANSWERS: Final[dict[str, str]] = {
    "in_time": "Đã xin lỗi đúng thời hạn",
    "too_late": "Đã xin lỗi, chưa đủ thời gian trước hạn",
    "after_due": "Đã xin lỗi sau khi quá hạn",
    "missing": "Thiếu văn bản xin lỗi",
    "cannot_tell": "Chưa xác định được",
}
"""What is said of a delayed dossier's letter; each has exactly one."""

_COLUMNS: Final = (
    TableColumn("unit_code", "Mã đơn vị", "code", paper=False),
    TableColumn("unit_name", "Đơn vị"),
    TableColumn("delayed", "Hồ sơ quá hạn", "count"),
    TableColumn("cannot_tell", "Chưa xác định được", "count"),
    TableColumn("owed", "Phải xin lỗi", "count"),
    TableColumn("sent", "Đã xin lỗi", "count"),
    *(TableColumn(name, ANSWERS[name], "count") for name in ("in_time", "too_late", "after_due", "missing")),
    TableColumn("sent_percent", "Tỷ lệ đã xin lỗi (%)", "percent"),
    TableColumn("in_time_percent", "Tỷ lệ xin lỗi đúng thời hạn (%)", "percent"),
    TableColumn("reappointed_again", "Hẹn lại quá một lần", "count"),
    TableColumn("moved_without", "Dời ngày hẹn không có văn bản", "count"),
)
_COUNTED: Final = (
    Field("qua_han", "hồ sơ quá hạn"),
    Field("phai_xin_loi", "hồ sơ phải xin lỗi"),
    Field("da_xin_loi", "đã có văn bản xin lỗi"),
    Field("dung_thoi_han", "xin lỗi đúng thời hạn quy định trước ngày hẹn trả"),
    Field("chua_du", "xin lỗi trước khi quá hạn nhưng không đủ thời gian quy định, hoặc trong ngày hẹn trả"),
    Field("sau_han", "xin lỗi sau ngày hẹn trả"),
    Field("thieu", "thiếu văn bản xin lỗi"),
    Field("chua_xac_dinh", "chưa xác định được"),
    Field("hen_lai_nhieu_lan", "hẹn lại quá số lần quy định"),
    Field("doi_hen_khong_xin_loi", "dời ngày hẹn trả mà không có văn bản xin lỗi"),
    Field("ty_le_da_xin_loi", "tỷ lệ đã xin lỗi trên số phải xin lỗi"),
    Field("ty_le_dung_thoi_han", "tỷ lệ xin lỗi đúng thời hạn trên số phải xin lỗi"),
)
FIELDS_APOLOGIES: Final = (
    Field("xin_loi_ap_dung", "đúng khi quy tắc về văn bản xin lỗi đang được áp dụng, dùng trong {% if %}"),
    Field("xin_loi", "văn bản xin lỗi của hồ sơ quá hạn", _COUNTED),
    Field(
        "xin_loi_don_vi",
        "đơn vị có hồ sơ thiếu văn bản xin lỗi hoặc xin lỗi chậm, nhiều nhất trước, tối đa 10",
        (Field("tt", "số thứ tự"), Field("ten", "tên đơn vị"), *_COUNTED),
        many=True,
    ),
    Field("con_xin_loi_don_vi", "số đơn vị như vậy không nằm trong xin_loi_don_vi"),
)


@dataclass(frozen=True)
class Apologies:
    """Letters of apology of the delayed dossiers.

    Attributes:
        by_dossier: by ``dossier_id``: ``apology``, one of the texts of :data:`ANSWERS`.
        units: rows of the table, those with the most letters missing or late first.
        total: the same counts of all together.
        applied: kinds of rules about letters by which dossiers are judged; of others nothing is known.
        not_applied: titles of those others.
    """

    by_dossier: pd.DataFrame
    units: pd.DataFrame
    total: Mapping[str, int]
    applied: frozenset[str]
    not_applied: tuple[str, ...]

    def tables(self) -> Sequence[Table]:
        """One row a unit with delayed dossiers."""
        notes = [
            f"Phải xin lỗi = hồ sơ quá hạn xác định được nghĩa vụ xin lỗi ({wording.number(self.total['owed'])} hồ sơ), là mẫu số của "
            "các tỷ lệ. Chưa xác định được: hệ thống nguồn không ghi văn bản xin lỗi, hoặc không rõ ngày hẹn đầu tiên, thời gian "
            "chờ nghĩa vụ tài chính.",
            "Thời hạn xin lỗi, số lần hẹn lại theo tham số của quy tắc đang áp dụng (NĐ 61/2018/NĐ-CP Điều 19 khoản 9 và quy định của "
            "tỉnh còn áp dụng).",
        ]
        if self.not_applied:
            notes.append(f"Quy tắc chưa được áp dụng: {'; '.join(self.not_applied)}.")
        chart = TableChart(
            "bar",
            "Văn bản xin lỗi của đơn vị",
            "unit_name",
            ("in_time", "too_late", "after_due", "missing"),
            # Those of which all is unknown stand at the end; a bar of nothing would say that nothing is missing.
            min(int((self.units["owed"] > 0).sum()), _TOP),
            stacked=True,
        )
        title = "VĂN BẢN XIN LỖI ĐỐI VỚI HỒ SƠ QUÁ HẠN"
        return (Table("apologies", "Văn bản xin lỗi", title, _COLUMNS, self.units, tuple(notes), chart),)

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`FIELDS_APOLOGIES`."""
        wanting = self.units[self.units["missing"] + self.units["too_late"] + self.units["after_due"] > 0]
        return {
            "xin_loi_ap_dung": "apology_missing" in self.applied,
            "xin_loi": _named(self.total),
            "xin_loi_don_vi": [
                {"tt": number, "ten": row["unit_name"], **_named(row)}
                for number, row in enumerate(records(wanting.head(_TOP)), start=1)
            ],
            "con_xin_loi_don_vi": max(len(wanting) - _TOP, 0),
        }


def read_apologies(reading: Reading, delays: Delays, applied: pd.DataFrame) -> Apologies:
    """What became of the duty to apologise.

    Args:
        applied: the rules by which dossiers are judged, as :func:`~tthc_monitor.outputs.delays.read_applied` gives them.
    """
    kinds = frozenset(applied["kind"]) & set(LETTERS)
    rows = delays.rows[["unit_code", "unit_name"]].assign(
        answer=_answers(delays, reading.calendar.zone, known="apology_missing" in kinds)
    )
    for kind, name in (("reappointed_again", "reappointed_again"), ("due_moved_without_apology", "moved_without")):
        rows[name] = rows.index.isin(delays.letters.loc[delays.letters["kind"] == kind, "dossier_id"])
    names = rows.drop_duplicates("unit_code").set_index("unit_code")["unit_name"]
    counts = pd.crosstab(rows["unit_code"], rows["answer"]).reindex(columns=list(ANSWERS), fill_value=0)
    sums = counts.join(rows.groupby("unit_code")[["reappointed_again", "moved_without"]].sum()).astype("int64")
    sums["delayed"] = sums[list(ANSWERS)].sum(axis=1)
    sums["sent"] = sums[["in_time", "too_late", "after_due"]].sum(axis=1)
    sums["owed"] = sums["sent"] + sums["missing"]
    total = {str(name): int(value) for name, value in sums.sum().items()}
    units = sums.reset_index()
    for name in ("sent", "in_time"):
        units[f"{name}_percent"] = percents(units[name], units["owed"])
    units["unit_name"] = [
        wording.unit_label(code, name if isinstance(name, str) else None)
        for code, name in zip(units["unit_code"], names.reindex(units["unit_code"]), strict=True)
    ]
    units["wanting"] = units["missing"] + units["too_late"] + units["after_due"]
    units["known"] = units["owed"] > 0
    units = units.sort_values(["known", "wanting", "unit_code"], ascending=[False, False, True], ignore_index=True)
    by_dossier = rows[["answer"]].rename(columns={"answer": "apology"}).replace(ANSWERS)
    not_applied = titles_not_applied(reading.connection, LETTERS, applied["kind"])
    return Apologies(by_dossier, units, total, kinds, not_applied)


def _answers(delays: Delays, zone: str, *, known: bool) -> pd.Series:
    """Of each delayed dossier one of :data:`ANSWERS`; ``known``: whether the rule is applied at all."""
    rows = delays.rows
    answer = pd.Series("cannot_tell", index=rows.index, dtype=object)
    if not known:
        return answer
    flagged = (
        delays.letters[delays.letters["kind"] == "apology_missing"]
        .drop_duplicates("dossier_id")
        .set_index("dossier_id")
    )
    # Not flagged with a letter: it came in time. But of several letters, and of one after the due instant, the rule says nothing.
    single = (rows["reappointment_count"].fillna(0) <= 1) & (rows["due_moves"].fillna(0) <= 1)
    in_time = (
        rows["apology_at"].notna() & (rows["apology_at"] < rows["due_at"]) & single & ~rows.index.isin(flagged.index)
    )
    answer[in_time] = "in_time"
    letter, due = flagged["apology_at"], flagged["due_at"]
    after = letter.dt.tz_convert(zone).dt.normalize() > due.dt.tz_convert(zone).dt.normalize()
    answer[flagged.index] = "missing"
    answer[flagged.index[letter.notna()]] = "too_late"
    answer[flagged.index[after]] = "after_due"
    return answer


def _named(counts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "qua_han": counts["delayed"],
        "phai_xin_loi": counts["owed"],
        "da_xin_loi": counts["sent"],
        "dung_thoi_han": counts["in_time"],
        "chua_du": counts["too_late"],
        "sau_han": counts["after_due"],
        "thieu": counts["missing"],
        "chua_xac_dinh": counts["cannot_tell"],
        "hen_lai_nhieu_lan": counts["reappointed_again"],
        "doi_hen_khong_xin_loi": counts["moved_without"],
        "ty_le_da_xin_loi": percent_of(counts["sent"], counts["owed"]),
        "ty_le_dung_thoi_han": percent_of(counts["in_time"], counts["owed"]),
    }
