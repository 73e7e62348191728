"""Prometheus metrics: what is exported, and the collector that reads it at each scrape.

The figures about dossiers come from a small snapshot that each evaluation writes
(:mod:`tthc_monitor.outputs.snapshot`), so a scrape costs the same whether the store holds a thousand dossiers or ten
million. When the database does not answer, the scrape says ``tthc_database_up 0`` and nothing else about the data: a
figure that may be old is worse than none. Labels are bounded: no dossier, officer or citizen is ever a label.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final, Literal

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from tthc_monitor.domain.errors import DatabaseError
from tthc_monitor.store.database import first_line, transaction

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Media type of :func:`exposition`."""

MAX_SERIES: Final = 20_000
UNKNOWN: Final = "unknown"
"""Label value of a dossier that names no unit or no procedure; an empty label would be no label to Prometheus."""

try:
    VERSION: Final = version("tthc-monitor")
except PackageNotFoundError:  # run from a plain folder
    VERSION = "0"  # type: ignore[misc]

_TIMEOUT: Final = "3s"
_log = structlog.get_logger(__name__)

MetricType = Literal["gauge", "counter"]


@dataclass(frozen=True, slots=True)
class MetricSpec:
    """One exported metric: its name as scraped, type, help text and labels."""

    name: str
    type: MetricType
    help: str
    labels: tuple[str, ...] = ()

    def family(self) -> GaugeMetricFamily | CounterMetricFamily:
        """An empty family of this metric; samples are added to it, once per scrape."""
        make = GaugeMetricFamily if self.type == "gauge" else CounterMetricFamily
        return make(self.name, self.help, labels=self.labels)


_PAIR = ("unit", "procedure")
_ONLY_PAIRS = " Only pairs above 0 are exported; tthc_dossiers_open has every known unit."
_HIGH_WATER = " Never falls: corrections downward show in the audit views, not here."

METRICS: Final[tuple[MetricSpec, ...]] = (
    MetricSpec("tthc_dossiers_open", "gauge", "Dossiers received and not ended, at the last snapshot.", ("unit",)),
    MetricSpec("tthc_dossiers_overdue", "gauge", "Open dossiers past their due instant." + _ONLY_PAIRS, _PAIR),
    MetricSpec(
        "tthc_dossiers_due_soon", "gauge", "Open dossiers that fall due within 8 working hours." + _ONLY_PAIRS, _PAIR
    ),
    MetricSpec(
        "tthc_dossiers_supplement_requested",
        "gauge",
        "Dossiers that wait for the applicant to complete them." + _ONLY_PAIRS,
        _PAIR,
    ),
    MetricSpec(
        "tthc_dossiers_cannot_tell",
        "gauge",
        "Open dossiers of which nobody can tell whether they are late, mostly for want of a due date.",
        ("unit",),
    ),
    MetricSpec("tthc_petitions_overdue", "gauge", "Open petitions past their due instant.", ("unit",)),
    MetricSpec("tthc_dossiers_finished_total", "counter", "Dossiers received and ended." + _HIGH_WATER, ("unit",)),
    MetricSpec(
        "tthc_dossiers_finished_late_total",
        "counter",
        "Dossiers ended after their due instant." + _HIGH_WATER,
        ("unit",),
    ),
    MetricSpec("tthc_dossiers_returned_total", "counter", "Dossiers refused or stopped." + _HIGH_WATER, _PAIR),
    MetricSpec(
        "tthc_oldest_overdue_due_timestamp_seconds",
        "gauge",
        "Due instant of the dossier that has been overdue longest; absent while the unit has none.",
        ("unit",),
    ),
    MetricSpec("tthc_unit_info", "gauge", "Name of a unit; always 1.", ("unit", "name")),
    MetricSpec(
        "tthc_procedure_info", "gauge", "Name and sector of a procedure; always 1.", ("procedure", "name", "sector")
    ),
    MetricSpec(
        "tthc_source_last_success_timestamp_seconds",
        "gauge",
        "End of the source's last pull that went well.",
        ("source",),
    ),
    MetricSpec(
        "tthc_source_last_run_timestamp_seconds",
        "gauge",
        "End of the source's last pull, whatever came of it.",
        ("source",),
    ),
    MetricSpec("tthc_source_last_run_rows", "gauge", "Rows that the source's last pull read.", ("source",)),
    MetricSpec("tthc_source_last_run_rejected", "gauge", "Rows of the last pull that could not be read.", ("source",)),
    MetricSpec(
        "tthc_job_last_success_timestamp_seconds", "gauge", "End of the job's last run that went well.", ("job_name",)
    ),
    MetricSpec("tthc_evaluations_pending", "gauge", "Batches of changed dossiers that have not been judged yet."),
    MetricSpec("tthc_snapshot_timestamp_seconds", "gauge", "Instant that the figures about dossiers describe."),
    MetricSpec("tthc_snapshot_duration_seconds", "gauge", "How long the last snapshot took."),
    MetricSpec("tthc_series_dropped", "gauge", "Series left out of this scrape by the cap, the smallest values first."),
    MetricSpec(
        "tthc_calendar_decreed_until_timestamp_seconds",
        "gauge",
        "End of the last day for which the configured calendar has the decided days off.",
    ),
    MetricSpec("tthc_database_up", "gauge", "1 when the database answered this scrape, else 0."),
    MetricSpec("tthc_monitor_build_info", "gauge", "Version of the running program; always 1.", ("version",)),
)
"""Every exported metric; tests hold documentation, dashboards and alert rules against this table."""

_SPECS: Final = {spec.name: spec for spec in METRICS}

_SERIES = """
SELECT metric, unit_code, procedure_code, value, count(*) OVER () AS found
FROM tthc.metric_snapshot WHERE metric = ANY(%(names)s)
ORDER BY procedure_code = '' DESC, value DESC, metric, unit_code, procedure_code
LIMIT %(cap)s
"""
_RUNS = """
SELECT s.name,
       (SELECT extract(epoch FROM r.finished_at) FROM tthc.pull_runs r
        WHERE r.source_id = s.source_id AND r.outcome = 'ok' ORDER BY r.run_id DESC LIMIT 1),
       extract(epoch FROM last.finished_at), last.rows_read, last.rows_rejected
FROM tthc.sources s
LEFT JOIN LATERAL (
    SELECT r.finished_at, r.rows_read, r.rows_rejected FROM tthc.pull_runs r
    WHERE r.source_id = s.source_id AND r.outcome <> 'running' ORDER BY r.run_id DESC LIMIT 1
) last ON true
ORDER BY s.name
"""
_JOBS = """
SELECT job, extract(epoch FROM max(finished_at)) FROM tthc.job_runs
WHERE outcome = 'ok' AND finished_at IS NOT NULL GROUP BY job ORDER BY job
"""
_SINGLES = """
SELECT (SELECT count(*) FROM tthc.pending_evaluations), extract(epoch FROM t.taken_at), t.duration_seconds
FROM (VALUES (1)) one LEFT JOIN tthc.metric_snapshot_taken t ON true
"""
_UNITS = "SELECT unit_code, coalesce(name, unit_code) FROM audit.units ORDER BY unit_code"
_PROCEDURES = """
SELECT procedure_code, coalesce(name, procedure_code), coalesce(sector_name, sector_code, '')
FROM audit.procedures WHERE procedure_code = ANY(%(codes)s) ORDER BY procedure_code
"""


class TthcCollector(Collector):
    """Reads the figures in one short transaction per scrape and yields fresh families.

    Args:
        engine: where the figures are.
        max_series: how many series about dossiers one scrape may carry; those per unit come first, then the largest.
        decreed_until: end of what the configured calendar knows; None when it does not say.
    """

    def __init__(self, engine: Engine, *, max_series: int = MAX_SERIES, decreed_until: datetime | None = None) -> None:
        self._engine = engine
        self._decreed_until = decreed_until
        self._max_series = max_series

    def describe(self) -> Iterable[Metric]:
        """Nothing, so that registering does not read the database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families; of the data none when the database does not answer within 3 seconds a statement."""
        try:
            with transaction(self._engine) as connection:
                data = list(_read(connection, self._max_series))
            up = 1
        except (DatabaseError, SQLAlchemyError) as error:
            _log.warning("metrics_database_down", error=first_line(error))
            data, up = [], 0
        yield from data
        if self._decreed_until is not None:
            yield _family("tthc_calendar_decreed_until_timestamp_seconds", [((), self._decreed_until.timestamp())])
        yield _family("tthc_database_up", [((), up)])
        yield _family("tthc_monitor_build_info", [((VERSION,), 1)])


def exposition(engine: Engine, *, max_series: int = MAX_SERIES, decreed_until: datetime | None = None) -> bytes:
    """All metrics in the Prometheus text format 0.0.4; never raises for a database that is down."""
    registry = CollectorRegistry()
    registry.register(TthcCollector(engine, max_series=max_series, decreed_until=decreed_until))
    return generate_latest(registry)


def _family(name: str, samples: Iterable[tuple[Sequence[str], float]]) -> GaugeMetricFamily | CounterMetricFamily:
    family = _SPECS[name].family()
    for labels, value in samples:
        family.add_metric(list(labels), float(value))
    return family


def _rows(connection: Connection, query: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.exec_driver_sql(query, values or {})]


def _read(connection: Connection, cap: int) -> Iterator[Metric]:
    connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{_TIMEOUT}'")
    series = _rows(connection, _SERIES, {"names": list(_SPECS), "cap": cap})
    found = series[0][4] if series else _rows(connection, "SELECT count(*) FROM tthc.metric_snapshot")[0][0]
    by_metric: dict[str, list[tuple[Sequence[str], float]]] = {}
    for name, unit, procedure, value, _ in series:
        labels = (unit or UNKNOWN,) if len(_SPECS[name].labels) == 1 else (unit or UNKNOWN, procedure or UNKNOWN)
        by_metric.setdefault(name, []).append((labels, value))
    for name, samples in by_metric.items():
        yield _family(name, sorted(samples))
    yield _family("tthc_series_dropped", [((), found - len(series))])
    yield from _names(connection, series)
    yield from _operation(connection)


def _names(connection: Connection, series: list[tuple[Any, ...]]) -> Iterator[Metric]:
    units = _rows(connection, _UNITS)
    if any(row[1] == "" for row in series):
        units.append((UNKNOWN, "Chưa rõ đơn vị"))
    yield _family("tthc_unit_info", [(row, 1) for row in units])
    codes = sorted({row[2] for row in series if row[2]})
    procedures = _rows(connection, _PROCEDURES, {"codes": codes})
    if any(row[2] == "" and len(_SPECS[row[0]].labels) == 2 for row in series):
        procedures.append((UNKNOWN, "Chưa rõ thủ tục", ""))
    yield _family("tthc_procedure_info", [(row, 1) for row in procedures])


def _operation(connection: Connection) -> Iterator[Metric]:
    runs = _rows(connection, _RUNS)
    columns = ("last_success_timestamp_seconds", "last_run_timestamp_seconds", "last_run_rows", "last_run_rejected")
    for position, column in enumerate(columns, start=1):
        yield _family(
            f"tthc_source_{column}", [((row[0],), row[position]) for row in runs if row[position] is not None]
        )
    yield _family("tthc_job_last_success_timestamp_seconds", [((job,), at) for job, at in _rows(connection, _JOBS)])
    pending, taken_at, duration = _rows(connection, _SINGLES)[0]
    yield _family("tthc_evaluations_pending", [((), pending)])
    if taken_at is not None:
        yield _family("tthc_snapshot_timestamp_seconds", [((), taken_at)])
        yield _family("tthc_snapshot_duration_seconds", [((), duration)])
