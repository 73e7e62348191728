"""The latest instant that the law allows, dossier by dossier, as the evaluation that judged it last computed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pandas as pd
import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.store.copy import copy_in
from tthc_monitor.store.judgements import judged_range

DUE_SCHEMA: Final[Mapping[str, pl.DataType]] = {
    "dossier_id": pl.Int64(),
    "due_lawful": pl.Datetime("us", "UTC"),
}

# Between these ids, and of the dossiers in the temporary table ``judged``.
_HELD = """
    FROM tthc.lawful_dues h WHERE h.dossier_id BETWEEN {low} AND {high}
    AND EXISTS (SELECT FROM judged j WHERE j.dossier_id = h.dossier_id)
"""


def none() -> pl.DataFrame:
    """Dues of no dossier."""
    return pl.DataFrame(schema=dict(DUE_SCHEMA))


def known(facts: pd.DataFrame) -> pl.DataFrame:
    """Lawful dues of the dossiers that have one, by their derived facts."""
    some = facts.loc[facts["due_lawful"].notna(), ["dossier_id", "due_lawful"]]
    instants = some["due_lawful"].dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    dues = pl.Series(instants).dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    return pl.DataFrame({"dossier_id": some["dossier_id"].to_numpy(), "due_lawful": dues})


def replace(connection: Connection, dues: pl.DataFrame, evaluation_id: int) -> None:
    """Make these the lawful dues of the dossiers in the temporary table ``judged``, in the caller's transaction.

    Equal ones stay as they are, with the evaluation that found them first; those no longer known go.

    Args:
        dues: columns of :data:`DUE_SCHEMA`, of some of these dossiers.
    """
    low, high, _ = judged_range(connection)
    held = _HELD.format(low=low, high=high)
    fresh = dues.sort("dossier_id").with_columns(pl.lit(evaluation_id).alias("evaluation_id"))
    if not connection.scalar(text(f"SELECT EXISTS (SELECT {held})")):
        if fresh.height:
            copy_in(connection, "tthc.lawful_dues", fresh, detour=True)
        return
    connection.execute(text("DROP TABLE IF EXISTS fresh_dues"))
    connection.execute(text("CREATE TEMP TABLE fresh_dues (LIKE tthc.lawful_dues) ON COMMIT DROP"))
    copy_in(connection, "fresh_dues", fresh)
    connection.execute(text("ANALYZE fresh_dues"))
    gone = f"DELETE {held} AND NOT EXISTS (SELECT FROM fresh_dues f WHERE f.dossier_id = h.dossier_id)"
    connection.execute(text(gone))
    connection.execute(
        text(
            "INSERT INTO tthc.lawful_dues AS h SELECT f.dossier_id, f.due_lawful, f.evaluation_id FROM fresh_dues f "
            "LEFT JOIN tthc.lawful_dues o USING (dossier_id) WHERE o.due_lawful IS DISTINCT FROM f.due_lawful "
            "ON CONFLICT (dossier_id) DO UPDATE SET due_lawful = excluded.due_lawful, evaluation_id = excluded.evaluation_id"
        )
    )
