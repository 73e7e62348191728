"""Periods as people write them in settings: a number and a unit, such as ``30s``, ``10m``, ``6h`` or ``1d``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, WithJsonSchema

WORKDAY_SECONDS: Final = 8 * 3600
"""Working time of the day of 8 hours in which working time is told where no office's own hours are meant."""

PATTERN = r"^[0-9]+\s*(s|m|h|d)$"
"""What a period looks like, for the JSON Schema."""

_PERIOD = re.compile(r"^(\d+)\s*(s|m|h|d)$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SECONDS = {letter: round(timedelta(**{unit: 1}).total_seconds()) for letter, unit in _UNITS.items()}


def _period(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value
    match = _PERIOD.match(value) if isinstance(value, str) else None
    try:
        if match is not None and int(match[1]) > 0:
            return timedelta(**{_UNITS[match[2]]: int(match[1])})
    except OverflowError:
        pass
    raise ValueError(f"{value!r} is not a period; write a number and a unit, such as 30s, 10m, 6h or 1d")


def written(period: timedelta) -> str:
    """A period of whole seconds as people write it, in the largest unit that fits."""
    seconds = round(period.total_seconds())
    unit = next(letter for letter in "dhms" if seconds % _SECONDS[letter] == 0)
    return f"{seconds // _SECONDS[unit]}{unit}"


Period = Annotated[
    timedelta,
    BeforeValidator(_period),
    WithJsonSchema({"type": "string", "pattern": PATTERN}),
]
