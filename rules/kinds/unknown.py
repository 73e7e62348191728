"""What cannot be told: facts missing that lateness rests on."""

from __future__ import annotations

import pandas as pd

from rules.kinds.intervals import findings
from rules.model import CannotTell
from tthc_monitor.domain.worktime import WorkCalendar


def cannot_tell(facts: pd.DataFrame, calendar: WorkCalendar, rule: CannotTell) -> pd.DataFrame:
    """Nothing in law lets a missing date count as on time; such dossiers are counted apart."""
    received = facts["received_at"]
    without_end = pd.Series(pd.NaT, index=facts.index, dtype=received.dtype)
    if rule.missing == "due_current":
        where = received.notna() & facts["due_current"].isna()
        return findings(facts, where, received, without_end, missing="due_current")
    due, seen = facts["due_current"], facts["end_seen_at"]
    # Seen ended before the due instant: on time whenever it ended.
    where = received.notna() & facts["ended_at"].isna() & (seen > due)
    return findings(facts, where, due, without_end, missing="end", end_seen_at=seen, due_at=due)
