"""The monthly report as a Word document laid out by NĐ 30/2020/NĐ-CP, from a template that an office edits in Word."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final

from markupsafe import Markup

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.outputs.report import MonthlyReport
from tthc_monitor.outputs.report_fields import CHARTS, FIELDS
from tthc_monitor.outputs.report_own_tables import report_tables
from tthc_monitor.outputs.report_tables import Table
from tthc_monitor.outputs.report_words import report_words, title_of
from tthc_monitor.outputs.whole_file import write_whole
from tthc_monitor.outputs.word_charts import chart_of, with_chart
from tthc_monitor.outputs.word_fields import shape_of
from tthc_monitor.outputs.word_template import Properties, WordTemplate, open_template, render, require_fields
from tthc_monitor.report_settings import ReportSettings

SHIPPED_TEMPLATE: Final = "bao-cao-thang.docx"
"""Name of the template that comes with the program."""


def shipped_template() -> bytes:
    """The template that comes with the program, for an office to make its own of."""
    return files("tthc_monitor.outputs").joinpath("templates", SHIPPED_TEMPLATE).read_bytes()


def load_template(office: ReportSettings, base_dir: Path) -> WordTemplate:
    """The template of the settings, else the shipped one; every field in it is known.

    Args:
        base_dir: folder that a relative path starts at.

    Raises:
        ConfigError: it cannot be read, or asks for a field that there is not.
    """
    if office.template is None:
        template = open_template(SHIPPED_TEMPLATE, shipped_template())
    else:
        path = base_dir / Path(office.template).expanduser()
        try:
            content = path.read_bytes()
        except OSError as error:
            raise ConfigError(
                f"report.template {path} cannot be read: {error.strerror}; correct the path, or remove the setting"
            ) from None
        template = open_template(str(path), content)
    require_fields(template, shape_of(FIELDS))
    return template


def write_document(
    report: MonthlyReport,
    office: ReportSettings,
    template: WordTemplate,
    path: Path,
    tables: Sequence[Table] | None = None,
) -> Path:
    """Write the document; a reader never sees half of it. The same report, settings and template give the same bytes.

    Args:
        tables: those of the report, when they are made already.

    Returns:
        ``path``.

    Raises:
        ConfigError: the template cannot be filled; nothing is written then.
        DeliveryError: the folder cannot be written.
    """
    by_key = {table.key: table for table in (report_tables(report) if tables is None else tables)}
    values = report_words(report, office, by_key)
    parts = template.parts
    for name, (key, _) in CHARTS.items():
        chart = chart_of(name, by_key[key]) if key in by_key else None
        if chart is not None and template.names(name):
            parts = with_chart(parts, chart)
        values[name] = chart.paragraph() if chart is not None else Markup("")
    properties = Properties(title_of(report), office.office, report.as_of)
    return write_whole(path, lambda temporary: render(template, values, temporary, properties, parts))
