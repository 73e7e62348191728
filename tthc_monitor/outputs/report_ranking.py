"""Units and sectors of a report, the most late first, with shares that the database counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.outputs.frames import read_frame
from tthc_monitor.outputs.report_columns import COUNTS

if TYPE_CHECKING:
    from sqlalchemy import Connection

_PERCENT: Final = """
SELECT code, audit.on_time_percent(on_time, late) AS on_time_percent,
       audit.on_time_percent(in_time, overdue) AS pending_in_time_percent,
       audit.on_time_percent(online, direct) AS online_percent
FROM unnest(%(codes)s::text[], %(on_time)s::numeric[], %(late)s::numeric[], %(in_time)s::numeric[],
            %(overdue)s::numeric[], %(online)s::numeric[], %(direct)s::numeric[])
     AS t (code, on_time, late, in_time, overdue, online, direct)
"""


def named_first(codes: pd.Series) -> pd.Series:
    """Sort key: the dossiers that name no unit or no sector come last."""
    return codes.mask(codes == "", "\U0010ffff")


def rank_units(
    connection: Connection, figures: pd.DataFrame, known: Sequence[str], names: Mapping[str, str]
) -> pd.DataFrame:
    """One row per unit of the figures, and per ``known`` unit that has none."""
    sums = figures.groupby("unit_code")[list(COUNTS)].sum()
    sums = sums.reindex(sums.index.union(pd.Index(list(known), dtype=object)), fill_value=0)
    return _ranked(connection, sums, names, "unit")


def rank_sectors(connection: Connection, figures: pd.DataFrame) -> pd.DataFrame:
    """One row per sector of the figures."""
    names = dict(zip(figures["sector_code"], figures["sector_name"], strict=True))
    return _ranked(connection, figures.groupby("sector_code")[list(COUNTS)].sum(), names, "sector")


def _ranked(connection: Connection, sums: pd.DataFrame, names: Mapping[str, Any], of: str) -> pd.DataFrame:
    rows = with_shares(connection, sums).rename_axis(f"{of}_code").reset_index()
    rows.insert(1, f"{of}_name", [names.get(code) for code in rows[f"{of}_code"]])
    return rows.sort_values(["late", f"{of}_code"], ascending=[False, True], ignore_index=True)


def with_shares(connection: Connection, sums: pd.DataFrame) -> pd.DataFrame:
    """Sums by code, with shares that the database counts as auditors do, and how many are late altogether."""
    values = {
        "codes": sums.index.tolist(),
        "on_time": (sums["finished_early"] + sums["finished_on_time"]).tolist(),
        "late": sums["finished_late"].tolist(),
        "in_time": sums["pending_in_time"].tolist(),
        "overdue": sums["pending_overdue"].tolist(),
        "online": sums["received_online"].tolist(),
        "direct": sums["received_direct"].tolist(),
    }
    shares = read_frame(connection, _PERCENT, values).set_index("code")
    return sums.join(shares).assign(late=sums["finished_late"] + sums["pending_overdue"])
