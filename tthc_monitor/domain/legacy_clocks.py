"""How other one-stop systems count time, mistakes included, so that a difference from our figure can be explained.

OpenCPS v2 counts in three ways that disagree: one for due dates when a dossier moves on (:func:`opencps_due`), one for due
dates shown and mended (:func:`opencps_shown_due`), one for the time of a pause (:func:`opencps_elapsed`). e-par counts whole
and half days (:func:`epar_deadline`). None of these is the law's way; that is :mod:`tthc_monitor.domain.lawful_due`.

What the systems do was learnt from published runs and logs; where these are silent the docstring says that we guess.
Instants are aware datetimes of the office's own zone, and come back in it; the systems know the wall clock only.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from tthc_monitor.domain.errors import CalendarError

QUARTER: Final = dt.timedelta(minutes=15)
DAY: Final = dt.timedelta(days=1)
HOURS_A_DAY: Final = 8
MOST_DAYS: Final = 360
"""Days that OpenCPS looks ahead; where it stands then is its answer."""
ZERO: Final = dt.timedelta(0)


@dataclass(frozen=True)
class OpencpsSite:
    """What a site has configured.

    Attributes:
        morning, afternoon: Monday's hours; they hold for every day, also for one whose own row says otherwise.
        weekdays: days (0 Monday to 6 Sunday) with a row of hours, be it an empty one; without any row every day is worked.
        holidays: rows of the holiday table: False for a day off, True for a day worked in exchange.
    """

    morning: tuple[dt.time, dt.time] = (dt.time(7, 30), dt.time(11, 30))
    afternoon: tuple[dt.time, dt.time] = (dt.time(13, 0), dt.time(17, 0))
    weekdays: Collection[int] = (0, 1, 2, 3, 4)
    holidays: Mapping[dt.date, bool] = field(default_factory=dict)

    def has_row(self, day: dt.date) -> bool:
        """Whether the table of hours makes it a working day."""
        return not self.weekdays or day.weekday() in self.weekdays


# -- OpenCPS: due dates ------------------------------------------------------------------------------------------------


def opencps_due(start: dt.datetime, hours: float, site: OpencpsSite) -> dt.datetime:
    """The due date OpenCPS sets when a dossier moves on: so many working hours (8 to a day) after ``start``.

    Walks morning by afternoon for at most 360 days and rounds up to the quarter. It misses a holiday or a worked Saturday
    that has begun at ``start``: only rows of the holiday table from that moment on are read.
    """
    _require_zone(start)
    rows = {day: worked for day, worked in site.holidays.items() if _at(day, dt.time(0), start) >= start}
    left = dt.timedelta(hours=hours)
    now = start
    for _ in range(MOST_DAYS):
        if rows.get(now.date(), site.has_row(now.date())):
            for opens, closes in (site.morning, site.afternoon):
                begin, end = max(now, _at(now, opens, now)), _at(now, closes, now)
                if begin < end:
                    if left < end - begin:
                        return _rounded_up(begin + left)
                    left -= end - begin
        now = _at(now + DAY, site.morning[0], now)
    return _rounded_up(now)


def opencps_shown_due(start: dt.datetime, days: int, hours: float, site: OpencpsSite) -> dt.datetime:
    """The due date OpenCPS shows and mends: the same clock time so many working days later, then so many hours.

    Always moves on to a later quarter. Saturday and Sunday are off whatever the table of hours says. Hours are cut to whole
    ones, are lost when the clock time lies outside hours, and run over into the next weekday even when that is a holiday.
    That hours which run past the morning continue in the afternoon is our guess.
    """
    _require_zone(start)
    now = start
    for _ in range(days):
        now += DAY
        while not site.holidays.get(now.date(), now.weekday() < 5):
            now += DAY
    (opens, noon), (again, closes) = site.morning, site.afternoon
    left = dt.timedelta(hours=int(hours))
    if opens <= now.time() < noon or again <= now.time() < closes:
        if now.time() < noon and left >= _at(now, noon, now) - now:
            left -= _at(now, noon, now) - now
            now = _at(now, again, now)
        if now.time() >= again and left >= _at(now, closes, now) - now:
            left -= _at(now, closes, now) - now
            now = _at(now + DAY, opens, now)
            while now.weekday() >= 5:
                now += DAY
        now += left
    return _rounded_down(now) + QUARTER


# -- OpenCPS: pauses ---------------------------------------------------------------------------------------------------


def opencps_elapsed(start: dt.datetime, end: dt.datetime, site: OpencpsSite) -> float:
    """Working hours OpenCPS finds between two instants.

    An end at or after closing counts all hours of that day since midnight, and a start after closing does not use up its
    day. That days without hours count nothing is our guess.
    """
    _require_zone(start)
    _require_zone(end)
    full = _worked(_at(start, site.afternoon[1], start), site)
    total = ZERO
    day = start.date()
    while day < end.date():
        total += full if _worked_day(day, site) else ZERO
        day += DAY
    if _worked_day(end.date(), site):
        total += end - _at(end, dt.time(0), end) if end.time() >= site.afternoon[1] else _worked(end, site)
    if _worked_day(start.date(), site) and start.time() < site.afternoon[1]:
        total -= _worked(start, site)
    return max(total, ZERO) / dt.timedelta(hours=1)


def opencps_resumed(due: dt.datetime, paused: dt.datetime, resumed: dt.datetime, site: OpencpsSite) -> dt.datetime:
    """The due date after a pause: moved on by what OpenCPS takes for the working time of the pause."""
    return opencps_due(due, opencps_elapsed(paused, resumed, site), site)


# -- OpenCPS: verdict --------------------------------------------------------------------------------------------------


def opencps_verdict(released: dt.datetime | None, due: dt.datetime | None) -> int:
    """OpenCPS's verdict on a dossier: 3 early, 2 on time, 1 late, -1 not released.

    Early is before the half-day of the due date, taken from hours of its own (07:00 to 11:30, and from 13:00 to 17:00), not
    the site's; of a due date outside these, before its day. Without a due date it is early. That both ends of a half-day
    belong to it is our guess.
    """
    if due is None:
        return 3
    if released is None:
        return -1
    _require_zone(released)
    _require_zone(due)
    if released > due:
        return 1
    session = dt.time(0)
    for opens, closes in ((dt.time(7), dt.time(11, 30)), (dt.time(13), dt.time(17))):
        session = opens if opens <= due.time() <= closes else session
    return 3 if released < _at(due, session, due) else 2


# -- e-par -------------------------------------------------------------------------------------------------------------

EPAR_HOURS: Final = (dt.time(11, 30), dt.time(16, 0))
"""Closing of morning and afternoon in the one installation seen."""


def epar_deadline(
    begun: dt.datetime, days: float, days_off: Collection[dt.date], closes: tuple[dt.time, dt.time] = EPAR_HOURS
) -> dt.datetime:
    """The deadline e-par gives a step: whole or half days after it began, at the closing of a half-day.

    What began before noon is due at the end of a morning, what began later at the end of an afternoon: of 0 days on the
    same day, of half a day one half-day later, else after the whole days.
    """
    _require_zone(begun)
    morning = begun.hour < 12
    whole = 0 if days < 1 else math.floor(days)
    half = days == 0.5
    day = begun.date()
    if whole or (half and not morning):
        day = _epar_workday(day, whole or 1, days_off)
    return _at(day, closes[0] if morning != half else closes[1], begun)


def epar_days_left(finished: dt.datetime, deadline: dt.datetime, days_off: Collection[dt.date]) -> int:
    """Whole working days by which a step was finished before its deadline, negative after it.

    The log calls this "days exceeded". A half-day left counts nothing; that it is counted by half-days is our reading of
    the log.
    """
    _require_zone(finished)
    _require_zone(deadline)
    first, last = sorted((finished, deadline))
    day, worked = first.date(), 0
    while day < last.date():
        worked += day not in days_off
        day += DAY
    halves = 2 * worked + (last.hour >= 12) - (first.hour >= 12)
    return (1 if finished <= deadline else -1) * (max(halves, 0) // 2)


def _epar_workday(day: dt.date, n: int, days_off: Collection[dt.date]) -> dt.date:
    """The n-th working day after the first one from ``day`` on."""
    counted = -1
    while True:
        counted += day not in days_off
        if counted == n:
            return day
        day += DAY


# -- within ------------------------------------------------------------------------------------------------------------


def _require_zone(at: dt.datetime) -> None:
    if at.utcoffset() is None:
        raise CalendarError(f"{at} has no time zone; give it the office's, e.g. t.replace(tzinfo=ZoneInfo(...))")


def _at(day: dt.date, clock: dt.time, like: dt.datetime) -> dt.datetime:
    return dt.datetime.combine(day, clock, like.tzinfo)


def _rounded_down(at: dt.datetime) -> dt.datetime:
    return at.replace(minute=at.minute // 15 * 15, second=0, microsecond=0)


def _rounded_up(at: dt.datetime) -> dt.datetime:
    down = _rounded_down(at)
    return down if down == at else down + QUARTER


def _worked_day(day: dt.date, site: OpencpsSite) -> bool:
    return site.holidays.get(day, site.has_row(day))


def _worked(until: dt.datetime, site: OpencpsSite) -> dt.timedelta:
    """Time worked on a day until an instant of it."""
    spans = ((_at(until, opens, until), _at(until, closes, until)) for opens, closes in (site.morning, site.afternoon))
    return sum((max(min(until, closes) - opens, ZERO) for opens, closes in spans), ZERO)
