"""Query results as pandas frames, and the one way in which outputs count days of lateness."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from tthc_monitor.domain.worktime import HORIZON, WorkCalendar

if TYPE_CHECKING:
    from sqlalchemy import Connection


def read_frame(
    connection: Connection, query: str, values: Mapping[str, Any], instants: Sequence[str] = ()
) -> pd.DataFrame:
    """Rows of a query; columns named in ``instants`` are UTC instants even when no row has a value.

    Args:
        query: SQL in which ``%(name)s`` stands for a value and ``%%`` for a percent sign.
    """
    frame = pd.read_sql_query(query, connection, params=dict(values))
    for name in instants:
        frame[name] = pd.to_datetime(frame[name], utc=True).astype("datetime64[us, UTC]")
    return frame


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame, by the names of its columns."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def texts(column: pd.Series) -> pd.Series:
    """A column of texts, empty ones where there is none, whatever type a column without any has."""
    return column.astype(object).where(column.notna(), "")


def days_late(calendar: WorkCalendar, due: pd.Series, until: pd.Series | datetime, zone: str) -> npt.NDArray[np.int64]:
    """Working days after the due day, up to and with the day of ``until``; 0 within the due day.

    Days before the calendar's horizon (a source that claims the year 0001) count from its first day.
    """
    ends = until if isinstance(until, pd.Series) else pd.Series(until, index=due.index, dtype=due.dtype)
    first, last = (local_days(column, zone) for column in (due, ends))
    return np.asarray(calendar.count_workdays(first, last), dtype=np.int64)


def local_days(instants: pd.Series, zone: str) -> npt.NDArray[np.datetime64]:
    """The day of each instant in a zone; one outside the horizon of calendars counts as its first or last day."""
    earliest, latest = np.datetime64(HORIZON[0], "D"), np.datetime64(HORIZON[1] - timedelta(days=1), "D")
    days = instants.dt.tz_convert(zone).dt.tz_localize(None).to_numpy().astype("datetime64[D]")
    return np.asarray(np.clip(days, earliest, latest), dtype="datetime64[D]")
