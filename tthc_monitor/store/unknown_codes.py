"""Codes of a source that no mapping knows, counted by pull."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.store.copy import copy_in
from tthc_monitor.store.runs import RUNS_WITH_REJECTS, Source

MOST_CODES = 1_000
"""A mapping that points at the wrong column must not fill the table: of more codes the most frequent are kept."""

LONGEST_CODE = 200
"""Characters of a code that are kept."""


def keep_unknown_codes(connection: Connection, run_id: int, counts: Mapping[tuple[str, str], int]) -> None:
    """Store what a pull met: number of rows by canonical column and the source's code."""
    frame = pl.DataFrame(
        [(field, code, rows) for (field, code), rows in counts.items()],
        schema={"field": pl.String(), "code": pl.String(), "row_count": pl.Int64()},
        orient="row",
    )
    kept = (
        frame.with_columns(pl.col("code").str.replace_all("\x00", "\ufffd", literal=True).str.head(LONGEST_CODE))
        .group_by("field", "code", maintain_order=True)
        .sum()
        .sort("row_count", descending=True, maintain_order=True)
        .head(MOST_CODES)
    )
    copy_in(connection, "tthc.unknown_codes", kept.select(pl.lit(run_id).alias("run_id"), pl.all()), detour=True)


def forget_old_unknown_codes(connection: Connection, source: Source) -> None:
    """Keep those of a source's last pulls, and of each code the last time that it was met."""
    connection.execute(
        text(
            """
            WITH met AS (
                SELECT u.run_id, u.field, u.code, row_number() OVER (PARTITION BY u.field, u.code ORDER BY u.run_id DESC) AS nth
                FROM tthc.unknown_codes u JOIN tthc.pull_runs r USING (run_id) WHERE r.source_id = :source
            ), old AS (
                SELECT run_id FROM tthc.pull_runs WHERE source_id = :source ORDER BY run_id DESC OFFSET :kept
            )
            DELETE FROM tthc.unknown_codes u USING met
            WHERE met.nth > 1 AND met.run_id IN (SELECT run_id FROM old)
              AND (u.run_id, u.field, u.code) = (met.run_id, met.field, met.code)
            """
        ),
        {"source": source.source_id, "kept": RUNS_WITH_REJECTS},
    )
