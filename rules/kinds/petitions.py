"""Petitions (phản ánh, kiến nghị; hotline 1022): refused, sent back, handled and published within working days.

The days are those of index 766 item 5.2 (refuse 2, ask for supplements 5, handle 15, publish 2). A hotline 1022 has
provincial ones, so all are parameters. A term ends with its last working day (:func:`rules.kinds.deadlines.end_of_workday`). Each rule
flags for good: what was late once stays late, and ``done_at`` in the evidence says when it was done, if at all.
"""

from __future__ import annotations

from typing import Annotated, Literal

import pandas as pd
from pydantic import Field

from rules.kinds import reads
from rules.kinds.deadlines import end_of_workday
from rules.kinds.intervals import findings, first_known, later
from rules.kinds.kind import Kind
from rules.kinds.requests import earliest_first_request, first_told
from rules.kinds.seen import ended, for_good, open_after
from rules.kinds.waits import first_request
from rules.model import Rule, Scope
from tthc_monitor.domain.facts import provides
from tthc_monitor.domain.statuses import Status
from tthc_monitor.domain.worktime import WorkCalendar

_WITHOUT_ANSWER = (Status.REFUSED, Status.WITHDRAWN, Status.STOPPED)


class _Petition(Rule):
    applies_to: Scope = Scope(kinds=("petition",))
    within_working_days: Annotated[int, Field(ge=0, le=400)]


class _SinceSending(_Petition):
    """``counted_from``: the citizen's sending (else the reception), or the last transfer to another unit after it."""

    counted_from: Literal["last_transfer", "sending"] = "last_transfer"


class PetitionRefusedLate(_SinceSending):
    """Refused after ``within_working_days``: flagged from the refusal, for good."""

    kind: Literal["petition_refused_late"]


class PetitionSupplementLate(_SinceSending):
    """The citizen was first asked to supplement after ``within_working_days``: flagged from the request, for good.

    A request that nobody claims is late only when the petition was seen not waiting after these days.
    """

    kind: Literal["petition_supplement_late"]


class PetitionHandledLate(_SinceSending):
    """Not handled within ``within_working_days``: flagged from the end of the term, for good.

    ``clock_while_waiting``: a petition that the citizen supplements is sent anew (``restarted``: the term runs again
    from the answer, and not while it is waited for), or the term runs on (``running``).
    """

    kind: Literal["petition_handled_late"]
    clock_while_waiting: Literal["restarted", "running"] = "restarted"


class PetitionPublishedLate(_Petition):
    """The answer is not published within ``within_working_days`` of it: flagged from the end of the term, for good."""

    kind: Literal["petition_published_late"]


def refused_late(facts: pd.DataFrame, calendar: WorkCalendar, rule: PetitionRefusedLate) -> pd.DataFrame:
    """Index 766 item 5.2: a petition that is not taken up is refused within 2 working days."""
    some = facts[(facts["status"] == Status.REFUSED) & facts["ended_at"].notna() & _sent_known(facts, rule)]
    refused = some["ended_at"]
    since = _since(some, refused, rule)
    due = end_of_workday(calendar, since, rule.within_working_days)
    return findings(some, refused >= due, refused, for_good(some), due_at=due, done_at=refused, counted_from_at=since)


def supplement_late(facts: pd.DataFrame, calendar: WorkCalendar, rule: PetitionSupplementLate) -> pd.DataFrame:
    """Index 766 item 5.2: supplements are asked for within 5 working days."""
    some = facts[facts["supplement_requested_at"].notna() & _first_known(facts) & _sent_known(facts, rule)]
    requested = first_request(some)
    since = _since(some, requested, rule)
    due = end_of_workday(calendar, since, rule.within_working_days)
    return findings(
        some,
        (earliest_first_request(some) >= due) & (requested >= due),
        requested,
        for_good(some),
        due_at=due,
        done_at=requested,
        counted_from_at=since,
    )


def handled_late(facts: pd.DataFrame, calendar: WorkCalendar, rule: PetitionHandledLate) -> pd.DataFrame:
    """Index 766 item 5.2: handled within 15 working days of the citizen's sending or the last transfer."""
    restarted = rule.clock_while_waiting == "restarted"
    some = facts[_sent_known(facts, rule) & ~_sure_in_time(facts, rule) & (_one_wait(facts) | (not restarted))]
    since = _since(some, some["ended_at"], rule)
    due = end_of_workday(calendar, since, rule.within_working_days)
    if restarted:
        asked = some["supplement_requested_at"] < due
        since = since.where(~asked, later(since, some["supplement_completed_at"]))
        due[asked] = end_of_workday(calendar, since[asked], rule.within_working_days)
    done = some["ended_at"]
    late = due.notna() & ((done >= due) | (done.isna() & open_after(some, due)))
    return findings(some, late, due, for_good(some), due_at=due, done_at=done, counted_from_at=since)


def published_late(facts: pd.DataFrame, calendar: WorkCalendar, rule: PetitionPublishedLate) -> pd.DataFrame:
    """NĐ 20/2008/NĐ-CP Art. 19, index 766 item 5.2: the answer is published within 2 working days."""
    published = facts["published_at"]
    answered = facts["status"].isin((Status.FINISHED, Status.DELIVERED)) & facts["ended_at"].notna()
    some = facts[answered & provides(facts, "published_at") & ~(published <= facts["ended_at"])]
    due = end_of_workday(calendar, some["ended_at"], rule.within_working_days)
    done = some["published_at"]
    late = due.notna() & ~(done < due)
    return findings(some, late, due, for_good(some), due_at=due, done_at=done, counted_from_at=some["ended_at"])


def _since(facts: pd.DataFrame, done: pd.Series, rule: _SinceSending) -> pd.Series:
    """From when the term runs for what was done at ``done`` (NaT: nothing yet)."""
    sent = first_known(facts["submitted_at"], facts["received_at"])
    if rule.counted_from == "sending":
        return sent
    moved = facts["transferred_at"]
    # What was done before the transfer was done by the unit before.
    return sent.where(~((moved > sent) & (done.isna() | (moved <= done))), moved)


def _sent_known(facts: pd.DataFrame, rule: _SinceSending) -> pd.Series:
    known = facts["submitted_at"].notna() | facts["received_at"].notna()
    # Without transfers nobody knows whether the term began anew.
    return known & provides(facts, "transferred_at") if rule.counted_from == "last_transfer" else known


def _first_known(facts: pd.DataFrame) -> pd.Series:
    """Whether the first request for supplements is known, and not only a later one."""
    return (facts["request_unknown"] != 1) & ((facts["supplement_count"] <= 1) | facts["earlier_waits"].notna())


def _one_wait(facts: pd.DataFrame) -> pd.Series:
    """Whether the citizen was waited for once at most, and from when to when is known."""
    once = (facts["supplement_count"] <= 1) & facts["earlier_waits"].isna()
    return once & (facts["request_unknown"] != 1) & (facts["answer_unknown"] != 1)


def _sure_in_time(facts: pd.DataFrame, rule: _Petition) -> pd.Series:
    """Ended, or seen ended, so soon that it was in time whatever the calendar: N working days are at least N days."""
    sent = first_known(facts["submitted_at"], facts["received_at"])
    return first_known(facts["ended_at"], facts["end_seen_at"]) <= sent + pd.Timedelta(days=rule.within_working_days)


def _supplement_told(facts: pd.DataFrame, rule: PetitionSupplementLate) -> pd.Series:
    """The first request is known to the instant, or was in time whatever the calendar."""
    sent = first_known(facts["submitted_at"], facts["received_at"])
    in_time = first_request(facts) <= sent + pd.Timedelta(days=rule.within_working_days)
    return _sent_known(facts, rule) & _first_known(facts) & (first_told(facts) | in_time)


def _refusal_told(facts: pd.DataFrame, rule: PetitionRefusedLate) -> pd.Series:
    return _sent_known(facts, rule) & (facts["ended_at"].notna() | _sure_in_time(facts, rule))


def _handling_told(facts: pd.DataFrame, rule: PetitionHandledLate) -> pd.Series:
    still_open = ~ended(facts) & (facts["status"] != 0)
    waits = _one_wait(facts) | (rule.clock_while_waiting == "running")
    return _sent_known(facts, rule) & (_sure_in_time(facts, rule) | (waits & (facts["ended_at"].notna() | still_open)))


def _answered(facts: pd.DataFrame, rule: PetitionPublishedLate) -> pd.Series:
    return ended(facts) & ~facts["status"].isin(_WITHOUT_ANSWER)


def _publication_told(facts: pd.DataFrame, rule: PetitionPublishedLate) -> pd.Series:
    answered = facts["ended_at"].notna() & facts["status"].isin((Status.FINISHED, Status.DELIVERED))
    return answered & provides(facts, "published_at")


_SINCE = frozenset({"submitted_at", "received_at", "transferred_at", "ended_at", "provides"})

KINDS = {
    "petition_refused_late": Kind(
        PetitionRefusedLate,
        refused_late,
        lambda facts, _: facts["status"] == Status.REFUSED,
        _refusal_told,
        reads=_SINCE | {"status"},
    ),
    "petition_supplement_late": Kind(
        PetitionSupplementLate,
        supplement_late,
        lambda facts, _: facts["supplement_requested_at"].notna(),
        _supplement_told,
        reads=_SINCE | reads.FIRST_REQUEST,
    ),
    "petition_handled_late": Kind(
        PetitionHandledLate,
        handled_late,
        told=_handling_told,
        reads=_SINCE | reads.OPEN_AFTER | reads.WAITS | {"supplement_count", "request_unknown", "answer_unknown"},
    ),
    "petition_published_late": Kind(
        PetitionPublishedLate,
        published_late,
        _answered,
        _publication_told,
        reads=frozenset({"status", "ended_at", "published_at", "provides"}),
    ),
}
