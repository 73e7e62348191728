"""Periods as people write them in settings: a number and a unit, such as ``30s``, ``10m``, ``6h`` or ``1d``."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

_PERIOD = re.compile(r"^(\d+)\s*(s|m|h|d)$")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


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


Period = Annotated[
    timedelta, BeforeValidator(_period), WithJsonSchema({"type": "string", "pattern": r"^[0-9]+\s*(s|m|h|d)$"})
]
