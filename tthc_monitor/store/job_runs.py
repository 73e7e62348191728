"""Claims on scheduled runs: any number of processes may try a slot, the primary key lets one through."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from tthc_monitor.store.database import storable

KEPT = timedelta(days=30)
"""How long a run is remembered when nobody says otherwise."""


def claim(connection: Connection, job: str, slot: datetime, now: datetime, lease: timedelta) -> bool:
    """Take a slot. True when it is ours: new, given back and due again, or left by a process that died longer ago than
    its lease.
    """
    claimed = connection.execute(
        text(
            """
            INSERT INTO tthc.job_runs AS held (job, scheduled_for, started_at, lease_until)
            VALUES (:job, :slot, :now, :until)
            ON CONFLICT (job, scheduled_for) DO UPDATE SET started_at = excluded.started_at,
                lease_until = excluded.lease_until, outcome = NULL, detail = NULL
            WHERE held.finished_at IS NULL AND held.lease_until < :now
            """
        ),
        {"job": job, "slot": slot, "now": now, "until": now + lease},
    ).rowcount
    return claimed == 1


def finish(
    connection: Connection,
    job: str,
    slot: datetime,
    now: datetime,
    error: str | None,
    *,
    started: datetime,
    kept: timedelta = KEPT,
) -> None:
    """Record how the run claimed at ``started`` ended, and forget runs ``kept`` long enough (the last success stays).

    A run that took longer than its lease may find its slot another's; then there is nothing to record.
    """
    connection.execute(
        text(
            "UPDATE tthc.job_runs SET finished_at = :now, outcome = :outcome, detail = :error "
            "WHERE job = :job AND scheduled_for = :slot AND started_at = :started"
        ),
        {
            "job": job,
            "slot": slot,
            "started": started,
            "now": now,
            "outcome": "ok" if error is None else "failed",
            "error": storable(error),
        },
    )
    connection.execute(
        text(
            "DELETE FROM tthc.job_runs WHERE job = :job AND scheduled_for < :old AND scheduled_for < "
            "(SELECT max(scheduled_for) FROM tthc.job_runs WHERE job = :job AND outcome = 'ok')"
        ),
        {"job": job, "old": now - kept},
    )


def give_back(
    connection: Connection,
    job: str,
    slot: datetime,
    now: datetime,
    error: str,
    *,
    started: datetime,
    retry_at: datetime,
) -> None:
    """Record that the run claimed at ``started`` failed, and let the slot be taken again after ``retry_at``.

    The slot is not over, so it has no end; as in :func:`finish`, what is another's by now stays as it is.
    """
    connection.execute(
        text(
            "UPDATE tthc.job_runs SET outcome = 'failed', detail = :error, lease_until = :retry_at "
            "WHERE job = :job AND scheduled_for = :slot AND started_at = :started AND finished_at IS NULL"
        ),
        {"job": job, "slot": slot, "error": storable(error), "started": started, "retry_at": max(retry_at, now)},
    )


def is_taken(connection: Connection, job: str, slot: datetime, now: datetime) -> bool:
    """Whether a slot is done or being worked on, without trying to take it."""
    return bool(
        connection.scalar(
            text(
                "SELECT EXISTS (SELECT FROM tthc.job_runs WHERE job = :job AND scheduled_for = :slot "
                "AND (finished_at IS NOT NULL OR lease_until >= :now))"
            ),
            {"job": job, "slot": slot, "now": now},
        )
    )
