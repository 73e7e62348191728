"""Which dossiers to judge: those that changed, those that a change of grounds can touch, or all; in chunks.

A selection is a list of queries, each for the ids of at most :data:`CHUNK` dossiers; no id is in two of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection, text

from tthc_monitor.store.judgements import SPARSE
from tthc_monitor.store.projection import LIVE, Tables

CHUNK = 100_000

_INSTANTS = (
    "submitted_at", "postmarked_at", "received_at", "competent_received_at", "transferred_at", "due_first",
    "due_current", "finished_at", "delivered_at", "end_seen_at", "result_at", "published_at", "supplement_requested_at",
    "supplement_completed_at", "apology_at", "step_due_at", "consulted_due_at", "consulted_answered_at", "first_seen_at",
)  # fmt: skip


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


def done(connection: Connection, batch: PendingBatch) -> None:
    """Take a batch off the list of those to judge."""
    connection.execute(text("DELETE FROM tthc.pending_evaluations WHERE batch_id = :id"), {"id": batch.batch_id})


def of_batch(batch: PendingBatch) -> Iterator[str]:
    """The dossiers of a batch."""
    for first in range(batch.first_observation_id, batch.last_observation_id + 1, CHUNK):
        yield _observed([(first, min(first + CHUNK - 1, batch.last_observation_id))])


def of_batches(batches: Sequence[PendingBatch]) -> str:
    """The dossiers of several small batches together."""
    return _observed([(batch.first_observation_id, batch.last_observation_id) for batch in batches])


def _observed(ranges: Sequence[tuple[int, int]]) -> str:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and joined[-1][1] + 1 == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    parts = " UNION ".join(
        f"SELECT dossier_id FROM tthc.observations WHERE observation_id BETWEEN {int(first)} AND {int(last)}"
        for first, last in joined
    )
    return f"SELECT DISTINCT dossier_id FROM ({parts}) observed"


def of_all(connection: Connection, of: Tables = LIVE) -> Iterator[str]:
    """All dossiers of a projection."""
    highest = connection.scalar(text(f"SELECT max(dossier_id) FROM {of.dossiers}")) or 0
    for first in range(1, highest + 1, CHUNK):
        yield f"SELECT dossier_id FROM {of.dossiers} WHERE dossier_id BETWEEN {first} AND {first + CHUNK - 1}"


def of_waiting(connection: Connection) -> list[str]:
    """Dossiers that wait to be judged though no observation tells of a change: those that vanished, or came back."""
    query = f"""
        SELECT min(dossier_id), max(dossier_id) FROM (
            SELECT dossier_id, (row_number() OVER (ORDER BY dossier_id) - 1) / {CHUNK} AS chunk FROM tthc.pending_dossiers
        ) waiting GROUP BY chunk ORDER BY chunk
    """
    return [
        f"SELECT dossier_id FROM tthc.pending_dossiers WHERE dossier_id BETWEEN {first} AND {last}"
        for first, last in connection.execute(text(query))
    ]


def where(connection: Connection, conditions: Sequence[str]) -> list[str]:
    """The dossiers for which one of the conditions holds; conditions are SQL of ours, made by this module."""
    if not conditions:
        return []
    condition = " OR ".join(f"({one})" for one in conditions)
    # A change may touch ten dossiers or all of them: few among many are named, else the bounds of each chunk will do.
    chunks = connection.execute(
        text(
            f"SELECT min(dossier_id), max(dossier_id), CASE WHEN count(*) * {SPARSE} < max(dossier_id) - min(dossier_id) "
            "THEN string_agg(CAST(dossier_id AS text), ',') END FROM (SELECT dossier_id, (row_number() OVER "
            f"(ORDER BY dossier_id) - 1) / {CHUNK} AS chunk FROM tthc.dossiers WHERE {condition}) touched "
            "GROUP BY chunk ORDER BY chunk"
        )
    )
    return [
        f"SELECT unnest(CAST('{{{ids}}}' AS bigint[])) AS dossier_id"
        if ids
        else f"SELECT dossier_id FROM tthc.dossiers WHERE dossier_id BETWEEN {first} AND {last} AND ({condition})"
        for first, last, ids in chunks
    ]


def in_procedures(codes: Sequence[str]) -> str:
    """Dossiers of these procedures."""
    return f"procedure_code = ANY({_texts(codes)})"


def lived_through(
    first: date, last: date, zone: str, units: Sequence[str] | None, other_units: Sequence[str], reach: timedelta
) -> str:
    """Dossiers whose findings may rest on the working time of these days.

    An open dossier's findings reach into the future; an ended one's do not lie far behind its last instant.

    Args:
        units: whose calendar it is; None: all but ``other_units``.
        reach: how long after its last instant a finding about an ended dossier may begin.
    """
    after = f"(timestamp '{last + timedelta(days=1)}' AT TIME ZONE '{zone}')"
    begun = f"least({', '.join(_INSTANTS)}) < {after}"
    ended = "end_seen_at IS NOT NULL"
    over = f"greatest({', '.join(_INSTANTS)}) < timestamp '{first - reach}' AT TIME ZONE '{zone}'"
    if units is not None:
        concerned = f"unit_code = ANY({_texts(units)})"
    elif other_units:
        concerned = f"(unit_code IS NULL OR unit_code <> ALL({_texts(other_units)}))"
    else:
        concerned = "true"
    return f"{concerned} AND {begun} AND NOT ({ended} AND {over})"


def _texts(values: Sequence[str]) -> str:
    quoted = ", ".join("'" + value.replace("'", "''") + "'" for value in values)
    return f"CAST(ARRAY[{quoted}] AS text[])".replace(":", "\\:")
