"""What the digests of one run are made of: read once, then cut for each recipient."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import pandas as pd

from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.outputs.frames import days_late, read_frame
from tthc_monitor.outputs.sealed import LedgerHead, read_ledger_head

if TYPE_CHECKING:
    from sqlalchemy import Connection

RECEPTION_HOURS: Final = 8
"""Working hours within which a registered dossier must be received (NQ 66.7/2025/NQ-CP)."""

_LONG_AGO: Final = timedelta(days=3650)
"""A wait older than this counts as this, so that a claimed year 0001 stays within the calendar."""

_UNITS: Final = """
WITH verdict AS (
    SELECT v.unit_code, v.kind, v.verdict FROM audit.verdicts_as_of(%(now)s) v
    WHERE v.verdict <> 'not_received' AND (v.ended_at > %(now)s) IS NOT FALSE
), counted AS (
    SELECT unit_code, count(*) FILTER (WHERE kind = 'dossier') AS open,
           count(*) FILTER (WHERE kind = 'dossier' AND verdict = 'cannot_tell') AS cannot_tell,
           count(*) FILTER (WHERE kind = 'petition' AND verdict = 'open_overdue') AS petitions_overdue
    FROM verdict GROUP BY 1
)
SELECT coalesce(u.unit_code, c.unit_code, '') AS unit_code, u.name AS unit_name, coalesce(c.open, 0) AS open,
       coalesce(c.cannot_tell, 0) AS cannot_tell, coalesce(c.petitions_overdue, 0) AS petitions_overdue
FROM audit.units u FULL JOIN counted c USING (unit_code)
"""

_ATTENTION: Final = """
WITH found AS (
    SELECT 'overdue' AS list, v.dossier_id, v.late_since AS since
    FROM audit.verdicts_as_of(%(now)s) v
    WHERE v.verdict = 'open_overdue'
    UNION ALL
    SELECT 'due_today', v.dossier_id, v.due_current
    FROM audit.verdicts_as_of(%(now)s) v
    WHERE v.verdict = 'open_in_time' AND v.due_current >= %(now)s AND v.due_current < %(tomorrow)s
      -- While the applicant is awaited the clock stands still, and nothing comes due.
      AND NOT EXISTS (SELECT FROM audit.flags_in_force f WHERE f.dossier_id = v.dossier_id
                      AND f.rule_code = 'supplement_requested' AND f.starts_at <= %(now)s AND f.ends_at > %(now)s)
    UNION ALL
    SELECT f.rule_code, f.dossier_id, min(f.starts_at)
    FROM audit.flags_in_force f
    WHERE f.starts_at <= %(now)s AND (f.rule_code IN ('due_soon', 'supplement_requested') AND f.ends_at > %(now)s
                                      OR f.rule_code = 'returned' AND f.starts_at >= %(since)s)
    GROUP BY 1, 2
    UNION ALL
    SELECT 'registered', d.dossier_id, coalesce(d.submitted_at, d.first_seen_at)
    FROM audit.dossiers d WHERE d.status = 1 AND coalesce(d.submitted_at, d.first_seen_at) <= %(now)s
)
SELECT found.list, found.since, d.dossier_id, coalesce(d.unit_code, '') AS unit_code, d.unit_name,
       coalesce(d.code, d.source_key) AS code, coalesce(d.procedure_name, d.procedure_code) AS procedure,
       d.step_name AS step, d.status_name AS status, d.due_current AS due_at
FROM found JOIN audit.dossiers d USING (dossier_id) WHERE d.kind = 'dossier'
"""

_SOURCES: Final = """
SELECT s.name, (SELECT max(r.finished_at) FROM audit.pull_runs r WHERE r.source = s.name AND r.outcome = 'ok')
FROM tthc.sources s ORDER BY s.name
"""


@dataclass(frozen=True)
class DigestFacts:
    """All that the digests of one instant need.

    Attributes:
        now: the instant they describe.
        zone: IANA name of the zone of days and hours.
        since: start of the last working day before today; what is newer is news.
        units: one row per unit: ``unit_code`` ('' = none), ``unit_name``, ``open``, ``cannot_tell``,
            ``petitions_overdue``.
        attention: one row per dossier and list: ``list`` (overdue, due_today, due_soon, supplement_requested, returned,
            slow_reception), ``since``, codes and names, ``due_at``, ``days_late`` in working days.
        sources: name of each source, and the end of its last pull that went well.
        ledger_head: the newest link of the ledger; None while the ledger is empty.
    """

    now: datetime
    zone: str
    since: datetime
    units: pd.DataFrame
    attention: pd.DataFrame
    sources: tuple[tuple[str, datetime | None], ...]
    ledger_head: LedgerHead | None


def read_digest_facts(connection: Connection, now: datetime, zone: str, calendar: WorkCalendar) -> DigestFacts:
    """Read the facts of all recipients at ``now``.

    Args:
        zone: IANA name of the zone in which "today" is meant.
        calendar: working time, for hours of slow reception and days of lateness.

    Raises:
        CalendarError: ``now`` lies outside the calendar's horizon, or there is no working day before it.
    """
    local = ZoneInfo(zone)
    today = now.astimezone(local).date()
    since = datetime.combine(_last_workday(calendar, today), time(), local)
    values: dict[str, Any] = {
        "now": now,
        "tomorrow": datetime.combine(today + timedelta(days=1), time(), local),
        "since": since,
    }
    attention = read_frame(connection, _ATTENTION, values, instants=("since", "due_at"))
    units = read_frame(connection, _UNITS, values)
    sources = tuple((row[0], row[1]) for row in connection.exec_driver_sql(_SOURCES))
    head = read_ledger_head(connection, zone)
    return DigestFacts(now, zone, since, units, _judge_times(attention, now, zone, calendar), sources, head)


def _judge_times(attention: pd.DataFrame, now: datetime, zone: str, calendar: WorkCalendar) -> pd.DataFrame:
    """Keep of the registered dossiers those that waited too long; count the working days of the overdue ones."""
    registered = attention["list"] == "registered"
    waits = attention.loc[registered, "since"]
    earliest = pd.Timestamp(now) - _LONG_AGO
    waits = waits.where(waits > earliest, earliest)
    waited = pd.Series(calendar.elapsed(waits, now), index=waits.index)
    slow = waited.index[waited > RECEPTION_HOURS * 3600]
    frame = attention.assign(list=attention["list"].mask(registered, "slow_reception"), days_late=0)
    frame = frame[~registered | frame.index.isin(slow)]
    overdue = frame["list"] == "overdue"
    frame.loc[overdue, "days_late"] = days_late(calendar, frame.loc[overdue, "since"], now, zone)
    return frame.reset_index(drop=True)


def _last_workday(calendar: WorkCalendar, today: date) -> date:
    day = today - timedelta(days=1)
    while not calendar.is_workday(day):
        day -= timedelta(days=1)
    return day
