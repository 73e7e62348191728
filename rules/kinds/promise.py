"""The instant a dossier has to be ready by, with the wait for the applicant taken out.

A source keeps the promised instant while a request for supplements is open, and moves it when the applicant answers, if
at all. A promise that lies after the answer has therefore been moved, or did not need to be; one that passed while the
applicant was awaited has not, and is moved here by the working time that was left at the request.

NĐ 61/2018/NĐ-CP Art. 19.4 (the limit runs anew once the dossier is complete); index 766 item 2.1 (the time of the
supplement is subtracted; while it is open the request ends the clock).
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from rules.kinds.intervals import answerable, utc
from rules.kinds.waits import Instants, Wait, number_of_waits, waits
from tthc_monitor.domain.worktime import WorkCalendar


def wait_unknown(facts: pd.DataFrame, promised: pd.Series) -> pd.Series:
    """Whether it cannot be told if the applicant was awaited when the promise came.

    Args:
        promised: the promise with earlier waits taken out (:func:`promise_before_latest_wait`).
    """
    requested, answered = facts["supplement_requested_at"], facts["supplement_completed_at"]
    # Asked some time before: of a promise that passed meanwhile nobody knows how much was left.
    asked_before_we_looked = (facts["request_unknown"] == 1) & ((requested >= promised) | (answered > promised))
    answered_unseen = (facts["answer_unknown"] == 1) & (requested < promised)
    # A request that is counted and no more: it may have been open when the promise came.
    counted_only = (facts["supplement_count"] > number_of_waits(facts)) & ~(requested < promised)
    return asked_before_we_looked | answered_unseen | counted_only


def promise_before_latest_wait(facts: pd.DataFrame, calendar: WorkCalendar, promised: pd.Series) -> pd.Series:
    """The promise with all waits but the latest taken out of it."""
    several = facts["earlier_waits"].notna() & promised.notna()
    if not several.any():
        return promised
    given = utc(promised[several])
    moved = given
    for wait in waits(facts[several])[:-1]:
        moved = _moved_by(wait, moved, given, calendar)
    result = promised.copy()
    result[several] = pd.DatetimeIndex(moved).tz_localize("UTC")
    return result


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
    given = due
    due = promise_before_latest_wait(facts, calendar, due)
    due = due.where(~wait_unknown(facts, due))
    asked = due.notna() & facts["supplement_requested_at"].notna()
    if asked.any():
        some = facts[asked]
        latest = Wait(utc(some["supplement_requested_at"]), utc(some["supplement_completed_at"]))
        moved = _moved_by(latest, utc(due[asked]), utc(given[asked]), calendar)
        due[asked] = pd.DatetimeIndex(moved).tz_localize("UTC")
    return due


def _moved_by(wait: Wait, due: Instants, given: Instants, calendar: WorkCalendar) -> Instants:
    """The promise after a wait in which it came: moved by the working time that was left at the request.

    NaT while the wait lasts, and where the calendar has no answer; any other promise stays. One that was moved here for
    an earlier wait is not the source's, which takes no later wait out of it: there every wait counts.

    Args:
        due: the promise with earlier waits taken out.
        given: the promise as the source gives it.
    """
    open_still = np.isnat(wait.answered)
    awaited = (wait.requested < due) & (open_still | (wait.answered > due) | (due != given))
    result = np.where(awaited, np.datetime64("NaT"), due)
    known = awaited & ~open_still & _computable(wait.requested, due, wait.answered)
    if known.any():
        left = calendar.elapsed(wait.requested[known], due[known])
        result[known] = calendar.add(wait.answered[known], left)
    return result


def first_due(
    facts: pd.DataFrame, calendar: WorkCalendar, after_supplement: Literal["restarted", "paused", "running"]
) -> pd.Series:
    """The instant that the first promise stands for once the waits for the applicant are taken out of it.

    No source moves ``due_original``, so every wait that began before it counts here, wherever it ended: the whole limit
    runs anew from the answer (``restarted``), goes on with what was left (``paused``), or the wait changes nothing
    (``running``). NaT as for :func:`due_instant`, and where the calendar cannot answer for a wait.
    """
    due = facts["due_original"].where(facts["received_at"].notna())
    asked = due.notna() & facts["supplement_requested_at"].notna()
    if after_supplement == "running" or not asked.any():
        return due
    some = facts[asked]
    moved = utc(due[asked])
    since = utc(some["received_at"]) if after_supplement == "restarted" else None
    promised = moved
    *earlier, latest = waits(some)
    for wait in earlier:
        moved = _after(wait, moved, calendar, since, promised)
    began_before, ended = latest.requested < moved, ~np.isnat(latest.answered)
    unsure = (some["answer_unknown"].to_numpy() == 1) & began_before
    # A request that we did not see come: it restarts a limit as any other, but how much was left of one nobody knows.
    unsure |= (some["request_unknown"].to_numpy() == 1) & (~began_before | (ended & (since is None)))
    moved = np.where(unsure, np.datetime64("NaT"), _after(latest, moved, calendar, since, promised))
    due[asked] = pd.DatetimeIndex(moved).tz_localize("UTC")
    return due


def _after(wait: Wait, due: Instants, calendar: WorkCalendar, since: Instants | None, promised: Instants) -> Instants:
    """The due instants after a wait; NaT while it lasts, and where the calendar has no answer."""
    counts = wait.requested < due
    result = np.where(counts, np.datetime64("NaT"), due)
    start, end = (wait.requested, due) if since is None else (since, promised)
    known = counts & (start < end) & _computable(start, end, wait.answered)
    if known.any():
        left = calendar.elapsed(start[known], end[known])
        # A wait that was over before the reception changes nothing; none makes a promise fall due earlier.
        result[known] = np.maximum(calendar.add(wait.answered[known], left), due[known])
    return result


def _computable(start: Instants, end: Instants, answered: Instants) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether the calendar reaches as far as the working time of [start, end) from the answer."""
    within = np.ones(len(start), dtype=np.bool_)
    for instants in (start, end, answered, answered + 2 * (end - start)):
        within &= answerable(pd.Series(pd.DatetimeIndex(instants).tz_localize("UTC"))).to_numpy()
    return within
