"""Commands that hand data out as files, and check files that were handed out."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import typer

from tthc_monitor.commands import context
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.installation import open_installation
from tthc_monitor.outputs.audit_export import DEFAULT_VIEWS, Order, checked_order, export
from tthc_monitor.outputs.export_manifest import Manifest, check_export
from tthc_monitor.terminal import Steps, console, steps

_VIEWS_HELP = f"View of schema audit, again for more; by default {', '.join(DEFAULT_VIEWS)}."


def add_to(app: typer.Typer) -> None:
    """Put the commands of this module under ``tthc-monitor audit``."""
    app.command("export")(audit_export)
    app.command("export-check")(audit_export_check)


def audit_export(
    out: Annotated[Path, typer.Option(help="Folder for the files; made where it is missing.")],
    view: Annotated[list[str] | None, typer.Option(help=_VIEWS_HELP)] = None,
    query: Annotated[Path | None, typer.Option(help="File with one SELECT, instead of views.")] = None,
    sql: Annotated[str | None, typer.Option(help="One SELECT, instead of views.")] = None,
    form: Annotated[Literal["csv", "parquet", "xlsx"], typer.Option("--format", help="Form of the files.")] = "csv",
    bom: Annotated[bool, typer.Option("--bom", help="CSV: begin with a byte order mark, for Excel.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the export that is in the folder.")] = False,
) -> None:
    """Export views of schema audit, or one query, to files with a manifest of hashes; all from one snapshot."""
    if query is not None and sql is not None:
        raise ConfigError("--query and --sql are two queries; give one")
    settings = context.settings()
    asked = sql if query is None else _text(query)
    order = checked_order(Order(out, form, settings.zone, tuple(view or ()), asked, bom, force))
    with open_installation(settings) as installation, steps() as shown, _Shown(shown) as files:
        manifest = export(installation.engine, order, files.begin)
    for one in manifest.files:
        typer.echo(f"{out / one.file}: {one.rows} rows{_remarks(one.neutralised, one.cut, one.sheets)}")
    typer.echo(_told(manifest))


def audit_export_check(
    folder: Annotated[Path, typer.Argument(help="Folder of an export.")],
) -> None:
    """Compare the files of an export with its manifest: hashes, sizes, rows and columns; needs no database."""
    manifest = check_export(folder)
    rows = sum(one.rows for one in manifest.files)
    typer.echo(f"{folder}: {len(manifest.files)} files, {rows} rows, all as exported")
    typer.echo(_told(manifest))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"--query {file} cannot be read: {error.strerror}; check the name and the rights") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"--query {file} is not UTF-8 at byte {error.start}; save it as UTF-8") from None


class _Shown:
    """One step on the terminal for each file, from its first row to the next file."""

    def __init__(self, shown: Steps) -> None:
        self._shown, self._open = shown, ExitStack()

    def __enter__(self) -> _Shown:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def begin(self, file: str) -> Callable[[int], None]:
        """Show the next file; gives what its rows are told to."""
        self._open.close()
        step = self._open.enter_context(self._shown.step(file))
        return lambda rows: step.rows(rows, None)


def _remarks(neutralised: int, cut: int, sheets: tuple[str, ...]) -> str:
    told = []
    if neutralised:
        told.append(f"{neutralised} texts kept from being formulas")
    if cut:
        console.print(
            f"{cut} texts are longer than a cell holds and were cut; choose csv or parquet to have them whole"
        )
        told.append(f"{cut} texts cut")
    if len(sheets) > 1:
        told.append(f"{len(sheets)} sheets")
    return f" ({', '.join(told)})" if told else ""


def _told(manifest: Manifest) -> str:
    as_of = manifest.as_of.astimezone(ZoneInfo(manifest.zone))
    head = manifest.ledger_head
    ledger = "the ledger is empty" if head is None else f"head of the ledger {head.chain_hash} (link {head.batch_id})"
    return f"as of {as_of.isoformat()}, {ledger}"
