"""The exposition: what a scrape is told, read from the database each time.

Figures about dossiers come from a small snapshot (:mod:`tthc_monitor.outputs.snapshot`), and as long as that is the same,
so is their text: it is made once, and compressed once. Everything else is made at each reading. When the database does
not answer, the scrape says ``tthc_database_up 0`` and nothing else about the data: a figure that may be old is worse than
none. Labels are bounded: no dossier, officer or citizen is ever a label.
"""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

import structlog
from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from tthc_monitor.domain.calendars import Calendars
from tthc_monitor.domain.durations import WORKDAY_SECONDS
from tthc_monitor.domain.errors import DatabaseError
from tthc_monitor.outputs.metric_table import METRICS, UNKNOWN
from tthc_monitor.outputs.metrics_of_ledger import ledger_families
from tthc_monitor.outputs.metrics_of_operation import NOTHING_EXPECTED, Expectations, operation_families
from tthc_monitor.outputs.metrics_of_snapshot import family, rows, snapshot_families
from tthc_monitor.store.database import first_line, transaction

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = [
    "CONTENT_TYPE",
    "METRICS",
    "UNKNOWN",
    "VERSION",
    "Expectations",
    "Exposition",
    "ScrapeSettings",
    "exposition",
]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""Media type of an exposition."""

try:
    VERSION: Final = version("tthc-monitor")
except PackageNotFoundError:  # run from a plain folder
    VERSION = "0"  # type: ignore[misc]

_TIMEOUT: Final = "3s"
_LEVEL: Final = 6
_GZIP: Final = 31
"""What zlib calls the form of gzip, with the largest window."""

_TAKEN: Final = """
SELECT snapshot_id, taken_at, extract(epoch FROM taken_at)::float8, duration_seconds FROM tthc.metric_snapshot_taken
"""
_log = structlog.get_logger(__name__)


def _system_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class ScrapeSettings:
    """What a scrape is told beside what is in the database.

    Attributes:
        max_series: how many series about dossiers one scrape may carry; those of units are told all the same.
        calendars: by which units work.
        decreed_until: end of what the configured calendar knows; None when it does not say.
        objective: share of finished dossiers that are to end on time.
        overdue_limit_days: working days from which a dossier is overdue for long.
        public_url: address under which people reach the pages.
        expectations: by when jobs and sources are expected.
    """

    calendars: Calendars
    max_series: int = 20_000
    decreed_until: datetime | None = None
    objective: float = 0.98
    overdue_limit_days: int = 10
    public_url: str = "http://127.0.0.1:9766"
    expectations: Expectations = NOTHING_EXPECTED
    now: Callable[[], datetime] = field(default=_system_clock)


@dataclass(frozen=True)
class Rendered:
    """An exposition as it is sent: plain, and as gzip."""

    plain: bytes
    packed: bytes


@dataclass(frozen=True)
class _Body:
    """What is told of one snapshot, and the compressor as it is behind it."""

    identity: tuple[Any, ...]
    units: Sequence[str]
    plain: bytes
    packed: bytes
    compressor: Any


class _Families(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


class Exposition:
    """Reads and renders; keeps nothing but the text of the last snapshot.

    Args:
        engine: where the figures are.
        settings: what is told beside them.
    """

    def __init__(self, engine: Engine, settings: ScrapeSettings) -> None:
        self._engine = engine
        self._settings = settings
        self._body: _Body | None = None
        self._reading = threading.Lock()

    def read(self) -> Rendered:
        """Everything as it is now; of the data nothing when the database does not answer within 3 seconds a statement."""
        with self._reading:
            started = perf_counter()
            try:
                with transaction(self._engine) as connection:
                    body, families = self._data(connection)
                up = 1
            except (DatabaseError, SQLAlchemyError) as error:
                _log.warning("metrics_database_down", error=first_line(error))
                body, families, up = None, [], 0
            return _joined(body, _text([*families, *self._beside(up, perf_counter() - started)]))

    def unanswered(self, seconds: float) -> Rendered:
        """What is told after so many seconds without the end of a reading: that there is no database. Asks nobody."""
        _log.warning("metrics_database_down", error=f"no answer within {seconds:.1f} seconds")
        return _joined(None, _text(self._beside(0, seconds)))

    def _data(self, connection: Connection) -> tuple[_Body | None, list[Metric]]:
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{_TIMEOUT}'")
        now = self._settings.now()
        body: _Body | None = None
        families: list[Metric] = []
        for number, taken_at, seconds, duration in rows(connection, _TAKEN):
            body = self._body_of(connection, (number, taken_at), taken_at)
            families = [
                family("tthc_snapshot_timestamp_seconds", [((), seconds)]),
                family("tthc_snapshot_duration_seconds", [((), duration)]),
                family("tthc_unit_working", sorted(self._working(body.units, now))),
            ]
        families += operation_families(connection, self._settings.expectations, now)
        families += ledger_families(connection)
        return body, families

    def _body_of(self, connection: Connection, identity: tuple[Any, ...], taken_at: datetime) -> _Body:
        held = self._body
        if held is None or held.identity != identity:
            today = taken_at.astimezone(ZoneInfo(self._settings.calendars.zone)).date()
            told = snapshot_families(connection, self._settings.max_series, today)
            plain = _text(told.families)
            compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
            packed = compressor.compress(plain) + compressor.flush(zlib.Z_FULL_FLUSH)
            held = self._body = _Body(identity, told.units, plain, packed, compressor)
        return held

    def _working(self, units: Sequence[str], now: datetime) -> Iterator[tuple[list[str], float]]:
        calendars = self._settings.calendars
        works = {id(one): one.is_working(now) for one in (calendars.default, *(v.calendar for v in calendars.variants))}
        for unit in units:
            yield [unit or UNKNOWN], works[id(calendars.of_unit(unit))]

    def _beside(self, up: int, seconds: float) -> list[Metric]:
        """What does not come from the database."""
        return [
            *self._constants(),
            family("tthc_database_up", [((), up)]),
            family("tthc_collect_duration_seconds", [((), seconds)]),
        ]

    def _constants(self) -> list[Metric]:
        settings = self._settings
        told = [
            family("tthc_on_time_objective_ratio", [((), settings.objective)]),
            family("tthc_overdue_limit_working_seconds", [((), settings.overdue_limit_days * WORKDAY_SECONDS)]),
            family("tthc_monitor_build_info", [((VERSION,), 1)]),
            family("tthc_monitor_address_info", [((settings.public_url.rstrip("/"),), 1)]),
        ]
        if settings.decreed_until is not None:
            until = settings.decreed_until.timestamp()
            told.append(family("tthc_calendar_decreed_until_timestamp_seconds", [((), until)]))
        return list(told)


def exposition(engine: Engine, settings: ScrapeSettings) -> bytes:
    """All metrics in the Prometheus text format 0.0.4; never raises for a database that is down."""
    return Exposition(engine, settings).read().plain


def _text(families: Iterable[Metric]) -> bytes:
    return generate_latest(_Families(families))


def _joined(body: _Body | None, rest: bytes) -> Rendered:
    if body is None:
        compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        return Rendered(rest, compressor.compress(rest) + compressor.flush())
    # A copy begins where the compressor stopped, so that what is behind the body costs its own length only.
    compressor = body.compressor.copy()
    return Rendered(body.plain + rest, body.packed + compressor.compress(rest) + compressor.flush())
