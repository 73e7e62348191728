"""The topics of a report beyond form II.06a: each reads its figures once and gives tables, and words for the document.

A topic is a module of its own (``report_<topic>.py``): a reader, the fields it fills in the Word template, and the tables
it adds. What stands in :data:`TOPICS` is in every report, in that order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import pandas as pd

from tthc_monitor.domain.periods import Period
from tthc_monitor.domain.worktime import WorkCalendar
from tthc_monitor.outputs.cause_fields import FIELDS_CAUSES
from tthc_monitor.outputs.report_causes import read_causes
from tthc_monitor.outputs.report_comparison import FIELDS_COMPARISON, read_comparison
from tthc_monitor.outputs.report_gains import FIELDS_GAINS, read_gains
from tthc_monitor.outputs.report_integrity import FIELDS_INTEGRITY, read_integrity
from tthc_monitor.outputs.report_petitions import FIELDS_PETITIONS, read_petitions
from tthc_monitor.outputs.report_progress import FIELDS_PROGRESS, read_progress
from tthc_monitor.outputs.report_reception import FIELDS_RECEPTION, read_reception
from tthc_monitor.outputs.report_reconciliation import FIELDS_RECONCILIATION, read_reconciliation
from tthc_monitor.outputs.report_returns import FIELDS_RETURNS, read_returns
from tthc_monitor.outputs.report_series import Series
from tthc_monitor.outputs.report_tables import Table, TableColumn
from tthc_monitor.outputs.report_trend import FIELDS_TREND, read_trend
from tthc_monitor.outputs.report_units import Scope
from tthc_monitor.outputs.word_fields import Field
from tthc_monitor.report_settings import ReportSettings

if TYPE_CHECKING:
    from sqlalchemy import Connection


@dataclass(frozen=True)
class Reading:
    """What a topic reads from, in the one transaction of the report.

    Attributes:
        start, end: the period, its end not later than the instant of the report.
        units: codes under which the dossiers of the report stand, units below included; None means all.
        delayed: rows of :attr:`MonthlyReport.delayed` (``dossier_id``, codes, instants, ``working_days_late``, verdict).
        figures: rows of :attr:`MonthlyReport.figures`.
        settings, base_dir: the report's part of the configuration, and the folder that its relative paths start at.
        scope: the units by the names under which figures are shown; differs from ``units`` when they are meant as now.
        series: figures of the periods that stand beside each other.
        found: what the topics before this one found, in the order of :data:`TOPICS`.
    """

    connection: Connection
    period: Period
    start: datetime
    end: datetime
    units: list[str] | None
    calendar: WorkCalendar
    delayed: pd.DataFrame
    figures: pd.DataFrame
    settings: ReportSettings
    base_dir: Path
    scope: Scope
    series: Series
    found: tuple[Topic, ...] = ()

    @property
    def values(self) -> dict[str, Any]:
        """Parameters that queries of topics share."""
        return {"start": self.start, "end": self.end, "zone": self.period.zone, "units": self.units}


class Topic(Protocol):
    """What a topic found."""

    def tables(self) -> Sequence[Table]:
        """Its tables, for the workbook, CSV and JSON."""
        ...

    def words(self) -> Mapping[str, Any]:
        """A value for each field that it declares."""
        ...


class DelayedDetails(Protocol):
    """A topic that knows something of each delayed dossier."""

    def delayed(self) -> pd.DataFrame:
        """The columns that its source declares, a row for each dossier it knows, indexed by ``dossier_id``."""
        ...


@dataclass(frozen=True, slots=True)
class DelayedColumn:
    """A column that a topic adds to the list of delayed dossiers.

    Attributes:
        column: on the sheet, in CSV and in JSON.
        field: of ``ho_so_qua_han[]`` in the Word template.
    """

    column: TableColumn
    field: Field


@dataclass(frozen=True)
class TopicSource:
    """How a topic is read, the fields of the Word template that it fills, and what it adds to each delayed dossier.

    A topic with ``delayed`` is one of :class:`DelayedDetails`.
    """

    read: Callable[[Reading], Topic]
    fields: tuple[Field, ...]
    delayed: tuple[DelayedColumn, ...] = ()


def read_topics(reading: Reading) -> tuple[Topic, ...]:
    """What every topic found; each knows what those before it did, so that no figure is counted twice in two ways."""
    found: tuple[Topic, ...] = ()
    for source in TOPICS:
        found = (*found, source.read(replace(reading, found=found)))
    return found


TOPICS: Final[tuple[TopicSource, ...]] = (
    TopicSource(read_comparison, FIELDS_COMPARISON),
    TopicSource(read_trend, FIELDS_TREND),
    TopicSource(read_progress, FIELDS_PROGRESS),
    TopicSource(read_reception, FIELDS_RECEPTION),
    TopicSource(read_petitions, FIELDS_PETITIONS),
    TopicSource(read_returns, FIELDS_RETURNS),
    TopicSource(
        read_causes,
        FIELDS_CAUSES,
        (
            DelayedColumn(TableColumn("cause", "Nguyên nhân"), Field("nguyen_nhan", "nguyên nhân quá hạn")),
            DelayedColumn(
                TableColumn("cause_basis", "Căn cứ", paper=False),
                Field("can_cu_nguyen_nhan", "căn cứ xác định nguyên nhân"),
            ),
            DelayedColumn(TableColumn("fault", "Khâu chậm"), Field("khau_cham", "đơn vị, bước chậm")),
            DelayedColumn(TableColumn("apology", "Văn bản xin lỗi"), Field("xin_loi", "đã xin lỗi chưa")),
        ),
    ),
    TopicSource(read_integrity, FIELDS_INTEGRITY),
    TopicSource(read_reconciliation, FIELDS_RECONCILIATION),
    TopicSource(read_gains, FIELDS_GAINS),
)
