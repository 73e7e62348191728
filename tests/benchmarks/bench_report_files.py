"""What writing a month's report costs: 20,000 delayed dossiers, 150 units, in every format but PDF.

Beside it the same cells written by xlsxwriter, the csv module and json as they come, without a look or a type; and the most
memory that a process takes that does nothing else.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import xlsxwriter

from tests.benchmarks.harness import Measurement, Run, at_most, at_most_times, benchmark
from tests.unit.made_report import UNITS, ZONE, made_report, stand_ins
from tthc_monitor.outputs.report import MonthlyReport
from tthc_monitor.outputs.report_csv import write_tables
from tthc_monitor.outputs.report_docx import load_template, write_document
from tthc_monitor.outputs.report_json import write_json
from tthc_monitor.outputs.report_own_tables import report_tables
from tthc_monitor.outputs.report_tables import Table
from tthc_monitor.outputs.report_xlsx import write_report
from tthc_monitor.report_settings import ReportSettings

DELAYED = 20_000
OFFICE = ReportSettings(office="Trung tâm Phục vụ hành chính công Tỉnh Mẫu")


def large(rows: int) -> MonthlyReport:
    """A report with so many delayed dossiers, each with what topics say of it."""
    return made_report(rows, UNITS, stand_ins(rows))


def write_all(report: MonthlyReport, folder: Path) -> None:
    """The four formats, as a report writes them."""
    tables = report_tables(report)
    write_document(report, OFFICE, load_template(OFFICE, folder), folder / "r.docx", tables)
    write_report(report, folder / "r.xlsx", tables)
    write_tables(tables, folder / "r-csv", ZONE)
    write_json(report, tables, folder / "r.json")


def bare_workbook(tables: Sequence[Table], path: Path) -> None:
    """The cells of the tables by xlsxwriter, formatted no further than days need."""
    with xlsxwriter.Workbook(path, {"strings_to_formulas": False, "strings_to_urls": False}) as workbook:
        dated = workbook.add_format({"num_format": "dd/mm/yyyy hh:mm"})
        for table in tables:
            sheet = workbook.add_worksheet(table.sheet)
            columns = [table.rows[column.name].tolist() for column in table.columns]
            for row, values in enumerate(zip(*columns, strict=True)):
                for place, value in enumerate(values):
                    if isinstance(value, pd.Timestamp):
                        sheet.write_datetime(row, place, value.to_pydatetime().replace(tzinfo=None), dated)
                    elif not pd.isna(value):
                        sheet.write(row, place, value)


def bare_csv(tables: Sequence[Table], folder: Path) -> None:
    """The tables by the csv module."""
    for table in tables:
        with (folder / f"{table.key}.csv").open("w", encoding="utf-8", newline="") as file:
            columns = [table.rows[column.name].tolist() for column in table.columns]
            csv.writer(file).writerows(zip(*columns, strict=True))


def bare_json(tables: Sequence[Table], path: Path) -> None:
    """The tables by pandas and the json module."""
    rows = {table.key: table.rows.astype(object).to_dict("records") for table in tables}
    path.write_text(json.dumps(rows, ensure_ascii=False, default=str), encoding="utf-8")


@benchmark("report.files", what="docx, xlsx, csv and json of a month", budget=at_most(10))
def files(run: Run) -> list[Measurement]:
    report = large(run.rows(DELAYED))
    tables = report_tables(report)
    with tempfile.TemporaryDirectory(prefix="tthc-bench-") as name:
        folder = Path(name)
        template = load_template(OFFICE, folder)
        rows = len(report.delayed)
        return [
            run.measure("all four", lambda: write_all(report, folder), rows=rows, repeat=3),
            run.measure(
                "docx", lambda: write_document(report, OFFICE, template, folder / "r.docx", tables), rows=rows, repeat=3
            ),
            run.measure("xlsx", lambda: write_report(report, folder / "r.xlsx", tables), rows=rows, repeat=3),
            run.measure("csv", lambda: write_tables(tables, folder / "r-csv", ZONE), rows=rows, repeat=3),
            run.measure("json", lambda: write_json(report, tables, folder / "r.json"), rows=rows, repeat=3),
        ]


@benchmark("report.xlsx", what="the workbook, beside its bare cells", budget=at_most_times(2))
def workbook(run: Run) -> list[Measurement]:
    report = large(run.rows(DELAYED))
    tables = report_tables(report)
    with tempfile.TemporaryDirectory(prefix="tthc-bench-") as name:
        folder, rows = Path(name), len(report.delayed)
        return [
            run.measure("report", lambda: write_report(report, folder / "r.xlsx", tables), rows=rows, repeat=3),
            run.measure("xlsxwriter", lambda: bare_workbook(tables, folder / "b.xlsx"), rows=rows, repeat=3),
        ]


@benchmark("report.csv", what="the CSV files and the JSON, beside their bare values", budget=at_most_times(3))
def plain(run: Run) -> list[Measurement]:
    report = large(run.rows(DELAYED))
    tables = report_tables(report)
    with tempfile.TemporaryDirectory(prefix="tthc-bench-") as name:
        folder, rows = Path(name), len(report.delayed)

        def ours() -> None:
            write_tables(tables, folder, ZONE)
            write_json(report, tables, folder / "r.json")

        def bare() -> None:
            bare_csv(tables, folder)
            bare_json(tables, folder / "b.json")

        return [
            run.measure("report", ours, rows=rows, repeat=3),
            run.measure("csv, json", bare, rows=rows, repeat=3),
        ]


@benchmark("report.files-memory", what="peak of a process that writes the four formats", budget=at_most(500, "MB"))
def memory(run: Run) -> list[Measurement]:
    rows = run.rows(DELAYED)
    program = (
        "import resource, tempfile; from pathlib import Path; from tests.benchmarks.bench_report_files import *\n"
        f"with tempfile.TemporaryDirectory() as name: write_all(large({rows}), Path(name))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    told = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    peak = float(told.stdout.split()[-1])
    return [Measurement("peak", peak, rows, peak, peak, 1, unit="MB")]
