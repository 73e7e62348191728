"""Commands about the database: migrations, and logins for the service and for auditors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tthc_monitor.commands import context, database_backup
from tthc_monitor.installation import given_password, open_administration, open_database
from tthc_monitor.store import migrate
from tthc_monitor.store.auditors import create_auditor, not_logged
from tthc_monitor.store.database import address, transaction
from tthc_monitor.store.logins import create_service
from tthc_monitor.terminal import console

app = typer.Typer(
    no_args_is_help=True, help="The database: migrations, logins for the service and for auditors, backups."
)
database_backup.add_to(app)

PasswordFile = Annotated[
    Path | None, typer.Option(help="File with the login's password, instead of a random one that is printed.")
]
PasswordEnv = Annotated[
    str | None, typer.Option(help="Environment variable with the login's password, instead of a random one.")
]


@app.command("upgrade")
def db_upgrade() -> None:
    """Bring the database to the migration that this version needs."""
    with open_database(context.settings(), as_migrator=True) as engine:
        typer.echo(f"database at migration {migrate.upgrade(engine)}")


@app.command("status")
def db_status() -> None:
    """Tell which migration the database is at and which this version needs."""
    with open_database(context.settings()) as engine, transaction(engine) as connection:
        typer.echo(
            f"database at migration {migrate.current(connection) or 'none'}, this version needs {migrate.head()}"
        )


@app.command("auditor")
def db_auditor(
    name: Annotated[str, typer.Argument(help="Name of the login.")],
    unit: Annotated[
        list[str] | None, typer.Option(help="Code of a unit: only it and the units below it are seen; may be repeated.")
    ] = None,
    password_file: PasswordFile = None,
    password_env: PasswordEnv = None,
) -> None:
    """Make a login that may only read schema audit, and print its address; again gives it a new password."""
    settings = context.settings()
    password = given_password(password_file, password_env)
    with open_administration(settings) as engine, transaction(engine) as connection:
        url = create_auditor(connection, engine.url, name, tuple(unit or ()), password)
        missing = not_logged(connection, name)
    typer.echo(address(url, with_password=password is None))
    if missing:
        console.print(
            f"the server's log will not tell all that {name} asks, login {engine.url.username} may not set "
            f"{', '.join(missing)}; a superuser can, as docs/database-roles.md says",
            soft_wrap=True, markup=False, highlight=False,
        )  # fmt: skip
    if settings.database.migration_url is None and settings.database.url is None:
        console.print(
            "this address answers on this machine only (127.0.0.1), and while `tthc-monitor serve` runs; for auditors at other "
            "desks set up a server of your own, as docs/database-roles.md says",
            soft_wrap=True, markup=False, highlight=False,
        )  # fmt: skip


@app.command("service")
def db_service(
    name: Annotated[str, typer.Argument(help="Name of the login.")],
    password_file: PasswordFile = None,
    password_env: PasswordEnv = None,
) -> None:
    """Make a login for the service with the rights it needs, and print its address; again gives it a new password."""
    password = given_password(password_file, password_env)
    with open_administration(context.settings()) as engine, transaction(engine) as connection:
        url = create_service(connection, engine.url, name, password)
    # Who gave the password knows it, and logs keep what is printed.
    typer.echo(address(url, with_password=password is None))
