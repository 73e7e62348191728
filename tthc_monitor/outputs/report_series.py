"""The figures of a report's period beside those of the period before, the same of last year, and twelve months.

All are counted in one reading (``audit.reported_figures_of``); a frozen period gives its frozen figures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import pandas as pd

from tthc_monitor.domain.periods import Period, last_months, previous_period, same_period_last_year
from tthc_monitor.outputs.frames import read_frame
from tthc_monitor.outputs.report_columns import COUNTS
from tthc_monitor.outputs.report_units import Scope

if TYPE_CHECKING:
    from sqlalchemy import Connection

TREND_MONTHS: Final = 12

# By unit and sector where somebody reads them: of the period and the one before.
_FIGURES: Final = f"""
WITH reported AS (
    SELECT f.*, %(units)s::text[] IS NULL OR coalesce(f.unit_code = ANY(%(units)s::text[]), false) AS wanted
    FROM audit.reported_figures_of(%(periods)s::tstzrange[], %(units_as)s, %(zone)s, %(day)s::date) f
    WHERE f.kind = 'dossier'
)
SELECT period, wanted, CASE WHEN period <= 2 AND (wanted OR ambiguous) THEN coalesce(unit_code, '') END AS unit_code,
       CASE WHEN period <= 2 AND wanted THEN coalesce(sector_code, '') END AS sector_code,
       ambiguous, bool_or(frozen) AS frozen,
       {", ".join(f"sum({name})::bigint AS {name}" for name in COUNTS)}
FROM reported GROUP BY 1, 2, 3, 4, 5
"""
_SECTORS: Final = "SELECT sector_code, name FROM audit.sectors"


@dataclass(frozen=True)
class PeriodCounts:
    """What is counted of one period in the units of a report.

    Attributes:
        end: the end of the period, or the earlier instant to which it is clipped.
        counts: :data:`COUNTS`.
        known: whether the store holds anything received or ended in the period, in any unit; if not, the counts tell nothing.
        frozen: whether these are the figures of a frozen period.
    """

    period: Period
    end: datetime
    counts: dict[str, int]
    known: bool
    frozen: bool


@dataclass(frozen=True)
class Series:
    """Figures of several periods, reckoned alike.

    Attributes:
        figures: of the period, one row per unit and sector: codes (empty: none), names of sectors and :data:`COUNTS`.
        figures_before: the same of the period before.
        unclear: dossiers of the period by unit, of units whose successor nobody can say.
        this, before, year_ago: all units of the report together.
        months: twelve that end with the period's last, as far as they have begun; the earliest first.
    """

    figures: pd.DataFrame
    figures_before: pd.DataFrame
    unclear: dict[str, int]
    this: PeriodCounts
    before: PeriodCounts
    year_ago: PeriodCounts
    months: tuple[PeriodCounts, ...]


def read_series(connection: Connection, period: Period, now: datetime, scope: Scope) -> Series:
    """Count a period, those that it is compared with, and the months of its trend.

    Args:
        now: aware instant; periods that end later are clipped to it.
    """
    months = [month for month in last_months(period, TREND_MONTHS) if month.start < now]
    wanted = [period, previous_period(period), same_period_last_year(period), *months]
    # A month's own period and the one before are months of its trend too: each range is counted once.
    ranges = list(dict.fromkeys((one.start, min(one.end, now)) for one in wanted))
    values = {
        "periods": [f"[{start.isoformat()},{end.isoformat()})" for start, end in ranges],
        "units_as": scope.units_as,
        "zone": period.zone,
    }
    rows = read_frame(connection, _FIGURES, scope.values | values).astype({"wanted": bool, "ambiguous": bool})
    names = read_frame(connection, _SECTORS, {}).set_index("sector_code")["name"]

    def counted(one: Period) -> PeriodCounts:
        span = (one.start, min(one.end, now))
        every = rows[rows["period"] == ranges.index(span) + 1]
        moved = every[[name for name in COUNTS if name.startswith(("received", "finished"))]].to_numpy().sum()
        sums = every.loc[every["wanted"], list(COUNTS)].sum()
        return PeriodCounts(
            one, span[1], {name: int(sums[name]) for name in COUNTS}, bool(moved > 0), bool(every["frozen"].any())
        )

    def by_unit(place: int) -> pd.DataFrame:
        found = rows.loc[(rows["period"] == place) & rows["wanted"], ["unit_code", "sector_code", *COUNTS]]
        # Of a unit both clear and unclear there are two rows of a sector.
        found = found.groupby(["unit_code", "sector_code"], as_index=False)[list(COUNTS)].sum()
        found.insert(2, "sector_name", found["sector_code"].map(names))
        return found

    unclear = rows[(rows["period"] == 1) & rows["ambiguous"]]
    every = unclear[["received_online", "received_direct", "carried_over"]].sum(axis=1).groupby(unclear["unit_code"])
    return Series(
        by_unit(1),
        by_unit(2),
        {str(code): int(count) for code, count in every.sum().items()},
        counted(period),
        counted(wanted[1]),
        counted(wanted[2]),
        tuple(counted(month) for month in months),
    )
