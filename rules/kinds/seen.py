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


def open_after(facts: pd.DataFrame, instant: pd.Series) -> pd.Series:
    """Whether it was surely open still after an instant: not ended by then, or seen open later."""
    return not_ended_by(facts, instant) | (facts["ended_at"].isna() & (facts["open_seen_at"] > instant))
