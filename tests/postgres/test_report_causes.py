"""Why dossiers were late, on real records judged by real rules: each cause is provoked, and the classes add up."""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
import yaml
from docx import Document
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, text

from tests.postgres.delayed import CALENDAR, CAUSES, MARKUP, number, play
from tests.postgres.inspected import NOW
from tests.postgres.seed import seed as seed_small_world
from tthc_monitor.domain.causes import APPARENT, CLASS_TITLES
from tthc_monitor.domain.periods import calendar_month
from tthc_monitor.outputs.cause_list import load_causes, shipped_causes
from tthc_monitor.outputs.report import MonthlyReport, build_report
from tthc_monitor.outputs.report_causes import Causes
from tthc_monitor.outputs.report_charts import drawn
from tthc_monitor.outputs.report_docx import load_template, write_document
from tthc_monitor.outputs.report_integrity import Integrity
from tthc_monitor.outputs.report_returns import Returns
from tthc_monitor.outputs.report_xlsx import write_report
from tthc_monitor.report_settings import ReportSettings
from tthc_monitor.store.causes import Assignment, save_causes
from tthc_monitor.store.database import transaction

_OF_PROGRAMS = re.compile(r"[a-z]_[a-z]|\b(audit|report)\.[a-z]|tthc-monitor|--[a-z]")
OCTOBER = calendar_month("2026-10", "Asia/Ho_Chi_Minh")


@pytest.fixture(scope="module")
def world(engine_of_module: Engine) -> Engine:
    play(engine_of_module)
    return engine_of_module


def report_of(
    connection: Connection, folder: Path = Path(), units: list[str] | None = None, **given: Any
) -> MonthlyReport:
    return build_report(
        connection, OCTOBER, NOW, CALENDAR, settings=ReportSettings(**given), base_dir=folder, units=units
    )


def topic(report: MonthlyReport, kind: type[Any]) -> Any:
    return next(one for one in report.topics if isinstance(one, kind))


def causes_of(connection: Connection, folder: Path = Path(), **given: Any) -> tuple[Causes, dict[str, int]]:
    """The topic, and the dossier of each story."""
    report = report_of(connection, folder, **given)
    ids = dict(zip(report.delayed["code"], report.delayed["dossier_id"], strict=True))
    return topic(report, Causes), ids


def dossier(ids: dict[str, int], key: str) -> int:
    return ids["H99.90-260210-0001" if key == "inherited" else number(key)]


def test_each_cause_is_told_by_the_records_that_prove_it(world: Engine) -> None:
    with world.connect() as connection:
        causes, ids = causes_of(connection)
    found = causes.by_dossier["cause_code"]
    assert {key: found[dossier(ids, key)] for key in CAUSES} == CAUSES
    assert len(found) == len(CAUSES)
    shown = causes.by_dossier["cause_shown_by"]
    # The ward was late by less than the dossier: that it answered late is all that is proved.
    assert shown[dossier(ids, "ward-a-little")] == "Cơ quan được lấy ý kiến trả lời chậm"
    assert shown[dossier(ids, "ward")] == "Hồ sơ trễ hạn do cơ quan được lấy ý kiến trả lời chậm"
    assert (
        shown[dossier(ids, "paying")] == "Chờ thực hiện nghĩa vụ tài chính 37,5 giờ làm việc, quá hạn 14 giờ làm việc"
    )
    assert shown[dossier(ids, "handed-over")] == "Trả kết quả ngày 15:00 15/10/2026"
    assert shown[dossier(ids, "inherited")] == "Nhận bàn giao từ Huyện Mẫu Cũ ngày 01/03/2026"


def test_real_and_apparent_delay_stand_apart_and_add_up(world: Engine) -> None:
    with world.connect() as connection:
        causes, _ = causes_of(connection)
    classes = Counter(load_causes(None, Path()).get(code).kind if code else "unknown" for code in CAUSES.values())  # type: ignore[union-attr]
    assert causes.totals == {name: classes[name] for name in CLASS_TITLES}
    assert causes.totals["late_click"] == 2 and causes.totals["software"] == 3
    words = causes.words()["nguyen_nhan"]
    assert words["tong"] == len(CAUSES) == words["cham_thuc"] + words["khong_cham_thuc"] + words["chua_ro"]
    table = causes.tables()[0]
    assert table.rows["dossiers"].sum() == len(CAUSES)
    assert (table.rows["dossiers"] == table.rows["finished_late"] + table.rows["open_overdue"]).all()
    shown = dict(zip(table.rows["cause_code"], table.rows["dossiers"], strict=True))
    assert shown["qua_tai"] == 0 and shown["thue_tai_chinh"] == 3


def test_every_unit_adds_up_and_is_called_by_its_name(world: Engine) -> None:
    with world.connect() as connection:
        causes, _ = causes_of(connection)
    units = causes.units.set_index("unit_code")
    assert (units["delayed"] == units["real"] + units["apparent"] + units["unknown"]).all()
    assert (units["real"] == units["subjective"] + units["objective"]).all()
    assert units["delayed"].to_dict() == {"H99.01": 20, "H99.90": 1}
    assert units.loc["H99.01", "unit_name"] == MARKUP


def test_official_lateness_is_as_it_was_without_causes(world: Engine, tmp_path: Path) -> None:
    (tmp_path / "mot.yaml").write_text("causes: [{code: khac, name: Khác, class: subjective}]", encoding="utf-8")
    with world.connect() as connection:
        usual, own = report_of(connection), report_of(connection, tmp_path, causes_file="mot.yaml")
    assert usual.total.equals(own.total) and usual.delayed.equals(own.delayed)
    assert topic(own, Causes).totals["unknown"] == len(CAUSES)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_whatever_the_list_every_delayed_dossier_is_in_exactly_one_class(
    world: Engine, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    listed = yaml.safe_load(shipped_causes())["causes"]
    some = dice.sample(listed, dice.randint(1, len(listed)))
    for cause in some:
        cause["class"] = dice.choice(["subjective", "objective", "software", "late_click"])
        for proof in cause.get("recognised_by", []):
            proof["priority"] = dice.randint(1, 9)
    (tmp_path / "tron.yaml").write_text(yaml.safe_dump({"causes": some}, allow_unicode=True), encoding="utf-8")
    with world.connect() as connection:
        report = report_of(connection, tmp_path, causes_file="tron.yaml")
    causes = topic(report, Causes)
    assert list(causes.by_dossier.index) == report.delayed["dossier_id"].tolist()
    assert sum(causes.totals.values()) == len(report.delayed) == causes.tables()[0].rows["dossiers"].sum()
    assert causes.units[list(CLASS_TITLES)].sum().to_dict() == causes.totals
    faults = causes.faults
    assert faults.attributed + faults.unattributed + faults.apparent == len(report.delayed)
    assert faults.apparent == sum(causes.totals[name] for name in APPARENT)
    assert causes.apologies.total["delayed"] == len(report.delayed)


def test_a_persons_word_outranks_the_records_and_both_are_shown(world: Engine) -> None:
    listed = load_causes(None, Path())
    with world.connect() as connection:
        before, ids = causes_of(connection)
        said = [
            Assignment(dossier(ids, "own-step"), listed.get("qua_tai"), "Thiếu 2 biên chế <b>", 2),
            Assignment(dossier(ids, "unexplained"), listed.get("vuong_mac_co_che"), "", 3),
            Assignment(dossier(ids, "frozen"), listed.get("can_bo_cham"), "", 4),
        ]
        save_causes(connection, said, file="xac-dinh.xlsx", content=b"1", by="Chánh Văn phòng", now=NOW)
        after, _ = causes_of(connection)
        row = after.by_dossier.loc[dossier(ids, "own-step")]
        assert (row["cause_code"], row["cause_basis"], row["records_cause"]) == (
            "qua_tai",
            "person",
            "Cán bộ, bộ phận xử lý chậm",
        )
        shown = after.delayed().loc[dossier(ids, "own-step")]
        assert shown["cause"] == "Quá tải, thiếu nhân sự"
        assert shown["cause_basis"] == (
            "Chánh Văn phòng xác định; Thiếu 2 biên chế <b>; theo dữ liệu: Cán bộ, bộ phận xử lý chậm (Bước đang xử lý quá hạn)"
        )
        assert after.words()["nguyen_nhan_do_nguoi"] == 3
        # What was apparent is real delay now, and is asked for its step.
        assert (after.faults.apparent, before.faults.apparent) == (4, 5)
        taken_back = [Assignment(dossier(ids, key), None, "", 2) for key in ("own-step", "unexplained", "frozen")]
        save_causes(connection, taken_back, file="rut.csv", content=b"2", by="Chánh Văn phòng", now=NOW)
        again, _ = causes_of(connection)
        pd.testing.assert_frame_equal(again.by_dossier, before.by_dossier)
        connection.rollback()


def test_a_cause_that_the_list_no_longer_has_is_shown_as_it_was_said(world: Engine, tmp_path: Path) -> None:
    (tmp_path / "mot.yaml").write_text("causes: [{code: khac, name: Khác, class: subjective}]", encoding="utf-8")
    with world.connect() as connection:
        _, ids = causes_of(connection)
        said = [Assignment(dossier(ids, "unexplained"), load_causes(None, Path()).get("qua_tai"), "", 2)]
        save_causes(connection, said, file="a.csv", content=b"1", by="A", now=NOW)
        causes, _ = causes_of(connection, tmp_path, causes_file="mot.yaml")
        rows = causes.tables()[0].rows
        assert dict(zip(rows["cause_name"], rows["dossiers"], strict=True)) == {
            "Khác": 0,
            "Quá tải, thiếu nhân sự": 1,
            "Chưa rõ nguyên nhân": 20,
        }
        connection.rollback()


def test_where_it_lay_may_be_another_unit(world: Engine) -> None:
    with world.connect() as connection:
        causes, ids = causes_of(connection)
    lay = causes.by_dossier[["fault_unit", "fault_step"]]
    assert {
        key: tuple(lay.loc[dossier(ids, key)]) for key in ("tax", "ward", "held-elsewhere", "own-step", "frozen")
    } == {
        "tax": ("Thuế Mẫu", "Trả lời lấy ý kiến"),
        "ward": ("Phường Mẫu Một", "Trả lời lấy ý kiến"),
        "held-elsewhere": ("Phường Mẫu Một", "Xác minh"),
        "own-step": (MARKUP, "Thẩm định"),
        "frozen": ("", ""),
    }
    faults = causes.faults
    units = faults.units.set_index("unit_code")
    assert units["dossiers"].to_dict() == {"H99.02": 3, "H99.01": 1, "H99.03": 1}
    assert units.loc["H99.02", ["own", "of_others", "consultations"]].tolist() == [0, 3, 2]
    assert faults.of_others == 4 and faults.unattributed == 21 - 5 - 5
    steps = faults.steps.set_index("step_name")
    # Past its deadline of Monday the 12th, 17:00, until Wednesday the 21st, 16:00: six days of 7.5 hours, and 6.5 hours.
    assert steps.loc["Thẩm định", "late_hours_most"] == pytest.approx(6 * 7.5 + 6.5)


def test_letters_are_counted_by_what_the_rules_found(world: Engine) -> None:
    with world.connect() as connection:
        causes, ids = causes_of(connection)
    apology = causes.by_dossier["apology"]
    said = {key: apology[dossier(ids, key)] for key in CAUSES}
    assert said["apologised"] == "Đã xin lỗi đúng thời hạn"
    assert said["apologised-on-the-day"] == "Đã xin lỗi, chưa đủ thời gian trước hạn"
    assert said["apologised-after"] == "Đã xin lỗi sau khi quá hạn"
    assert said["unexplained"] == "Thiếu văn bản xin lỗi"
    total = causes.apologies.total
    assert total["owed"] == total["in_time"] + total["too_late"] + total["after_due"] + total["missing"]
    assert total["owed"] + total["cannot_tell"] == total["delayed"] == len(CAUSES)
    assert (total["in_time"], total["too_late"], total["after_due"]) == (1, 1, 1)
    assert total["cannot_tell"] == 1 and said["paying-still"] == "Chưa xác định được"
    assert total["reappointed_again"] == 1 and total["moved_without"] >= 1


def test_what_was_sent_back_is_counted_with_its_denominator(world: Engine) -> None:
    with world.connect() as connection:
        returns = topic(report_of(connection), Returns)
    total = returns.total
    assert (total["refused"], total["stopped"], total["withdrawn"], total["sent_back"]) == (2, 1, 1, 3)
    known = [total[f"supplement_{times}"] for times in ("once", "more", "unknown")]
    assert (total["supplemented"], known) == (3, [2, 1, 0])
    assert returns.long_days == 15 and "quá 15 ngày làm việc" in returns.tables()[0].notes[-1]
    assert total["waiting"] == 1 and total["refused_late"] == 1
    assert total["received"] == 26
    row = returns.units.set_index("unit_code").loc["H99.01"]
    assert str(row["sent_back_percent"]) == "11.54" and row["received"] == 26
    assert returns.procedures["procedure_code"].tolist() == ["1.000001"]
    assert not returns.not_applied


def test_how_often_is_unknown_where_no_source_tells_it(world: Engine) -> None:
    with world.connect() as connection:
        connection.execute(text("UPDATE tthc.dossiers SET supplement_count = NULL WHERE supplement_count = 1"))
        returns = topic(report_of(connection), Returns)
        connection.rollback()
    counts = [returns.total[f"supplement_{times}"] for times in ("once", "more", "unknown")]
    assert counts == [0, 1, 2] and returns.words()["tra_ve"]["bo_sung_chua_ro"] == 2


def test_signs_are_counted_by_rule_and_unit_without_accusing(world: Engine) -> None:
    with world.connect() as connection:
        integrity = topic(report_of(connection), Integrity)
        flags = pd.read_sql_query(
            "SELECT rule_code, count(DISTINCT dossier_id) AS n FROM audit.flags_in_force JOIN audit.dossiers d USING (dossier_id) "
            "WHERE rule_code IN ('due_moved_after_due', 'source_verdict_differs', 'refiled') AND starts_at < '2026-11-01+07' "
            "AND starts_at >= '2026-10-01+07' GROUP BY 1",
            connection,
        )
    rules = integrity.rules.set_index("rule_code")["dossiers"]
    for code, count in zip(flags["rule_code"], flags["n"], strict=True):
        assert rules[code] == count
    assert rules["due_moved_after_due"] == 1 and rules["refiled"] == 0
    table, by_unit = integrity.tables()
    assert "chỉ hỗ trợ kiểm tra, không thay kết luận" in table.notes[0] and "Điều 35" not in " ".join(table.notes)
    assert not any(word in " ".join(table.notes) for word in ("audit.", "tthc-monitor"))
    assert table.rows["dossiers"].sum() == rules.sum() >= integrity.dossiers
    # A bar a unit, each of its dossiers once, however many signs it has.
    assert table.chart is None and by_unit.chart is not None
    assert by_unit.rows["unit_code"].is_unique and by_unit.rows["dossiers"].sum() == integrity.dossiers < rules.sum()
    assert all(sign.endswith(" hồ sơ") for signs in by_unit.rows["signs"] for sign in signs.split("; "))


def test_no_code_of_the_program_stands_on_sheets(world: Engine, tmp_path: Path) -> None:
    """Codes of rules, causes and reasons, names of views, commands and settings are for CSV, JSON and the documents."""
    with world.connect() as connection:
        report = report_of(connection)
    assert any(len(table.rows) for table in topic(report, Integrity).tables())
    numbers = set(report.delayed["code"]) | set(report.sent_back["code"])
    book = openpyxl.load_workbook(write_report(report, tmp_path / "a.xlsx"), read_only=True)
    said = [
        (sheet.title, cell)
        for sheet in book.worksheets
        for row in sheet.iter_rows(values_only=True)
        for cell in row
        if isinstance(cell, str) and cell not in numbers and _OF_PROGRAMS.search(cell)
    ]
    assert said == []


def test_one_units_report_says_why_of_its_dossiers_only(world: Engine) -> None:
    with world.connect() as connection:
        report = report_of(connection, units=["H99.90"])
    causes, returns, integrity = (topic(report, kind) for kind in (Causes, Returns, Integrity))
    assert causes.totals == {"subjective": 0, "objective": 1, "software": 0, "late_click": 0, "unknown": 0}
    assert causes.units["unit_code"].tolist() == ["H99.90"] and causes.apologies.total["delayed"] == 1
    assert returns.total["received"] == returns.total["sent_back"] == 0 and returns.units.empty
    assert integrity.dossiers == 0 and len(integrity.rules) == 13


def test_the_document_says_it_in_sentences_and_names_are_only_text(world: Engine, tmp_path: Path) -> None:
    office = ReportSettings(office="Trung tâm Phục vụ hành chính công Tỉnh Mẫu")
    with world.connect() as connection:
        report = report_of(connection)
    document = Document(str(write_document(report, office, load_template(office, tmp_path), tmp_path / "bc.docx")))
    text = "\n".join(p.text for p in document.paragraphs).replace("\xa0", " ")
    for sentence in (
        "Trong 21 hồ sơ quá hạn: chậm thực 9 hồ sơ (42,86 %), gồm nguyên nhân chủ quan 1 hồ sơ, khách quan 8 hồ sơ; không phải chậm "
        "thực 5 hồ sơ (23,81 %), gồm 3 hồ sơ do phần mềm, đồng bộ dữ liệu hoặc chưa kết thúc trên quy trình điện tử, 2 hồ sơ đã xử lý "
        "đúng hạn nhưng bấm kết thúc chậm; chưa rõ nguyên nhân 7 hồ sơ (33,33 %).",
        "Xác định được khâu chậm của 5 hồ sơ, trong đó 4 hồ sơ chậm ở cơ quan, đơn vị khác đơn vị giải quyết",
        "Trong 21 hồ sơ quá hạn có 20 hồ sơ xác định được phải xin lỗi. Đã có văn bản xin lỗi 3 hồ sơ (15,00 %)",
        "Trong kỳ có 3 hồ sơ trả lại (từ chối 2 hồ sơ, dừng giải quyết 1 hồ sơ), bằng 11,54 % số tiếp nhận mới (26 hồ sơ)",
        "không phải kết luận vi phạm",
    ):
        assert sentence in text
    cells = {cell.text for table in document.tables for row in table.rows for cell in row.cells}
    assert MARKUP in cells


def test_rules_that_are_not_applied_are_told_and_nothing_is_guessed(engine: Engine) -> None:
    with transaction(engine) as connection:
        seed_small_world(connection)
        applied = (
            "ARRAY(SELECT rule_version_id FROM tthc.rule_versions WHERE rule_code IN ('overdue', 'finished_late'))"
        )
        connection.execute(text(f"UPDATE tthc.evaluations SET rule_version_ids = {applied}"))
    with engine.connect() as connection:
        report = report_of(connection)
    causes, returns, integrity = (topic(report, kind) for kind in (Causes, Returns, Integrity))
    assert causes.totals["unknown"] == len(report.delayed) > 0
    assert causes.not_applied and "closed_late" not in causes.not_applied
    assert causes.apologies.total["cannot_tell"] == len(report.delayed)
    assert causes.apologies.words()["xin_loi"]["ty_le_da_xin_loi"] is None
    assert not causes.apologies.words()["xin_loi_ap_dung"]
    # Nobody knows of any unit: no bar of nothing is drawn, for it would say that no letter is missing.
    [letters] = causes.apologies.tables()
    assert letters.chart is not None and letters.chart.rows == 0 and drawn([letters]) == []
    assert "Không được tiếp nhận, từ chối giải quyết" in returns.not_applied
    assert returns.long_days is None and returns.words()["so_ngay_cho"] == ""
    told = [
        note
        for one in (causes, returns)
        for table in one.tables()
        for note in table.notes
        if "chưa được áp dụng" in note
    ]
    # Rules of this small world bear their codes as titles; those that it does not know are called as they are shipped.
    assert told and not any(code in note for note in told for code in ("refused", "closed_late", "step_at_fault"))
    assert integrity.rules.empty and integrity.tables()[0].empty.startswith("Chưa áp dụng")
