"""How the figures of a digest moved: against the last working day, against a week before, and day by day.

The past is told as it is known now, from the intervals of the flags: one query counts all instants of all calendars.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import pandas as pd

from tthc_monitor.domain.calendar_variants import Calendars
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.outputs.digest_rules import OVERDUE, RulesInForce
from tthc_monitor.outputs.frames import read_frame

if TYPE_CHECKING:
    from sqlalchemy import Connection

MEASURES: Final = ("acknowledged_late", OVERDUE, "due_today", "apology_missing")
"""The four figures that the Government Office writes to provinces about, in its order."""

WEEK: Final = 5
"""Working days of a week."""

CLOSE_OF_DAY: Final = time(17)
"""The hour of the day at which a past day is counted."""

# A reception that came late, and an apology, end the need to act; the rules flag both for good.
_MOVEMENT: Final = """
WITH flag AS MATERIALIZED (
    SELECT f.rule_version_id, f.dossier_id, f.starts_at,
           CASE WHEN f.rule_version_id = ANY (%(acknowledged_late)s::int[])
                    THEN least(f.ends_at, (f.evidence ->> 'acknowledged_at')::timestamptz)
                WHEN f.rule_version_id = ANY (%(apology_missing)s::int[])
                    THEN least(f.ends_at, (f.evidence ->> 'apology_at')::timestamptz)
                ELSE f.ends_at END AS ends_at
    FROM audit.flags_in_force f
    WHERE f.rule_version_id = ANY (%(versions)s::int[]) AND f.starts_at <= %(last)s AND f.ends_at > %(first)s
), span AS (
    SELECT rule_version_id, dossier_id, starts_at, ends_at
    FROM flag WHERE rule_version_id <> ALL (%(apology_missing)s::int[])
    UNION ALL
    SELECT a.rule_version_id, dossier_id, greatest(a.starts_at, o.starts_at), least(a.ends_at, o.ends_at)
    FROM flag a JOIN flag o USING (dossier_id)
    WHERE a.rule_version_id = ANY (%(apology_missing)s::int[]) AND o.rule_version_id = ANY (%(overdue)s::int[])
), lived AS (
    SELECT s.rule_version_id, coalesce(d.unit_code, '') AS unit_code, coalesce(d.sector_code, '') AS sector_code,
           s.starts_at, least(s.ends_at, d.ended_at) AS ends_at
    FROM span s JOIN audit.dossiers d USING (dossier_id)
    WHERE d.kind = 'dossier' AND s.ends_at > greatest(%(first)s, s.starts_at)
)
SELECT rule_version_id, unit_code, sector_code, {counts} FROM lived WHERE ends_at > %(first)s GROUP BY 1, 2, 3
"""


@dataclass(frozen=True)
class Moments:
    """What "yesterday" and "a week ago" are by one calendar.

    Attributes:
        since: start of the last working day before today; what is newer is news.
        previous: that day, at the time of day that it is now.
        week: five working days before today, at that time of day.
        days: of the last working days the close, oldest first.
    """

    since: datetime
    previous: datetime
    week: datetime
    days: tuple[datetime, ...]


def moments(calendar: WorkCalendar, now: datetime, trend_days: int) -> Moments:
    """The instants with which ``now`` is compared.

    Raises:
        CalendarError: the calendar does not reach back so far.
    """
    zone = ZoneInfo(calendar.zone)
    local = now.astimezone(zone)
    before = _workdays_before(calendar, local.date(), max(trend_days, WEEK))
    days = before[:trend_days]
    if calendar.is_workday(local.date()) and local.time() >= CLOSE_OF_DAY:
        days = [local.date(), *days][:trend_days]
    at_this_hour = [datetime.combine(day, local.time(), zone) for day in before]
    closes = tuple(datetime.combine(day, CLOSE_OF_DAY, zone) for day in reversed(days))
    return Moments(datetime.combine(before[0], time(), zone), at_this_hour[0], at_this_hour[WEEK - 1], closes)


def _workdays_before(calendar: WorkCalendar, today: date, count: int) -> list[date]:
    """The latest first."""
    found: list[date] = []
    day = today
    while len(found) < count:
        day -= timedelta(days=1)
        if calendar.is_workday(day):
            found.append(day)
    return found


@dataclass(frozen=True)
class Movement:
    """Figures of the past by unit and sector.

    Attributes:
        moments: of each calendar.
        counts: one row per measure, unit and sector ('' = none); a column for each instant of the moments.
    """

    moments: Mapping[WorkCalendar, Moments]
    counts: pd.DataFrame


def summed(counts: pd.DataFrame, sectors: Collection[str] | None) -> pd.DataFrame:
    """Sums of the sectors (None: all): a row per measure, a column per instant."""
    rows = counts if sectors is None else counts[counts["sector_code"].isin(sectors)]
    found = rows.drop(columns=["unit_code", "sector_code"]).groupby("measure").sum()
    return found.reindex(list(MEASURES), fill_value=0)


def read_movement(
    connection: Connection, now: datetime, calendars: Calendars, rules: RulesInForce, trend_days: int
) -> Movement:
    """Count at every instant that some calendar compares with.

    Raises:
        CalendarError: a calendar does not reach back so far.
    """
    all_calendars = dict.fromkeys([calendars.default, *(one.calendar for one in calendars.variants)])
    found = {calendar: moments(calendar, now, trend_days) for calendar in all_calendars}
    instants = sorted({at for one in found.values() for at in (one.previous, one.week, *one.days)})
    values: dict[str, Any] = {measure: rules.of(measure) for measure in MEASURES}
    values |= {"versions": rules.of(*MEASURES), "first": instants[0], "last": instants[-1]}
    values |= {f"at_{number}": at for number, at in enumerate(instants)}
    columns = ", ".join(
        f'count(*) FILTER (WHERE starts_at <= %(at_{number})s AND ends_at > %(at_{number})s) AS "{number}"'
        for number in range(len(instants))
    )
    counts = read_frame(connection, _MOVEMENT.format(counts=columns), values)
    counts.insert(0, "measure", counts.pop("rule_version_id").map(dict(rules.versions)))
    return Movement(found, counts.rename(columns={str(number): at for number, at in enumerate(instants)}))
