"""Laws that hold for every calendar, and agreement with an oracle that looks at the clock every minute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tthc_monitor.domain.worktime import PauseColumns, WorkCalendar

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ZONES = ("Asia/Ho_Chi_Minh", "America/New_York", "UTC", "Australia/Lord_Howe", "America/Santiago")
HORIZON = (date(2025, 6, 1), date(2027, 6, 1))
MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
settings.register_profile("worktime", deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=80)
LAWS = settings.get_profile("worktime")

Hours = list[tuple[str, str]]
Pauses = list[tuple[datetime, datetime | None]]


@dataclass(frozen=True)
class Case:
    """A calendar, and the same definition in the plain form that the oracle reads."""

    calendar: WorkCalendar
    zone: ZoneInfo
    week: dict[str, Hours]
    days_off: list[date]
    overrides: dict[date, Hours]

    def hours(self, day: date) -> Hours:
        if day in self.overrides:
            return self.overrides[day]
        return [] if day in self.days_off else self.week.get(DAYS[day.weekday()], [])

    def open_at(self, moment: datetime) -> bool:
        """What a person would say who looks at the clock on the wall."""
        wall = moment.astimezone(self.zone)
        clock = f"{wall.hour:02}:{wall.minute:02}"
        return any(opens <= clock < closes for opens, closes in self.hours(wall.date()))


def minutes(start: datetime) -> Iterator[datetime]:
    moment = start.replace(second=0, microsecond=0)
    while True:
        yield moment
        moment += MINUTE


def paused(moment: datetime, pauses: Pauses) -> bool:
    return any(begin <= moment and (end is None or moment < end) for begin, end in pauses)


def walked_elapsed(case: Case, start: datetime, end: datetime, pauses: Pauses) -> timedelta:
    total = timedelta(0)
    for moment in minutes(start):
        if moment >= end:
            return total
        if case.open_at(moment) and not paused(moment, pauses):
            total += min(moment + MINUTE, end) - max(moment, start)
    raise AssertionError


def walked_add(case: Case, start: datetime, wanted: timedelta, pauses: Pauses) -> datetime:
    if not wanted:
        return start
    for moment in minutes(start):
        if case.open_at(moment) and not paused(moment, pauses):
            begin = max(moment, start)
            if moment + MINUTE - begin >= wanted:
                return begin + wanted
            wanted -= moment + MINUTE - begin
    raise AssertionError


# Quarter hours. An edge inside the hour that occurs twice is left to the table tests: there "the first time" is a
# convention, while a person looking at the clock would say open twice.
EDGES = [quarter for quarter in range(97) if not 4 < quarter < 8]


def clock(quarter: int) -> str:
    return f"{quarter // 4:02}:{quarter % 4 * 15:02}"


@st.composite
def hours(draw: st.DrawFn) -> Hours:
    edges = sorted(draw(st.lists(st.sampled_from(EDGES), unique=True, max_size=6)))
    return [(clock(a), clock(b)) for a, b in zip(edges[::2], edges[1::2], strict=False)]


near = st.dates(date(2025, 9, 1), date(2027, 3, 1))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    week = draw(st.dictionaries(st.sampled_from(DAYS), hours(), max_size=7))
    week["wed"] = [("09:00", "10:15")]  # so that the oracle need not walk for months
    zone = draw(st.sampled_from(ZONES))
    days_off = draw(st.lists(near, max_size=4))
    overrides = draw(st.dictionaries(near, hours(), max_size=4))
    calendar = WorkCalendar(zone, week, days_off, overrides, horizon=HORIZON)
    return Case(calendar, ZoneInfo(zone), week, days_off, overrides)


moments = st.one_of(
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 20)),
    # around the changes of clocks
    st.datetimes(datetime(2026, 3, 7), datetime(2026, 3, 9)),
    st.datetimes(datetime(2026, 4, 4), datetime(2026, 4, 6)),
    st.datetimes(datetime(2026, 10, 31), datetime(2026, 11, 2)),
).map(lambda moment: moment.replace(tzinfo=UTC))
whole_minutes = moments.map(lambda moment: moment.replace(second=0, microsecond=0))
spans = st.integers(0, 5 * 24 * 3600 * 10**6).map(lambda micros: micros * MICROSECOND)
wanted_times = st.integers(0, 2 * 3600 * 10**6).map(lambda micros: micros * MICROSECOND)


@st.composite
def pauses_near(draw: st.DrawFn, start: datetime) -> Pauses:
    begin = start.replace(second=0, microsecond=0)
    pairs = draw(st.lists(st.tuples(st.integers(-3000, 8000), st.integers(0, 3000)), max_size=4))
    return [(begin + a * MINUTE, begin + (a + b) * MINUTE) for a, b in pairs]


def us(seconds: float) -> int:
    return round(seconds * 1e6)


def utc64(moments: list[datetime | None]) -> Any:
    return np.array([None if m is None else m.replace(tzinfo=None) for m in moments], dtype="datetime64[us]")


@settings(LAWS)
@given(case=cases(), start=moments, span=spans, data=st.data())
def test_elapsed_agrees_with_looking_at_the_clock(case: Case, start: datetime, span: timedelta, data: Any) -> None:
    pauses = data.draw(pauses_near(start))
    walked = walked_elapsed(case, start, start + span, pauses)
    assert us(case.calendar.elapsed(start, start + span, pauses)) == walked // MICROSECOND


@settings(LAWS)
@given(case=cases(), start=moments, wanted=wanted_times, data=st.data())
def test_add_agrees_with_looking_at_the_clock(case: Case, start: datetime, wanted: timedelta, data: Any) -> None:
    pauses = data.draw(pauses_near(start))
    assert case.calendar.add(start, wanted.total_seconds(), pauses) == walked_add(case, start, wanted, pauses)


@settings(LAWS)
@given(case=cases(), moment=moments)
def test_single_instants_agree_with_looking_at_the_clock(case: Case, moment: datetime) -> None:
    calendar = case.calendar
    assert calendar.is_working(moment) is case.open_at(moment)
    after, before = calendar.next_working(moment), calendar.previous_working(moment)
    assert before <= moment <= after
    assert case.open_at(after)
    if case.open_at(moment):
        assert after == before == moment
    else:
        assert not case.open_at(before)
        assert case.open_at(before - MICROSECOND)
        assert not case.open_at(after - MICROSECOND)
        assert calendar.elapsed(before, after) == 0


@settings(LAWS)
@given(case=cases(), start=moments, wanted=wanted_times, data=st.data())
def test_elapsed_inverts_add_and_add_is_the_earliest(case: Case, start: datetime, wanted: timedelta, data: Any) -> None:
    pauses = data.draw(pauses_near(start))
    end = case.calendar.add(start, wanted.total_seconds(), pauses)
    assert us(case.calendar.elapsed(start, end, pauses)) == wanted // MICROSECOND
    if wanted:
        assert us(case.calendar.elapsed(start, end - MICROSECOND, pauses)) == wanted // MICROSECOND - 1


@settings(LAWS)
@given(case=cases(), end=moments, wanted=wanted_times)
def test_elapsed_inverts_subtract_and_subtract_is_the_latest(case: Case, end: datetime, wanted: timedelta) -> None:
    start = case.calendar.subtract(end, wanted.total_seconds())
    assert us(case.calendar.elapsed(start, end)) == wanted // MICROSECOND
    if wanted:
        assert us(case.calendar.elapsed(start + MICROSECOND, end)) == wanted // MICROSECOND - 1
        assert case.calendar.is_working(start)


@settings(LAWS)
@given(case=cases(), three=st.tuples(moments, moments, moments).map(sorted))
def test_elapsed_adds_up_and_never_runs_backwards(case: Case, three: list[datetime]) -> None:
    a, b, c = three
    elapsed = case.calendar.elapsed
    assert us(elapsed(a, b)) + us(elapsed(b, c)) == us(elapsed(a, c))
    assert 0 <= elapsed(a, b) <= min(elapsed(a, c), (b - a).total_seconds())
    assert elapsed(c, a) == 0


@settings(LAWS)
@given(case=cases(), start=moments, later=spans, wanted=st.tuples(wanted_times, wanted_times).map(sorted))
def test_add_is_monotone(case: Case, start: datetime, later: timedelta, wanted: list[timedelta]) -> None:
    less, more = (value.total_seconds() for value in wanted)
    assert start <= case.calendar.add(start, less) <= case.calendar.add(start, more)
    assert case.calendar.add(start, more) <= case.calendar.add(start + later, more)


@settings(LAWS)
@given(case=cases(), start=moments, span=spans, wanted=wanted_times, data=st.data())
def test_pauses_never_shorten_and_overlaps_count_once(
    case: Case, start: datetime, span: timedelta, wanted: timedelta, data: Any
) -> None:
    pauses, seconds = data.draw(pauses_near(start)), wanted.total_seconds()
    elapsed, add = case.calendar.elapsed, case.calendar.add
    end = start + span
    assert 0 <= elapsed(start, end, pauses) <= elapsed(start, end)
    assert add(start, seconds, pauses) >= add(start, seconds)
    again = pauses + list(reversed(pauses)) + [(begin, begin + (stop - begin) / 2) for begin, stop in pauses if stop]
    assert elapsed(start, end, again) == elapsed(start, end, pauses)
    assert add(start, seconds, again) == add(start, seconds, pauses)
    alone = sum(us(elapsed(start, end)) - us(elapsed(start, end, [pause])) for pause in pauses)
    assert us(elapsed(start, end)) - us(elapsed(start, end, pauses)) <= alone


@settings(LAWS)
@given(case=cases(), rows=st.lists(st.tuples(moments, moments, wanted_times), min_size=1, max_size=6), data=st.data())
def test_arrays_give_what_scalars_give(case: Case, rows: list[tuple[datetime, datetime, timedelta]], data: Any) -> None:
    pauses = [data.draw(pauses_near(start)) for start, _, _ in rows]
    lines = data.draw(st.permutations([(row, *pause) for row, several in enumerate(pauses) for pause in several]))
    columns = PauseColumns(
        np.array([line[0] for line in lines], dtype=np.int64),
        utc64([line[1] for line in lines]),
        utc64([line[2] for line in lines]),
    )
    starts, ends = utc64([row[0] for row in rows]), utc64([row[1] for row in rows])
    seconds = np.array([row[2].total_seconds() for row in rows])
    calendar = case.calendar
    single = [calendar.elapsed(a, b, several) for (a, b, _), several in zip(rows, pauses, strict=True)]
    assert calendar.elapsed(starts, ends, columns).tolist() == single
    added = [calendar.add(a, s.total_seconds(), several) for (a, _, s), several in zip(rows, pauses, strict=True)]
    assert calendar.add(starts, seconds, columns).tolist() == [moment.replace(tzinfo=None) for moment in added]


@settings(LAWS)
@given(case=cases(), day=near, n=st.integers(0, 8))
def test_workdays_agree_with_leafing_through_the_calendar(case: Case, day: date, n: int) -> None:
    found, left = day, n
    while left:
        found += timedelta(days=1)
        left -= bool(case.hours(found))
    assert case.calendar.add_workdays(day, n) == found
    assert case.calendar.count_workdays(day, found) == n
    assert case.calendar.is_workday(day) is bool(case.hours(day))


@pytest.mark.parametrize("zone", ZONES)
def test_a_whole_year_agrees_with_looking_at_the_clock_each_hour(zone: str) -> None:
    week = {day: [("00:00", "05:00"), ("07:00", "11:00"), ("13:00", "24:00")] for day in DAYS[:6]}
    case = Case(WorkCalendar(zone, week, horizon=HORIZON), ZoneInfo(zone), week, [], {})
    hours_of_year = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=30 * step) for step in range(2 * 8760)]
    expected = [case.open_at(moment) for moment in hours_of_year]
    assert case.calendar.is_working(utc64(list(hours_of_year))).tolist() == expected
