"""The figures of the snapshot as an auditor finds them: straight from the audit views, over everything that is held."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, text

_VERDICTS = """
SELECT coalesce(v.unit_code, '') AS unit,
       count(*) FILTER (WHERE v.kind = 'dossier' AND open) AS tthc_dossiers_open,
       count(*) FILTER (WHERE v.kind = 'dossier' AND v.verdict = 'open_overdue') AS tthc_dossiers_overdue,
       count(*) FILTER (WHERE v.kind = 'petition' AND v.verdict = 'open_overdue') AS tthc_petitions_overdue,
       count(*) FILTER (WHERE v.kind = 'dossier' AND v.verdict = 'cannot_tell' AND open) AS tthc_dossiers_cannot_tell,
       count(*) FILTER (WHERE v.kind = 'dossier' AND v.verdict = 'open_overdue' AND greatest(v.late_since, v.received_at) >= :midnight)
           AS tthc_dossiers_newly_overdue
FROM (SELECT *, verdict <> 'not_received' AND (ended_at > :now) IS NOT FALSE AS open FROM audit.verdicts_as_of(:now)) v
GROUP BY 1
"""
_FLAGS = """
SELECT coalesce(d.unit_code, '') AS unit,
       count(DISTINCT d.dossier_id) FILTER (WHERE f.rule_code = 'due_soon' AND stands) AS tthc_dossiers_due_soon,
       count(DISTINCT d.dossier_id) FILTER (WHERE f.rule_code = 'supplement_requested' AND stands) AS tthc_dossiers_supplement_requested,
       count(DISTINCT d.dossier_id) FILTER (WHERE f.rule_code = 'returned' AND f.starts_at BETWEEN :month AND :now)
           AS tthc_dossiers_returned_this_month
FROM (SELECT *, starts_at <= :now AND ends_at > :now AS in_force FROM audit.flags_in_force) f
JOIN audit.dossiers d USING (dossier_id)
CROSS JOIN LATERAL (SELECT in_force AND (d.ended_at > :now) IS NOT FALSE AS stands) s
WHERE d.kind = 'dossier' GROUP BY 1
"""
_FINDINGS = """
SELECT coalesce(d.unit_code, ''), f.rule_code, count(DISTINCT d.dossier_id)
FROM audit.flags_in_force f JOIN audit.dossiers d USING (dossier_id)
WHERE f.starts_at <= :now AND f.ends_at > :now AND (d.ended_at > :now) IS NOT FALSE AND {which} GROUP BY 1, 2
"""
_JUDGED = """
NOT EXISTS (SELECT FROM audit.unjudged u WHERE d.observation_id BETWEEN u.first_observation_id AND u.last_observation_id)
"""
_SNAPSHOT = """
SELECT s.metric, p.unit, p.second, p.value FROM tthc.metric_snapshot s
CROSS JOIN LATERAL unnest(s.label_1, s.label_2, s.figures) p (unit, second, value)
"""
_PAIRS = ("open", "overdue", "due_soon", "supplement_requested")

Figures = dict[tuple[str, ...], float]


def audited(engine: Engine, now: datetime, zone: str = "Asia/Ho_Chi_Minh") -> Figures:
    """Figures above 0 by metric and labels."""
    midnight = now.astimezone(ZoneInfo(zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    values = {"now": now, "midnight": midnight, "month": midnight.replace(day=1)}
    found: Figures = {}
    with engine.connect() as connection:
        for query in (_VERDICTS, _FLAGS):
            for row in connection.execute(text(query), values).mappings():
                found |= {(name, row["unit"]): count for name, count in row.items() if name != "unit"}
    found |= findings(engine, now)
    return {key: count for key, count in found.items() if count}


def findings(engine: Engine, now: datetime, *, judged: bool = False) -> Figures:
    """Findings by unit and rule; only those of dossiers that were judged as they are now, if asked for."""
    query = text(_FINDINGS.format(which=_JUDGED if judged else "true"))
    with engine.connect() as connection:
        rows = connection.execute(query, {"now": now}).all()
    return {("tthc_findings", unit, rule): count for unit, rule, count in rows}


def snapshotted(engine: Engine) -> Figures:
    """The same from the snapshot that is there; that pairs add up to their unit is asserted on the way."""
    found: Figures = {}
    with engine.connect() as connection:
        rows = connection.execute(text(_SNAPSHOT)).all()
    for metric, unit, second, value in rows:
        key = (metric, unit, second) if metric == "tthc_findings" else (metric, unit)
        found[key] = found.get(key, 0) + value
    for what in _PAIRS:
        pairs = {
            unit: count for (metric, unit, *_), count in found.items() if metric == f"tthc_procedure_dossiers_{what}"
        }
        units = {
            unit: count for (metric, unit, *_), count in found.items() if metric == f"tthc_dossiers_{what}" and count
        }
        assert pairs == units, what
    told = {key[0] for key in found} & {
        *("tthc_dossiers_open", "tthc_dossiers_overdue", "tthc_petitions_overdue", "tthc_dossiers_cannot_tell"),
        *("tthc_dossiers_newly_overdue", "tthc_dossiers_due_soon", "tthc_dossiers_supplement_requested"),
        *("tthc_dossiers_returned_this_month", "tthc_findings"),
    }
    return {key: count for key, count in found.items() if count and key[0] in told}


def instants(first: datetime) -> list[datetime]:
    """Instants at which time alone changes figures: around the hours of a day, the days of a fortnight, and a month."""
    return [first + timedelta(hours=hours, days=days) for hours in (0, 9, 17) for days in (0, 1, 5, 14, 40)]
