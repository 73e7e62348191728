"""What kinds share: the shape of findings."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from tthc_monitor.domain.worktime import HORIZON

FINDING_COLUMNS = ("dossier_id", "starts_at", "ends_at")


def utc(values: pd.Series) -> np.ndarray[Any, np.dtype[np.datetime64]]:
    """An instant column as ``datetime64[us]`` in UTC."""
    return np.asarray(values.dt.tz_convert("UTC").dt.tz_localize(None), dtype="datetime64[us]")


def findings(
    facts: pd.DataFrame, where: pd.Series, starts_at: pd.Series, ends_at: pd.Series, **evidence: Any
) -> pd.DataFrame:
    """Findings on the rows of ``where`` whose interval is not empty.

    Args:
        where: rows the rule is true for.
        starts_at, ends_at: the half-open interval; NaT in ``ends_at`` means without end.
        evidence: what the verdict rests on, a value or a column per name.

    Returns:
        a frame with :data:`FINDING_COLUMNS` and one column per evidence name.
    """
    kept = where & starts_at.notna() & (ends_at.isna() | (starts_at < ends_at))
    columns = {"dossier_id": facts["dossier_id"], "starts_at": starts_at, "ends_at": ends_at, **evidence}
    return pd.DataFrame(columns, index=facts.index)[kept]


def answerable(instants: pd.Series) -> pd.Series:
    """Which instants a calendar can answer for: a source may claim a promise in the year 2099, and one such record must
    not keep the others from being judged.
    """
    first, after = (pd.Timestamp(day, tz="UTC") for day in HORIZON)
    margin = pd.Timedelta(days=366)
    return (instants > first + margin) & (instants < after - margin)


def first_known(*columns: pd.Series) -> pd.Series:
    """The first value that is known, row by row."""
    result = columns[0]
    for column in columns[1:]:
        result = result.fillna(column)
    return result


def earlier(a: pd.Series, b: pd.Series) -> pd.Series:
    """The earlier of two instants, row by row; an unknown one does not count."""
    return a.where(b.isna() | (a <= b), b)


def later(a: pd.Series, b: pd.Series) -> pd.Series:
    """The later of two instants, row by row; unknown when either is."""
    return a.where(a >= b, b).where(a.notna() & b.notna())
