"""The official calendar of Viet Nam against the decisions, and what a calendar file may hold.

The expected days are written from the documents (Thông báo và công văn về lịch nghỉ), not from the file under test.
"""

from __future__ import annotations

from datetime import date, timedelta
from importlib.resources import files

import pytest

from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.errors import ConfigError
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


MINIMAL = 'name: Thử\nzone: Asia/Ho_Chi_Minh\nweek: {mon: [["07:30", "11:30"]]}\n'


def load(extra: str = "", base: str = MINIMAL) -> CalendarSpec:
    return validate(CalendarSpec, parse_yaml(base + extra, "calendar.yaml"))


def test_short_form_of_a_day_off() -> None:
    spec = load('days_off: [2026-01-05, "2026-01-12", {date: 2026-01-19, name: lụt}]')
    assert [day.date.day for day in spec.days_off] == [5, 12, 19]
    assert not spec.compile().is_workday(date(2026, 1, 5))


def test_days_off_and_overrides_may_be_left_out() -> None:
    assert load().compile().is_workday(date(2026, 1, 5))


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ('name: x\nzone: UTC\nweek: {mon: [["07:30", 13:30]]}', "quotes"),
        ('name: x\nzone: UTC\nweek: {monday: [["07:30", "11:30"]]}', "'mon', 'tue'"),
        ('name: x\nzone: UTC\nweek: {mon: [["07:30", "25:00"]]}', "25:00"),
        ('name: x\nzone: UTC\nweek: {mon: [["11:30", "07:30"]]}', "not after"),
        ('name: x\nzone: UTC\nweek: {mon: [["07:30", "11:30"], ["11:00", "12:00"]]}', "overlap"),
        ('name: x\nzone: Asia/Hanoi_X\nweek: {mon: [["07:30", "11:30"]]}', "Asia/Hanoi_X"),
        ("name: x\nzone: UTC\nweek: {}", "no working time"),
        (MINIMAL + "holidays: []", "unknown key 'holidays'"),
        (MINIMAL + "days_off: [{date: 2026-01-01, nmae: x}]", "nmae"),
        (MINIMAL + "days_off: [20260101]", "write it as 2026-01-31"),
        (MINIMAL + "days_off: [2026-01-01, 2026-01-01]", "stands twice"),
        (MINIMAL + "days_off: [1926-01-01]", "widen the horizon"),
        (MINIMAL + "overrides: [{date: 2026-01-01}]", "hours' is missing"),
    ],
)
def test_a_malformed_file_is_refused_with_its_line(document: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        load(base=document)
    assert "calendar.yaml:" in str(caught.value)
