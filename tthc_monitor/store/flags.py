"""Flags in: the findings that stand, each believed from the evaluation that found it until one that finds otherwise."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Literal

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.store import open_findings, totals
from tthc_monitor.store.copy import copy_in
from tthc_monitor.store.judgements import SPARSE, judged_range

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
    "h.dossier_id = n.dossier_id AND h.rule_version_id = n.rule_version_id "
    "AND h.starts_at = n.starts_at AND h.ends_at = n.ends_at AND h.evidence = n.evidence "
    # A full join takes equalities only.
    "AND (h.unit_code IS NULL) = (n.unit_code IS NULL) AND coalesce(h.unit_code, '') = coalesce(n.unit_code, '') "
    "AND (h.procedure_code IS NULL) = (n.procedure_code IS NULL) "
    "AND coalesce(h.procedure_code, '') = coalesce(n.procedure_code, '')"
)

# Of a dossier that ended in a batch which waits to be judged this is no change: until then it had no verdict.
_VERDICTS_CHANGED = """
    WITH opened AS (
        SELECT f.dossier_id, r.verdict FROM fresh f JOIN tthc.rule_versions r USING (rule_version_id)
        WHERE f.number IN (SELECT number FROM differing) AND r.verdict IN ('late', 'cannot_tell')
          AND f.ends_at = 'infinity'
    ), touched AS (
        SELECT dossier_id FROM opened UNION SELECT dossier_id FROM differing WHERE flag_id IS NOT NULL
    ), held AS (
        SELECT h.dossier_id, r.verdict, EXISTS (SELECT FROM differing x WHERE x.flag_id = h.flag_id) AS closing
        FROM touched t JOIN tthc.flags h USING (dossier_id) JOIN tthc.rule_versions r USING (rule_version_id)
        WHERE h.believed_to IS NULL AND h.ends_at = 'infinity' AND r.verdict IN ('late', 'cannot_tell')
    ), verdict AS (
        SELECT dossier_id, min(verdict) FILTER (WHERE before) AS before, min(verdict) FILTER (WHERE after) AS after
        FROM (
            -- late comes behind cannot_tell in the alphabet, and beats it
            SELECT dossier_id, CASE verdict WHEN 'late' THEN 'a' ELSE 'b' END AS verdict, true AS before,
                   NOT closing AS after FROM held
            UNION ALL
            SELECT dossier_id, CASE verdict WHEN 'late' THEN 'a' ELSE 'b' END, false, true FROM opened
        ) every GROUP BY 1
    )
    SELECT coalesce(d.unit_code, ''), count(*) FROM verdict v JOIN tthc.dossiers d USING (dossier_id)
    WHERE v.before IS DISTINCT FROM v.after AND d.kind = 'dossier' AND (d.end_seen_at IS NOT NULL OR v.before = 'a')
      AND NOT EXISTS (SELECT FROM tthc.pending_evaluations p JOIN tthc.observation_batches b USING (batch_id)
                      WHERE b.source_id = d.source_id AND b.seen_at = d.end_seen_at)
    GROUP BY 1
"""


def replace_flags(
    connection: Connection,
    flags: pl.DataFrame,
    codes: Collection[str],
    evaluation_id: int,
    at: datetime,
    *,
    of: Literal["judged", "all"] = "judged",
    open_dossiers: Sequence[int] | None = None,
) -> tuple[int, int]:
    """Make these the flags that the rules of ``codes`` have found: equal ones stay, others close, new ones open.

    Args:
        flags: columns of :data:`FLAG_SCHEMA`, found by rules of ``codes``.
        codes: rules that were applied, and those that are no longer in force.
        of: the dossiers concerned: those in the temporary table ``judged``, or all but those in ``spared``.
        open_dossiers: those of ``judged`` that are open, when the caller knows.

    Returns:
        how many flags opened and how many closed.
    """
    # By dossier, so that what is asked of a dossier is in one place.
    flags = flags.sort("dossier_id").with_columns(
        pl.col("ends_at").dt.to_string("%Y-%m-%d %H:%M:%S%.6f+00").fill_null("infinity"),
        pl.lit(evaluation_id).alias("evaluation_id"),
        pl.lit(at).dt.convert_time_zone("UTC").alias("believed_from"),
    )
    owned = _versions(connection, codes)
    held = "FROM tthc.flags h WHERE h.believed_to IS NULL AND h.rule_version_id = ANY(:owned)"
    if of == "judged":
        held = _held_of_judged(connection, held)
    else:
        held += " AND NOT EXISTS (SELECT FROM spared s WHERE s.dossier_id = h.dossier_id)"
    if not connection.scalar(text(f"SELECT EXISTS (SELECT {held})"), {"owned": owned}):
        copy_in(connection, "tthc.flags", flags, detour=True)
        open_findings.renew(connection, owned, of=of, open_dossiers=open_dossiers)
        return flags.height, 0
    columns = ", ".join(flags.columns)
    connection.execute(text("DROP TABLE IF EXISTS fresh, differing"))
    connection.execute(
        text(f"CREATE TEMP TABLE fresh ON COMMIT DROP AS SELECT {columns}, 0 AS number FROM tthc.flags WITH NO DATA")
    )
    copy_in(connection, "fresh", flags.with_row_index("number"))
    connection.execute(
        text(
            "CREATE TEMP TABLE differing ON COMMIT DROP AS SELECT h.dossier_id, h.flag_id, n.number "
            f"FROM (SELECT h.* {held}) h FULL JOIN fresh n ON {_SAME} WHERE h.flag_id IS NULL OR n.number IS NULL"
        ),
        {"owned": owned},
    )
    connection.execute(text("ANALYZE differing"))
    _count_changed_verdicts(connection, owned)
    closed = connection.execute(
        text(
            "UPDATE tthc.flags h SET believed_to = greatest(:at, h.believed_from) FROM differing d "
            "WHERE h.dossier_id = d.dossier_id AND h.flag_id = d.flag_id AND h.believed_to IS NULL"
        ),
        {"at": at},
    ).rowcount
    opened = connection.execute(
        text(
            f"INSERT INTO tthc.flags ({columns}) SELECT {columns} FROM fresh "
            "WHERE number IN (SELECT number FROM differing)"
        )
    ).rowcount
    open_findings.renew(connection, owned, of=of, open_dossiers=open_dossiers)
    return opened, closed


def _count_changed_verdicts(connection: Connection, owned: list[int]) -> None:
    """Count the ended dossiers whose verdict is another by what is about to change, told by ``differing``."""
    decides = (
        "SELECT EXISTS (SELECT FROM tthc.rule_versions WHERE rule_version_id = ANY(:owned) AND verdict IS NOT NULL)"
    )
    if not connection.scalar(text(decides), {"owned": owned}):
        return
    changed = connection.execute(text(_VERDICTS_CHANGED)).all()
    totals.add_all(connection, [("tthc_verdict_changes_total", [unit], count) for unit, count in changed])


def _held_of_judged(connection: Connection, held: str) -> str:
    """The flags held, of the dossiers in ``judged`` only."""
    low, high, count = judged_range(connection)
    if count * SPARSE < high - low:
        # One by one, through the index: of a table that has just grown the server has no idea how it lies.
        found = f"SELECT h.* {held} AND h.dossier_id = j.dossier_id OFFSET 0"
        return f"FROM judged j CROSS JOIN LATERAL ({found}) h"
    # The range keeps the server from walking an index from its beginning.
    return (
        f"{held} AND h.dossier_id BETWEEN {low} AND {high} "
        "AND EXISTS (SELECT FROM judged j WHERE j.dossier_id = h.dossier_id)"
    )


def _versions(connection: Connection, codes: Collection[str]) -> list[int]:
    query = text("SELECT rule_version_id FROM tthc.rule_versions WHERE rule_code = ANY(:codes)")
    return list(connection.execute(query, {"codes": sorted(codes)}).scalars())
