"""The lists behind the figures of a report: dossiers delayed, dossiers sent back; always as known now."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.outputs.frames import days_late, read_frame
from tthc_monitor.outputs.report_units import Scope, shown_under

if TYPE_CHECKING:
    from sqlalchemy import Connection

# Until a dossier has a number, OpenCPS gives the id of its reception in the same place.
NUMBERED: Final = "coalesce(d.code !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', false)"

# The same ends as in audit.figures: of two instants that contradict each other the later one counts.
_DELAYED: Final = f"""
SELECT d.dossier_id, coalesce(d.code, d.source_key) AS code, {NUMBERED} AS has_number, d.source_key,
       coalesce(d.unit_code, '') AS unit_code,
       d.sector_code, coalesce(d.sector_name, d.sector_code) AS sector, d.procedure_code,
       coalesce(d.procedure_name, d.procedure_code) AS procedure, v.received_at, v.late_since AS due_at,
       CASE WHEN v.verdict = 'late' THEN v.ended_at END AS ended_at, v.verdict
FROM audit.verdicts_as_of(%(end)s - interval '1 microsecond') v JOIN audit.dossiers d USING (dossier_id)
WHERE v.kind = 'dossier' AND (%(of)s::text[] IS NULL OR v.unit_code = ANY(%(of)s::text[]))
  AND (v.verdict = 'open_overdue' OR v.verdict = 'late' AND greatest(v.ended_at, v.received_at) >= %(start)s)
"""
_SENT_BACK: Final = f"""
SELECT d.dossier_id, coalesce(d.code, d.source_key) AS code, {NUMBERED} AS has_number, d.source_key,
       coalesce(d.unit_code, '') AS unit_code,
       d.sector_code, coalesce(d.sector_name, d.sector_code) AS sector, d.procedure_code,
       coalesce(d.procedure_name, d.procedure_code) AS procedure,
       f.rule_code AS kind, f.starts_at AS happened_at, d.status_name AS status, d.supplement_count,
       f.rule_code = 'supplement_requested' AND f.ends_at >= %(end)s AS still_waiting
FROM audit.flags_in_force f JOIN audit.dossiers d USING (dossier_id)
WHERE f.rule_code IN ('returned', 'supplement_requested') AND d.kind = 'dossier'
  AND f.starts_at >= %(start)s AND f.starts_at < %(end)s
  AND (%(of)s::text[] IS NULL OR d.unit_code = ANY(%(of)s::text[]))
"""


def read_delayed(
    connection: Connection, start: datetime, end: datetime, scope: Scope, calendar: WorkCalendar, zone: str
) -> pd.DataFrame:
    """One row per dossier finished late in [start, end) or overdue at its end, with ``working_days_late``."""
    rows = read_frame(connection, _DELAYED, _values(start, end, scope), instants=("received_at", "due_at", "ended_at"))
    rows = _by_unit(shown_under(connection, scope, rows), ["due_at", "code"])
    until = rows["ended_at"].fillna(pd.Timestamp(end - timedelta(microseconds=1)))
    rows["working_days_late"] = days_late(calendar, rows["due_at"], until, zone)
    return rows


def read_sent_back(connection: Connection, start: datetime, end: datetime, scope: Scope) -> pd.DataFrame:
    """One row per return and per supplement request that fell into [start, end)."""
    rows = read_frame(connection, _SENT_BACK, _values(start, end, scope), instants=("happened_at",))
    return _by_unit(shown_under(connection, scope, rows), ["kind", "happened_at", "code"])


def _values(start: datetime, end: datetime, scope: Scope) -> dict[str, Any]:
    # By today's units a dossier belongs to a report by its sector and procedure too: shown_under chooses.
    return {"start": start, "end": end, "of": scope.units if scope.units_as == "then" else None}


def _by_unit(rows: pd.DataFrame, then: list[str]) -> pd.DataFrame:
    """In the order of units, those of none last."""
    order = ["unit_code", *then]
    return rows.sort_values(
        order,
        key=lambda column: column.mask(column == "", "\U0010ffff") if column.name == "unit_code" else column,
        ignore_index=True,
        kind="stable",
    )
