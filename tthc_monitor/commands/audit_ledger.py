"""Commands that take the whole ledger out and bring it in on another server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tthc_monitor.commands import context
from tthc_monitor.commands.audit_rebuild import progress_shown
from tthc_monitor.commands.audit_verify import summary
from tthc_monitor.domain.ledger_heads import grouped
from tthc_monitor.installation import open_administration, open_installation
from tthc_monitor.ledger_files import export_ledger, import_ledger
from tthc_monitor.rebuild import rebuild
from tthc_monitor.terminal import steps

ledger = typer.Typer(no_args_is_help=True, help="The whole ledger as files.")


def add_to(app: typer.Typer) -> None:
    """Add the group of these commands to a group."""
    app.add_typer(ledger, name="ledger")


@ledger.command("export")
def audit_ledger_export(out: Annotated[Path, typer.Option(help="New folder for the files.")]) -> None:
    """Write the whole ledger as Parquet files with a manifest of hashes; pulls may go on meanwhile."""
    with (
        open_installation(context.settings()) as installation,
        steps() as shown,
        shown.step("writing the ledger") as step,
    ):
        manifest = export_ledger(installation.engine, out, installation.now(), step.advance)
    typer.echo(f"{out}: {len(manifest.files)} files, {manifest.rows('observations'):,} observations")
    if manifest.head is not None:
        typer.echo(f"head: {grouped(manifest.head)} (link {manifest.link})")


@ledger.command("import")
def audit_ledger_import(folder: Annotated[Path, typer.Argument(help="Folder of an export.")]) -> None:
    """Bring an export into a database without a ledger, as its owner, recompute it there, and judge what it tells."""
    with open_administration(context.settings()) as owner:
        with steps() as shown, shown.step("reading the ledger") as reading, shown.step("verifying") as verifying:
            _, verdict = import_ledger(owner, folder, reading.advance, verifying.rows)
        for notice in verdict.notices:
            typer.echo(f"notice: {notice}")
        typer.echo(summary(verdict))
        with open_installation(context.settings()) as installation, progress_shown() as progress:
            done = rebuild(owner, installation.grounds(), now=installation.now, progress=progress)
    typer.echo(f"{done.dossiers} dossiers and {done.flags} flags made from it")
