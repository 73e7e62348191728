"""The verdict on every dossier at an instant, as a file for people and programs."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Final, Literal

import numpy as np
import polars as pl
from sqlalchemy import Connection

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.records import INSTANT
from tthc_monitor.domain.worktime import HORIZON, WorkCalendar
from tthc_monitor.store.copy import copy_out

Format = Literal["csv", "json"]
VERDICTS: Final = ("late", "on_time", "open_overdue", "open_in_time", "cannot_tell", "not_received")

_FIRST_YEAR, _LAST_YEAR = 1900, 2200
_EXAMPLE: Final = "2026-10-14T17:00:00+07:00"
_FIRST, _LAST = (datetime(day.year, day.month, day.day, tzinfo=UTC) for day in HORIZON)

_SCHEMA: Final = {
    "source": pl.String(),
    "source_key": pl.String(),
    "code": pl.String(),
    "kind": pl.String(),
    "unit_code": pl.String(),
    "procedure_code": pl.String(),
    "received_at": INSTANT,
    "due_original": INSTANT,
    "due_current": INSTANT,
    "ended_at": INSTANT,
    "source_verdict": pl.String(),
    "verdict": pl.String(),
    "late_since": INSTANT,
    "late_seconds": pl.Float64(),
}


def parse_instant(value: str, now: datetime) -> datetime:
    """An instant as typed on the command line: ``now``, or ISO 8601 with an offset.

    Raises:
        ConfigError: it is not an instant, is a day without a time, has no offset, or lies centuries away.
    """
    if value == "now":
        return now
    try:
        instant = datetime.fromisoformat(value)
    except ValueError:
        raise ConfigError(f"'{value}' is not an instant; write it as {_example(value)}") from None
    if not re.search(r"\d[Tt ]\d", value):
        # Python takes any character between day and time, so that the offset behind a day alone would be its time.
        wrong = "is a day without a time" if _is_day(value) else "is not an instant"
        raise ConfigError(f"'{value}' {wrong}; write it as {_example(value)}")
    if instant.tzinfo is None:
        raise ConfigError(f"'{value}' has no zone; add the offset, as in {value}+07:00")
    if not _FIRST_YEAR <= instant.year <= _LAST_YEAR:
        raise ConfigError(f"the year of '{value}' is out of range; give one from {_FIRST_YEAR} to {_LAST_YEAR}")
    return instant


def _example(value: str) -> str:
    """How the instant is to be written: on the day that was given, when that can be read."""
    day = value[: len("2026-10-16")]
    return f"{day}T00:00:00+07:00" if _is_day(day) else _EXAMPLE


def _is_day(value: str) -> bool:
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def verdicts(connection: Connection, as_of: datetime, calendar: WorkCalendar) -> pl.DataFrame:
    """One row a dossier, ordered by source and key.

    ``late_seconds`` is the time past the due instant until the end, or until ``as_of`` while open;
    ``late_working_seconds`` is what of it was working time. Both are null unless the dossier is late or overdue.
    """
    query = (
        f"SELECT {', '.join(_SCHEMA)} FROM audit.verdicts_as_of('{as_of.isoformat()}'::timestamptz) "
        'ORDER BY source, source_key COLLATE "C"'
    )
    frame = copy_out(connection, query, _SCHEMA)
    spans = frame.select(
        late=pl.col("verdict").is_in(["late", "open_overdue"]) & pl.col("late_since").is_between(_FIRST, _LAST),
        due="late_since",
        until=pl.min_horizontal("ended_at", pl.lit(as_of).dt.convert_time_zone("UTC")),
    )
    late = spans["late"].fill_null(False).to_numpy()
    worked = np.full(frame.height, np.nan)
    worked[late] = calendar.elapsed(spans["due"].to_numpy()[late], spans["until"].to_numpy()[late])
    return frame.with_columns(pl.Series("late_working_seconds", worked, nan_to_null=True))


def render(frame: pl.DataFrame, form: Format) -> bytes:
    """The table as CSV with a header, or as a JSON array of objects; instants are ISO 8601 in UTC."""
    readable = frame.with_columns(pl.col(pl.Datetime).dt.to_string("%Y-%m-%dT%H:%M:%S%.fZ"))
    text = readable.write_csv() if form == "csv" else readable.write_json()
    return text.encode()
