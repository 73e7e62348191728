"""Lateness beside the official one: against the first promise or the law, in the software only, and of a single step."""

from __future__ import annotations

from typing import Literal

import pandas as pd

from rules.kinds import reads
from rules.kinds.intervals import findings, later
from rules.kinds.kind import Kind
from rules.kinds.lateness import end_told, not_ended_by, promise_told, received
from rules.kinds.payment import paying_at
from rules.kinds.promise import due_instant, first_due, wait_unknown
from rules.kinds.seen import step_closed_in_time
from rules.model import AgainstDue, Rule
from tthc_monitor.domain.facts import provides
from tthc_monitor.domain.worktime import WorkCalendar

_WITHOUT_RESULT = (3, 7, 8)


class LateAgainst(Rule):
    """Not ended at another instant than the promise in force: flagged from that instant, for good.

    ``against``: the first promise (``due_original``) or what the law allows at most (``due_lawful``).
    ``after_supplement``: what the first promise becomes after a wait for the applicant, see
    :func:`rules.kinds.promise.first_due`; the lawful instant has the waits taken out already. Told only of a promise that
    is the first for certain, and of the law only where waits for the applicant would be known.
    """

    kind: Literal["late_against"]
    against: Literal["due_original", "due_lawful"]
    after_supplement: Literal["restarted", "paused", "running"] = "restarted"


class ClosedLate(AgainstDue):
    """The result is dated in time, the dossier was not closed by the due instant: flagged from then, for good."""

    kind: Literal["closed_late"]


class StepOverdue(AgainstDue):
    """The step under way is past its own deadline: flagged from then until the dossier ends, or the step does.

    Not a step that was closed in time while the dossier stayed open; it cannot be told while the applicant had to pay.
    """

    kind: Literal["step_overdue"]


def late_against(facts: pd.DataFrame, calendar: WorkCalendar, rule: LateAgainst) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.9 lets the system overwrite the date: the first one, and the law's, are compared too."""
    if rule.against == "due_original":
        due = first_due(facts, calendar, rule.after_supplement).where(~_moved_for_payment(facts))
        due = due.where(facts["due_watched"] == 1)
    else:
        due = _lawful(facts).where(~_waits_unseen(facts))
    late = not_ended_by(facts, due)
    some, passed = facts[late], due[late]
    return findings(
        some,
        late[late],
        later(passed, some["received_at"]),
        _for_good(some),
        due_at=passed,
        against=rule.against,
        promised_at=some["due_current"],
        ended_at=some["ended_at"],
    )


def closed_late(facts: pd.DataFrame, calendar: WorkCalendar, rule: ClosedLate) -> pd.DataFrame:
    """NĐ 118/2025/NĐ-CP Art. 11: the software is kept up to date; a result signed in time must not count as late work.

    A result dated before the reception is a slip and proves nothing.
    """
    signed = facts["result_at"]
    late = _with_result(facts) & (signed >= facts["received_at"])
    some = facts[late]
    due = due_instant(some, calendar, some["due_current"], rule.clock_while_waiting)
    where = not_ended_by(some, due) & (some["result_at"] <= due)
    return findings(
        some,
        where,
        later(due, some["received_at"]),
        _for_good(some),
        due_at=due,
        promised_at=some["due_current"],
        result_at=some["result_at"],
        ended_at=some["ended_at"],
    )


def step_overdue(facts: pd.DataFrame, calendar: WorkCalendar, rule: StepOverdue) -> pd.DataFrame:
    """NĐ 61/2018/NĐ-CP Art. 19.6 and 19.7: each body taking part has a deadline of its own, written on the slip."""
    some = facts[facts["step_due_at"].notna()]
    due = due_instant(some, calendar, some["step_due_at"], rule.clock_while_waiting)
    began = some["step_started_at"].fillna(some["received_at"])
    paying = paying_at(some, some["step_due_at"]) | paying_at(some, due)
    return findings(
        some,
        not_ended_by(some, due) & ~paying & ~step_closed_in_time(some),
        later(due, began),
        some["ended_at"],
        due_at=due,
        step_unit_code=some["step_unit_code"],
        step_started_at=some["step_started_at"],
        step_due_at=some["step_due_at"],
        ended_at=some["ended_at"],
    )


def _lawful(facts: pd.DataFrame) -> pd.Series:
    """The lawful instant; none while the applicant is awaited, nor for one who never answered."""
    due = facts["due_lawful"].where(facts["received_at"].notna())
    waiting = (facts["supplement_requested_at"] < due) & facts["supplement_completed_at"].isna()
    return due.where(~waiting)


def _moved_for_payment(facts: pd.DataFrame) -> pd.Series:
    """Whether the promise was put off while the applicant had to pay: the law of some sectors (land) stops the clock."""
    demanded = facts["obligation_requested_at"] < facts["due_original"]
    return demanded & (facts["due_current"] > facts["due_original"])


def _waits_unseen(facts: pd.DataFrame) -> pd.Series:
    """Whether the applicant may have been waited for before we first saw the dossier, and nothing would tell."""
    silent = (facts["supplement_count"] < 0) & facts["supplement_requested_at"].isna()
    return silent & (facts["first_seen_at"] > facts["received_at"] + pd.Timedelta(days=1))


def _for_good(facts: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.NaT, index=facts.index, dtype=facts["received_at"].dtype)


def _with_result(facts: pd.DataFrame) -> pd.Series:
    return ~facts["status"].isin(_WITHOUT_RESULT)


def _closing_applies(facts: pd.DataFrame, rule: ClosedLate) -> pd.Series:
    return received(facts, rule) & _with_result(facts)


def _against_told(facts: pd.DataFrame, rule: LateAgainst) -> pd.Series:
    told = end_told(facts, facts[rule.against])
    if rule.against == "due_lawful":
        return told & (~_waits_unseen(facts) | (facts["ended_at"] <= facts["due_lawful"]))
    unsure = (facts["request_unknown"] == 1) | (facts["answer_unknown"] == 1)
    unsure = (unsure & (rule.after_supplement != "running")) | _moved_for_payment(facts)
    return told & (facts["due_watched"] == 1) & (~unsure | (facts["ended_at"] <= facts["due_original"]))


def _closing_told(facts: pd.DataFrame, rule: ClosedLate) -> pd.Series:
    in_time = facts["ended_at"] <= facts["due_current"]
    return promise_told(facts, rule) & (in_time | provides(facts, "result_at") | facts["result_at"].notna())


def _step_applies(facts: pd.DataFrame, rule: StepOverdue) -> pd.Series:
    return received(facts, rule) & (facts["step_due_at"].notna() | ~provides(facts, "step_due_at"))


def _step_told(facts: pd.DataFrame, rule: StepOverdue) -> pd.Series:
    due = facts["step_due_at"]
    unsure = (wait_unknown(facts, due) & (rule.clock_while_waiting == "stopped")) | paying_at(facts, due)
    unsure &= ~step_closed_in_time(facts)
    return end_told(facts, due) & (~unsure | (facts["ended_at"] <= due))


KINDS = {
    "late_against": Kind(
        LateAgainst,
        late_against,
        received,
        _against_told,
        reads=reads.PROMISE
        | reads.NOT_ENDED_BY
        | {"due_original", "due_watched", "due_lawful", "first_seen_at", "obligation_requested_at"},
    ),
    "closed_late": Kind(
        ClosedLate,
        closed_late,
        _closing_applies,
        _closing_told,
        reads=reads.PROMISE | reads.NOT_ENDED_BY | {"result_at"},
    ),
    "step_overdue": Kind(
        StepOverdue,
        step_overdue,
        _step_applies,
        _step_told,
        reads=reads.DUE_INSTANT | reads.NOT_ENDED_BY | reads.STEP_CLOSED | reads.PAYING | {"step_unit_code"},
    ),
}
