"""Duties when a promise cannot be kept: an apology in time, one new date at most, and no new date without an apology.

NĐ 61/2018/NĐ-CP Art. 19.9, kept by provincial rules since NĐ 118/2025/NĐ-CP (QĐ 88/2025/QĐ-UBND Lai Châu Art. 3.6, QĐ
138/2025/QĐ-UBND Đồng Tháp Art. 3): no later than one day before the due day the agency apologises in writing and proposes
a new date, at most once; the system then shows the new date.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from rules.kinds import reads
from rules.kinds.deadlines import Days, end_of_workday, instants_of, local_days
from rules.kinds.intervals import answerable, earlier, findings, first_known, later
from rules.kinds.kind import Kind
from rules.kinds.lateness import end_told, not_ended_by, received
from rules.kinds.payment import paying_at
from rules.kinds.promise import due_instant, wait_unknown
from rules.kinds.waits import excused_moves
from rules.model import AgainstDue, Rule
from tthc_monitor.domain.facts import provides
from tthc_monitor.domain.worktime import WorkCalendar

_DAY = np.timedelta64(1, "D")


class ApologyMissing(AgainstDue):
    """Not done when it was due, and no apology by the end of the day ``days_before`` the due day: flagged from the due
    instant, for good.

    ``days`` says whether these are calendar days or working days. ``accept_on_due_date`` lets an apology on the due day
    itself count, as some provinces have it. It cannot be told while the applicant had to pay, nor of a first promise that
    was put off before we looked.
    """

    kind: Literal["apology_missing"]
    days_before: Annotated[int, Field(ge=0, le=30)] = 1
    days: Literal["calendar", "working"] = "calendar"
    accept_on_due_date: bool = False


class ReappointedAgain(Rule):
    """Given a new date more than ``allowed`` times: flagged from the move, or the apology, that told us so, for good.

    Procedures in phases get a promise for each phase, and no move of theirs is a new date in this sense: leave them out
    by ``applies_to.except_procedures``.
    """

    kind: Literal["reappointed_again"]
    allowed: Annotated[int, Field(ge=0, le=20)] = 1


class MovedWithoutApology(Rule):
    """The promise was put off, and no apology came by ``within_working_days`` after we saw it: flagged from the end of
    the last of these days, for good.

    Procedures in phases are left out by ``applies_to.except_procedures``, as for :class:`ReappointedAgain`.
    """

    kind: Literal["due_moved_without_apology"]
    within_working_days: Annotated[int, Field(ge=0, le=60)] = 1


def apology_missing(facts: pd.DataFrame, calendar: WorkCalendar, rule: ApologyMissing) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.9: a written apology no later than one day before the due day."""
    promised = _owed(facts)
    due = due_instant(facts, calendar, promised, rule.clock_while_waiting)
    late = not_ended_by(facts, due) & answerable(due) & _apology_told(facts) & _first_known_if_owed(facts)
    late &= ~paying_at(facts, promised) & ~paying_at(facts, due)
    some, due, promised = facts[late], due[late], promised[late]
    apologised = some["apology_at"]
    allowed = _apologise_by(due, some["received_at"], calendar, rule)
    return findings(
        some,
        apologised.isna() | (apologised >= allowed),
        later(due, some["received_at"]),
        pd.Series(pd.NaT, index=some.index, dtype=due.dtype),
        due_at=due,
        promised_at=promised,
        allowed_until=allowed,
        apology_at=apologised,
        ended_at=some["ended_at"],
    )


def reappointed_again(facts: pd.DataFrame, calendar: WorkCalendar, rule: ReappointedAgain) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.9: a new date is given at most once."""
    again = (facts["due_moves"] > rule.allowed) | (facts["reappointment_count"] > rule.allowed)
    some = facts[received(facts, rule) & again]
    moves = _new_dates_seen(some)
    # A date that was corrected and set back is no delay.
    seen = some["due_moved_at"].where((moves > rule.allowed) & (some["due_current"] > some["due_original"]))
    claimed = first_known(some["apology_at"], some["due_moved_at"]).where(some["reappointment_count"] > rule.allowed)
    return findings(
        some,
        seen.notna() | claimed.notna(),
        earlier(seen, claimed),
        pd.Series(pd.NaT, index=some.index, dtype=seen.dtype),
        due_at=some["due_current"],
        due_original=some["due_original"],
        reappointments=some["reappointment_count"],
        moves=some["due_moves"],
        excused=excused_moves(some),
    )


def moved_without_apology(facts: pd.DataFrame, calendar: WorkCalendar, rule: MovedWithoutApology) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.9: the date in the system is moved after an apology with a new date, not by itself."""
    some = facts[received(facts, rule) & _put_off(facts) & provides(facts, "apology_at")]
    moved, apologised = some["due_moved_at"], some["apology_at"]
    limit = end_of_workday(calendar, moved, rule.within_working_days)
    # Of several moves an apology may belong to any.
    none = apologised.isna() | ((apologised >= limit) & (some["due_moves"] == 1))
    return findings(
        some,
        none,
        limit,
        pd.Series(pd.NaT, index=some.index, dtype=moved.dtype),
        due_at=some["due_current"],
        due_previous=some["due_previous"],
        due_moved_at=moved,
        allowed_until=limit,
        apology_at=apologised,
        moves=some["due_moves"],
    )


def _owed(facts: pd.DataFrame) -> pd.Series:
    """The promise that the apology was owed for: the first one if the office put it off, else the one in force.

    A promise moved after a wait for the applicant was not put off by the office.
    """
    return facts["due_current"].where(~_first_put_off(facts), facts["due_original"])


def _first_put_off(facts: pd.DataFrame) -> pd.Series:
    return (facts["due_original"] < facts["due_current"]) & (excused_moves(facts) == 0)


def _first_known_if_owed(facts: pd.DataFrame) -> pd.Series:
    return (facts["due_watched"] == 1) | ~_first_put_off(facts)


def _apology_told(facts: pd.DataFrame) -> pd.Series:
    """Whether the apology we know of is the one that was owed: of several only the latest is told."""
    several = (facts["reappointment_count"] > 1) | (facts["due_moves"] - excused_moves(facts) > 1)
    apologised = facts["apology_at"].notna()
    return (apologised & ~several) | (provides(facts, "apology_at") & ~apologised)


def _apologise_by(due: pd.Series, received_at: pd.Series, calendar: WorkCalendar, rule: ApologyMissing) -> pd.Series:
    """The end of the last day for an apology; the due day's where the other is over before the dossier came."""
    days = local_days(due, calendar.zone)
    on_time: Days = days + _DAY
    if rule.accept_on_due_date:
        by = on_time
    elif rule.days == "calendar":
        by = on_time - np.timedelta64(rule.days_before, "D")
    else:
        by = _workdays_before(days, rule.days_before, calendar) + _DAY
    by_then = instants_of(by, calendar.zone, due.index)
    return by_then.where(by_then > received_at, instants_of(on_time, calendar.zone, due.index))


def _workdays_before(days: Days, n: int, calendar: WorkCalendar) -> Days:
    """The n-th working day before each day."""
    back = days
    for _ in range(n):
        back = back - _DAY
        while (off := ~calendar.is_workday(back)).any():
            back = np.where(off, back - _DAY, back)
    return back


def _new_dates_seen(facts: pd.DataFrame) -> pd.Series:
    """Moves of the promise while the dossier was open that no wait for the applicant explains."""
    return facts["due_moves"] - excused_moves(facts) - _moved_after_end(facts).astype(np.int64)


def _moved_after_end(facts: pd.DataFrame) -> pd.Series:
    """Whether the latest move came after the end, as claimed or as seen; what we saw together may have been in any order."""
    moved = facts["due_moved_at"]
    return (facts["ended_at"] <= moved) | (facts["end_seen_at"] <= moved)


def _put_off(facts: pd.DataFrame) -> pd.Series:
    """Whether the office put the promise off while the dossier was open, as far as we saw."""
    moved = (facts["due_moves"] > 0) & (facts["due_current"] > facts["due_previous"]) & facts["due_moved_at"].notna()
    moved[moved] = ~_moved_after_end(facts[moved]) & (_new_dates_seen(facts[moved]) > 0)
    return moved


def _apology_applies(facts: pd.DataFrame, rule: ApologyMissing) -> pd.Series:
    return received(facts, rule)


def _duty_told(facts: pd.DataFrame, rule: ApologyMissing) -> pd.Series:
    promised = _owed(facts)
    in_time = facts["ended_at"] <= promised
    wait_told = ~wait_unknown(facts, promised) | (rule.clock_while_waiting == "running")
    told = wait_told & _apology_told(facts) & ~paying_at(facts, promised)
    return end_told(facts, promised) & _first_known_if_owed(facts) & (in_time | told)


def _moves_told(facts: pd.DataFrame, rule: ReappointedAgain) -> pd.Series:
    """The source counts, or we watched the dossier from its first day, or the first promise still stands."""
    counted = provides(facts, "reappointment_count") | (facts["reappointment_count"] >= 0)
    watched = facts["first_seen_at"] <= facts["received_at"] + pd.Timedelta(days=1)
    told = counted | watched | (facts["due_original"] == facts["due_current"])
    dated = (facts["reappointment_count"] <= rule.allowed) | facts["apology_at"].notna() | facts["due_moved_at"].notna()
    return told & dated


def _put_off_told(facts: pd.DataFrame, rule: MovedWithoutApology) -> pd.Series:
    told = provides(facts, "apology_at") & (facts["apology_at"].isna() | (facts["due_moves"] == 1))
    # Moves that we saw and that a wait explains, or that came after the end, ask for no apology.
    told |= _new_dates_seen(facts) <= 0
    return ~(facts["due_current"] > facts["due_original"]) | (told & (facts["due_moves"] > 0))


_MOVES = reads.EXCUSED_MOVES | {"received_at", "due_current", "due_moves", "apology_at"}

KINDS = {
    "apology_missing": Kind(
        ApologyMissing,
        apology_missing,
        _apology_applies,
        _duty_told,
        reads=_MOVES
        | reads.PROMISE
        | reads.NOT_ENDED_BY
        | reads.PAYING
        | {"due_original", "due_watched", "reappointment_count", "provides"},
    ),
    "reappointed_again": Kind(
        ReappointedAgain,
        reappointed_again,
        received,
        _moves_told,
        reads=_MOVES | reads.ENDED | {"due_moved_at", "due_original", "reappointment_count"},
    ),
    "due_moved_without_apology": Kind(
        MovedWithoutApology,
        moved_without_apology,
        received,
        _put_off_told,
        reads=_MOVES | reads.ENDED | {"due_moved_at", "due_previous", "provides"},
    ),
}
