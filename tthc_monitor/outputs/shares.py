"""Percentages of counts, rounded as ``audit.on_time_percent`` does; null where there is nothing to be a share of."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

import pandas as pd

_HUNDREDTH: Final = Decimal("0.01")


def percent_of(part: int, whole: int) -> Decimal | None:
    """``part`` of ``whole`` in percent, two decimals; None when ``whole`` is 0."""
    return (Decimal(100 * int(part)) / int(whole)).quantize(_HUNDREDTH, ROUND_HALF_UP) if whole else None


def percents(parts: Iterable[int], wholes: Iterable[int]) -> pd.Series:
    """The same, pair by pair."""
    return pd.Series([percent_of(part, whole) for part, whole in zip(parts, wholes, strict=True)], dtype=object)
