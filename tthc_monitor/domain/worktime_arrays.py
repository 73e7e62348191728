"""What a call of a working calendar is given, as int64 arrays, and its pauses as working time.

Helpers of :mod:`tthc_monitor.domain.worktime`, which documents the conventions.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from tthc_monitor.domain.errors import CalendarError
from tthc_monitor.domain.worktime_segments import NAT, SECOND, Int64, SegmentTable

InstantArray = npt.NDArray[np.datetime64] | pd.Series | pd.DatetimeIndex
DayArray = npt.NDArray[np.datetime64]
NumberArray = npt.NDArray[Any] | pd.Series
Times = npt.NDArray[np.datetime64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Pause = tuple[datetime, datetime | None]

CHUNK: Final = 32_768
"""Rows worked on at a time: their temporaries stay in the processor's cache."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST: Final = float(2**60)
"""µs; more than any horizon holds, and no danger of overflow when added to."""


class PauseColumns(NamedTuple):
    """Pauses of an array call, one line each, in any order.

    Attributes:
        row: position (from 0) of the row that the pause belongs to, integers.
        start: from when; a pause without a start (NaT) is not counted.
        end: until when; NaT means the pause has not ended.
    """

    row: npt.NDArray[Any]
    start: InstantArray
    end: InstantArray


def chunks(size: int) -> list[slice]:
    """The rows of a call, a cacheful at a time."""
    return [slice(begin, min(begin + CHUNK, size)) for begin in range(0, size, CHUNK)]


def shape(*values: Any) -> tuple[bool, int]:
    """Whether all are scalars, and how many rows the call has.

    Raises:
        CalendarError: not a scalar or a one-dimensional array, or arrays of different lengths.
    """
    sizes = set()
    for value in values:
        if isinstance(value, np.ndarray | pd.Series | pd.Index):
            if value.ndim != 1:
                raise CalendarError(f"an array of {value.ndim} dimensions; give one dimension")
            sizes.add(len(value))
        elif value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
            raise CalendarError(f"{value} is no single value; leave it out, or use arrays, in which NaT gives NaT")
        elif not isinstance(value, date | int | float | np.integer | np.floating):
            raise CalendarError(f"{type(value).__name__} is no scalar and no array; give a datetime or a numpy array")
    if len(sizes) > 1:
        raise CalendarError(f"arrays of different lengths {sorted(sizes)}; give arrays of one length")
    return (False, sizes.pop()) if sizes else (True, 1)


def to_microseconds(value: Any) -> Int64:
    """µs UTC of an aware datetime (one element) or of an array of instants; NAT where missing."""
    if isinstance(value, datetime):
        if value.utcoffset() is None:
            raise CalendarError(f"{value} has no time zone; give it one, e.g. t.replace(tzinfo=ZoneInfo(...))")
        return np.array([(value - EPOCH) // timedelta(microseconds=1)], dtype=np.int64)
    if isinstance(value, np.ndarray) and value.dtype.kind == "M":
        if np.datetime_data(value.dtype)[0] in ("Y", "M", "W", "D"):
            raise CalendarError(f"{value.dtype} holds days, not instants; use the methods for days, or give instants")
        return value.astype("datetime64[us]", copy=False).view(np.int64)
    if isinstance(value, pd.Series | pd.DatetimeIndex):
        try:
            index = pd.DatetimeIndex(value)
        except (TypeError, ValueError) as error:
            raise CalendarError(f"not a column of instants ({error}); use pd.to_datetime(..., utc=True)") from None
        if index.tz is None:
            raise CalendarError("a pandas column without time zone; give it one with .dt.tz_localize(...)")
        return np.asarray(index.as_unit("us").asi8)
    kind = getattr(value, "dtype", type(value).__name__)
    raise CalendarError(f"{kind} is no instant; give an aware datetime, numpy datetime64 in UTC, or a pandas column")


def from_microseconds(micros: Int64, missing: Bools, scalar: bool) -> Any:
    """An aware datetime in UTC, or datetime64[us] with NaT where missing."""
    if scalar:
        return EPOCH + timedelta(microseconds=int(micros[0]))
    micros[missing] = NAT
    return micros.view("datetime64[us]")


def instants(table: SegmentTable, value: Any, size: int) -> tuple[Int64, Bools]:
    """µs UTC of every row, with the start of the horizon where missing, and which are missing.

    Raises:
        CalendarError: no instants, or one outside the horizon.
    """
    times = np.broadcast_to(to_microseconds(value), (size,))
    missing = times == NAT
    if bool(missing.any()):
        times = np.where(missing, table.first, times)
    if size and (times.min() < table.first or times.max() > table.last):
        row = int(np.argmax((times < table.first) | (times > table.last)))
        where = "" if isinstance(value, datetime) else f"row {row}: "
        found = times[row : row + 1].astype("datetime64[us]")[0]
        raise CalendarError(
            f"{where}{found}Z lies outside {table.span}; correct the instant, or give the calendar a wider horizon"
        )
    return times, missing


def days(table: SegmentTable, value: Any, size: int) -> tuple[Int64, Bools]:
    """Position of every row's day in the horizon, 0 where missing, and which are missing.

    Raises:
        CalendarError: no days, or one outside the horizon.
    """
    if isinstance(value, date) and not isinstance(value, datetime):
        value = np.array([value], dtype="datetime64[D]")
    if not (isinstance(value, np.ndarray) and value.dtype == np.dtype("datetime64[D]")):
        kind = getattr(value, "dtype", type(value).__name__)
        raise CalendarError(f"{kind} is no day; give a date or datetime64[D], as the calendar's zone sees it")
    value = np.broadcast_to(value, (size,))
    missing = np.isnat(value)
    position = np.where(missing, 0, (value - np.datetime64(table.first_day, "D")).astype(np.int64))
    outside = (position < 0) | (position >= table.worked.size)
    if bool(outside.any()):
        found = value[int(np.argmax(outside))]
        raise CalendarError(f"{found} lies outside {table.span}; correct it, or give the calendar a wider horizon")
    return position, missing


def durations(seconds: Any, size: int) -> tuple[Int64, Bools]:
    """Seconds as whole µs (0 where NaN), and which are NaN.

    Raises:
        CalendarError: negative, or no numbers.
    """
    given = np.asarray(seconds)
    if given.dtype.kind not in "iuf":
        raise CalendarError(f"seconds of type {given.dtype}; give numbers of seconds")
    missing = np.isnan(given)
    if bool((given < 0).any()):
        raise CalendarError(f"{np.nanmin(given)} seconds are negative; give 0 or more, or swap add and subtract")
    micros = np.minimum(np.rint(given * float(SECOND)), LONGEST)
    if bool(missing.any()):
        micros = np.where(missing, 0.0, micros)
    return np.broadcast_to(micros.astype(np.int64), (size,)), np.broadcast_to(missing, (size,))


def pause_columns(pauses: Any, scalar: bool) -> PauseColumns:
    """The pauses of a call as columns.

    Raises:
        CalendarError: pairs for an array call, or a pause that is not a pair.
    """
    if isinstance(pauses, PauseColumns):
        return pauses
    if not scalar:
        raise CalendarError("pauses of an array call are PauseColumns(row, start, end); give them in that form")
    begins, stops = [], []
    for pause in pauses:
        if not (isinstance(pause, Sequence) and len(pause) == 2):
            raise CalendarError(f"{pause!r} is no pause; give pairs (from, to), with None as the end of an open one")
        begins.append(int(to_microseconds(pause[0])[0]))
        stops.append(NAT if pause[1] is None else int(to_microseconds(pause[1])[0]))
    columns = (np.array(column, dtype=np.int64).view("datetime64[us]") for column in (begins, stops))
    return PauseColumns(np.zeros(len(begins), dtype=np.int64), *columns)


def paused(table: SegmentTable, pauses: PauseColumns, starts: Int64, ends: Int64) -> Int64:
    """µs worked inside each row's pauses, between its start and end."""
    row, begins, stops = _union(table, pauses, starts, ends)
    return _sum_by_row(row, stops - begins, starts.size)


def postponed(table: SegmentTable, pauses: PauseColumns, starts: Int64, wanted: Int64) -> tuple[Int64, Bools]:
    """µs worked, pauses included, that must pass for ``wanted`` unpaused ones; and which rows have an open pause."""
    row, begins, stops = _union(table, pauses, starts, np.full(starts.size, table.last, dtype=np.int64))
    length = stops - begins
    earlier = pd.Series(length).groupby(row).cumsum().to_numpy() - length
    unpaused = begins - _worked_until(table, starts[row]) - earlier
    # A pause counts when it begins before the wanted time is full; in the same instant it comes too late.
    counted = unpaused < wanted[row]
    moved = _sum_by_row(row[counted], length[counted], starts.size)
    unending = np.zeros(starts.size, dtype=np.bool_)
    unending[np.asarray(pauses.row)[to_microseconds(pauses.end) == NAT]] = True
    return wanted + moved, unending


def _sum_by_row(row: Int64, micros: Int64, size: int) -> Int64:
    # Sums stay below 2**53 (a horizon has fewer microseconds), so the doubles of bincount are exact.
    return np.bincount(row, weights=micros, minlength=size).astype(np.int64)


def _worked_until(table: SegmentTable, times: Int64) -> Int64:
    out = np.empty(times.size, dtype=np.int64)
    for rows in chunks(times.size):
        out[rows] = table.worked_until(times[rows])
    return out


def _union(table: SegmentTable, pauses: PauseColumns, starts: Int64, ends: Int64) -> tuple[Int64, Int64, Int64]:
    """Pauses as working time, clipped to their rows: (row, from, to) in µs worked, by row and time, disjoint."""
    row = np.asarray(pauses.row)
    begins, stops = to_microseconds(pauses.start), to_microseconds(pauses.end)
    if not (row.ndim == 1 and row.size == begins.size == stops.size):
        raise CalendarError("pause columns differ in length; give row, start and end of equal length")
    if row.size and not (np.issubdtype(row.dtype, np.integer) and row.min() >= 0 and row.max() < starts.size):
        raise CalendarError(f"pause rows must be positions from 0 to {starts.size - 1}; correct the row column")
    real = begins != NAT
    row, begins, stops = row[real].astype(np.int64), begins[real], stops[real]
    first, last = starts[row], ends[row]
    begins = _worked_until(table, np.clip(begins, first, last))
    stops = _worked_until(table, np.clip(np.where(stops == NAT, last, stops), first, last))
    real = stops > begins
    row, begins, stops = row[real], begins[real], stops[real]
    order = np.lexsort((begins, row))
    row, begins, stops = row[order], begins[order], stops[order]
    # What overlaps an earlier pause of the same row is cut off its front.
    covered = pd.Series(stops).groupby(row).cummax().to_numpy()
    same = row[1:] == row[:-1]
    begins[1:] = np.where(same, np.maximum(begins[1:], covered[:-1]), begins[1:])
    real = stops > begins
    return row[real], begins[real], stops[real]
