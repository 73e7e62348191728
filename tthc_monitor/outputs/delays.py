"""What records tell about delayed dossiers: findings, waits for the applicant, who took them over from whom, letters.

Read once for all topics that say why dossiers were late; findings as known now, and none that begins after the period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from tthc_monitor.domain.worktime import HORIZON, WorkCalendar
from tthc_monitor.outputs.frames import read_frame

if TYPE_CHECKING:
    from tthc_monitor.outputs.report_topics import Reading

_HOUR: Final = 3600.0
FAULTS: Final = (
    "lead_late_because_consulted_late",
    "step_at_fault",
    "step_overdue",
    "consulted_late",
)
"""Kinds of rules whose findings say where a dossier lay, the strongest first."""
LETTERS: Final = ("apology_missing", "reappointed_again", "due_moved_without_apology")
"""Kinds of rules about letters of apology and new dates."""

# Each look-up by the dossiers' own keys, so that nothing is read of others.
_FACTS = """
SELECT d.dossier_id, d.received_at, d.delivered_at, d.result_at, d.step_code, d.step_name, d.apology_at,
       d.reappointment_count, d.due_moves
FROM audit.dossiers d WHERE d.dossier_id = ANY(%(ids)s)
"""
_FINDINGS = """
SELECT f.dossier_id, f.rule_code, f.kind, f.title, f.starts_at, f.ends_at, f.evidence, f.flag_id,
       coalesce(f.evidence ->> 'unit', f.evidence ->> 'step_unit_code', f.unit_code) AS unit_code, f.unit_code AS resolving_code
FROM (
    SELECT f.dossier_id, f.rule_code, f.kind, f.title, f.starts_at, nullif(f.ends_at, 'infinity') AS ends_at, f.evidence,
           f.flag_id, f.unit_code
    FROM audit.flags_in_force f
    WHERE f.dossier_id = ANY(%(ids)s) AND (f.rule_code = ANY(%(rules)s) OR f.kind = ANY(%(kinds)s)) AND f.starts_at < %(end)s
) f
"""
_WAITS = """
SELECT w.dossier_id, w.wait, w.since, w.until
FROM audit.dossiers d
CROSS JOIN LATERAL (
    SELECT d.dossier_id, 'obligation' AS wait, coalesce(d.obligation_requested_at, d.obligation_seen_at) AS since,
           coalesce(d.obligation_completed_at, d.obligation_left_at) AS until
    UNION ALL
    SELECT d.dossier_id, 'supplement', d.supplement_requested_at, d.supplement_completed_at
    UNION ALL
    SELECT d.dossier_id, 'supplement', lower(e), upper(e) FROM unnest(d.earlier_waits) e
) w
WHERE d.dossier_id = ANY(%(ids)s) AND w.since < %(end)s
"""
_INHERITED = """
SELECT r.dossier_id, r.inherited_from, r.inherited_on FROM audit.responsibility r
WHERE r.dossier_id = ANY(%(ids)s) AND r.inherited
"""
# Of a body that is only consulted no source tells the name; the register may.
_UNITS = """
SELECT DISTINCT ON (unit_code) unit_code, name FROM (
    SELECT unit_code, name, 1 AS place, NULL::date AS since FROM audit.units
    UNION ALL
    SELECT unit_code, name, 2, coalesce(valid_from, '-infinity') FROM audit.unit_versions WHERE known_to IS NULL
) u WHERE name IS NOT NULL ORDER BY unit_code, place, since DESC
"""
_APPLIED = """
SELECT r.rule_code, r.title, r.kind FROM audit.rules r
WHERE r.rule_version_id = ANY((SELECT e.rule_version_ids FROM audit.evaluations e
                               WHERE e.rule_version_ids IS NOT NULL ORDER BY e.evaluation_id DESC LIMIT 1)::int[])
"""


@dataclass(frozen=True)
class Delays:
    """The delayed dossiers of a report and what records tell of them.

    Attributes:
        rows: by ``dossier_id``, in the order of the report: what :attr:`Reading.delayed` has of each, ``until`` (its end,
            else that of the report), ``late_hours`` (working time from due to ``until``), and its facts.
        findings: ``dossier_id``, ``rule_code``, ``kind``, ``title``, ``starts_at``, ``ends_at`` (NaT: for good),
            ``evidence``, ``resolving_code`` as it was judged, and ``unit_code`` that the evidence names, else that one;
            only those that touch the delay.
        letters: findings about letters and new dates, whenever they began in or before the period.
        waits: ``dossier_id``, ``wait`` (``supplement``, ``obligation``), ``since``, ``until`` (NaT: still).
        inherited: ``dossier_id``, ``inherited_from``, ``inherited_on`` of those taken over.
        unit_names: by code.
    """

    rows: pd.DataFrame
    findings: pd.DataFrame
    letters: pd.DataFrame
    waits: pd.DataFrame
    inherited: pd.DataFrame
    unit_names: dict[str, str]


def read_delays(reading: Reading, rules: Sequence[str]) -> Delays:
    """Read them.

    Args:
        rules: codes of the rules whose findings are asked for, beside those of :data:`FAULTS` and :data:`LETTERS`.
    """
    ids = reading.delayed["dossier_id"].tolist()
    values = {"ids": ids, "end": reading.end, "rules": list(rules), "kinds": [*FAULTS, *LETTERS]}
    connection = reading.connection
    facts = read_frame(connection, _FACTS, values, ("received_at", "delivered_at", "result_at", "apology_at"))
    found = read_frame(connection, _FINDINGS, values, ("starts_at", "ends_at"))
    waits = read_frame(connection, _WAITS, values, ("since", "until"))
    inherited = read_frame(connection, _INHERITED, values)
    names = read_frame(connection, _UNITS, {})
    told = reading.delayed.drop(columns=facts.columns.difference(["dossier_id"]), errors="ignore")
    rows = told.merge(facts, on="dossier_id", how="left").set_index("dossier_id")
    rows["until"] = rows["ended_at"].fillna(pd.Timestamp(reading.end))
    rows["late_hours"] = working_hours(reading.calendar, rows["due_at"], rows["until"])
    late = rows[["due_at", "until"]]
    spans = late.reindex(found["dossier_id"])
    due, until = (spans[name].reset_index(drop=True) for name in ("due_at", "until"))
    touches = (found["starts_at"] <= until) & (found["ends_at"].isna() | (found["ends_at"] > due))
    letters = found["kind"].isin(LETTERS)
    return Delays(
        rows,
        found[touches].reset_index(drop=True),
        found[letters].reset_index(drop=True),
        waits,
        inherited,
        dict(zip(names["unit_code"], names["name"], strict=True)),
    )


def read_applied(reading: Reading) -> pd.DataFrame:
    """The rules by which dossiers are judged now: ``rule_code``, ``title``, ``kind``."""
    return read_frame(reading.connection, _APPLIED, {})


def working_hours(calendar: WorkCalendar, since: pd.Series, until: pd.Series) -> npt.NDArray[np.float64]:
    """Working hours from one instant to the other, row by row; 0 where one is missing or it is the other way round."""
    earliest, latest = np.datetime64(HORIZON[0], "us"), np.datetime64(HORIZON[1] - timedelta(days=1), "us")
    known = (since.notna() & until.notna()).to_numpy()
    hours = np.zeros(len(since))
    if known.any():
        # A source that claims the year 0001 is counted from the calendar's first day.
        starts, ends = (
            np.clip(column[known].dt.tz_localize(None).to_numpy().astype("datetime64[us]"), earliest, latest)
            for column in (since, until)
        )
        hours[known] = calendar.elapsed(starts, ends) / _HOUR
    return hours


def told_instant(evidence: pd.Series, key: str) -> pd.Series:
    """An instant that findings carry in their evidence; NaT where one does not."""
    told = pd.Series([one.get(key) for one in evidence], index=evidence.index, dtype=object)
    return pd.to_datetime(told, utc=True, format="ISO8601").astype("datetime64[us, UTC]")
