"""The metric snapshot: the figures about dossiers at one instant, few enough to be read at every scrape.

Written by each evaluation and every minute, in one transaction; read by the collector and the landing page. Only open
dossiers and what stands of them are looked at, so it costs the same whatever has ended. Tests hold every figure against
the audit views: it is the one that an auditor finds at the same instant.
"""

from __future__ import annotations

from datetime import datetime
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from tthc_monitor.domain.durations import WORKDAY_SECONDS
from tthc_monitor.outputs.metric_table import AGE_BOUNDS, AGES, CAUSES
from tthc_monitor.store.units import dissolved_units

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tthc_monitor.domain.calendars import Calendars

_OLDEST: Final = "tthc_oldest_overdue_due_timestamp_seconds"
_OLDEST_WORKING: Final = "tthc_oldest_overdue_working_seconds"
_PAYMENT: Final = 6
_DELETE: Final = "DELETE FROM tthc.metric_snapshot"
_WAITING: Final = "SELECT EXISTS (SELECT FROM tthc.pending_evaluations)"
# As audit.verdicts_as_of has it; asked only while something waits, since it needs the row itself.
_UNJUDGED: Final = (
    "EXISTS (SELECT FROM audit.unjudged u WHERE d.observation_id "
    "BETWEEN u.first_observation_id AND u.last_observation_id)"
)
_OPEN: Final = f"""
    SELECT d.dossier_id, d.source_id, d.kind = 'dossier' AS is_dossier, coalesce(d.unit_code, '') AS unit_code,
           coalesce(d.procedure_code, '') AS procedure_code, coalesce(d.received_at <= %(now)s, false) AS received,
           d.status = {_PAYMENT} OR (d.obligation_requested_at <= %(now)s
               AND (d.obligation_completed_at <= %(now)s) IS NOT TRUE) AS pays,
           d.consulted_at <= %(now)s AND (d.consulted_answered_at <= %(now)s) IS NOT TRUE AS consults,
           {{unjudged}} AS unjudged
    FROM tthc.dossiers d"""


def _ages() -> str:
    """SQL: columns with the number of overdue dossiers of each age."""
    bounds = [f"coalesce(b.bound_{number}, %(bound_{number})s)" for number in range(len(AGE_BOUNDS))]
    since = "s.late_since"
    younger = [f"{since} > {bound}" for bound in bounds] + ["true"]
    older = ["true"] + [f"{since} <= {bound}" for bound in bounds]
    return ", ".join(
        f"count(*) FILTER (WHERE s.overdue AND s.is_dossier AND {low} AND {high}) AS age_{number}"
        for number, (low, high) in enumerate(zip(older, younger, strict=True))
    )


_SUMMED: Final = (
    *("open", "due_soon", "supplement", "payment", "consultation", "cannot_tell", "newly_overdue", "petitions_overdue"),
    *(f"age_{number}" for number in range(len(AGES))),
)


def _of_unit(metric: str, column: str, label: str | None = None) -> str:
    second = "NULL" if label is None else f"'{label}'"
    return f"('{metric}', {second}, coalesce(u.{column}, 0)::float8)"


_UNIT_FIGURES: Final = ", ".join(
    [
        _of_unit("tthc_dossiers_open", "open"),
        _of_unit("tthc_dossiers_due_soon", "due_soon"),
        *(_of_unit("tthc_dossiers_overdue", f"age_{number}", age) for number, age in enumerate(AGES)),
        _of_unit("tthc_dossiers_newly_overdue", "newly_overdue"),
        _of_unit("tthc_dossiers_cannot_tell", "cannot_tell"),
        _of_unit("tthc_dossiers_supplement_requested", "supplement"),
        *(_of_unit("tthc_dossiers_waiting", cause, cause) for cause in CAUSES),
        _of_unit("tthc_petitions_overdue", "petitions_overdue"),
        f"('{_OLDEST}', NULL, extract(epoch FROM u.oldest)::float8)",
    ]
)
_PAIR_COLUMNS: Final = {
    "tthc_procedure_dossiers_open": "open",
    "tthc_procedure_dossiers_overdue": "overdue",
    "tthc_procedure_dossiers_due_soon": "due_soon",
    "tthc_procedure_dossiers_supplement_requested": "supplement",
}
# There are many pairs, so each metric's arrays are made in one go.
_PAIRS: Final = " UNION ALL ".join(
    f"SELECT '{metric}', array_agg(unit_code), array_agg(procedure_code), NULL, array_agg({column}::float8) "
    f"FROM pair WHERE {column} > 0 HAVING count(*) > 0"
    for metric, column in _PAIR_COLUMNS.items()
)
_STANDING: Final = "f.starts_at <= %(now)s AND f.ends_at > %(now)s"

# A dossier stands in the unit that has it now, for the verdicts and the flags alike.
_INSERT: Final = f"""
INSERT INTO tthc.metric_snapshot (metric, label_1, label_2, label_3, figures)
WITH open AS MATERIALIZED (
    {_OPEN} WHERE d.end_seen_at IS NULL
    UNION ALL
    -- Ended, by a source that tells an end which has not come yet.
    {_OPEN} WHERE coalesce(d.finished_at, d.delivered_at) > d.end_seen_at
        AND coalesce(d.finished_at, d.delivered_at) > %(now)s
), standing AS (
    -- Lateness that is proved beats a doubt, as in audit.verdicts_as_of.
    SELECT f.dossier_id, bool_or(r.late) AS late, bool_or(r.unclear) AS unclear, bool_or(r.due_soon) AS due_soon,
           bool_or(r.supplement) AS supplement, min(f.starts_at) FILTER (WHERE r.late) AS starts_at,
           min(f.due_at) FILTER (WHERE r.late) AS due_at
    FROM tthc.open_findings f JOIN (
        SELECT rule_version_id, verdict IS NOT NULL AND verdict <> 'cannot_tell' AS late,
               verdict IS NOT DISTINCT FROM 'cannot_tell' AS unclear, rule_code = 'due_soon' AS due_soon,
               rule_code = 'supplement_requested' AS supplement
        FROM tthc.rule_versions WHERE verdict IS NOT NULL OR rule_code IN ('due_soon', 'supplement_requested')
    ) r USING (rule_version_id)
    WHERE {_STANDING} GROUP BY 1
), state AS MATERIALIZED (
    SELECT o.unit_code, o.source_id, o.procedure_code, o.is_dossier, o.received, o.pays, o.consults,
           o.received AND NOT o.unjudged AND coalesce(f.late, false) AS overdue,
           o.received AND (o.unjudged OR (f.unclear AND NOT f.late) IS TRUE) AS cannot_tell,
           f.starts_at, coalesce(f.due_at, f.starts_at) AS late_since, f.due_soon, f.supplement
    FROM open o LEFT JOIN standing f USING (dossier_id)
), part AS MATERIALIZED (
    SELECT s.unit_code, s.source_id,
           count(*) FILTER (WHERE is_dossier AND received) AS open,
           count(*) FILTER (WHERE is_dossier AND due_soon) AS due_soon,
           count(*) FILTER (WHERE is_dossier AND supplement) AS supplement,
           count(*) FILTER (WHERE is_dossier AND pays) AS payment,
           count(*) FILTER (WHERE is_dossier AND consults) AS consultation,
           count(*) FILTER (WHERE is_dossier AND cannot_tell) AS cannot_tell,
           count(*) FILTER (WHERE is_dossier AND overdue AND starts_at >= %(midnight)s) AS newly_overdue,
           count(*) FILTER (WHERE NOT is_dossier AND overdue) AS petitions_overdue,
           min(late_since) FILTER (WHERE is_dossier AND overdue) AS oldest,
           {_ages()}
    FROM state s
    LEFT JOIN unnest(%(units)s::text[], %(units_0)s::timestamptz[], %(units_1)s::timestamptz[], %(units_2)s::timestamptz[])
        b (unit_code, bound_0, bound_1, bound_2) ON s.overdue AND b.unit_code = s.unit_code
    GROUP BY 1, 2
), unit AS (
    SELECT unit_code, {", ".join(f"sum({column})::bigint AS {column}" for column in _SUMMED)}, min(oldest) AS oldest
    FROM part GROUP BY 1
), every_unit AS MATERIALIZED (
    SELECT coalesce(k.unit_code, u.unit_code) AS name, u.*
    FROM (SELECT unit_code FROM tthc.units WHERE unit_code <> ALL (%(dissolved)s::text[])) k
    FULL JOIN unit u USING (unit_code)
), pair AS MATERIALIZED (
    SELECT unit_code, procedure_code, count(*) FILTER (WHERE received) AS open, count(*) FILTER (WHERE overdue) AS overdue,
           count(*) FILTER (WHERE due_soon) AS due_soon, count(*) FILTER (WHERE supplement) AS supplement
    FROM state WHERE is_dossier GROUP BY 1, 2
), finding AS (
    -- Of one rule no two findings of a dossier stand at once.
    SELECT o.unit_code, f.rule_version_id, count(*) AS dossiers
    FROM tthc.open_findings f JOIN open o USING (dossier_id) WHERE {_STANDING} GROUP BY 1, 2
), returned AS (
    SELECT coalesce(d.unit_code, '') AS unit_code, count(*) AS dossiers
    FROM tthc.rule_versions r JOIN tthc.flags f USING (rule_version_id) JOIN tthc.dossiers d USING (dossier_id)
    WHERE r.rule_code = 'returned' AND f.believed_to IS NULL AND f.ends_at = 'infinity' AND d.kind = 'dossier' AND f.starts_at >= %(month)s AND f.starts_at <= %(now)s
    GROUP BY 1
), figure (metric, label_1, label_2, label_3, value) AS (
    SELECT m.metric, u.name, m.label, NULL, m.value
    FROM every_unit u CROSS JOIN LATERAL (VALUES {_UNIT_FIGURES}) m (metric, label, value) WHERE m.value IS NOT NULL
    UNION ALL
    SELECT 'tthc_dossiers_returned_this_month', coalesce(u.name, r.unit_code), NULL, NULL, coalesce(r.dossiers, 0)
    FROM every_unit u FULL JOIN returned r ON r.unit_code = u.name
    UNION ALL
    SELECT 'tthc_findings', f.unit_code, r.rule_code, r.severity, sum(f.dossiers)
    FROM finding f JOIN tthc.rule_versions r USING (rule_version_id) GROUP BY 2, 3, 4
    UNION ALL
    SELECT 'tthc_unit_source_info', p.unit_code, s.name, NULL, 1 FROM part p JOIN tthc.sources s USING (source_id)
)
SELECT metric, array_agg(label_1), CASE WHEN min(label_2) IS NOT NULL THEN array_agg(label_2) END,
       CASE WHEN min(label_3) IS NOT NULL THEN array_agg(label_3) END, array_agg(value)
FROM figure GROUP BY 1
UNION ALL
{_PAIRS}
"""
_RECORD: Final = """
INSERT INTO tthc.metric_snapshot_taken AS held (taken_at, duration_seconds, snapshot_id) VALUES (%(now)s, %(duration)s, 1)
ON CONFLICT (only_row) DO UPDATE SET taken_at = excluded.taken_at, duration_seconds = excluded.duration_seconds,
    snapshot_id = held.snapshot_id + 1
"""


def take_snapshot(connection: Connection, now: datetime, calendars: Calendars) -> None:
    """Replace the metric snapshot by the figures at ``now``, inside the caller's transaction.

    Args:
        connection: an open transaction; readers see the old snapshot until it commits.
        now: aware instant that the figures describe; nothing was seen after it.
        calendars: by which it is told for how long a unit's dossiers are overdue.
    """
    started = perf_counter()
    # Two processes may take one at once; the second waits here, readers do not.
    connection.exec_driver_sql("LOCK TABLE tthc.metric_snapshot IN SHARE ROW EXCLUSIVE MODE")
    connection.exec_driver_sql(_DELETE)
    waiting = connection.exec_driver_sql(_WAITING).scalar()
    insert = _INSERT.replace("{unjudged}", _UNJUDGED if waiting else "false")
    values = {**_instants(connection, now, calendars), **_bounds(now, calendars)}
    connection.exec_driver_sql(insert, values)
    _add_oldest(connection, now, calendars)
    connection.exec_driver_sql(_RECORD, {"now": now, "duration": perf_counter() - started})


def _instants(connection: Connection, now: datetime, calendars: Calendars) -> dict[str, Any]:
    today = now.astimezone(ZoneInfo(calendars.zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    dissolved = dissolved_units(connection, today.date())
    return {"now": now, "midnight": today, "month": today.replace(day=1), "dissolved": dissolved}


def _bounds(now: datetime, calendars: Calendars) -> dict[str, Any]:
    """Since when a dossier is overdue that is so many working days overdue now: of most units, and of the others."""
    bounds: dict[str, Any] = {"units": [code for one in calendars.variants for code in one.codes]}
    for number, days in enumerate(AGE_BOUNDS):
        worked = days * WORKDAY_SECONDS
        bounds[f"bound_{number}"] = calendars.default.subtract(now, worked)
        bounds[f"units_{number}"] = [
            instant for one in calendars.variants for instant in [one.calendar.subtract(now, worked)] * len(one.codes)
        ]
    return bounds


def _add_oldest(connection: Connection, now: datetime, calendars: Calendars) -> None:
    """Working time since the oldest due instant of each unit, by its own calendar."""
    query = "SELECT label_1, figures FROM tthc.metric_snapshot WHERE metric = %(metric)s"
    found = connection.exec_driver_sql(query, {"metric": _OLDEST}).one_or_none()
    if found is None:
        return
    units = pd.Series([unit or None for unit in found[0]], dtype=object)
    since = np.array([round(seconds * 1_000_000) for seconds in found[1]], dtype="datetime64[us]")
    worked = np.zeros(len(since))
    for calendar, chosen in calendars.partition(units):
        rows = chosen.to_numpy()
        # A source may claim a promise of the year 1970; no calendar reaches as far.
        reached = np.maximum(since[rows], np.datetime64(calendar.bounds[0].replace(tzinfo=None), "us"))
        worked[rows] = calendar.elapsed(reached, now)
    connection.exec_driver_sql(
        "INSERT INTO tthc.metric_snapshot (metric, label_1, figures) VALUES (%(metric)s, %(units)s, %(worked)s)",
        {"metric": _OLDEST_WORKING, "units": list(found[0]), "worked": worked.tolist()},
    )
