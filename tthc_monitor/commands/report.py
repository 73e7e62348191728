"""Commands about the monthly report."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, get_args

import typer
from rich.markup import escape
from rich.table import Table

from tthc_monitor import outbox_report
from tthc_monitor.commands import context, report_issue
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.periods import Period, Reckoning, report_period
from tthc_monitor.installation import open_installation
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.report_docx import shipped_template
from tthc_monitor.outputs.report_fields import listed
from tthc_monitor.outputs.report_form import COUNT_TITLES
from tthc_monitor.outputs.report_units import UnitsAs
from tthc_monitor.outputs.whole_file import write_whole
from tthc_monitor.report_settings import ReportFormat
from tthc_monitor.settings import Settings
from tthc_monitor.store.frozen import Erratum
from tthc_monitor.terminal import steps

app = typer.Typer(no_args_is_help=True, help="The monthly report.")
report_issue.add_to(app)

_Name = Annotated[
    str, typer.Option("--period", help="Month, quarter, half year or year: 2026-10, 2026-Q4, 2026-H1, 2026.")
]
_Kind = Annotated[Reckoning, typer.Option(help="Calendar periods, or 15th to 14th by NĐ 09/2019.")]


class _Format(StrEnum):
    """What ``--format`` takes: Typer knows no list of literals."""

    DOCX = "docx"
    XLSX = "xlsx"
    PDF = "pdf"
    CSV = "csv"
    JSON = "json"
    ALL = "all"


_KINDS: Final = {"dossier": "Hồ sơ TTHC", "petition": "Phản ánh, kiến nghị"}


@app.command("monthly")
def report_monthly(
    period: _Name,
    out: Annotated[Path, typer.Option(help="Folder for the files.")] = Path(),
    unit: Annotated[list[str] | None, typer.Option(help="Unit codes; by default all.")] = None,
    subtree: Annotated[bool, typer.Option(help="With the units below them at the end of the period.")] = True,
    units_as: Annotated[
        UnitsAs,
        typer.Option(help="Units as they stood at the end of the period, or who answers for their dossiers now."),
    ] = "then",
    kind: _Kind = "calendar",
    wanted: Annotated[
        list[_Format] | None,
        typer.Option(
            "--format",
            help="Word document to sign, workbook, PDF (by LibreOffice), a folder of CSV files, JSON, or all; give it "
            "again for each. By default xlsx.",
        ),
    ] = None,
    anew: Annotated[
        bool, typer.Option("--anew", help="Make it from what is known now, beside the one that was issued.")
    ] = False,
) -> None:
    """Write the report of a period as a workbook, a Word document, a PDF, CSV files or JSON."""
    settings = context.settings()
    span = _span(settings, period, kind)
    every: tuple[ReportFormat, ...] = get_args(ReportFormat)
    asked = {str(form) for form in wanted or ("xlsx",)}
    formats = tuple(form for form in every if {form, "all"} & asked)
    with open_installation(settings) as installation, steps() as shown:
        files = outbox_report.monthly_report(
            installation,
            span,
            out,
            tuple(unit or ()),
            formats,
            shown.step,
            subtree=subtree,
            units_as=units_as,
            anew=anew,
        )
    for shown_path in dict.fromkeys(file.parent if file.suffix == ".csv" else file for file in files):
        typer.echo(str(shown_path))


@app.command("template")
def report_template(
    out: Annotated[Path, typer.Option(help="The file to write, ending in .docx; it must not be there yet.")],
) -> None:
    """Write the shipped Word template, to make one's own of it (setting report.template)."""
    if out.suffix.lower() != ".docx":
        raise ConfigError(f"{out} is no name of a Word document; give one that ends in .docx")
    if out.exists():
        raise ConfigError(f"{out} is there already, and may have been edited; choose another name, or remove it")
    typer.echo(str(write_whole(out, lambda temporary: temporary.write_bytes(shipped_template()))))


@app.command("fields")
def report_fields() -> None:
    """Every field that a Word template may name, with its meaning."""
    table = Table("Trường", "Nghĩa")
    for name, meaning in listed():
        table.add_row(escape(name), escape(meaning))
    typer.echo(context.plain(table))


@app.command("freeze")
def report_freeze(
    period: _Name,
    person: Annotated[str, typer.Option("--by", help="Who decides it; recorded.")],
    kind: _Kind = "calendar",
) -> None:
    """Let the figures of a period that has ended stand for good; what changes later is listed as errata."""
    settings = context.settings()
    span = _span(settings, period, kind)
    with open_installation(settings) as installation, steps() as shown, shown.step(f"freezing {span.name}"):
        rows = outbox_report.freeze_period(installation, span, person)
    typer.echo(f"{span.name} ({wording.day(span.first_day)} – {wording.day(span.last_day)}): {rows} rows frozen")


@app.command("errata")
def report_errata(period: _Name, kind: _Kind = "calendar") -> None:
    """What would be counted otherwise now in a period that is frozen, unit by unit."""
    settings = context.settings()
    span = _span(settings, period, kind)
    with open_installation(settings) as installation:
        frozen, errata = outbox_report.errata(installation, span)
    typer.echo(
        f"Kỳ báo cáo {span.label} (từ ngày {wording.day(span.first_day)} đến ngày {wording.day(span.last_day)}), "
        f"số liệu đã chốt lúc {wording.instant(frozen.at, span.zone)} (người chốt: {frozen.person})"
    )
    typer.echo(context.plain(_table(errata)) if errata else "Không có đính chính.")


def _table(errata: tuple[Erratum, ...]) -> Table:
    table = Table("Đơn vị", "Loại", "Lĩnh vực", "Thủ tục", "Chỉ tiêu (cột Biểu II.06a)")
    for title in ("Đã chốt", "Hiện nay", "Chênh lệch"):
        table.add_column(title, justify="right")
    for one in errata:
        table.add_row(
            escape(wording.unit_label(one.unit_code, one.unit_name)),
            _KINDS.get(one.kind, one.kind),
            escape(one.sector_name or one.sector_code or ""),
            escape(" ".join(filter(None, (one.procedure_code, one.procedure_name)))),
            COUNT_TITLES[one.figure],
            wording.number(one.frozen),
            wording.number(one.now),
            f"{one.now - one.frozen:+d}",
        )
    return table


def _span(settings: Settings, name: str, kind: Reckoning) -> Period:
    return report_period(name, kind, settings.zone)
