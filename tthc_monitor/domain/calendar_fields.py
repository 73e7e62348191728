"""The small parts of a calendar file: days, times, hours, and problems told each at its place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from tthc_monitor.domain.errors import CalendarError
from tthc_monitor.domain.worktime import HORIZON
from tthc_monitor.domain.worktime_segments import parse_hours

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Place = tuple[int | str, ...]
"""Keys and positions that lead to a value of the file."""


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


def _within(value: dt.date) -> dt.date:
    if not HORIZON[0] <= value < HORIZON[1]:
        raise ValueError(f"{value} is no day from {HORIZON[0]} to before {HORIZON[1]}; correct the year")
    return value


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
DayOfCalendar = Annotated[Day, AfterValidator(_within)]
Time = Annotated[str, BeforeValidator(_time)]
Hours = Annotated[list[tuple[Time, Time]], AfterValidator(_hours)]
Week = dict[Weekday, Hours]


def refuse(problems: Iterable[tuple[Place, str]]) -> None:
    """Raise all problems at once, each at its place, so that each is told with its line."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError("value_error", "{message}", {"message": message}), loc=place, input=None
        )
        for place, message in problems
    ]
    if details:
        raise ValidationError.from_exception_data("calendar", details)


def twice(days: Sequence[dt.date]) -> Iterator[tuple[Place, str]]:
    """Problems with days that stand more than once."""
    for position, day in enumerate(days):
        if day in days[:position]:
            yield (position,), f"{day} stands twice; remove one of the two"


class Strict(BaseModel):
    """What stands in the text and is not known is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True, serialize_by_alias=True)
