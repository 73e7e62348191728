"""Every exported metric: name, type, labels, meaning, and a query to begin with.

``docs/metrics.md`` is written from this table; tests hold the page, the collector, dashboards and alert rules against it.
Names and labels are public: a rename is a breaking change.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tthc_monitor.outputs.metric_spec import MetricSpec, counter, gauge, histogram

UNKNOWN: Final = "unknown"
"""Label value of a dossier that names no unit, procedure or sector; an empty label would be no label to Prometheus."""

AGES: Final = ("0-2", "3-9", "10-29", "30+")
"""Values of the label ``age``: whole working days of 8 hours by which a dossier is overdue."""

AGE_BOUNDS: Final = (3, 10, 30)
"""Working days of 8 hours at which the second and each further of :data:`AGES` begins."""

CAUSES: Final = ("payment", "consultation")
OUTCOMES: Final = ("ok", "failed")


_UNIT = ("unit",)
_PAIR = ("unit", "procedure")
_ZEROS = " Zero for a known unit that has none."
_PAIRS = " Only pairs above 0, and under serve.max_series."
_NEVER_FALLS = " Never falls: later corrections show in the audit views, and in tthc_verdict_changes_total."


def _of_units() -> tuple[MetricSpec, ...]:
    return (
        gauge(
            "tthc_dossiers_open",
            "Dossiers received and not ended, at the last snapshot." + _ZEROS,
            _UNIT,
            "sum(max by (unit) (tthc_dossiers_open))",
        ),
        gauge("tthc_dossiers_due_soon", "Open dossiers that the rule due_soon warns of." + _ZEROS, _UNIT),
        gauge(
            "tthc_dossiers_overdue",
            "Open dossiers past their due instant, by whole working days (8 working hours of the unit's calendar) since. "
            "The ages do not overlap: their sum is all that are overdue." + _ZEROS,
            ("unit", "age"),
            "sum by (unit) (max by (unit, age) (tthc_dossiers_overdue))",
        ),
        gauge(
            "tthc_dossiers_newly_overdue",
            "Open dossiers that became overdue since midnight, local time, and still are." + _ZEROS,
            _UNIT,
        ),
        gauge(
            "tthc_dossiers_cannot_tell",
            "Open dossiers of which nobody can tell whether they are late, mostly for want of a due date, or because they "
            "changed and were not judged yet." + _ZEROS,
            _UNIT,
        ),
        gauge(
            "tthc_dossiers_supplement_requested",
            "Open dossiers that wait for the applicant to complete them." + _ZEROS,
            _UNIT,
        ),
        gauge(
            "tthc_dossiers_waiting",
            "Open dossiers that wait for a payment of the applicant (payment) or for an answer of another agency "
            "(consultation)." + _ZEROS,
            ("unit", "cause"),
        ),
        gauge(
            "tthc_dossiers_returned_this_month",
            "Dossiers refused or stopped (rule returned) since the first of the month, local time." + _ZEROS,
            _UNIT,
        ),
        gauge(
            "tthc_findings",
            "Open dossiers and petitions of which the rule's finding stands now, received or not. Only those above 0.",
            ("unit", "rule", "severity"),
            'sum by (rule) (max by (unit, rule, severity) (tthc_findings{severity!="info"}))',
        ),
        gauge(
            "tthc_oldest_overdue_due_timestamp_seconds",
            "Due instant of the open dossier that has been overdue longest; absent while the unit has none.",
            _UNIT,
        ),
        gauge(
            "tthc_oldest_overdue_working_seconds",
            "Working time since that instant, by the unit's own calendar; absent while the unit has none.",
            _UNIT,
            "max by (unit) (tthc_oldest_overdue_working_seconds) > scalar(max(tthc_overdue_limit_working_seconds))",
        ),
        gauge("tthc_petitions_overdue", "Open petitions past their due instant." + _ZEROS, _UNIT),
        gauge("tthc_unit_working", "1 during the unit's own working hours, else 0, at the scrape.", _UNIT),
        counter(
            "tthc_dossiers_finished_total",
            "Dossiers received that were seen to end. One that is opened again counts again when it ends."
            + _NEVER_FALLS,
            _UNIT,
        ),
        counter(
            "tthc_dossiers_finished_late_total", "Of these, those that ended after their due instant.", _UNIT, "30d"
        ),
        counter(
            "tthc_dossiers_finished_cannot_tell_total",
            "Of these, those of which nobody could tell whether they were late.",
            _UNIT,
        ),
        counter("tthc_dossiers_returned_total", "Dossiers seen to be refused or stopped (rule returned).", _UNIT),
        counter(
            "tthc_verdict_changes_total",
            "Ended dossiers whose verdict (late, on time, cannot tell) a later judgement changed: facts were corrected, or "
            "rules, calendar or limits.",
            _UNIT,
        ),
    )


def _of_procedures() -> tuple[MetricSpec, ...]:
    return (
        gauge("tthc_procedure_dossiers_open", "Open dossiers of the procedure in the unit." + _PAIRS, _PAIR),
        gauge("tthc_procedure_dossiers_overdue", "Of these, those past their due instant." + _PAIRS, _PAIR),
        gauge("tthc_procedure_dossiers_due_soon", "Of these, those that the rule due_soon warns of." + _PAIRS, _PAIR),
        gauge(
            "tthc_procedure_dossiers_supplement_requested",
            "Of these, those that wait for the applicant to complete them." + _PAIRS,
            _PAIR,
        ),
        counter("tthc_procedure_dossiers_finished_total", "Dossiers received that were seen to end." + _PAIRS, _PAIR),
        counter("tthc_procedure_dossiers_finished_late_total", "Of these, those that ended late." + _PAIRS, _PAIR),
        counter("tthc_procedure_dossiers_returned_total", "Dossiers seen to be refused or stopped." + _PAIRS, _PAIR),
    )


def _of_sectors() -> tuple[MetricSpec, ...]:
    return (
        histogram(
            "tthc_dossier_processing_working_seconds",
            "Working time of the unit's calendar from the reception of a dossier to its end, less the waits for the "
            "applicant; of dossiers that were seen to end. Buckets at 1, 3, 5, 7, 10, 15, 20, 30 and 60 days of 8 hours.",
            ("sector",),
        ),
        histogram(
            "tthc_dossier_used_ratio",
            "That time divided by the working time that was promised; above 1 is late.",
            ("sector",),
        ),
    )


def _names() -> tuple[MetricSpec, ...]:
    return (
        gauge(
            "tthc_unit_info",
            "Name of a unit and code of the one above it (empty: none known); always 1.",
            ("unit", "name", "parent"),
            "sum by (unit) (max by (unit, age) (tthc_dossiers_overdue))"
            " * on (unit) group_left (name) max by (unit, name) (tthc_unit_info)",
        ),
        gauge(
            "tthc_procedure_info",
            "Name and sector of a procedure that has a series; always 1.",
            ("procedure", "name", "sector"),
        ),
        gauge("tthc_unit_source_info", "Sources that tell of open dossiers of the unit; always 1.", ("unit", "source")),
    )


def _of_sources() -> tuple[MetricSpec, ...]:
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


def _of_jobs() -> tuple[MetricSpec, ...]:
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


def _of_the_monitor() -> tuple[MetricSpec, ...]:
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


SECTIONS: Final[Mapping[str, tuple[MetricSpec, ...]]] = {
    "Units": _of_units(),
    "Units and procedures": _of_procedures(),
    "Sectors": _of_sectors(),
    "Names": _names(),
    "Sources": _of_sources(),
    "Jobs": _of_jobs(),
    "The monitor itself": _of_the_monitor(),
}

METRICS: Final[tuple[MetricSpec, ...]] = tuple(spec for specs in SECTIONS.values() for spec in specs)
"""Every exported metric."""

SPECS: Final[Mapping[str, MetricSpec]] = {spec.name: spec for spec in METRICS}
