"""A working calendar as people write it in YAML: hours of the week, days off and worked days with their documents.

Pure: the loader reads the file and hands over its data.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

from tthc_monitor.domain.errors import CalendarError
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.worktime_segments import parse_hours

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


def _day(value: Any) -> Any:
    # Left to itself pydantic would take 20260102 for seconds since 1970.
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return value
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    raise ValueError(f"{value!r} is no day; write it as 2026-01-31")


def _time(value: Any) -> Any:
    if not isinstance(value, str):  # YAML reads 13:30 without quotes as the number 810
        raise ValueError(f'time {value!r} is not text; write it in quotes, like "07:30"')  # noqa: TRY004  (pydantic wants it)
    return value


def _hours(value: list[tuple[str, str]]) -> list[tuple[str, str]]:
    try:
        parse_hours(value, "hours")
    except CalendarError as error:
        raise ValueError(str(error)) from None
    return value


Day = Annotated[dt.date, BeforeValidator(_day)]
Time = Annotated[str, BeforeValidator(_time)]
Hours = Annotated[list[tuple[Time, Time]], AfterValidator(_hours)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SpecialDay(_Strict):
    """A day unlike its weekday, with the document that says so."""

    date: Day
    name: str | None = None
    document: str | None = None


class DayOff(SpecialDay):
    """A day without working hours. In YAML also just the date."""

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return value if isinstance(value, dict | DayOff) else {"date": value}


class Override(SpecialDay):
    """A day with hours of its own, such as a Saturday worked in exchange; it beats a day off."""

    hours: Hours


class CalendarSpec(_Strict):
    """The content of a calendar file."""

    name: str = Field(min_length=1)
    zone: str
    week: dict[Weekday, Hours]
    days_off: list[DayOff] = []
    overrides: list[Override] = []

    @field_validator("days_off", "overrides")
    @classmethod
    def _each_day_once(cls, value: list[Any]) -> list[Any]:
        seen: set[dt.date] = set()
        for item in value:
            if item.date in seen:
                raise ValueError(f"{item.date} stands twice; remove one of the two")
            seen.add(item.date)
        return value

    @model_validator(mode="after")
    def _can_be_compiled(self) -> CalendarSpec:
        try:
            self.compile()
        except CalendarError as error:
            raise ValueError(str(error)) from None
        return self

    def compile(self) -> WorkCalendar:
        """The calendar that answers questions; the segments are made at its first question."""
        return WorkCalendar(
            self.zone,
            {str(name): hours for name, hours in self.week.items()},
            (day.date for day in self.days_off),
            {day.date: day.hours for day in self.overrides},
        )
