"""Commands about the one-stop systems: which there are, whether they answer, what they give, what could not be read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import polars as pl
import typer
from rich.markup import escape
from rich.table import Table

from connectors.base import Connector, Page, ReadsFiles
from tthc_monitor import ingest, jobs
from tthc_monitor.commands import context
from tthc_monitor.domain.errors import ConfigError, TthcError
from tthc_monitor.domain.records import Batch, Reject
from tthc_monitor.installation import Installation, make_connector, open_installation, system_clock
from tthc_monitor.settings import SourceSettings
from tthc_monitor.settings_schema import settings_schema
from tthc_monitor.store.database import transaction
from tthc_monitor.store.runs import rejects_of
from tthc_monitor.terminal import console, steps

app = typer.Typer(no_args_is_help=True, help="The one-stop systems that are pulled.")

_REJECTS_SHOWN = 20
_TOLD_OF_NEW = ("procedure_code", "unit_code", "source_status", "received_at", "due_current", "finished_at")

_Name = Annotated[str, typer.Argument(help="Name of the source.")]
_File = Annotated[Path | None, typer.Option("--file", help="Read this file instead of what the source's options name.")]
_Whole = Annotated[
    bool, typer.Option("--whole", help="The file of --file holds everything the source has, not a part of it.")
]


@app.command("list")
def sources_list() -> None:
    """List the sources of the configuration and how their last pull went."""
    with open_installation(context.settings()) as installation, transaction(installation.engine) as connection:
        last = {
            row.source: row
            for row in connection.exec_driver_sql(
                "SELECT DISTINCT ON (source) * FROM audit.pull_runs ORDER BY source, run_id DESC"
            )
        }
        table = Table("source", "kind", "every", "last pull", "outcome", "rows", "rejected")
        zone = ZoneInfo(installation.settings.zone)
        for source in installation.settings.sources:
            row = last.get(source.name)
            told = (
                ("never", "", "", "")
                if row is None
                else (
                    f"{row.started_at.astimezone(zone):%Y-%m-%d %H:%M}", row.outcome,
                    str(row.rows_read), str(row.rows_rejected),
                )
            )  # fmt: skip
            table.add_row(source.name, source.kind, str(source.every), *told)
    typer.echo(context.plain(table))


@app.command("test")
def sources_test(name: _Name) -> None:
    """Try a source cheaply and tell what is right, or what is wrong and what to do."""
    settings = context.settings()
    for line in make_connector(settings, settings.source(name), system_clock).check():
        typer.echo(f"✓ {line}")


@app.command("preview")
def sources_preview(
    name: _Name,
    rows: Annotated[int, typer.Option(help="At most so many dossiers.", min=1, max=1000)] = 5,
    file: _File = None,
) -> None:
    """Show the first dossiers as they would be kept, what could not be read, and codes nobody mapped; nothing is stored."""
    settings = context.settings()
    source = settings.source(name)
    connector = _over(make_connector(settings, source, system_clock), source, file)
    found: list[pl.DataFrame] = []
    rejects: list[Reject] = []
    unknown: Counter[tuple[str, str]] = Counter()
    for _, batch in _first_pages(connector, rows):
        found.append(batch.records)
        rejects += batch.rejects
        unknown.update({("status", code): rows for code, rows in _unmapped(batch.records)} | dict(batch.unknown))
    records = pl.concat(found).head(rows) if found else None
    if records is None or not records.height:
        typer.echo("the source gives no dossier that can be read")
    else:
        typer.echo(context.plain(_upright(records, settings.zone)))
    for line in (*_refused(rejects, rows), *_unknown(unknown)):
        typer.echo(line)


@app.command("pull")
def sources_pull(
    source: Annotated[list[str] | None, typer.Argument(help="Names of sources; by default all.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would change; store nothing.")] = False,
    file: _File = None,
    whole: _Whole = False,
) -> None:
    """Pull sources now and judge what changed; --dry-run shows what would change instead."""
    pull(source or (), dry_run=dry_run, file=file, whole=whole)


@app.command("rejects")
def sources_rejects(
    name: _Name,
    limit: Annotated[int, typer.Option(help="At most so many rows.", min=1)] = 50,
) -> None:
    """Show what the last pull of a source could not read, and why."""
    settings = context.settings()
    settings.source(name)
    with open_installation(settings) as installation, transaction(installation.engine) as connection:
        table = Table("where", "row", "column", "value", "reason")
        for row in rejects_of(connection, name, limit):
            table.add_row(*(escape("" if value is None else str(value)) for value in row))
    typer.echo(context.plain(table))


@app.command("schema")
def sources_schema() -> None:
    """The JSON Schema of the configuration file, every installed kind of source included, for editors."""
    typer.echo(json.dumps(settings_schema(), ensure_ascii=False, indent=2))


def pull(names: Sequence[str], *, dry_run: bool, file: Path | None = None, whole: bool = False) -> None:
    """Pull sources one after the other; a failed one does not keep the others from being pulled.

    Raises:
        typer.Exit: a pull failed; with the exit code of the first failure.
        ConfigError: no such source, a file for other than one source that reads files, or ``whole`` without a file.
    """
    settings = context.settings()
    chosen = [settings.source(name) for name in names] or list(settings.sources)
    if not chosen:
        raise ConfigError(f"{settings.document.file} names no sources; add one under 'sources'")
    if whole and file is None:
        raise ConfigError("--whole says what the file of --file is; name that file, or leave --whole out")
    if file is not None and len(chosen) != 1:
        raise ConfigError("--file is read as one source; name that source")
    with open_installation(settings) as installation:
        failed: TthcError | None = None
        for one in chosen:
            try:
                connector = _over(installation.connector(one), one, file, whole=whole)
                if dry_run:
                    _rehearse(installation, one, connector)
                else:
                    _pull(installation, one, connector)
            except TthcError as error:
                failed = failed or error
                console.print(f"{one.name}: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        if failed is not None:
            raise typer.Exit(failed.exit_code)


def _pull(installation: Installation, source: SourceSettings, connector: Connector) -> None:
    with steps() as shown, shown.step(f"pulling {source.name}") as step:
        done = jobs.pull_source(installation, source, step.rows, connector, by_hand=True)
    unmapped = done.rows_unmapped_status
    typer.echo(
        f"{source.name}: {done.rows_read} rows read, {done.rows_rejected} rejected, "
        f"{done.dossiers_new} new, {done.dossiers_changed} changed"
        + (f", {unmapped} with a status nobody mapped" if unmapped else "")
    )


def _rehearse(installation: Installation, source: SourceSettings, connector: Connector) -> None:
    with steps() as shown, shown.step(f"trying {source.name}") as step:
        told = ingest.rehearse(
            installation.engine,
            source.name,
            connector,
            now=installation.now,
            assertions=source.assertions,
            progress=step.rows,
        )
    for line in _rehearsed(source.name, told, installation.settings.zone):
        typer.echo(line)


def _rehearsed(name: str, told: ingest.Rehearsal, zone: str) -> Iterator[str]:
    done = told.totals
    yield (
        f"{name}: {done.rows_read} rows read, {done.rows_rejected} rejected; {done.dossiers_new} dossiers would be new, "
        f"{done.dossiers_changed} would change, {told.unchanged} stay as they are; nothing was stored"
    )
    if told.failed is not None:
        yield f"the pull would fail: {told.failed}"
    if told.missing:
        yield f"{told.missing} open dossiers are not listed, {told.vanished} of them would count as vanished"
    if told.note is not None:
        yield told.note
    for one in told.changed:
        yield f"change: {one.code or one.source_key}"
        for field, (before, after) in one.fields.items():
            yield f"    {field}: {_shown(before, zone) or '(empty)'} → {_shown(after, zone) or '(empty)'}"
    for new in told.new:
        shown = ", ".join(f"{field} {_shown(new[field], zone)}" for field in _TOLD_OF_NEW if field in new)
        yield f"new: {new.get('code') or new['source_key']}: {shown}"
    yield from _refused(told.rejects, _REJECTS_SHOWN)
    yield from _unknown(told.unknown)


def _refused(rejects: Sequence[Reject], shown: int) -> Iterator[str]:
    for reject in rejects[:shown]:
        yield f"refused: {_place(reject)}: {reject.reason}"
    if len(rejects) > shown:
        yield f"… and {len(rejects) - shown} more refused"


def _unknown(codes: Mapping[tuple[str, str], int]) -> Iterator[str]:
    for (field, value), rows in sorted(codes.items(), key=lambda item: -item[1]):
        yield f"unknown: {field} '{value[:80]}', {rows} rows; map it in the source's options, or leave it unknown"


def _over(connector: Connector, source: SourceSettings, file: Path | None, *, whole: bool = False) -> Connector:
    if file is None:
        return connector
    if not isinstance(connector, ReadsFiles):
        raise ConfigError(f"source {source.name} of kind {source.kind} reads no files; remove --file")
    if not file.is_file():
        raise ConfigError(f"{file} is no file; name the file to read")
    written = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    return connector.over(file.resolve(), file.name, whole=whole, as_of=written)


def _unmapped(records: pl.DataFrame) -> Sequence[tuple[str, int]]:
    """Statuses of the source that nobody mapped, with how many dossiers have them."""
    counted = records.filter(pl.col("status").is_null())["source_status"].drop_nulls().value_counts(sort=True)
    return counted.rows()


def _first_pages(connector: Connector, rows: int) -> Iterator[tuple[Page, Batch]]:
    read = 0
    for page in connector.fetch(None):
        batch = connector.normalise(page)
        read += batch.records.height
        yield page, batch
        if read >= rows:
            return


def _upright(records: pl.DataFrame, zone: str) -> Table:
    """One dossier a column: there are many more fields than dossiers."""
    table = Table("field", *(f"dossier {number}" for number in range(1, records.height + 1)))
    for name in records.columns:
        if records[name].null_count() < records.height:
            table.add_row(name, *(escape(_shown(value, zone)) for value in records[name]))
    return table


def _shown(value: object, zone: str) -> str:
    if value is None:
        return ""
    moment = getattr(value, "astimezone", None)
    return str(value) if moment is None else f"{moment(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S}"


def _place(reject: Reject) -> str:
    row = "" if reject.row is None else f", row {reject.row}"
    return f"{reject.location}{row}" + (f", column {reject.column}" if reject.column else "")
