"""Exported metrics about dossiers: of units, procedures and sectors, and the names of these."""

from __future__ import annotations

from tthc_monitor.outputs.metric_spec import MetricSpec, counter, gauge, histogram

_UNIT = ("unit",)
_PAIR = ("unit", "procedure")
_ZEROS = " Zero for a known unit that has none."
_PAIRS = " Only pairs above 0, and under serve.max_series."
_NEVER_FALLS = " Never falls: later corrections show in the audit views, and in tthc_verdict_changes_total."


def of_units() -> tuple[MetricSpec, ...]:
    """Of each unit."""
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


def of_procedures() -> tuple[MetricSpec, ...]:
    """Of each unit and procedure."""
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


def of_sectors() -> tuple[MetricSpec, ...]:
    """Of each sector."""
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


def names() -> tuple[MetricSpec, ...]:
    """Names of what labels name by code."""
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
