"""Sources, their pulls, and what a pull could not read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.records import OPTIONAL_COLUMNS, Reject
from tthc_monitor.store.copy import copy_in
from tthc_monitor.store.database import storable

RUNS_WITH_REJECTS = 10


@dataclass(frozen=True)
class Source:
    """A source as the database knows it."""

    source_id: int
    name: str
    cursor: Mapping[str, Any] | None


@dataclass
class Totals:
    """What one pull has done so far, in numbers of rows."""

    rows_read: int = 0
    rows_rejected: int = 0
    rows_repeated: int = 0
    rows_unmapped_status: int = 0
    dossiers_new: int = 0
    dossiers_changed: int = 0


def register_source(connection: Connection, name: str, kind: str, provides: Collection[str] = ()) -> Source:
    """The source of that name, made when it is new.

    Args:
        provides: the canonical columns that it fills; the optional ones are remembered.
    """
    row = connection.execute(
        text(
            "INSERT INTO tthc.sources (name, kind, provides) VALUES (:name, :kind, :provides) ON CONFLICT (name) "
            "DO UPDATE SET kind = excluded.kind, provides = excluded.provides RETURNING source_id, cursor"
        ),
        {"name": name, "kind": kind, "provides": sorted(set(provides) & set(OPTIONAL_COLUMNS))},
    ).one()
    return Source(row.source_id, name, row.cursor)


def open_run(connection: Connection, source: Source, started_at: datetime) -> int:
    """Record that a pull begins; runs of this source left open by a dead process are closed as failed."""
    connection.execute(
        text(
            "UPDATE tthc.pull_runs SET outcome = 'failed', finished_at = :now, "
            "error = 'the process ended before the run did' WHERE source_id = :source AND outcome = 'running'"
        ),
        {"source": source.source_id, "now": started_at},
    )
    run_id: int = connection.execute(
        text("INSERT INTO tthc.pull_runs (source_id, started_at) VALUES (:source, :now) RETURNING run_id"),
        {"source": source.source_id, "now": started_at},
    ).scalar_one()
    return run_id


def asked_before(connection: Connection, source_id: int, run_id: int) -> datetime | None:
    """As of when the source's good pull before this one told of all open dossiers; None when it did not."""
    asked_at: datetime | None = connection.scalar(
        text(
            "SELECT asked_at FROM tthc.pull_runs WHERE source_id = :source AND run_id < :run AND outcome = 'ok' "
            "ORDER BY run_id DESC LIMIT 1"
        ),
        {"source": source_id, "run": run_id},
    )
    return asked_at


def close_run(
    connection: Connection,
    run_id: int,
    finished_at: datetime,
    totals: Totals,
    error: str | None,
    asked_at: datetime | None = None,
) -> None:
    """Record how a pull ended.

    Args:
        asked_at: of a pull that listed all dossiers the source has open: as of when.
    """
    connection.execute(
        text(
            "UPDATE tthc.pull_runs SET outcome = :outcome, finished_at = :now, rows_read = :rows_read, "
            "rows_rejected = :rows_rejected, rows_repeated = :rows_repeated, "
            "rows_unmapped_status = :rows_unmapped_status, dossiers_new = :dossiers_new, "
            "dossiers_changed = :dossiers_changed, error = :error, asked_at = :asked WHERE run_id = :run"
        ),
        {
            "run": run_id,
            "now": finished_at,
            "outcome": "ok" if error is None else "failed",
            "error": storable(error),
            "asked": asked_at,
            **asdict(totals),
        },
    )


def forget_old_rejects(connection: Connection, source: Source) -> None:
    """Keep the rejects of a source's last :data:`RUNS_WITH_REJECTS` runs: each run finds again what is still wrong."""
    connection.execute(
        text(
            "DELETE FROM tthc.rejects WHERE run_id IN (SELECT run_id FROM tthc.pull_runs WHERE source_id = :source "
            "ORDER BY run_id DESC OFFSET :kept)"
        ),
        {"source": source.source_id, "kept": RUNS_WITH_REJECTS},
    )


def keep_rejects(connection: Connection, run_id: int, rejects: Sequence[Reject]) -> None:
    """Store rejects of a pull; they stay whether the pull succeeds or fails."""
    columns = ("location", "row", "column", "reason", "value")
    frame = pl.DataFrame(
        [[getattr(reject, name) for name in columns] for reject in rejects],
        schema={
            "location": pl.String(),
            "row_number": pl.Int64(),
            "column_name": pl.String(),
            "reason": pl.String(),
            "value": pl.String(),
        },
        orient="row",
    )
    kept = frame.select(pl.lit(run_id).alias("run_id"), pl.all()).with_columns(
        pl.col(pl.String).str.replace_all("\x00", "\ufffd", literal=True)
    )
    copy_in(connection, "tthc.rejects", kept)


def rejects_of(connection: Connection, source: str, limit: int) -> list[tuple[Any, ...]]:
    """Rejects of a source's last pull: location, row, column, value, reason."""
    rows = connection.execute(
        text(
            "SELECT j.location, j.row_number, j.column_name, j.value, j.reason FROM tthc.rejects j "
            "WHERE j.run_id = (SELECT max(run_id) FROM tthc.pull_runs JOIN tthc.sources USING (source_id) "
            "WHERE name = :source) ORDER BY j.reject_id LIMIT :limit"
        ),
        {"source": source, "limit": limit},
    )
    return [tuple(row) for row in rows]
