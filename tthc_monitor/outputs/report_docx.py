"""The monthly report as a Word document laid out by NĐ 30/2020/NĐ-CP, from a template that an office edits in Word."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.outputs.report import MonthlyReport
from tthc_monitor.outputs.report_fields import FIELDS
from tthc_monitor.outputs.report_words import report_words, title_of
from tthc_monitor.outputs.whole_file import write_whole
from tthc_monitor.outputs.word_charts import BarChart, with_chart
from tthc_monitor.outputs.word_fields import shape_of
from tthc_monitor.outputs.word_template import Properties, WordTemplate, clean, open_template, render, require_fields
from tthc_monitor.report_settings import ReportSettings

SHIPPED_TEMPLATE: Final = "bao-cao-thang.docx"
"""Name of the template that comes with the program."""

_CHART: Final = "bieu_do_don_vi"


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
) -> Path:
    """Write the document; a reader never sees half of it. The same report, settings and template give the same bytes.

    Returns:
        ``path``.

    Raises:
        ConfigError: the template cannot be filled; nothing is written then.
        DeliveryError: the folder cannot be written.
    """
    values = report_words(report, office)
    chart = _units_chart(values["don_vi_qua_han"])
    parts = template.parts
    if chart is not None and template.names(_CHART):
        parts = with_chart(parts, chart)
    values[_CHART] = chart.paragraph() if chart is not None else Markup("")
    properties = Properties(title_of(report), office.office, report.as_of)
    return write_whole(path, lambda temporary: render(template, values, temporary, properties, parts))


def _units_chart(units: Sequence[Mapping[str, Any]]) -> BarChart | None:
    if not units:
        return None
    series = {"Đã giải quyết quá hạn": "da_qua_han", "Đang giải quyết quá hạn": "dang_qua_han"}
    return BarChart(
        "BieuDoDonVi",
        [clean(unit["ten"]) for unit in units],
        {title: [unit[name] for unit in units] for title, name in series.items()},
    )
