"""Facts, limits and calendars for the tests of lawful due instants."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import polars as pl

from rules.clock_rules import load_clock_starts
from tthc_monitor.domain.calendars import CalendarSpec
from tthc_monitor.domain.facts import FACT_SCHEMA, facts_frame
from tthc_monitor.domain.lawful_due import Limits, lawful_due
from tthc_monitor.domain.time_limits import ClockPolicy, TimeLimit
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.yaml_text import parse_yaml, validate

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
CODE = "1.000001"
CLOCK_STARTS = load_clock_starts("vn", Path())


@cache
def shipped_calendar() -> WorkCalendar:
    """Monday to Friday 07:30-11:30, 13:30-17:00, with the days off and worked Saturdays of 2022 to 2027."""
    text = files("rules").joinpath("calendars", "vn.yaml").read_text(encoding="utf-8")
    return validate(CalendarSpec, parse_yaml(text, "vn.yaml")).compile()


def at(text: str) -> dt.datetime:
    """An instant by the clock of Viet Nam."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZONE)


def limit(**fields: Any) -> TimeLimit:
    """A limit of the tests' procedure."""
    return TimeLimit(**({"procedure_code": CODE, "legal_basis": "QĐ 1/QĐ-UBND"} | fields))


def catalogue(*limits: TimeLimit, policy: ClockPolicy | None = None) -> Limits:
    """Limits with the shipped clock starts."""
    return Limits(limits, policy or ClockPolicy(), CLOCK_STARTS)


def facts(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A facts frame; what a row leaves out is unknown, the procedure is the tests' own."""
    filled = [{"procedure_code": CODE, **row} for row in rows]
    columns = {
        name: pl.Series(name, [row.get(name) for row in filled], dtype=kind, strict=False)
        if not isinstance(kind, pl.Datetime)
        else pl.Series(name, [_utc(row.get(name)) for row in filled], dtype=kind)
        for name, kind in FACT_SCHEMA.items()
    }
    return facts_frame(pl.DataFrame(columns))


def _utc(value: Any) -> dt.datetime | None:
    return None if value is None else value.astimezone(dt.UTC)


def result(row: Mapping[str, Any], limits: Limits, calendar: WorkCalendar | None = None) -> pd.Series:
    """Clock start, due instant and limit of one dossier."""
    return lawful_due(facts([row]), calendar or shipped_calendar(), limits).iloc[0]


def due_of(
    row: Mapping[str, Any], fields: Mapping[str, Any], *, calendar: WorkCalendar | None = None
) -> dt.datetime | None:
    """Due instant of a dossier with one limit; None when there is none."""
    due = result(row, catalogue(limit(**fields)), calendar)["due_lawful"]
    return None if due is pd.NaT else due.to_pydatetime()


def maybe(text: str | None) -> dt.datetime | None:
    """An instant by the clock of Viet Nam, or none."""
    return None if text is None else at(text)


def days(amount: float, **policy: Any) -> dict[str, Any]:
    """Fields of a limit in working days, counted by a policy."""
    return {"amount": amount, "unit": "working_day", "policy": ClockPolicy(**policy)}
