"""Report periods: where they start and end, what they are called, and how a wrong one is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.periods import (
    Period,
    PeriodKind,
    Reckoning,
    calendar_month,
    last_ended_month,
    last_months,
    nd09_month,
    previous_period,
    report_period,
    same_period_last_year,
)

ZONE = "Asia/Ho_Chi_Minh"


def test_calendar_month_is_half_open_in_local_days() -> None:
    period = calendar_month("2026-10", ZONE)
    assert period.start == datetime(2026, 9, 30, 17, tzinfo=UTC)
    assert period.end == datetime(2026, 10, 31, 17, tzinfo=UTC)
    assert (period.first_day, period.last_day) == (date(2026, 10, 1), date(2026, 10, 31))
    assert period.label == "tháng 10 năm 2026"


def test_nd09_month_runs_from_the_15th_to_the_14th() -> None:
    period = nd09_month("2026-10", ZONE)
    assert (period.first_day, period.last_day) == (date(2026, 9, 15), date(2026, 10, 14))
    assert period.end == datetime(2026, 10, 14, 17, tzinfo=UTC)


def test_nd09_january_starts_in_december() -> None:
    period = nd09_month("2027-01", ZONE)
    assert (period.first_day, period.last_day) == (date(2026, 12, 15), date(2027, 1, 14))


@pytest.mark.parametrize(
    ("name", "reckoning", "kind", "first", "last", "label"),
    [
        ("2026-Q1", "calendar", "calendar_quarter", "2026-01-01", "2026-03-31", "quý I năm 2026"),
        ("2026-Q4", "calendar", "calendar_quarter", "2026-10-01", "2026-12-31", "quý IV năm 2026"),
        ("2026-Q4", "nd09", "nd09_quarter", "2026-09-15", "2026-12-14", "quý IV năm 2026"),
        ("2026-Q1", "nd09", "nd09_quarter", "2025-12-15", "2026-03-14", "quý I năm 2026"),
        ("2026-H1", "calendar", "calendar_half", "2026-01-01", "2026-06-30", "06 tháng đầu năm 2026"),
        ("2026-H1", "nd09", "nd09_half", "2025-12-15", "2026-06-14", "06 tháng đầu năm 2026"),
        ("2026-H2", "nd09", "nd09_half", "2026-06-15", "2026-12-14", "06 tháng cuối năm 2026"),
        ("2026", "calendar", "calendar_year", "2026-01-01", "2026-12-31", "năm 2026"),
        ("2026", "nd09", "nd09_year", "2025-12-15", "2026-12-14", "năm 2026"),
        ("2026-10", "nd09", "nd09_month", "2026-09-15", "2026-10-14", "tháng 10 năm 2026"),
    ],
)
def test_every_kind_has_the_days_of_the_law(
    name: str, reckoning: Reckoning, kind: PeriodKind, first: str, last: str, label: str
) -> None:
    period = report_period(name, reckoning, ZONE)
    assert (period.first_day.isoformat(), period.last_day.isoformat()) == (first, last)
    assert (period.name, period.kind, period.label, period.reckoning) == (name, kind, label, reckoning)


@pytest.mark.parametrize(
    ("month", "label"),
    [
        ("2027-01", "tháng 01 năm 2027"),
        ("2027-02", "tháng 02 năm 2027"),
        ("2027-03", "tháng 3 năm 2027"),
        ("2027-12", "tháng 12 năm 2027"),
    ],
)
def test_label_follows_the_official_wording(month: str, label: str) -> None:
    assert calendar_month(month, ZONE).label == label
    assert nd09_month(month, ZONE).label == label


def test_a_leap_february_has_29_days() -> None:
    assert calendar_month("2028-02", ZONE).last_day == date(2028, 2, 29)


def test_daylight_saving_does_not_move_the_days() -> None:
    period = calendar_month("2026-03", "Europe/Berlin")
    assert (period.first_day, period.last_day) == (date(2026, 3, 1), date(2026, 3, 31))
    assert (period.end - period.start).total_seconds() == 31 * 86_400 - 3_600
    assert previous_period(period).name == "2026-02"


@pytest.mark.parametrize("month", ["", "2026-13", "2026-00", "2026-1", "10/2026", "2026-10-01", "2026-10\n", "1999-12"])
def test_a_wrong_month_is_refused_with_the_remedy(month: str) -> None:
    for make in (calendar_month, nd09_month):
        with pytest.raises(ConfigError, match=r"YYYY-MM|from 2000 to 2060"):
            make(month, ZONE)


@pytest.mark.parametrize(
    "name", ["", "2026-Q0", "2026-Q5", "2026-H3", "2026-q1", "Q1-2026", "26", "2026-Q11", "2026 ", "1999", "2061-Q1"]
)
def test_a_wrong_period_is_refused_with_the_remedy(name: str) -> None:
    with pytest.raises(ConfigError, match=r"quarter as 2026-Q4|from 2000 to 2060"):
        report_period(name, "calendar", ZONE)


def test_a_month_is_asked_where_a_month_is_needed() -> None:
    with pytest.raises(ConfigError, match="YYYY-MM"):
        calendar_month("2026-Q4", ZONE)


def test_the_first_and_the_last_year_have_months() -> None:
    assert calendar_month("2000-01", ZONE).first_day == date(2000, 1, 1)
    assert previous_period(calendar_month("2000-01", ZONE)).first_day == date(1999, 12, 1)
    assert calendar_month("2060-12", ZONE).last_day == date(2060, 12, 31)
    with pytest.raises(ConfigError, match="from 2000 to 2060"):
        calendar_month("2061-01", ZONE)


@pytest.mark.parametrize("zone", ["Asia/Saigon2", "", "../etc/passwd", "Asia"])
def test_a_wrong_zone_is_refused(zone: str) -> None:
    with pytest.raises(ConfigError, match="IANA"):
        calendar_month("2026-10", zone)


PERIODS = st.builds(
    report_period,
    st.builds(
        lambda year, rest: f"{year}{rest}",
        st.integers(2001, 2060),
        st.sampled_from(["", *(f"-Q{n}" for n in range(1, 5)), "-H1", "-H2", *(f"-{n:02d}" for n in range(1, 13))]),
    ),
    st.sampled_from(get_args(Reckoning)),
    st.sampled_from([ZONE, "Europe/Berlin"]),
)


@given(PERIODS)
def test_periods_leave_no_gap_and_do_not_overlap(period: Period) -> None:
    before, year_ago = previous_period(period), same_period_last_year(period)
    assert before.end == period.start
    assert before.kind == year_ago.kind == period.kind
    assert (year_ago.first_day, year_ago.last_day) == tuple(
        _a_year_before(day) for day in (period.first_day, period.last_day)
    )
    assert 28 * period.months <= (period.last_day - period.first_day).days + 1 <= 31 * period.months
    assert year_ago.name == period.name.replace(period.name[:4], str(int(period.name[:4]) - 1), 1)


def _a_year_before(day: date) -> date:
    """February ends on another day in a leap year."""
    after = day + timedelta(days=1)
    return after.replace(year=after.year - 1) - timedelta(days=1)


@given(PERIODS)
def test_the_months_of_a_period_make_it_up(period: Period) -> None:
    months = last_months(period, period.months)
    assert (months[0].start, months[-1].end) == (period.start, period.end)
    assert all(one.end == after.start for one, after in pairwise(months))
    year = last_months(period, 12)
    assert year[-period.months :] == months and {one.reckoning for one in year} == {period.reckoning}


@pytest.mark.parametrize(
    ("reckoning", "now", "month"),
    [
        ("calendar", "2026-11-01T00:00:00+07:00", "2026-10"),
        ("calendar", "2026-10-31T23:59:59+07:00", "2026-09"),
        ("nd09", "2026-11-14T23:59:59+07:00", "2026-10"),
        ("nd09", "2026-11-15T00:00:00+07:00", "2026-11"),
        ("nd09", "2027-01-01T00:00:00+07:00", "2026-12"),
    ],
)
def test_the_month_that_ended_last(reckoning: Any, now: str, month: str) -> None:
    assert last_ended_month(reckoning, datetime.fromisoformat(now), ZONE).name == month
