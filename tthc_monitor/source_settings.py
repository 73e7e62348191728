"""The part of the configuration that is about one source: how it is pulled, and what must hold of a pull."""

from __future__ import annotations

import difflib
from datetime import datetime, time, timedelta
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from tthc_monitor.domain.durations import Period
from tthc_monitor.domain.pull_assertions import Assertions
from tthc_monitor.domain.pull_plan import QuietHours
from tthc_monitor.domain.records import RECORD_SCHEMA

Share = Annotated[float, Field(ge=0, le=1)]
HoursOfDay = Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]


class Part(BaseModel):
    """Base of every part of the configuration: unknown keys are errors, values do not change after loading."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ReceiveSettings(Part):
    """What lets a source send to us by itself: the token it must show, from a file or an environment variable."""

    token_file: str | None = None
    token_env: str | None = None

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if (self.token_file is None) == (self.token_env is None):
            raise ValueError("receive needs exactly one of token_file and token_env; give one")
        return self


class SourceSettings(Part):
    """One one-stop system. ``options`` belong to the connector kind and are checked by it.

    ``max_reject_share``, ``min_rows``, ``max_drop`` and ``min_fill`` are those of
    :class:`tthc_monitor.domain.pull_assertions.Assertions`. In ``quiet_hours``, such as ``"11:30-13:00"`` by the zone of
    the calendar, the service begins no pull. ``receive`` lets the source send by itself; without it nothing is received.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    kind: str
    every: Period = timedelta(minutes=10)
    quiet_hours: tuple[HoursOfDay, ...] = ()
    max_reject_share: Share = 0.05
    min_rows: Annotated[int, Field(ge=0)] = 0
    max_drop: Share | None = None
    min_fill: dict[str, Share] = Field(default={})
    receive: ReceiveSettings | None = None
    options: dict[str, Any] = Field(default={}, repr=False)

    @field_validator("quiet_hours")
    @classmethod
    def _leave_time_to_pull(cls, written: tuple[str, ...]) -> tuple[str, ...]:
        hours = [_quiet_hours(item) for item in written]
        for item, one in zip(written, hours, strict=True):
            if one.start == one.end:
                raise ValueError(f"'{item}' begins when it ends; write two times, such as 11:30-13:00")
        day = datetime(2000, 1, 1)  # noqa: DTZ001  (any day has these minutes)
        minutes = (day + timedelta(minutes=minute) for minute in range(24 * 60))
        if hours and all(any(one.until(minute) for one in hours) for minute in minutes):
            raise ValueError("the quiet hours leave no time to pull; shorten one of them")
        return written

    @field_validator("min_fill")
    @classmethod
    def _canonical_columns(cls, shares: dict[str, float]) -> dict[str, float]:
        for name in shares:
            if name not in RECORD_SCHEMA:
                near = difflib.get_close_matches(name, RECORD_SCHEMA, 1)
                known = near[0] if near else f"one of {', '.join(RECORD_SCHEMA)}"
                raise ValueError(f"'{name}' is not a canonical column; use {known}")
        return shares

    @property
    def quiet(self) -> tuple[QuietHours, ...]:
        """``quiet_hours`` as the plan of pulls reads them."""
        return tuple(_quiet_hours(item) for item in self.quiet_hours)

    @property
    def assertions(self) -> Assertions:
        """What must hold of each pull."""
        return Assertions(self.max_reject_share, self.min_rows, self.max_drop, self.min_fill)


def _quiet_hours(written: str) -> QuietHours:
    start, _, end = written.partition("-")
    return QuietHours(time.fromisoformat(start), time.fromisoformat(end))
