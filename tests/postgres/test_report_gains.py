"""What a report says is to be done: measured on worlds whose answers numpy, or a pencil, gives too."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine, text

from rules.loader import load_packs
from tests.postgres import delayed
from tests.postgres.seed import CALENDAR as SEED_CALENDAR
from tests.postgres.seed import NOW, WORLD, Dossier, at, seed
from tests.postgres.test_evaluate import CALENDAR, judge
from tests.postgres.test_ledger import record, take
from tests.postgres.test_report import OCTOBER
from tests.word_template import topic_indices
from tests.word_template.letter import SECTIONS
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.periods import calendar_month
from tthc_monitor.domain.procedure_catalogue import SourcedLimit
from tthc_monitor.domain.time_limits import TimeLimit
from tthc_monitor.outputs import report_steps
from tthc_monitor.outputs.report import MonthlyReport, build_report
from tthc_monitor.outputs.report_causes import Causes
from tthc_monitor.outputs.report_columns import COUNTS
from tthc_monitor.outputs.report_counts import rank_rows
from tthc_monitor.outputs.report_focus import NO_SECTOR, is_over
from tthc_monitor.outputs.report_form import roman
from tthc_monitor.outputs.report_gains import Gains
from tthc_monitor.outputs.report_indices import NOT_DECLARED
from tthc_monitor.outputs.report_proposals import INDICES_SECTION
from tthc_monitor.report_settings import FocusSector, ReportSettings
from tthc_monitor.store.database import transaction
from tthc_monitor.store.time_limits import replace_limits

MARCH = calendar_month("2026-03", "Asia/Ho_Chi_Minh")
WORK = CALENDAR.compile()
DAY = 7.5 * 3600
"""Working seconds of a day of the shipped calendar."""
APRIL = datetime(2026, 4, 3, 2, tzinfo=UTC)


def gains_of(report: MonthlyReport) -> Gains:
    [found] = [topic for topic in report.topics if isinstance(topic, Gains)]
    return found


def october(engine: Engine, folder: Path = Path(), **settings: Any) -> Gains:
    with engine.connect() as connection:
        report = build_report(
            connection, OCTOBER, NOW, SEED_CALENDAR, settings=ReportSettings(**settings), base_dir=folder
        )
    return gains_of(report)


def march(engine: Engine, **settings: Any) -> Gains:
    with engine.connect() as connection:
        report = build_report(connection, MARCH, APRIL, WORK, settings=ReportSettings(**settings))
    return gains_of(report)


@pytest.fixture(scope="module")
def world(engine_of_module: Engine) -> Engine:
    with engine_of_module.begin() as connection:
        seed(connection)
    return engine_of_module


# -- focus sectors ---------------------------------------------------------------------------------------------------


def test_a_focus_group_has_the_figures_of_its_sectors(world: Engine) -> None:
    groups = (
        FocusSector(name="Xây dựng", match=("XÂY DỰNG",)),
        FocusSector(name="Y tế", sectors=("H99-YT", "H99-KHÔNG")),
        FocusSector(name="Đầu tư", match=("đầu tư",)),
    )
    focus = october(world, focus_sectors=groups).focus
    rows = focus.groups.set_index("group")
    assert dict(rows.loc["Xây dựng"]) == {
        "sectors": "Hoạt động xây dựng",
        "received": 10,
        "finished": 4,
        "finished_known": 3,
        "finished_late": 1,
        "on_time_percent": Decimal("66.67"),
        "on_time_percent_before": Decimal("0.00"),  # the one that ended in September was late
        "pending_overdue": 1,
    }
    assert rows.loc["Y tế", "finished_known"] == 1
    # What matches no sector is not 0 of anything.
    assert rows.loc["Đầu tư"].tolist() == [NO_SECTOR, *[None] * 7]
    investment = focus.words()["linh_vuc_trong_tam"][2]
    assert {investment[name] for name in ("gom", "tiep_nhan", "ty_le_dung_han", "dang_qua_han")} == {NO_SECTOR}
    assert focus.unknown == ("H99-KHÔNG",)
    assert "H99-KHÔNG" in focus.tables()[0].notes[1]


@pytest.mark.parametrize(
    ("late", "known", "over"),
    [(2, 39, True), (2, 40, False), (3, 10, True), (2, 10, True), (2, 9, False), (1, 10, False), (9, 9, False)],
)
def test_only_enough_dossiers_are_beyond_a_threshold(late: int, known: int, over: bool) -> None:
    assert is_over(late, known, Decimal(5)) is over


def crowd(unit: str, late: int, in_time: int) -> list[Dossier]:
    """Open dossiers of a unit, of the sector of building."""
    dues = [at("2026-10-20")] * late + [at("2026-12-20")] * in_time
    return [
        Dossier(f"{unit}-2610-{n}", unit, "1.000001", at("2026-10-01"), due, step="Thẩm định")
        for n, due in enumerate(dues)
    ]


def test_units_and_sectors_over_the_threshold_are_asked_to_explain(engine: Engine) -> None:
    with engine.begin() as connection:
        seed(connection, [*crowd("H99.01", 3, 9), *crowd("H99.02", 2, 3), *crowd("H99.03", 1, 40)])
    found = october(engine)
    assert found.focus.to_explain[["sector_code", "late", "known"]].to_numpy().tolist() == [["H99-XD", 6, 58]]
    said = {one.subject: one.text for one in found.proposals.items}
    assert said["Đơn vị có tỷ lệ quá hạn cao"] == (
        "Đề nghị 1 đơn vị có trên 5,00\N{NO-BREAK SPACE}% hồ sơ quá hạn (Sở Xây dựng: 3 hồ sơ) rà soát, báo cáo nguyên nhân trước "
        "ngày ……………."
    )
    assert "người đứng đầu" not in " ".join(said.values())
    assert "do đơn vị thiết lập" in found.focus.tables()[1].notes[0]
    assert october(engine, explanation_threshold_percent=10.35).focus.to_explain.empty


def test_building_is_more_than_its_word_and_not_its_materials(engine: Engine) -> None:
    names = {
        "1": "Quy hoạch đô thị và nông thôn, kiến trúc",
        "2": "Kinh doanh bất động sản",
        "3": "Nhà ở và công sở",
        "4": "Hạ tầng kỹ thuật",
        "5": "Vật liệu xây dựng",
        "6": "Hoạt động xây dựng, vật liệu xây dựng",
        "7": "Hộ tịch",
    }
    with engine.begin() as connection:
        for code, name in names.items():
            connection.execute(
                text("INSERT INTO tthc.sectors (sector_code, name, first_seen_at) VALUES (:code, :name, now())"),
                {"code": code, "name": name},
            )
    groups = october(engine).focus.groups.set_index("group")["sectors"]
    assert groups["Xây dựng"] == "; ".join(names[code] for code in "12346")


# -- heads of units ----------------------------------------------------------------------------------------------------


def test_names_that_two_sectors_share_are_told_apart() -> None:
    frame = pd.DataFrame(
        {"sector_code": ["A", "B", "C", ""], "sector_name": ["Đất đai", "Đất đai", "Hộ tịch", None], "late": 0}
        | dict.fromkeys(COUNTS, 0)
    )
    told = [row["ten"] for row in rank_rows(frame, "sector")]
    assert told == ["Đất đai (A)", "Đất đai (B)", "Hộ tịch", "Chưa rõ lĩnh vực"]


def test_units_are_ranked_with_their_head_of_the_last_day(world: Engine, tmp_path: Path) -> None:
    (tmp_path / "heads.csv").write_text(
        "unit_code;title;name;since;until\n"
        "H99.01;Giám đốc;<b>Trần & A</b>;;15/10/2026\n"
        "H99.01;Quyền Giám đốc;=Lê B;16/10/2026;\n"
        "H99.02;Giám đốc;Phạm C;2026-11-01;\n"
        "H99.77;Chủ tịch;;;\n",
        encoding="utf-8-sig",
    )
    heads = october(world, tmp_path, heads_file="heads.csv").heads
    rows = heads.ranked
    assert rows["unit_code"].tolist() == ["H99.01", "H99.02", ""]
    assert rows["head"].tolist() == ["Quyền Giám đốc =Lê B", "chưa khai báo", "chưa khai báo"]
    assert rows["late"].tolist() == [2, 2, 1]
    assert rows["late_share_percent"].tolist() == [Decimal("40.00"), Decimal("40.00"), Decimal("20.00")]
    assert rows["on_time_percent"].tolist() == [Decimal("66.67"), Decimal("0.00"), None]
    assert rows["worst_procedure_code"].tolist() == ["1.000001", "1.000003", None]
    assert heads.unknown == ("H99.77",)
    assert "H99.77" in heads.tables()[0].notes[-1]
    with world.connect() as connection:
        everything = connection.execute(text("SELECT to_jsonb(u)::text FROM tthc.units u")).scalars().all()
    assert not any("Lê B" in row for row in everything)


def test_without_a_file_no_head_is_made_up(world: Engine) -> None:
    heads = october(world).heads
    assert set(heads.ranked["head"]) == {"chưa khai báo"}
    assert not heads.words()["co_nguoi_dung_dau"]


# -- limits that could be shorter ---------------------------------------------------------------------------------------


def ended(key: str, procedure: str, hours: float, limit_days: float = 10, **fields: Any) -> dict[str, Any]:
    """A dossier received on Monday 2 March, 08:00, that takes so many working hours of a promise of so many days."""
    received = datetime(2026, 3, 2, 1, tzinfo=UTC)
    return record(
        key,
        **{
            "code": key,
            "procedure_code": procedure,
            "procedure_name": f"Thủ tục {procedure}",
            "sector_code": "S",
            "unit_code": "H99.01",
            "received_at": received,
            "due_current": WORK.add(received, limit_days * DAY),
            "status": 9,
            "finished_at": WORK.add(received, hours * 3600),
            **fields,
        },
    )


def many(procedure: str, number: int, share: float, **fields: Any) -> list[dict[str, Any]]:
    """Dossiers that use up to a part of their time, each another."""
    dice = random.Random(procedure)
    return [ended(f"{procedure}-{n}", procedure, dice.uniform(0.05, share) * 75, **fields) for n in range(number)]


def import_limits(engine: Engine, *limits: TimeLimit) -> None:
    with transaction(engine) as connection:
        sourced = [SourcedLimit(limit) for limit in limits]
        codes = {limit.procedure_code for limit in limits}
        replace_limits(connection, sourced, codes, datetime(2026, 1, 1, tzinfo=UTC), "Người nhập", "office")


def test_percentiles_are_those_of_numpy_and_the_gain_follows(engine: Engine) -> None:
    quick, slow, few = many("1.1", 45, 0.4), many("1.2", 40, 0.9), many("1.3", 29, 0.2)
    take(engine, *quick, *slow, *few, at=APRIL)
    judge(engine, APRIL)
    import_limits(
        engine,
        TimeLimit(procedure_code="1.1", amount=10, unit="working_day", legal_basis="QĐ mẫu"),
    )
    found = march(engine).shortenable
    assert found.rows["procedure_code"].tolist() == ["1.1"]
    row = found.rows.iloc[0]
    used = np.array([WORK.elapsed(one["received_at"], one["finished_at"]) for one in quick]) / DAY
    p50, p90 = np.quantile(used, [0.5, 0.9])
    assert row["used_p50_days"] == pytest.approx(p50, abs=0.01)
    assert row["used_p90_days"] == pytest.approx(p90, abs=0.01)
    assert float(row["ratio_p90_percent"]) == pytest.approx(100 * np.quantile(used / 10, 0.9), abs=0.01)
    assert row["proposed_days"] == np.ceil(p90 * 2) / 2
    assert (row["allowed_days"], row["limit"], row["allowed_by"]) == (10, "10 ngày làm việc", "thời hạn quy định")
    assert (row["measured"], row["measured_in"], row["yearly"]) == (45, "kỳ báo cáo", 45)
    assert row["yearly_gain_days"] == pytest.approx((10 - row["proposed_days"]) * 45)
    assert found.words()["thoi_han_rut_ngan"][0]["thoi_han"] == "10 ngày làm việc"
    assert march(engine, shortenable_at_least=20).shortenable.rows["procedure_code"].tolist() == ["1.1", "1.3"]
    assert march(engine, shortenable_at_least=46).shortenable.rows.empty
    assert march(engine, shortenable_below=0.95).shortenable.rows["procedure_code"].tolist() == ["1.1", "1.2"]


def test_waits_are_taken_out_and_without_a_limit_the_promise_counts(engine: Engine) -> None:
    asked = datetime(2026, 3, 3, 2, tzinfo=UTC)
    answered = WORK.add(asked, 8 * DAY)
    received = datetime(2026, 3, 2, 1, tzinfo=UTC)
    waited = {
        "supplement_requested_at": asked,
        "supplement_completed_at": answered,
        "supplement_count": 1,
        "due_current": WORK.add(received, 18 * DAY),
        "finished_at": WORK.add(received, 11 * DAY),
    }
    take(engine, *(ended(f"1.1-{n}", "1.1", 0, **waited) for n in range(30)), at=APRIL)
    judge(engine, APRIL)
    [row] = march(engine).shortenable.rows.to_dict("records")
    assert (row["allowed_days"], row["allowed_by"]) == (10, "ngày hẹn trả")
    assert row["limit"] == "khoảng 10 ngày làm việc theo ngày hẹn trả"
    assert (row["used_p90_days"], row["proposed_days"], row["gain_days"]) == (3, 3, 7)


def test_too_few_in_the_period_are_looked_at_over_a_year_and_said_so(engine: Engine) -> None:
    before = timedelta(days=91)
    earlier = [
        {**one, "source_key": f"{one['source_key']}-old", "code": "x", "received_at": one["received_at"] - before,
         "due_current": one["due_current"] - before, "finished_at": one["finished_at"] - before}
        for one in many("1.1", 20, 0.3)
    ]  # fmt: skip
    take(engine, *many("1.1", 12, 0.3), *earlier, at=APRIL)
    judge(engine, APRIL)
    [row] = march(engine).shortenable.rows.to_dict("records")
    assert (row["measured"], row["measured_in"], row["yearly"]) == (32, "12 tháng", 32)
    [words] = march(engine).shortenable.words()["thoi_han_rut_ngan"]
    assert words["so_ho_so"] == "32 (12 tháng)"


def test_a_temporary_limit_is_marked_and_only_its_own_dossiers_are_measured(engine: Engine) -> None:
    take(engine, *many("1.1", 40, 0.4), *many("1.2", 40, 0.4), at=APRIL)
    judge(engine, APRIL)
    common: dict[str, Any] = {"unit": "working_day", "legal_basis": "NQ mẫu", "valid_to": date(2027, 3, 1)}
    import_limits(
        engine,
        TimeLimit(procedure_code="1.1", amount=12, unit="working_day", legal_basis="Luật mẫu"),
        TimeLimit(procedure_code="1.1", amount=9, valid_from=date(2026, 3, 1), **common),
        TimeLimit(procedure_code="1.2", amount=9, valid_from=date(2026, 3, 3), **common),
    )
    rows = march(engine).shortenable.rows
    assert rows["procedure_code"].tolist() == ["1.1"], "those of 1.2 were received before its limit"
    assert (rows["limit"][0], rows["temporary_until"][0]) == ("09 ngày làm việc", date(2027, 2, 28))
    [words] = march(engine).shortenable.words()["thoi_han_rut_ngan"]
    assert words["thoi_han"] == "09 ngày làm việc (tạm thời đến hết ngày 28/02/2027)"


# -- steps ---------------------------------------------------------------------------------------------------------------

STEPS = ("Tiếp nhận", "Thẩm định <x>", "Trình ký")


def walked(engine: Engine, number: int, procedure: str = "1.1") -> pd.DataFrame:
    """Dossiers that pass three steps, each seen when it begins; gives the days that each step took."""
    dice = random.Random(number)
    began = datetime(2026, 3, 2, 1, tzinfo=UTC)
    took = [[dice.uniform(0.1, 0.5), dice.uniform(2, 6), dice.uniform(0.3, 1)] for _ in range(number)]
    for place, step in enumerate(STEPS):
        rows = []
        for n, days in enumerate(took):
            start = WORK.add(began, sum(days[:place]) * DAY)
            fields = {"step_code": f"B{place}", "step_name": step, "step_unit_code": "H99.02", "step_started_at": start}
            due = WORK.add(start, 4 * DAY) if place == 1 else None
            rows.append(ended(f"{procedure}-{n}", procedure, 0, status=4, finished_at=None, step_due_at=due, **fields))
        take(engine, *rows, at=datetime(2026, 3, 2 + place, 3, tzinfo=UTC))
    take(engine, *(ended(f"{procedure}-{n}", procedure, sum(days) * 7.5) for n, days in enumerate(took)), at=APRIL)
    judge(engine, APRIL)
    return pd.DataFrame(took, columns=list(STEPS))


def test_steps_have_their_share_and_percentiles(engine: Engine) -> None:
    took = walked(engine, 12)
    rows = march(engine).steps.rows
    assert rows["step"].tolist() == ["Thẩm định <x>", "Trình ký", "Tiếp nhận"]
    assert rows["passed"].tolist() == [12, 12, 12]
    total = took.to_numpy().sum()
    for row in rows.to_dict("records"):
        days = took[row["step"]]
        assert row["total_days"] == pytest.approx(days.sum(), abs=0.02)
        assert float(row["share_percent"]) == pytest.approx(100 * days.sum() / total, abs=0.02)
        assert (row["p50_days"], row["p90_days"]) == pytest.approx(tuple(np.quantile(days, [0.5, 0.9])), abs=0.01)
        assert row["longest_days"] == pytest.approx(days.max(), abs=0.01)
        assert row["longest_code"] == f"1.1-{days.argmax()}"
    appraisal = rows.iloc[0]
    assert (appraisal["over_allowance"], appraisal["with_allowance"]) == ((took["Thẩm định <x>"] > 4).sum(), 12)
    assert rows["with_allowance"].tolist()[1:] == [0, 0]
    assert "“Thẩm định <x>”" in march(engine).proposals.words()["de_xuat"][-1]


def test_of_very_many_dossiers_some_are_looked_at_and_it_is_said(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    walked(engine, 9)
    monkeypatch.setattr(report_steps, "DOSSIERS", 4)
    steps = march(engine).steps
    assert set(steps.rows["passed"]) == {4}
    assert steps.words()["buoc_xu_ly"][0]["so_ho_so"] == "4/9"


# -- indices ---------------------------------------------------------------------------------------------------------------


def write_indices(folder: Path, *items: str) -> str:
    (folder / "chi-so.yaml").write_text("indices:\n" + "".join(f"  - {{{item}}}\n" for item in items), encoding="utf-8")
    return "chi-so.yaml"


def test_targets_are_reached_to_the_dossier(world: Engine, tmp_path: Path) -> None:
    common = "index: X, item: Y, measure: on_time_percent"
    file = write_indices(tmp_path, f"{common}, target: 50", f"{common}, target: 50.01", f"{common}, target: 100")
    one, two, three = october(world, tmp_path, indices_file=file).indices.items
    # Four ended with a due date, two of them in time: 50 % and not a hair more.
    assert [item.percent for item in (one, two, three)] == [Decimal("50.00")] * 3
    assert [item.result for item in (one, two, three)] == ["Đạt", "Chưa đạt", "Chưa đạt"]
    assert [item.missing for item in (one, two, three)] == [
        "",
        "thiếu 1 hồ sơ đúng hạn để đạt",
        "thiếu 2 hồ sơ đúng hạn để đạt",
    ]


def test_targets_without_data_are_not_counted_as_reached(world: Engine, tmp_path: Path) -> None:
    file = write_indices(
        tmp_path,
        *(f"index: X, item: Y, measure: on_time_percent, target: {target}" for target in (50, 60, 70)),
        # Rules of index 766 were not applied in this world.
        "index: X, item: Z, measure: progress_766, target: 90",
    )
    found = october(world, tmp_path, indices_file=file)
    words = found.indices.words()
    counts = ("so_chi_so_chua_dat", "so_chi_so_co_so_lieu", "so_chi_so_khong_so_lieu")
    assert [words[name] for name in counts] == [2, 3, 1]
    assert words["co_chi_tieu"]
    [proposal] = [one for one in found.proposals.items if one.subject == "Chỉ tiêu chưa đạt"]
    assert proposal.text == "Đề nghị các cơ quan, đơn vị có giải pháp thực hiện 2 chỉ tiêu chưa đạt nêu tại Mục XI."
    assert roman(1 + SECTIONS.index(topic_indices.section)) == INDICES_SECTION


def test_until_the_office_sets_targets_nothing_is_judged(world: Engine) -> None:
    found = october(world)
    indices, words = found.indices, found.indices.words()
    assert {one.item.measure for one in indices.items} == {
        *("on_time_percent", "pending_in_time_percent", "online_percent"),
        *("progress_766", "petitions_on_time", "apology_share"),
    }
    assert not words["co_chi_tieu"] and words["so_chi_so_chua_dat"] == 0
    assert {(row["chi_tieu"], row["ket_qua"], row["con_thieu"]) for row in words["chi_so"]} == {(NOT_DECLARED, "", "")}
    [table] = indices.tables()
    assert table.rows["target_percent"].isna().all() and set(table.rows["result"]) == {NOT_DECLARED}
    assert "chưa khai báo chỉ tiêu" in table.notes[0]
    assert "Chỉ tiêu chưa đạt" not in [one.subject for one in found.proposals.items]
    by_measure = {one.item.measure: one for one in indices.items}
    assert by_measure["online_percent"].value == "86,67\N{NO-BREAK SPACE}%"
    # Rules of index 766 and of petitions were not applied in this world.
    assert by_measure["progress_766"].value.startswith("chưa tính")
    assert by_measure["petitions_on_time"].value.startswith("chưa tính")
    # A survey, and a share of what was received in a year, are not what is measured here.
    surveys = [one.item.item for one in indices.items if "SIPAS" in one.item.index or "PAR" in one.item.index]
    assert len(surveys) == 3 and all(item.endswith("số liệu liên quan (tham khảo)") for item in surveys)


def test_measures_are_those_of_the_audit_functions(engine: Engine) -> None:
    walked(engine, 3)
    take(
        engine,
        *many("1.2", 5, 1.6),
        record("p", kind="petition", submitted_at=MARCH.start, unit_code="H99.01"),
        at=APRIL,
    )
    judge(engine, APRIL, rules=load_packs(("core", "national", "petitions"), Path()), everything=True)
    by_measure = {one.item.measure: one for one in march(engine).indices.items}
    with engine.connect() as connection:
        [(received, on_time, score)] = connection.execute(
            text("SELECT total_received, total_on_time, score FROM audit.progress_766(:a, :b)"),
            {"a": MARCH.start, "b": MARCH.end},
        ).all()
    progress = by_measure["progress_766"].measured
    assert (progress.every, progress.good, progress.points) == (received, on_time, score)
    assert received == 8
    assert by_measure["progress_766"].value.endswith("/20 điểm)")
    assert by_measure["petitions_on_time"].measured.why == ""


@pytest.mark.parametrize(
    ("items", "said"),
    [
        (("index: X, item: Y, measure: ontime, target: 98",), r"chi-so\.yaml:2: .*'on_time_percent'"),
        (("index: X, item: Y, measure: online_percent, target: 98", "index: X, item: Y, measure: online_percent"),
         r"chi-so\.yaml:3: key 'indices\.1\.target' is missing"),
        (("index: X, item: Y, measure: online_percent, target: 101",), r"chi-so\.yaml:2: .*less than or equal to 100"),
    ],
)  # fmt: skip
def test_a_wrong_table_of_indices_is_told_with_its_line(
    world: Engine, tmp_path: Path, items: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        october(world, tmp_path, indices_file=write_indices(tmp_path, *items))


# -- proposals -------------------------------------------------------------------------------------------------------------


def test_proposals_say_what_the_figures_say_and_the_worst_first(engine: Engine) -> None:
    with engine.begin() as connection:
        seed(connection)
    proposals = october(engine).proposals
    subjects = [one.subject for one in proposals.items]
    assert subjects == [
        "Thiếu văn bản xin lỗi",
        "Hồ sơ đang giải quyết quá hạn",
        "Chưa xác định hạn",
    ]
    said = {one.subject: one.text for one in proposals.items}
    assert said["Hồ sơ đang giải quyết quá hạn"] == (
        "Đề nghị các cơ quan, đơn vị xử lý dứt điểm 3 hồ sơ đang giải quyết quá hạn (Chưa rõ đơn vị: 1 hồ sơ; Sở Xây dựng: 1 hồ "
        "sơ; Sở Y tế: 1 hồ sơ) trước ngày ……………."
    )
    assert "2 hồ sơ chưa xác định" in said["Chưa xác định hạn"]


def test_letters_and_bodies_consulted_are_those_of_the_section_about_causes(engine: Engine) -> None:
    delayed.play(engine)
    with engine.connect() as connection:
        report = build_report(connection, OCTOBER, delayed.NOW, delayed.CALENDAR, settings=ReportSettings())
    [causes] = [topic for topic in report.topics if isinstance(topic, Causes)]
    total, found = causes.apologies.total, gains_of(report)
    [share] = [one for one in found.indices.items if one.item.measure == "apology_share"]
    assert (share.measured.good, share.measured.every) == (total["sent"], total["owed"])
    said = {one.subject: one for one in found.proposals.items}
    letters = said["Thiếu văn bản xin lỗi"]
    assert letters.dossiers == total["missing"] > 0
    assert (
        f"{total['missing']} hồ sơ quá hạn chưa có văn bản xin lỗi (trong {total['owed']} hồ sơ xác định được)"
        in letters.text
    )
    # Three stories in which another body answered after its deadline.
    assert said["Trả lời ý kiến chậm"].dossiers == 3
    assert "Phường Mẫu Một: 2 hồ sơ; Thuế Mẫu: 1 hồ sơ" in said["Trả lời ý kiến chậm"].text


def test_where_all_is_well_nothing_is_proposed(engine: Engine, tmp_path: Path) -> None:
    good = [one for one in WORLD if one.code in ("H99.01-261001-0007", "H99.01-261001-0008")]
    with engine.begin() as connection:
        seed(connection, good)
    file = write_indices(tmp_path, "index: X, item: Y, measure: on_time_percent, target: 98")
    found = october(engine, tmp_path, indices_file=file)
    assert found.proposals.words() == {"de_xuat": []}
    assert found.indices.items[0].result == "Đạt"


def test_an_empty_store_says_so_everywhere(engine: Engine) -> None:
    found = october(engine)
    assert [len(table.rows) for table in found.tables()] == [3, 0, 0, 0, 0, 7, 0]
    assert {one.value for one in found.indices.items} <= {
        "không có dữ liệu",
        "chưa tính: quy tắc của cách tính này chưa được áp dụng",
    }
    assert set(found.focus.groups["on_time_percent"]) == {None}
    assert found.proposals.items == ()


def test_names_with_markup_stay_text(engine: Engine) -> None:
    with engine.begin() as connection:
        seed(connection, [Dossier("x", "H99.01", "1.000001", at("2026-10-01"), at("2026-10-10"))])
        connection.execute(text("UPDATE tthc.units SET name = '=1+1 <b>&'"))
        connection.execute(text("UPDATE tthc.sectors SET name = NULL WHERE sector_code = 'H99-YT'"))
    found = october(engine)
    assert found.heads.ranked["unit"].tolist() == ["=1+1 <b>&"]
    assert "=1+1 <b>&: 1 hồ sơ" in found.proposals.items[0].text
