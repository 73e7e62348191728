"""The monthly report in the formats that are asked for, side by side, from one reading of the figures."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tthc_monitor.outputs.pdf import find_converter, write_pdf
from tthc_monitor.outputs.report import MonthlyReport
from tthc_monitor.outputs.report_csv import write_tables
from tthc_monitor.outputs.report_docx import load_template, write_document
from tthc_monitor.outputs.report_json import write_json
from tthc_monitor.outputs.report_own_tables import report_tables
from tthc_monitor.outputs.report_xlsx import write_report
from tthc_monitor.outputs.word_template import WordTemplate
from tthc_monitor.report_settings import ReportFormat, ReportSettings

Step = Callable[[str], AbstractContextManager[object]]
"""Shows what is being done while it is."""


@dataclass(frozen=True)
class Writer:
    """What is needed to write reports, known to be there; made by :func:`make_writer`."""

    office: ReportSettings
    formats: tuple[ReportFormat, ...]
    template: WordTemplate | None

    def write(self, report: MonthlyReport, stem: Path, step: Step) -> list[Path]:
        """Write each format beside the others, the document first: what it cannot say stops all.

        Args:
            stem: path of the files without their ending; tables as CSV stand in the folder ``<stem>-csv``.

        Returns:
            every file that was written.

        Raises:
            ConfigError: the template cannot be filled, or LibreOffice cannot convert.
            DeliveryError: the folder cannot be written.
        """
        written, tables = [], report_tables(report)
        with _no_search_for_garbage(), tempfile.TemporaryDirectory(prefix="tthc-report-") as apart:
            document = (stem.parent if "docx" in self.formats else Path(apart)) / f"{stem.name}.docx"
            if self.template is not None:
                with step(document.name):
                    write_document(report, self.office, self.template, document, tables)
                if "docx" in self.formats:
                    written.append(document)
            if "xlsx" in self.formats:
                with step(f"{stem.name}.xlsx"):
                    written.append(write_report(report, stem.parent / f"{stem.name}.xlsx", tables))
            if "csv" in self.formats:
                folder = stem.parent / f"{stem.name}-csv"
                with step(folder.name):
                    written += write_tables(tables, folder, report.period.zone)
            if "json" in self.formats:
                with step(f"{stem.name}.json"):
                    written.append(write_json(report, tables, stem.parent / f"{stem.name}.json"))
            if "pdf" in self.formats:
                with step(f"{stem.name}.pdf"):
                    written.append(write_pdf(document, stem.parent / f"{stem.name}.pdf", report.as_of))
        return written


@contextmanager
def _no_search_for_garbage() -> Iterator[None]:
    """While a million cells are made, all of them wanted, looking them through again and again takes a quarter of the time."""
    searched = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searched:
            gc.enable()


def make_writer(office: ReportSettings, base_dir: Path, formats: Sequence[ReportFormat]) -> Writer:
    """A writer for these formats, before any figure is read.

    Args:
        base_dir: folder that a relative path of the settings starts at.

    Raises:
        ConfigError: the template cannot be used, or there is no LibreOffice for PDF.
    """
    if "pdf" in formats:
        find_converter()
    template = load_template(office, base_dir) if {"docx", "pdf"} & set(formats) else None
    return Writer(office, tuple(dict.fromkeys(formats)), template)
