"""Time limits of procedures, dated, and how each is counted.

A limit belongs to the dossiers received (or postmarked) while it was in force: NQ 66.16/2026/NQ-CP Art. 18 and its like
leave earlier dossiers under the law of their reception, and some limits end on a fixed day.
"""

from __future__ import annotations

import datetime as dt
import json
from hashlib import sha256
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tthc_monitor.domain.calendars import Day, Time

LimitUnit = Literal["working_day", "calendar_day", "working_hour", "month", "same_day"]
ClockModel = Literal["restart", "pause", "legacy"]
Channel = Literal["direct", "online", "postal", "kiosk"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ClockPolicy(_Strict):
    """How a limit is counted. Every value is a setting with a default: practice differs from office to office.

    ``clock_model``
        what a request for supplements does: ``restart`` (the whole limit runs anew once the dossier is complete, NĐ
        61/2018 Art. 19.4), ``pause`` (the wait is subtracted, index 766), ``legacy`` (the promise grows by the wait less
        one day, as one provincial system computes).
    ``working_day``
        what N working days are: ``same_clock_time`` N working days later (in a break of that day the next opening, after
        its hours its closing); ``hours``: N times ``hours_per_day`` working hours; ``end_of_day``: the closing of the
        N-th working day.
    ``day_ends``
        when the last day of a limit in calendar days or months ends: at ``midnight`` (Civil Code Art. 148.6), or at the
        ``closing`` of the office.
    ``outside_hours``
        when the clock of a dossier received outside hours starts: at the ``next_opening``, or at the opening of the
        ``next_day`` that is worked. By the latter a dossier received in a break, or before the opening, starts later than
        one received in hours later that day.
    ``cutoff``
        a reception at or after this time of day, or in the ``last_hour`` of a working day, counts from the next working
        day's opening (NĐ 63/2024 Art. 7: 15:00; NĐ 297/2025 Art. 6: the last hour).
    ``day_zero``
        whether the day of reception is day 0 (``not_counted``, Civil Code Art. 147.2) or day 1 (``counted``). Of a first
        day that counts whole there is no same clock time: N working days then end at the closing of the N-th day, and
        ``hours`` run from the opening of the first.
    ``pauses``
        what stops the clock while it lasts; a financial obligation only where the law of the sector says so. Without
        ``supplement`` a request for supplements changes nothing, whatever the model.
    ``honour_postmark``
        whether a dossier by post, postmarked before this limit came into force, keeps the one before it.
    """

    clock_model: ClockModel = "restart"
    working_day: Literal["same_clock_time", "hours", "end_of_day"] = "same_clock_time"
    day_ends: Literal["midnight", "closing"] = "midnight"
    hours_per_day: Annotated[float, Field(gt=0, le=24)] = 8
    outside_hours: Literal["next_opening", "next_day"] = "next_opening"
    cutoff: Time | Literal["last_hour"] | None = None
    day_zero: Literal["not_counted", "counted"] = "not_counted"
    pauses: tuple[Literal["supplement", "financial_obligation"], ...] = ("supplement",)
    honour_postmark: bool = True


class ClockStart(_Strict):
    """From when the time of a dossier counts, for receptions since ``valid_from`` until a later rule.

    ``instant`` is the fact it counts from: ``received_at``, or ``competent_received_at`` for a dossier received away from
    the agency that decides it (one that has this instant; every other counts from ``received_at``, and none from before
    it). ``title`` says so to an official.
    """

    valid_from: Day | None = None
    instant: Literal["received_at", "competent_received_at"]
    title: Annotated[str, Field(min_length=1)]
    legal_basis: Annotated[str, Field(min_length=1)]


class TimeLimit(_Strict):
    """The limit of one procedure, in force from ``valid_from`` to before ``valid_to``.

    ``channel`` and ``unit_code`` narrow it; the narrower beats the wider, a unit before a channel. Of two for the same,
    one whose dates lie within the other's beats it while it lasts, as a temporary limit does. ``amount`` counts
    ``unit``; of ``same_day`` there is none. ``extra_working_days`` are added in remote areas. ``abolished`` says that the
    procedure no longer exists since ``valid_from``: dossiers may be stopped, and nothing is late by law.
    """

    procedure_code: Annotated[str, Field(min_length=1)]
    channel: Channel | None = None
    unit_code: str | None = None
    amount: Annotated[float, Field(gt=0, le=10_000)] | None = None
    unit: LimitUnit | None = None
    extra_working_days: Annotated[float, Field(ge=0, le=400)] = 0
    abolished: bool = False
    policy: ClockPolicy | None = None
    legal_basis: Annotated[str, Field(min_length=1)]
    valid_from: Day | None = None
    valid_to: Day | None = None

    @model_validator(mode="after")
    def _whole(self) -> TimeLimit:
        if self.abolished:
            if self.amount is not None or self.unit is not None:
                raise ValueError("an abolished procedure has no limit; remove amount and unit")
        elif self.unit is None:
            raise ValueError("give 'unit': working_day, calendar_day, working_hour, month or same_day")
        elif (self.amount is None) != (self.unit == "same_day"):
            raise ValueError("give 'amount' with every unit but same_day, which has none")
        if self.valid_from and self.valid_to and self.valid_to <= self.valid_from:
            raise ValueError("valid_to must lie after valid_from; correct one of the two")
        return self

    @property
    def key(self) -> tuple[str, str | None, str | None]:
        """What may have one limit at a time: procedure, channel, unit."""
        return self.procedure_code, self.channel, self.unit_code

    def in_force(self, day: dt.date) -> bool:
        """Whether it holds for a dossier of that day."""
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day < self.valid_to)

    def fingerprint(self) -> str:
        """SHA-256 of the definition."""
        return sha256(json.dumps(self.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
