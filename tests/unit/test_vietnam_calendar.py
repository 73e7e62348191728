"""The official calendar of Viet Nam against the decisions.

The expected days are written from the documents (Thông báo và công văn về lịch nghỉ), not from the file under test.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta
from importlib.resources import files

import pytest

from tests.shared_data import shared
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.yaml_text import parse_yaml, validate

# Working days (Mon-Fri) on which offices are closed: first day, last day, both as (month, day).
CLOSED_WEEKDAYS = {
    2022: [((1, 3), (1, 3)), ((1, 31), (2, 4)), ((4, 11), (4, 11)), ((5, 2), (5, 3)), ((9, 1), (9, 2))],
    2023: [((1, 2), (1, 2)), ((1, 20), (1, 26)), ((5, 1), (5, 3)), ((9, 1), (9, 1)), ((9, 4), (9, 4))],
    2024: [
        ((1, 1), (1, 1)),
        ((2, 8), (2, 14)),
        ((4, 18), (4, 18)),
        ((4, 29), (5, 1)),  # 29/4 hoán đổi
        ((9, 2), (9, 3)),
    ],
    2025: [
        ((1, 1), (1, 1)),
        ((1, 27), (1, 31)),
        ((4, 7), (4, 7)),
        ((4, 30), (5, 2)),  # 2/5 hoán đổi
        ((9, 1), (9, 2)),
    ],
    2026: [
        ((1, 1), (1, 2)),  # 2/1 hoán đổi, CV 12729/VPCP-KGVX
        ((2, 16), (2, 20)),
        ((4, 27), (4, 27)),
        ((4, 30), (5, 1)),
        ((8, 31), (9, 2)),  # 31/8 hoán đổi
        ((11, 24), (11, 24)),  # NQ 28/2026/QH16
    ],
    2027: [
        ((1, 1), (1, 1)),
        ((2, 4), (2, 5)),
        ((2, 8), (2, 10)),
        ((4, 16), (4, 16)),
        ((4, 30), (4, 30)),
        ((5, 3), (5, 3)),
        ((9, 2), (9, 3)),
        ((11, 24), (11, 24)),
    ],
}
# The same as plain counts, so that a slip in the ranges above shows.
CLOSED_COUNT = {2022: 11, 2023: 11, 2024: 12, 2025: 12, 2026: 14, 2027: 12}
WORKED_SATURDAYS = {date(2024, 5, 4), date(2025, 4, 26), date(2026, 1, 10), date(2026, 8, 22)}


def text() -> str:
    return (files("rules") / "calendars" / "vn.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def spec() -> CalendarSpec:
    return validate(CalendarSpec, parse_yaml(text(), "vn.yaml"))


@pytest.fixture(scope="module")
def vn(spec: CalendarSpec) -> WorkCalendar:
    return spec.compile()


def closed_weekdays(year: int) -> set[date]:
    closed = set()
    for first, last in CLOSED_WEEKDAYS[year]:
        day = date(year, *first)
        while day <= date(year, *last):
            if day.weekday() < 5:
                closed.add(day)
            day += timedelta(days=1)
    return closed


@pytest.mark.parametrize("year", CLOSED_WEEKDAYS)
def test_every_day_of_the_year_agrees_with_the_decisions(vn: WorkCalendar, year: int) -> None:
    closed = closed_weekdays(year)
    assert len(closed) == CLOSED_COUNT[year]
    day = date(year, 1, 1)
    while day.year == year:
        expected = day in WORKED_SATURDAYS or (day.weekday() < 5 and day not in closed)
        assert vn.is_workday(day) is expected, day
        day += timedelta(days=1)


def test_working_days_of_2026(vn: WorkCalendar) -> None:
    # 261 weekdays, less 14 closed, plus two Saturdays worked in exchange.
    assert vn.count_workdays(date(2025, 12, 31), date(2026, 12, 31)) == 261 - 14 + 2


def test_the_exchange_of_2_january_2026_is_there(spec: CalendarSpec, vn: WorkCalendar) -> None:
    """CV 12729/VPCP-KGVX of 25/12/2025, one week before the day off itself; calendar packages miss it."""
    assert not vn.is_workday(date(2026, 1, 2))
    assert vn.is_workday(date(2026, 1, 10))
    documents = {day.date: day.document for day in (*spec.days_off, *spec.overrides)}
    assert "12729/VPCP-KGVX" in str(documents[date(2026, 1, 2)])
    assert "12729/VPCP-KGVX" in str(documents[date(2026, 1, 10)])


def test_day_of_culture_2026_is_one_day_without_exchange(vn: WorkCalendar) -> None:
    """CV 10065/VPCP-KGVX: Monday 23/11 is worked and Saturday 28/11 is not."""
    assert vn.is_workday(date(2026, 11, 23))
    assert not vn.is_workday(date(2026, 11, 24))
    assert vn.is_workday(date(2026, 11, 25))
    assert not vn.is_workday(date(2026, 11, 28))


def test_work_resumes_after_tet_2027_on_thursday_11_february(vn: WorkCalendar) -> None:
    assert vn.add_workdays(date(2027, 2, 3), 1) == date(2027, 2, 11)


def test_every_day_has_a_name_and_a_document(spec: CalendarSpec) -> None:
    assert all(day.name and day.document for day in (*spec.days_off, *spec.overrides))


def test_exchanged_days_come_in_pairs_that_name_each_other(spec: CalendarSpec) -> None:
    off = {day.date: str(day.name) for day in spec.days_off}
    for worked in spec.overrides:
        written = worked.date.strftime("%d/%m/%Y")
        partner = [day for day, name in off.items() if written in name]
        assert len(partner) == 1
        assert partner[0].strftime("%d/%m/%Y") in str(worked.name)


# Swapped days: off, worked instead, and the document that says so.
SWAPS = [
    (date(2024, 4, 29), date(2024, 5, 4), "2450/VPCP-KGVX"),
    (date(2025, 5, 2), date(2025, 4, 26), "8726/VPCP-KGVX, 26/11/2024"),
    (date(2026, 1, 2), date(2026, 1, 10), "12729/VPCP-KGVX, 25/12/2025"),
    (date(2026, 8, 31), date(2026, 8, 22), "9441/TB-BNV"),
]


@pytest.mark.parametrize(("off", "worked", "document"), SWAPS)
def test_a_swap_is_a_weekday_off_for_a_saturday_worked_by_the_same_document(
    spec: CalendarSpec, vn: WorkCalendar, off: date, worked: date, document: str
) -> None:
    assert off.weekday() < 5 and worked.weekday() == 5
    assert not vn.is_workday(off)
    assert vn.is_workday(worked)
    documents = {day.date: str(day.document) for day in (*spec.days_off, *spec.overrides)}
    assert document in documents[off]
    assert documents[worked] == documents[off]


def test_there_are_no_other_swaps(spec: CalendarSpec) -> None:
    assert [day.date for day in spec.overrides] == sorted(worked for _, worked, _ in SWAPS)
    assert {worked for _, worked, _ in SWAPS} == WORKED_SATURDAYS


# What the decision of 02/10/2026 says about 2027, and what the Labour Code says by itself.
DOCUMENTS_OF_2027 = {
    date(2027, 1, 1): "BLLĐ 2019 Điều 112",
    **{date(2027, 2, day): "CV 10065/VPCP-KGVX, 02/10/2026" for day in range(4, 11)},
    date(2027, 4, 16): "BLLĐ 2019 Điều 112",
    date(2027, 4, 30): "BLLĐ 2019 Điều 112",
    date(2027, 5, 1): "BLLĐ 2019 Điều 112",
    date(2027, 5, 3): "BLLĐ 2019 Điều 111.3",  # 1/5 là thứ Bảy, nghỉ bù
    date(2027, 9, 2): "CV 10065/VPCP-KGVX, 02/10/2026",
    date(2027, 9, 3): "CV 10065/VPCP-KGVX, 02/10/2026",
    date(2027, 11, 24): "NQ 28/2026/QH16",
}


def test_each_day_off_of_2027_has_its_document(spec: CalendarSpec) -> None:
    assert {day.date: day.document for day in spec.days_off if day.date.year == 2027} == DOCUMENTS_OF_2027


def test_the_calendar_is_decreed_to_the_end_of_its_last_year(spec: CalendarSpec) -> None:
    assert spec.decreed_until == date(max(day.date.year for day in spec.days_off), 12, 31)


def test_the_calendar_is_the_table_that_was_collected_from_the_decisions(spec: CalendarSpec) -> None:
    path = shared("../domain/calendar_vn_2022_2027.csv")
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 90
    by_kind = {
        kind: {date.fromisoformat(row["date"]) for row in rows if row["kind"] == kind} for kind in ("off", "work")
    }
    assert {day.date for day in spec.days_off} == by_kind["off"]
    assert {day.date for day in spec.overrides} == by_kind["work"]
    assert sum(map(len, by_kind.values())) == len(rows)


def test_the_definition_of_the_shipped_calendar_has_not_changed_since_it_was_first_published(vn: WorkCalendar) -> None:
    """Verdicts name it by this; another one means that every dossier is judged again."""
    assert vn.fingerprint == "d554ceebc2bc09a9d9ae2a3d0965c0b8dae87f9dc2ddf0944cab4f48659ebbd6"
