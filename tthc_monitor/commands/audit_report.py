"""``tthc-monitor audit report``: signs to be checked, unit by unit, with the dossiers behind each number."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.markup import escape
from rich.table import Table

from tthc_monitor import judging
from tthc_monitor.commands import context
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.domain.periods import calendar_month
from tthc_monitor.installation import open_installation
from tthc_monitor.outbox_report import require_units
from tthc_monitor.outputs import wording
from tthc_monitor.outputs.sealed import head_line
from tthc_monitor.outputs.tell_tale import CAUTION, NOT_APPLIED, TellTale, build_tell_tale, write_csv
from tthc_monitor.outputs.tell_tale_xlsx import write_workbook
from tthc_monitor.store.database import transaction
from tthc_monitor.terminal import steps

_FORMS: Final = (".xlsx", ".csv")
_TABLE_WIDTH: Final = 160
"""Columns of a terminal below which the headings of the table would take more room than its numbers."""


def add_to(app: typer.Typer) -> None:
    """Give the ``audit`` commands this one."""
    app.command("report")(audit_report)


def audit_report(
    period: Annotated[str, typer.Option("--period", help="Month of the report, such as 2026-10.")],
    unit: Annotated[list[str] | None, typer.Option(help="Unit codes; by default all.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write too: .xlsx, or .csv with the dossiers beside it.")
    ] = None,
) -> None:
    """Tell which finishes, promises, returns and closings of a month want a second look, unit by unit."""
    settings = context.settings()
    month = calendar_month(period, settings.zone)
    if out is not None and out.suffix.lower() not in _FORMS:
        raise ConfigError(f"--out {out} is neither .xlsx nor .csv; choose a file name that ends in one of them")
    units = tuple(unit or ())
    with open_installation(settings) as installation, steps() as shown, shown.step(f"tell-tale report {month.name}"):
        judging.refresh(installation)
        with transaction(installation.engine) as connection:
            require_units(connection, units)
            report = build_tell_tale(connection, month, installation.now(), units or None)
    typer.echo(f"Dấu hiệu cần kiểm tra, {month.label}, tính đến {wording.instant(report.as_of, month.zone)}")
    if report.counts.empty:
        typer.echo(report.nothing)
    elif context.width() < _TABLE_WIDTH:
        typer.echo("\n".join(report.lines()))
    else:
        typer.echo(context.plain(_table(report)))
    typer.echo(CAUTION)
    typer.echo(f"Hồ sơ phía sau: {_query(report, units)}")
    typer.echo(head_line(report.ledger_head))
    if out is not None:
        written = write_csv(report, out) if out.suffix.lower() == ".csv" else (write_workbook(report, out),)
        for path in written:
            typer.echo(str(path))


def _query(report: TellTale, units: Sequence[str]) -> str:
    query = f"SELECT * FROM audit.tell_tale_dossiers WHERE month = '{report.period.first_day}'"
    if not units:
        return query
    codes = ", ".join("'{}'".format(unit.replace("'", "''")) for unit in units)
    return f"{query} AND unit_code IN ({codes})"


def _table(report: TellTale) -> Table:
    table = Table("Đơn vị")
    for figure in report.figures:
        table.add_column(figure.title, justify="right")
    table.add_column("Số hồ sơ", justify="right")
    for label, row in zip(report.unit_labels(), report.counts.to_dict("records"), strict=True):
        cells = [wording.number(int(row[one.name])) if one.applied else NOT_APPLIED for one in report.figures]
        table.add_row(escape(label), *cells, wording.number(int(row["dossiers"])))
    return table
