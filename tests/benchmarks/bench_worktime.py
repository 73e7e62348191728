"""Working time over ten million rows, beside the libraries that walk over days.

The rivals get the same office hours and days off on a small sample. None of them can say that a Saturday is worked, so
they do a little less; pandas counts whole hours only.
"""

from __future__ import annotations

import datetime as dt
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from tests.benchmarks.harness import Measurement, Run, Skip, at_least, benchmark
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.worktime import PauseColumns, WorkCalendar
from tthc_monitor.domain.yaml_text import parse_yaml, validate

ROWS = 10_000_000
SAMPLE = 200
LONGEST_DAYS = 30


@cache
def spec() -> CalendarSpec:
    text = (files("rules") / "calendars" / "vn.yaml").read_text(encoding="utf-8")
    return validate(CalendarSpec, parse_yaml(text, "vn.yaml"))


@cache
def calendar() -> WorkCalendar:
    return spec().compile()


@cache
def data(rows: int) -> tuple[Any, Any, Any]:
    """Receptions of four years in random order, ends up to a month later, and limits up to 20 working days."""
    rng = np.random.default_rng(2026)
    first, last = (int(np.datetime64(day, "us").astype(np.int64)) for day in ("2022-03-01", "2026-03-01"))
    starts = rng.integers(first, last, rows).view("datetime64[us]")
    spans = rng.integers(0, LONGEST_DAYS * 86_400 * 10**6, rows).view("timedelta64[us]")
    return starts, starts + spans, rng.integers(1, 20 * 27_000, rows).astype(np.float64)


def walking_rules() -> Any:
    try:
        import businesstimedelta
        import pytz  # type: ignore[import-untyped]
    except ImportError:
        raise Skip("businesstimedelta is not installed; install the dependency group bench") from None
    zone = pytz.timezone(spec().zone)
    halves = [
        businesstimedelta.WorkDayRule(dt.time(7, 30), dt.time(11, 30), tz=zone),
        businesstimedelta.WorkDayRule(dt.time(13, 30), dt.time(17), tz=zone),
    ]
    off = businesstimedelta.HolidayRule({day.date for day in spec().days_off}, tz=zone)
    return businesstimedelta.Rules([*halves, off])


def business_hour(hours: int = 1) -> Any:
    off = [pd.Timestamp(day.date) for day in spec().days_off]
    return pd.offsets.CustomBusinessHour(hours, start=["07:30", "13:30"], end=["11:30", "17:00"], holidays=off)


def local(times: Any) -> list[Any]:
    """The sample as naive local times, which CustomBusinessHour wants."""
    return list(pd.DatetimeIndex(times[:SAMPLE], tz="UTC").tz_convert(spec().zone).tz_localize(None))


def aware(times: Any) -> list[dt.datetime]:
    return [value.to_pydatetime() for value in pd.DatetimeIndex(times[:SAMPLE], tz="UTC")]


@benchmark("worktime.elapsed", what="working seconds between two instants", budget=at_least(10_000_000))
def elapsed(run: Run) -> list[Measurement]:
    rows = run.rows(ROWS)
    starts, ends, _ = data(rows)
    rules, hour = walking_rules(), business_hour()
    pairs = list(zip(aware(starts), aware(ends), strict=True))
    naive = list(zip(local(starts), local(ends), strict=True))
    few: dict[str, Any] = {"rows": len(pairs), "repeat": 3, "warm_up": False, "note": "sample"}
    return [
        run.measure("WorkCalendar.elapsed", lambda: calendar().elapsed(starts, ends), rows=rows),
        run.measure("WorkCalendar.elapsed, scalars", lambda: [calendar().elapsed(a, b) for a, b in pairs], **few),
        run.measure("businesstimedelta", lambda: [rules.difference(a, b) for a, b in pairs], **few),
        run.measure(
            "pandas CustomBusinessHour", lambda: [pd.date_range(a, b, freq=hour).size for a, b in naive], **few
        ),
    ]


@benchmark("worktime.add", what="due instant from a start and a limit", budget=at_least(5_000_000))
def add(run: Run) -> list[Measurement]:
    rows = run.rows(ROWS)
    starts, _, seconds = data(rows)
    rules = walking_rules()
    import businesstimedelta  # after walking_rules, which says so when it is not installed

    limits = seconds[:SAMPLE].tolist()
    walking = [
        (start, businesstimedelta.BusinessTimeDelta(rules, seconds=limit))
        for start, limit in zip(aware(starts), limits, strict=True)
    ]
    offsets = [
        (start, business_hour(max(1, round(limit / 3600)))) for start, limit in zip(local(starts), limits, strict=True)
    ]
    few: dict[str, Any] = {"rows": len(walking), "repeat": 3, "warm_up": False, "note": "sample"}
    return [
        run.measure("WorkCalendar.add", lambda: calendar().add(starts, seconds), rows=rows),
        run.measure("businesstimedelta", lambda: [start + delta for start, delta in walking], **few),
        run.measure("pandas CustomBusinessHour", lambda: [start + offset for start, offset in offsets], **few),
    ]


@benchmark("worktime.pauses", what="working seconds and due instants with one pause a row", budget=at_least(500_000))
def pauses(run: Run) -> list[Measurement]:
    rows = run.rows(1_000_000)
    starts, ends, seconds = data(rows)
    columns = PauseColumns(np.arange(rows), starts + (ends - starts) // 4, starts + (ends - starts) // 2)
    return [
        run.measure("add with pauses", lambda: calendar().add(starts, seconds, columns), rows=rows, repeat=3),
        run.measure("elapsed with pauses", lambda: calendar().elapsed(starts, ends, columns), rows=rows, repeat=3),
    ]


@benchmark("worktime.compile", what="segments of 71 years from a definition")
def compile_segments(run: Run) -> list[Measurement]:
    count = calendar().segments.opens.size
    return [run.measure("compile", lambda: spec().compile().segments, rows=count, repeat=3)]
