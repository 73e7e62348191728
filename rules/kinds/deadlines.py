"""Deadlines that law counts in days: the end of a day, the n-th working day, and the local day of an instant.

Civil Code 2015 Art. 147.2 and 148.6: the day of the event is not counted, and a term ends at 24:00 of its last day.
What a calendar cannot answer for (:func:`rules.kinds.intervals.answerable`) comes back as NaT.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from rules.kinds.intervals import answerable, utc
from tthc_monitor.domain.worktime import WorkCalendar

_DAY = np.timedelta64(1, "D")
Days = np.ndarray[Any, np.dtype[np.datetime64]]
"""Local days, ``datetime64[D]``."""


def local_clock(instants: pd.Series, zone: str) -> Days:
    """What the clocks of the zone show, as ``datetime64[us]``."""
    return np.asarray(instants.dt.tz_convert(zone).dt.tz_localize(None), dtype="datetime64[us]")


def local_days(instants: pd.Series, zone: str) -> Days:
    """The local days of instants."""
    return local_clock(instants, zone).astype("datetime64[D]")


def instants_of(clock: Days, zone: str, index: pd.Index) -> pd.Series:
    """The instants at which the clocks of the zone show this; a time that is shown twice is the second."""
    shown = pd.DatetimeIndex(clock.astype("datetime64[us]"))
    once = np.zeros(len(shown), dtype=np.bool_)
    zoned = shown.tz_localize(zone, ambiguous=once, nonexistent="shift_forward")
    return pd.Series(zoned.tz_convert("UTC"), index=index)


def scattered(values: Any, rows: pd.Series) -> pd.Series:
    """Instants for the chosen rows, NaT for the others.

    Args:
        values: ``datetime64`` in UTC, one for each chosen row.
    """
    out = np.full(len(rows), np.datetime64("NaT"), dtype="datetime64[us]")
    out[rows.to_numpy()] = values
    return pd.Series(pd.DatetimeIndex(out).tz_localize("UTC"), index=rows.index)


def end_of_workday(calendar: WorkCalendar, instants: pd.Series, workdays: int) -> pd.Series:
    """24:00 of the n-th working day after the local day of each instant; of that day itself when n is 0."""
    rows = answerable(instants)
    days = calendar.add_workdays(local_days(instants[rows], calendar.zone), workdays)
    return scattered(utc(instants_of(days + _DAY, calendar.zone, instants.index[rows])), rows)


def same_time_after_workdays(calendar: WorkCalendar, instants: pd.Series, workdays: int) -> pd.Series:
    """The same clock time on the n-th working day after the local day of each instant.

    An instant on a day off counts as 00:00 of the next working day, so that what comes later never ends earlier.
    """
    rows = answerable(instants)
    clock = local_clock(instants[rows], calendar.zone)
    days = clock.astype("datetime64[D]")
    worked = calendar.is_workday(days)
    time_of_day = np.where(worked, clock - days, np.timedelta64(0, "us"))
    moved = calendar.add_workdays(days, workdays + (~worked).astype(np.int64)) + time_of_day
    return scattered(utc(instants_of(moved, calendar.zone, instants.index[rows])), rows)


def start_of_day(instants: pd.Series, zone: str) -> pd.Series:
    """00:00 of the local day of each instant."""
    return instants_of(local_days(instants, zone), zone, instants.index)
