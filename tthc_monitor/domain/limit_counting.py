"""From the start of the clock to the due instant: working hours, working days, calendar days, months, the same day.

Every function takes the rows of one limit unit and one policy, and gives ``datetime64[us]`` in UTC; NaT where the
instant cannot come or lies beyond the calendar. A later start is never due earlier, nor a larger amount.

Parts of a unit: half a working day by the clock is half of ``hours_per_day``, and never more than a whole one; days that
end at a closing or at midnight round up; a part of a month is that part of 30 days (Civil Code Art. 146.1), and never
more than a whole one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tthc_monitor.domain.limit_waits import Waits
from tthc_monitor.domain.time_limits import ClockPolicy, LimitUnit
from tthc_monitor.domain.wall_clock import (
    DAY,
    MICROSECOND,
    after,
    bounds,
    closing,
    instant,
    opening,
    wall,
    workday_after,
    worked_day,
)
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.worktime_arrays import Floats, PauseColumns, Times

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Count:
    """How the rows at hand are counted: their calendar, policy, unit, and an amount and extra working days per row."""

    calendar: WorkCalendar
    policy: ClockPolicy
    unit: LimitUnit
    amount: Floats
    extra: Floats

    def of(self, rows: npt.NDArray[np.int64]) -> Count:
        """The same for some of the rows."""
        return Count(self.calendar, self.policy, self.unit, self.amount[rows], self.extra[rows])

    @property
    def by_day(self) -> bool:
        """Whether days of the calendar on the wall are counted, in which a wait is a number of days too."""
        return self.unit in ("calendar_day", "month")

    @property
    def in_hours(self) -> bool:
        """Whether working hours are counted and nothing else."""
        return self.unit == "working_hour" or (self.unit == "working_day" and self.policy.working_day == "hours")

    @property
    def to_closing(self) -> bool:
        """Whether the last day is a working day that counts until its closing."""
        whole_first_day = self.policy.day_zero == "counted"
        return self.unit == "same_day" or (
            self.unit == "working_day"
            and not self.in_hours
            and (whole_first_day or self.policy.working_day == "end_of_day")
        )


def due(count: Count, start: Times, waits: Waits) -> Times:
    """The due instant of a clock that starts at ``start`` (working instants or NaT) and stands still during ``waits``.

    Of a limit in calendar days or months a wait takes as many days as lie between its first and its last; of every other
    it takes the working time within it. A wait that begins at or after the due instant changes nothing.
    """
    if count.by_day:
        return day_end(count, _paused_days(count, start, waits))
    if count.in_hours:
        # A first day that counts whole may have used up its hours before the clock starts: then there are none left.
        return np.maximum(after(count.calendar, _from(count, start), _seconds(count), waits.pauses), start)
    unpaused = _closing_due(count, start) if count.to_closing else _clock_due(count, start)
    rows = np.unique(waits.row)
    if not rows.size:
        return unpaused
    allowed = count.calendar.elapsed(start[rows], unpaused[rows])
    at = after(count.calendar, start[rows], allowed, waits.of(rows, start.size).pauses)
    unpaused[rows] = _settled(count, unpaused[rows], at)
    return unpaused


def lengthened(count: Count, dues: Times, waited: Floats, days: Whole) -> Times:
    """Due instants moved on by working seconds, or by days where days are counted."""
    if count.by_day:
        # A due instant at midnight belongs to the day before.
        last, _ = wall(dues - MICROSECOND, count.calendar.zone)
        return np.where(days > 0, day_end(count, last + days.astype("timedelta64[D]"), extra=False), dues)
    none = PauseColumns(np.empty(0, np.int64), dues[:0], dues[:0])
    return np.where(waited > 0, _settled(count, dues, after(count.calendar, dues, waited, none)), dues)


def day_end(count: Count, last: Times, *, extra: bool = True) -> Times:
    """The end of a limit whose last day is given: a day off moves it to the next working day (Civil Code Art. 148.5)."""
    days = worked_day(count.calendar, last)
    if extra:
        days = workday_after(count.calendar, days, _up(count.extra))
    if count.policy.day_ends == "closing":
        return closing(count.calendar, days)
    return instant(days + DAY, np.timedelta64(0, "us"), count.calendar.zone)


def last_days(count: Count, start: Times) -> Times:
    """The last day of a limit in calendar days or months, before days off are looked at (Civil Code Art. 147, 148)."""
    first, _ = wall(start, count.calendar.zone)
    if count.unit == "calendar_day":
        last = first + _up(count.amount).astype("timedelta64[D]")
    else:
        months = np.floor(count.amount).astype(np.int64)
        part = np.ceil(np.round((count.amount - months) * 30, 6)).astype("timedelta64[D]")
        last = np.minimum(months_after(first, months) + part, months_after(first, months + 1))
    first_counts = np.timedelta64(1 if count.policy.day_zero == "counted" else 0, "D")
    return np.asarray(last - first_counts)


def months_after(days: Times, n: Whole) -> Times:
    """The day of the same number n months later, or the last day of that month (Civil Code Art. 148.3)."""
    months = days.astype("datetime64[M]")
    number = days - months.astype("datetime64[D]")
    target = months + n.astype("timedelta64[M]")
    last = (target + np.timedelta64(1, "M")).astype("datetime64[D]") - DAY
    return np.asarray(np.minimum(target.astype("datetime64[D]") + number, last))


def _paused_days(count: Count, start: Times, waits: Waits) -> Times:
    """The last day, moved by the days of the waits, each day once; NaT when a wait that counts has no end."""
    last = last_days(count, start)
    covered = start.copy()
    for row, begins, ends in waits.ranks():
        begun = np.maximum(begins, covered[row])
        counts = begins < day_end(count.of(row), last[row])
        ended = np.maximum(ends, begun)
        days = wall(ended, count.calendar.zone)[0] - wall(begun, count.calendar.zone)[0]
        last[row] = np.where(counts, last[row] + days, last[row])
        covered[row] = np.where(counts, ended, covered[row])
    return last


def _seconds(count: Count) -> Floats:
    """The whole amount in working seconds."""
    day = count.policy.hours_per_day * 3600
    amount = count.amount * (3600 if count.unit == "working_hour" else day)
    return np.asarray(np.round(amount + count.extra * day, 6), dtype=np.float64)


def _from(count: Count, start: Times) -> Times:
    """Where hours count from: the start, or the opening of a first day that counts whole."""
    if count.unit == "working_hour" or count.policy.day_zero == "not_counted":
        return start
    return opening(count.calendar, wall(start, count.calendar.zone)[0])


def _closing_due(count: Count, start: Times) -> Times:
    days, _ = wall(start, count.calendar.zone)
    if count.unit == "same_day":
        n = _up(count.extra)
    else:
        n = _up(count.amount + count.extra) - (1 if count.policy.day_zero == "counted" else 0)
    return closing(count.calendar, workday_after(count.calendar, days, np.maximum(n, 0)))


def _clock_due(count: Count, start: Times) -> Times:
    total = np.round(count.amount + count.extra, 6)
    whole = np.floor(total).astype(np.int64)
    out = _same_clock(count.calendar, start, whole)
    parts = np.flatnonzero(total > whole)
    if parts.size:
        none = PauseColumns(np.empty(0, np.int64), start[:0], start[:0])
        seconds = (total[parts] - whole[parts]) * count.policy.hours_per_day * 3600
        full = _same_clock(count.calendar, start[parts], whole[parts] + 1)
        out[parts] = np.minimum(after(count.calendar, out[parts], seconds, none), full)
    return out


def _same_clock(calendar: WorkCalendar, start: Times, n: Whole) -> Times:
    """The same clock time n working days later: in a break the next opening, after hours the closing of that day."""
    days, clock = wall(start, calendar.zone)
    days = workday_after(calendar, days, n)
    at = bounds(calendar)
    shown = np.clip(instant(days, clock, calendar.zone), at.first, at.last - MICROSECOND)
    return np.minimum(calendar.next_working(shown), closing(calendar, days))


def _settled(count: Count, before: Times, moved: Times) -> Times:
    """Where a due instant comes to lie that was moved by working time; never before where it was."""
    if count.in_hours:
        return np.maximum(before, moved)
    if count.to_closing:
        days, _ = wall(moved - MICROSECOND, count.calendar.zone)
        moved = closing(count.calendar, days)
    else:
        # A clock time that was working stays one: an instant at the closing is the next opening.
        at = bounds(count.calendar)
        opened = count.calendar.next_working(at.within(moved))
        moved = np.where(count.calendar.is_working(before) & ~np.isnat(opened), opened, moved)
    return np.maximum(before, moved)


def _up(amount: Floats) -> Whole:
    return np.ceil(np.round(amount, 6)).astype(np.int64)
