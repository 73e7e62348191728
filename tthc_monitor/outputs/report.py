"""The report of a period as figures: form II.06a, the delayed dossiers behind it, units ranked, dossiers sent back.

Every figure comes from ``audit.reported_figures_of`` and ``audit.verdicts_as_of``; what is drawn from them is drawn in
:mod:`tthc_monitor.outputs.report_xlsx`. The figures of a frozen period stand; the lists are always as known now.
Petitions are not dossiers of TTHC and stay out of the form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.periods import Period, previous_period
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.outputs.report_columns import COUNTS, Check, form_checks
from tthc_monitor.outputs.report_lists import read_delayed, read_sent_back
from tthc_monitor.outputs.report_ranking import named_first, rank_sectors, rank_units, with_shares
from tthc_monitor.outputs.report_series import Series, read_series
from tthc_monitor.outputs.report_topics import Reading, Topic, read_topics
from tthc_monitor.outputs.report_units import Scope, UnitsAs, known_units, read_scope, unclear_note, unit_names
from tthc_monitor.outputs.sealed import LedgerHead, read_ledger_head
from tthc_monitor.report_settings import ReportSettings
from tthc_monitor.store.frozen import Erratum, Frozen, read_errata, read_frozen

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True, slots=True)
class IssuedPaper:
    """The issue that a report is, or that stands beside one which is made anew.

    Attributes:
        number: number and symbol, such as 05/BC-VPUB; empty when they were not told.
        at: when it was issued (UTC).
        previous_digest: of the issue before it in the chain.
        digest: of the issue itself, its files included; None in these very files, which cannot tell it.
    """

    number: str
    at: datetime
    previous_digest: str
    digest: str | None = None

    @property
    def is_this(self) -> bool:
        """Whether the report is the one that is issued, and none made anew."""
        return self.digest is None


@dataclass(frozen=True)
class MonthlyReport:
    """The report of a period as figures.

    Attributes:
        period: what it is about.
        scope: names of the units that it is limited to; empty means all. ``unit_notes``: what must be known of that choice.
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
        series: the figures of all periods that stand beside each other.
        made_at: when it was made (UTC); the paper is dated with this month.
        paper: the issue that it is, or that there is of its period and units already; None when there is none.
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
    series: Series
    made_at: datetime
    unit_notes: tuple[str, ...] = ()
    topics: tuple[Topic, ...] = ()
    paper: IssuedPaper | None = None


def build_report(
    connection: Connection,
    period: Period,
    now: datetime,
    calendar: WorkCalendar,
    *,
    settings: ReportSettings,
    base_dir: Path = Path(),
    units: Sequence[str] | None = None,
    subtree: bool = True,
    units_as: UnitsAs = "then",
) -> MonthlyReport:
    """Read the figures of a period.

    Args:
        now: aware instant; a period that ends later is clipped to it.
        calendar: working time, for the days of lateness.
        settings, base_dir: the report's part of the configuration, and the folder that its relative paths start at.
        units: unit codes to report on; None means all, dossiers of no unit included.
        subtree: the units below them too.
        units_as: units as they stood at the end of the period, or who answers for their dossiers now.

    Raises:
        ConfigError: the period has not begun, or a unit code is not known.
    """
    if period.start >= now:
        raise ConfigError(f"the period {period.name} has not begun; ask for one that has")
    # A few queries over all dossiers: what they sort and hash has room in memory, and compiling costs more than it saves.
    connection.exec_driver_sql("SET LOCAL work_mem = '128MB'; SET LOCAL jit = off")
    end = min(period.end, now)
    scope = read_scope(connection, period, end, now, units=units, subtree=subtree, units_as=units_as)
    series = read_series(connection, period, now, scope)
    delayed = read_delayed(connection, period.start, end, scope, calendar, period.zone)
    sent_back = read_sent_back(connection, period.start, end, scope)
    known = known_units(connection, scope)
    shown = {*known, *series.figures["unit_code"], *series.figures_before["unit_code"]}
    shown |= {*delayed["unit_code"], *sent_back["unit_code"]}
    names = unit_names(connection, scope, sorted(shown))
    figures, before, delayed, sent_back = (
        rows.assign(unit_name=rows["unit_code"].map(names)).astype({"unit_name": object})
        for rows in (series.figures, series.figures_before, delayed, sent_back)
    )
    figures = figures.sort_values(["unit_code", "sector_code"], key=named_first, ignore_index=True)
    reading = Reading(
        connection,
        period,
        period.start,
        end,
        scope.before,
        calendar,
        delayed,
        figures,
        settings,
        base_dir,
        scope,
        series,
    )
    total = figures.assign(all="").groupby("all")[list(COUNTS)].sum().reindex([""], fill_value=0)
    return MonthlyReport(
        period,
        end,
        end < period.end,
        settings.office,
        scope.labels,
        figures,
        before,
        with_shares(connection, total).iloc[0],
        rank_units(connection, figures, known, names),
        rank_sectors(connection, figures),
        delayed,
        sent_back,
        form_checks(figures, before),
        read_frozen(connection, period),
        read_frozen(connection, previous_period(period)),
        read_errata(connection, period, scope.before, "dossier"),
        read_ledger_head(connection, period.zone),
        series,
        now,
        _unit_notes(connection, scope, series),
        read_topics(reading),
    )


def _unit_notes(connection: Connection, scope: Scope, series: Series) -> tuple[str, ...]:
    unclear = unclear_note(connection, scope, series.unclear) if series.unclear else None
    return scope.notes if unclear is None else (*scope.notes, unclear)
