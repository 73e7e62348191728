"""The metric snapshot: the figures about dossiers at one instant, few enough to be read at every scrape.

Written by each evaluation, in one transaction; read by the collector and the landing page. Every figure comes from the
audit views, so it is the one that an auditor finds at the same instant.
"""

from __future__ import annotations

from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING

from tthc_monitor.outputs.metrics import METRICS

if TYPE_CHECKING:
    from sqlalchemy import Connection

_COUNTERS = [spec.name for spec in METRICS if spec.type == "counter"]

# A dossier stands in the unit that has it now, for the verdicts and the flags alike.
_INSERT = """
INSERT INTO tthc.metric_snapshot (metric, unit_code, procedure_code, value)
WITH verdict AS (
    SELECT v.kind, coalesce(v.unit_code, '') AS unit_code, coalesce(v.procedure_code, '') AS procedure_code,
           v.verdict, v.due_current, coalesce(v.ended_at <= %(now)s, false) AS ended
    FROM audit.verdicts_as_of(%(now)s) v WHERE v.verdict <> 'not_received'
), pair AS MATERIALIZED (
    SELECT unit_code, procedure_code,
           count(*) FILTER (WHERE kind = 'dossier' AND NOT ended) AS open,
           count(*) FILTER (WHERE kind = 'dossier' AND verdict = 'open_overdue') AS overdue,
           min(due_current) FILTER (WHERE kind = 'dossier' AND verdict = 'open_overdue') AS oldest_due,
           count(*) FILTER (WHERE kind = 'dossier' AND verdict = 'cannot_tell' AND NOT ended) AS cannot_tell,
           count(*) FILTER (WHERE kind = 'dossier' AND ended) AS finished,
           count(*) FILTER (WHERE kind = 'dossier' AND verdict = 'late') AS finished_late,
           count(*) FILTER (WHERE kind = 'petition' AND verdict = 'open_overdue') AS petitions_overdue
    FROM verdict GROUP BY 1, 2
), flagged AS (
    SELECT coalesce(d.unit_code, '') AS unit_code, coalesce(d.procedure_code, '') AS procedure_code,
           count(DISTINCT d.dossier_id) FILTER (WHERE f.rule_code = 'due_soon' AND f.ends_at > %(now)s) AS due_soon,
           count(DISTINCT d.dossier_id)
               FILTER (WHERE f.rule_code = 'supplement_requested' AND f.ends_at > %(now)s) AS supplement,
           count(DISTINCT d.dossier_id) FILTER (WHERE f.rule_code = 'returned') AS returned
    FROM audit.flags_in_force f JOIN audit.dossiers d USING (dossier_id)
    WHERE d.kind = 'dossier' AND f.starts_at <= %(now)s
      AND f.rule_code IN ('due_soon', 'returned', 'supplement_requested')
    GROUP BY 1, 2
), unit AS (
    SELECT k.unit_code, coalesce(sum(p.open), 0) AS open, coalesce(sum(p.cannot_tell), 0) AS cannot_tell,
           coalesce(sum(p.finished), 0) AS finished, coalesce(sum(p.finished_late), 0) AS finished_late,
           coalesce(sum(p.petitions_overdue), 0) AS petitions_overdue, min(p.oldest_due) AS oldest_due
    FROM (SELECT unit_code FROM audit.units UNION SELECT unit_code FROM pair) k LEFT JOIN pair p USING (unit_code)
    GROUP BY 1
)
SELECT m.metric, u.unit_code, '', m.value FROM unit u CROSS JOIN LATERAL (VALUES
    ('tthc_dossiers_open', u.open), ('tthc_dossiers_cannot_tell', u.cannot_tell),
    ('tthc_petitions_overdue', u.petitions_overdue),
    ('tthc_dossiers_finished_total', u.finished), ('tthc_dossiers_finished_late_total', u.finished_late),
    ('tthc_oldest_overdue_due_timestamp_seconds', extract(epoch FROM u.oldest_due))
) m (metric, value) WHERE m.value IS NOT NULL
UNION ALL
SELECT 'tthc_dossiers_overdue', unit_code, procedure_code, overdue FROM pair WHERE overdue > 0
UNION ALL
SELECT m.metric, f.unit_code, f.procedure_code, m.value FROM flagged f CROSS JOIN LATERAL (VALUES
    ('tthc_dossiers_due_soon', f.due_soon), ('tthc_dossiers_supplement_requested', f.supplement),
    ('tthc_dossiers_returned_total', f.returned)
) m (metric, value) WHERE m.value > 0
ON CONFLICT (metric, unit_code, procedure_code)
    DO UPDATE SET value = greatest(metric_snapshot.value, excluded.value)
"""
_RECORD = """
INSERT INTO tthc.metric_snapshot_taken (taken_at, duration_seconds) VALUES (%(now)s, %(duration)s)
ON CONFLICT (only_row) DO UPDATE SET taken_at = excluded.taken_at, duration_seconds = excluded.duration_seconds
"""


def take_snapshot(connection: Connection, now: datetime) -> int:
    """Replace the metric snapshot by the figures at ``now``, inside the caller's transaction.

    Gauges are replaced. Counters keep the highest value they had: one that fell would look like a restart to
    Prometheus and count everything again.

    Args:
        connection: an open transaction; readers see the old snapshot until it commits.
        now: aware instant that the figures describe.

    Returns:
        How many rows (series) were written.
    """
    started = perf_counter()
    # Two processes may evaluate at once; one waits here, readers do not.
    connection.exec_driver_sql("LOCK TABLE tthc.metric_snapshot IN SHARE ROW EXCLUSIVE MODE")
    connection.exec_driver_sql("DELETE FROM tthc.metric_snapshot WHERE metric <> ALL(%(kept)s)", {"kept": _COUNTERS})
    written = connection.exec_driver_sql(_INSERT, {"now": now}).rowcount
    connection.exec_driver_sql(_RECORD, {"now": now, "duration": perf_counter() - started})
    return written
