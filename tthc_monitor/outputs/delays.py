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
SELECT d.dossier_id, d.delivered_at, d.result_at, d.step_code, d.step_name, d.apology_at,
       d.reappointment_count, d.due_moves, d.supplement_requested_at AS supplement_since,
       d.supplement_completed_at AS supplement_until,
       coalesce(d.obligation_requested_at, d.obligation_seen_at) AS obligation_since,
       coalesce(d.obligation_completed_at, d.obligation_left_at) AS obligation_until,
       CASE WHEN d.earlier_waits IS NOT NULL THEN ARRAY(SELECT lower(e) FROM unnest(d.earlier_waits) e) END AS earlier_since,
       CASE WHEN d.earlier_waits IS NOT NULL THEN ARRAY(SELECT upper(e) FROM unnest(d.earlier_waits) e) END AS earlier_until
FROM audit.dossiers d WHERE d.dossier_id = ANY(%(ids)s)
"""
_FACT_INSTANTS: Final = (
    "delivered_at", "result_at", "apology_at",
    "supplement_since", "supplement_until", "obligation_since", "obligation_until",
)  # fmt: skip
# Of evidence only what is looked at: documents of tens of thousands of findings take longer to read than all the rest.
_FINDINGS = """
SELECT f.dossier_id, f.rule_code, f.kind, f.title, f.starts_at, nullif(f.ends_at, 'infinity') AS ends_at,
       f.evidence ->> 'due_at' AS due_at, f.evidence ->> 'step_due_at' AS step_due_at,
       f.evidence ->> 'consulted_due_at' AS consulted_due_at, f.evidence ->> 'consulted_answered_at' AS consulted_answered_at,
       f.evidence ->> 'apology_at' AS apology_at,
       CASE WHEN f.rule_code = ANY(%(quoted)s) THEN f.evidence END AS evidence,
       coalesce(f.evidence ->> 'unit', f.evidence ->> 'step_unit_code', f.unit_code) AS unit_code, f.unit_code AS resolving_code
FROM audit.flags_in_force f
WHERE f.dossier_id = ANY(%(ids)s) AND (f.rule_code = ANY(%(rules)s) OR f.kind = ANY(%(kinds)s)) AND f.starts_at < %(end)s
"""
_TOLD_INSTANTS: Final = ("due_at", "step_due_at", "consulted_due_at", "consulted_answered_at", "apology_at")
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
            instants of the evidence by their names there, the whole ``evidence`` where it was asked for,
            ``resolving_code`` as it was judged, and ``unit_code`` that the evidence names, else that one;
            only those that touch the delay, ``lasting`` when they stand to the end of it.
        letters: findings about letters and new dates, whenever they began in or before the period.
        waits: ``dossier_id``, ``wait`` (``supplement``, ``obligation``), ``since``, ``until`` (NaT: still), as known now.
        inherited: ``dossier_id``, ``inherited_from``, ``inherited_on`` of those taken over.
        unit_names: by code.
    """

    rows: pd.DataFrame
    findings: pd.DataFrame
    letters: pd.DataFrame
    waits: pd.DataFrame
    inherited: pd.DataFrame
    unit_names: dict[str, str]


def read_delays(reading: Reading, rules: Sequence[str], quoted: Sequence[str]) -> Delays:
    """Read them.

    Args:
        rules: codes of the rules whose findings are asked for, beside those of :data:`FAULTS` and :data:`LETTERS`.
        quoted: those of them whose whole evidence is asked for.
    """
    ids = reading.delayed["dossier_id"].tolist()
    values = {"ids": ids, "end": reading.end, "rules": list(rules), "kinds": [*FAULTS, *LETTERS]} | {
        "quoted": list(quoted)
    }
    connection = reading.connection
    facts = read_frame(connection, _FACTS, values, _FACT_INSTANTS)
    found = read_frame(connection, _FINDINGS, values, ("starts_at", "ends_at"))
    for name in _TOLD_INSTANTS:
        found[name] = pd.to_datetime(found[name], utc=True, format="ISO8601").astype("datetime64[us, UTC]")
    inherited = read_frame(connection, _INHERITED, values)
    names = read_frame(connection, _UNITS, {})
    told = reading.delayed.drop(columns=facts.columns.difference(["dossier_id"]), errors="ignore")
    rows = told.merge(facts, on="dossier_id", how="left").set_index("dossier_id")
    rows["until"] = rows["ended_at"].fillna(pd.Timestamp(reading.end))
    rows["late_hours"] = working_hours(reading.calendar, rows["due_at"], rows["until"])
    late = rows[["due_at", "until"]]
    spans = late.reindex(found["dossier_id"])
    due, until = (spans[name].reset_index(drop=True) for name in ("due_at", "until"))
    found["lasting"] = found["ends_at"].isna() | (found["ends_at"] >= until)
    touches = (found["starts_at"] <= until) & (found["ends_at"].isna() | (found["ends_at"] > due))
    letters = found["kind"].isin(LETTERS)
    return Delays(
        rows,
        found[touches].reset_index(drop=True),
        found[letters].reset_index(drop=True),
        _waits(facts),
        inherited,
        dict(zip(names["unit_code"], names["name"], strict=True)),
    )


def _waits(facts: pd.DataFrame) -> pd.DataFrame:
    """A row for each wait for the applicant: the latest of each kind, and those for supplements before it."""
    earlier = facts.loc[facts["earlier_since"].notna(), ["dossier_id", "earlier_since", "earlier_until"]]
    spans = earlier.explode(["earlier_since", "earlier_until"])
    told = [
        (facts["dossier_id"], "obligation", facts["obligation_since"], facts["obligation_until"]),
        (facts["dossier_id"], "supplement", facts["supplement_since"], facts["supplement_until"]),
        (spans["dossier_id"], "supplement", spans["earlier_since"], spans["earlier_until"]),
    ]
    rows = [
        pd.DataFrame({"dossier_id": whose, "wait": what, "since": instants_of(since), "until": instants_of(until)})
        for whose, what, since, until in told
    ]
    waits = pd.concat(rows, ignore_index=True)
    return waits[waits["since"].notna()].reset_index(drop=True)


def instants_of(column: pd.Series) -> pd.Series:
    """A column as UTC instants, whatever type one without any has."""
    return pd.to_datetime(column, utc=True).astype("datetime64[us, UTC]")


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
