"""Working time at its edges, as tables: the time on the office clock in, the time on the office clock out."""

from __future__ import annotations

import pickle
import time
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest

from tthc_monitor.domain.errors import CalendarError
from tthc_monitor.domain.worktime import PauseColumns, WorkCalendar

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
NEW_YORK = ZoneInfo("America/New_York")
OFFICE = [("07:30", "11:30"), ("13:30", "17:00")]
WEEK = dict.fromkeys(("mon", "tue", "wed", "thu", "fri"), OFFICE)
# Official days of 2026 needed here; the whole official calendar has tests of its own.
DAYS_OFF = [date(2026, 1, 1), date(2026, 1, 2), *(date(2026, 2, day) for day in range(16, 21))]
DAYS_OFF += [date(2026, 8, 31), date(2026, 9, 1), date(2026, 9, 2)]
SATURDAYS = {date(2026, 1, 10): OFFICE, date(2026, 8, 22): OFFICE}
VN = WorkCalendar("Asia/Ho_Chi_Minh", WEEK, DAYS_OFF, SATURDAYS)
H = 3600
DAY = int(7.5 * H)


def at(text: str, zone: ZoneInfo = HANOI) -> datetime:
    """Reads "09/01/2026 16:00" on the office clock."""
    for form in ("%d/%m/%Y %H:%M", "%d/%m/%Y %H:%M:%S.%f"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=zone)
        except ValueError:
            continue
    raise ValueError(text)


def utc64(*moments: datetime) -> Any:
    return np.array([m.astimezone(UTC).replace(tzinfo=None) for m in moments], dtype="datetime64[us]")


# -- is it working time? --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "working", "next_working", "previous_working"),
    [  # Monday 5 January 2026; the Friday before is a day off, so the last closing was on Wednesday 31 December
        ("05/01/2026 00:00", False, "05/01/2026 07:30", "31/12/2025 17:00"),
        ("05/01/2026 07:29", False, "05/01/2026 07:30", "31/12/2025 17:00"),
        ("05/01/2026 07:30", True, "05/01/2026 07:30", "05/01/2026 07:30"),
        ("05/01/2026 11:29", True, "05/01/2026 11:29", "05/01/2026 11:29"),
        ("05/01/2026 11:30", False, "05/01/2026 13:30", "05/01/2026 11:30"),
        ("05/01/2026 12:00", False, "05/01/2026 13:30", "05/01/2026 11:30"),
        ("05/01/2026 13:29", False, "05/01/2026 13:30", "05/01/2026 11:30"),
        ("05/01/2026 13:30", True, "05/01/2026 13:30", "05/01/2026 13:30"),
        ("05/01/2026 16:59", True, "05/01/2026 16:59", "05/01/2026 16:59"),
        ("05/01/2026 17:00", False, "06/01/2026 07:30", "05/01/2026 17:00"),
        ("05/01/2026 23:59", False, "06/01/2026 07:30", "05/01/2026 17:00"),
        # the Saturday worked in exchange, and the Sunday after it
        ("10/01/2026 09:00", True, "10/01/2026 09:00", "10/01/2026 09:00"),
        ("11/01/2026 09:00", False, "12/01/2026 07:30", "10/01/2026 17:00"),
        ("22/08/2026 16:59", True, "22/08/2026 16:59", "22/08/2026 16:59"),
        ("29/08/2026 09:00", False, "03/09/2026 07:30", "28/08/2026 17:00"),
        # Tết 2026: from Friday 13 February 17:00 to Monday 23 February 07:30
        ("13/02/2026 17:00", False, "23/02/2026 07:30", "13/02/2026 17:00"),
        ("16/02/2026 09:00", False, "23/02/2026 07:30", "13/02/2026 17:00"),
        ("20/02/2026 16:00", False, "23/02/2026 07:30", "13/02/2026 17:00"),
        ("23/02/2026 07:30", True, "23/02/2026 07:30", "23/02/2026 07:30"),
    ],
)
def test_edges_of_working_time(moment: str, working: bool, next_working: str, previous_working: str) -> None:
    assert VN.is_working(at(moment)) is working
    assert VN.next_working(at(moment)) == at(next_working)
    assert VN.previous_working(at(moment)) == at(previous_working)


def test_last_microsecond_before_opening_and_closing() -> None:
    assert not VN.is_working(at("05/01/2026 07:29:59.999999"))
    assert VN.is_working(at("05/01/2026 16:59:59.999999"))


# -- elapsed --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        ("05/01/2026 07:30", "05/01/2026 11:30", 4 * H),
        ("05/01/2026 07:29", "05/01/2026 07:31", 60),
        ("05/01/2026 11:00", "05/01/2026 14:00", H),  # lunch does not count
        ("05/01/2026 11:30", "05/01/2026 13:30", 0),
        ("05/01/2026 07:30", "05/01/2026 17:00", DAY),
        ("05/01/2026 17:00", "06/01/2026 07:30", 0),
        ("05/01/2026 23:59", "06/01/2026 08:30", H),
        ("09/01/2026 16:00", "12/01/2026 08:30", H + DAY + H),  # over the worked Saturday 10/01
        ("16/01/2026 16:00", "19/01/2026 08:30", H + H),  # over an ordinary weekend
        ("21/08/2026 16:00", "24/08/2026 08:30", H + DAY + H),  # over the worked Saturday 22/08
        ("28/08/2026 16:00", "03/09/2026 08:30", H + H),  # 31/08 exchanged, 1-2/09 Quốc khánh
        ("31/12/2025 16:00", "05/01/2026 08:30", H + H),  # 1-2/01 off, then a weekend
        ("13/02/2026 16:30", "23/02/2026 07:30", H // 2),  # Tết
        ("16/02/2026 00:00", "21/02/2026 00:00", 0),  # first to last day off
        ("05/01/2026 09:00", "05/01/2026 09:00", 0),
        ("06/01/2026 09:00", "05/01/2026 09:00", 0),  # end before start
        ("05/01/2026 09:00", "05/01/2026 09:00:00.000001", 1e-6),
        ("05/01/2026 11:29:59.999999", "05/01/2026 13:30:00.000001", 2e-6),
    ],
)
def test_elapsed(start: str, end: str, seconds: float) -> None:
    assert VN.elapsed(at(start), at(end)) == seconds


def test_elapsed_is_exact_over_decades() -> None:
    start, end = at("05/01/2026 07:30:00.000001"), at("04/01/2051 09:00")
    micros = round(VN.elapsed(start, end) * 1e6)
    assert micros == round(VN.elapsed(at("05/01/2026 07:30"), end)) * 1_000_000 - 1


# -- add and subtract -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "seconds", "end"),
    [
        ("05/01/2026 07:30", 4 * H, "05/01/2026 11:30"),  # used up exactly: the closing, not the next opening
        ("05/01/2026 07:30", DAY, "05/01/2026 17:00"),
        ("05/01/2026 07:30", DAY + 1, "06/01/2026 07:30:01.000000"),
        ("05/01/2026 11:30", H, "05/01/2026 14:30"),
        ("05/01/2026 17:00", DAY, "06/01/2026 17:00"),
        ("05/01/2026 06:00", H, "05/01/2026 08:30"),
        ("05/01/2026 09:00", 8 * H, "06/01/2026 09:30"),
        ("09/01/2026 16:00", 2 * H, "10/01/2026 08:30"),  # into the worked Saturday
        ("16/01/2026 16:00", 2 * H, "19/01/2026 08:30"),
        ("13/02/2026 16:00", 2 * H, "23/02/2026 08:30"),  # over Tết
        ("18/02/2026 09:00", H, "23/02/2026 08:30"),  # received on a day off
        ("28/08/2026 17:00", 2 * DAY, "04/09/2026 17:00"),
        ("05/01/2026 09:00", 0.000001, "05/01/2026 09:00:00.000001"),
        # nothing to wait for: the start itself, in or out of working time
        ("05/01/2026 09:00", 0, "05/01/2026 09:00"),
        ("05/01/2026 12:00", 0, "05/01/2026 12:00"),
        ("10/02/2026 23:59", 0, "10/02/2026 23:59"),
    ],
)
def test_add(start: str, seconds: float, end: str) -> None:
    assert VN.add(at(start), seconds) == at(end)


@pytest.mark.parametrize(
    ("end", "seconds", "start"),
    [
        ("05/01/2026 17:00", 2 * H, "05/01/2026 15:00"),
        ("06/01/2026 07:30", 2 * H, "05/01/2026 15:00"),
        ("05/01/2026 14:30", H, "05/01/2026 13:30"),  # the opening, not 11:30
        ("05/01/2026 14:30", 2 * H, "05/01/2026 10:30"),
        ("05/01/2026 17:00", DAY, "05/01/2026 07:30"),
        ("23/02/2026 08:30", 8 * H, "13/02/2026 08:00"),  # "sắp đến hạn" over Tết
        ("12/01/2026 08:30", 8 * H, "10/01/2026 08:00"),  # over the worked Saturday
        ("18/02/2026 09:00", H, "13/02/2026 16:00"),
        ("18/02/2026 09:00", 0, "18/02/2026 09:00"),
    ],
)
def test_subtract(end: str, seconds: float, start: str) -> None:
    assert VN.subtract(at(end), seconds) == at(start)


def test_scalars_come_back_in_utc() -> None:
    assert VN.add(at("05/01/2026 07:30"), H).isoformat() == "2026-01-05T01:30:00+00:00"
    assert VN.add(at("05/01/2026 07:30"), 0).tzinfo is UTC


# -- pauses ---------------------------------------------------------------------------------------------------------

PAUSES = [
    # (pauses, elapsed from Monday 05/01/2026 08:00 to Tuesday 06/01/2026 08:30, instant of 7 unpaused hours)
    ([], DAY - H // 2 + H, "05/01/2026 17:00", 7 * H),
    ([("05/01/2026 09:00", "05/01/2026 10:00")], DAY - H // 2, "06/01/2026 08:30", 7 * H),
    ([("05/01/2026 11:30", "05/01/2026 13:30")], DAY + H // 2, "05/01/2026 17:00", 7 * H),  # lunch only
    ([("05/01/2026 10:30", "05/01/2026 14:30")], DAY - 3 * H // 2, "06/01/2026 09:30", 7 * H),
    # two that overlap, one inside the other, one twice: counted once
    ([("05/01/2026 09:00", "05/01/2026 10:00"), ("05/01/2026 09:30", "05/01/2026 10:30")], DAY - H, None, 7 * H),
    ([("05/01/2026 09:00", "05/01/2026 11:00"), ("05/01/2026 09:30", "05/01/2026 10:00")], DAY - 3 * H // 2, None, 0),
    ([("05/01/2026 09:00", "05/01/2026 10:00"), ("05/01/2026 09:00", "05/01/2026 10:00")], DAY - H // 2, None, 0),
    # outside the range, or reaching out of it
    ([("01/12/2025 09:00", "02/12/2025 10:00")], DAY + H // 2, "05/01/2026 17:00", 7 * H),
    ([("01/12/2025 09:00", "05/01/2026 09:00")], DAY - H // 2, "06/01/2026 08:30", 7 * H),
    ([("06/01/2026 08:00", "07/01/2026 09:00")], DAY, "05/01/2026 17:00", 7 * H),
    # not ended: until the end of the range
    ([("05/01/2026 16:00", None)], DAY - 3 * H // 2, None, 0),
    # begins in the instant in which the time is full: comes too late
    ([("05/01/2026 17:00", None)], DAY - H // 2, "05/01/2026 17:00", 7 * H),
    # ends before it starts: nothing
    ([("05/01/2026 10:00", "05/01/2026 09:00")], DAY + H // 2, "05/01/2026 17:00", 7 * H),
]


@pytest.mark.parametrize(("pauses", "elapsed", "reached", "seconds"), PAUSES)
def test_pauses(pauses: list[tuple[str, str | None]], elapsed: float, reached: str | None, seconds: float) -> None:
    pairs = [(at(begin), None if end is None else at(end)) for begin, end in pauses]
    start = at("05/01/2026 08:00")
    assert VN.elapsed(start, at("06/01/2026 08:30"), pairs) == elapsed
    if reached is not None:
        assert VN.add(start, seconds, pairs) == at(reached)


def test_a_pause_before_the_end_moves_the_deadline_by_its_working_time() -> None:
    # 2 hours from 16:00; paused from 16:30 on Friday until Monday 08:00: one half hour worked on Friday, 1.5 after
    pause = [(at("16/01/2026 16:30"), at("19/01/2026 08:00"))]
    assert VN.add(at("16/01/2026 16:00"), 2 * H, pause) == at("19/01/2026 09:30")


def test_open_pause_keeps_a_deadline_from_coming() -> None:
    start, begin = at("05/01/2026 08:00"), at("05/01/2026 09:00")
    with pytest.raises(CalendarError, match="pause"):
        VN.add(start, 2 * H, [(begin, None)])
    columns = PauseColumns(np.array([1]), utc64(begin), np.array(["NaT"], dtype="datetime64[us]"))
    result = VN.add(utc64(start, start), 2 * H, columns)
    assert result[0] == utc64(at("05/01/2026 10:00"))[0]
    assert np.isnat(result[1])
    assert VN.elapsed(utc64(start, start), at("05/01/2026 10:00"), columns).tolist() == [2 * H, H]


# -- days -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "n", "expected"),
    [
        ("2026-01-05", 0, "2026-01-05"),
        ("2026-01-03", 0, "2026-01-03"),  # day 0 is the given day, worked or not
        ("2026-01-05", 1, "2026-01-06"),
        ("2026-01-09", 1, "2026-01-10"),  # the worked Saturday
        ("2026-01-10", 1, "2026-01-12"),
        ("2026-01-16", 1, "2026-01-19"),
        ("2025-12-31", 1, "2026-01-05"),
        ("2026-02-13", 1, "2026-02-23"),
        ("2026-02-18", 1, "2026-02-23"),
        ("2026-08-21", 7, "2026-09-03"),  # 22, 24-28 August, then 3 September
        ("2026-02-09", 5, "2026-02-23"),
    ],
)
def test_add_workdays(day: str, n: int, expected: str) -> None:
    assert VN.add_workdays(date.fromisoformat(day), n) == date.fromisoformat(expected)
    assert VN.add_workdays(np.array([day], dtype="datetime64[D]"), n)[0] == np.datetime64(expected)
    if n:
        assert VN.count_workdays(date.fromisoformat(day), date.fromisoformat(expected)) == n


def test_count_workdays() -> None:
    assert VN.count_workdays(date(2026, 2, 13), date(2026, 2, 22)) == 0
    assert VN.count_workdays(date(2026, 2, 12), date(2026, 2, 23)) == 2
    assert VN.count_workdays(date(2026, 2, 23), date(2026, 2, 12)) == 0
    days = np.array(["2026-02-12", "NaT"], dtype="datetime64[D]")
    assert VN.count_workdays(days, date(2026, 2, 23)).tolist()[0] == 2
    assert np.isnan(VN.count_workdays(days, date(2026, 2, 23))[1])
    assert VN.is_workday(days).tolist() == [True, False]
    assert np.isnat(VN.add_workdays(days, np.array([1, 2]))[1])


# -- overrides, 24:00 -----------------------------------------------------------------------------------------------


def test_override_beats_a_day_off_and_replaces_the_whole_day() -> None:
    day = date(2026, 1, 5)
    calendar = WorkCalendar("Asia/Ho_Chi_Minh", WEEK, [day], {day: [("08:00", "09:00")]})
    assert calendar.is_workday(day)
    assert calendar.elapsed(at("05/01/2026 00:00"), at("06/01/2026 00:00")) == H


def test_override_without_hours_is_a_day_off() -> None:
    calendar = WorkCalendar("Asia/Ho_Chi_Minh", WEEK, (), {date(2026, 1, 5): []})
    assert not calendar.is_workday(date(2026, 1, 5))


def test_round_the_clock() -> None:
    calendar = WorkCalendar("Asia/Ho_Chi_Minh", {day: [("00:00", "24:00")] for day in ("mon", "tue", "wed")})
    assert calendar.elapsed(at("05/01/2026 22:00"), at("06/01/2026 02:00")) == 4 * H
    assert calendar.is_working(at("06/01/2026 00:00"))
    assert calendar.add(at("05/01/2026 00:00"), 24 * H) == at("06/01/2026 00:00")
    assert calendar.add(at("07/01/2026 23:00"), H) == at("08/01/2026 00:00")
    assert not calendar.is_working(at("08/01/2026 00:00"))
    assert calendar.add(at("07/01/2026 23:00"), 2 * H) == at("12/01/2026 01:00")


def test_many_short_intervals() -> None:
    minutes = [(f"08:{m:02}", f"08:{m + 1:02}") for m in range(0, 58, 2)]
    calendar = WorkCalendar("UTC", {"mon": minutes}, horizon=(date(2025, 1, 1), date(2027, 1, 1)))
    start = datetime(2026, 1, 5, 8, 0, 30, tzinfo=UTC)
    assert calendar.elapsed(start, datetime(2026, 1, 5, 8, 10, tzinfo=UTC)) == 30 + 4 * 60
    assert calendar.add(start, 30 + 4 * 60) == datetime(2026, 1, 5, 8, 9, tzinfo=UTC)
    assert calendar.subtract(datetime(2026, 1, 5, 8, 10, tzinfo=UTC), 60) == datetime(2026, 1, 5, 8, 8, tzinfo=UTC)


# -- daylight saving ------------------------------------------------------------------------------------------------

NIGHT = WorkCalendar("America/New_York", {day: [("00:00", "24:00")] for day in ("sat", "sun")})


@pytest.mark.parametrize(
    ("day", "hours"),
    [("07/03/2026", 24), ("08/03/2026", 23), ("14/03/2026", 24), ("31/10/2026", 24), ("01/11/2026", 25)],
)
def test_a_day_of_24_hours_has_23_or_25_when_clocks_change(day: str, hours: int) -> None:
    start = at(f"{day} 00:00", NEW_YORK)
    assert NIGHT.elapsed(start, start.replace(hour=23, minute=59)) == (hours - 1) * H + 59 * 60
    assert NIGHT.add(NIGHT.next_working(start), hours * H) == NIGHT.add(start, hours * H)
    assert NIGHT.add(start, hours * H).astimezone(NEW_YORK).hour == 0


def test_interval_over_the_skipped_hour_is_an_hour_shorter() -> None:
    calendar = WorkCalendar("America/New_York", {"sun": [("01:00", "05:00")]})
    start = at("08/03/2026 01:00", NEW_YORK)
    assert calendar.elapsed(start, at("08/03/2026 12:00", NEW_YORK)) == 3 * H
    assert calendar.add(start, 2 * H) == at("08/03/2026 04:00", NEW_YORK)


def test_interval_over_the_repeated_hour_is_an_hour_longer() -> None:
    calendar = WorkCalendar("America/New_York", {"sun": [("00:30", "05:00")]})
    assert calendar.elapsed(at("01/11/2026 00:00", NEW_YORK), at("01/11/2026 12:00", NEW_YORK)) == 5.5 * H
    first = at("01/11/2026 01:30", NEW_YORK)
    assert calendar.elapsed(first, first.replace(fold=1).astimezone(UTC)) == H


def test_opening_and_closing_inside_the_skipped_hour_mean_the_change() -> None:
    change = datetime(2026, 3, 8, 7, 0, tzinfo=UTC)
    opens = WorkCalendar("America/New_York", {"sun": [("02:30", "05:00")]})
    assert opens.next_working(at("08/03/2026 00:00", NEW_YORK)) == change
    closes = WorkCalendar("America/New_York", {"sun": [("01:00", "02:30")]})
    assert closes.previous_working(at("08/03/2026 12:00", NEW_YORK)) == change
    inside = WorkCalendar("America/New_York", {"sun": [("02:10", "02:50")]})
    assert inside.elapsed(at("08/03/2026 00:00", NEW_YORK), at("09/03/2026 00:00", NEW_YORK)) == 0


def test_opening_and_closing_inside_the_repeated_hour_mean_its_first_time() -> None:
    halves = WorkCalendar("America/New_York", {"sun": [("00:00", "01:30"), ("01:30", "24:00")]})
    assert halves.elapsed(at("01/11/2026 00:00", NEW_YORK), at("02/11/2026 00:00", NEW_YORK)) == 25 * H
    late = WorkCalendar("America/New_York", {"sun": [("01:30", "03:00")]})
    assert late.next_working(at("01/11/2026 00:00", NEW_YORK)) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_office_hours_follow_the_wall_clock_through_the_year() -> None:
    calendar = WorkCalendar("America/New_York", {day: [("09:00", "17:00")] for day in ("mon", "fri")})
    assert calendar.add(at("06/03/2026 16:00", NEW_YORK), 2 * H) == at("09/03/2026 10:00", NEW_YORK)
    assert calendar.add(at("30/10/2026 16:00", NEW_YORK), 2 * H) == at("02/11/2026 10:00", NEW_YORK)


def test_a_zone_that_skipped_a_whole_day() -> None:
    calendar = WorkCalendar("Pacific/Apia", {day: [("09:00", "17:00")] for day in ("thu", "fri", "sat")})
    apia = ZoneInfo("Pacific/Apia")  # 30 December 2011, a Friday, did not exist there
    assert calendar.elapsed(at("29/12/2011 00:00", apia), at("01/01/2012 00:00", apia)) == 2 * 8 * H


# -- arrays ---------------------------------------------------------------------------------------------------------


def test_arrays_give_what_scalars_give() -> None:
    rng = np.random.default_rng(7)
    low, high = (int(moment.timestamp() * 1e6) for moment in (at("01/12/2025 00:00"), at("30/09/2026 00:00")))
    starts = rng.integers(low, high, 300).view("datetime64[us]")
    ends = rng.integers(low, high, 300).view("datetime64[us]")
    seconds = rng.integers(0, 40 * H * 10**6, 300) / 1e6
    aware = [value.item().replace(tzinfo=UTC) for value in starts]
    finish = [value.item().replace(tzinfo=UTC) for value in ends]
    assert VN.elapsed(starts, ends).tolist() == [VN.elapsed(a, b) for a, b in zip(aware, finish, strict=True)]
    for name in ("add", "subtract"):
        single = [getattr(VN, name)(a, s) for a, s in zip(aware, seconds.tolist(), strict=True)]
        assert getattr(VN, name)(starts, seconds).tolist() == [value.replace(tzinfo=None) for value in single]
    for name in ("next_working", "previous_working"):
        single = [getattr(VN, name)(a).replace(tzinfo=None) for a in aware]
        assert getattr(VN, name)(starts).tolist() == single
    assert VN.is_working(starts).tolist() == [VN.is_working(a) for a in aware]


def test_array_types() -> None:
    moments = [at("05/01/2026 08:00"), at("06/01/2026 08:00")]
    series = pd.Series(pd.DatetimeIndex(moments))
    expected = utc64(at("05/01/2026 09:00"), at("06/01/2026 09:00"))
    for given in (series, pd.DatetimeIndex(moments), utc64(*moments), utc64(*moments).astype("datetime64[ns]")):
        result = VN.add(given, H)
        assert result.dtype == "datetime64[us]"
        assert (result == expected).all()
        assert VN.elapsed(given, at("06/01/2026 09:00")).dtype == np.float64
        assert VN.is_working(given).dtype == np.bool_
    assert (VN.add(series, pd.Series([H, H])) == expected).all()
    assert VN.add(moments[0], np.array([H, 2 * H])).shape == (2,)
    assert VN.elapsed(moments[0], series).tolist() == [0, DAY]


def test_missing_in_missing_out() -> None:
    series = pd.Series(pd.DatetimeIndex([at("05/01/2026 08:00"), pd.NaT]))
    assert np.isnan(VN.elapsed(series, at("06/01/2026 08:00"))).tolist() == [False, True]
    assert np.isnan(VN.elapsed(at("05/01/2026 07:00"), series)).tolist() == [False, True]
    assert np.isnat(VN.add(series, H)).tolist() == [False, True]
    assert np.isnat(VN.subtract(series, np.array([np.nan, 1.0]))).tolist() == [True, True]
    assert np.isnat(VN.next_working(series)).tolist() == [False, True]
    assert np.isnat(VN.previous_working(series)).tolist() == [False, True]
    assert VN.is_working(series).tolist() == [True, False]


def test_empty_arrays() -> None:
    none = np.array([], dtype="datetime64[us]")
    assert VN.elapsed(none, none).shape == (0,)
    assert VN.add(none, H).shape == (0,)
    assert VN.add(none, H, PauseColumns(np.array([], dtype=int), none, none)).shape == (0,)
    assert VN.next_working(none).shape == (0,)
    assert VN.add_workdays(none.astype("datetime64[D]"), 1).shape == (0,)


def test_arrays_given_are_not_changed() -> None:
    starts = utc64(at("05/01/2026 08:00"), at("06/01/2026 08:00"))
    kept = starts.copy()
    VN.add(starts, 0)[:] = np.datetime64("2000-01-01")
    VN.next_working(starts)[:] = np.datetime64("2000-01-01")
    VN.elapsed(starts, starts)
    assert (starts == kept).all()


# -- what cannot be answered ----------------------------------------------------------------------------------------

NOON = at("05/01/2026 12:00")
ASK: Any = VN  # most of these questions are wrong by their types already


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (lambda: ASK.elapsed(datetime(2026, 1, 5), NOON), "no time zone"),
        (lambda: ASK.is_working(pd.Series(pd.to_datetime(["2026-01-05"]))), "without time zone"),
        (lambda: ASK.elapsed(NOON, NOON, [(datetime(2026, 1, 5), None)]), "no time zone"),
        (lambda: ASK.elapsed(NOON, None), "no single value"),
        (lambda: ASK.is_working(pd.NaT), "no single value"),
        (lambda: ASK.is_working("2026-01-05"), "no scalar"),
        (lambda: ASK.is_working(date(2026, 1, 5)), "no instant"),
        (lambda: ASK.is_working(np.array(["2026-01-05"], dtype="datetime64[D]")), "days, not instants"),
        (lambda: ASK.add(NOON, -1), "negative"),
        (lambda: ASK.add(NOON, float("nan")), "no single value"),
        (lambda: ASK.subtract(NOON, -0.5), "negative"),
        (lambda: ASK.add(utc64(NOON, NOON), np.array([1, -1])), "negative"),
        (lambda: ASK.add(NOON, np.array(["a"])), "give numbers"),
        (lambda: ASK.add(NOON, 1e9), "horizon"),
        (lambda: ASK.add(NOON, 1e300), "horizon"),
        (lambda: ASK.subtract(NOON, 1e9), "horizon"),
        (lambda: ASK.add(utc64(NOON, NOON), np.array([1, 1e9])), "row 1"),
        (lambda: ASK.elapsed(datetime(1926, 1, 1, tzinfo=UTC), NOON), "outside"),
        (lambda: ASK.elapsed(NOON, datetime(2126, 1, 1, tzinfo=UTC)), "outside"),
        (lambda: ASK.elapsed(utc64(NOON, datetime(205, 1, 1, tzinfo=UTC)), NOON), "row 1: 0205"),
        (lambda: ASK.next_working(datetime(2060, 12, 31, 16, 59, tzinfo=UTC)), "horizon"),
        (lambda: ASK.previous_working(datetime(1989, 12, 31, 18, tzinfo=UTC)), "horizon"),
        (lambda: ASK.elapsed(utc64(NOON), utc64(NOON, NOON)), "different lengths"),
        (lambda: ASK.elapsed(utc64(NOON), utc64(NOON), [(NOON, None)]), "PauseColumns"),
        (lambda: ASK.elapsed(utc64(NOON), NOON, PauseColumns(np.array([1]), utc64(NOON), utc64(NOON))), "pause rows"),
        (lambda: ASK.is_workday(NOON), "no day"),
        (lambda: ASK.is_workday(date(2061, 1, 1)), "outside"),
        (lambda: ASK.add_workdays(date(2026, 1, 5), -1), "negative"),
        (lambda: ASK.add_workdays(date(2026, 1, 5), 1.5), "whole numbers"),
        (lambda: ASK.add_workdays(date(2026, 1, 5), 100_000), "horizon"),
    ],
)
def test_what_cannot_be_answered_is_an_error(question: Any, message: str) -> None:
    began = time.perf_counter()
    with pytest.raises(CalendarError, match=message) as caught:
        question()
    assert time.perf_counter() - began < 5
    assert ";" in str(caught.value), "the message ends with what to do"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("Asia/Hanoi_X", WEEK), "Asia/Hanoi_X"),
        (("", WEEK), "unknown"),
        (("UTC", {"monday": OFFICE}), "monday"),
        (("UTC", {"mon": [("17:00", "07:30")]}), "mon.*not after"),
        (("UTC", {"tue": [("08:00", "08:00")]}), "tue.*not after"),
        (("UTC", {"mon": [("07:30", "25:00")]}), "mon.*25:00"),
        (("UTC", {"mon": [("24:00", "24:00")]}), "mon.*24:00"),
        (("UTC", {"mon": [("7:30", "11:30")]}), "mon.*7:30"),
        (("UTC", {"mon": [("07:60", "11:30")]}), "07:60"),
        (("UTC", {"mon": [(450, "11:30")]}), "quotes"),
        (("UTC", {"mon": ["07:30-11:30"]}), "not an interval"),
        (("UTC", {"mon": [("07:30", "11:30"), ("11:00", "12:00")]}), "mon.*overlap at 11:00"),
        (("UTC", WEEK, (), {date(2026, 1, 10): [("07:30", "26:00")]}), "2026-01-10.*26:00"),
        (("UTC", WEEK, [date(1926, 1, 1)]), "1926-01-01"),
        (("UTC", {}), "no working time"),
        (("UTC", {"mon": []}), "no working time"),
    ],
)
def test_a_malformed_calendar_is_refused(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(CalendarError, match=message) as caught:
        WorkCalendar(*arguments)
    assert ";" in str(caught.value)


def test_horizon_can_be_chosen() -> None:
    old = WorkCalendar("UTC", WEEK, horizon=(date(1950, 1, 1), date(1951, 1, 1)))
    assert old.is_workday(date(1950, 1, 2))
    assert not old.is_workday(date(1950, 1, 1))
    with pytest.raises(CalendarError, match="empty"):
        WorkCalendar("UTC", WEEK, horizon=(date(1951, 1, 1), date(1950, 1, 1)))


# -- identity and segments ------------------------------------------------------------------------------------------


def test_fingerprint_and_equality_follow_the_definition() -> None:
    same = WorkCalendar("Asia/Ho_Chi_Minh", WEEK, [*reversed(DAYS_OFF), DAYS_OFF[0]], dict(reversed(SATURDAYS.items())))
    assert same == VN
    assert hash(same) == hash(VN)
    assert same.fingerprint == VN.fingerprint
    assert len(VN.fingerprint) == 64
    others = [
        WorkCalendar("Asia/Bangkok", WEEK, DAYS_OFF, SATURDAYS),
        WorkCalendar("Asia/Ho_Chi_Minh", WEEK, DAYS_OFF[1:], SATURDAYS),
        WorkCalendar("Asia/Ho_Chi_Minh", WEEK, DAYS_OFF),
        WorkCalendar("Asia/Ho_Chi_Minh", WEEK | {"fri": OFFICE[:1]}, DAYS_OFF, SATURDAYS),
    ]
    assert len({VN.fingerprint, *(other.fingerprint for other in others)}) == 5
    assert VN not in others
    assert VN.zone == "Asia/Ho_Chi_Minh"


def test_a_calendar_travels_to_another_process() -> None:
    VN.elapsed(NOON, NOON)
    packed = pickle.dumps(VN)
    assert len(packed) < 10_000
    assert pickle.loads(packed) == VN
    assert pickle.loads(packed).add(NOON, H) == VN.add(NOON, H)


def test_segments_give_the_same_seconds_to_anyone_who_adds_them_up() -> None:
    table = VN.segments
    assert table.opens.dtype == table.closes.dtype == "datetime64[us]"
    assert table.cumulative.dtype == np.int64
    assert table.cumulative[0] == 0
    lengths = (table.closes - table.opens).astype("timedelta64[s]").astype(np.int64)
    assert (np.diff(table.cumulative) == lengths[:-1]).all()
    assert (table.closes[:-1] <= table.opens[1:]).all()
    with pytest.raises(ValueError, match="read-only"):
        table.opens[0] = np.datetime64("2000-01-01")

    def worked(moment: datetime) -> float:
        before = int(np.searchsorted(table.closes, utc64(moment)[0], side="right"))
        inside = (utc64(moment)[0] - table.opens[before]) / np.timedelta64(1, "s")
        return float(table.cumulative[before] + max(0.0, inside))

    start, end = at("13/02/2026 16:10"), at("23/02/2026 14:20")
    assert worked(end) - worked(start) == VN.elapsed(start, end)
