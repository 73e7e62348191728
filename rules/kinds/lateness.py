"""Lateness: due soon, due today, overdue, finished late. Official lateness is against the promise in force."""

from __future__ import annotations

from typing import Annotated, Literal

import pandas as pd
from pydantic import Field

from rules.kinds import reads
from rules.kinds.deadlines import same_time_after_workdays, start_of_day
from rules.kinds.intervals import answerable, earlier, findings, first_known, later, utc
from rules.kinds.kind import Kind
from rules.kinds.promise import due_instant, wait_unknown
from rules.model import AgainstDue
from tthc_monitor.domain.worktime import WorkCalendar


class DueSoon(AgainstDue):
    """The due instant is near: flagged from ``within_working_hours`` before it until it comes or the dossier ends."""

    kind: Literal["due_soon"]
    within_working_hours: Annotated[float, Field(gt=0, le=400)]


class DueToday(AgainstDue):
    """Due on this local day: flagged from 00:00, so that a message sent before opening has it, until it comes or ends."""

    kind: Literal["due_today"]


class Overdue(AgainstDue):
    """Not ended at the due instant: flagged from then until the dossier ends."""

    kind: Literal["overdue"]
    against: Literal["due_current", "due_original"] = "due_current"


class OverdueTier(AgainstDue):
    """Overdue for long: flagged from the same clock time on the n-th working day after the due day until it ends."""

    kind: Literal["overdue_tier"]
    after_working_days: Annotated[int, Field(ge=1, le=200)]


class FinishedLate(AgainstDue):
    """Ended after the due instant: flagged from its end, for good."""

    kind: Literal["finished_late"]
    against: Literal["due_current", "due_original"] = "due_current"


def due_soon(facts: pd.DataFrame, calendar: WorkCalendar, rule: DueSoon) -> pd.DataFrame:
    """NĐ 118/2025/NĐ-CP Art. 8: the one-stop centre urges units about dossiers that come due."""
    due = due_instant(facts, calendar, facts["due_current"], rule.clock_while_waiting)
    known = answerable(due) & understood(facts)
    warned = due.copy()
    warned[known] = pd.DatetimeIndex(calendar.subtract(utc(due[known]), rule.within_working_hours * 3600)).tz_localize(
        "UTC"
    )
    end = first_known(facts["ended_at"], facts["end_seen_at"])
    return findings(
        facts,
        known,
        later(warned, facts["received_at"]),
        earlier(due, end),
        due_at=due,
        within_working_hours=rule.within_working_hours,
    )


def due_today(facts: pd.DataFrame, calendar: WorkCalendar, rule: DueToday) -> pd.DataFrame:
    """NĐ 118/2025/NĐ-CP Art. 8: the one-stop centre urges units about dossiers that come due."""
    due = due_instant(facts, calendar, facts["due_current"], rule.clock_while_waiting)
    end = first_known(facts["ended_at"], facts["end_seen_at"])
    # Most dossiers end long before; no local day is longer than 25 hours.
    near = answerable(due) & understood(facts) & (end.isna() | (end > due - pd.Timedelta(hours=25)))
    some = facts[near]
    today, until = due[near], earlier(due[near], end[near])
    starts = later(start_of_day(today, calendar.zone), some["received_at"])
    return findings(some, near[near], starts, until, due_at=today)


def overdue(facts: pd.DataFrame, calendar: WorkCalendar, rule: Overdue) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.9, kept by provincial rules: overdue once the promised instant has passed."""
    due = due_instant(facts, calendar, facts[rule.against], rule.clock_while_waiting)
    ended = facts["ended_at"]
    starts = later(due, facts["received_at"])
    where = not_ended_by(facts, due)
    return findings(facts, where, starts, ended, due_at=due, promised_at=facts[rule.against], ended_at=ended)


def overdue_tier(facts: pd.DataFrame, calendar: WorkCalendar, rule: OverdueTier) -> pd.DataFrame:
    """NĐ 118/2025/NĐ-CP Art. 8: the longer a dossier is overdue, the higher it is urged; the steps are the office's."""
    due = due_instant(facts, calendar, facts["due_current"], rule.clock_while_waiting)
    late = not_ended_by(facts, due)
    some, passed = facts[late], due[late]
    starts = later(same_time_after_workdays(calendar, passed, rule.after_working_days), some["received_at"])
    return findings(
        some,
        late[late],
        starts,
        some["ended_at"],
        due_at=passed,
        after_working_days=rule.after_working_days,
        promised_at=some["due_current"],
        ended_at=some["ended_at"],
    )


def finished_late(facts: pd.DataFrame, calendar: WorkCalendar, rule: FinishedLate) -> pd.DataFrame:
    """Index 766 rule: on time if and only if the end of processing is not after the promised instant."""
    due = due_instant(facts, calendar, facts[rule.against], rule.clock_while_waiting)
    ended = facts["ended_at"]
    where = due.notna() & (ended > due)
    worked = pd.Series(float("nan"), index=facts.index)
    counted = where & answerable(due) & answerable(ended)
    worked[counted] = calendar.elapsed(utc(due[counted]), utc(ended[counted]))
    return findings(
        facts,
        where,
        ended,
        pd.Series(pd.NaT, index=facts.index, dtype=ended.dtype),
        due_at=due,
        promised_at=facts[rule.against],
        ended_at=ended,
        late_seconds=(ended - due).dt.total_seconds(),
        late_working_seconds=worked,
    )


def understood(facts: pd.DataFrame) -> pd.Series:
    """Whether the source's status is known, or an end makes it unimportant: an unknown one may mean that it ended."""
    return (facts["status"] != 0) | facts["ended_at"].notna()


def not_ended_by(facts: pd.DataFrame, due: pd.Series) -> pd.Series:
    """Whether a dossier is known not to have ended by an instant. One that ended at an instant nobody told is not."""
    ended = facts["ended_at"]
    told = ended.notna() | facts["end_seen_at"].isna()
    return due.notna() & told & understood(facts) & (ended.isna() | (ended > due))


def received(facts: pd.DataFrame, rule: object) -> pd.Series:
    """Only a dossier that was received is owed anything."""
    return facts["received_at"].notna()


def end_told(facts: pd.DataFrame, due: pd.Series) -> pd.Series:
    """Whether it is known if a dossier ended by an instant."""
    seen = facts["end_seen_at"]
    return due.notna() & understood(facts) & (facts["ended_at"].notna() | seen.isna() | (seen <= due))


def promise_told(facts: pd.DataFrame, rule: AgainstDue) -> pd.Series:
    """Whether the promise, the waits and the end of a dossier are known as far as they matter."""
    promised = facts[getattr(rule, "against", "due_current")]
    told = end_told(facts, promised)
    if rule.clock_while_waiting == "running":
        return told
    return told & (~wait_unknown(facts, promised) | (facts["ended_at"] <= promised))


_READS = reads.PROMISE | reads.NOT_ENDED_BY

KINDS = {
    "due_soon": Kind(DueSoon, due_soon, received, promise_told, reads=_READS),
    "due_today": Kind(DueToday, due_today, received, promise_told, reads=_READS),
    "overdue": Kind(Overdue, overdue, received, promise_told, reads=_READS | {"due_original"}),
    "overdue_tier": Kind(OverdueTier, overdue_tier, received, promise_told, reads=_READS),
    "finished_late": Kind(
        FinishedLate, finished_late, received, promise_told, reads=reads.PROMISE | {"due_original", "ended_at"}
    ),
}
