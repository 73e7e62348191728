"""What is no longer to be kept: found, counted and erased.

Details of dossiers are erased by the database itself (``tthc.erase_details``, migration 0018), which checks what it is
asked. Everything else here holds no dossiers: texts about pulls, mails and jobs that nobody will read again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

MOST_AT_ONCE: Final = 1_000
"""Dossiers erased in one transaction: pulls and evaluations wait for it, a second or two."""

# The function looks at everything; what comes before it spares most dossiers that.
_MAY_BE = "d.end_seen_at < :before AND d.source_key <> 'erased\\:' || d.dossier_id AND tthc.may_be_erased(d, :before)"
_ENDED = "greatest(d.end_seen_at, d.finished_at, d.delivered_at)"
_OLD_RUN = "(SELECT r.run_id FROM tthc.pull_runs r WHERE r.started_at < :before)"
_LAST_SUCCESS = (
    "(SELECT max(l.scheduled_for) FROM tthc.job_runs l WHERE l.job = j.job AND l.outcome IS NOT DISTINCT FROM 'ok')"
)


@dataclass(frozen=True)
class _Texts:
    """Rows of a table whose time is over: which ones, by which instant they are counted, and how they are forgotten."""

    table: str
    period: str
    rows: str
    at: str
    forget: str


_TEXTS: Final = (
    _Texts(
        "rejects",
        "runs",
        f"FROM tthc.rejects t JOIN tthc.pull_runs p USING (run_id) WHERE t.run_id IN {_OLD_RUN}",
        "p.started_at",
        f"DELETE FROM tthc.rejects WHERE run_id IN {_OLD_RUN}",
    ),
    _Texts(
        "unknown_codes",
        "runs",
        f"FROM tthc.unknown_codes t JOIN tthc.pull_runs p USING (run_id) WHERE t.run_id IN {_OLD_RUN}",
        "p.started_at",
        f"DELETE FROM tthc.unknown_codes WHERE run_id IN {_OLD_RUN}",
    ),
    _Texts(
        "pull_runs",
        "runs",
        "FROM tthc.pull_runs t WHERE t.started_at < :before AND (t.error IS NOT NULL OR t.note IS NOT NULL) "
        "AND t.outcome <> 'running'",
        "t.started_at",
        "UPDATE tthc.pull_runs SET error = NULL, note = NULL WHERE started_at < :before "
        "AND (error IS NOT NULL OR note IS NOT NULL) AND outcome <> 'running'",
    ),
    _Texts(
        "deliveries",
        "deliveries",
        "FROM tthc.deliveries t WHERE t.claimed_at < :before",
        "t.claimed_at",
        "DELETE FROM tthc.deliveries WHERE claimed_at < :before",
    ),
    _Texts(
        "acknowledgements",
        "deliveries",
        "FROM tthc.acknowledgements t WHERE t.acknowledged_at < :before",
        "t.acknowledged_at",
        "DELETE FROM tthc.acknowledgements WHERE acknowledged_at < :before",
    ),
    # One that stands is kept however old it is: else its author would get mails again.
    _Texts(
        "digest_optouts",
        "deliveries",
        "FROM tthc.digest_optouts t WHERE t.taken_back_at < :before",
        "t.taken_back_at",
        "DELETE FROM tthc.digest_optouts WHERE taken_back_at < :before",
    ),
    _Texts(
        "job_runs",
        "job_runs",
        f"FROM tthc.job_runs j WHERE j.scheduled_for < :before AND j.scheduled_for IS DISTINCT FROM {_LAST_SUCCESS}",
        "j.scheduled_for",
        f"DELETE FROM tthc.job_runs j WHERE j.scheduled_for < :before AND j.scheduled_for IS DISTINCT FROM {_LAST_SUCCESS}",
    ),
    _Texts(
        "inbox",
        "inbox",
        "FROM tthc.inbox t WHERE t.received_at < :before",
        "t.received_at",
        "DELETE FROM tthc.inbox WHERE received_at < :before",
    ),
)

PERIODS: Final = frozenset(one.period for one in _TEXTS)
"""Names of the periods that :func:`due_texts` and :func:`forget_texts` need."""


@dataclass(frozen=True)
class Due:
    """Rows of a table whose time is over, by the year (of the calendar's zone) that counts; the oldest instant of them."""

    table: str
    year: int
    rows: int
    oldest: datetime


def due_details(connection: Connection, ended_before: datetime, zone: str) -> list[Due]:
    """The dossiers whose details may be erased, and their observations, by the year in which each dossier ended."""
    rows = connection.execute(
        text(
            f"WITH due AS MATERIALIZED (SELECT d.dossier_id, {_ENDED} AS ended, "
            f"extract(year FROM {_ENDED} AT TIME ZONE :zone)::int AS year FROM tthc.dossiers d WHERE {_MAY_BE}), "
            "seen AS (SELECT year, count(*) AS observations FROM due JOIN tthc.observations USING (dossier_id) GROUP BY 1) "
            "SELECT year, count(*) AS dossiers, max(seen.observations) AS observations, min(ended) AS oldest "
            "FROM due JOIN seen USING (year) GROUP BY 1 ORDER BY 1"
        ),
        {"before": ended_before, "zone": zone},
    ).all()
    return [
        Due(table, row.year, getattr(row, table), row.oldest) for table in ("dossiers", "observations") for row in rows
    ]


def due_texts(connection: Connection, before: Mapping[str, datetime], zone: str) -> list[Due]:
    """Other rows whose time is over, by year.

    Args:
        before: by the names of :data:`PERIODS`, the instant before which rows are no longer kept.
    """
    return [
        Due(one.table, row.year, row.rows, row.oldest)
        for one in _TEXTS
        for row in connection.execute(
            text(
                f"SELECT extract(year FROM {one.at} AT TIME ZONE :zone)::int AS year, count(*) AS rows, "
                f"min({one.at}) AS oldest {one.rows} GROUP BY 1 ORDER BY 1"
            ),
            {"before": before[one.period], "zone": zone},
        )
    ]


def dossiers_to_erase(connection: Connection, ended_before: datetime) -> list[int]:
    """Dossiers whose details may be erased, those that ended first at the head."""
    query = f"SELECT d.dossier_id FROM tthc.dossiers d WHERE {_MAY_BE} ORDER BY {_ENDED}, d.dossier_id"
    return list(connection.execute(text(query), {"before": ended_before}).scalars())


def erase_details(connection: Connection, dossiers: list[int], ended_before: datetime, at: datetime) -> tuple[int, int]:
    """Erase the details of those of some dossiers that ended before an instant; one event in the ledger for each.

    Args:
        at: now, for the ledger.

    Returns:
        how many dossiers and how many observations lost their details.
    """
    # Waiting for a pull or an evaluation to end is no fault, however long it takes.
    connection.execute(text("SET LOCAL lock_timeout = 0"))
    row = connection.execute(
        text("SELECT dossier_count, observation_count FROM tthc.erase_details(:dossiers, :before, :at)"),
        {"dossiers": dossiers, "before": ended_before, "at": at},
    ).one()
    return row.dossier_count, row.observation_count


def forget_texts(connection: Connection, before: Mapping[str, datetime]) -> dict[str, int]:
    """Forget the other rows whose time is over; returns by table how many."""
    return {one.table: connection.execute(text(one.forget), {"before": before[one.period]}).rowcount for one in _TEXTS}


def erased_before(connection: Connection) -> datetime | None:
    """Details of dossiers that ended before this instant may be erased; None: nothing ever was."""
    instant: datetime | None = connection.scalar(text("SELECT max(ended_before) FROM tthc.erasures"))
    return instant
