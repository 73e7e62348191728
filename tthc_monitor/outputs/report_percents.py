"""Sums of the figures of a report, and shares as the database counts them, for auditors, metrics and reports alike."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Final

import pandas as pd

from tthc_monitor.outputs.frames import read_frame

if TYPE_CHECKING:
    from sqlalchemy import Connection

_QUERY: Final = """
SELECT audit.on_time_percent(part, rest) AS percent
FROM unnest(%(parts)s::numeric[], %(rests)s::numeric[]) WITH ORDINALITY AS t (part, rest, place) ORDER BY place
"""


_NAMES: Final = {"unit_code", "unit_name", "sector_code", "sector_name"}


def sums_by(figures: pd.DataFrame, code: str) -> pd.DataFrame:
    """The counts of the rows with each code, whole numbers also when there is no row."""
    counts = [name for name in figures.columns if name not in _NAMES]
    return figures.groupby(code)[counts].sum().astype("int64")


def percents(connection: Connection, parts: Sequence[int], rests: Sequence[int]) -> list[Decimal | None]:
    """Of each pair ``100 × part ÷ (part + rest)``, two decimals; None without a denominator."""
    values = {"parts": [int(part) for part in parts], "rests": [int(rest) for rest in rests]}
    found = read_frame(connection, _QUERY, values)["percent"]
    return [None if pd.isna(value) else Decimal(str(value)) for value in found]
