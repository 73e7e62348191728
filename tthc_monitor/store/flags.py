"""Flags in: the findings that stand, each believed from the evaluation that found it until one that finds otherwise."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Literal

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.store.copy import copy_in

EVALUATION_LOCK = 7_411_004
"""Advisory lock of evaluations: two at once would each close the other's flags."""

FLAG_SCHEMA: Mapping[str, pl.DataType] = {
    "dossier_id": pl.Int64(),
    "rule_version_id": pl.Int32(),
    "starts_at": pl.Datetime("us", "UTC"),
    "ends_at": pl.Datetime("us", "UTC"),
    "observation_id": pl.Int64(),
    "unit_code": pl.String(),
    "procedure_code": pl.String(),
    "evidence": pl.String(),
}
"""New flags; a null ``ends_at`` means without end."""

_SAME = (
    "h.dossier_id = n.dossier_id AND h.believed_to IS NULL AND h.rule_version_id = n.rule_version_id "
    "AND h.starts_at = n.starts_at AND h.ends_at = n.ends_at AND h.evidence = n.evidence "
    "AND h.unit_code IS NOT DISTINCT FROM n.unit_code AND h.procedure_code IS NOT DISTINCT FROM n.procedure_code"
)


def replace_flags(
    connection: Connection,
    flags: pl.DataFrame,
    codes: Collection[str],
    evaluation_id: int,
    at: datetime,
    *,
    of: Literal["judged", "all"] = "judged",
) -> tuple[int, int]:
    """Make these the flags that the rules of ``codes`` have found: equal ones stay, others close, new ones open.

    Args:
        flags: columns of :data:`FLAG_SCHEMA`, found by rules of ``codes``.
        codes: rules that were applied, and those that are no longer in force.
        of: the dossiers concerned: those in the temporary table ``judged``, or all.

    Returns:
        how many flags opened and how many closed.
    """
    rows = flags.with_columns(
        pl.col("ends_at").dt.to_string("%Y-%m-%d %H:%M:%S%.6f+00").fill_null("infinity"),
        pl.lit(evaluation_id).alias("evaluation_id"),
        pl.lit(at).dt.convert_time_zone("UTC").alias("believed_from"),
    )
    owned = _versions(connection, codes)
    held_by = "FROM judged j JOIN tthc.flags h USING (dossier_id)" if of == "judged" else "FROM tthc.flags h"
    mine = "h.believed_to IS NULL AND h.rule_version_id = ANY(:owned)"
    if not connection.scalar(text(f"SELECT EXISTS (SELECT {held_by} WHERE {mine})"), {"owned": owned}):
        copy_in(connection, "tthc.flags", rows)
        return rows.height, 0
    columns = ", ".join(rows.columns)
    connection.execute(text("DROP TABLE IF EXISTS fresh"))
    connection.execute(text(f"CREATE TEMP TABLE fresh ON COMMIT DROP AS SELECT {columns} FROM tthc.flags WITH NO DATA"))
    copy_in(connection, "fresh", rows)
    connection.execute(text("CREATE INDEX ON fresh (dossier_id)"))
    connection.execute(text("ANALYZE fresh"))
    join = "FROM judged j WHERE h.dossier_id = j.dossier_id AND" if of == "judged" else "WHERE"
    closed = connection.execute(
        text(
            f"UPDATE tthc.flags h SET believed_to = :at {join} {mine} "
            f"AND NOT EXISTS (SELECT FROM fresh n WHERE {_SAME})"
        ),
        {"at": at, "owned": owned},
    ).rowcount
    opened = connection.execute(
        text(
            f"INSERT INTO tthc.flags ({columns}) SELECT {columns} FROM fresh n "
            f"WHERE NOT EXISTS (SELECT FROM tthc.flags h WHERE {_SAME})"
        )
    ).rowcount
    return opened, closed


def _versions(connection: Connection, codes: Collection[str]) -> list[int]:
    query = text("SELECT rule_version_id FROM tthc.rule_versions WHERE rule_code = ANY(:codes)")
    return list(connection.execute(query, {"codes": sorted(codes)}).scalars())
