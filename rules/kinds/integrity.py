"""Signs to be checked: records that contradict what we saw, or one another.

A finding is a sign, never an accusation: a software fault, a late synchronisation or a lawful reason may explain it. NĐ
118/2025/NĐ-CP Art. 35.2.h (NĐ 309/2026) lets data analysis warn and find what is unusual, as a support only. The acts
that such signs may point to are those that NĐ 61/2018/NĐ-CP Art. 5 and NĐ 118/2025/NĐ-CP Art. 5 prohibit.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from rules.kinds import reads
from rules.kinds.deadlines import Days, instants_of, local_clock
from rules.kinds.intervals import answerable, findings, first_known, utc
from rules.kinds.kind import Kind
from rules.kinds.lateness import end_told
from rules.kinds.payment import paying_at
from rules.kinds.promise import due_instant
from rules.kinds.requests import asked_before_reception, awaited_at
from rules.kinds.seen import ended, for_good, open_after
from rules.model import AgainstDue, Rule
from tthc_monitor.domain.statuses import Status
from tthc_monitor.domain.worktime import WorkCalendar

_Minutes = Annotated[float, Field(ge=0, le=10_000)]


class DueMovedAfterDue(AgainstDue):
    """The promise had passed, the dossier was open, and only then was the promise moved to a later one, or removed:
    flagged from when we saw it moved, for good. Of several moves the latest is judged.

    Not when the applicant was waited for, or had to pay, as the promise passed: the limit runs anew after a supplement,
    and whether a payment stops the clock the law of the sector says, so it cannot be told who moved what.
    """

    kind: Literal["due_moved_after_due"]


class FinishBackdated(Rule):
    """The claimed end lies more than ``tolerance_minutes`` before the last instant at which we saw the dossier open:
    flagged from when we saw the end, for good. An end claimed as a day without a time may be any instant of that day.

    Not for what was withdrawn or stopped: there the claimed instant may be that of the applicant's request.
    """

    kind: Literal["finish_backdated"]
    tolerance_minutes: _Minutes = 15


class ReceptionAfterFirstSight(Rule):
    """The claimed reception lies more than ``tolerance_minutes`` after we saw the dossier past registration: flagged
    from that reception, for good. Not applicable once supplements, or a payment, were requested before it: that may start
    the clock anew, and a dossier that waits for a payment before its reception is not under way.

    Seen at or after ``cutoff`` (local time of day), or outside working hours, it may be received until
    ``grace_working_hours`` after the next opening.
    """

    kind: Literal["reception_after_first_sight"]
    tolerance_minutes: _Minutes = 15
    cutoff: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")] = "15:00"
    grace_working_hours: Annotated[float, Field(ge=0, le=24)] = 1


class Vanished(Rule):
    """The source no longer has the dossier: flagged from when we saw that, as long as it is so."""

    kind: Literal["vanished"]


def due_moved_after_due(facts: pd.DataFrame, calendar: WorkCalendar, rule: DueMovedAfterDue) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.9: a new date is asked for at the latest one day before the promised one."""
    previous, current, moved = facts["due_previous"], facts["due_current"], facts["due_moved_at"]
    # A source that clears the promise of what has ended moves nothing.
    removed = current.isna() & (facts["end_seen_at"].isna() | (moved < facts["end_seen_at"]))
    known = (facts["due_moves"] > 0) & moved.notna()
    some = facts[known & (facts["due_unmoved_at"] > previous) & (removed | (current > previous))]
    due = due_instant(some, calendar, some["due_previous"], rule.clock_while_waiting)
    return findings(
        some,
        (some["due_unmoved_at"] > due) & open_after(some, due) & ~_clock_stood(some, rule),
        some["due_moved_at"],
        for_good(some),
        due_at=due,
        due_previous=some["due_previous"],
        due_current=some["due_current"],
        due_unmoved_at=some["due_unmoved_at"],
        due_moved_at=some["due_moved_at"],
    )


def finish_backdated(facts: pd.DataFrame, calendar: WorkCalendar, rule: FinishBackdated) -> pd.DataFrame:
    """NĐ 118/2025/NĐ-CP Art. 11: the software is kept up to date; what it says of the end must be true."""
    bound = facts["open_seen_at"] - pd.Timedelta(minutes=rule.tolerance_minutes)
    some = facts[_ended_by_office(facts) & (facts["ended_at"] < bound)]
    return findings(
        some,
        _at_the_latest(some["ended_at"], calendar) < bound[some.index],
        first_known(some["end_seen_at"], some["open_seen_at"]),
        for_good(some),
        ended_at=some["ended_at"],
        open_seen_at=some["open_seen_at"],
        end_seen_at=some["end_seen_at"],
        due_at=some["due_current"],
    )


def reception_after_first_sight(
    facts: pd.DataFrame, calendar: WorkCalendar, rule: ReceptionAfterFirstSight
) -> pd.DataFrame:
    """NĐ 118/2025/NĐ-CP Art. 17.3: the clock starts with the reception, as the receipt shows it; Art. 18.2: what comes
    after 15:00 may be handed on at the opening of the next working day.
    """
    received, seen = facts["received_at"], facts["underway_seen_at"]
    late = received > seen + pd.Timedelta(minutes=rule.tolerance_minutes)
    some = facts[late & ~_asked_or_paying_before(facts) & answerable(seen)]
    return findings(
        some,
        some["received_at"] > _opening_after(some["underway_seen_at"], calendar, rule),
        some["received_at"],
        for_good(some),
        received_at=some["received_at"],
        underway_seen_at=some["underway_seen_at"],
    )


def vanished(facts: pd.DataFrame, calendar: WorkCalendar, rule: Vanished) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 5: altering or deleting data of dossiers is prohibited."""
    some = facts[facts["vanished_seen_at"].notna()]
    return findings(
        some,
        some["vanished_seen_at"].notna(),
        some["vanished_seen_at"],
        for_good(some),
        vanished_seen_at=some["vanished_seen_at"],
        status=some["status"],
        due_at=some["due_current"],
    )


def _at_the_latest(claims: pd.Series, calendar: WorkCalendar) -> pd.Series:
    """The latest instant that a claim may mean: a local midnight is a day without a time, so the last of that day."""
    clock = local_clock(claims, calendar.zone)
    whole_day = pd.Series(clock == clock.astype("datetime64[D]"), index=claims.index)
    return claims.where(~whole_day, claims + pd.Timedelta(days=1) - pd.Timedelta(microseconds=1))


def _opening_after(seen: pd.Series, calendar: WorkCalendar, rule: ReceptionAfterFirstSight) -> pd.Series:
    """Until when a reception may lie after what we saw, without having been put off."""
    clock = local_clock(seen, calendar.zone)
    days: Days = clock.astype("datetime64[D]")
    hours, minutes = map(int, rule.cutoff.split(":"))
    afternoon = clock - days >= np.timedelta64(hours * 60 + minutes, "m")
    next_day: Days = days + np.timedelta64(1, "D")
    tomorrow = utc(instants_of(next_day, calendar.zone, seen.index))
    since = np.where(afternoon, tomorrow, utc(seen))
    opening = calendar.next_working(since)
    until = np.where(opening > utc(seen), calendar.add(opening, rule.grace_working_hours * 3600), utc(seen))
    return pd.Series(pd.DatetimeIndex(until).tz_localize("UTC"), index=seen.index)


def _asked_or_paying_before(facts: pd.DataFrame) -> pd.Series:
    """Whether supplements or a payment were asked for before the reception in force."""
    paying = (facts["obligation_requested_at"] <= facts["received_at"]) | (
        (facts["status"] == Status.FINANCIAL_OBLIGATION) & facts["obligation_requested_at"].isna()
    )
    return asked_before_reception(facts) | paying


def _ended_by_office(facts: pd.DataFrame) -> pd.Series:
    return ended(facts) & ~facts["status"].isin((Status.WITHDRAWN, Status.STOPPED))


def _clock_stood(facts: pd.DataFrame, rule: DueMovedAfterDue) -> pd.Series:
    """Whether the applicant was waited for, or had to pay, when the promise before the move passed."""
    promised = facts["due_previous"]
    waiting = awaited_at(facts, promised) & (rule.clock_while_waiting == "stopped")
    return waiting | paying_at(facts, promised)


def _move_told(facts: pd.DataFrame, rule: DueMovedAfterDue) -> pd.Series:
    promised = facts["due_previous"]
    seen = facts["due_unmoved_at"].notna() & facts["due_moved_at"].notna()
    told = facts["received_at"].notna() & promised.notna() & seen
    told &= end_told(facts, promised) | (facts["open_seen_at"] > promised)
    return told & ~(_clock_stood(facts, rule) & (facts["due_unmoved_at"] > promised))


def _reception_told(facts: pd.DataFrame, rule: Any) -> pd.Series:
    return facts["received_at"].notna() & facts["underway_seen_at"].notna()


KINDS = {
    "due_moved_after_due": Kind(
        DueMovedAfterDue,
        due_moved_after_due,
        lambda facts, _: facts["due_moves"] > 0,
        _move_told,
        reads=reads.PROMISE
        | reads.AWAITED
        | reads.OPEN_AFTER
        | reads.PAYING
        | {"due_previous", "due_unmoved_at", "due_moved_at", "due_moves"},
    ),
    "finish_backdated": Kind(
        FinishBackdated,
        finish_backdated,
        lambda facts, _: _ended_by_office(facts),
        lambda facts, _: facts["ended_at"].notna() & facts["open_seen_at"].notna(),
        reads=reads.ENDED | {"status", "open_seen_at", "due_current"},
    ),
    "reception_after_first_sight": Kind(
        ReceptionAfterFirstSight,
        reception_after_first_sight,
        lambda facts, _: ~_asked_or_paying_before(facts),
        _reception_told,
        reads=reads.ASKED_BEFORE_RECEPTION | {"status", "underway_seen_at", "obligation_requested_at", "ended_at"},
    ),
    "vanished": Kind(Vanished, vanished, reads=frozenset({"vanished_seen_at", "status", "due_current", "ended_at"})),
}
