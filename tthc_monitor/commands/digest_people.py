"""The command about who gets the morning mail."""

from __future__ import annotations

from typing import Annotated

import typer

from tthc_monitor.commands import context
from tthc_monitor.domain.errors import ConfigError
from tthc_monitor.installation import open_installation
from tthc_monitor.store.acknowledgements import take_back
from tthc_monitor.store.database import transaction


def digest_subscribe(
    address: Annotated[str, typer.Argument(help="Address of a recipient of the settings who wanted no digests.")],
) -> None:
    """Send digests again to a recipient who had stopped them by the link in one."""
    settings = context.settings()
    wanted = address.strip().lower()
    with open_installation(settings) as installation, transaction(installation.engine) as connection:
        if take_back(connection, wanted, installation.now()):
            typer.echo(f"{wanted}: gets digests again")
        elif any(one.address.strip().lower() == wanted for one in settings.digest.recipients):
            typer.echo(f"{wanted}: gets digests already")
        else:
            raise ConfigError(
                f"'{address}' has not stopped digests, and is no recipient; add it to digest.recipients, or correct it"
            )


def add_to(app: typer.Typer) -> None:
    """Add the command to those about the morning mail."""
    app.command("subscribe")(digest_subscribe)
