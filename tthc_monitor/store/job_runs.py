"""Claims on scheduled runs: any number of processes may try a slot, the primary key lets one through."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from tthc_monitor.store.database import storable

_KEPT = timedelta(days=30)


def claim(connection: Connection, job: str, slot: datetime, now: datetime, lease: timedelta) -> bool:
    """Take a slot. True when it is ours: new, or left by a process that died longer ago than its lease."""
    claimed = connection.execute(
        text(
            """
            INSERT INTO tthc.job_runs AS held (job, scheduled_for, started_at, lease_until)
            VALUES (:job, :slot, :now, :until)
            ON CONFLICT (job, scheduled_for) DO UPDATE SET started_at = excluded.started_at,
                lease_until = excluded.lease_until
            WHERE held.finished_at IS NULL AND held.lease_until < :now
            """
        ),
        {"job": job, "slot": slot, "now": now, "until": now + lease},
    ).rowcount
    return claimed == 1


def finish(connection: Connection, job: str, slot: datetime, now: datetime, error: str | None) -> None:
    """Record how a claimed run ended, and forget runs long past (the last success stays)."""
    connection.execute(
        text(
            "UPDATE tthc.job_runs SET finished_at = :now, outcome = :outcome, detail = :error "
            "WHERE job = :job AND scheduled_for = :slot"
        ),
        {
            "job": job,
            "slot": slot,
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
        {"job": job, "old": now - _KEPT},
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
