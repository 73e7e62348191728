"""Facts out, flags in: the two ends of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy import Connection, text

from tthc_monitor.domain.facts import FACT_SCHEMA
from tthc_monitor.store.copy import copy_in, copy_out

EVALUATION_LOCK = 7_411_004
"""Advisory lock of evaluations: two at once would each close the other's flags."""

CHUNK = 100_000

_FACTS = """
    SELECT d.dossier_id, d.observation_id, d.kind, d.procedure_code, d.sector_code, d.unit_code,
           CASE WHEN d.status IS NULL AND d.source_status IS NOT NULL THEN 0 ELSE d.status END,
           d.received_at, d.due_first, d.due_current, e.ended_at, d.end_seen_at,
           w.requested_at, w.completed_at, d.supplement_count,
           (d.supplement_requested_at IS NULL AND d.supplement_seen_at = d.first_seen_at)::int,
           (w.requested_at IS NOT NULL AND w.completed_at IS NULL AND d.status IN (9, 10))::int
    FROM tthc.dossiers d
    CROSS JOIN LATERAL (SELECT coalesce(d.finished_at, d.delivered_at) AS ended_at) e
    CROSS JOIN LATERAL (SELECT coalesce(d.supplement_requested_at, d.supplement_seen_at) AS requested_at) r
    CROSS JOIN LATERAL (
        SELECT r.requested_at,
               -- Claimed; else seen to go on; else, of a dossier that goes on, when we first saw it do so. A dossier
               -- that ends while it waits was never answered.
               CASE WHEN d.supplement_completed_at > r.requested_at THEN d.supplement_completed_at
                    WHEN d.status = 5 THEN NULL
                    WHEN d.supplement_left_at > r.requested_at THEN d.supplement_left_at
                    WHEN e.ended_at IS NULL AND d.end_seen_at IS NULL AND d.status_seen_at > r.requested_at
                    THEN d.status_seen_at END AS completed_at
    ) w
"""

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


@dataclass(frozen=True)
class PendingBatch:
    """A batch of observations whose dossiers wait to be judged."""

    batch_id: int
    first_observation_id: int
    last_observation_id: int
    rows: int


def pending_batches(connection: Connection) -> list[PendingBatch]:
    """Batches not judged yet, oldest first."""
    rows = connection.execute(
        text(
            "SELECT batch_id, first_observation_id, last_observation_id, row_count FROM tthc.pending_evaluations "
            "JOIN tthc.observation_batches USING (batch_id) ORDER BY batch_id"
        )
    )
    return [PendingBatch(*row) for row in rows]


def batch_chunks(batch: PendingBatch) -> Iterator[str]:
    """Queries for the dossiers of a batch, at most :data:`CHUNK` observations each."""
    for first in range(batch.first_observation_id, batch.last_observation_id + 1, CHUNK):
        last = min(first + CHUNK - 1, batch.last_observation_id)
        yield (
            "SELECT DISTINCT dossier_id FROM tthc.observations "
            f"WHERE observation_id BETWEEN {int(first)} AND {int(last)}"
        )


def all_chunks(connection: Connection) -> Iterator[str]:
    """Queries for all dossiers, at most :data:`CHUNK` each."""
    highest = connection.scalar(text("SELECT max(dossier_id) FROM tthc.dossiers")) or 0
    for first in range(1, highest + 1, CHUNK):
        yield f"SELECT dossier_id FROM tthc.dossiers WHERE dossier_id BETWEEN {first} AND {first + CHUNK - 1}"


def load_facts(connection: Connection, dossiers: str) -> pl.DataFrame:
    """Facts of the dossiers that a query names, and remember these dossiers for :func:`replace_flags`."""
    connection.execute(text("DROP TABLE IF EXISTS judged"))
    connection.execute(text(f"CREATE TEMP TABLE judged ON COMMIT DROP AS {dossiers}"))
    connection.execute(text("ANALYZE judged"))
    return copy_out(connection, f"{_FACTS} JOIN judged USING (dossier_id)", FACT_SCHEMA)


def replace_flags(connection: Connection, flags: pl.DataFrame, evaluation_id: int, at: datetime) -> tuple[int, int]:
    """Make these the flags of the dossiers loaded last: equal ones stay, others close, new ones open.

    Args:
        flags: columns of :data:`FLAG_SCHEMA`.

    Returns:
        how many flags opened and how many closed.
    """
    rows = flags.with_columns(
        pl.col("ends_at").dt.to_string("%Y-%m-%d %H:%M:%S%.6f+00").fill_null("infinity"),
        pl.lit(evaluation_id).alias("evaluation_id"),
        pl.lit(at).dt.convert_time_zone("UTC").alias("believed_from"),
    )
    held = "SELECT EXISTS (SELECT FROM judged j JOIN tthc.flags h USING (dossier_id) WHERE h.believed_to IS NULL)"
    if not connection.scalar(text(held)):
        copy_in(connection, "tthc.flags", rows)
        return rows.height, 0
    columns = ", ".join(rows.columns)
    connection.execute(text("DROP TABLE IF EXISTS fresh"))
    connection.execute(text(f"CREATE TEMP TABLE fresh ON COMMIT DROP AS SELECT {columns} FROM tthc.flags WITH NO DATA"))
    copy_in(connection, "fresh", rows)
    connection.execute(text("CREATE INDEX ON fresh (dossier_id)"))
    connection.execute(text("ANALYZE fresh"))
    same = (
        "h.dossier_id = n.dossier_id AND h.believed_to IS NULL AND h.rule_version_id = n.rule_version_id "
        "AND h.starts_at = n.starts_at AND h.ends_at = n.ends_at AND h.evidence = n.evidence "
        "AND h.unit_code IS NOT DISTINCT FROM n.unit_code AND h.procedure_code IS NOT DISTINCT FROM n.procedure_code"
    )
    closed = connection.execute(
        text(
            "UPDATE tthc.flags h SET believed_to = :at FROM judged j WHERE h.dossier_id = j.dossier_id "
            f"AND h.believed_to IS NULL AND NOT EXISTS (SELECT FROM fresh n WHERE {same})"
        ),
        {"at": at},
    ).rowcount
    opened = connection.execute(
        text(
            f"INSERT INTO tthc.flags ({columns}) SELECT {columns} FROM fresh n "
            f"WHERE NOT EXISTS (SELECT FROM tthc.flags h WHERE {same})"
        )
    ).rowcount
    return opened, closed


def done(connection: Connection, batch: PendingBatch) -> None:
    """Take a batch off the list of those to judge."""
    connection.execute(text("DELETE FROM tthc.pending_evaluations WHERE batch_id = :id"), {"id": batch.batch_id})


def register_calendar(
    connection: Connection, name: str, fingerprint: str, definition: Mapping[str, Any], at: datetime
) -> int:
    """Version number of a calendar, given on first use."""
    return _register(
        connection,
        "calendar_version",
        {"name": name, "fingerprint": fingerprint, "definition": definition},
        at,
    )


def register_rule(connection: Connection, definition: Mapping[str, Any], fingerprint: str, at: datetime) -> int:
    """Version number of a rule, given on first use."""
    columns = {name: definition.get(name) for name in ("kind", "title", "severity", "verdict", "legal_basis")}
    return _register(
        connection,
        "rule_version",
        {"rule_code": definition["code"], **columns, "fingerprint": fingerprint, "definition": definition},
        at,
    )


def _register(connection: Connection, what: str, values: Mapping[str, Any], at: datetime) -> int:
    parameters = {**values, "definition": json.dumps(values["definition"], ensure_ascii=False), "at": at}
    names = ", ".join(values)
    slots = ", ".join(f"CAST(:{name} AS jsonb)" if name == "definition" else f":{name}" for name in values)
    known = text(f"SELECT {what}_id FROM tthc.{what}s WHERE fingerprint = :fingerprint")
    version: int | None = connection.scalar(known, parameters)
    if version is None:
        # Two processes may meet a new version at once; whoever comes second finds the other's.
        insert = (
            f"INSERT INTO tthc.{what}s ({names}, known_from) VALUES ({slots}, :at) ON CONFLICT (fingerprint) DO NOTHING"
        )
        connection.execute(text(insert), parameters)
        version = connection.execute(known, parameters).scalar_one()
    return version


@dataclass(frozen=True)
class JudgedBy:
    """What an evaluation judges by."""

    ruleset_fingerprint: str
    calendar_version_id: int
    engine_version: str


def judged_by_since(connection: Connection) -> set[JudgedBy]:
    """By what the flags held may have been judged: the last completed evaluation, and those begun after it."""
    rows = connection.execute(
        text(
            "SELECT DISTINCT ruleset_fingerprint, calendar_version_id, engine_version FROM tthc.evaluations "
            "WHERE evaluation_id >= coalesce((SELECT max(evaluation_id) FROM tthc.evaluations "
            "WHERE finished_at IS NOT NULL), 0)"
        )
    )
    return {JudgedBy(*row) for row in rows}


def open_evaluation(connection: Connection, at: datetime, reason: str, by: JudgedBy) -> int:
    """Record that an evaluation begins."""
    evaluation_id: int = connection.execute(
        text(
            "INSERT INTO tthc.evaluations (started_at, reason, engine_version, ruleset_fingerprint, "
            "calendar_version_id) VALUES (:at, :reason, :engine, :rules, :calendar) RETURNING evaluation_id"
        ),
        {
            "at": at,
            "reason": reason,
            "engine": by.engine_version,
            "rules": by.ruleset_fingerprint,
            "calendar": by.calendar_version_id,
        },
    ).scalar_one()
    return evaluation_id


def close_evaluation(
    connection: Connection, evaluation_id: int, at: datetime, judged: int, opened: int, closed: int
) -> None:
    """Record what an evaluation did."""
    connection.execute(
        text(
            "UPDATE tthc.evaluations SET finished_at = :at, dossiers_judged = :judged, flags_opened = :opened, "
            "flags_closed = :closed WHERE evaluation_id = :id"
        ),
        {"id": evaluation_id, "at": at, "judged": judged, "opened": opened, "closed": closed},
    )
