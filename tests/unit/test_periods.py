"""Report periods: where they start and end, and how a wrong month is refused."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.periods import Period, calendar_month, nd09_month, previous_period

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


@pytest.mark.parametrize("month", ["", "2026-13", "2026-00", "2026-1", "10/2026", "2026-10-01", "2026-10\n", "1999-12"])
def test_a_wrong_month_is_refused_with_the_remedy(month: str) -> None:
    for make in (calendar_month, nd09_month):
        with pytest.raises(ConfigError, match=r"YYYY-MM|from 2000 to 2060"):
            make(month, ZONE)


def test_the_first_and_the_last_year_have_months() -> None:
    assert calendar_month("2000-01", ZONE).first_day == date(2000, 1, 1)
    assert calendar_month("2060-12", ZONE).last_day == date(2060, 12, 31)
    with pytest.raises(ConfigError, match="from 2000 to 2060"):
        calendar_month("2061-01", ZONE)


@pytest.mark.parametrize("zone", ["Asia/Saigon2", "", "../etc/passwd", "Asia"])
def test_a_wrong_zone_is_refused(zone: str) -> None:
    with pytest.raises(ConfigError, match="IANA"):
        calendar_month("2026-10", zone)


@given(
    st.sampled_from([calendar_month, nd09_month]), st.integers(2001, 2060), st.integers(1, 12), st.sampled_from([ZONE])
)
def test_periods_leave_no_gap_and_do_not_overlap(make: object, year: int, month: int, zone: str) -> None:
    assert callable(make)
    period: Period = make(f"{year}-{month:02d}", zone)
    before = previous_period(period)
    assert before.end == period.start
    assert before.kind == period.kind
    assert 28 <= (period.last_day - period.first_day).days + 1 <= 31
