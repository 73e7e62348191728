"""The monthly report as figures: form II.06a, the delayed dossiers behind it, units ranked, dossiers sent back.

Every figure comes from ``audit.reported_figures`` and ``audit.verdicts_as_of``; what is drawn from them is drawn in
:mod:`tthc_monitor.outputs.report_xlsx`. The figures of a frozen period stand; the lists are always as known now.
Petitions are not dossiers of TTHC and stay out of the form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.periods import Period, previous_period
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.outputs.frames import days_late, read_frame
from tthc_monitor.outputs.report_topics import TOPICS, Reading, Topic
from tthc_monitor.outputs.sealed import LedgerHead, read_ledger_head
from tthc_monitor.report_settings import ReportSettings
from tthc_monitor.store.frozen import Erratum, Frozen, read_errata, read_frozen

if TYPE_CHECKING:
    from sqlalchemy import Connection

COUNTS: Final = (
    "received_online",
    "received_direct",
    "carried_over",
    "finished_early",
    "finished_on_time",
    "finished_late",
    "finished_unknown",
    "pending_in_time",
    "pending_overdue",
    "pending_unknown",
)
"""The counts of ``audit.figures``: each dossier of the period stands in one of the first three and one of the rest."""

CARRIED_OVER: Final = "(6) kỳ này = (11) kỳ trước"
"""The equality of two periods; it may fail when one of them was frozen and data changed afterwards."""

_FIGURES: Final = f"""
SELECT coalesce(f.unit_code, '') AS unit_code, u.name AS unit_name, coalesce(f.sector_code, '') AS sector_code,
       s.name AS sector_name, {", ".join(f"sum(f.{name})::bigint AS {name}" for name in COUNTS)}
FROM audit.reported_figures(%(start)s, %(end)s, %(zone)s) f
LEFT JOIN audit.units u ON u.unit_code = f.unit_code
LEFT JOIN audit.sectors s ON s.sector_code = f.sector_code
WHERE f.kind = 'dossier' AND (%(units)s::text[] IS NULL OR f.unit_code = ANY(%(units)s::text[]))
GROUP BY 1, 2, 3, 4
"""
_UNITS: Final = """
SELECT unit_code, name AS unit_name FROM audit.units
WHERE %(units)s::text[] IS NULL OR unit_code = ANY(%(units)s::text[])
"""
_PERCENT: Final = """
SELECT code, audit.on_time_percent(on_time, late) AS on_time_percent,
       audit.on_time_percent(in_time, overdue) AS pending_in_time_percent,
       audit.on_time_percent(online, direct) AS online_percent
FROM unnest(%(codes)s::text[], %(on_time)s::numeric[], %(late)s::numeric[], %(in_time)s::numeric[],
            %(overdue)s::numeric[], %(online)s::numeric[], %(direct)s::numeric[])
     AS t (code, on_time, late, in_time, overdue, online, direct)
"""
# The same ends as in audit.figures: of two instants that contradict each other the later one counts.
_DELAYED: Final = """
SELECT d.dossier_id, coalesce(d.code, d.source_key) AS code, coalesce(d.unit_code, '') AS unit_code, d.unit_name,
       d.sector_code, coalesce(d.sector_name, d.sector_code) AS sector, d.procedure_code,
       coalesce(d.procedure_name, d.procedure_code) AS procedure, v.received_at, v.late_since AS due_at,
       CASE WHEN v.verdict = 'late' THEN v.ended_at END AS ended_at, v.verdict
FROM audit.verdicts_as_of(%(end)s - interval '1 microsecond') v JOIN audit.dossiers d USING (dossier_id)
WHERE v.kind = 'dossier' AND (%(units)s::text[] IS NULL OR v.unit_code = ANY(%(units)s::text[]))
  AND (v.verdict = 'open_overdue' OR v.verdict = 'late' AND greatest(v.ended_at, v.received_at) >= %(start)s)
ORDER BY d.unit_code NULLS LAST, due_at, code
"""
_SENT_BACK: Final = """
SELECT coalesce(d.code, d.source_key) AS code, coalesce(d.unit_code, '') AS unit_code, d.unit_name,
       coalesce(d.sector_name, d.sector_code) AS sector, coalesce(d.procedure_name, d.procedure_code) AS procedure,
       f.rule_code AS kind, f.starts_at AS happened_at, d.status_name AS status, d.supplement_count,
       f.rule_code = 'supplement_requested' AND f.ends_at >= %(end)s AS still_waiting
FROM audit.flags_in_force f JOIN audit.dossiers d USING (dossier_id)
WHERE f.rule_code IN ('returned', 'supplement_requested') AND d.kind = 'dossier'
  AND f.starts_at >= %(start)s AND f.starts_at < %(end)s
  AND (%(units)s::text[] IS NULL OR d.unit_code = ANY(%(units)s::text[]))
ORDER BY d.unit_code NULLS LAST, f.rule_code, happened_at, code
"""


@dataclass(frozen=True, slots=True)
class Check:
    """One equality that the form demands, held on every row; the two sides are those of the grand total."""

    name: str
    left: int
    right: int
    failing_rows: int

    @property
    def passed(self) -> bool:
        """Whether it holds on every row."""
        return self.failing_rows == 0 and self.left == self.right


@dataclass(frozen=True)
class MonthlyReport:
    """A monthly report as figures.

    Attributes:
        period: what it is about.
        scope: names of the units that it is limited to; empty means all.
        as_of: the instant its figures describe: the end of the period, or ``clipped`` to the instant it was made.
        figures: one row per unit and sector: codes, names and :data:`COUNTS`.
        figures_before: the same of the period before.
        total: :data:`COUNTS` of all together, with the shares below.
        units: one row per known unit: :data:`COUNTS`, ``late`` (finished late or overdue), ``on_time_percent`` (finished
            on time, of those finished with a known due date), ``pending_in_time_percent``, ``online_percent`` (of those
            received in the period); null without a denominator. The most late first.
        sectors: the same, one row per sector of the figures.
        delayed: one row per dossier finished late in the period or overdue at its end, ``working_days_late`` counted.
        sent_back: one row per return and per supplement request of the period.
        checks: the equalities of the form.
        frozen: who froze the figures and when; None while they follow the data.
        frozen_before: the same of the period before.
        errata: what would be counted otherwise now in a frozen period.
        ledger_head: the newest link of the ledger when it was made; None while the ledger is empty.
        topics: what :data:`~tthc_monitor.outputs.report_topics.TOPICS` found, in that order.
    """

    period: Period
    as_of: datetime
    clipped: bool
    reporting_unit: str
    scope: tuple[str, ...]
    figures: pd.DataFrame
    figures_before: pd.DataFrame
    total: pd.Series
    units: pd.DataFrame
    sectors: pd.DataFrame
    delayed: pd.DataFrame
    sent_back: pd.DataFrame
    checks: tuple[Check, ...]
    frozen: Frozen | None
    frozen_before: Frozen | None
    errata: tuple[Erratum, ...]
    ledger_head: LedgerHead | None
    topics: tuple[Topic, ...] = ()


def build_report(
    connection: Connection,
    period: Period,
    now: datetime,
    calendar: WorkCalendar,
    *,
    settings: ReportSettings,
    base_dir: Path = Path(),
    units: Sequence[str] | None = None,
) -> MonthlyReport:
    """Read the figures of a period.

    Args:
        now: aware instant; a period that ends later is clipped to it.
        calendar: working time, for the days of lateness.
        settings, base_dir: the report's part of the configuration, and the folder that its relative paths start at.
        units: unit codes to report on; None means all, dossiers of no unit included.

    Raises:
        ConfigError: the period has not begun, or a unit code is not known.
    """
    if period.start >= now:
        raise ConfigError(f"the period {period.month} has not begun; ask for a month that has")
    end = min(period.end, now)
    values: dict[str, Any] = {
        "start": period.start,
        "end": end,
        "zone": period.zone,
        "units": None if units is None else list(units),
    }
    known = read_frame(connection, _UNITS, values)
    if units is not None and (unknown := sorted(set(units) - set(known["unit_code"]))):
        raise ConfigError(f"no data of unit {', '.join(unknown)}; correct the code, or pull its data first")
    figures = read_frame(connection, _FIGURES, values)
    earlier = previous_period(period)
    before = read_frame(connection, _FIGURES, values | {"start": earlier.start, "end": earlier.end})
    delayed = read_frame(connection, _DELAYED, values, instants=("received_at", "due_at", "ended_at"))
    until = delayed["ended_at"].fillna(pd.Timestamp(end - timedelta(microseconds=1)))
    delayed["working_days_late"] = days_late(calendar, delayed["due_at"], until, period.zone)
    reading = Reading(
        connection, period, period.start, end, values["units"], calendar, delayed, figures, settings, base_dir, before
    )
    return MonthlyReport(
        period,
        end,
        end < period.end,
        settings.office,
        () if units is None else tuple(known["unit_name"].fillna(known["unit_code"]).sort_values()),
        figures.sort_values(["unit_code", "sector_code"], key=_named_first, ignore_index=True),
        before,
        _with_shares(
            connection, figures.assign(all="").groupby("all")[list(COUNTS)].sum().reindex([""], fill_value=0)
        ).iloc[0],
        _rank_units(connection, figures, known),
        _rank_sectors(connection, figures),
        delayed,
        read_frame(connection, _SENT_BACK, values, instants=("happened_at",)),
        form_checks(figures, before),
        read_frozen(connection, period),
        read_frozen(connection, earlier),
        read_errata(connection, period, units, "dossier"),
        read_ledger_head(connection, period.zone),
        tuple(topic.read(reading) for topic in TOPICS),
    )


def form_columns(counts: pd.DataFrame) -> pd.DataFrame:
    """Columns (3) to (13) of the form and the two of unknown due dates (14), (15), from :data:`COUNTS`, row by row.

    Totals (7) and (11) contain what stands in (14) and (15).
    """
    c = counts
    return pd.DataFrame(
        {
            3: c["received_online"] + c["received_direct"] + c["carried_over"],
            4: c["received_online"],
            5: c["received_direct"],
            6: c["carried_over"],
            7: c["finished_early"] + c["finished_on_time"] + c["finished_late"] + c["finished_unknown"],
            8: c["finished_early"],
            9: c["finished_on_time"],
            10: c["finished_late"],
            11: c["pending_in_time"] + c["pending_overdue"] + c["pending_unknown"],
            12: c["pending_in_time"],
            13: c["pending_overdue"],
            14: c["finished_unknown"],
            15: c["pending_unknown"],
        }
    ).astype("int64")


def form_checks(figures: pd.DataFrame, before: pd.DataFrame) -> tuple[Check, ...]:
    """The equalities of the form on every row, and that what was pending came over from the period before."""
    rows = form_columns(figures)

    def check(name: str, left: pd.Series, right: pd.Series) -> Check:
        return Check(name, int(left.sum()), int(right.sum()), int((left != right).sum()))

    carried = figures.groupby("unit_code")["carried_over"].sum()
    pending = form_columns(before)[11].groupby(before["unit_code"]).sum()
    carried, pending = carried.align(pending, fill_value=0)
    return (
        check("(3) = (4) + (5) + (6)", rows[3], rows[4] + rows[5] + rows[6]),
        check("(7) = (8) + (9) + (10) + (14)", rows[7], rows[8] + rows[9] + rows[10] + rows[14]),
        check("(11) = (12) + (13) + (15)", rows[11], rows[12] + rows[13] + rows[15]),
        check("(3) = (7) + (11)", rows[3], rows[7] + rows[11]),
        check(CARRIED_OVER, carried, pending),
    )


def _named_first(codes: pd.Series) -> pd.Series:
    """Sort key: the dossiers that name no unit or no sector come last."""
    return codes.mask(codes == "", "\U0010ffff")


def _rank_units(connection: Connection, figures: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    sums = figures.groupby("unit_code")[list(COUNTS)].sum()
    names = dict(zip(known["unit_code"], known["unit_name"], strict=True))
    sums = sums.reindex(sums.index.union(pd.Index(known["unit_code"], dtype=sums.index.dtype)), fill_value=0)
    return _ranked(connection, sums, names, "unit")


def _rank_sectors(connection: Connection, figures: pd.DataFrame) -> pd.DataFrame:
    names = dict(zip(figures["sector_code"], figures["sector_name"], strict=True))
    return _ranked(connection, figures.groupby("sector_code")[list(COUNTS)].sum(), names, "sector")


def _ranked(connection: Connection, sums: pd.DataFrame, names: dict[str, Any], of: str) -> pd.DataFrame:
    rows = _with_shares(connection, sums).rename_axis(f"{of}_code").reset_index()
    rows.insert(1, f"{of}_name", [names.get(code) for code in rows[f"{of}_code"]])
    return rows.sort_values(["late", f"{of}_code"], ascending=[False, True], ignore_index=True)


def _with_shares(connection: Connection, sums: pd.DataFrame) -> pd.DataFrame:
    """Sums by code, with shares that the database counts as auditors do, and how many are late altogether."""
    values = {
        "codes": sums.index.tolist(),
        "on_time": (sums["finished_early"] + sums["finished_on_time"]).tolist(),
        "late": sums["finished_late"].tolist(),
        "in_time": sums["pending_in_time"].tolist(),
        "overdue": sums["pending_overdue"].tolist(),
        "online": sums["received_online"].tolist(),
        "direct": sums["received_direct"].tolist(),
    }
    shares = read_frame(connection, _PERCENT, values).set_index("code")
    return sums.join(shares).assign(late=sums["finished_late"] + sums["pending_overdue"])
