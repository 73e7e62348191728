"""Lateness: due soon, overdue, finished late. Official lateness is against the promise in force."""

from __future__ import annotations

import pandas as pd

from rules.kinds.intervals import answerable, earlier, findings, first_known, utc
from rules.model import DueSoon, FinishedLate, Overdue
from tthc_monitor.domain.worktime import WorkCalendar


def due_soon(facts: pd.DataFrame, calendar: WorkCalendar, rule: DueSoon) -> pd.DataFrame:
    """NĐ 118/2025/NĐ-CP Art. 8: the one-stop centre urges units about dossiers that come due."""
    due, end = facts["due_current"], first_known(facts["ended_at"], facts["end_seen_at"])
    known = due.notna() & facts["received_at"].notna() & answerable(due)
    warned = due.copy()
    warned[known] = pd.DatetimeIndex(
        calendar.subtract(utc(due[known]), rule.within_working_hours * 3600)
    ).tz_localize("UTC")
    starts = warned.where(warned >= facts["received_at"], facts["received_at"])
    return findings(
        facts, known, starts, earlier(due, end), due_at=due, within_working_hours=rule.within_working_hours
    )


def overdue(facts: pd.DataFrame, calendar: WorkCalendar, rule: Overdue) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.9, kept by provincial rules: overdue once the promised instant has passed."""
    due, ended = facts[rule.against], facts["ended_at"]
    # Ended at an instant nobody told: whether that was before the due instant is the question of another rule.
    told = ended.notna() | facts["end_seen_at"].isna()
    where = due.notna() & facts["received_at"].notna() & told & (ended.isna() | (ended > due))
    return findings(facts, where, due, ended, due_at=due, ended_at=ended)


def finished_late(facts: pd.DataFrame, calendar: WorkCalendar, rule: FinishedLate) -> pd.DataFrame:
    """Index 766 rule: on time if and only if the end of processing is not after the promised instant."""
    due, ended = facts[rule.against], facts["ended_at"]
    where = due.notna() & facts["received_at"].notna() & (ended > due)
    worked = pd.Series(float("nan"), index=facts.index)
    counted = where & answerable(due) & answerable(ended)
    worked[counted] = calendar.elapsed(utc(due[counted]), utc(ended[counted]))
    late = (ended - due).dt.total_seconds()
    return findings(
        facts,
        where,
        ended,
        pd.Series(pd.NaT, index=facts.index, dtype=ended.dtype),
        due_at=due,
        ended_at=ended,
        late_seconds=late,
        late_working_seconds=worked,
    )
