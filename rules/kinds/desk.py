"""Duties of the one-stop desk: to answer what came online, and to hand on what it received."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from rules.kinds import reads
from rules.kinds.deadlines import Days, end_of_workday, instants_of, local_clock, scattered
from rules.kinds.intervals import answerable, earlier, findings, utc
from rules.kinds.kind import Kind
from rules.kinds.requests import asked_by, earliest_first_request, first_told
from rules.kinds.waits import first_request
from rules.model import Rule
from tthc_monitor.domain.facts import provides
from tthc_monitor.domain.time_limits import Channel
from tthc_monitor.domain.worktime import WorkCalendar

_REGISTERED = 1
_RECEIVED = 2
Channels = Annotated[tuple[Channel, ...], Field(min_length=1)]


class AcknowledgedLate(Rule):
    """Neither received, nor sent back, nor refused in time: flagged from the deadline, for good.

    What may have been answered in time is not flagged: a request that we only saw late may have been made before.
    ``working_hours`` count from the submission; one at 00:00 is a date without a time of day and counts from the end of
    that day. ``submitted_from``: the first local day of submissions it is about, for
    a dossier that nobody received has no date of reception.
    """

    kind: Literal["acknowledged_late"]
    working_hours: Annotated[float, Field(gt=0, le=400)] = 8
    channels: Channels = ("online",)
    submitted_from: date | None = None


class TransferredLate(Rule):
    """Not handed on in time to the unit that resolves it: flagged from the deadline, for good.

    Received before ``cutoff`` (local time of day): by the end of the same working day. Received at or after it:
    ``grace_working_hours`` after the next working day's opening. Received on a day off: by the end of the next working
    day. A reception at 00:00 is a date without a time of day and gets the later deadline.
    """

    kind: Literal["transferred_late"]
    cutoff: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "15:00"
    grace_working_hours: Annotated[float, Field(ge=0, le=24)] = 1
    channels: Channels = ("direct",)


def acknowledged_late(facts: pd.DataFrame, calendar: WorkCalendar, rule: AcknowledgedLate) -> pd.DataFrame:
    """NQ 66.7/2025/NQ-CP: what came online is answered within 8 working hours of its arrival in the system."""
    submitted = facts["submitted_at"]
    asked_of = facts["channel"].isin(rule.channels) & answerable(submitted)
    if rule.submitted_from is not None:
        asked_of &= submitted >= pd.Timestamp(rule.submitted_from, tz=calendar.zone)
    # In time by the clock on the wall is in time: the working hours are computed for the others only.
    some = facts[asked_of & ~_surely_in_time(facts, rule)]
    answered, seen = _answered(some), _answered_by(some)
    submitted = some["submitted_at"]
    limit = answer_by(submitted, calendar, rule.working_hours)
    waits_still = answered.isna() & seen.isna() & (some["status"] == _REGISTERED)
    return findings(
        some,
        ((answered > limit) & ~(seen <= limit) & ~_answered_unseen(some)) | waits_still,
        limit,
        pd.Series(pd.NaT, index=some.index, dtype=limit.dtype),
        submitted_at=submitted,
        allowed_until=limit,
        acknowledged_at=answered,
        working_hours=rule.working_hours,
    )


def transferred_late(facts: pd.DataFrame, calendar: WorkCalendar, rule: TransferredLate) -> pd.DataFrame:
    """NĐ 118/2025/NĐ-CP Art. 18.2 (as NĐ 309/2026/NĐ-CP has it): handed on within the working day; of receptions after
    15:00, at the opening of the next working day.

    Not for a dossier that the receiving unit resolves itself, nor for one sent back to the applicant, or waiting for a
    fee, or gone, before the deadline.
    """
    rows = _handed_on(facts, rule) & facts["channel"].isin(rule.channels) & answerable(facts["received_at"])
    some = facts[rows & facts["receiving_unit_code"].notna()]
    limit = _hand_on_by(some["received_at"], calendar, rule)
    handed = some["transferred_at"]
    excused = asked_by(some, limit) | (some["request_unknown"] == 1) | (some["ended_at"] <= limit)
    excused |= (some["obligation_requested_at"] <= limit) | (some["vanished_seen_at"] <= limit)
    return findings(
        some,
        ((handed > limit) | _sits_still(some)) & ~excused,
        limit,
        pd.Series(pd.NaT, index=some.index, dtype=limit.dtype),
        received_at=some["received_at"],
        allowed_until=limit,
        transferred_at=handed,
        cutoff=rule.cutoff,
    )


def answer_by(submitted: pd.Series, calendar: WorkCalendar, working_hours: float) -> pd.Series:
    """Until when a submission is to be answered; one at 00:00 counts from the end of that day.

    Args:
        submitted: instants that the calendar can answer for.
    """
    clock = local_clock(submitted, calendar.zone)
    date_only = clock == clock.astype("datetime64[D]")
    begun: Days = np.where(date_only, utc(end_of_workday(calendar, submitted, 0)), utc(submitted))
    return scattered(calendar.add(begun, working_hours * 3600), submitted.notna())


def _answered(facts: pd.DataFrame) -> pd.Series:
    """When the desk answered at the earliest: received, asked to supplement or to pay, or ended it."""
    answered = earlier(facts["received_at"], earliest_first_request(facts))
    return earlier(earlier(answered, _claimed_obligation(facts)), facts["ended_at"])


def _claimed_obligation(facts: pd.DataFrame) -> pd.Series:
    return facts["obligation_requested_at"].where(provides(facts, "obligation_requested_at"))


def _answered_unseen(facts: pd.DataFrame) -> pd.Series:
    """Whether it was answered at some instant that nothing tells, which may be before all that we know of."""
    asked = facts["supplement_requested_at"].notna() & earliest_first_request(facts).isna()
    return asked | (facts["obligation_requested_at"].notna() & _claimed_obligation(facts).isna())


def _answered_by(facts: pd.DataFrame) -> pd.Series:
    """When we first saw that it had been answered, or was gone."""
    asked = earlier(first_request(facts), facts["obligation_requested_at"])
    seen = earlier(facts["underway_seen_at"], facts["end_seen_at"])
    return earlier(earlier(seen, facts["vanished_seen_at"]), asked)


def _surely_in_time(facts: pd.DataFrame, rule: AcknowledgedLate) -> pd.Series:
    until = facts["submitted_at"] + pd.Timedelta(hours=rule.working_hours)
    claimed = earlier(facts["received_at"], facts["ended_at"])
    return (claimed <= until) | (_answered_by(facts) <= until)


def _acknowledge_applies(facts: pd.DataFrame, rule: AcknowledgedLate) -> pd.Series:
    chosen = facts["channel"].isin(rule.channels) | facts["channel"].isna()
    if rule.submitted_from is not None:
        # Wherever the office is, its day has begun by then somewhere on earth.
        first = pd.Timestamp(rule.submitted_from, tz="UTC") - pd.Timedelta(hours=14)
        chosen &= facts["submitted_at"].isna() | (facts["submitted_at"] >= first)
    return chosen


def _acknowledge_told(facts: pd.DataFrame, rule: AcknowledgedLate) -> pd.Series:
    pending = _answered_by(facts).isna() & (facts["status"] == _REGISTERED)
    asked_later = earliest_first_request(facts) >= facts["received_at"]
    when = first_told(facts) | facts["supplement_requested_at"].isna() | asked_later
    known = (_answered(facts).notna() & when & ~_answered_unseen(facts)) | pending | _surely_in_time(facts, rule)
    return facts["channel"].notna() & facts["submitted_at"].notna() & known


def _handed_on(facts: pd.DataFrame, rule: TransferredLate) -> pd.Series:
    """Received at a desk, for another unit to resolve (or we do not know for whom)."""
    units = facts["receiving_unit_code"].astype("object"), facts["unit_code"].astype("object")
    return facts["received_at"].notna() & ((units[0] != units[1]) | facts["transferred_at"].notna())


def _sits_still(facts: pd.DataFrame) -> pd.Series:
    """Whether it is still at the desk, for another unit to resolve."""
    over = facts[["transferred_at", "ended_at", "end_seen_at", "vanished_seen_at"]].notna().any(axis=1)
    at_desk = (facts["status"] == _RECEIVED) & facts["unit_code"].notna()
    return at_desk & ~over & provides(facts, "transferred_at")


def _hand_on_by(received: pd.Series, calendar: WorkCalendar, rule: TransferredLate) -> pd.Series:
    clock = local_clock(received, calendar.zone)
    days = clock.astype("datetime64[D]")
    hours, minutes = map(int, rule.cutoff.split(":"))
    time_of_day = clock - days
    off = ~calendar.is_workday(days)
    next_day = (time_of_day >= np.timedelta64(hours * 60 + minutes, "m")) | (time_of_day == np.timedelta64(0, "us"))
    next_day &= ~off
    result = end_of_workday(calendar, received, 0)
    if off.any():
        result[off] = end_of_workday(calendar, received[off], 1)
    if next_day.any():
        midnight = utc(instants_of(days[next_day] + np.timedelta64(1, "D"), calendar.zone, received.index[next_day]))
        by = calendar.add(calendar.next_working(midnight), rule.grace_working_hours * 3600)
        result[next_day] = pd.DatetimeIndex(by).tz_localize("UTC")
    return result


def _transfer_applies(facts: pd.DataFrame, rule: TransferredLate) -> pd.Series:
    return _handed_on(facts, rule) & (facts["channel"].isin(rule.channels) | facts["channel"].isna())


def _transfer_told(facts: pd.DataFrame, rule: TransferredLate) -> pd.Series:
    known = facts["channel"].notna() & facts["receiving_unit_code"].notna() & (facts["request_unknown"] != 1)
    handed = facts["transferred_at"]
    asked_later = first_told(facts) | (earliest_first_request(facts) >= handed)
    known &= facts["supplement_requested_at"].isna() | asked_later
    return known & (handed.notna() | _sits_still(facts))


_READS = (
    reads.FIRST_REQUEST
    | reads.NOT_ENDED_BY
    | {"channel", "received_at", "obligation_requested_at", "vanished_seen_at", "provides"}
)

KINDS = {
    "acknowledged_late": Kind(
        AcknowledgedLate,
        acknowledged_late,
        _acknowledge_applies,
        _acknowledge_told,
        reads=_READS | {"submitted_at", "underway_seen_at"},
    ),
    "transferred_late": Kind(
        TransferredLate,
        transferred_late,
        _transfer_applies,
        _transfer_told,
        reads=_READS | {"unit_code", "receiving_unit_code", "transferred_at"},
    ),
}
