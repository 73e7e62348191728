"""When the applicant was asked to supplement, as early as it may have been.

A request that nobody claims was seen between two looks at the source: it was made after the first of them and not later
than the second (``supplement_requested_after`` and ``supplement_requested_at``). Nothing is late by the look alone.
"""

from __future__ import annotations

import pandas as pd

from rules.kinds.intervals import first_known
from rules.kinds.waits import first_request


def exact(facts: pd.DataFrame) -> pd.Series:
    """Whether the instant of the latest request is known, and not only that it was seen by then."""
    return (facts["request_unknown"] != 1) & (facts["supplement_requested_after"] == facts["supplement_requested_at"])


def first_told(facts: pd.DataFrame) -> pd.Series:
    """Whether the instant of the first request is known."""
    return exact(facts) & ((facts["supplement_count"] <= 1) | facts["earlier_waits"].notna())


def earliest_request(facts: pd.DataFrame) -> pd.Series:
    """The instant before which the latest request was surely not made; NaT where nothing tells, or there was none."""
    return facts["supplement_requested_after"].where(facts["request_unknown"] != 1)


def earliest_first_request(facts: pd.DataFrame) -> pd.Series:
    """The instant before which no request was made; NaT where nothing tells, or there was none.

    Of earlier waits nobody keeps between which looks they were seen: they count where the source claims its requests.
    """
    once = facts["earlier_waits"].isna() & (facts["supplement_count"] <= 1)
    several = facts["earlier_waits"].notna() & exact(facts)
    return first_known(earliest_request(facts).where(once), first_request(facts).where(several))


def asked_by(facts: pd.DataFrame, instant: pd.Series) -> pd.Series:
    """Whether the applicant may have been asked by an instant."""
    asked = facts["supplement_requested_at"].notna() & instant.notna()
    return asked & ~(earliest_first_request(facts) > instant)


def awaited_at(facts: pd.DataFrame, instant: pd.Series) -> pd.Series:
    """Whether the applicant may have been waited for at an instant, by the latest request."""
    asked = facts["supplement_requested_at"].notna() & instant.notna() & ~(earliest_request(facts) >= instant)
    return asked & ~(facts["supplement_completed_at"] <= instant)


def asked_before_reception(facts: pd.DataFrame) -> pd.Series:
    """Whether supplements were requested before the reception in force: it may be the one of the completed dossier."""
    earlier_ones = (facts["supplement_count"] > 1) | facts["earlier_waits"].notna()
    before = facts["supplement_requested_at"].notna() & ~(earliest_request(facts) > facts["received_at"])
    return facts["received_at"].notna() & (before | earlier_ones)
