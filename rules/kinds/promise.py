"""The instant a dossier has to be ready by, with the wait for the applicant taken out.

A source keeps the promised instant while a request for supplements is open, and moves it when the applicant answers, if
at all. A promise that lies after the answer has therefore been moved, or did not need to be; one that passed while the
applicant was awaited has not, and is moved here by the working time that was left at the request.

NĐ 61/2018/NĐ-CP Art. 19.4 (the limit runs anew once the dossier is complete); index 766 item 2.1 (the time of the
supplement is subtracted; while it is open the request ends the clock).
"""

from __future__ import annotations

from typing import Literal

import pandas as pd

from rules.kinds.intervals import answerable, utc
from tthc_monitor.domain.worktime import WorkCalendar


def wait_unknown(facts: pd.DataFrame, promised: pd.Series) -> pd.Series:
    """Whether it cannot be told if the applicant was awaited when the promise came."""
    requested = facts["supplement_requested_at"]
    asked_before_we_looked = (facts["request_unknown"] == 1) & (requested >= promised)
    answered_unseen = (facts["answer_unknown"] == 1) & (requested < promised)
    return asked_before_we_looked | answered_unseen


def due_instant(
    facts: pd.DataFrame,
    calendar: WorkCalendar,
    promised: pd.Series,
    clock_while_waiting: Literal["stopped", "running"],
) -> pd.Series:
    """The instant that lateness counts from; NaT when there is none: no reception, no promise, an open wait that began
    before the promise came, or a wait that is not known.
    """
    due = promised.where(facts["received_at"].notna())
    if clock_while_waiting == "running":
        return due
    requested, answered = facts["supplement_requested_at"], facts["supplement_completed_at"]
    awaited = (requested < due) & (answered.isna() | (answered > due))
    due = due.where(~awaited & ~wait_unknown(facts, promised))
    moved = awaited & answered.notna() & answerable(requested) & answerable(promised) & answerable(answered)
    if moved.any():
        left = calendar.elapsed(utc(requested[moved]), utc(promised[moved]))
        due[moved] = pd.DatetimeIndex(calendar.add(utc(answered[moved]), left)).tz_localize("UTC")
    return due
