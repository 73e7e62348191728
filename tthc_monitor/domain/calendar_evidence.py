"""What lies between two instants besides ordinary days: for the ledger that explains a verdict."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from zoneinfo import ZoneInfo

from tthc_monitor.domain.calendars import CalendarSpec, week_on, weekday
from tthc_monitor.domain.errors import CalendarError


@dataclass(frozen=True)
class Crossing:
    """One special day between two instants, or all days of weekly rest together.

    ``kind``
        ``off``: a day off; ``worked``: a day of weekly rest that is worked, as in exchange for another day; ``hours``:
        a working day with other hours than its weekday's; ``weekly_rest``: the days on which nobody works in any week,
        counted in ``days`` and not listed. A day off on a day of weekly rest is listed as ``off`` and counted nowhere
        else.
    ``counts``
        whether the day would have had other hours if nothing had been said about it.
    ``of_unit``
        whether the unit itself says so, and not the office at large.
    """

    kind: Literal["off", "worked", "hours", "weekly_rest"]
    first_day: dt.date
    last_day: dt.date
    days: int
    name: str | None = None
    document: str | None = None
    hours: tuple[tuple[str, str], ...] = ()
    counts: bool = True
    of_unit: bool = False


def days_crossed(spec: CalendarSpec, unit_code: str | None, start: dt.datetime, end: dt.datetime) -> list[Crossing]:
    """Special days touched by [start, end) in the calendar's zone, in order of days, weekly rest last.

    Returns:
        an empty list when ``end`` is not after ``start``.

    Raises:
        CalendarError: an instant without zone.
    """
    if start.tzinfo is None or end.tzinfo is None:
        raise CalendarError("days between naive instants cannot be told; give instants with a zone")
    if end <= start:
        return []
    zone = ZoneInfo(spec.zone)
    first, last = start.astimezone(zone).date(), (end - dt.timedelta(microseconds=1)).astimezone(zone).date()
    units = spec.units_of(unit_code)
    special, weeks = spec.special_days_of(units), spec.weeks_of(units)
    found: list[Crossing] = []
    rest: list[dt.date] = []
    for day in (first + dt.timedelta(days=number) for number in range((last - first).days + 1)):
        usual = _canonical(week_on(weeks, day).get(weekday(day), ()))
        if day not in special:
            if not usual:
                rest.append(day)
            continue
        said, own = special[day]
        hours = _canonical(spec.hours_of(said, units))
        kind: Literal["off", "worked", "hours"] = "off" if not hours else "hours" if usual else "worked"
        document = said.document or (units.document if own and units is not None else None)
        found.append(Crossing(kind, day, day, 1, said.name, document, hours, hours != usual, own))
    if rest:
        found.append(Crossing("weekly_rest", rest[0], rest[-1], len(rest)))
    return found


def _canonical(hours: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(hours))
