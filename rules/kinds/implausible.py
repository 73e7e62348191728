"""Signs to be checked in the record itself: what it says is hardly possible, not lawful, or not what we find.

As in :mod:`rules.kinds.integrity`, a finding is a sign, never an accusation.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from rules.kinds import reads
from rules.kinds.deadlines import local_days
from rules.kinds.intervals import answerable, earlier, findings, first_known, later
from rules.kinds.kind import Kind
from rules.kinds.lateness import not_ended_by, promise_told
from rules.kinds.promise import due_instant
from rules.kinds.requests import earliest_request
from rules.kinds.seen import ended, for_good
from rules.kinds.waits import Instants, waits
from rules.model import AgainstDue, Rule
from tthc_monitor.domain.facts import provides
from tthc_monitor.domain.statuses import Status
from tthc_monitor.domain.worktime import WorkCalendar


class StepsWithinMinutes(Rule):
    """Of an ended dossier all steps, ``min_steps`` or more, were closed within ``within_minutes``, after at least
    ``idle_working_hours`` without any since its reception; the promise was ``min_promised_working_days`` or more after
    the day of reception. Flagged from the last step, for good.

    The time in which the applicant was waited for, or had to pay, is not idle. Not what ended at the applicant's request.
    """

    kind: Literal["steps_within_minutes"]
    min_steps: Annotated[int, Field(ge=2, le=1_000)] = 3
    within_minutes: Annotated[float, Field(ge=0, le=10_000)] = 5
    idle_working_hours: Annotated[float, Field(gt=0, le=1_000)] = 7
    min_promised_working_days: Annotated[int, Field(ge=0, le=400)] = 1


class PromiseOverLimit(Rule):
    """The first promise lies on a later day than the law allows: flagged from the reception, for good. Not applicable
    once the applicant was waited for: a wait moves what the law allows. Only of promises that are the first for certain.
    """

    kind: Literal["promise_over_limit"]


class SourceVerdictDiffers(AgainstDue):
    """The source says on time and we say late, or the reverse. Of an ended dossier flagged from its end, for good; of an
    open one from the due instant while the source says on time, and until it while the source says late.
    """

    kind: Literal["source_verdict_differs"]


class StoppedWithoutRequest(Rule):
    """Stopped, and no request of the applicant is recorded: flagged from the end, for good.

    Procedures that were abolished stop lawfully without one: leave them out by ``applies_to.except_procedures``.
    """

    kind: Literal["stopped_without_request"]


def steps_within_minutes(facts: pd.DataFrame, calendar: WorkCalendar, rule: StepsWithinMinutes) -> pd.DataFrame:
    """NĐ 118/2025/NĐ-CP Art. 8.1: progress is followed step by step, so steps are recorded when they are done."""
    quick = facts["last_step_at"] - facts["first_step_at"] <= pd.Timedelta(minutes=rule.within_minutes)
    some = facts[
        quick
        & (facts["last_step_at"] >= facts["first_step_at"])
        & (facts["steps_done"] >= rule.min_steps)
        & _steps_apply(facts)
        & answerable(facts["received_at"])
        & answerable(_promised(facts))
        & answerable(facts["first_step_at"])
    ]
    idle = _idle(some, calendar)
    days = calendar.count_workdays(
        local_days(some["received_at"], calendar.zone), local_days(_promised(some), calendar.zone)
    )
    return findings(
        some,
        (idle >= rule.idle_working_hours * 3600) & (days >= rule.min_promised_working_days),
        some["last_step_at"],
        for_good(some),
        steps_done=some["steps_done"],
        first_step_at=some["first_step_at"],
        last_step_at=some["last_step_at"],
        steps_seconds=(some["last_step_at"] - some["first_step_at"]).dt.total_seconds(),
        idle_working_seconds=idle,
        due_at=_promised(some),
    )


def promise_over_limit(facts: pd.DataFrame, calendar: WorkCalendar, rule: PromiseOverLimit) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 5, NĐ 118/2025/NĐ-CP Art. 5: nobody may lengthen the time that the law gives."""
    first = facts["due_watched"] == 1
    some = facts[first & (facts["due_original"] > facts["due_lawful"]) & ~_waited_for(facts)]
    lawful = local_days(some["due_lawful"], calendar.zone)
    beyond = (local_days(some["due_original"], calendar.zone) - lawful) / np.timedelta64(1, "D")
    return findings(
        some,
        pd.Series(beyond > 0, index=some.index),
        some["received_at"],
        for_good(some),
        due_at=some["due_original"],
        due_lawful=some["due_lawful"],
        clock_started_at=some["clock_started_at"],
        days_beyond=beyond,
    )


def source_verdict_differs(facts: pd.DataFrame, calendar: WorkCalendar, rule: SourceVerdictDiffers) -> pd.DataFrame:
    """CT 012/CT-UBND Đắk Lắk: figures of the systems are compared, and how they are computed is made one."""
    some = facts[(facts["source_verdict"] != 0) & facts["due_current"].notna()]
    due = due_instant(some, calendar, some["due_current"], rule.clock_while_waiting)
    end, says_late = some["ended_at"], some["source_verdict"] == 2
    still_open = end.isna() & not_ended_by(some, due)
    differs = end.notna() & due.notna() & (says_late != (end > due))
    begun = later(some["received_at"], first_known(some["underway_seen_at"], some["received_at"]))
    starts = end.where(end.notna(), begun.where(says_late, later(due, some["received_at"])))
    ends = due.where(still_open & says_late)
    return findings(
        some,
        differs | still_open,
        starts,
        ends,
        due_at=due,
        ended_at=end,
        source_says=says_late.map({True: "late", False: "on_time"}),
        we_say=says_late.map({True: "on_time", False: "late"}),
    )


def stopped_without_request(facts: pd.DataFrame, calendar: WorkCalendar, rule: StoppedWithoutRequest) -> pd.DataFrame:
    """TT 03/2025/TT-VPCP Art. 7, NĐ 118/2025/NĐ-CP Art. 21: a dossier is stopped at the applicant's request."""
    silent = facts["stop_requested_at"].isna() & provides(facts, "stop_requested_at")
    some = facts[(facts["status"] == Status.STOPPED) & silent & ended(facts)]
    stopped = first_known(some["ended_at"], some["end_seen_at"])
    return findings(some, stopped.notna(), stopped, for_good(some), ended_at=stopped, due_at=some["due_current"])


def _promised(facts: pd.DataFrame) -> pd.Series:
    return first_known(facts["due_original"], facts["due_current"])


def _waited_for(facts: pd.DataFrame) -> pd.Series:
    waits = ["supplement_requested_at", "earlier_waits", "obligation_requested_at"]
    return facts[waits].notna().any(axis=1) | (facts["supplement_count"] > 0)


def _idle(facts: pd.DataFrame, calendar: WorkCalendar) -> pd.Series:
    """Working seconds from the reception to the first step, without the applicant's time."""
    received, first = facts["received_at"], facts["first_step_at"]
    idle = pd.Series(calendar.elapsed(received, first), index=facts.index)
    *past, latest = waits(facts)
    # A request that we did not see come may have been made at any time before.
    asked = first_known(earliest_request(facts), received).where(facts["supplement_requested_at"].notna())
    spells = [(_column(wait.requested, facts), _column(wait.answered, facts)) for wait in past]
    spells += [(asked, _column(latest.answered, facts))]
    spells += [(facts["obligation_requested_at"], facts["obligation_completed_at"])]
    for begun, over in spells:
        since, until = later(begun, received), earlier(first, over)
        counts = answerable(since) & answerable(until) & (since < until)
        if counts.any():
            idle[counts] -= calendar.elapsed(since[counts], until[counts])
    return idle.clip(lower=0)


def _column(instants: Instants, facts: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.DatetimeIndex(instants).tz_localize("UTC"), index=facts.index)


def _steps_apply(facts: pd.DataFrame) -> pd.Series:
    """Ended, and not because the applicant asked for it."""
    status = facts["status"]
    asked = facts["stop_requested_at"].notna() | ~provides(facts, "stop_requested_at")
    return ended(facts) & (status != Status.WITHDRAWN) & ~((status == Status.STOPPED) & asked)


def _steps_told(facts: pd.DataFrame, rule: StepsWithinMinutes) -> pd.Series:
    steps = (facts["steps_done"] >= 0) & facts["first_step_at"].notna() & facts["last_step_at"].notna()
    none_done = (facts["steps_done"] >= 0) & (facts["steps_done"] < rule.min_steps)
    return facts["received_at"].notna() & _promised(facts).notna() & (steps | none_done)


KINDS = {
    "steps_within_minutes": Kind(
        StepsWithinMinutes,
        steps_within_minutes,
        lambda facts, _: _steps_apply(facts),
        _steps_told,
        reads=reads.ENDED
        | reads.WAITS
        | reads.EARLIEST_REQUEST
        | {
            "status",
            "received_at",
            "due_original",
            "due_current",
            "steps_done",
            "first_step_at",
            "last_step_at",
            "obligation_requested_at",
            "obligation_completed_at",
            "stop_requested_at",
            "provides",
        },
    ),
    "promise_over_limit": Kind(
        PromiseOverLimit,
        promise_over_limit,
        lambda facts, _: ~_waited_for(facts),
        lambda facts, _: (
            (facts["due_watched"] == 1) & facts[["received_at", "due_original", "due_lawful"]].notna().all(axis=1)
        ),
        reads=reads.EXCUSED_MOVES
        | {"received_at", "due_original", "due_watched", "due_lawful", "clock_started_at", "ended_at"},
    ),
    "source_verdict_differs": Kind(
        SourceVerdictDiffers,
        source_verdict_differs,
        lambda facts, _: facts["source_verdict"] != 0,
        promise_told,
        reads=reads.PROMISE | reads.NOT_ENDED_BY | {"source_verdict", "underway_seen_at"},
    ),
    "stopped_without_request": Kind(
        StoppedWithoutRequest,
        stopped_without_request,
        lambda facts, _: facts["status"] == Status.STOPPED,
        lambda facts, _: ended(facts) & provides(facts, "stop_requested_at"),
        reads=reads.ENDED | {"status", "stop_requested_at", "due_current", "provides"},
    ),
}
