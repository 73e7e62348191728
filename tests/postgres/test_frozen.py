"""A month that is frozen keeps its figures whatever is learnt later, and lists exactly what differs."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from tests.postgres.seed import ZONE, at
from tests.postgres.test_evaluate import CORE, judge
from tests.postgres.test_ledger import query, record, take
from tests.postgres.test_report import report_of, row_with, texts
from tthc_monitor.domain.errors import ConfigError, DatabaseError, TthcError
from tthc_monitor.domain.periods import Period, calendar_month, nd09_month
from tthc_monitor.outputs.report import MonthlyReport
from tthc_monitor.outputs.report_columns import CARRIED_OVER, COUNTS, form_columns
from tthc_monitor.outputs.report_xlsx import write_report
from tthc_monitor.store.database import transaction
from tthc_monitor.store.frozen import Erratum, Frozen, freeze, read_errata, read_frozen

MARCH, APRIL = calendar_month("2026-03", ZONE), calendar_month("2026-04", ZONE)
FROZEN_AT = at("2026-04-02", "09:30")
LATER = at("2026-05-04", "10:00")
WHO = "Trần Thị B"


def dossier(key: str, unit: str | None, due: datetime, **fields: Any) -> dict[str, Any]:
    told = {"code": key, "unit_code": unit, "due_current": due, "due_original": due, "channel": "online"}
    procedure = {"procedure_code": "1.000001", "procedure_name": "Cấp giấy phép", "sector_code": "XD"}
    return record(key, **(procedure | told | fields))


NAMES = {"H99.01": "Sở Xây dựng", "H99.02": "Sở Y tế", "H99.03": "Xã Mẫu"}
OPEN = dossier("a", "H99.01", at("2026-03-10", "17:00"), unit_name=NAMES["H99.01"])
TIMELY = dossier("b", "H99.01", at("2026-03-10", "17:00"), status=9, finished_at=at("2026-03-10", "16:00"))
MOVED = dossier("c", "H99.02", at("2026-04-20", "17:00"), unit_name=NAMES["H99.02"])
HELD = dossier("d", None, at("2026-03-12", "17:00"))
PETITION = record("e", kind="petition", unit_code="H99.01", due_current=at("2026-03-20"), channel="online")
MARCH_ROWS = (OPEN, TIMELY, MOVED, HELD, PETITION)


@pytest.fixture
def march(engine: Engine) -> Iterator[Engine]:
    """March as it was known when it was frozen."""
    take(engine, *MARCH_ROWS, at=at("2026-03-30"))
    judge(engine, at("2026-04-01"))
    return engine


def learn_more(engine: Engine) -> None:
    """What the source tells in April about March: an end claimed for before, another unit, a dossier never seen."""
    take(
        engine,
        OPEN | {"status": 9, "finished_at": at("2026-03-09", "16:00")},
        TIMELY,
        MOVED | {"unit_code": "H99.03", "unit_name": NAMES["H99.03"]},
        HELD,
        PETITION,
        dossier("f", "H99.03", at("2026-05-29", "17:00"), received_at=at("2026-03-20"), channel="direct"),
        at=at("2026-04-15"),
    )
    judge(engine, at("2026-04-15"))


DIFFERENCES = {
    ("H99.01", "finished_early", 0, 1),
    ("H99.01", "pending_overdue", 1, 0),
    ("H99.02", "received_online", 1, 0),
    ("H99.02", "pending_in_time", 1, 0),
    ("H99.03", "received_online", 0, 1),
    ("H99.03", "received_direct", 0, 1),
    ("H99.03", "pending_in_time", 0, 2),
}


def froze(engine: Engine, period: Period = MARCH, person: str = WHO, now: datetime = FROZEN_AT) -> int:
    with transaction(engine) as connection:
        return freeze(connection, period, person, now)


def errata(engine: Engine, period: Period = MARCH, **chosen: Any) -> tuple[Erratum, ...]:
    with transaction(engine) as connection:
        return read_errata(connection, period, **chosen)


def told(found: tuple[Erratum, ...]) -> set[tuple[str, str, int, int]]:
    assert all(one.frozen != one.now for one in found)
    listed = {(one.unit_code, one.figure, one.frozen, one.now) for one in found}
    assert len(listed) == len(found)
    return listed


def figures(engine: Engine, function: str, period: Period = MARCH) -> dict[tuple[str | None, ...], dict[str, int]]:
    """What a function of schema audit gives for a period, by unit, procedure, sector and kind."""
    rows = query(
        engine,
        f"SELECT unit_code, procedure_code, sector_code, kind, {', '.join(COUNTS)} "
        f"FROM audit.{function}(:start, :end, :zone)",
        start=period.start,
        end=period.end,
        zone=period.zone,
    )
    found = {tuple(row[:4]): dict(zip(COUNTS, row[4:], strict=True)) for row in rows}
    assert len(found) == len(rows)
    return found


def later(engine: Engine, period: Period = MARCH, **chosen: Any) -> MonthlyReport:
    return report_of(engine, period, LATER, **chosen)


# -- figures and errata ---------------------------------------------------------------------------------------------


def test_what_is_reported_of_a_month_is_counted_until_it_is_frozen_and_stands_from_then_on(march: Engine) -> None:
    before = figures(march, "figures")
    assert figures(march, "reported_figures") == before
    assert before["H99.01", "1.000001", "XD", "dossier"]["pending_overdue"] == 1
    assert froze(march) == len(before) == 4
    assert figures(march, "reported_figures") == before
    assert errata(march) == ()
    learn_more(march)
    assert figures(march, "reported_figures") == before != figures(march, "figures")


def test_errata_are_exactly_what_late_observations_changed(march: Engine) -> None:
    froze(march)
    learn_more(march)
    found = errata(march)
    assert told(found) == DIFFERENCES
    assert {(one.procedure_code, one.procedure_name, one.sector_code, one.kind) for one in found} == {
        ("1.000001", "Cấp giấy phép", "XD", "dossier")
    }
    assert {one.unit_code: one.unit_name for one in found} == NAMES
    assert told(errata(march, units=["H99.02"])) == {one for one in DIFFERENCES if one[0] == "H99.02"}
    assert errata(march, kind="petition") == ()


def test_frozen_figures_and_errata_sum_up_to_the_figures_of_now(march: Engine) -> None:
    froze(march)
    learn_more(march)
    corrected = figures(march, "reported_figures")
    for one in errata(march):
        key = (one.unit_code, one.procedure_code, one.sector_code, one.kind)
        row = corrected.setdefault(key, dict.fromkeys(COUNTS, 0))
        assert row[one.figure] == one.frozen
        row[one.figure] = one.now
    assert {key: row for key, row in corrected.items() if any(row.values())} == figures(march, "figures")


def test_a_recompute_by_other_rules_leaves_the_frozen_month_and_shows_as_errata(march: Engine) -> None:
    froze(march)
    kept = later(march).figures
    judge(march, at("2026-04-10"), rules=[rule for rule in CORE if rule.code != "overdue"])
    expected = [
        (kind, unit, figure, *counts)
        for kind, unit in (("dossier", "H99.01"), ("petition", "H99.01"), ("dossier", ""))
        for figure, *counts in (("pending_in_time", 0, 1), ("pending_overdue", 1, 0))
    ]
    assert [(one.kind, one.unit_code, one.figure, one.frozen, one.now) for one in errata(march)] == expected
    report = later(march)
    pd.testing.assert_frame_equal(report.figures, kept)
    assert {one.kind for one in report.errata} == {"dossier"}


def test_only_the_very_period_is_frozen(march: Engine) -> None:
    froze(march)
    learn_more(march)
    law = nd09_month("2026-04", ZONE)
    for period in (law, APRIL):
        assert figures(march, "reported_figures", period) == figures(march, "figures", period)
        assert errata(march, period) == ()
    elsewhere = calendar_month("2026-03", "Asia/Bangkok")
    assert (elsewhere.start, elsewhere.end) == (MARCH.start, MARCH.end)
    assert figures(march, "reported_figures", elsewhere) == figures(march, "figures")
    assert froze(march, law, now=law.end) > 0
    assert query(march, "SELECT month, kind, person FROM audit.frozen_periods ORDER BY frozen_at") == [
        ("2026-03", "calendar_month", WHO),
        ("2026-04", "nd09_month", WHO),
    ]


def test_a_month_without_dossiers_is_frozen_too(engine: Engine) -> None:
    assert froze(engine) == 0
    take(engine, OPEN, at=at("2026-04-15"))
    judge(engine, at("2026-04-15"))
    assert figures(engine, "reported_figures") == {}
    assert told(errata(engine)) == {("H99.01", "received_online", 0, 1), ("H99.01", "pending_overdue", 0, 1)}


# -- freezing -------------------------------------------------------------------------------------------------------


def test_freezing_twice_is_refused_and_tells_by_whom_and_when(march: Engine) -> None:
    froze(march)
    learn_more(march)
    before = figures(march, "reported_figures")
    with pytest.raises(ConfigError, match=f"2026-03 was frozen by {WHO} on 2026-04-02 09:30 .*report errata"):
        froze(march, person="Lê Văn C", now=LATER)
    assert figures(march, "reported_figures") == before
    with transaction(march) as connection:
        assert read_frozen(connection, MARCH) == Frozen(FROZEN_AT, WHO)
        assert read_frozen(connection, APRIL) is None


def test_of_two_who_freeze_at_once_one_is_refused(march: Engine) -> None:
    def attempt(person: str) -> str | None:
        try:
            froze(march, person=person)
        except TthcError as error:
            return str(error)
        return None

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(attempt, ("A", "B")))
    assert sorted(answer is None for answer in answers) == [False, True]
    assert "was frozen by" in next(answer for answer in answers if answer)
    assert query(march, "SELECT count(*) FROM audit.frozen_figures") == [4]


def test_a_month_that_has_not_ended_is_refused_to_its_last_instant(march: Engine) -> None:
    with pytest.raises(ConfigError, match="2026-03 has not ended; freeze it after 2026-04-01 00:00"):
        froze(march, now=MARCH.end - timedelta(microseconds=1))
    assert query(march, "SELECT * FROM audit.frozen_periods") == []
    assert froze(march, now=MARCH.end) == 4


@pytest.mark.parametrize("nobody", ["", "  ", "\n"])
def test_somebody_freezes(march: Engine, nobody: str) -> None:
    with pytest.raises(ConfigError, match="give the name with --by"):
        froze(march, person=nobody)


def test_records_not_judged_yet_are_not_frozen(march: Engine) -> None:
    take(march, *MARCH_ROWS[1:], OPEN | {"status": 9, "finished_at": at("2026-03-09")}, at=at("2026-04-01", "23:00"))
    with pytest.raises(DatabaseError, match="not judged yet; repeat the freezing of 2026-03"):
        froze(march)
    assert (
        query(march, "SELECT * FROM audit.frozen_periods") == query(march, "SELECT * FROM audit.frozen_figures") == []
    )
    judge(march, at("2026-04-02"))
    assert froze(march) == 4


@pytest.mark.parametrize("table", ["frozen_periods", "frozen_figures"])
@pytest.mark.parametrize(
    "change", ["UPDATE tthc.{0} SET {1} = {1}", "DELETE FROM tthc.{0}", "TRUNCATE tthc.{0} CASCADE"]
)
def test_what_is_frozen_cannot_be_changed_even_by_the_owner(march: Engine, table: str, change: str) -> None:
    froze(march)
    with pytest.raises(DBAPIError, match="append-only"), march.begin() as connection:
        connection.execute(text(change.format(table, "person" if table == "frozen_periods" else "kind")))
    assert query(march, f"SELECT count(*) FROM tthc.{table}") == [1 if table == "frozen_periods" else 4]


def test_an_auditor_reads_what_was_frozen_and_what_changed(march: Engine) -> None:
    froze(march)
    learn_more(march)
    values = {"start": MARCH.start, "end": MARCH.end}
    with march.begin() as connection:
        connection.execute(text("SET LOCAL ROLE tthc_auditor"))
        assert connection.scalar(text("SELECT person FROM audit.frozen_periods")) == WHO
        kept = "SELECT sum(pending_overdue) FROM audit.{} WHERE kind = 'dossier'"
        assert connection.scalar(text(kept.format("frozen_figures"))) == 2
        assert connection.scalar(text(kept.format("reported_figures(:start, :end)")), values) == 2
        assert connection.scalar(text("SELECT count(*) FROM audit.errata(:start, :end)"), values) == len(DIFFERENCES)
        with pytest.raises(DBAPIError, match="permission denied"):
            connection.execute(text("SELECT * FROM tthc.frozen_figures"))


# -- the report -----------------------------------------------------------------------------------------------------


def test_the_report_of_a_frozen_month_keeps_figures_shares_and_checks(march: Engine) -> None:
    before = report_of(march, MARCH, FROZEN_AT)
    assert (before.frozen, before.errata) == (None, ())
    froze(march)
    learn_more(march)
    after = later(march)
    pd.testing.assert_frame_equal(after.figures, before.figures)
    counted = ["unit_code", *COUNTS, "on_time_percent", "pending_in_time_percent", "late"]
    known = after.units[after.units["unit_code"] != "H99.03"].reset_index(drop=True)
    pd.testing.assert_frame_equal(known[counted], before.units[counted])
    assert after.checks == before.checks
    assert after.frozen == Frozen(FROZEN_AT, WHO)
    assert told(after.errata) == DIFFERENCES
    assert set(before.delayed["code"]) == {"a", "d"} and set(after.delayed["code"]) == {"d"}
    assert told(later(march, units=["H99.01"]).errata) == {one for one in DIFFERENCES if one[0] == "H99.01"}


def test_the_next_month_is_held_against_the_frozen_one(march: Engine, tmp_path: Path) -> None:
    froze(march)
    pending = form_columns(later(march).figures)[11].sum()
    assert all(check.passed for check in later(march, APRIL).checks)
    learn_more(march)
    april = later(march, APRIL)
    (carried,) = [check for check in april.checks if not check.passed]
    assert (carried.name, carried.right) == (CARRIED_OVER, pending)
    assert (april.frozen, april.frozen_before) == (None, Frozen(FROZEN_AT, WHO))
    sheet = openpyxl.load_workbook(write_report(april, tmp_path / "r.xlsx"))["II.06a"]
    assert any("chênh lệch có thể do dữ liệu thay đổi sau khi chốt" in value for value in texts(sheet))


FROZEN_LINE = f"Số liệu đã chốt lúc 09 giờ 30 ngày 02/04/2026 (người chốt: {WHO})"


def test_the_workbook_says_that_figures_stand_and_lists_errata(march: Engine, tmp_path: Path) -> None:
    froze(march)
    learn_more(march)
    book = openpyxl.load_workbook(write_report(later(march), tmp_path / "r.xlsx"))
    assert book.sheetnames[-1] == "Đính chính"
    form = texts(book["II.06a"])
    assert FROZEN_LINE in form and "Có 7 đính chính, xem trang tính “Đính chính”." in form
    assert row_with(book["II.06a"], "Sở Xây dựng")[2:] == [2, 2, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 0]
    for name in ("Hồ sơ quá hạn", "Trả lại, bổ sung"):
        assert any("Danh sách theo dữ liệu hiện có" in value for value in texts(book[name]))
    for name in ("Theo đơn vị", "Đính chính"):
        assert any(FROZEN_LINE in value for value in texts(book[name]))
    sheet = book["Đính chính"]
    listed = [list(row) for row in sheet.iter_rows(min_row=5, max_row=11, values_only=True)]
    assert {(row[1], *row[6:9]) for row in listed} == {
        (NAMES[unit], frozen, now, now - frozen) for unit, _, frozen, now in DIFFERENCES
    }
    assert row_with(sheet, "(13) Đang giải quyết: quá hạn", column=6)[1:5] == [
        "Sở Xây dựng",
        "XD",
        "1.000001",
        "Cấp giấy phép",
    ]


def test_without_errata_there_is_no_sheet_but_a_line(march: Engine, tmp_path: Path) -> None:
    froze(march)
    book = openpyxl.load_workbook(write_report(later(march), tmp_path / "r.xlsx"))
    assert "Đính chính" not in book.sheetnames
    assert {FROZEN_LINE, "Không có đính chính."} <= set(texts(book["II.06a"]))
    assert not [value for name in book.sheetnames for value in texts(book[name]) if "có thể không khớp" in value]


def test_a_month_that_is_not_frozen_says_nothing_of_it(march: Engine, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(write_report(later(march), tmp_path / "r.xlsx"))
    said = [value for sheet in book.worksheets for value in texts(sheet)]
    assert not any("chốt" in value or "hiện có" in value or "đính chính" in value for value in said)
