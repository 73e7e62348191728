"""Lateness: due soon, overdue, finished late. Official lateness is against the promise in force."""

from __future__ import annotations

import pandas as pd

from rules.kinds.intervals import answerable, earlier, findings, first_known, later, utc
from rules.kinds.promise import due_instant
from rules.model import DueSoon, FinishedLate, Overdue
from tthc_monitor.domain.worktime import WorkCalendar


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


def overdue(facts: pd.DataFrame, calendar: WorkCalendar, rule: Overdue) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.9, kept by provincial rules: overdue once the promised instant has passed."""
    due = due_instant(facts, calendar, facts[rule.against], rule.clock_while_waiting)
    ended = facts["ended_at"]
    # Ended at an instant nobody told: whether that was before the due instant is the question of another rule.
    told = ended.notna() | facts["end_seen_at"].isna()
    where = due.notna() & told & understood(facts) & (ended.isna() | (ended > due))
    starts = later(due, facts["received_at"])
    return findings(facts, where, starts, ended, due_at=due, promised_at=facts[rule.against], ended_at=ended)


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
