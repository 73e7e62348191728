"""Commands that take the database out as a file and bring it into an empty one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tthc_monitor.backup import make_backup, missing_logins, read_backup, restore_backup
from tthc_monitor.commands import context
from tthc_monitor.commands.audit_verify import summary
from tthc_monitor.domain.ledger_heads import grouped
from tthc_monitor.installation import open_database, system_clock
from tthc_monitor.store import migrate
from tthc_monitor.terminal import steps


def add_to(app: typer.Typer) -> None:
    """Add the commands to a group."""
    app.command("backup")(db_backup)
    app.command("restore")(db_restore)


def db_backup(file: Annotated[Path, typer.Argument(help="File to write; beside it FILE.json, its manifest.")]) -> None:
    """Dump the database into a file with a manifest that proves it; the service may go on meanwhile."""
    with (
        open_database(context.settings(), as_migrator=True) as engine,
        steps() as shown,
        shown.step("dumping the tables") as step,
    ):
        manifest = make_backup(engine, file, system_clock(), step.rows)
    typer.echo(f"{file}: {manifest.bytes:,} bytes, {manifest.tables} tables, migration {manifest.migration}")
    if manifest.head is not None:
        typer.echo(f"head: {grouped(manifest.head)} (link {manifest.link})")


def db_restore(file: Annotated[Path, typer.Argument(help="File of a backup; its manifest stands beside it.")]) -> None:
    """Bring a backup into an empty database, settle the roles there, and recompute the ledger."""
    manifest = read_backup(file)
    with open_database(context.settings(), as_migrator=True) as engine:
        with steps() as shown, shown.step("restoring the tables") as tables, shown.step("verifying") as verifying:
            verdict = restore_backup(engine, file, manifest, tables.rows, verifying.rows)
        missing = missing_logins(engine, manifest)
    typer.echo(f"{manifest.tables} tables restored, database at migration {migrate.head()}")
    for notice in verdict.notices:
        typer.echo(f"notice: {notice}")
    typer.echo(summary(verdict))
    if missing:
        typer.echo("logins are not in a backup; make again those that are still wanted:")
        for login in missing:
            typer.echo(f"  {login.command}")
