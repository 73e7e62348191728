"""Exported metrics about the monitor's own work: sources, jobs, mails, itself."""

from __future__ import annotations

from tthc_monitor.outputs.metric_spec import MetricSpec, counter, gauge


def of_sources() -> tuple[MetricSpec, ...]:
    """Of each source."""
    label = ("source",)
    return (
        gauge(
            "tthc_source_last_success_timestamp_seconds",
            "End of the source's last pull that went well.",
            label,
            "time() - max by (source) (tthc_source_last_success_timestamp_seconds)",
        ),
        gauge("tthc_source_last_run_timestamp_seconds", "End of the source's last pull, whatever came of it.", label),
        gauge("tthc_source_last_run_duration_seconds", "How long that pull took.", label),
        gauge(
            "tthc_source_last_rows_timestamp_seconds",
            "End of the source's last good pull that brought rows; absent when none has, since this is kept.",
            label,
            "time() - max by (source) (tthc_source_last_rows_timestamp_seconds)",
        ),
        gauge("tthc_source_last_run_rows", "Rows that the source's last pull read.", label),
        gauge("tthc_source_last_run_rejected", "Rows of the last pull that could not be read.", label),
        gauge(
            "tthc_source_last_full_run_rows",
            "Rows, each counted once, of the source's last good pull that gave everything it has.",
            label,
        ),
        gauge(
            "tthc_source_expected_by_timestamp_seconds",
            "When no pull has gone well by then, the source is silent; knows how often it is asked and its quiet hours.",
            label,
            "time() > max by (source) (tthc_source_expected_by_timestamp_seconds)",
        ),
        counter("tthc_source_runs_total", "Pulls of the source that ended.", ("source", "outcome")),
        counter("tthc_source_rows_rejected_total", "Rows that could not be read.", label),
        counter(
            "tthc_source_verdict_mismatches_total",
            "Dossiers seen to end that the source calls on time and we late, or the other way round.",
            label,
        ),
    )


def of_jobs() -> tuple[MetricSpec, ...]:
    """Of each job."""
    label = ("job_name",)
    return (
        gauge(
            "tthc_job_last_success_timestamp_seconds",
            "End of the job's last run that went well.",
            label,
            "time() - max by (job_name) (tthc_job_last_success_timestamp_seconds)",
        ),
        gauge("tthc_job_last_run_timestamp_seconds", "End of the job's last run, whatever came of it.", label),
        gauge("tthc_job_last_run_duration_seconds", "How long that run took.", label),
        gauge(
            "tthc_job_expected_by_timestamp_seconds",
            "When no run of the job has gone well by then, one is missing.",
            label,
            "time() > max by (job_name) (tthc_job_expected_by_timestamp_seconds)",
        ),
        counter("tthc_job_runs_total", "Runs of the job that ended.", ("job_name", "outcome")),
    )


def of_mails() -> tuple[MetricSpec, ...]:
    """Of mails that go out."""
    return (
        counter(
            "tthc_deliveries_total",
            "Mails by what came of an attempt: sent; failed, and is tried again; refused for good; in_doubt, nobody knows; "
            "not sent, as the recipient wants none (unsubscribed) or nothing needed action (nothing).",
            ("kind", "channel", "outcome"),
        ),
        gauge(
            "tthc_digest_missing",
            "Recipients who were to have the digest of the newest working morning by now, and have not; absent when nobody "
            "gets digests.",
        ),
        gauge(
            "tthc_digest_served",
            "Recipients of that digest of whom all is well: they have it, want none, or there was nothing to tell them.",
        ),
    )


def of_the_monitor() -> tuple[MetricSpec, ...]:
    """Of the monitor as a whole."""
    return (
        gauge("tthc_evaluations_pending", "Batches of changed dossiers that have not been judged yet."),
        gauge(
            "tthc_evaluation_oldest_pending_timestamp_seconds",
            "When the oldest of these batches was seen; absent when there is none.",
            query="time() - max(tthc_evaluation_oldest_pending_timestamp_seconds)",
        ),
        gauge("tthc_evaluation_last_timestamp_seconds", "End of the last evaluation that had anything to judge."),
        gauge(
            "tthc_snapshot_timestamp_seconds",
            "Instant that the figures about dossiers describe.",
            query="time() - max(tthc_snapshot_timestamp_seconds)",
        ),
        gauge("tthc_snapshot_duration_seconds", "How long the last snapshot took."),
        gauge(
            "tthc_series_dropped", "Series of units and procedures left out by serve.max_series, the smallest first."
        ),
        gauge(
            "tthc_calendar_decreed_until_timestamp_seconds",
            "End of the last day for which the configured calendar has the decided days off.",
            query="max(tthc_calendar_decreed_until_timestamp_seconds) - time()",
        ),
        gauge(
            "tthc_ledger_intact",
            "1 when the last check of the ledger found it intact, else 0; absent before the first check.",
        ),
        gauge(
            "tthc_ledger_checked_timestamp_seconds",
            "When that check began.",
            query="time() - max(tthc_ledger_checked_timestamp_seconds)",
        ),
        gauge(
            "tthc_on_time_objective_ratio",
            "Share of finished dossiers that are to end on time: setting monitoring.on_time_objective.",
        ),
        gauge(
            "tthc_overdue_limit_working_seconds",
            "Working time overdue from which a dossier is overdue for long: setting monitoring.overdue_limit_days, of 8 hours.",
        ),
        gauge(
            "tthc_database_up",
            "1 when the database answered this scrape, else 0; then no figures of it are told.",
            query="min by (instance) (tthc_database_up)",
        ),
        gauge("tthc_collect_duration_seconds", "How long this scrape's reading of the database took."),
        gauge("tthc_monitor_build_info", "Version of the running program; always 1.", ("version",)),
        gauge(
            "tthc_monitor_address_info", "Address under which people reach it (serve.public_url); always 1.", ("url",)
        ),
    )
