"""Days and clock times as the people of a calendar's zone see them, and the bounds within which a calendar answers.

Arrays only: instants are ``datetime64[us]`` in UTC, days ``datetime64[D]``, clock times ``timedelta64[us]`` since
midnight. NaT gives NaT. Nothing here raises for an instant or a day outside the calendar: it becomes NaT.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import pandas as pd

from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.worktime_arrays import PauseColumns, Times

Spans = npt.NDArray[np.timedelta64]

DAY: Final = np.timedelta64(1, "D")
MICROSECOND: Final = np.timedelta64(1, "us")


def wall(instants: Times, zone: str) -> tuple[Times, Spans]:
    """The day and the clock time of every instant in a zone."""
    local = pd.DatetimeIndex(instants).tz_localize("UTC").tz_convert(zone).tz_localize(None)
    read = np.asarray(local, dtype="datetime64[us]")
    days = read.astype("datetime64[D]")
    return days, read - days


def instant(days: Times, clock: Spans | np.timedelta64, zone: str) -> Times:
    """The first instant at which the clocks of a zone show this time of this day, or a later one."""
    local = pd.DatetimeIndex((days + clock).astype("datetime64[us]"))
    first = np.ones(len(local), dtype=np.bool_)
    aware = local.tz_localize(zone, ambiguous=first, nonexistent="shift_forward")
    return np.asarray(aware.tz_convert("UTC").tz_localize(None), dtype="datetime64[us]")


@dataclass(frozen=True)
class Bounds:
    """What a calendar can answer about: its first opening, its last closing, and the days of both."""

    first: np.datetime64
    last: np.datetime64
    first_day: np.datetime64
    last_day: np.datetime64

    def within(self, instants: Times) -> Times:
        """The instants, NaT where there is no working time before or after them."""
        return np.where((instants >= self.first) & (instants < self.last), instants, np.datetime64("NaT"))

    def days_within(self, days: Times) -> Times:
        """The days, NaT outside the calendar."""
        return np.where((days >= self.first_day) & (days <= self.last_day), days, np.datetime64("NaT"))


_BOUNDS: Final[WeakKeyDictionary[WorkCalendar, Bounds]] = WeakKeyDictionary()


def bounds(calendar: WorkCalendar) -> Bounds:
    """The bounds of a calendar; found once, and forgotten with it."""
    found = _BOUNDS.get(calendar)
    if found is None:
        segments = calendar.segments
        edges = np.array([segments.opens[0], segments.closes[-1] - MICROSECOND])
        days, _ = wall(edges, calendar.zone)
        found = _BOUNDS[calendar] = Bounds(edges[0], segments.closes[-1], days[0], days[1])
    return found


def workday_after(calendar: WorkCalendar, days: Times, n: npt.NDArray[np.int64]) -> Times:
    """The n-th working day after each day (0: the day itself); NaT beyond the calendar."""
    within = bounds(calendar)
    known = within.days_within(days)
    left = calendar.count_workdays(known, np.full(known.shape, within.last_day))
    enough = left >= n  # False where NaT
    return calendar.add_workdays(np.where(enough, known, np.datetime64("NaT")), np.where(enough, n, 0))


def worked_day(calendar: WorkCalendar, days: Times) -> Times:
    """Each day itself when it is worked, else the next that is."""
    known = bounds(calendar).days_within(days)
    return workday_after(calendar, known, (~calendar.is_workday(known)).astype(np.int64))


def opening(calendar: WorkCalendar, days: Times) -> Times:
    """The first opening of each working day."""
    return calendar.next_working(instant(days, np.timedelta64(0, "us"), calendar.zone))


def closing(calendar: WorkCalendar, days: Times) -> Times:
    """The last closing of each working day."""
    return calendar.previous_working(instant(days + DAY, np.timedelta64(0, "us"), calendar.zone))


def after(calendar: WorkCalendar, start: Times, seconds: npt.NDArray[np.float64], pauses: PauseColumns) -> Times:
    """The earliest instant by which so many unpaused working seconds have passed since ``start``; NaT when none comes."""
    within = bounds(calendar)
    start = within.within(start)
    none: Any = () if not len(pauses.row) else pauses
    left = calendar.elapsed(start, np.full(start.shape, within.last), none)
    return calendar.add(start, np.where(left >= seconds, seconds, np.nan), none)
