"""Dossiers sent back to the applicant: returned without a result, or asked to be supplemented."""

from __future__ import annotations

from typing import Annotated, Literal

import pandas as pd
from pydantic import Field

from rules.kinds import reads
from rules.kinds.deadlines import end_of_workday, scattered
from rules.kinds.intervals import findings, first_known, later
from rules.kinds.kind import Kind
from rules.kinds.lateness import understood
from rules.kinds.requests import earliest_request, exact
from rules.kinds.waits import waits
from rules.model import Rule
from tthc_monitor.domain.worktime import WorkCalendar

Statuses = Annotated[tuple[Annotated[int, Field(ge=1, le=10)], ...], Field(min_length=1)]


class Returned(Rule):
    """Ended without a result, in one of ``statuses``: flagged from its end, for good."""

    kind: Literal["returned"]
    statuses: Statuses


class SupplementRequested(Rule):
    """The applicant was asked to supplement: flagged from the request until it is completed or the dossier ends."""

    kind: Literal["supplement_requested"]


class SupplementAgain(Rule):
    """Asked to supplement more than ``allowed`` times: flagged from the request that was one too many, for good.

    The facts tell no stages: a law of the sector that allows more at another stage is an ``allowed`` of its own.
    """

    kind: Literal["supplement_again"]
    allowed: Annotated[int, Field(ge=1, le=20)] = 1


class SupplementAfterWindow(Rule):
    """Asked to supplement after the ``working_days`` given for it: flagged from that request, for good.

    The days count from the reception (of a dossier received elsewhere, by the competent agency), after an earlier
    supplement from its completion. A request that nobody claims is late only when we saw the dossier not waiting after
    these days.
    """

    kind: Literal["supplement_after_window"]
    working_days: Annotated[int, Field(ge=0, le=60)] = 3


class WaitingLong(Rule):
    """The applicant was asked and has not answered for ``working_days``: flagged from the end of the last of these days
    until the answer comes or the dossier ends.
    """

    kind: Literal["waiting_long"]
    working_days: Annotated[int, Field(ge=1, le=200)] = 15


def returned(facts: pd.DataFrame, calendar: WorkCalendar, rule: Returned) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.4 and 19.8: a dossier that fails is returned, or refused, in writing with reasons."""
    ended = first_known(facts["ended_at"], facts["end_seen_at"])
    without_end = pd.Series(pd.NaT, index=facts.index, dtype=ended.dtype)
    return findings(
        facts,
        facts["status"].isin(rule.statuses) & ended.notna(),
        ended,
        without_end,
        status=facts["status"],
        due_at=facts["due_current"],
    )


def supplement_requested(facts: pd.DataFrame, calendar: WorkCalendar, rule: SupplementRequested) -> pd.DataFrame:
    """NĐ 118/2025/NĐ-CP Art. 11: supplements may be requested once."""
    requested = facts["supplement_requested_at"]
    ended = first_known(facts["ended_at"], facts["end_seen_at"])
    return findings(
        facts,
        requested.notna(),
        requested,
        first_known(facts["supplement_completed_at"], ended),
        requests=facts["supplement_count"].clip(lower=1),
    )


def supplement_again(facts: pd.DataFrame, calendar: WorkCalendar, rule: SupplementAgain) -> pd.DataFrame:
    """NĐ 118/2025/NĐ-CP Art. 11: supplements may be requested once."""
    several = (facts["supplement_count"] > rule.allowed) & facts["supplement_requested_at"].notna()
    some = facts[several]
    # The request that was one too many, where it is known; the latest is never before it.
    starts = some["supplement_requested_at"]
    known = waits(some)[:-1]
    if len(known) > rule.allowed:
        told = scattered(known[rule.allowed].requested, several[several])
        starts = first_known(told, starts)
    return findings(
        some,
        several[several],
        starts,
        _for_good(some),
        requests=some["supplement_count"],
        latest_request_at=some["supplement_requested_at"],
    )


def supplement_after_window(facts: pd.DataFrame, calendar: WorkCalendar, rule: SupplementAfterWindow) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.4: what fails the appraisal is sent back within 3 working days of its reception."""
    some = facts[_asked(facts)]
    every = pd.Series(data=True, index=some.index)
    begun = first_known(later(some["competent_received_at"], some["received_at"]), some["received_at"])
    flagged, limits = (pd.Series(pd.NaT, index=some.index, dtype=begun.dtype) for _ in range(2))
    *past, latest = waits(some)
    proved = [scattered(wait.requested, every).where(exact(some)) for wait in past] + [earliest_request(some)]
    for wait, earliest in zip([*past, latest], proved, strict=True):
        requested, answered = scattered(wait.requested, every), scattered(wait.answered, every)
        limit = end_of_workday(calendar, begun, rule.working_days)
        late = (earliest >= limit) & (requested >= limit) & flagged.isna()
        flagged, limits = flagged.mask(late, requested), limits.mask(late, limit)
        begun = first_known(later(answered, begun), begun)
    return findings(
        some,
        flagged.notna(),
        flagged,
        _for_good(some),
        requested_at=flagged,
        allowed_until=limits,
        working_days=rule.working_days,
    )


def waiting_long(facts: pd.DataFrame, calendar: WorkCalendar, rule: WaitingLong) -> pd.DataFrame:
    """NĐ 297/2025/NĐ-CP Art. 6: a dossier that is not supplemented in 15 working days is closed in the system."""
    some = facts[_wait_told(facts, rule) & facts["supplement_requested_at"].notna()]
    requested = some["supplement_requested_at"]
    return findings(
        some,
        requested.notna(),
        end_of_workday(calendar, requested, rule.working_days),
        first_known(some["supplement_completed_at"], some["ended_at"]),
        requested_at=requested,
        working_days=rule.working_days,
    )


def _for_good(facts: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.NaT, index=facts.index, dtype=facts["received_at"].dtype)


def _status_told(facts: pd.DataFrame, rule: Returned) -> pd.Series:
    return facts["status"] > 0


def _requests_told(facts: pd.DataFrame, rule: SupplementRequested) -> pd.Series:
    return facts["supplement_requested_at"].notna() | understood(facts)


def _asked(facts: pd.DataFrame, rule: Rule | None = None) -> pd.Series:
    """Received, and asked to supplement afterwards."""
    return facts["supplement_requested_at"] >= facts["received_at"]


def _count_told(facts: pd.DataFrame, rule: SupplementAgain) -> pd.Series:
    dated = (facts["supplement_count"] <= rule.allowed) | facts["supplement_requested_at"].notna()
    return (facts["supplement_count"] >= 0) & dated


def _request_told(facts: pd.DataFrame, rule: SupplementAfterWindow) -> pd.Series:
    """Its instant is known, or it was in time whatever the calendar: N working days are at least N days."""
    in_time = facts["supplement_requested_at"] <= facts["received_at"] + pd.Timedelta(days=rule.working_days)
    proved = (facts["request_unknown"] != 1) & in_time & facts["earlier_waits"].isna()
    return exact(facts) | proved


def _ever_asked(facts: pd.DataFrame, rule: WaitingLong) -> pd.Series:
    return facts["supplement_requested_at"].notna()


def _wait_told(facts: pd.DataFrame, rule: WaitingLong) -> pd.Series:
    answered = facts["supplement_completed_at"].notna()
    over = facts["ended_at"].notna() | facts["end_seen_at"].isna()
    return answered | (over & understood(facts) & (facts["answer_unknown"] != 1))


KINDS = {
    "returned": Kind(Returned, returned, told=_status_told, reads=reads.ENDED | {"status", "due_current"}),
    "supplement_requested": Kind(
        SupplementRequested,
        supplement_requested,
        told=_requests_told,
        reads=reads.ENDED | {"supplement_requested_at", "supplement_completed_at", "supplement_count"},
    ),
    "supplement_again": Kind(
        SupplementAgain, supplement_again, told=_count_told, reads=reads.WAITS | {"supplement_count", "received_at"}
    ),
    "supplement_after_window": Kind(
        SupplementAfterWindow,
        supplement_after_window,
        _asked,
        _request_told,
        reads=reads.WAITS | reads.EARLIEST_REQUEST | {"received_at", "competent_received_at"},
    ),
    "waiting_long": Kind(
        WaitingLong,
        waiting_long,
        _ever_asked,
        _wait_told,
        reads=reads.NOT_ENDED_BY | {"supplement_requested_at", "supplement_completed_at", "answer_unknown"},
    ),
}
