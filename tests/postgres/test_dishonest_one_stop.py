"""A one-stop system that tells less than the truth: every trick of it stands in a view, with both clocks.

It back-dates a finish, moves a due date after it has passed, deletes a dossier and creates it again, and closes fifty at
16:59 of the last working day of the month. Pulled and judged as any other source.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from sqlalchemy import Engine

from rules.loader import load_packs
from tests.postgres.test_evaluate import judge
from tests.postgres.test_ledger import query, record, take
from tthc_monitor.domain.ledger_heads import grouped
from tthc_monitor.domain.periods import calendar_month
from tthc_monitor.outputs.tell_tale import NOT_APPLIED, TellTale, build_tell_tale, write_csv
from tthc_monitor.outputs.tell_tale_xlsx import BEHIND, NUMBERS, write_workbook
from tthc_monitor.settings import RulesSettings
from tthc_monitor.store.database import transaction

PACKS = load_packs(RulesSettings().packs, Path())
BULK = 50
OCTOBER = calendar_month("2026-10", "Asia/Ho_Chi_Minh")


def on(day: int, hour: float = 8) -> datetime:
    """A local instant of October 2026; Friday the 30th is its last working day."""
    return datetime(2026, 10, 1, tzinfo=UTC) + timedelta(days=day - 1, hours=hour - 7)


RECEIVED, DUE_PASSED, DUE_NEW = on(12), on(28, 17), datetime(2026, 11, 6, 10, tzinfo=UTC)
CLAIMED, SEEN_OPEN, SEEN = on(27, 16), on(29), on(30, 17.5)
NOW = on(31)


def dossier(key: str, code: str, unit: str = "H99.01", **fields: Any) -> dict[str, Any]:
    names = {"H99.01": "Sở Xây dựng", "H99.05": "Phường Mẫu Năm"}
    known = {
        "code": code,
        "unit_code": unit,
        "unit_name": names[unit],
        "received_at": RECEIVED,
        "due_current": on(30, 17),
    }
    return record(key, **{**known, **fields})


def bulk(**fields: Any) -> list[dict[str, Any]]:
    ends = [{"finished_at": on(30, 16) + timedelta(minutes=59, seconds=n), "status": 9} for n in range(BULK)]
    told = ends if fields.pop("ended") else [{}] * BULK
    return [dossier(f"b{n:02d}", f"H99.05-261012-{n:04d}", "H99.05", **end) for n, end in enumerate(told)]


@pytest.fixture(scope="module")
def office(engine_of_module: Engine) -> Engine:
    engine = engine_of_module
    for at in (on(26), SEEN_OPEN):
        take(
            engine,
            dossier("back", "=H99.01-261012-0901"),
            dossier("moved", "H99.01-261012-0902", due_current=DUE_PASSED),
            dossier("gone", "H99.01-261012-0903"),
            dossier("honest", "H99.01-261012-0904"),
            *bulk(ended=False),
            at=at,
        )
    take(
        engine,
        dossier("back", "=H99.01-261012-0901", status=9, finished_at=CLAIMED),
        dossier("moved", "H99.01-261012-0902", due_current=DUE_NEW),
        dossier("new", "H99.01-261012-0903", received_at=on(29, 9), due_current=DUE_NEW),
        dossier("honest", "H99.01-261012-0904", status=9, finished_at=on(30, 9)),
        *bulk(ended=True),
        at=SEEN,
    )
    judge(engine, NOW, PACKS)
    return engine


def signs(engine: Engine, figure: str) -> list[tuple[Any, ...]]:
    return query(
        engine,
        "SELECT code, month::text, due_at, claimed_at, seen_before, seen_at FROM audit.tell_tale_dossiers "
        "WHERE figure = :figure ORDER BY code",
        figure=figure,
    )


def test_a_back_dated_finish_stands_beside_when_it_was_seen(office: Engine) -> None:
    claims = query(
        office, "SELECT code, event, claimed_at, not_yet_at, seen_at, backdated_seconds FROM audit.backdated_claims"
    )
    assert claims == [("=H99.01-261012-0901", "finished", CLAIMED, SEEN_OPEN, SEEN, 40 * 3600)]
    assert signs(office, "finish_backdated") == [
        ("=H99.01-261012-0901", "2026-10-01", on(30, 17), CLAIMED, SEEN_OPEN, SEEN)
    ]


def test_a_due_date_moved_after_it_had_passed(office: Engine) -> None:
    changes = query(
        office, "SELECT code, old_due_at, new_due_at, unmoved_at, seen_at, passed_for_certain FROM audit.due_changes"
    )
    assert changes == [("H99.01-261012-0902", DUE_PASSED, DUE_NEW, SEEN_OPEN, SEEN, True)]
    assert query(office, "SELECT with_apology, passed_for_certain FROM audit.reappointments") == [(False, True)]
    assert signs(office, "due_moved_after_due") == [
        ("H99.01-261012-0902", "2026-10-01", DUE_PASSED, None, SEEN_OPEN, SEEN)
    ]


def test_a_dossier_deleted_and_created_again(office: Engine) -> None:
    assert signs(office, "recreated") == [("H99.01-261012-0903", "2026-10-01", on(30, 17), on(29, 9), on(26), SEEN)]
    [(before, now, again)] = query(
        office,
        "SELECT evidence ->> 'source_key_before', evidence ->> 'source_key_now', related_dossier_id "
        "FROM audit.tell_tale_dossiers WHERE figure = 'recreated'",
    )
    assert (before, now) == ("gone", "new")
    assert query(office, "SELECT source_key FROM audit.dossiers WHERE dossier_id = :id", id=again) == ["new"]


def test_fifty_closed_at_one_minute_to_five_of_the_last_day(office: Engine) -> None:
    found = signs(office, "bulk_closing")
    assert len(found) == BULK
    assert {(row[1], row[4], row[5]) for row in found} == {("2026-10-01", SEEN_OPEN, SEEN)}
    assert [row[3] for row in found] == [on(30, 16) + timedelta(minutes=59, seconds=n) for n in range(BULK)]


def test_every_number_is_the_count_of_its_dossiers(office: Engine) -> None:
    figures = query(office, "SELECT figure FROM audit.tell_tale_figures")
    each = ", ".join(f"('{name}', t.{name})" for name in figures)
    counted = query(
        office,
        "SELECT t.unit_code, t.month, f.figure, f.count FROM audit.tell_tale t "
        f"CROSS JOIN LATERAL (VALUES {each}) f (figure, count) WHERE f.count > 0 ORDER BY 1, 2, 3",
    )
    listed = query(
        office,
        "SELECT unit_code, month, figure, count(DISTINCT dossier_id) FROM audit.tell_tale_dossiers GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    )
    assert counted == listed
    assert [(row[0], row[2], row[3]) for row in counted] == [
        ("H99.01", "due_moved_after_due", 1),
        ("H99.01", "finish_backdated", 1),
        ("H99.01", "recreated", 1),
        ("H99.05", "bulk_closing", BULK),
    ]
    assert query(office, "SELECT unit_code, dossiers FROM audit.tell_tale ORDER BY 1") == [
        ("H99.01", 3),
        ("H99.05", BULK),
    ]
    honest = "SELECT count(*) FROM audit.tell_tale_dossiers WHERE code = 'H99.01-261012-0904'"
    assert query(office, honest) == [0]


def test_what_no_rule_was_applied_for_is_not_told_as_nothing(engine: Engine) -> None:
    take(engine, dossier("a", "H99.01-1"), at=on(26))
    take(engine, dossier("b", "H99.01-1"), at=on(27))
    judge(engine, NOW, load_packs(("core",), Path()))
    assert query(engine, "SELECT recreated, vanished, finish_backdated FROM audit.tell_tale") == [(1, None, None)]


# -- as a file ------------------------------------------------------------------------------------------------------


@pytest.fixture
def report(office: Engine) -> TellTale:
    with transaction(office) as connection:
        return build_tell_tale(connection, OCTOBER, NOW)


def test_each_number_of_the_workbook_leads_to_its_rows(report: TellTale, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(write_workbook(report, tmp_path / "dau-hieu.xlsx"))
    numbers, behind = book[NUMBERS], book[BEHIND]
    titles = [cell.value for cell in numbers[4]]
    rows = {row[0].value: dict(zip(titles, row, strict=True)) for row in numbers.iter_rows(min_row=5, max_row=7)}
    assert list(rows) == ["Phường Mẫu Năm", "Sở Xây dựng", "Cộng"]
    followed = 0
    for unit, cells in rows.items():
        for title, cell in cells.items():
            if cell.hyperlink is None:
                continue
            first = behind[cell.hyperlink.location.partition("!")[2]].row
            told = [
                (row[0].value, row[1].value) for row in behind.iter_rows(min_row=first, max_row=first + cell.value - 1)
            ]
            assert told == [(unit, title)] * cell.value
            followed += cell.value
    assert followed == behind.max_row - 4 == BULK + 3
    assert rows["Cộng"]["Kết thúc hàng loạt cuối kỳ"].value == BULK
    assert NOT_APPLIED not in titles


def test_a_number_that_begins_like_a_formula_stays_a_text(report: TellTale, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(write_workbook(report, tmp_path / "x.xlsx"))
    [cell] = [row[2] for row in book[BEHIND].iter_rows(min_row=5) if str(row[2].value).startswith("=")]
    assert (cell.data_type, cell.value, cell.quotePrefix) == ("s", "=H99.01-261012-0901", True)
    counts, behind = write_csv(report, tmp_path / "x.csv")
    with behind.open(encoding="utf-8-sig", newline="") as file:
        listed = list(csv.DictReader(file))
    assert len(listed) == BULK + 3
    assert not [value for row in listed for value in row.values() if value[:1] in ("=", "+", "-", "@")]
    [back] = [row for row in listed if row["figure"] == "finish_backdated"]
    assert (back["code"], back["claimed_at"]) == ("'=H99.01-261012-0901", "2026-10-27 16:00:00")
    with counts.open(encoding="utf-8-sig", newline="") as file:
        assert [row["unit_code"] for row in csv.DictReader(file)] == ["H99.05", "H99.01"]


def test_a_dossier_of_nobody_has_its_row_too(engine: Engine, tmp_path: Path) -> None:
    nobody = {"unit_code": None, "unit_name": None}
    take(engine, dossier("a", "+84", **nobody), at=on(26))
    take(engine, dossier("b", "+84", **nobody), at=on(27))
    judge(engine, NOW, load_packs(("core",), Path()))
    with transaction(engine) as connection:
        report = build_tell_tale(connection, OCTOBER, NOW)
        assert build_tell_tale(connection, OCTOBER, NOW, ["H99.01"]).counts.empty
    assert report.unit_labels() == ["Chưa rõ đơn vị"]
    book = openpyxl.load_workbook(write_workbook(report, tmp_path / "x.xlsx"))
    assert NOT_APPLIED in [cell.value for cell in book[NUMBERS][5]]
    assert book[BEHIND]["C5"].value == "+84"


def test_a_month_without_signs_says_so(engine: Engine, tmp_path: Path) -> None:
    with transaction(engine) as connection:
        report = build_tell_tale(connection, OCTOBER, NOW)
    book = openpyxl.load_workbook(write_workbook(report, tmp_path / "x.xlsx"))
    assert book[NUMBERS]["A5"].value == "Chưa có dữ liệu của tháng này."
    assert book[NUMBERS]["A8"].value == "Mã niêm phong sổ cái: chưa có"
    write_csv(report, tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("month", "said"),
    [("2026-09", "Chưa có dữ liệu"), ("2026-10", "Không có."), ("2026-11", "Chưa có dữ liệu")],
)
def test_a_month_without_data_is_told_from_one_without_signs(engine: Engine, month: str, said: str) -> None:
    take(engine, dossier("a", "904"), at=on(26))
    with transaction(engine) as connection:
        report = build_tell_tale(connection, calendar_month(month, OCTOBER.zone), NOW)
    assert report.nothing.startswith(said)


def test_the_report_ends_with_the_head_of_the_ledger(office: Engine, report: TellTale, tmp_path: Path) -> None:
    [(link, digits)] = query(office, "SELECT batch_id, chain_hash FROM audit.ledger ORDER BY batch_id DESC LIMIT 1")
    sheet = openpyxl.load_workbook(write_workbook(report, tmp_path / "x.xlsx"))[NUMBERS]
    last = sheet.cell(sheet.max_row, 1).value
    assert last.startswith(f"Mã niêm phong sổ cái (mắt xích số {link}, ngày ") and last.endswith(grouped(digits))
    assert sheet.column_dimensions["A"].width >= 34


def test_the_numbers_are_told_line_by_line_where_a_table_has_no_room(report: TellTale) -> None:
    lines = list(report.lines())
    assert f"Phường Mẫu Năm: Kết thúc hàng loạt cuối kỳ: {BULK}" in lines
    assert len([line for line in lines if "số hồ sơ có dấu hiệu" in line]) == 2
    assert not [line for line in lines if line.endswith(": 0")]
