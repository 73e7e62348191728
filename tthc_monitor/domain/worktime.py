"""Working time as a cumulative coordinate: elapsed time and deadlines without walking over days.

A :class:`WorkCalendar` is compiled once into segments (opening, closing, working seconds before). With W(t), the
working time since the start of the horizon, ``elapsed(a, b) = W(b) - W(a)`` and ``add(t, s)`` is the first instant at
which W reaches ``W(t) + s``. Both are a few array look-ups, for one value and for ten million.

Conventions, for every method:

* One value in gives one value out, arrays in give numpy arrays out; a scalar beside an array counts for every row.
* An instant is an aware ``datetime`` (any zone). Instants come back in UTC: two datetimes of one zone with daylight
  saving compare and subtract by the wall clock in Python, which is wrong by an hour twice a year.
* An array of instants is a numpy ``datetime64`` array, taken as UTC, or a pandas Series or index with a zone. It comes
  back as ``datetime64[us]``, UTC. What is finer than a microsecond is cut off.
* Seconds are real elapsed seconds, as float64: the double nearest to a whole number of microseconds, so
  ``round(seconds * 1e6)`` is exact. Seconds given are rounded to the microsecond.
* A day is a ``date``; an array of days is ``datetime64[D]``. Counts of days in arrays come back as float64.
* NaT in an array gives NaT, NaN or False in its row. A scalar NaT, NaN or None is an error.
* Intervals are half-open: the opening instant is working, the closing instant is not.
* What cannot be answered (a naive time, an instant outside the horizon, no working time left in it) is a
  :class:`~tthc_monitor.domain.errors.CalendarError`; an array fails as a whole and the message names the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Final, overload

import numpy as np
import numpy.typing as npt

from tthc_monitor.domain.errors import CalendarError
from tthc_monitor.domain.worktime_arrays import (
    EPOCH,
    Bools,
    DayArray,
    Floats,
    InstantArray,
    NumberArray,
    Pause,
    PauseColumns,
    Times,
    chunks,
    durations,
    from_microseconds,
    instants,
    pause_columns,
    postponed,
    shape,
)
from tthc_monitor.domain.worktime_arrays import days as days_of
from tthc_monitor.domain.worktime_arrays import paused as paused_in
from tthc_monitor.domain.worktime_segments import SECOND, Definition, Hours, Int64, SegmentTable, daily_hours

__all__ = ["HORIZON", "PauseColumns", "Segments", "WorkCalendar"]

HORIZON: Final = (date(1990, 1, 1), date(2061, 1, 1))


@dataclass(frozen=True, slots=True)
class Segments:
    """The compiled calendar, read-only arrays of one length: W(t) = cumulative + (t - opens) inside a segment."""

    opens: npt.NDArray[np.datetime64]
    """Opening instants, datetime64[us] UTC, in order."""
    closes: npt.NDArray[np.datetime64]
    """Closing instants, datetime64[us] UTC; a segment may close in the instant in which the next one opens."""
    cumulative: npt.NDArray[np.int64]
    """Whole working seconds from the start of the horizon to the opening."""


class WorkCalendar:
    """Working hours of one office: a week, days off, and days with hours of their own.

    Args:
        zone: IANA name of the time zone in which the hours are meant.
        week: "mon" to "sun" to intervals (open "HH:MM", close "HH:MM" or "24:00"); a day not named has no hours.
        days_off: days without hours.
        overrides: hours of single days; they replace the whole day and beat a day off. No intervals: a day off.
        horizon: first day, and the day after the last, for which the calendar answers. Compiled at the first question.
        weeks: weeks that replace the one before from a day on, such as summer hours; ``week`` holds until the first.

    Raises:
        CalendarError: something is malformed; the message names what and where.

    Calendars are equal when their definitions are, horizon included; they can be hashed and pickled.
    """

    def __init__(
        self,
        zone: str,
        week: Mapping[str, Sequence[Sequence[str]]],
        days_off: Iterable[date] = (),
        overrides: Mapping[date, Sequence[Sequence[str]]] | None = None,
        *,
        horizon: tuple[date, date] = HORIZON,
        weeks: Iterable[tuple[date, Mapping[str, Sequence[Sequence[str]]]]] = (),
    ) -> None:
        self._definition = Definition.parse(zone, week, days_off, overrides or {}, horizon, weeks)

    @property
    def zone(self) -> str:
        """IANA name of the calendar's zone."""
        return self._definition.zone

    @property
    def horizon(self) -> tuple[date, date]:
        """First day, and the day after the last, for which the calendar answers."""
        return self._definition.horizon

    @cached_property
    def bounds(self) -> tuple[datetime, datetime]:
        """First and last instant for which the calendar answers, in UTC."""
        first, last = (EPOCH + timedelta(microseconds=edge) for edge in (self._table.first, self._table.last))
        return first, last

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the definition: zone, week, days off, overrides, horizon, and later weeks where there are."""
        return self._definition.fingerprint()

    @cached_property
    def daily_hours(self) -> tuple[tuple[Hours, ...], npt.NDArray[np.intp]]:
        """Hours (minutes after midnight) that occur, and for each day of the horizon the position of its own."""
        return daily_hours(self._definition)

    @cached_property
    def segments(self) -> Segments:
        """The compiled segments, for another place (a database table) to compute the same figures from."""
        table = self._table
        times = (table.opens.astype("datetime64[us]"), table.closes.astype("datetime64[us]"))
        segments = Segments(*times, table.before // SECOND)
        for array in (segments.opens, segments.closes, segments.cumulative):
            array.flags.writeable = False
        return segments

    @cached_property
    def _table(self) -> SegmentTable:
        return SegmentTable(self._definition)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WorkCalendar) and self._definition == other._definition

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __getstate__(self) -> dict[str, Any]:
        return {"_definition": self._definition}  # the table is large and quickly made again

    def __repr__(self) -> str:
        return f"WorkCalendar({self.zone!r}, fingerprint {self.fingerprint[:12]})"

    # -- elapsed, add, subtract ------------------------------------------------------------------------------------

    @overload
    def elapsed(self, start: datetime, end: datetime, pauses: Sequence[Pause] = ()) -> float: ...
    @overload
    def elapsed(
        self, start: InstantArray, end: InstantArray | datetime, pauses: PauseColumns | tuple[()] = ()
    ) -> Floats: ...
    @overload
    def elapsed(self, start: datetime, end: InstantArray, pauses: PauseColumns | tuple[()] = ()) -> Floats: ...
    def elapsed(self, start: Any, end: Any, pauses: Any = ()) -> Any:
        """Working seconds in [start, end) outside the pauses; 0 when end is not after start.

        Pauses may overlap (counted once), lie outside the range (clipped) and be open (None or NaT: until ``end``). One
        that ends before it starts counts nothing.
        """
        scalar, size = shape(start, end)
        starts, no_start = instants(self._table, start, size)
        ends, no_end = instants(self._table, end, size)
        paused = paused_in(self._table, pause_columns(pauses, scalar), starts, ends) if len(pauses) else None
        out = np.empty(size, dtype=np.float64)
        for rows in chunks(size):
            worked = self._table.worked_until(ends[rows])
            worked -= self._table.worked_until(starts[rows])
            np.maximum(worked, 0, out=worked)  # W never falls, so end before start shows as a negative difference
            if paused is not None:
                worked -= paused[rows]
            np.divide(worked, SECOND, out=out[rows])
        out[no_start | no_end] = np.nan
        return float(out[0]) if scalar else out

    @overload
    def add(self, start: datetime, seconds: float, pauses: Sequence[Pause] = ()) -> datetime: ...
    @overload
    def add(
        self, start: InstantArray, seconds: NumberArray | float, pauses: PauseColumns | tuple[()] = ()
    ) -> Times: ...
    @overload
    def add(self, start: datetime, seconds: NumberArray, pauses: PauseColumns | tuple[()] = ()) -> Times: ...
    def add(self, start: Any, seconds: Any, pauses: Any = ()) -> Any:
        """The earliest instant by which so many unpaused working seconds have passed since ``start``.

        A day used up exactly ends at its closing, not at the next opening. Of 0 seconds it is ``start`` itself, working
        or not: that much has passed already. When a pause that has not ended keeps the instant from ever coming, the
        row is NaT (a scalar call: an error). NaN seconds give NaT.

        Raises:
            CalendarError: negative seconds, or not so much working time left in the horizon.
        """
        scalar, size = shape(start, seconds)
        starts, no_start = instants(self._table, start, size)
        wanted, no_seconds = durations(seconds, size)
        missing = no_start | no_seconds
        total = self._table.total
        paid, unending = wanted, np.zeros(size, dtype=np.bool_)
        if len(pauses):
            paid, unending = postponed(self._table, pause_columns(pauses, scalar), starts, wanted)
        out = np.empty(size, dtype=np.int64)
        for rows in chunks(size):
            reached = self._table.worked_until(starts[rows])
            reached += paid[rows]
            if reached.max() > total:
                over = (reached > total) & ~missing[rows]
                if bool((beyond := over & ~unending[rows]).any()):
                    raise self._beyond(rows.start + int(np.argmax(beyond)), scalar)
                missing[rows] |= over
                np.minimum(reached, total, out=reached)
            out[rows] = self._table.earliest(reached)
            np.copyto(out[rows], starts[rows], where=wanted[rows] == 0)
        if scalar and missing[0]:
            raise CalendarError("a pause without end keeps this instant from ever coming; give the pause an end")
        return from_microseconds(out, missing, scalar)

    @overload
    def subtract(self, end: datetime, seconds: float) -> datetime: ...
    @overload
    def subtract(self, end: InstantArray, seconds: NumberArray | float) -> Times: ...
    @overload
    def subtract(self, end: datetime, seconds: NumberArray) -> Times: ...
    def subtract(self, end: Any, seconds: Any) -> Any:
        """The latest instant from which so many working seconds remain until ``end``.

        The mirror of :meth:`add`: it lies in working hours (at an opening, not at the closing before), except of 0
        seconds, where it is ``end`` itself.

        Raises:
            CalendarError: negative seconds, or not so much working time before ``end`` in the horizon.
        """
        scalar, size = shape(end, seconds)
        ends, no_end = instants(self._table, end, size)
        wanted, no_seconds = durations(seconds, size)
        missing = no_end | no_seconds
        out = np.empty(size, dtype=np.int64)
        for rows in chunks(size):
            left = self._table.worked_until(ends[rows])
            left -= wanted[rows]
            if left.min() < 0:
                if bool((short := (left < 0) & ~missing[rows]).any()):
                    raise self._beyond(rows.start + int(np.argmax(short)), scalar)
                np.maximum(left, 0, out=left)
            out[rows] = self._table.latest(left)
            np.copyto(out[rows], ends[rows], where=wanted[rows] == 0)
        return from_microseconds(out, missing, scalar)

    # -- single instants -------------------------------------------------------------------------------------------

    @overload
    def is_working(self, t: datetime) -> bool: ...
    @overload
    def is_working(self, t: InstantArray) -> Bools: ...
    def is_working(self, t: Any) -> Any:
        """Whether the instant lies in working time; NaT does not."""
        scalar, size = shape(t)
        times, missing = instants(self._table, t, size)
        out = np.empty(size, dtype=np.bool_)
        for rows in chunks(size):
            out[rows] = self._table.next_open[self._table.segment(times[rows])] <= times[rows]
        out[missing] = False
        return bool(out[0]) if scalar else out

    @overload
    def next_working(self, t: datetime) -> datetime: ...
    @overload
    def next_working(self, t: InstantArray) -> Times: ...
    def next_working(self, t: Any) -> Any:
        """``t`` itself when it is working, else the next opening."""

        def step(times: Int64) -> tuple[Int64, Bools]:
            segment = self._table.segment(times)
            return np.maximum(times, self._table.next_open[segment]), segment == self._table.opens.size

        return self._single(t, step)

    @overload
    def previous_working(self, t: datetime) -> datetime: ...
    @overload
    def previous_working(self, t: InstantArray) -> Times: ...
    def previous_working(self, t: Any) -> Any:
        """``t`` itself when it is working, else the last closing instant (``t`` itself when it is a closing)."""

        def step(times: Int64) -> tuple[Int64, Bools]:
            segment = self._table.segment(times)
            working = self._table.next_open[segment] <= times
            return np.where(working, times, self._table.closes[segment - 1]), ~working & (segment == 0)

        return self._single(t, step)

    # -- days ------------------------------------------------------------------------------------------------------

    @overload
    def is_workday(self, day: date) -> bool: ...
    @overload
    def is_workday(self, day: DayArray) -> Bools: ...
    def is_workday(self, day: Any) -> Any:
        """Whether the day has any working time; NaT does not."""
        scalar, size = shape(day)
        days, missing = days_of(self._table, day, size)
        out = self._table.worked[days] & ~missing
        return bool(out[0]) if scalar else out

    @overload
    def add_workdays(self, day: date, n: int) -> date: ...
    @overload
    def add_workdays(self, day: DayArray, n: NumberArray | int) -> Times: ...
    @overload
    def add_workdays(self, day: date, n: NumberArray) -> Times: ...
    def add_workdays(self, day: Any, n: Any) -> Any:
        """The n-th working day after ``day``. Day 0 is ``day`` itself, worked or not (the first day is not counted).

        Raises:
            CalendarError: n is negative or no whole number, or the horizon has not so many working days left.
        """
        scalar, size = shape(day, n)
        days, missing = days_of(self._table, day, size)
        steps = np.broadcast_to(np.asarray(n), (size,))
        if not np.issubdtype(steps.dtype, np.integer):
            raise CalendarError(f"working days are of type {steps.dtype}; give whole numbers")
        if size and steps.min() < 0:
            raise CalendarError(f"{steps.min()} working days are negative; give 0 or more")
        index = self._table.workdays_until[days] + np.where(missing, 0, steps) - 1
        if size and index.max() >= self._table.workdays.size:
            raise self._beyond(int(np.argmax(index)), scalar)
        out = np.where(steps == 0, days, self._table.workdays[np.maximum(index, 0)])
        result = np.datetime64(self._table.first_day, "D") + out.astype("timedelta64[D]")
        result[missing] = np.datetime64("NaT")
        return result[0].item() if scalar else result

    @overload
    def count_workdays(self, a: date, b: date) -> int: ...
    @overload
    def count_workdays(self, a: DayArray, b: DayArray | date) -> Floats: ...
    @overload
    def count_workdays(self, a: date, b: DayArray) -> Floats: ...
    def count_workdays(self, a: Any, b: Any) -> Any:
        """Number of working days in (a, b]: after ``a``, up to and with ``b``; 0 when b is not after a."""
        scalar, size = shape(a, b)
        first, no_first = days_of(self._table, a, size)
        last, no_last = days_of(self._table, b, size)
        out = np.maximum(self._table.workdays_until[last] - self._table.workdays_until[first], 0).astype(np.float64)
        out[no_first | no_last] = np.nan
        return int(out[0]) if scalar else out

    # -- within ----------------------------------------------------------------------------------------------------

    def _single(self, t: Any, step: Callable[[Int64], tuple[Int64, Bools]]) -> Any:
        scalar, size = shape(t)
        times, missing = instants(self._table, t, size)
        out = np.empty(size, dtype=np.int64)
        for rows in chunks(size):
            out[rows], failed = step(times[rows])
            failed &= ~missing[rows]
            if bool(failed.any()):
                raise self._beyond(rows.start + int(np.argmax(failed)), scalar)
        return from_microseconds(out, missing, scalar)

    def _beyond(self, row: int, scalar: bool) -> CalendarError:
        where = "" if scalar else f"row {row}: "
        return CalendarError(
            f"{where}not enough working time in {self._table.span}; ask for less, or give the calendar a wider horizon"
        )
