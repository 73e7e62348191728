"""Commands about procedures and their time limits."""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import polars as pl
import typer
from rich.markup import escape
from rich.table import Table
from sqlalchemy import Connection

from tthc_monitor.catalogue.files import CatalogueFile, read_catalogue
from tthc_monitor.catalogue.limit_reasons import REASONS
from tthc_monitor.catalogue.limit_text import Reading
from tthc_monitor.catalogue.succession import succeed
from tthc_monitor.commands import context, procedure_page
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.installation import open_installation
from tthc_monitor.settings import Settings
from tthc_monitor.store.database import transaction
from tthc_monitor.store.procedures import procedure, record_procedures, search_procedures
from tthc_monitor.store.time_limits import Changes, held_limits, limits_of_procedure, replace_limits
from tthc_monitor.terminal import steps

app = typer.Typer(no_args_is_help=True, help="Procedures and their time limits.")

_DATE = ["%Y-%m-%d"]


@app.command("import")
def import_(
    file: Annotated[list[Path], typer.Argument(help="Files of the portal (.xlsx, .jsonl, .jsonl.gz) or own (.yaml).")],
    legal_basis: Annotated[str | None, typer.Option(help="Legal basis of the portal's limits.")] = None,
    valid_from: Annotated[
        datetime | None, typer.Option(formats=_DATE, help="Day from which the portal's limits hold.")
    ] = None,
    by: Annotated[str | None, typer.Option(help="Who imports; by default the name of this login.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and compare; keep nothing.")] = False,
    unread: Annotated[Path | None, typer.Option(help="CSV file for what was not read, with reasons.")] = None,
) -> None:
    """Read catalogues of procedures and replace the time limits of the procedures that they name."""
    settings = context.settings()
    with steps() as shown:
        found = []
        for path in file:
            with shown.step(f"reading {path.name}") as step:
                found.append(read_catalogue(path, legal_basis, step.rows))
        readings = [reading for one in found for reading in one.readings]
        if unread is not None:
            _write_unread(unread, readings)
        with shown.step("comparing" if dry_run else "storing"):
            changes = _store(settings, found, valid_from, by or _login(), dry_run=dry_run)
    if readings:
        typer.echo(context.plain(_summary(readings)))
    typer.echo(context.plain(_changes(found, changes)))
    if readings and unread is None and any(reading.reason for reading in readings):
        typer.echo("--unread FILE.csv writes down every limit that was not read")
    if dry_run:
        typer.echo("dry run: nothing was kept")


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        raise ConfigError("this login has no name; give the name of who imports with --by") from None


def _store(
    settings: Settings, found: Sequence[CatalogueFile], valid_from: datetime | None, by: str, *, dry_run: bool
) -> list[tuple[Changes, Changes]]:
    with open_installation(settings) as installation, transaction(installation.engine) as connection:
        at = installation.now()
        day = None if valid_from is None else valid_from.date()
        today = at.astimezone(ZoneInfo(settings.zone)).date()
        changes = []
        for one in found:
            limits = one.limits
            if one.origin == "portal":
                limits = tuple(succeed(held_limits(connection, "portal", one.scope), limits, day, today))
            changes.append(
                (
                    record_procedures(connection, one.entries, at, by),
                    replace_limits(connection, limits, one.scope, at, by, one.origin),
                )
            )
        if dry_run:
            connection.rollback()
    return changes


def _summary(readings: Sequence[Reading]) -> Table:
    """Limits read by unit and listed by reason, each by channel."""
    table = Table("limits on the portal", "direct", "online", "postal", "without table", "all", title_justify="left")
    counts = Counter((reading.reason or reading.unit or "", reading.channel) for reading in readings)
    for read in (True, False):
        kinds = Counter(
            (reading.reason or reading.unit or "") for reading in readings if (reading.reason is None) == read
        )
        for kind, total in [*kinds.most_common(), ("", kinds.total())]:
            group = [kind] if kind else list(kinds)
            cells = (sum(counts[name, channel] for name in group) for channel in ("direct", "online", "postal", None))
            what = ("read" if read else "not read") + (f": {kind}" if kind else ", in all")
            table.add_row(what, *map(str, cells), str(total), end_section=not kind)
    return table


def _changes(found: Sequence[CatalogueFile], changes: Iterable[tuple[Changes, Changes]]) -> Table:
    table = Table("file", "procedures", "new or changed", "limits", "added", "closed", "unchanged")
    for one, (procedures, limits) in zip(found, changes, strict=True):
        numbers = (len(one.entries or one.scope), procedures.added, len(one.limits),
                   limits.added, limits.closed, limits.unchanged)  # fmt: skip
        table.add_row(escape(one.path.name), *map(str, numbers))
    return table


def _write_unread(path: Path, readings: Iterable[Reading]) -> None:
    rows = [
        (reading.procedure_code, reading.channel, reading.reason, REASONS[reading.reason], reading.text)
        for reading in readings
        if reading.reason is not None
    ]
    columns = ("procedure_code", "channel", "reason", "reason_text", "portal_text")
    table = pl.DataFrame(rows, schema=dict.fromkeys(columns, pl.String), orient="row").write_csv(include_bom=True)
    try:
        path.write_text(table, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--unread {path} cannot be written: {error.strerror}; choose another file") from None


@app.command("list")
def list_(
    search: Annotated[str, typer.Option(help="Part of the code, the name or the sector.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many rows.", min=1)] = 100,
) -> None:
    """List procedures of the catalogue with the number of limits held for each."""
    with open_installation(context.settings()) as installation, transaction(installation.engine) as connection:
        rows = search_procedures(connection, search, limit + 1)
    table = Table("code", "name", "sector", "level", "limits")
    for row in rows[:limit]:
        table.add_row(*(escape("" if row[name] is None else str(row[name])) for name in row))
    typer.echo(context.plain(table))
    if not rows:
        typer.echo("no procedure found; search for less, or import a catalogue with: tthc-monitor procedures import")
    elif len(rows) > limit:
        typer.echo(f"only the first {limit}; give --search or a higher --limit")


@app.command("show")
def show(code: Annotated[str, typer.Argument(help="Code of the procedure, such as 1.004230.")]) -> None:
    """Show a procedure and its limits: channel, unit, dates, legal basis, how each is counted."""
    settings = context.settings()
    with open_installation(settings) as installation, transaction(installation.engine) as connection:
        page = _page(connection, settings, code)
    typer.echo(page)


def _page(connection: Connection, settings: Settings, code: str) -> str:
    entry, limits = procedure(connection, code), limits_of_procedure(connection, code)
    if entry is None and not limits:
        raise ConfigError(f"the catalogue has no procedure '{code}'; look for it with: tthc-monitor procedures list")
    head = procedure_page.heading(code, entry)
    if not limits:
        return f"{head}\n{procedure_page.NO_LIMITS}"
    return f"{head}\n{context.plain(procedure_page.limit_table(limits, settings.time_limits.policy))}"
