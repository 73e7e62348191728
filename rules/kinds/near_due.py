"""Sent back when the promise is about to fall due, or has: the ways in which a late dossier may be made to look settled."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from rules.kinds import reads
from rules.kinds.deadlines import end_of_workday, instants_of, local_days
from rules.kinds.intervals import answerable, findings, first_known, later
from rules.kinds.kind import Kind
from rules.kinds.lateness import promise_told, received
from rules.kinds.promise import due_instant
from rules.kinds.requests import earliest_request, exact
from rules.kinds.sent_back import Statuses
from rules.kinds.waits import Instants, waits
from rules.model import AgainstDue
from tthc_monitor.domain.facts import provides
from tthc_monitor.domain.worktime import WorkCalendar

_STOPPED = 8


class RefusedLate(AgainstDue):
    """Ended in one of ``statuses`` after the due instant: flagged from its end, for good."""

    kind: Literal["refused_late"]
    statuses: Statuses = (3,)


class ReturnedNearDue(AgainstDue):
    """Ended in one of ``statuses``, or asked to be supplemented, on the due day or within the last working days before
    it: flagged from then, for good.

    Not what law gives the time for: the first ``notice_working_days`` after the reception, or after an earlier
    supplement. Not a stop that the applicant asked for, nor one of a procedure that was ``abolished`` (procedure code to
    the first day without it). A request that nobody claims counts when all the time in which it may have been made does.
    """

    kind: Literal["returned_near_due"]
    working_days_before: Annotated[int, Field(ge=0, le=30)] = 1
    notice_working_days: Annotated[int, Field(ge=0, le=60)] = 3
    statuses: Statuses = (3, 8)
    supplements: bool = True
    abolished: dict[str, date] = Field(default_factory=dict)


def refused_late(facts: pd.DataFrame, calendar: WorkCalendar, rule: RefusedLate) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.8: a refusal is notified within the time limit of the procedure."""
    some = facts[facts["status"].isin(rule.statuses)]
    due = due_instant(some, calendar, some["due_current"], rule.clock_while_waiting)
    return findings(
        some,
        some["ended_at"] > due,
        some["ended_at"],
        _for_good(some),
        due_at=due,
        promised_at=some["due_current"],
        ended_at=some["ended_at"],
        status=some["status"],
    )


def returned_near_due(facts: pd.DataFrame, calendar: WorkCalendar, rule: ReturnedNearDue) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.4: what fails is to be sent back in the first days, not when the promise comes."""
    some = facts[_sent_back(facts, rule) & facts["received_at"].notna()]
    every = pd.Series(data=True, index=some.index)
    begun = first_known(later(some["competent_received_at"], some["received_at"]), some["received_at"])
    *past, latest = waits(some)
    for wait in past:
        begun = first_known(later(_column(wait.answered, some), begun), begun)
    asked = some["supplement_requested_at"].where((some["request_unknown"] != 1) & rule.supplements)
    promised = _promised_when_asked(some)
    asked_near = _near(asked, promised, begun, calendar, rule)
    asked_near &= _near(earliest_request(some), promised, begun, calendar, rule)
    begun = first_known(later(_column(latest.answered, some), begun), begun)
    ended = some["ended_at"].where(_returned_by_office(some, calendar, rule))
    due = due_instant(some, calendar, some["due_current"], rule.clock_while_waiting)
    ended_near = _near(ended, due, begun, calendar, rule)
    event = asked.where(asked_near, ended)
    what = np.where(asked_near, "supplement_requested", "returned")
    return findings(
        some,
        every & (asked_near | ended_near),
        event,
        _for_good(some),
        due_at=promised.where(asked_near, due),
        what=what,
        sent_back_at=event,
        status=some["status"],
    )


def _near(
    event: pd.Series, due: pd.Series, begun: pd.Series, calendar: WorkCalendar, rule: ReturnedNearDue
) -> pd.Series:
    """Whether an event lies in the last working days of the promise, and after the days that law gives for it."""
    near = (event <= due) & answerable(event) & answerable(due)
    near &= event >= end_of_workday(calendar, begun.where(near), rule.notice_working_days)
    days = local_days(event[near], calendar.zone), local_days(due[near], calendar.zone)
    near[near] = calendar.count_workdays(*days) <= rule.working_days_before
    return near


def _promised_when_asked(facts: pd.DataFrame) -> pd.Series:
    """The promise that was in force at the latest request; NaT when a move since, or before we looked, hides it."""
    asked = facts["supplement_requested_at"]
    unmoved = (facts["due_moves"] == 0) & (
        (facts["first_seen_at"] <= asked) | (facts["due_original"] == facts["due_current"])
    )
    moved_before = facts["due_moved_at"] <= asked
    moved_since = (facts["due_moves"] == 1) & (facts["due_unmoved_at"] >= asked)
    return facts["due_current"].where(unmoved | moved_before, facts["due_previous"].where(moved_since))


def _returned_by_office(facts: pd.DataFrame, calendar: WorkCalendar, rule: ReturnedNearDue) -> pd.Series:
    stopped = facts["status"] == _STOPPED
    # Since NĐ 118/2025/NĐ-CP Art. 21 a stop is what an applicant asks for, unless the source can tell that nobody did.
    by_office = ~stopped | (provides(facts, "stop_requested_at") & facts["stop_requested_at"].isna())
    result = facts["status"].isin(rule.statuses) & by_office
    if rule.abolished and stopped.any():
        since = facts.loc[stopped, "procedure_code"].astype("object").map(rule.abolished)
        first = instants_of(np.asarray(pd.to_datetime(since), dtype="datetime64[us]"), calendar.zone, since.index)
        result[stopped] &= ~(facts.loc[stopped, "ended_at"] >= first)
    return result


def _column(instants: Instants, facts: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.DatetimeIndex(instants).tz_localize("UTC"), index=facts.index)


def _for_good(facts: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.NaT, index=facts.index, dtype=facts["received_at"].dtype)


def _sent_back(facts: pd.DataFrame, rule: ReturnedNearDue) -> pd.Series:
    asked = facts["supplement_requested_at"].notna() & rule.supplements
    return facts["status"].isin(rule.statuses) | asked


def _refused_applies(facts: pd.DataFrame, rule: RefusedLate) -> pd.Series:
    return received(facts, rule) & (facts["status"].isin(rule.statuses) | (facts["status"] <= 0))


def _refused_told(facts: pd.DataFrame, rule: RefusedLate) -> pd.Series:
    return promise_told(facts, rule) & (facts["status"] > 0)


def _returned_applies(facts: pd.DataFrame, rule: ReturnedNearDue) -> pd.Series:
    return received(facts, rule) & (_sent_back(facts, rule) | (facts["status"] <= 0))


def _returned_told(facts: pd.DataFrame, rule: ReturnedNearDue) -> pd.Series:
    back = facts["status"].isin(rule.statuses)
    stop_told = (facts["status"] != _STOPPED) | provides(facts, "stop_requested_at")
    end_told = ~back | (promise_told(facts, rule) & stop_told)
    asked = facts["supplement_requested_at"].notna() & rule.supplements
    # Its instant is known, or it was made in the days that law gives for it.
    notice = facts["received_at"] + pd.Timedelta(days=rule.notice_working_days)
    when = exact(facts) | ((facts["request_unknown"] != 1) & (facts["supplement_requested_at"] <= notice))
    request_told = ~asked | (when & _promised_when_asked(facts).notna())
    return (facts["status"] > 0) & end_told & request_told


KINDS = {
    "refused_late": Kind(
        RefusedLate, refused_late, _refused_applies, _refused_told, reads=reads.PROMISE | {"status", "ended_at"}
    ),
    "returned_near_due": Kind(
        ReturnedNearDue,
        returned_near_due,
        _returned_applies,
        _returned_told,
        reads=reads.PROMISE
        | reads.EARLIEST_REQUEST
        | {
            "procedure_code",
            "status",
            "ended_at",
            "competent_received_at",
            "first_seen_at",
            "due_original",
            "due_previous",
            "due_unmoved_at",
            "due_moved_at",
            "due_moves",
            "stop_requested_at",
            "provides",
        },
    ),
}
