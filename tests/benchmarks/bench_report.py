"""The report of a month of a province: a million dossiers of 150 units and more, twelve months and two years beside it.

``BENCH_AUDIT_URL`` names a database that :mod:`tests.benchmarks.audit_store` has filled, to measure again without filling.
The bare aggregation is ``audit.figures`` of the three periods that a report sets side by side: what its figures rest on.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, text

from tests.benchmarks.audit_store import fill
from tests.benchmarks.bench_store import clock, empty_database, quiet
from tests.benchmarks.harness import Measurement, Run, at_most, at_most_times, benchmark
from tests.benchmarks.plausible import calendar
from tthc_monitor.domain.periods import previous_period, report_period, same_period_last_year
from tthc_monitor.outputs.report import MonthlyReport, build_report
from tthc_monitor.outputs.report_files import make_writer
from tthc_monitor.report_settings import ReportFormat, ReportSettings
from tthc_monitor.store.database import make_engine

DOSSIERS = 1_000_000
FORMATS: Final[tuple[ReportFormat, ...]] = ("xlsx", "docx")
ZONE = "Asia/Ho_Chi_Minh"
OFFICE = ReportSettings(office="Văn phòng Ủy ban nhân dân Tỉnh Mẫu", abbreviation="VPUB")
# audit_store freezes October: the report follows the data in September.
PERIOD = report_period("2026-09", "calendar", ZONE)


@contextmanager
def store(dossiers: int) -> Iterator[Engine]:
    if address := os.environ.get("BENCH_AUDIT_URL"):
        yield make_engine(address)
        return
    with empty_database() as engine:
        fill(engine, dossiers)
        yield engine


def bare(engine: Engine) -> int:
    """The three periods, each counted by itself and summed by unit and sector."""
    counted = 0
    with engine.connect() as connection:
        for period in (PERIOD, previous_period(PERIOD), same_period_last_year(PERIOD)):
            query = text(
                "SELECT unit_code, sector_code, sum(received_online), sum(received_direct), sum(carried_over), "
                "sum(finished_early), sum(finished_on_time), sum(finished_late), sum(finished_unknown), "
                "sum(pending_in_time), sum(pending_overdue), sum(pending_unknown) "
                "FROM audit.figures(:start, :end, :zone) WHERE kind = 'dossier' GROUP BY 1, 2"
            )
            span = {"start": period.start, "end": period.end, "zone": period.zone}
            counted += len(connection.execute(query, span).all())
    return counted


def write(report: MonthlyReport, folder: Path, *formats: ReportFormat) -> None:
    """Write the files, tables and template made anew."""
    make_writer(OFFICE, Path(), formats).write(report, folder / "bao-cao", _silent)


def figures(engine: Engine) -> MonthlyReport:
    """All that a report reads and works out."""
    with engine.connect() as connection:
        return build_report(connection, PERIOD, clock(), calendar(), settings=OFFICE)


@cache
def measured(run: Run) -> dict[str, Measurement]:
    """Everything measured on one store."""
    quiet()
    dossiers = run.rows(DOSSIERS)
    with store(dossiers) as engine, tempfile.TemporaryDirectory() as folder:
        found = {"bare": run.measure("three periods in SQL", lambda: bare(engine), rows=dossiers, repeat=3)}
        found["figures"] = run.measure("figures of the report", lambda: figures(engine), rows=dossiers, repeat=3)
        report = figures(engine)
        for kind in FORMATS:
            found[kind] = run.measure(kind, partial(write, report, Path(folder), kind), rows=dossiers, repeat=3)
        # A process of its own: this one may have filled the store.
        address = engine.url.render_as_string(hide_password=False)
        command = [sys.executable, "-m", "tests.benchmarks.bench_report", address]
        told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600).stdout
        peak, delayed = (float(number) for number in told.split())
        note = f"{delayed:,.0f} delayed dossiers"
        found["memory"] = Measurement("figures, xlsx and docx", peak, dossiers, peak, peak, 1, note, "MB")
    return found


def main(address: str) -> None:
    """Make the report once; tell the peak of memory in MB, and how many delayed dossiers it lists."""
    quiet()
    report = figures(make_engine(address))
    with tempfile.TemporaryDirectory() as folder:
        write(report, Path(folder), *FORMATS)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(report.delayed))


@contextmanager
def _silent(_: str) -> Iterator[None]:
    yield


@benchmark(
    "report.figures",
    what="figures of a month, with two periods and twelve months beside it, against the SQL they rest on",
    budget=at_most_times(3),
)
def report_figures(run: Run) -> list[Measurement]:
    found = measured(run)
    return [found["figures"], found["bare"]]


@benchmark("report.whole", what="figures, workbook and document of a month of a million dossiers", budget=at_most(15))
def report_whole(run: Run) -> list[Measurement]:
    found = measured(run)
    parts = [found[name] for name in ("figures", "xlsx", "docx")]
    seconds = sum(one.seconds for one in parts)
    return [Measurement("figures, xlsx and docx", seconds, parts[0].rows, seconds, seconds, 1), *parts]


@benchmark("report.memory", what="memory of the process that makes it", budget=at_most(500, "MB"))
def report_memory(run: Run) -> list[Measurement]:
    return [measured(run)["memory"]]


if __name__ == "__main__":
    main(sys.argv[1])
