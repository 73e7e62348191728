"""A working calendar as people write it in YAML: hours of the week, days off and worked days with their documents.

``week`` holds the hours until the first of ``weeks`` begins, each of which holds from its day until the next one.
``units`` are offices that work otherwise than the office at large. Pure: the loader reads the file and hands over data.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, Field, field_validator, model_validator

from tthc_monitor.domain.calendar_fields import (
    Day,
    DayOfCalendar,
    Hours,
    Place,
    Strict,
    Time,
    Week,
    Weekday,
    refuse,
    twice,
)
from tthc_monitor.domain.calendar_variants import Calendars, Variant
from tthc_monitor.domain.errors import CalendarError
from tthc_monitor.domain.short_forms import text_or_this
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.domain.worktime_segments import WEEKDAYS

__all__ = [
    "CalendarSpec",
    "Calendars",
    "DatedWeek",
    "Day",
    "DayOfCalendar",
    "DayOff",
    "Hours",
    "Override",
    "SpecialDay",
    "Time",
    "UnitsSpec",
    "Week",
    "Weekday",
    "week_on",
    "weekday",
]  # fmt: skip


class SpecialDay(Strict):
    """A day unlike its weekday, with the document that says so."""

    date: DayOfCalendar
    name: str | None = None
    document: str | None = None


class DayOff(SpecialDay):
    """A day without working hours. In YAML also just the date."""

    model_config = ConfigDict(json_schema_extra=text_or_this)

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return value if isinstance(value, dict | DayOff) else {"date": value}


class Override(SpecialDay):
    """A day with hours of its own, such as a Saturday worked in exchange; it beats a day off.

    ``hours`` are written out, or those of the weekday ``like``, of the week in force that day: then an office with
    hours of its own works them on that day too.
    """

    hours: Hours | None = None
    like: Weekday | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Override:
        if (self.hours is None) == (self.like is None):
            raise ValueError("key 'hours' is missing; give hours, or the weekday whose hours are worked, as like: mon")
        return self


class DatedWeek(Strict):
    """Hours of the week from a day on: summer hours, a decision that changes the hours."""

    first_day: DayOfCalendar = Field(alias="from")
    week: Week
    document: str | None = None


class _Days(Strict):
    """What both the office at large and a variant of it may say about days."""

    weeks: list[DatedWeek] = Field(default=[])
    days_off: list[DayOff] = Field(default=[])
    overrides: list[Override] = Field(default=[])

    @field_validator("days_off", "overrides")
    @classmethod
    def _each_day_once(cls, value: list[Any]) -> list[Any]:
        refuse(twice([item.date for item in value]))
        return value

    @field_validator("weeks")
    @classmethod
    def _each_week_once(cls, value: list[DatedWeek]) -> list[DatedWeek]:
        refuse(twice([item.first_day for item in value]))
        return sorted(value, key=lambda week: week.first_day)


class UnitsSpec(_Days):
    """Units that work otherwise than the office at large: own hours, a flood closure, Saturday mornings.

    ``week`` replaces the hours of the office at large altogether; ``weeks`` alone replaces them from the first of its
    days on. ``days_off`` and ``overrides`` stand day by day in place of what the office at large has on that day.
    """

    codes: Annotated[list[str], Field(min_length=1)]
    name: str = Field(min_length=1)
    document: str | None = None
    week: Week | None = None


class CalendarSpec(_Days):
    """The content of a calendar file.

    ``decreed_until`` is the last day for which the State's decisions about days off are known and written here; the
    program warns before it is reached.
    """

    name: str = Field(min_length=1)
    zone: str
    week: Week
    units: list[UnitsSpec] = Field(default=[])
    decreed_until: DayOfCalendar | None = None

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"zone '{value}' is unknown; use an IANA name such as Asia/Ho_Chi_Minh") from None
        return value

    @field_validator("units")
    @classmethod
    def _each_unit_once(cls, value: list[UnitsSpec]) -> list[UnitsSpec]:
        places = [(i, j, code) for i, units in enumerate(value) for j, code in enumerate(units.codes)]
        names = [units.name for units in value]
        codes = [code for _, _, code in places]
        refuse(
            [
                *(
                    ((i, "codes", j), f"unit '{code}' stands twice among the units; remove one of the two")
                    for position, (i, j, code) in enumerate(places)
                    if code in codes[:position]
                ),
                *(
                    ((i, "name"), f"name '{name}' stands twice among the units; change one of the two")
                    for i, name in enumerate(names)
                    if name in names[:i]
                ),
            ]
        )
        return value

    @model_validator(mode="after")
    def _can_be_compiled(self) -> CalendarSpec:
        problems: list[tuple[Place, str]] = []
        for place, units in ((("week",), None), *((("units", i), units) for i, units in enumerate(self.units))):
            try:
                self._compile(units)
            except CalendarError as error:
                problems.append((place, str(error)))
        refuse(problems)
        return self

    def compile(self) -> WorkCalendar:
        """The calendar of the office at large; the segments are made at its first question."""
        return self._compile(None)

    def compile_all(self) -> Calendars:
        """The calendar of the office at large and those of the units that work otherwise."""
        return Calendars(
            self.compile(),
            tuple(Variant(units.name, tuple(sorted(units.codes)), self._compile(units)) for units in self.units),
        )

    def units_of(self, unit_code: str | None) -> UnitsSpec | None:
        """What is written about one unit; None where the office at large holds."""
        return next((units for units in self.units if unit_code in units.codes), None)

    def weeks_of(self, units: UnitsSpec | None) -> list[tuple[dt.date, Week]]:
        """Hours of the week with the first day on which they hold, in order; the first holds from the beginning."""
        weeks = [(dt.date.min, self.week), *((week.first_day, week.week) for week in self.weeks)]
        if units is None:
            return weeks
        own = [(week.first_day, week.week) for week in units.weeks]
        if units.week is not None:
            return [(dt.date.min, units.week), *own]
        return [(first, week) for first, week in weeks if not own or first < own[0][0]] + own

    def special_days_of(self, units: UnitsSpec | None) -> dict[dt.date, tuple[SpecialDay, bool]]:
        """Days off and days with hours of their own that hold, each with whether the unit itself says so."""
        days: dict[dt.date, tuple[SpecialDay, bool]] = {}
        for source, own in ((self, False), (units, True)):
            if source is not None:
                days |= {day.date: (day, own) for day in source.days_off}
                days |= {day.date: (day, own) for day in source.overrides}
        return dict(sorted(days.items()))

    def hours_of(self, day: SpecialDay, units: UnitsSpec | None) -> Sequence[tuple[str, str]]:
        """Hours worked on a special day; none on a day off.

        Raises:
            CalendarError: it is worked like a weekday that has no hours.
        """
        if not isinstance(day, Override):
            return ()
        if day.hours is not None:
            return day.hours
        assert day.like is not None
        hours = week_on(self.weeks_of(units), day.date).get(day.like)
        if not hours:
            raise CalendarError(f"{day.date} is worked like: {day.like}, a day without hours; give it hours of its own")
        return hours

    def _compile(self, units: UnitsSpec | None) -> WorkCalendar:
        days = self.special_days_of(units)
        (_, week), *later = self.weeks_of(units)
        return WorkCalendar(
            self.zone,
            {str(name): hours for name, hours in week.items()},
            self._days_off(units),
            {date: self.hours_of(day, units) for date, (day, _) in days.items() if isinstance(day, Override)},
            weeks=[(first, {str(name): hours for name, hours in changed.items()}) for first, changed in later],
        )

    def _days_off(self, units: UnitsSpec | None) -> Iterator[dt.date]:
        # An overridden day off stays in the definition: fingerprints of calendars in use must not change.
        yield from (day.date for day in self.days_off)
        if units is not None:
            yield from (day.date for day in units.days_off)


def week_on(weeks: Sequence[tuple[dt.date, Week]], day: dt.date) -> Mapping[Weekday, Hours]:
    """The hours of the week that hold on a day."""
    return [week for first, week in weeks if first <= day][-1]


def weekday(day: dt.date) -> Weekday:
    """Name of a day's weekday as in ``week``."""
    return WEEKDAYS[day.weekday()]
