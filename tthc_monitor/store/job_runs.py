"""Claims on runs of jobs: any number of processes may try a slot, the primary key lets one through.

Leases are by one clock, the database server's, so that processes whose clocks differ neither steal a run nor wait too long
for one that died. Slots, beginnings and ends are by the clock of the process. A job never runs beside itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from tthc_monitor.store.database import storable

KEPT = timedelta(days=30)
"""How long a run is remembered when nobody says otherwise."""

_LOCK = 7_411_005

LeaseClock = Callable[[], datetime]
"""What leases are measured by instead of the server's clock; for tests."""

_NOW = "coalesce(CAST(:lease_now AS timestamptz), clock_timestamp())"
_OURS = "job = :job AND scheduled_for = :slot AND attempt = :attempt AND finished_at IS NULL"


@dataclass(frozen=True)
class Claim:
    """A slot that is ours, until another attempt takes it over.

    ``attempt``
        which one this is: 1, or more where an earlier one failed for a while, was stopped or died.
    """

    job: str
    slot: datetime
    attempt: int
    lease: timedelta
    clock: LeaseClock | None = None


def _key(held: Claim) -> dict[str, object]:
    now = None if held.clock is None else held.clock()
    return {"job": held.job, "slot": held.slot, "attempt": held.attempt, "lease_now": now}


def claim(
    connection: Connection,
    job: str,
    slot: datetime,
    started: datetime,
    lease: timedelta,
    *,
    by: str,
    by_hand: bool = False,
    clock: LeaseClock | None = None,
) -> Claim | None:
    """Take a slot that is new, given back and due again, or left by an attempt that died longer ago than its lease.

    Args:
        by: the process, for people.
        by_hand: a person asked for it.

    Returns:
        None when it is done or another's, or when another slot of the job is being worked on.
    """
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock, hashtext(:job))"), {"lock": _LOCK, "job": job})
    attempt = connection.scalar(
        text(
            f"""
            WITH at AS (SELECT {_NOW} AS now)
            INSERT INTO tthc.job_runs AS held (job, scheduled_for, started_at, lease_until, claimed_by, by_hand)
            SELECT :job, :slot, :started, at.now + :lease, :by, :by_hand FROM at
            WHERE NOT EXISTS (SELECT FROM tthc.job_runs o WHERE o.job = :job AND o.scheduled_for <> :slot
                              AND o.finished_at IS NULL AND o.outcome IS NULL AND o.lease_until >= at.now)
            ON CONFLICT (job, scheduled_for) DO UPDATE SET started_at = excluded.started_at,
                lease_until = excluded.lease_until, claimed_by = excluded.claimed_by, attempt = held.attempt + 1,
                outcome = NULL, detail = NULL
            WHERE held.finished_at IS NULL AND held.lease_until < (SELECT now FROM at)
            RETURNING attempt
            """
        ),
        {
            "job": job,
            "slot": slot,
            "started": started,
            "lease": lease,
            "by": by,
            "by_hand": by_hand,
            "lease_now": None if clock is None else clock(),
        },
    )
    return None if attempt is None else Claim(job, slot, attempt, lease, clock)


def renew(connection: Connection, held: Claim) -> bool:
    """Hold a slot for another lease from now on; False when it is no longer ours."""
    return (
        connection.execute(
            text(f"UPDATE tthc.job_runs SET lease_until = {_NOW} + :lease WHERE {_OURS}"),
            {**_key(held), "lease": held.lease},
        ).rowcount
        == 1
    )


def finish(connection: Connection, held: Claim, now: datetime, error: str | None, *, kept: timedelta = KEPT) -> bool:
    """Record how a run ended, and forget runs ``kept`` long enough (the last success stays).

    Returns:
        False when the slot is another's by now: then nothing is recorded.
    """
    ours = connection.execute(
        text(f"UPDATE tthc.job_runs SET finished_at = :now, outcome = :outcome, detail = :error WHERE {_OURS}"),
        {**_key(held), "now": now, "outcome": "ok" if error is None else "failed", "error": storable(error)},
    ).rowcount
    connection.execute(
        text(
            "DELETE FROM tthc.job_runs WHERE job = :job AND scheduled_for < :old AND scheduled_for < "
            "(SELECT max(scheduled_for) FROM tthc.job_runs WHERE job = :job AND outcome = 'ok')"
        ),
        {"job": held.job, "old": now - kept},
    )
    return ours == 1


def give_back(connection: Connection, held: Claim, why: str, after: timedelta, *, failed: bool) -> bool:
    """Let a slot be taken again after a while: its run failed by something that passes, or was stopped.

    The slot is not over, so it has no end.

    Returns:
        False when it is another's by now, and stays as it is.
    """
    return (
        connection.execute(
            text(
                "UPDATE tthc.job_runs SET outcome = :outcome, detail = :why, "
                f"lease_until = {_NOW} + :after WHERE {_OURS}"
            ),
            {**_key(held), "outcome": "failed" if failed else None, "why": storable(why), "after": after},
        ).rowcount
        == 1
    )


def close_dead(connection: Connection, held: Claim, now: datetime) -> int:
    """Record as failed what processes left that died in earlier slots of the job; returns how many."""
    return connection.execute(
        text(
            "UPDATE tthc.job_runs SET finished_at = :now, outcome = 'failed', "
            "detail = 'the process ended before the run did' "
            "WHERE job = :job AND scheduled_for <> :slot AND finished_at IS NULL AND outcome IS NULL AND detail IS NULL "
            f"AND lease_until < {_NOW}"
        ),
        {**_key(held), "now": now},
    ).rowcount


def is_taken(connection: Connection, job: str, slot: datetime, clock: LeaseClock | None = None) -> bool:
    """Whether a slot is done or being worked on, or another one of the job is; without trying to take it."""
    return bool(
        connection.scalar(
            text(
                "SELECT EXISTS (SELECT FROM tthc.job_runs WHERE job = :job AND ("
                "scheduled_for = :slot AND finished_at IS NOT NULL "
                f"OR finished_at IS NULL AND (scheduled_for = :slot OR outcome IS NULL) AND lease_until >= {_NOW}))"
            ),
            {"job": job, "slot": slot, "lease_now": None if clock is None else clock()},
        )
    )


@dataclass(frozen=True)
class Run:
    """A slot as it stands; ``attempt`` is the number of the last attempt, the others are of that one.

    ``is_held``: a process is at work on it.
    """

    job: str
    slot: datetime
    started: datetime
    finished: datetime | None
    outcome: str | None
    detail: str | None
    by: str | None
    attempt: int
    by_hand: bool
    is_held: bool


_RUN = (
    "SELECT job, scheduled_for, started_at, finished_at, outcome, detail, claimed_by, attempt, by_hand, "
    "finished_at IS NULL AND outcome IS NULL AND lease_until >= clock_timestamp() FROM tthc.job_runs "
)


def held_now(connection: Connection) -> dict[str, Run]:
    """What is being run now, by job."""
    rows = connection.execute(
        text(_RUN + "WHERE finished_at IS NULL AND outcome IS NULL AND lease_until >= clock_timestamp()")
    )
    return {run.job: run for run in (Run(*row) for row in rows)}


def last_good(connection: Connection, jobs: Collection[str]) -> dict[str, Run]:
    """The newest slot of each of some jobs that was done well; jobs without one are left out."""
    rows = connection.execute(
        text(
            "SELECT r.* FROM unnest(CAST(:jobs AS text[])) AS j (job), LATERAL ("
            + _RUN
            + "r WHERE r.job = j.job AND r.outcome = 'ok' ORDER BY r.scheduled_for DESC LIMIT 1) r"
        ),
        {"jobs": list(jobs)},
    )
    return {run.job: run for run in (Run(*row) for row in rows)}


def history(connection: Connection, job: str | None, limit: int) -> Sequence[Run]:
    """The newest runs, of one job or of all, the newest first."""
    rows = connection.execute(
        text(
            _RUN
            + "WHERE job = coalesce(CAST(:job AS text), job) ORDER BY started_at DESC, scheduled_for DESC LIMIT :most"
        ),
        {"job": job, "most": limit},
    )
    return [Run(*row) for row in rows]
