"""How a written working calendar becomes segment arrays: definition checked, wall clock to UTC, constant-time look-up.

Everything here is int64 microseconds: instants since 1970-01-01T00:00Z ("µs UTC"), wall-clock readings written as if
they were UTC ("µs wall"), and working time ("µs worked"). The public class is in ``tthc_monitor.domain.worktime``.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from tthc_monitor.domain.errors import CalendarError

Int64 = npt.NDArray[np.int64]
Hours = tuple[tuple[int, int], ...]
"""Working intervals of one day: minutes after midnight, half-open, in order, not overlapping."""

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
NAT: Final = int(np.iinfo(np.int64).min)
FAR: Final = 2**62
"""Opening instant of the segment after the last one: later than any instant, small enough to add and subtract."""


def parse_hours(raw: Sequence[Sequence[str]], where: str) -> Hours:
    """Check the intervals of one day.

    Args:
        raw: pairs (open, close), each "HH:MM"; a close may be "24:00". Empty means no working time.
        where: what the intervals belong to ("mon", "2026-01-10"), for the message.

    Raises:
        CalendarError: not a time, closing not after opening, or overlapping intervals.
    """

    def minutes(text: Any, latest: int) -> int:
        if not isinstance(text, str):
            raise CalendarError(f'{where}: time {text!r} is not text; write it in quotes, like "07:30"')
        found = re.fullmatch(r"([0-9]{2}):([0-5][0-9])", text)
        value = int(found[1]) * 60 + int(found[2]) if found else -1
        if not 0 <= value <= latest:
            raise CalendarError(f'{where}: "{text}" is not a time of day; write HH:MM, 00:00 to 23:59, close to 24:00')
        return value

    hours: list[tuple[int, int]] = []
    for pair in raw:
        if isinstance(pair, str) or len(pair) != 2:
            raise CalendarError(f'{where}: {pair!r} is not an interval; write two times, like ["07:30", "11:30"]')
        opening, closing = minutes(pair[0], 24 * 60 - 1), minutes(pair[1], 24 * 60)
        if closing <= opening:
            raise CalendarError(f"{where}: closes at {pair[1]}, not after {pair[0]}; split an interval at midnight")
        hours.append((opening, closing))
    hours.sort()
    for (_, closing), (opening, _) in pairwise(hours):
        if opening < closing:
            clock = f"{opening // 60:02}:{opening % 60:02}"
            raise CalendarError(f"{where}: intervals overlap at {clock}; make them one, or separate them")
    return tuple(hours)


def parse_week(week: Mapping[str, Sequence[Sequence[str]]], where: str = "") -> tuple[Hours, ...]:
    """Check the hours of a week, Monday to Sunday; a day not named has none.

    Raises:
        CalendarError: an unknown day, or hours that :func:`parse_hours` refuses.
    """
    unknown = [name for name in week if name not in WEEKDAYS]
    if unknown:
        raise CalendarError(f"week has unknown day {unknown[0]!r}; use {', '.join(WEEKDAYS)}")
    return tuple(parse_hours(week.get(name, ()), where + name) for name in WEEKDAYS)


@dataclass(frozen=True)
class Definition:
    """A checked calendar: all that its results depend on (besides the time zone database)."""

    zone: str
    week: tuple[Hours, ...]
    days_off: tuple[date, ...]
    overrides: tuple[tuple[date, Hours], ...]
    horizon: tuple[date, date]
    weeks: tuple[tuple[date, tuple[Hours, ...]], ...] = ()
    """Weeks that hold from a day on, in order; before the first of these days holds ``week``."""

    @classmethod
    def parse(
        cls,
        zone: str,
        week: Mapping[str, Sequence[Sequence[str]]],
        days_off: Iterable[date],
        overrides: Mapping[date, Sequence[Sequence[str]]],
        horizon: tuple[date, date],
        weeks: Iterable[tuple[date, Mapping[str, Sequence[Sequence[str]]]]] = (),
    ) -> Definition:
        """Check what a person wrote and bring it into canonical order.

        Raises:
            CalendarError: naming what is wrong and where.
        """
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            raise CalendarError(f"zone '{zone}' is unknown; use an IANA name such as Asia/Ho_Chi_Minh") from None
        later = tuple((day, parse_week(changed, f"{day} ")) for day, changed in sorted(weeks, key=lambda one: one[0]))
        for (day, _), (following, _) in pairwise(later):
            if day == following:
                raise CalendarError(f"two weeks begin on {day}; remove one of the two")
        off = tuple(sorted(set(days_off)))
        replaced = tuple(sorted((day, parse_hours(raw, str(day))) for day, raw in overrides.items()))
        if horizon[0] >= horizon[1]:
            raise CalendarError(f"horizon {horizon[0]} to {horizon[1]} is empty; give a first day and a later end")
        for day in (*off, *(day for day, _ in replaced), *(day for day, _ in later)):
            if isinstance(day, datetime) or not horizon[0] <= day < horizon[1]:
                raise CalendarError(f"{day} is no day from {horizon[0]} to before {horizon[1]}; widen the horizon")
        hours = parse_week(week)
        if not any(
            intervals for one in (hours, *(one for _, one in later), [day[1] for day in replaced]) for intervals in one
        ):
            raise CalendarError("the calendar has no working time at all; give hours to a day of its week")
        return cls(zone, hours, off, replaced, horizon, later)

    def fingerprint(self) -> str:
        """SHA-256 (hex) of the canonical definition."""
        canonical = [self.zone, self.week, self.days_off, self.overrides, self.horizon]
        if self.weeks:  # left out where there are none: fingerprints of calendars in use must not change
            canonical.append(self.weeks)
        return hashlib.sha256(json.dumps(canonical, default=str, separators=(",", ":")).encode()).hexdigest()


def daily_hours(definition: Definition) -> tuple[tuple[Hours, ...], npt.NDArray[np.intp]]:
    """The hours that occur, and for each day of the horizon the position of its own among them; no hours are ()."""
    first, last = (_day_number(day) for day in definition.horizon)
    days = np.arange(first, last, dtype=np.int64)
    weekday = (days + 3) % 7  # 1970-01-01 was a Thursday
    starts = np.array([_day_number(day) for day, _ in definition.weeks], dtype=np.int64)
    which = (np.searchsorted(starts, days, side="right") * 7 + weekday).astype(np.intp)
    hours = [one for week in (definition.week, *(week for _, week in definition.weeks)) for one in week]
    replaced = dict.fromkeys(definition.days_off, ()) | dict(definition.overrides)
    for day, own in replaced.items():
        which[_day_number(day) - first] = len(hours)
        hours.append(own)
    which.flags.writeable = False
    return tuple(hours), which


def _day_number(day: date) -> int:
    return int(np.datetime64(day, "D").astype(np.int64))


def wall_segments(definition: Definition) -> tuple[Int64, Int64, npt.NDArray[np.bool_]]:
    """Openings and closings by the wall clock (µs wall, in order), and for each day of the horizon: is it worked."""
    hours, which = daily_hours(definition)
    first = _day_number(definition.horizon[0])
    parts: list[tuple[Int64, Int64]] = []
    order = np.argsort(which, kind="stable").astype(np.int64)
    members = np.split(order + first, np.searchsorted(which[order], np.arange(1, len(hours))))
    for days, intervals in zip(members, hours, strict=True):
        parts += [(days * DAY + opening * MINUTE, days * DAY + closing * MINUTE) for opening, closing in intervals]
    opens = np.concatenate([opening for opening, _ in parts])
    closes = np.concatenate([closing for _, closing in parts])
    in_time = np.argsort(opens)
    worked = np.array([bool(intervals) for intervals in hours], dtype=np.bool_)[which]
    return opens[in_time], closes[in_time], worked


@lru_cache(maxsize=8)
def offset_regimes(zone: str, horizon: tuple[date, date]) -> tuple[Int64, Int64]:
    """When the zone's distance to UTC changes: start of each regime (µs UTC, the first long ago) and its offset (µs).

    Looks once per day and bisects to the second where two looks differ. Two changes that cancel each other within one
    day would be missed; the time zone database has none after 1970.
    """
    info = ZoneInfo(zone)

    def offset(second: int) -> int:
        delta = datetime.fromtimestamp(second, info).utcoffset()
        assert delta is not None
        return int(delta.total_seconds())

    first, last = (int(np.datetime64(day, "s").astype(np.int64)) for day in horizon)
    starts, offsets = [-FAR], [offset(first - 86_400)]
    for second in range(first, last + 2 * 86_400, 86_400):
        now = offset(second)
        if now != offsets[-1]:
            before, after = second - 86_400, second
            while after - before > 1:
                middle = (before + after) // 2
                before, after = (middle, after) if offset(middle) == offsets[-1] else (before, middle)
            starts.append(after * SECOND)
            offsets.append(now)
    return np.array(starts, dtype=np.int64), np.array(offsets, dtype=np.int64) * SECOND


def wall_to_utc(wall: Int64, starts: Int64, offsets: Int64) -> Int64:
    """The first instant at which a clock on the wall shows ``wall`` or later.

    So a reading that occurs twice (clocks set back) means its first occurrence, and one that never occurs (clocks set
    forward) means the change itself. Both the end of one interval and the start of the next move alike, and intervals
    that touch on paper still touch.
    """
    shown_until = np.append(starts[1:] + offsets[:-1], FAR)
    regime = np.searchsorted(shown_until, wall, side="right")
    first: Int64 = np.maximum(wall - offsets[regime], starts[regime])
    return first


class StepIndex:
    """Counts the keys <= x, like ``np.searchsorted(keys, x, "right")``, in constant time per x.

    The range is cut into equal buckets; the count at each bucket's start is stored, and keys inside the bucket are
    compared one by one. When all keys lie on a grid (hours and half hours do), the bucket is that grid: no key lies
    inside a bucket and nothing is compared.
    """

    def __init__(self, keys: Int64, first: int, last: int) -> None:
        grid = int(np.gcd.reduce(keys - first))
        self._width = min(grid, DAY) if grid >= 15 * MINUTE else HOUR
        self._first = first
        self._keys = np.append(keys, np.int64(FAR))
        edges = np.arange(first, last + 2 * self._width, self._width, dtype=np.int64)
        self._count = np.searchsorted(keys, edges, side="right").astype(np.intp)
        inside = np.searchsorted(keys, edges + (self._width - 1), side="right") - self._count
        self._steps = int(inside.max())

    def count(self, x: Int64) -> npt.NDArray[np.intp]:
        """Number of keys <= x, for x from the first to the last of the range."""
        if self._steps > 4:  # a calendar of many tiny intervals: searching is cheaper than stepping
            return np.searchsorted(self._keys, x, side="right")
        bucket = x - self._first
        bucket //= self._width
        found = self._count.take(bucket, mode="clip")
        for _ in range(self._steps):
            found += self._keys.take(found, mode="clip") <= x
        return found


class SegmentTable:
    """Segments of a horizon with W, the working time passed since its start, and the way back from W to an instant."""

    def __init__(self, definition: Definition) -> None:
        starts, offsets = offset_regimes(definition.zone, definition.horizon)
        edges = np.array(definition.horizon, dtype="datetime64[us]").astype(np.int64)
        self.first, self.last = (int(edge) for edge in wall_to_utc(edges, starts, offsets))
        opens, closes, worked = wall_segments(definition)
        opens, closes = wall_to_utc(opens, starts, offsets), wall_to_utc(closes, starts, offsets)
        real = closes > opens  # an interval may fall whole into an hour that the clocks skip
        self.opens, self.closes = opens[real], closes[real]
        if not self.opens.size:
            raise CalendarError("the calendar has no working time within its horizon; give hours or widen the horizon")
        ends = np.cumsum(self.closes - self.opens)
        self.before = ends - (self.closes - self.opens)
        self.total = int(ends[-1])
        self.first_day = definition.horizon[0]
        self.span = f"the calendar's horizon, {definition.horizon[0]} to before {definition.horizon[1]}"
        self.worked = worked
        self.workdays_until = np.cumsum(worked, dtype=np.int64)
        self.workdays = np.flatnonzero(worked).astype(np.int64)
        # One more segment that opens never, so that after the last closing W stays at the total.
        self.next_open = np.append(self.opens, np.int64(FAR))
        self._shift = np.append(self.before - self.opens, np.int64(self.total - FAR))
        self._by_close = StepIndex(self.closes, self.first, self.last)
        self._by_worked = StepIndex(ends, 0, self.total)

    def segment(self, t: Int64) -> npt.NDArray[np.intp]:
        """Index of the first segment that closes after ``t`` (µs UTC); the number of segments when none does."""
        return self._by_close.count(t)

    def worked_until(self, t: Int64) -> Int64:
        """W(t): µs worked from the start of the horizon until ``t`` (µs UTC)."""
        segment = self._by_close.count(t)
        worked = self.next_open.take(segment, mode="clip")
        np.maximum(worked, t, out=worked)
        worked += self._shift.take(segment, mode="clip")
        return worked

    def earliest(self, worked: Int64) -> Int64:
        """The first instant (µs UTC) with W = ``worked``, for 0 < worked <= total: a closing when a segment is full."""
        t: Int64 = worked - self._shift.take(self._by_worked.count(worked - 1), mode="clip")
        return t

    def latest(self, worked: Int64) -> Int64:
        """The last instant (µs UTC) with W = ``worked``, for 0 <= worked < total: an opening when a segment is full."""
        t: Int64 = worked - self._shift.take(self._by_worked.count(worked), mode="clip")
        return t
