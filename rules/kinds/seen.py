"""Whether a dossier has ended, from what is claimed and from what we saw."""

from __future__ import annotations

import pandas as pd

from rules.kinds.lateness import not_ended_by


def for_good(facts: pd.DataFrame) -> pd.Series:
    """The end of a finding that has none."""
    return pd.Series(pd.NaT, index=facts.index, dtype=facts["ended_at"].dtype)


def ended(facts: pd.DataFrame) -> pd.Series:
    """Whether it has ended, as claimed or as seen."""
    return facts["ended_at"].notna() | facts["end_seen_at"].notna()


def step_closed_in_time(facts: pd.DataFrame) -> pd.Series:
    """Whether the step that we know of was closed by its own deadline, and none came after it.

    Of a dossier that has not ended a step closed at the instant at which this one began may be the one before.
    """
    began, closed = facts["step_started_at"], facts["last_step_at"]
    since = began.isna() | (closed > began) | (ended(facts) & (closed == began))
    return (closed <= facts["step_due_at"]) & since & (began.notna() | ended(facts))


def open_after(facts: pd.DataFrame, instant: pd.Series) -> pd.Series:
    """Whether it was surely open still after an instant: not ended by then, or seen open later."""
    return not_ended_by(facts, instant) | (facts["ended_at"].isna() & (facts["open_seen_at"] > instant))
