"""Dossiers sent back to the applicant: returned without a result, or asked to be supplemented."""

from __future__ import annotations

import pandas as pd

from rules.kinds.intervals import findings, first_known
from rules.model import Returned, SupplementRequested
from tthc_monitor.domain.worktime import WorkCalendar


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
