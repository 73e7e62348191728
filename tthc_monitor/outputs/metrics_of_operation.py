"""Metrics about the monitor's own work: pulls, jobs, evaluations. Read at every scrape, whatever the tables have grown to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Final

from prometheus_client.core import Metric

from tthc_monitor.outputs.letters import KINDS
from tthc_monitor.outputs.metric_table import OUTCOMES
from tthc_monitor.outputs.metrics_of_snapshot import family, rows
from tthc_monitor.store import deliveries

if TYPE_CHECKING:
    from sqlalchemy import Connection

_COUNTERS: Final = (
    "tthc_source_runs_total",
    "tthc_source_rows_rejected_total",
    "tthc_source_verdict_mismatches_total",
    "tthc_job_runs_total",
    deliveries.METRIC,
)
_LAST_ROWS: Final = "tthc_source_last_rows_timestamp_seconds"
_RUNS: Final = """
SELECT s.name, good.finished_at, last.finished_at, extract(epoch FROM last.finished_at - last.started_at)::float8,
       last.rows_read, last.rows_rejected, whole.rows
FROM tthc.sources s
LEFT JOIN LATERAL (
    SELECT r.finished_at FROM tthc.pull_runs r WHERE r.source_id = s.source_id AND r.outcome = 'ok'
    ORDER BY r.run_id DESC LIMIT 1
) good ON true
LEFT JOIN LATERAL (
    SELECT r.started_at, r.finished_at, r.rows_read, r.rows_rejected FROM tthc.pull_runs r
    WHERE r.source_id = s.source_id AND r.outcome <> 'running' ORDER BY r.run_id DESC LIMIT 1
) last ON true
LEFT JOIN LATERAL (
    SELECT r.rows_read - r.rows_repeated AS rows FROM tthc.pull_runs r
    WHERE r.source_id = s.source_id AND r.outcome = 'ok' AND r.was_full ORDER BY r.run_id DESC LIMIT 1
) whole ON true
ORDER BY s.name
"""
_RUN_COLUMNS: Final = (
    "last_success_timestamp_seconds",
    "last_run_timestamp_seconds",
    "last_run_duration_seconds",
    "last_run_rows",
    "last_run_rejected",
    "last_full_run_rows",
)
# From one name to the next, not through every run of a month. What a clock that was ahead has dated in the future says
# nothing of what was done by now.
_JOBS: Final = """
WITH RECURSIVE names AS (
    (SELECT job FROM tthc.job_runs ORDER BY job LIMIT 1)
    UNION ALL
    SELECT (SELECT r.job FROM tthc.job_runs r WHERE r.job > n.job ORDER BY r.job LIMIT 1) FROM names n WHERE n.job IS NOT NULL
)
SELECT n.job, (SELECT max(r.finished_at) FROM tthc.job_runs r
               WHERE r.job = n.job AND r.outcome = 'ok' AND r.finished_at <= %(now)s),
       last.finished_at, extract(epoch FROM last.finished_at - last.started_at)::float8,
       (SELECT max(r.scheduled_for) FROM tthc.job_runs r
        WHERE r.job = n.job AND r.outcome = 'ok' AND r.scheduled_for <= %(now)s)
FROM names n LEFT JOIN LATERAL (
    SELECT r.started_at, r.finished_at FROM tthc.job_runs r
    WHERE r.job = n.job AND r.finished_at IS NOT NULL AND r.scheduled_for <= %(now)s
    ORDER BY r.scheduled_for DESC LIMIT 1
) last ON true
WHERE n.job IS NOT NULL ORDER BY n.job
"""
_JOB_COLUMNS: Final = ("last_success_timestamp_seconds", "last_run_timestamp_seconds", "last_run_duration_seconds")
_EVALUATION: Final = """
SELECT (SELECT count(*) FROM tthc.pending_evaluations),
       (SELECT min(b.seen_at) FROM tthc.pending_evaluations JOIN tthc.observation_batches b USING (batch_id)),
       (SELECT e.finished_at FROM tthc.evaluations e WHERE e.finished_at IS NOT NULL ORDER BY e.evaluation_id DESC LIMIT 1)
"""
_TOTALS: Final = "SELECT metric, labels, value FROM tthc.metric_totals WHERE metric = ANY (%(names)s)"


_SERVED: Final = """
SELECT recipient FROM tthc.deliveries
WHERE local_date = %(day)s AND kind = 'digest' AND (sent_at IS NOT NULL OR outcome IN ('unsubscribed', 'nothing'))
"""


@dataclass(frozen=True)
class Morning:
    """The newest morning on which digests were to go out, and to whom, by address in lower case."""

    day: date
    recipients: frozenset[str]


def _no_morning(_now: datetime) -> Morning | None:
    return None


@dataclass(frozen=True)
class Expectations:
    """By when a success is expected of each job and source of the settings, given their last successes and the present.

    Attributes:
        morning: whose digests are to be out by an instant; None when nobody gets any.
        channels: ways by which mails go.
        jobs: by name, given the newest slot of each that was done well; a job that is not told has no expectation.
        sources: by name, likewise.
    """

    jobs: Callable[[Mapping[str, datetime], datetime], Mapping[str, datetime]]
    sources: Callable[[Mapping[str, datetime | None], datetime], Mapping[str, datetime]]
    morning: Callable[[datetime], Morning | None] = _no_morning
    channels: Sequence[str] = ()


NOTHING_EXPECTED: Final = Expectations(lambda _last, _now: {}, lambda _last, _now: {})


def operation_families(connection: Connection, expectations: Expectations, now: datetime) -> Iterator[Metric]:
    """All families about the monitor's own work."""
    runs, jobs = rows(connection, _RUNS), rows(connection, _JOBS, {"now": now})
    yield from _columns("tthc_source_", _RUN_COLUMNS, runs)
    sources_by = expectations.sources({row[0]: row[1] for row in runs}, now)
    yield family(
        "tthc_source_expected_by_timestamp_seconds",
        [((name,), by.timestamp()) for name, by in sorted(sources_by.items())],
    )
    yield from _columns("tthc_job_", _JOB_COLUMNS, jobs)
    jobs_by = expectations.jobs({row[0]: row[4] for row in jobs if row[4] is not None}, now)
    yield family(
        "tthc_job_expected_by_timestamp_seconds", [((name,), by.timestamp()) for name, by in sorted(jobs_by.items())]
    )
    names = {row[0] for row in runs} | {*sources_by}, {row[0] for row in jobs} | {*jobs_by}
    yield from _counters(connection, *names, expectations.channels)
    yield from _digests(connection, expectations.morning(now))
    brought = rows(connection, _TOTALS, {"names": [_LAST_ROWS]})
    yield family(_LAST_ROWS, sorted((tuple(labels), value) for _, labels, value in brought))
    [(pending, oldest, last)] = rows(connection, _EVALUATION)
    yield family("tthc_evaluations_pending", [((), pending)])
    if oldest is not None:
        yield family("tthc_evaluation_oldest_pending_timestamp_seconds", [((), oldest.timestamp())])
    if last is not None:
        yield family("tthc_evaluation_last_timestamp_seconds", [((), last.timestamp())])


def _columns(prefix: str, columns: Sequence[str], told: Sequence[tuple[Any, ...]]) -> Iterator[Metric]:
    for place, column in enumerate(columns, start=1):
        yield family(f"{prefix}{column}", [((row[0],), _number(row[place])) for row in told if row[place] is not None])


def _number(value: Any) -> float:
    return value.timestamp() if isinstance(value, datetime) else float(value)


def _digests(connection: Connection, morning: Morning | None) -> Iterator[Metric]:
    if morning is not None:
        served = morning.recipients & {row[0] for row in rows(connection, _SERVED, {"day": morning.day})}
        yield family("tthc_digest_served", [((), len(served))])
        yield family("tthc_digest_missing", [((), len(morning.recipients - served))])


def _counters(connection: Connection, sources: set[str], jobs: set[str], channels: Sequence[str]) -> Iterator[Metric]:
    """What was counted; with 0 for what could have been and was not yet, so that the first one shows as an increase."""
    counted: dict[str, dict[tuple[str, ...], float]] = {
        "tthc_source_runs_total": {(name, outcome): 0.0 for name in sources for outcome in OUTCOMES},
        "tthc_source_rows_rejected_total": {(name,): 0.0 for name in sources},
        "tthc_source_verdict_mismatches_total": {(name,): 0.0 for name in sources},
        "tthc_job_runs_total": {(name, outcome): 0.0 for name in jobs for outcome in OUTCOMES},
        deliveries.METRIC: {
            (kind, channel, result): 0.0 for kind in KINDS for channel in channels for result in deliveries.RESULTS
        },
    }
    for metric, labels, value in rows(connection, _TOTALS, {"names": list(_COUNTERS)}):
        counted[metric][tuple(labels)] = value
    for metric, held in counted.items():
        yield family(metric, sorted(held.items()))
