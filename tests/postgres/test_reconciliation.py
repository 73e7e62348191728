"""Published figures against ours: what another way of counting explains, dossier by dossier, and what is left over."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from rules.loader import load_packs
from tests.postgres.test_ledger import query
from tests.postgres.test_national_verdicts import APRIL, DAY, DUE, MARCH, RECEIVED, TABLE, Dossier, seed
from tests.postgres.test_report import CALENDAR, OFFICE
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.periods import Period, calendar_month
from tthc_monitor.domain.published import PublishedRow
from tthc_monitor.outputs.reconciliation_tables import OF_SOURCE
from tthc_monitor.outputs.report import MonthlyReport, build_report
from tthc_monitor.outputs.report_csv import write_tables
from tthc_monitor.outputs.report_own_tables import report_tables
from tthc_monitor.outputs.report_reconciliation import Reconciliation
from tthc_monitor.outputs.report_xlsx import write_report
from tthc_monitor.report_settings import ReportSettings
from tthc_monitor.store.database import transaction
from tthc_monitor.store.published import read_imports, save_published

PERIOD = calendar_month("2026-03", "UTC")
NOW = APRIL + DAY
PORTAL = "Cổng DVCQG"
TWICE = {"asked": RECEIVED + DAY, "answered": RECEIVED + 2 * DAY, "count": 2}

WORLD = (
    # Sở Một: asked twice and on time by the promise, late by index 766; one late by both; three on time by both.
    *(Dossier(ended=DUE, status=9, source_verdict="on_time") for _ in range(3)),
    Dossier(ended=DUE + DAY, status=9, source_verdict="late"),
    Dossier(ended=DUE - DAY, status=9, **TWICE),
    # Sở Hai: its own system calls a late one timely; one is open and overdue.
    Dossier(ended=DUE + DAY, status=9, source_verdict="on_time", unit="H99.02"),
    Dossier(unit="H99.02", source_verdict="late"),
    # An office below Sở Hai.
    Dossier(ended=DUE, status=9, unit="H99.02.1"),
    # Nobody publishes anything of it.
    Dossier(ended=DUE, status=9, unit="H99.03"),
)


def published(
    unit: str, received: int, on_time: int, overdue: int, parent: str | None = None, **more: Any
) -> PublishedRow:
    counts = {"total_received": received, "total_on_time": on_time, "total_overdue": overdue}
    return PublishedRow(f"dòng {unit}", unit, None, parent, more.get("sector"), counts, more.get("decimals", {}))


PORTAL_ROWS = (
    published("H99.01", 5, 3, 2, decimals={"ratio_percent": "60.00", "score": "12.00"}),
    published("H99.02", 3, 0, 3),
    published("H99.02.1", 1, 1, 0, parent="H99.02"),
    published("H99.77", 4, 4, 0),
)


def keep(engine: Engine, *rows: PublishedRow, period: Period = PERIOD, **changes: Any) -> int:
    told = {"publisher": PORTAL, "counted_by": "national_766", "index_source": "", "file": "x.csv", "content": b"x"}
    with transaction(engine) as connection:
        return save_published(connection, rows, period, **(told | {"by": "Trần Thị B", "now": NOW} | changes))


def report_of(engine: Engine, units: list[str] | None = None, now: datetime = NOW) -> MonthlyReport:
    with engine.connect() as connection:
        settings = ReportSettings(office=OFFICE)
        return build_report(connection, PERIOD, now, CALENDAR, settings=settings, units=units)


def found(engine: Engine, units: list[str] | None = None, now: datetime = NOW) -> Reconciliation:
    report = report_of(engine, units, now)
    (topic,) = [topic for topic in report.topics if isinstance(topic, Reconciliation)]
    return topic


def row(topic: Reconciliation, unit: str, figure: str, publisher: str = PORTAL) -> dict[str, Any]:
    rows = topic.rows
    (one,) = rows[(rows["unit_code"] == unit) & (rows["figure"] == figure) & (rows["publisher"] == publisher)].to_dict(
        "records"
    )
    return {str(name): None if pd.isna(value) else value for name, value in one.items()}


@pytest.fixture
def world(engine: Engine) -> Iterator[Engine]:
    seed(engine, *WORLD)
    with transaction(engine) as connection:
        connection.execute(
            text(
                "INSERT INTO tthc.units SELECT DISTINCT unit_code, NULL, now() FROM tthc.dossiers ON CONFLICT DO NOTHING"
            )
        )
    return engine


# -- the dossiers that are judged differently -----------------------------------------------------------------------


@pytest.mark.parametrize("waiting", [False, True])
def test_the_quick_way_says_of_each_dossier_what_the_slow_one_says(engine: Engine, waiting: bool) -> None:
    seed(engine, *(dossier for dossier, _, _ in TABLE), *WORLD)
    if waiting:
        with transaction(engine) as connection:
            connection.execute(
                text(
                    "INSERT INTO tthc.pull_runs (source_id, started_at, outcome) VALUES (1, :at, 'ok');"
                    "INSERT INTO tthc.observation_batches (run_id, source_id, seen_at, first_observation_id,"
                    " last_observation_id, row_count, rows_hash, previous_hash, chain_hash)"
                    " VALUES (1, 1, :at, 3, 5, 3, '', '', ''); INSERT INTO tthc.pending_evaluations VALUES (1)"
                ),
                {"at": RECEIVED},
            )
    columns = "dossier_id, unit_code, procedure_code, official, national_766, opencps, source_verdict, reasons"
    periods = ((MARCH, APRIL), (DUE, APRIL), (RECEIVED, DUE + timedelta(hours=1)))
    for (start, end), unit in product(periods, (None, "H99.01", "H99.02")):
        old = query(
            engine,
            f"SELECT v.{columns.replace(', ', ', v.')} FROM audit.verdict_differences(CAST(:end AS timestamptz) - interval "
            "'1 microsecond') v JOIN audit.dossiers d USING (dossier_id) WHERE (d.ended_at IS NULL OR "
            "greatest(d.ended_at, d.received_at) >= :start) AND (CAST(:unit AS text) IS NULL OR v.unit_code = :unit) ORDER BY 1",
            start=start,
            end=end,
            unit=unit,
        )
        new = query(
            engine,
            f"SELECT {columns} FROM audit.period_differences(:start, :end, CAST(:units AS text[])) ORDER BY 1",
            start=start,
            end=end,
            units=None if unit is None else [unit],
        )
        assert new == old
        assert old or unit == "H99.02"


def test_without_the_national_rules_it_is_said_and_not_guessed(engine: Engine) -> None:
    seed(engine, Dossier(ended=DUE + DAY, status=9), rules=load_packs(("core",), Path()))
    with pytest.raises(DBAPIError, match="no rule of kind"):
        query(engine, "SELECT * FROM audit.period_differences(:a, :b)", a=MARCH, b=APRIL)
    assert query(engine, "SELECT audit.system_applied('national_766'), audit.system_applied('official')") == [
        (False, True)
    ]
    keep(engine, published("H99.01", 1, 1, 0))
    topic = found(engine)
    assert (topic.applied, topic.count) == (False, 0)
    assert row(topic, "H99.01", "total_overdue")["unexplained"] == -1
    assert any("Chưa áp dụng bộ quy tắc" in note for note in topic.tables()[0].notes)


# -- published figures ----------------------------------------------------------------------------------------------


def test_a_difference_is_what_dossiers_explain_and_what_they_do_not(world: Engine) -> None:
    keep(world, *PORTAL_ROWS)
    topic = found(world)
    one = row(topic, "H99.01", "total_overdue")
    # The portal's second overdue dossier is the one that was asked twice: nothing is left to explain.
    assert (one["published"], one["official"], one["explained"], one["recomputed"], one["unexplained"]) == (
        2,
        1,
        1,
        2,
        0,
    )
    assert (one["difference"], one["remark"]) == (1, "Số công bố cao hơn")
    # H99.02 publishes for the office below it, too; one overdue dossier nobody can explain.
    below = row(topic, "H99.02", "total_overdue")
    assert (below["published"], below["official"], below["explained"], below["unexplained"]) == (3, 2, 0, 1)
    assert below["unexplained_percent"] == 33.33
    assert below["remark"] == "Số công bố cao hơn; chưa giải thích được +1"
    assert row(topic, "H99.02", "total_received")["remark"] == "Khớp"
    assert row(topic, "H99.77", "total_received")["remark"] == "Chỉ có trong số liệu công bố"
    alone = row(topic, "H99.03", "total_received")
    assert (alone["published"], alone["official"], alone["remark"]) == (None, 1, "Chỉ có trong hệ thống này")


def test_what_is_recomputed_is_what_auditors_count_by_index_766(world: Engine) -> None:
    units = ("H99.01", "H99.02", "H99.02.1", "H99.03")
    keep(world, *(published(unit, 1, 1, 1) for unit in units))
    topic = found(world)
    for unit, received, on_time, overdue in query(
        world,
        "SELECT unit_code, total_received, total_on_time, total_overdue FROM audit.progress_766(:a, :b)",
        a=MARCH,
        b=APRIL,
    ):
        for figure, value in (("total_received", received), ("total_on_time", on_time), ("total_overdue", overdue)):
            assert row(topic, unit, figure)["recomputed"] == value, (unit, figure)
    for one in topic.rows.to_dict("records"):
        assert one["difference"] == one["explained"] + one["unexplained"]


def test_a_system_that_counts_by_the_form_is_explained_by_its_own_opinion(world: Engine) -> None:
    counts = {"finished_late": 0, "pending_overdue": 1, "finished_total": 1, "total_overdue": 1}
    keep(world, PublishedRow("x", "H99.02", None, None, None, counts, {}), publisher="Một cửa", counted_by="ii06a")
    topic = found(world)
    late = row(topic, "H99.02", "finished_late", "Một cửa")
    assert (late["official"], late["explained"], late["recomputed"], late["unexplained"]) == (1, -1, 0, 0)
    assert row(topic, "H99.02", "pending_overdue", "Một cửa")["remark"] == "Khớp"
    assert row(topic, "H99.02", "finished_total", "Một cửa")["remark"] == "Khớp"
    assert row(topic, "H99.02", "total_overdue", "Một cửa")["unexplained"] == 0


def test_a_sector_is_compared_by_itself(world: Engine) -> None:
    with transaction(world) as connection:
        connection.execute(text("UPDATE tthc.dossiers SET sector_code = 'XD' WHERE dossier_id IN (1, 4, 5)"))
    keep(world, published("H99.01", 3, 1, 2, sector="XD"), published("H99.01", 5, 3, 2))
    topic = found(world)
    rows = topic.rows[(topic.rows["unit_code"] == "H99.01") & (topic.rows["figure"] == "total_overdue")]
    assert rows["sector_code"].tolist() == [None, "XD"]
    assert rows[["official", "explained", "unexplained"]].values.tolist() == [[1, 1, 0], [1, 1, 0]]
    assert {source["so_don_vi"] for source in topic.words()["doi_soat_nguon"]} == {1}


def test_units_that_were_chosen_limit_both_sides(world: Engine) -> None:
    keep(world, *PORTAL_ROWS)
    topic = found(world, units=["H99.01"])
    assert set(topic.rows["unit_code"]) == set(topic.dossiers["unit_code"]) == {"H99.01"}


# -- tables and words -----------------------------------------------------------------------------------------------


def test_without_an_import_the_differing_dossiers_stand_all_the_same(world: Engine) -> None:
    topic = found(world)
    figures, scores, reasons, dossiers = topic.tables()
    assert (len(figures.rows), figures.empty) == (0, "Chưa nhập số liệu công bố của kỳ này.")
    assert len(scores.rows) == 0
    assert topic.words()["doi_soat_da_nhap"] is False
    assert len(dossiers.rows) == topic.count == 2  # asked twice; late, and called timely by its own system
    assert reasons.rows["dossiers"].sum() >= topic.count
    assert all("\n" not in text_ for text_ in dossiers.rows["why"])


def test_a_source_is_not_held_to_what_it_says_after_the_period(engine: Engine) -> None:
    seed(
        engine,
        # Due after the period, and late by today's opinion: no difference at its end.
        Dossier(due=APRIL + DAY, source_verdict="late"),
        Dossier(due=APRIL + DAY, ended=APRIL + 2 * DAY, status=9, source_verdict="late"),
        # Went on at the end of the period, and judged otherwise by a way of counting: its end is not known yet.
        Dossier(asked=DUE + DAY, status=9, ended=APRIL + DAY, answered=APRIL + DAY, source_verdict="on_time"),
        # Ended within the period: the last word of its source counts.
        Dossier(ended=DUE, status=9, source_verdict="late"),
    )
    topic = found(engine, now=APRIL + 5 * DAY)
    told = topic.dossiers.set_index("dossier_id")
    assert told["reasons"].to_dict() == {3: "waiting", 4: "source_opinion"}
    assert pd.isna(told["ended_at"][3]) and told["source_verdict"][3] is None
    assert told["ended_at"][4] == DUE
    assert topic.words()["doi_soat_so_ho_so"] == 2
    assert OF_SOURCE in topic.tables()[3].notes and topic.words()["doi_soat_ghi_chu_nguon"] == OF_SOURCE


def test_a_unit_that_nobody_published_is_said_so_and_an_unknown_one_is_named(world: Engine) -> None:
    keep(world, *PORTAL_ROWS)
    topic = found(world, units=["H99.03"])
    assert [source["so_don_vi"] for source in topic.words()["doi_soat_nguon"]] == [0]
    assert topic.tables()[0].empty == "Chưa có số liệu công bố của đơn vị này."
    assert topic.words()["doi_soat_luu_y"] == []
    (caution,) = found(world).words()["doi_soat_luu_y"]
    assert "đơn vị không có trong danh mục: H99.77;" in caution


def test_codes_for_programs_are_not_on_sheets(world: Engine, tmp_path: Path) -> None:
    keep(world, *PORTAL_ROWS)
    report = report_of(world)
    book = openpyxl.load_workbook(write_report(report, tmp_path / "r.xlsx"))
    for name in ("Đối soát", "Lý do khác kết luận", "Hồ sơ khác kết luận"):
        cells = [value for row in book[name].iter_rows(values_only=True) for value in row if isinstance(value, str)]
        assert "Mã đơn vị" in cells or name == "Hồ sơ khác kết luận"
        assert not [value for value in cells if "_" in value or value in ("Mã lý do", "Mã chỉ tiêu")], name
    written = write_tables(report_tables(report), tmp_path / "csv", "UTC")
    (path,) = [one for one in written if one.name == "reconciliation-reasons.csv"]
    assert "second_supplement" in path.read_text(encoding="utf-8-sig")


def test_tables_hold_the_columns_they_name(world: Engine) -> None:
    keep(world, *PORTAL_ROWS)
    topic = found(world)
    tables = topic.tables()
    assert [table.key for table in tables] == [
        *("reconciliation", "reconciliation-scores", "reconciliation-reasons", "reconciliation-differences")
    ]
    for table in tables:
        assert list(table.rows.columns) == [column.name for column in table.columns]
        assert len(table.sheet) <= 31
    scores = tables[1].rows.set_index("unit_code")
    assert (float(scores["published_score"]["H99.01"]), scores["our_score"]["H99.01"]) == (12.0, 12.0)


def test_the_words_sum_up_what_no_other_unit_includes(world: Engine) -> None:
    keep(world, *PORTAL_ROWS)
    words = found(world).words()
    (source,) = words["doi_soat_nguon"]
    assert (source["so_don_vi"], source["so_lech"], source["chi_cong_bo"], source["chi_he_thong"]) == (4, 2, 1, 1)
    overdue = next(figure for figure in source["chi_tieu"] if figure["ten"].startswith("Quá hạn"))
    assert (overdue["cong_bo"], overdue["he_thong"], overdue["giai_thich"]) == (5, 3, "+1")
    assert overdue["chua_giai_thich"] == "+1"
    assert [unit["ten"] for unit in words["doi_soat_don_vi"]] == ["H99.01", "H99.02"]


def test_another_generation_of_the_portal_is_no_series(world: Engine) -> None:
    keep(world, published("H99.01", 5, 3, 2), period=calendar_month("2026-02", "UTC"), index_source="cổng cũ")
    keep(world, published("H99.01", 5, 3, 2), index_source="cổng của Bộ Công an")
    (caution,) = found(world).words()["doi_soat_luu_y"]
    assert "cổng của Bộ Công an" in caution and "cổng cũ" in caution and "không so sánh" in caution


# -- keeping --------------------------------------------------------------------------------------------------------


def test_importing_again_is_a_new_version_and_both_are_kept(world: Engine) -> None:
    assert keep(world, published("H99.01", 9, 9, 0)) == 1
    assert keep(world, published("H99.01", 5, 3, 2), by="Lê Văn C") == 2
    assert row(found(world), "H99.01", "total_received")["published"] == 5
    with transaction(world) as connection:
        told = [(one.version, one.in_force, one.imported_by, one.rows) for one in read_imports(connection)]
    assert told == [(2, True, "Lê Văn C", 1), (1, False, "Trần Thị B", 1)]
    assert query(world, "SELECT total_received FROM audit.published_figures ORDER BY version") == [9, 5]


def test_other_publishers_and_periods_stand_beside(world: Engine) -> None:
    assert keep(world, published("H99.01", 9, 9, 0)) == 1
    assert keep(world, published("H99.01", 9, 9, 0), publisher="EMC") == 1
    assert keep(world, published("H99.01", 9, 9, 0), period=calendar_month("2026-02", "UTC")) == 1
    assert set(found(world).imports["publisher"]) == {PORTAL, "EMC"}


def test_somebody_publishes_and_somebody_imports(world: Engine) -> None:
    for nobody in ({"by": " "}, {"publisher": "  "}, {"publisher": "x" * 300}):
        with pytest.raises(ConfigError, match=r"--by|--source"):
            keep(world, published("H99.01", 9, 9, 0), **nobody)
    assert query(world, "SELECT count(*) FROM audit.published_imports") == [0]


def test_what_was_imported_cannot_be_changed(world: Engine) -> None:
    keep(world, published("H99.01", 9, 9, 0))
    changes = ("UPDATE tthc.{0} SET {1} = {1}", "DELETE FROM tthc.{0}", "TRUNCATE tthc.{0} CASCADE")
    for change, (table, column) in product(changes, (("published_imports", "month"), ("published_figures", "place"))):
        with pytest.raises(DBAPIError, match="append-only"), world.begin() as connection:
            connection.execute(text(change.format(table, column)))


def test_nothing_is_added_to_an_import(world: Engine) -> None:
    keep(world, published("H99.01", 9, 9, 0))
    with pytest.raises(DBAPIError, match="an import is kept whole"), world.begin() as connection:
        connection.execute(
            text("INSERT INTO tthc.published_figures (published_import_id, place, unit_code) VALUES (1, 'x', 'y')")
        )
