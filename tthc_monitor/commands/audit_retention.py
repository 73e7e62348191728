"""The command that erases what has been kept long enough."""

from __future__ import annotations

from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.table import Table

from tthc_monitor import retention
from tthc_monitor.commands import context
from tthc_monitor.installation import Installation, open_installation
from tthc_monitor.terminal import steps


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("retention")(audit_retention)


def audit_retention(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be erased; write nothing.")] = False,
) -> None:
    """Erase what has been kept as long as the settings say; figures, verdicts and the chain of the ledger stay."""
    settings = context.settings()
    with open_installation(settings) as installation:
        if dry_run:
            typer.echo(_told(installation))
            return
        with steps() as shown, shown.step("retention") as step:
            done = retention.erase(installation, step.rows)
    typer.echo(f"details of {done.dossiers} dossiers erased in {done.observations} observations")
    for table, rows in done.texts.items():
        typer.echo(f"{table}: {rows} rows erased")


def _told(installation: Installation) -> str:
    settings = installation.settings
    due = retention.due(installation)
    ended_before = installation.now() - settings.retention.details
    zone = ZoneInfo(settings.zone)
    before = f"{ended_before.astimezone(zone):%Y-%m-%d %H:%M} ({settings.zone})"
    first = f"details of dossiers that ended before {before} would be erased"
    if not due:
        return f"{first}; there is nothing to erase"
    table = Table("table", "year", "rows", "oldest")
    for one in due:
        table.add_row(one.table, str(one.year), str(one.rows), f"{one.oldest.astimezone(zone):%Y-%m-%d %H:%M}")
    return f"{first}\n{context.plain(table)}\nnothing was written"
