"""Why the delayed dossiers of a report were late: by cause, real and apparent delay apart, and what nobody knows.

A person's word outranks what records prove, and both are shown. Official figures of lateness are not touched: every
delayed dossier stands in exactly one class here, and the classes add up to them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.domain.causes import APPARENT, CLASS_TITLES, UNKNOWN, CauseList
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.cause_fields import CLASSES, COLUMNS, UNIT_COLUMNS
from tthc_monitor.outputs.cause_list import load_causes
from tthc_monitor.outputs.cause_proofs import proved_causes
from tthc_monitor.outputs.delays import Delays, read_applied, read_delays
from tthc_monitor.outputs.frames import read_frame, records, texts
from tthc_monitor.outputs.report_apologies import Apologies, read_apologies
from tthc_monitor.outputs.report_faults import Faults, read_faults
from tthc_monitor.outputs.report_tables import Table, TableChart
from tthc_monitor.outputs.rule_titles import titles_not_applied
from tthc_monitor.outputs.shares import percent_of, percents

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

_TOP: Final = 10
_SAID = """
SELECT a.dossier_id, a.cause_code, a.cause_name, a.cause_class, a.note, a.assigned_by
FROM audit.assigned_causes a WHERE a.dossier_id = ANY(%(ids)s) AND a.in_force
"""
UNEXPLAINED: Final = "Chưa rõ nguyên nhân"


@dataclass(frozen=True)
class Causes:
    """Why dossiers were late.

    Attributes:
        by_dossier: by ``dossier_id``, a row for each delayed dossier: ``cause_code``, ``cause_name``, ``cause_class`` (of
            :data:`CLASS_TITLES`), ``cause_basis`` (``records``, ``person`` or empty), ``cause_shown_by`` (what records
            prove it), ``records_cause`` (name of what records prove, where a person says otherwise too), ``cause_note``,
            ``cause_said_by``; ``fault_unit``, ``fault_step`` (where it lay), ``apology``. Empty text where there is none.
        causes: the list it was read by.
        not_applied: titles of the rules that the list names and by which dossiers are not judged.
        faults, apologies: where the delays lay, and their letters.
    """

    by_dossier: pd.DataFrame
    units: pd.DataFrame
    causes: CauseList
    not_applied: tuple[str, ...]
    faults: Faults
    apologies: Apologies

    @property
    def totals(self) -> dict[str, int]:
        """Delayed dossiers by class; every class is there."""
        counts = self.by_dossier["cause_class"].value_counts()
        return {name: int(counts.get(name, 0)) for name in CLASSES}

    def tables(self) -> Sequence[Table]:
        """By cause, by unit; then where the delays lay, and the letters."""
        total = len(self.by_dossier)
        notes = [
            f"Tỷ trọng = số hồ sơ / tổng số hồ sơ quá hạn ({wording.number(total)} hồ sơ). Mỗi hồ sơ quá hạn nằm ở một dòng.",
            "Phân loại nguyên nhân không làm thay đổi số liệu quá hạn. Không phải chậm thực: đã xử lý xong đúng hạn, quá hạn "
            "do phần mềm, đồng bộ dữ liệu hoặc bấm kết thúc chậm.",
            "Nguyên nhân do người có trách nhiệm xác định được ưu tiên hơn căn cứ trong dữ liệu; cả hai đều được lưu.",
        ]
        if self.not_applied:
            notes.append(f"Quy tắc chưa được áp dụng, không dùng làm căn cứ: {'; '.join(self.not_applied)}.")
        chart = TableChart("bar", "Hồ sơ quá hạn theo nguyên nhân", "cause_name", ("dossiers",), len(self._by_cause()))
        unit_chart = TableChart(
            "bar",
            "Đơn vị có nhiều hồ sơ quá hạn nhất, theo loại nguyên nhân",
            "unit_name",
            CLASSES,
            _TOP,
            stacked=True,
        )
        return (
            Table(
                "causes",
                "Nguyên nhân",
                "HỒ SƠ QUÁ HẠN THEO NGUYÊN NHÂN",
                COLUMNS,
                self._by_cause(),
                tuple(notes),
                chart,
            ),
            Table(
                "causes-by-unit",
                "Nguyên nhân theo đơn vị",
                "NGUYÊN NHÂN QUÁ HẠN CỦA CÁC ĐƠN VỊ",
                UNIT_COLUMNS,
                self.units,
                (
                    "Tổng số quá hạn = chậm thực (chủ quan + khách quan) + không phải chậm thực (phần mềm + bấm chậm) + chưa rõ.",
                ),
                unit_chart,
            ),
            *self.faults.tables(),
            *self.apologies.tables(),
        )

    def delayed(self) -> pd.DataFrame:
        """What the list of delayed dossiers says of each: ``cause``, ``cause_basis``, ``fault``, ``apology``."""
        rows = self.by_dossier
        person = [
            "; ".join(filter(None, (f"{by} xác định", note, records and f"theo dữ liệu: {records} ({shown})")))
            for by, note, records, shown in zip(
                rows["cause_said_by"], rows["cause_note"], rows["records_cause"], rows["cause_shown_by"], strict=True
            )
        ]
        fault = rows["fault_unit"].where(rows["fault_step"] == "", rows["fault_unit"] + ": " + rows["fault_step"])
        return pd.DataFrame(
            {
                "cause": rows["cause_name"],
                "cause_basis": rows["cause_shown_by"].where(rows["cause_basis"] != "person", person),
                "fault": fault,
                "apology": rows["apology"],
            },
            index=rows.index,
        )

    def words(self) -> Mapping[str, Any]:
        """Values of :data:`~tthc_monitor.outputs.cause_fields.FIELDS_CAUSES`."""
        totals, whole = self.totals, len(self.by_dossier)
        real, apparent = _real(totals), _apparent(totals)
        rows = self._by_cause()
        shown = rows[rows["dossiers"] > 0]
        named = shown[shown["cause_code"] != ""].sort_values("dossiers", ascending=False, kind="stable").head(_TOP)
        order = pd.concat([named.sort_values("place", kind="stable"), shown[shown["cause_code"] == ""]])
        units = self.units.head(_TOP)
        return {
            "nguyen_nhan": {
                **_named(totals, whole),
                "ty_le_cham_thuc": percent_of(real, whole),
                "ty_le_khong_cham_thuc": percent_of(apparent, whole),
                "ty_le_chua_ro": percent_of(totals[UNKNOWN], whole),
            },
            "nguyen_nhan_do_nguoi": int((self.by_dossier["cause_basis"] == "person").sum()),
            "nguyen_nhan_chi_tiet": [
                {
                    "tt": number,
                    "ma": row["cause_code"],
                    "ten": row["cause_name"],
                    "loai": row["class_name"],
                    "so": row["dossiers"],
                    "ty_trong": percent_of(row["dossiers"], whole),
                    "theo_du_lieu": row["by_records"],
                    "do_nguoi": row["by_person"],
                }
                for number, row in enumerate(records(order), start=1)
            ],
            "nguyen_nhan_don_vi": [
                {
                    "tt": number,
                    "ten": row["unit_name"],
                    **_named({name: row[name] for name in CLASSES}, row["delayed"]),
                }
                for number, row in enumerate(records(units), start=1)
            ],
            "con_nguyen_nhan_don_vi": len(self.units) - len(units),
            **self.faults.words(),
            **self.apologies.words(),
        }

    def _by_cause(self) -> pd.DataFrame:
        """A row for each cause of the list, then those said once that the list no longer has, then the unexplained."""
        listed = [(cause.code, cause.name, cause.kind) for cause in self.causes.causes]
        said = self.by_dossier[["cause_code", "cause_name", "cause_class"]].drop_duplicates("cause_code")
        codes = {code for code, _, _ in listed} | {""}
        gone = [row for row in said.itertuples(index=False, name=None) if row[0] not in codes]
        order = sorted([*listed, *gone], key=lambda one: CLASSES.index(one[2]))
        rows = pd.DataFrame([*order, ("", UNEXPLAINED, UNKNOWN)], columns=["cause_code", "cause_name", "cause_class"])
        held = self.by_dossier.assign(
            finished_late=self.by_dossier["verdict"] == "late",
            open_overdue=self.by_dossier["verdict"] != "late",
            by_records=self.by_dossier["cause_basis"] == "records",
            by_person=self.by_dossier["cause_basis"] == "person",
        )
        sums = ["finished_late", "open_overdue", "by_records", "by_person"]
        counts = held.groupby("cause_code")[sums].sum().assign(dossiers=held.groupby("cause_code").size())
        rows = rows.merge(counts, left_on="cause_code", right_index=True, how="left")
        numbers = [*sums, "dossiers"]
        rows[numbers] = rows[numbers].fillna(0).astype("int64")
        whole = len(self.by_dossier)
        return rows.assign(
            class_name=rows["cause_class"].map(CLASS_TITLES),
            percent=percents(rows["dossiers"], [whole] * len(rows)),
            place=range(len(rows)),
        )


def read_causes(reading: Reading) -> Causes:
    """Why each delayed dossier of the report was late.

    Raises:
        ConfigError: the office's list of causes cannot be read; every problem with its line.
    """
    causes = load_causes(reading.settings.causes_file, reading.base_dir)
    delays = read_delays(reading, causes.rules, causes.quoted)
    applied = read_applied(reading)
    said = read_frame(reading.connection, _SAID, {"ids": reading.delayed["dossier_id"].tolist()}).set_index(
        "dossier_id"
    )
    rows = _explained(delays, causes, reading, said)
    real = delays.rows.index[~rows["cause_class"].isin(APPARENT)]
    faults = read_faults(reading, delays, real)
    apologies = read_apologies(reading, delays, applied)
    by_dossier = rows.join(faults.by_dossier).join(apologies.by_dossier).assign(verdict=delays.rows["verdict"])
    for name in ("fault_unit", "fault_step", "apology"):
        by_dossier[name] = texts(by_dossier[name])
    missing = titles_not_applied(reading.connection, causes.rules, applied["rule_code"])
    return Causes(by_dossier, _by_unit(delays, rows), causes, missing, faults, apologies)


def _explained(delays: Delays, causes: CauseList, reading: Reading, said: pd.DataFrame) -> pd.DataFrame:
    proved = proved_causes(delays, causes, reading.calendar).reindex(delays.rows.index)
    names = {cause.code: cause.name for cause in causes.causes}
    kinds = {cause.code: cause.kind for cause in causes.causes}
    word = said.reindex(delays.rows.index).astype(object)
    proved["code"] = proved["code"].astype(object)
    by_person = word["cause_code"].notna()
    by_records = proved["code"].notna() & ~by_person
    # What the list calls it now, else as it was called when it was said.
    name = word["cause_code"].map(names).astype(object).fillna(word["cause_name"])
    kind = word["cause_code"].map(kinds).astype(object).fillna(word["cause_class"])
    rows = pd.DataFrame(
        {
            "cause_code": texts(word["cause_code"].where(by_person, proved["code"])),
            "cause_name": name.where(by_person, proved["code"].map(names)).fillna(UNEXPLAINED),
            "cause_class": kind.where(by_person, proved["code"].map(kinds)).fillna(UNKNOWN),
            "cause_basis": "",
            "cause_shown_by": texts(proved["shown_by"]),
            "records_cause": texts(proved["code"].map(names)),
            "cause_note": texts(word["note"]),
            "cause_said_by": texts(word["assigned_by"]),
        },
        index=delays.rows.index,
        dtype=object,
    )
    rows.loc[by_records, "cause_basis"] = "records"
    rows.loc[by_person, "cause_basis"] = "person"
    return rows


def _by_unit(delays: Delays, rows: pd.DataFrame) -> pd.DataFrame:
    units = delays.rows[["unit_code", "unit_name"]].join(rows["cause_class"])
    counts = pd.crosstab(units["unit_code"], units["cause_class"]).reindex(columns=list(CLASSES), fill_value=0)
    names = units.drop_duplicates("unit_code").set_index("unit_code")["unit_name"]
    table = counts.assign(
        delayed=counts.sum(axis=1), real=_real(counts), apparent=_apparent(counts)
    ).reset_index()  # a row a unit
    table["unit_name"] = [
        wording.unit_label(code, name if isinstance(name, str) else None)
        for code, name in zip(table["unit_code"], names.reindex(table["unit_code"]), strict=True)
    ]
    return table.sort_values(["delayed", "unit_code"], ascending=[False, True], ignore_index=True)


def _real(counts: Any) -> Any:
    return counts["subjective"] + counts["objective"]


def _apparent(counts: Any) -> Any:
    return counts["software"] + counts["late_click"]


def _named(counts: Mapping[str, int], whole: int) -> dict[str, int]:
    return {
        "tong": whole,
        "cham_thuc": _real(counts),
        "chu_quan": counts["subjective"],
        "khach_quan": counts["objective"],
        "khong_cham_thuc": _apparent(counts),
        "phan_mem": counts["software"],
        "bam_cham": counts["late_click"],
        "chua_ro": counts[UNKNOWN],
    }
