"""Interagency dossiers (liên thông, lấy ý kiến): which other unit is at fault when a dossier is late.

NĐ 61/2018/NĐ-CP Art. 19.5 to 19.7: a consulted body answers by the deadline in the request, and each agency of an
interagency procedure has its own. The applicant's clock does not stop for them, so the dossier is late all the same;
these rules say whose lateness it was.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import pandas as pd

from rules.kinds import reads
from rules.kinds.intervals import answerable, earlier, findings, later, utc
from rules.kinds.kind import Kind
from rules.kinds.lateness import end_told, not_ended_by, promise_told
from rules.kinds.promise import due_instant
from rules.kinds.requests import awaited_at, earliest_request
from rules.kinds.seen import for_good, step_closed_in_time
from rules.model import AgainstDue, Rule
from tthc_monitor.domain.facts import provides
from tthc_monitor.domain.worktime import WorkCalendar


class StepAtFault(AgainstDue):
    """The dossier is late, and the step under way (of an ended one: the last) is held past its own deadline by a unit
    other than the resolving one: flagged from when both are late, for good. A unit below the resolving one
    (``H99.05.01`` under ``H99.05``) is no other unit.
    """

    kind: Literal["step_at_fault"]


class ConsultedLate(Rule):
    """The consulted unit answered after its deadline, or has not answered yet: flagged from the deadline, for good.

    It cannot be told when the applicant was waited for as the deadline came; asked after it, the applicant is waited for
    from then on, and the consulted unit is late until then at most.
    """

    kind: Literal["consulted_late"]


class LeadLateBecauseConsultedLate(AgainstDue):
    """The dossier is late against ``due_current``, and the consulted unit was late.

    ``attribution``: ``covered`` flags the dossier from its due instant as long as it is late by no more working time
    than the consulted unit was (had that unit answered in time, the dossier would not be late yet), and for good when
    it ended within that; ``any`` flags it from when both are late, for good, however little the consulted unit added.
    """

    kind: Literal["lead_late_because_consulted_late"]
    attribution: Literal["covered", "any"] = "covered"


def step_at_fault(facts: pd.DataFrame, calendar: WorkCalendar, rule: StepAtFault) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.6 and 19.7: the transfer slip gives every agency its deadline."""
    some = facts[not_ended_by(facts, facts["due_current"]) & not_ended_by(facts, facts["step_due_at"])]
    some = some[_held_elsewhere(some) & ~step_closed_in_time(some)]
    due, step_due = due_instant(some, calendar, some["due_current"], rule.clock_while_waiting), some["step_due_at"]
    return findings(
        some,
        not_ended_by(some, due),
        later(later(due, step_due), some["received_at"]),
        for_good(some),
        due_at=due,
        unit=some["step_unit_code"],
        step_due_at=step_due,
        ended_at=some["ended_at"],
    )


def consulted_late(facts: pd.DataFrame, calendar: WorkCalendar, rule: ConsultedLate) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.5: the consulted body answers by the deadline in the request."""
    some = facts[_consulted_late(facts)]
    return findings(
        some,
        _consulted_late(some),
        some["consulted_due_at"],
        for_good(some),
        unit=some["consulted_unit_code"],
        consulted_due_at=some["consulted_due_at"],
        consulted_answered_at=some["consulted_answered_at"],
        consulted_late_working_seconds=_worked(some["consulted_due_at"], _consulted_until(some), calendar),
        due_at=some["due_current"],
    )


def lead_late(facts: pd.DataFrame, calendar: WorkCalendar, rule: LeadLateBecauseConsultedLate) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.5; QĐ 95/2025/QĐ-UBND Nghệ An: the unit that was late answers for its delay."""
    some = facts[_consulted_late(facts) & not_ended_by(facts, facts["due_current"])]
    due = due_instant(some, calendar, some["due_current"], rule.clock_while_waiting)
    asked_by, answered, end = some["consulted_due_at"], _consulted_until(some), some["ended_at"]
    where = not_ended_by(some, due)
    theirs = _worked(asked_by, answered, calendar)
    whole = _worked(due, end, calendar)
    starts, ends = later(later(due, asked_by), some["received_at"]), for_good(some)
    if rule.attribution == "covered":
        # A unit whose own deadline came later than the dossier's never catches up with its lateness.
        where &= _worked(due, asked_by, calendar) == 0
        within = answered.isna() | (whole <= theirs)
        beyond = where & ~within
        ends[beyond] = pd.DatetimeIndex(calendar.add(utc(due[beyond]), theirs[beyond])).tz_localize("UTC")
    return findings(
        some,
        where,
        starts,
        ends,
        due_at=due,
        ended_at=end,
        unit=some["consulted_unit_code"],
        consulted_due_at=asked_by,
        consulted_answered_at=some["consulted_answered_at"],
        consulted_late_working_seconds=theirs,
        late_working_seconds=whole,
    )


def _held_elsewhere(facts: pd.DataFrame) -> pd.Series:
    """Whether the step under way is held by a unit that is neither the resolving one nor below it; both are known."""
    resolving, holding = facts["unit_code"].cat, facts["step_unit_code"].cat
    size = len(resolving.categories) + 1
    pairs, place = np.unique(
        holding.codes.to_numpy(np.int64) * size + resolving.codes.to_numpy(np.int64), return_inverse=True
    )
    other = np.zeros(pairs.size, dtype=np.bool_)
    for number, pair in enumerate(pairs.tolist()):  # a unit has few others to work with
        holder, resolver = divmod(pair, size)
        if holder >= 0 and resolver < size - 1:
            unit = resolving.categories[resolver]
            other[number] = not f"{holding.categories[holder]}.".startswith(f"{unit}.")
    return pd.Series(other[place], index=facts.index)


def _consulted_late(facts: pd.DataFrame) -> pd.Series:
    """Whether the consulted unit's deadline passed before it answered, and before the dossier ended."""
    due, answered = facts["consulted_due_at"], facts["consulted_answered_at"]
    silent = answered.isna() & provides(facts, "consulted_answered_at")
    return not_ended_by(facts, due) & ((answered > due) | silent) & ~awaited_at(facts, due)


def _consulted_until(facts: pd.DataFrame) -> pd.Series:
    """Until when the consulted unit was waited for: its answer, the end that did without it, or a request to the
    applicant; NaT: until now.
    """
    asked = earliest_request(facts)
    asked = asked.where(asked >= facts["consulted_due_at"])
    return earlier(earlier(facts["consulted_answered_at"], facts["ended_at"]), asked)


def _worked(start: pd.Series, end: pd.Series, calendar: WorkCalendar) -> pd.Series:
    """Working seconds from one to the other; NaN where either is unknown, or no calendar answers."""
    known = answerable(start) & answerable(end)
    worked = pd.Series(float("nan"), index=start.index)
    if known.any():
        worked[known] = calendar.elapsed(utc(start[known]), utc(end[known]))
    return worked


def _step_elsewhere(facts: pd.DataFrame, rule: Any) -> pd.Series:
    """Held elsewhere, or nobody knows where."""
    where_known = provides(facts, "step_unit_code")
    nobody_knows = facts["step_unit_code"].isna() & ~where_known
    unresolved = facts["step_unit_code"].notna() & facts["unit_code"].isna()
    return _held_elsewhere(facts) | nobody_knows | unresolved


def _step_told(facts: pd.DataFrame, rule: StepAtFault) -> pd.Series:
    units = facts["step_unit_code"].notna() & facts["unit_code"].notna() & facts["step_due_at"].notna()
    return units & promise_told(facts, rule)


def _consulted(facts: pd.DataFrame, rule: Any) -> pd.Series:
    """Another body was consulted, or nobody knows whether."""
    known = facts["consulted_at"].notna() | facts["consulted_due_at"].notna() | facts["consulted_unit_code"].notna()
    return known | ~(provides(facts, "consulted_at") | provides(facts, "consulted_unit_code"))


def _consulted_told(facts: pd.DataFrame, rule: Any) -> pd.Series:
    answered = facts["consulted_answered_at"]
    heard = answered.notna() | provides(facts, "consulted_answered_at")
    due = facts["consulted_due_at"]
    return due.notna() & heard & ((answered <= due) | (end_told(facts, due) & ~awaited_at(facts, due)))


def _lead_told(facts: pd.DataFrame, rule: LeadLateBecauseConsultedLate) -> pd.Series:
    return _consulted_told(facts, rule) & promise_told(facts, rule)


_CONSULTED = (
    reads.NOT_ENDED_BY
    | reads.AWAITED
    | {"due_current", "consulted_unit_code", "consulted_due_at", "consulted_answered_at", "provides"}
)

KINDS = {
    "step_at_fault": Kind(
        StepAtFault,
        step_at_fault,
        _step_elsewhere,
        _step_told,
        reads=reads.PROMISE | reads.NOT_ENDED_BY | reads.STEP_CLOSED | {"unit_code", "step_unit_code"},
    ),
    "consulted_late": Kind(ConsultedLate, consulted_late, _consulted, _consulted_told, reads=_CONSULTED),
    "lead_late_because_consulted_late": Kind(
        LeadLateBecauseConsultedLate, lead_late, _consulted, _lead_told, reads=_CONSULTED | reads.DUE_INSTANT
    ),
}
