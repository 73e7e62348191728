"""Sources, their pulls, and what a pull could not read."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.pull_assertions import Before
from tthc_monitor.domain.records import OPTIONAL_COLUMNS, Reject
from tthc_monitor.store.copy import copy_in
from tthc_monitor.store.database import storable
from tthc_monitor.store.totals import add, note_latest

RUNS_WITH_REJECTS = 10


@dataclass(frozen=True)
class Source:
    """A source as the database knows it.

    ``scope``
        the fingerprint of what it was asked for when it last listed all it has open; None: nobody kept it.
    """

    source_id: int
    name: str
    cursor: Mapping[str, Any] | None
    scope: str | None = None


@dataclass
class Totals:
    """What one pull has done so far, in numbers of rows; of dossiers and rounds only those that are kept count.

    ``rows_rejected`` counts rows among the rejects: those that could not be read, and keys given more than once with
    different content, although their last content was kept. ``rows_open`` counts dossiers that had not ended, each once.
    """

    rows_read: int = 0
    rows_rejected: int = 0
    rows_repeated: int = 0
    rows_unmapped_status: int = 0
    rows_open: int = 0
    dossiers_new: int = 0
    dossiers_changed: int = 0
    rounds: int = 0


def register_source(connection: Connection, name: str, kind: str, provides: Collection[str] = ()) -> Source:
    """The source of that name, made when it is new.

    Args:
        provides: the canonical columns that it fills; the optional ones are remembered.
    """
    row = connection.execute(
        text(
            "INSERT INTO tthc.sources (name, kind, provides) VALUES (:name, :kind, :provides) ON CONFLICT (name) "
            "DO UPDATE SET kind = excluded.kind, provides = excluded.provides RETURNING source_id, cursor, scope"
        ),
        {"name": name, "kind": kind, "provides": sorted(set(provides) & set(OPTIONAL_COLUMNS))},
    ).one()
    return Source(row.source_id, name, row.cursor, row.scope)


def find_source(connection: Connection, name: str) -> Source:
    """The source of that name; one that was never pulled has the number 0 and no cursor."""
    row = connection.execute(
        text("SELECT source_id, cursor, scope FROM tthc.sources WHERE name = :name"), {"name": name}
    ).one_or_none()
    return Source(0, name, None) if row is None else Source(row.source_id, name, row.cursor, row.scope)


def source_names(connection: Connection) -> dict[int, str]:
    """The name of each source by its number."""
    return dict(connection.execute(text("SELECT source_id, name FROM tthc.sources")).all())


def keep_scope(connection: Connection, source_id: int, scope: str) -> None:
    """Record what a source was asked for when it listed all it has open."""
    connection.execute(
        text("UPDATE tthc.sources SET scope = :scope WHERE source_id = :source AND scope IS DISTINCT FROM :scope"),
        {"source": source_id, "scope": scope},
    )


def open_run(connection: Connection, source: Source, started_at: datetime, *, by_hand: bool = False) -> int:
    """Record that a pull begins; runs of this source left open by a dead process are closed as failed."""
    dead = connection.execute(
        text(
            "UPDATE tthc.pull_runs SET outcome = 'failed', finished_at = :now, "
            "error = 'the process ended before the run did' WHERE source_id = :source AND outcome = 'running'"
        ),
        {"source": source.source_id, "now": started_at},
    ).rowcount
    if dead:
        add(connection, "tthc_source_runs_total", (source.name, "failed"), dead)
    run_id: int = connection.execute(
        text(
            "INSERT INTO tthc.pull_runs (source_id, started_at, by_hand) VALUES (:source, :now, :by_hand) RETURNING run_id"
        ),
        {"source": source.source_id, "now": started_at, "by_hand": by_hand},
    ).scalar_one()
    return run_id


@dataclass(frozen=True)
class Listing:
    """A good pull that told of all dossiers the source had open.

    ``asked_at``
        as of when.
    ``held_until``
        the last observation of the source by its end; None when there was none yet.
    """

    asked_at: datetime
    held_until: int | None


def last_listing(connection: Connection, source_id: int) -> Listing | None:
    """The newest :class:`Listing` of a source; pulls after it that listed only news, failed or were doubted do not count."""
    row = connection.execute(
        text(
            "SELECT run_id, asked_at FROM tthc.pull_runs WHERE source_id = :source AND outcome = 'ok' "
            "AND asked_at IS NOT NULL ORDER BY run_id DESC LIMIT 1"
        ),
        {"source": source_id},
    ).one_or_none()
    if row is None:
        return None
    held_until = connection.scalar(
        text(
            "SELECT last_observation_id FROM tthc.observation_batches "
            "WHERE source_id = :source AND run_id <= :run AND kind = 'observations' "
            "ORDER BY batch_id DESC LIMIT 1"
        ),
        {"source": source_id, "run": row.run_id},
    )
    return Listing(row.asked_at, held_until)


def volumes_before(connection: Connection, source_id: int) -> Before:
    """What the last good pulls of a source gave that asked for everything, and that listed all open dossiers."""
    last = "SELECT {0} FROM tthc.pull_runs WHERE source_id = :source AND outcome = 'ok' AND {1} "
    # Of pulls before rows were counted by what they tell, was_full is null.
    full = last.format("rows_read - rows_repeated", "was_full") + "ORDER BY run_id DESC LIMIT 1"
    listing = last.format("rows_open", "asked_at IS NOT NULL AND was_full IS NOT NULL") + "ORDER BY run_id DESC LIMIT 1"
    row = connection.execute(text(f"SELECT ({full}), ({listing})"), {"source": source_id}).one()
    return Before(row[0], row[1])


def failures_in_a_row(connection: Connection, name: str) -> tuple[int, datetime | None]:
    """How many scheduled pulls of a source have failed since its last good one, and when the last of them ended.

    Pulls by hand count neither way: a broken file that somebody handed in says nothing about the source, a good one
    does not say that the source answers.
    """
    row = connection.execute(
        text(
            "SELECT count(*), max(r.finished_at) FROM tthc.pull_runs r JOIN tthc.sources s USING (source_id) "
            "WHERE s.name = :name AND r.outcome = 'failed' AND NOT r.by_hand AND r.run_id > coalesce((SELECT g.run_id FROM tthc.pull_runs g "
            "WHERE g.source_id = s.source_id AND g.outcome = 'ok' AND NOT g.by_hand ORDER BY g.run_id DESC LIMIT 1), 0)"
        ),
        {"name": name},
    ).one()
    return row[0], row[1]


def note_totals(connection: Connection, run_id: int, totals: Totals) -> None:
    """Record how far a pull has come."""
    columns = ", ".join(f"{name} = :{name}" for name in asdict(totals))
    connection.execute(
        text(f"UPDATE tthc.pull_runs SET {columns} WHERE run_id = :run"), {"run": run_id, **asdict(totals)}
    )


def close_run(
    connection: Connection,
    run_id: int,
    finished_at: datetime,
    totals: Totals,
    error: str | None,
    asked_at: datetime | None = None,
    note: str | None = None,
    *,
    was_full: bool = False,
    stopped: bool = False,
) -> None:
    """Record how a pull ended.

    Args:
        asked_at: of a pull that listed all dossiers the source has open: as of when.
        note: what a person should know although the pull did not fail for it.
        was_full: it gave everything the source has, even if it had a cursor to go on from.
        stopped: it did not fail, ``error`` tells why it ended early.
    """
    note_totals(connection, run_id, totals)
    outcome = "ok" if error is None else "stopped" if stopped else "failed"
    name: str = connection.execute(
        text(
            "UPDATE tthc.pull_runs SET outcome = :outcome, finished_at = :now, error = :error, asked_at = :asked, "
            "note = :note, was_full = :full WHERE run_id = :run "
            "RETURNING (SELECT s.name FROM tthc.sources s WHERE s.source_id = pull_runs.source_id)"
        ),
        {
            "run": run_id,
            "now": finished_at,
            "outcome": outcome,
            "error": storable(error),
            "asked": asked_at,
            "note": storable(note),
            "full": was_full,
        },
    ).scalar_one()
    if outcome != "stopped":
        add(connection, "tthc_source_runs_total", (name, outcome))
    add(connection, "tthc_source_rows_rejected_total", (name,), totals.rows_rejected)
    if outcome == "ok" and totals.rows_read:
        # Kept here, because a scrape would have to look for it through all the empty runs since.
        note_latest(connection, "tthc_source_last_rows_timestamp_seconds", (name,), finished_at)


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
    copy_in(connection, "tthc.rejects", kept, detour=True)


def rejects_of(connection: Connection, source: str, limit: int, *, by_hand: bool = False) -> list[tuple[Any, ...]]:
    """Rejects of a source's last pull, or of its last one by hand: location, row, column, value, reason."""
    rows = connection.execute(
        text(
            "SELECT j.location, j.row_number, j.column_name, j.value, j.reason FROM tthc.rejects j "
            "WHERE j.run_id = (SELECT max(run_id) FROM tthc.pull_runs JOIN tthc.sources USING (source_id) "
            "WHERE name = :source AND (by_hand OR NOT :by_hand)) ORDER BY j.reject_id LIMIT :limit"
        ),
        {"source": source, "limit": limit, "by_hand": by_hand},
    )
    return [tuple(row) for row in rows]
