"""Dossiers that ways of counting judge differently, as the end of the period knew them."""

from __future__ import annotations

from typing import Final

import pandas as pd

_OPINION: Final = "source_opinion"


def known_at_end(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``audit.period_differences`` as the period's end knew them.

    A source tells what it thinks of a dossier today. Of one that ended within the period that is its last word; of one that
    went on it may rest on what came later, so it is no difference of counting. An end after the period is not known yet.
    """
    ended = rows["finished"].astype(bool)
    told = [
        [code for code in codes.split() if code != _OPINION or done]
        for codes, done in zip(rows["reasons"], ended, strict=True)
    ]
    differs = (rows["official"] != rows["national_766"]) | (rows["official"] != rows["opencps"])
    kept = differs | pd.Series([_OPINION in codes for codes in told], index=rows.index, dtype=bool)
    return rows.assign(
        source_verdict=rows["source_verdict"].astype(object).where(ended, None),
        reasons=[" ".join(codes) or "other" for codes in told],
        ended_at=rows["ended_at"].where(ended),
    )[kept].reset_index(drop=True)
