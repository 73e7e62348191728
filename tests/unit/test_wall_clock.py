"""The first and the last day a calendar can answer about, and hours that begin or end at midnight."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from tthc_monitor.domain.errors import CalendarError
from tthc_monitor.domain.wall_clock import Bounds, bounds, closing, opening, workday_after
from tthc_monitor.domain.worktime import WorkCalendar

HOURS = {
    "two halves": [("07:30", "11:30"), ("13:30", "17:00")],
    "one piece": [("08:00", "16:00")],
    "round the clock": [("00:00", "24:00")],
}
WEEK = ("mon", "tue", "wed", "thu", "fri")
FIRST, LAST = np.datetime64("2026-10-05", "D"), np.datetime64("2026-10-16", "D")  # a Monday, a Friday


def calendar(hours: str) -> WorkCalendar:
    return WorkCalendar("UTC", dict.fromkeys(WEEK, HOURS[hours]), horizon=(date(2026, 10, 5), date(2026, 10, 17)))


@pytest.mark.parametrize(
    ("hours", "opens", "closes"),
    [
        ("two halves", "2026-10-05T07:30", "2026-10-16T17:00"),
        ("one piece", "2026-10-05T08:00", "2026-10-16T16:00"),
        ("round the clock", "2026-10-05T00:00", "2026-10-17T00:00"),
    ],
)
def test_a_calendar_reaches_from_its_first_opening_to_its_last_closing(hours: str, opens: str, closes: str) -> None:
    assert bounds(calendar(hours)) == Bounds(np.datetime64(opens, "us"), np.datetime64(closes, "us"), FIRST, LAST)


def test_the_first_opening_is_within_and_the_last_closing_is_not() -> None:
    within = bounds(calendar("two halves"))
    second = np.timedelta64(1, "s")
    instants = np.array([within.first - second, within.first, within.last - second, within.last])
    assert np.isnat(within.within(instants)).tolist() == [True, False, False, True]
    days = np.array([FIRST - 1, FIRST, LAST, LAST + 1])
    assert np.isnat(within.days_within(days)).tolist() == [True, False, False, True]


def test_working_days_are_counted_to_the_last_one_and_no_further() -> None:
    days = workday_after(calendar("two halves"), np.array([FIRST] * 3), np.array([0, 9, 10]))
    assert days.tolist() == [date(2026, 10, 5), date(2026, 10, 16), None]


def test_one_instant_beyond_the_calendar_is_refused_among_others() -> None:
    instants = np.array(["2026-10-05T08:00", "2026-10-16T18:00"], dtype="datetime64[us]")
    with pytest.raises(CalendarError, match="row 1: not enough working time"):
        calendar("two halves").next_working(instants)


@pytest.mark.parametrize("outside", ["2026-10-04T23:59:59", "2026-10-17T00:00:01"])
def test_one_instant_outside_the_horizon_is_refused_among_others(outside: str) -> None:
    instants = np.array(["2026-10-06T08:00", outside, "2026-10-07T08:00"], dtype="datetime64[us]")
    with pytest.raises(CalendarError, match=f"row 1: {outside}.*lies outside"):
        calendar("two halves").next_working(instants)


@pytest.mark.parametrize(
    ("hours", "opens", "closes"),
    [
        ("two halves", "2026-10-06T07:30", "2026-10-06T17:00"),
        ("round the clock", "2026-10-06T00:00", "2026-10-07T00:00"),
    ],
)
def test_a_day_opens_and_closes_to_the_microsecond(hours: str, opens: str, closes: str) -> None:
    day = np.array([np.datetime64("2026-10-06", "D")])
    assert opening(calendar(hours), day).tolist() == [np.datetime64(opens, "us").item()]
    assert closing(calendar(hours), day).tolist() == [np.datetime64(closes, "us").item()]


def test_all_the_time_of_a_calendar_can_be_added_or_taken_away_and_no_second_more() -> None:
    whole = calendar("two halves")
    first, last = bounds(whole).first, bounds(whole).last
    total = 10 * 7.5 * 3600
    assert whole.add(np.array([first]), np.array([total])).tolist() == [last.item()]
    assert whole.subtract(np.array([last]), np.array([total])).tolist() == [first.item()]
    for step, start in ((whole.add, first), (whole.subtract, last)):
        with pytest.raises(CalendarError, match="row 1: not enough working time"):
            step(np.array([start, start]), np.array([3600.0, total + 1]))
        # Where either is missing nothing is asked for, and the others are answered.
        found = step(np.array([np.datetime64("NaT", "us"), start]), np.array([total * 9, total]))
        assert np.isnat(found).tolist() == [True, False] and found[1] == (first if start == last else last)


@pytest.mark.parametrize("steps", [[1, 10], [10, 1], [1, -1], [-1, 1]])
def test_one_step_beyond_the_working_days_is_refused_among_others(steps: list[int]) -> None:
    with pytest.raises(CalendarError):
        calendar("two halves").add_workdays(np.array([FIRST, FIRST]), np.array(steps))
