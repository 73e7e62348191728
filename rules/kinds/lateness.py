"""Lateness: due soon, overdue, finished late. Official lateness is against the promise in force."""

from __future__ import annotations

import pandas as pd

from rules.kinds.intervals import answerable, answered_at, earlier, findings, first_known, utc
from rules.model import DueSoon, FinishedLate, Overdue
from tthc_monitor.domain.worktime import WorkCalendar


def due_soon(facts: pd.DataFrame, calendar: WorkCalendar, rule: DueSoon) -> pd.DataFrame:
    """NĐ 118/2025/NĐ-CP Art. 8: the one-stop centre urges units about dossiers that come due."""
    due, end = facts["due_current"], first_known(facts["ended_at"], facts["end_seen_at"])
    known = due.notna() & facts["received_at"].notna() & answerable(due)
    warned = due.copy()
    warned[known] = pd.DatetimeIndex(calendar.subtract(utc(due[known]), rule.within_working_hours * 3600)).tz_localize(
        "UTC"
    )
    starts = warned.where(warned >= facts["received_at"], facts["received_at"])
    where = known & ~waiting_at(due, facts, rule)
    return findings(facts, where, starts, earlier(due, end), due_at=due, within_working_hours=rule.within_working_hours)


def waiting_at(due: pd.Series, facts: pd.DataFrame, rule: DueSoon | Overdue | FinishedLate) -> pd.Series:
    """Whether the due instant fell into a wait for the applicant that had begun before it, and the clock stood still.

    NĐ 61/2018/NĐ-CP Art. 19.4 (the limit runs anew once the dossier is complete); index 766 item 2.1 (the time of the
    supplement is subtracted; while it is open the request ends the clock).
    """
    if rule.clock_while_waiting == "running":
        return pd.Series(False, index=facts.index)
    answer = answered_at(facts)
    return (facts["supplement_requested_at"] < due) & (answer.isna() | (answer > due))


def overdue(facts: pd.DataFrame, calendar: WorkCalendar, rule: Overdue) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.9, kept by provincial rules: overdue once the promised instant has passed."""
    due, ended = facts[rule.against], facts["ended_at"]
    # Ended at an instant nobody told: whether that was before the due instant is the question of another rule.
    told = ended.notna() | facts["end_seen_at"].isna()
    where = due.notna() & facts["received_at"].notna() & told & (ended.isna() | (ended > due))
    # The applicant answered after the due instant and the source set no new one: late from the answer on.
    starts = due.where(~waiting_at(due, facts, rule), answered_at(facts))
    return findings(facts, where, starts, ended, due_at=due, ended_at=ended)


def finished_late(facts: pd.DataFrame, calendar: WorkCalendar, rule: FinishedLate) -> pd.DataFrame:
    """Index 766 rule: on time if and only if the end of processing is not after the promised instant."""
    due, ended = facts[rule.against], facts["ended_at"]
    unanswered = waiting_at(due, facts, rule) & answered_at(facts).isna()
    where = due.notna() & facts["received_at"].notna() & (ended > due) & ~unanswered
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
