"""The day in a dossier's number beside the day of its reception.

TT 03/2025/TT-VPCP Art. 13.3 (TT 04/2025/TT-VPCP Art. 23): the number holds the day of reception. As in
:mod:`rules.kinds.integrity`, a difference is a sign to be checked: a system may number at the filing already.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from rules.kinds import reads
from rules.kinds.deadlines import Days, local_days
from rules.kinds.desk import answer_by
from rules.kinds.intervals import answerable, findings, utc
from rules.kinds.kind import Kind
from rules.kinds.requests import asked_before_reception
from rules.kinds.seen import for_good
from rules.model import Rule
from tthc_monitor.domain.worktime import WorkCalendar

_Days = Annotated[int, Field(ge=0, le=1_000)]


class ReceptionLaterThanNumber(Rule):
    """The reception lies more than ``tolerance_days`` after the day in the number: flagged from then, for good.

    Not when the number has the day of the submission and the dossier was received within ``answered_working_hours`` of
    that: the system numbered it as it came. Not applicable once supplements were requested before the reception.
    """

    kind: Literal["reception_later_than_number"]
    tolerance_days: _Days = 0
    answered_working_hours: Annotated[float, Field(gt=0, le=400)] = 8


class NumberDateDiffers(Rule):
    """The day in the number lies more than ``tolerance_days`` after the reception: flagged from the reception, for good.

    Not when it is the day of the submission. Not applicable once supplements were requested: the completed dossier may
    have been numbered anew. (A reception after that day is :class:`ReceptionLaterThanNumber`.)
    """

    kind: Literal["number_date_differs"]
    tolerance_days: _Days = 0


def received_later(facts: pd.DataFrame, calendar: WorkCalendar, rule: ReceptionLaterThanNumber) -> pd.DataFrame:
    """TT 03/2025/TT-VPCP Art. 13.3.b: YYMMDD is the day of reception; NQ 66.7/2025/NQ-CP: received in 8 working hours."""
    some = facts[_both_known(facts, rule) & _received_as_filed(facts, rule)]
    days = _days_after_number(some, calendar)
    some, days = some[days > rule.tolerance_days], days[days > rule.tolerance_days]
    in_time = _numbered_at_filing(some, calendar)
    until = answer_by(some.loc[in_time, "submitted_at"], calendar, rule.answered_working_hours)
    in_time[in_time] = some.loc[in_time, "received_at"] <= until
    return _found(some, ~in_time, days, "received_later")


def received_earlier(facts: pd.DataFrame, calendar: WorkCalendar, rule: NumberDateDiffers) -> pd.DataFrame:
    """TT 03/2025/TT-VPCP Art. 13.3.b: YYMMDD is the day of reception."""
    some = facts[_both_known(facts, rule) & _never_supplemented(facts, rule)]
    days = _days_after_number(some, calendar)
    some, days = some[days < -rule.tolerance_days], days[days < -rule.tolerance_days]
    return _found(some, ~_numbered_at_filing(some, calendar), days, "received_earlier")


def _found(
    facts: pd.DataFrame, where: pd.Series, days: np.ndarray[Any, np.dtype[np.int64]], direction: str
) -> pd.DataFrame:
    return findings(
        facts,
        where,
        facts["received_at"],
        for_good(facts),
        number_date=np.datetime_as_string(_number_days(facts)).astype(object),
        received_at=facts["received_at"],
        days=days,
        direction=direction,
    )


def _number_days(facts: pd.DataFrame) -> Days:
    return utc(facts["number_day"]).astype("datetime64[D]")


def _days_after_number(facts: pd.DataFrame, calendar: WorkCalendar) -> np.ndarray[Any, np.dtype[np.int64]]:
    return (local_days(facts["received_at"], calendar.zone) - _number_days(facts)).astype(np.int64)


def _numbered_at_filing(facts: pd.DataFrame, calendar: WorkCalendar) -> pd.Series:
    submitted = facts["submitted_at"]
    same = local_days(submitted, calendar.zone) == _number_days(facts)
    return pd.Series(same, index=facts.index) & answerable(submitted)


def _both_known(facts: pd.DataFrame, rule: Any) -> pd.Series:
    return facts["received_at"].notna() & facts["number_day"].notna()


def _received_as_filed(facts: pd.DataFrame, rule: Any) -> pd.Series:
    return facts["received_at"].notna() & ~asked_before_reception(facts)


def _never_supplemented(facts: pd.DataFrame, rule: Any) -> pd.Series:
    asked = facts["supplement_requested_at"].notna() | (facts["supplement_count"] > 0)
    return facts["received_at"].notna() & ~asked


_READS = frozenset({"number_day", "submitted_at", "received_at", "ended_at"})

KINDS = {
    "reception_later_than_number": Kind(
        ReceptionLaterThanNumber,
        received_later,
        _received_as_filed,
        _both_known,
        reads=_READS | reads.ASKED_BEFORE_RECEPTION,
    ),
    "number_date_differs": Kind(
        NumberDateDiffers,
        received_earlier,
        _never_supplemented,
        _both_known,
        reads=_READS | {"supplement_requested_at", "supplement_count"},
    ),
}
