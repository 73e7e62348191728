"""The monthly report of a known world: the form adds up, the lists match it, and all outputs agree."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from openpyxl.worksheet.worksheet import Worksheet
from sqlalchemy import Engine, text

from tests.postgres.seed import CALENDAR, CALENDARS, EXPECTED, NOW, SCRAPED, WORLD, ZONE, Dossier, at, seed, snapshot_at
from tests.postgres.test_metrics import by_unit
from tthc_monitor.domain.errors import ConfigError, DeliveryError
from tthc_monitor.domain.periods import Period, calendar_month, nd09_month
from tthc_monitor.outputs.audience import Audience
from tthc_monitor.outputs.digest import build_digest
from tthc_monitor.outputs.digest_facts import read_digest_facts
from tthc_monitor.outputs.metrics import exposition
from tthc_monitor.outputs.report import MonthlyReport, build_report
from tthc_monitor.outputs.report_columns import COUNTS, form_checks, form_columns
from tthc_monitor.outputs.report_lists import NUMBERED
from tthc_monitor.outputs.report_xlsx import write_report
from tthc_monitor.report_settings import ReportSettings

OCTOBER = calendar_month("2026-10", ZONE)
NOVEMBER = calendar_month("2026-11", ZONE)
OFFICE = "Trung tâm Phục vụ hành chính công Tỉnh Mẫu"


def report_of(
    engine: Engine, period: Period = OCTOBER, now: datetime = NOW, units: list[str] | None = None
) -> MonthlyReport:
    with engine.connect() as connection:
        return build_report(connection, period, now, CALENDAR, settings=ReportSettings(office=OFFICE), units=units)


@pytest.fixture
def world(engine: Engine) -> Iterator[Engine]:
    with engine.begin() as connection:
        seed(connection)
    return engine


def counts_of(report: MonthlyReport, unit: str) -> dict[str, int]:
    return {name: int(report.figures.loc[report.figures["unit_code"] == unit, name].sum()) for name in COUNTS}


# -- figures --------------------------------------------------------------------------------------------------------


def test_october_of_one_unit_is_counted_by_hand(world: Engine) -> None:
    assert counts_of(report_of(world), "H99.01") == {
        "received_online": 9,  # 0001, 0003 to 0006, 0007, 0008, 0010, 0011
        "received_direct": 1,  # 0002
        "carried_over": 1,  # 0009; 0012 ended before October
        "finished_early": 1,  # 0007
        "finished_on_time": 1,  # 0008, on its due day
        "finished_late": 1,  # 0009
        "finished_unknown": 1,  # 0010
        "pending_in_time": 5,  # 0002, 0003, 0004, 0006, 0011 at midnight of 1 November
        "pending_overdue": 1,  # 0001
        "pending_unknown": 1,  # 0005
    }


def test_petitions_and_what_is_not_received_stay_out(world: Engine) -> None:
    report = report_of(world)
    expected = [d for d in WORLD if d.kind == "dossier" and d.received and d.received < OCTOBER.end]
    expected = [d for d in expected if d.finished is None or d.finished >= OCTOBER.start]
    assert form_columns(report.figures)[3].sum() == len(expected) == 17
    assert "PAKN-77" not in set(report.delayed["code"])


@pytest.mark.parametrize("period", [OCTOBER, NOVEMBER, nd09_month("2026-10", ZONE), nd09_month("2026-11", ZONE)])
def test_the_equalities_of_the_form_hold_in_every_row(world: Engine, period: Period) -> None:
    report = report_of(world, period)
    assert len(report.checks) == 5
    assert all(check.passed for check in report.checks), report.checks
    rows = form_columns(report.figures)
    assert len(rows) and rows[3].sum() > 0
    assert (rows[3] == rows[4] + rows[5] + rows[6]).all()
    assert (rows[7] == rows[8] + rows[9] + rows[10] + rows[14]).all()
    assert (rows[11] == rows[12] + rows[13] + rows[15]).all()
    assert (rows[3] == rows[7] + rows[11]).all()


def test_what_is_pending_goes_over_to_the_next_period(world: Engine) -> None:
    pending = form_columns(report_of(world).figures)[11].sum()
    assert form_columns(report_of(world, NOVEMBER).figures)[6].sum() == pending == 12


def test_a_broken_equality_is_told(world: Engine) -> None:
    figures = report_of(world).figures
    broken = figures.assign(pending_overdue=figures["pending_overdue"] + 1)
    third = form_checks(broken, figures)[3]
    assert (third.name, third.passed, third.failing_rows) == ("(3) = (7) + (11)", False, len(figures))
    swapped = figures.assign(
        carried_over=figures["carried_over"] + (figures.index == 0) - (figures.index == 1).astype(int)
    )
    first = form_checks(swapped, figures)[3]
    assert first.left == first.right and first.failing_rows == 2 and not first.passed


def test_delayed_dossiers_are_those_of_columns_10_and_13(world: Engine) -> None:
    report = report_of(world)
    rows = form_columns(report.figures)
    assert (report.delayed["verdict"] == "late").sum() == rows[10].sum() == 2
    assert (report.delayed["verdict"] == "open_overdue").sum() == rows[13].sum() == 3
    late = report.delayed.set_index("code")["working_days_late"].to_dict()
    assert late == {
        "H99.01-260920-0009": 4,  # Monday 12 to Friday 16 October
        "H99.01-261001-0001": 3,  # Tuesday 27 October to the end of the month, a Saturday
        "H99.02-260901-0001": 25,
        "H99.02-261006-0004": 1,
        "=H99-000001": 0,  # due on the last working day of the month
    }


def test_units_are_ranked_with_shares_of_known_denominators(world: Engine) -> None:
    units = report_of(world).units.set_index("unit_code")
    assert list(units.index) == ["H99.01", "H99.02", "", "H99.03", "H99.04"]
    assert units["late"].to_dict() == {"H99.01": 2, "H99.02": 2, "": 1, "H99.03": 0, "H99.04": 0}
    assert float(units["on_time_percent"]["H99.01"]) == 66.67
    assert pd.isna(units["on_time_percent"]["H99.04"])
    assert pd.isna(units["pending_in_time_percent"]["H99.03"])


@pytest.mark.parametrize(
    ("code", "numbered"),
    [
        ("'H99.02-261013-0003'", True),
        ("'eb75f271-81b8-4e11-9770-05600d529547'", False),
        ("'EB75F271-81B8-4E11-9770-05600D529547'", False),
        ("NULL", False),
    ],
)
def test_the_id_of_a_reception_is_no_number(world: Engine, code: str, numbered: bool) -> None:
    with world.connect() as connection:
        assert connection.scalar(text(f"SELECT {NUMBERED} FROM (SELECT {code}::text AS code) AS d")) is numbered


def test_sent_back_lists_returns_and_requests_of_the_period(world: Engine) -> None:
    october, november = report_of(world).sent_back, report_of(world, NOVEMBER).sent_back
    assert list(october["code"]) == ["H99.02-261012-0002", "H99.02-261013-0003"]
    assert list(october["still_waiting"]) == [True, False]
    assert list(november["code"]) == ["H99.01-261025-0011"]
    assert list(november["kind"]) == ["returned"]


def test_a_period_that_has_not_ended_is_clipped_to_now(world: Engine) -> None:
    report = report_of(world, NOVEMBER)
    assert (report.clipped, report.as_of) == (True, NOW)
    assert counts_of(report, "H99.01")["pending_overdue"] == EXPECTED["H99.01"].overdue
    assert not report_of(world).clipped


def test_one_units_report_has_its_rows_only(world: Engine) -> None:
    report = report_of(world, units=["H99.02"])
    assert set(report.figures["unit_code"]) == set(report.delayed["unit_code"]) == {"H99.02"}
    assert list(report.units["unit_code"]) == ["H99.02"]
    assert all(check.passed for check in report.checks)


def test_wrong_questions_are_refused(world: Engine) -> None:
    with pytest.raises(ConfigError, match="has not begun"):
        report_of(world, calendar_month("2026-12", ZONE))
    with pytest.raises(ConfigError, match=r"H99\.77"):
        report_of(world, units=["H99.01", "H99.77"])


# -- agreement ------------------------------------------------------------------------------------------------------


def test_metrics_digest_report_and_the_auditors_query_give_the_same_overdue_number(world: Engine) -> None:
    with world.begin() as connection:
        snapshot_at(connection)
        facts = read_digest_facts(connection, NOW, CALENDARS)
        query = text(
            "SELECT coalesce(unit_code, ''), count(*) FROM audit.verdicts_as_of(:now)"
            " WHERE verdict = 'open_overdue' AND kind = 'dossier' GROUP BY 1"
        )
        audited = dict(connection.execute(query, {"now": NOW}).all())
    scraped = {
        u.replace("unknown", ""): int(n)
        for u, n in by_unit(exposition(world, SCRAPED), "tthc_dossiers_overdue").items()
        if n
    }
    digests = {unit: build_digest(facts, Audience(frozenset({unit}))).counts["overdue"] for unit in EXPECTED}
    report = report_of(world, NOVEMBER)
    reported = {unit: counts_of(report, unit)["pending_overdue"] for unit in EXPECTED}
    by_hand = {unit: expected.overdue for unit, expected in EXPECTED.items()}
    assert digests == reported == by_hand
    assert audited == scraped == {unit: count for unit, count in by_hand.items() if count}
    assert len(audited) == 3


# -- the workbook ---------------------------------------------------------------------------------------------------


@pytest.fixture
def workbook(world: Engine, tmp_path: Path) -> openpyxl.Workbook:
    return openpyxl.load_workbook(write_report(report_of(world), tmp_path / "new" / "bao-cao.xlsx"))


def texts(sheet: Worksheet) -> list[str]:
    return [cell.value for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str)]


def row_with(sheet: Worksheet, label: str, column: int = 2) -> list[Any]:
    for row in sheet.iter_rows(values_only=True):
        if row[column - 1] == label:
            return list(row)
    raise AssertionError(f"{label} not found")


def test_the_form_has_its_heading_its_columns_and_its_totals(workbook: openpyxl.Workbook) -> None:
    first = ["II.06a", "Biểu đồ", "Theo đơn vị", "Theo lĩnh vực", "Theo thủ tục", "Hồ sơ quá hạn", "Trả lại, bổ sung"]
    assert workbook.sheetnames[: len(first)] == first
    sheet = workbook["II.06a"]
    found = texts(sheet)
    assert f"Đơn vị báo cáo: {OFFICE}" in found
    assert "Kỳ báo cáo: tháng 10 năm 2026 (Từ ngày 01/10/2026 đến ngày 31/10/2026)" in found
    assert "Đơn vị tính: Số hồ sơ TTHC" in found
    assert row_with(sheet, "(2)") == [f"({number})" for number in range(1, 16)]
    assert row_with(sheet, "Sở Xây dựng")[2:] == [11, 9, 1, 1, 4, 1, 1, 1, 7, 5, 1, 1, 1]
    assert row_with(sheet, "TỔNG CỘNG")[2] == 17
    assert not any("Số liệu tính đến" in value for value in found)


def test_totals_of_the_form_are_the_sums_of_its_units_and_of_its_sectors(workbook: openpyxl.Workbook) -> None:
    sheet = workbook["II.06a"]
    rows = [list(row) for row in sheet.iter_rows(min_row=11, values_only=True)]
    total = next(row for row in rows if row[1] == "TỔNG CỘNG")
    body = rows[: rows.index(total)]
    units = [row for row in body if not str(row[0]).isdigit()]
    sectors = [row for row in body if str(row[0]).isdigit()]
    for column in range(2, 15):
        assert sum(row[column] for row in units) == sum(row[column] for row in sectors) == total[column]


def test_the_checks_and_the_mapping_are_printed_under_the_table(workbook: openpyxl.Workbook) -> None:
    sheet = workbook["II.06a"]
    for name in ("(3) = (4) + (5) + (6)", "(3) = (7) + (11)", "(6) kỳ này = (11) kỳ trước"):
        assert row_with(sheet, name)[4] == "ĐẠT"
    assert any("đang chờ công dân bổ sung" in value for value in texts(sheet))


def test_a_check_that_fails_is_printed_as_failing(world: Engine, tmp_path: Path) -> None:
    report = report_of(world)
    figures = report.figures.assign(pending_overdue=report.figures["pending_overdue"] + 1)
    broken = replace(report, figures=figures, checks=form_checks(figures, figures))
    sheet = openpyxl.load_workbook(write_report(broken, tmp_path / "r.xlsx"))["II.06a"]
    assert row_with(sheet, "(3) = (7) + (11)")[4] == f"KHÔNG ĐẠT ({len(figures)} dòng)"


def test_a_clipped_period_says_so_on_every_sheet(world: Engine, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(write_report(report_of(world, NOVEMBER), tmp_path / "r.xlsx"))
    for sheet in book.worksheets:
        assert any("Số liệu tính đến 10 giờ 00 ngày 03/11/2026" in value for value in texts(sheet))


def test_a_code_that_looks_like_a_formula_stays_text(workbook: openpyxl.Workbook) -> None:
    cell = next(c for c in workbook["Hồ sơ quá hạn"]["D"] if str(c.value).startswith("="))
    assert (cell.value, cell.data_type) == ("=H99-000001", "s")
    assert cell.quotePrefix, "or it would become a formula when its cell is edited"


@pytest.mark.parametrize("code", ["=1+1", "+1", "-1", "@SUM(A1)", "0012", "http://x.vn", "\x01a", "'"])
def test_any_code_comes_back_as_it_was(engine: Engine, tmp_path: Path, code: str) -> None:
    with engine.begin() as connection:
        seed(connection, [Dossier(code, "H99.01", "1.000001", at("2026-10-01"), at("2026-10-05"))])
    book = openpyxl.load_workbook(write_report(report_of(engine), tmp_path / "r.xlsx"))
    cell = book["Hồ sơ quá hạn"]["D5"]
    assert cell.data_type == "s"
    assert cell.value in (code, code.replace("\x01", "_x0001_"))


def test_dates_are_dates_in_local_time(workbook: openpyxl.Workbook) -> None:
    row = row_with(workbook["Hồ sơ quá hạn"], "H99.01-260920-0009", column=4)
    assert row[5:9] == [datetime(2026, 9, 20, 8), datetime(2026, 10, 12, 17), datetime(2026, 10, 16, 8), 4]


def test_a_share_of_nothing_reads_no_data(workbook: openpyxl.Workbook) -> None:
    sheet = workbook["Theo đơn vị"]
    assert row_with(sheet, "Xã Mẫu Hai")[8] == "không có dữ liệu"
    assert row_with(sheet, "Sở Xây dựng")[4:9] == [2, 40, 3, 1, 66.67]


def test_sheets_are_set_up_for_reading_and_for_paper(workbook: openpyxl.Workbook) -> None:
    for sheet in workbook.worksheets:
        assert sheet.freeze_panes
        assert (sheet.page_setup.orientation, str(sheet.page_setup.paperSize)) == ("landscape", "9")
        assert sheet.sheet_properties.pageSetUpPr.fitToPage and sheet.page_setup.fitToHeight == 0
        fonts = {cell.font.name for row in sheet.iter_rows() for cell in row if cell.value is not None}
        assert fonts == {"Times New Roman"}
        assert sheet.print_title_rows
    assert workbook["Hồ sơ quá hạn"].auto_filter.ref == "A4:P9"


def test_an_empty_store_gives_a_report_that_says_there_is_nothing(engine: Engine, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(write_report(report_of(engine), tmp_path / "r.xlsx"))
    assert row_with(book["II.06a"], "TỔNG CỘNG")[2:] == [0] * 13
    assert "Không có." in texts(book["Hồ sơ quá hạn"])


def test_the_file_appears_whole_or_not_at_all(world: Engine, tmp_path: Path) -> None:
    path = tmp_path / "r.xlsx"
    path.write_text("old")
    write_report(report_of(world), path)
    assert openpyxl.load_workbook(path).sheetnames
    assert [p.name for p in tmp_path.iterdir()] == ["r.xlsx"]
    path.unlink()
    path.mkdir()
    with pytest.raises(DeliveryError, match="cannot be written"):
        write_report(report_of(world), path)
    assert [p.name for p in tmp_path.iterdir()] == ["r.xlsx"]


def test_a_dossier_of_the_last_century_does_not_stop_the_workbook(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        seed(connection, [Dossier("A", "H99.01", "1.000001", at("2026-10-01"), at("1899-01-01") + timedelta(days=1))])
    book = openpyxl.load_workbook(write_report(report_of(engine), tmp_path / "r.xlsx"))
    assert book["Hồ sơ quá hạn"]["G5"].data_type == "s"
