"""The day in a dossier's number beside the day of its reception.

TT 03/2025/TT-VPCP Art. 13.3 (TT 04/2025/TT-VPCP Art. 23): the number holds the day of reception. As in
:mod:`rules.kinds.integrity`, a difference is a sign to be checked: a system may number at the filing already.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from rules.kinds.deadlines import local_days
from rules.kinds.intervals import findings, utc
from rules.kinds.kind import Kind
from rules.kinds.seen import for_good
from rules.model import Rule
from tthc_monitor.domain.worktime import WorkCalendar

_Days = Annotated[int, Field(ge=0, le=1_000)]


class ReceptionLaterThanNumber(Rule):
    """The reception lies more than ``tolerance_days`` after the day in the number: flagged from then, for good."""

    kind: Literal["reception_later_than_number"]
    tolerance_days: _Days = 0


class NumberDateDiffers(Rule):
    """The day in the number lies more than ``tolerance_days`` before or after the reception: flagged from the
    reception, for good.
    """

    kind: Literal["number_date_differs"]
    tolerance_days: _Days = 0


def number_date(
    facts: pd.DataFrame, calendar: WorkCalendar, rule: ReceptionLaterThanNumber | NumberDateDiffers
) -> pd.DataFrame:
    """TT 03/2025/TT-VPCP Art. 13.3.b: YYMMDD is the day of reception."""
    some = facts[_both_known(facts, rule)]
    numbered = utc(some["number_day"]).astype("datetime64[D]")
    days = (local_days(some["received_at"], calendar.zone) - numbered).astype(np.int64)
    differs = days > rule.tolerance_days
    if isinstance(rule, NumberDateDiffers):
        differs |= days < -rule.tolerance_days
    found, days, numbered = some[differs], days[differs], numbered[differs]
    return findings(
        found,
        found["received_at"].notna(),
        found["received_at"],
        for_good(found),
        number_date=np.datetime_as_string(numbered).astype(object),
        received_at=found["received_at"],
        days=days,
        direction=np.where(days > 0, "received_later", "received_earlier").astype(object),
    )


def _both_known(facts: pd.DataFrame, rule: Any) -> pd.Series:
    return facts["received_at"].notna() & facts["number_day"].notna()


def _received(facts: pd.DataFrame, rule: Any) -> pd.Series:
    return facts["received_at"].notna()


KINDS = {
    "reception_later_than_number": Kind(ReceptionLaterThanNumber, number_date, _received, _both_known),
    "number_date_differs": Kind(NumberDateDiffers, number_date, _received, _both_known),
}
