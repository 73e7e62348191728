"""How long dossiers took of the working time that they were allowed, procedure by procedure.

A procedure with few dossiers in the period is looked at over the twelve months until its end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.outputs.frames import read_frame

if TYPE_CHECKING:
    from tthc_monitor.domain.worktime import WorkCalendar
    from tthc_monitor.outputs.report_topics import Reading

YEAR: Final = pd.DateOffset(years=1)
_ENOUGH: Final = 2
"""Of a procedure looked at over a year so many times the least number say enough: dossiers chosen by a hash of their id."""
_THINNEST: Final = 6
"""But of so many at least one."""
_COUNTS: Final = """
SELECT d.procedure_code, count(*) AS yearly,
       count(*) FILTER (WHERE coalesce(d.finished_at, d.delivered_at) >= %(start)s) AS ended
FROM audit.dossiers d
WHERE d.kind = 'dossier' AND d.procedure_code IS NOT NULL AND d.received_at IS NOT NULL
  AND coalesce(d.finished_at, d.delivered_at) >= %(year_before)s AND coalesce(d.finished_at, d.delivered_at) < %(end)s
  AND (%(units)s::text[] IS NULL OR d.unit_code = ANY(%(units)s::text[]))
GROUP BY 1
"""
# Conditions on columns of the view, which keep it from computing times that nobody wants.
_SAMPLED: Final = " OR ".join(
    f"t.procedure_code = ANY(%(every_{one})s::text[]) AND (hashint8(t.dossier_id) & 2147483647) %% {one} = 0"
    for one in range(1, _THINNEST + 1)
)
# Materialized: the look-ups behind a column are made once, however often it is named.
_TIMES: Final = f"""
WITH taken AS MATERIALIZED (
    SELECT t.procedure_code, t.ended_at, t.used_seconds::float8 AS used, t.allowed_seconds::float8 AS allowed
    FROM audit.processing_times t
    LEFT JOIN unnest(%(procedures)s::text[], %(since)s::date[]) AS l (procedure_code, since) USING (procedure_code)
    WHERE t.kind = 'dossier' AND t.ended_at < %(end)s
      AND t.ended_at >= %(year_before)s
      AND (t.ended_at >= %(start)s AND t.procedure_code = ANY(%(every_0)s::text[]) OR {_SAMPLED})
      AND (%(units)s::text[] IS NULL OR t.unit_code = ANY(%(units)s::text[]))
      AND (l.since IS NULL OR (t.received_at AT TIME ZONE %(zone)s)::date >= l.since)
)
SELECT t.procedure_code, p.name AS procedure, p.sector_code,
       sum(t.used) FILTER (WHERE t.ended_at >= %(start)s) AS used_in_period,
       count(*) FILTER (WHERE t.allowed > 0) AS number,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY t.used / t.allowed) FILTER (WHERE t.allowed > 0) AS ratio_p50,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY t.used / t.allowed) FILTER (WHERE t.allowed > 0) AS ratio_p90,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY t.used) FILTER (WHERE t.allowed > 0) AS used_p50,
       percentile_cont(0.9) WITHIN GROUP (ORDER BY t.used) FILTER (WHERE t.allowed > 0) AS used_p90,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY t.allowed) FILTER (WHERE t.allowed > 0) AS allowed_p50
FROM taken t LEFT JOIN audit.procedures p ON p.procedure_code = t.procedure_code
WHERE t.used IS NOT NULL
GROUP BY 1, 2, 3
"""


@dataclass(frozen=True)
class ProcedureTimes:
    """Working time by procedure.

    Attributes:
        rows: procedure code and name, sector code, ``used_in_period`` (seconds of the dossiers that ended in
            the period, reckoned from those looked at),
            ``number`` of dossiers measured, percentiles of the part used (``ratio_…``) and of seconds used and allowed,
            ``yearly`` (ended in the twelve months); ``one_of``: measured over them, one dossier of so many, for the period had
            too few; null: measured over the period.
        day_seconds: working seconds of one working day.
    """

    rows: pd.DataFrame
    day_seconds: float


def read_times(reading: Reading) -> ProcedureTimes:
    """Measure all procedures of the period."""
    values = reading.values | {"year_before": _year_before(reading.end)}
    counts = read_frame(reading.connection, _COUNTS, values)
    least = reading.settings.shortenable_at_least
    few = (counts["ended"] < least) & (counts["yearly"] >= least)
    counts["one_of"] = (counts["yearly"] // (_ENOUGH * least)).clip(1, _THINNEST).where(few)
    rows = measure(reading, counts[(counts["ended"] > 0) | few])
    return ProcedureTimes(rows, day_seconds(reading.calendar, reading.end, reading.period.zone))


def measure(reading: Reading, procedures: pd.DataFrame) -> pd.DataFrame:
    """The rows of these procedures.

    Args:
        procedures: ``procedure_code``, ``yearly``; ``one_of``: of those looked at over a year one dossier of so many, else
            null; ``since``, where there is such a column: the first day of reception that counts.
    """
    dated = procedures if "since" in procedures else procedures.iloc[:0].assign(since=None)
    asked: dict[str, Any] = {
        f"every_{one}": procedures.loc[procedures["one_of"].fillna(0) == one, "procedure_code"].tolist()
        for one in range(_THINNEST + 1)
    }
    asked |= {"procedures": dated["procedure_code"].tolist(), "since": dated["since"].tolist()}
    asked["year_before"] = _year_before(reading.end)
    rows = read_frame(reading.connection, _TIMES, reading.values | asked)
    rows = rows.merge(procedures[["procedure_code", "yearly", "one_of"]], on="procedure_code")
    return rows.assign(used_in_period=rows["used_in_period"] * rows["one_of"].fillna(1))


def day_seconds(calendar: WorkCalendar, end: datetime, zone: str) -> float:
    """Working seconds of a working day, on the mean of the year before the day of an instant."""
    midnight = pd.Timestamp(end).tz_convert(zone).normalize()
    first, last = ((midnight - YEAR), midnight - pd.Timedelta(days=1))
    days = calendar.count_workdays((first - pd.Timedelta(days=1)).date(), last.date())
    return calendar.elapsed(first.to_pydatetime(), midnight.to_pydatetime()) / days


def _year_before(end: datetime) -> datetime:
    return (pd.Timestamp(end) - YEAR).to_pydatetime()
