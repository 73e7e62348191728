"""Commands for auditors and inspectors; each stands in a module of its own."""

from __future__ import annotations

import typer

from tthc_monitor.commands import audit_report

app = typer.Typer(no_args_is_help=True, help="For auditors: the ledger, and what it shows.")
for part in (audit_report,):
    part.add_to(app)


@app.callback()
def _several() -> None:
    """Keep ``audit`` a group of commands, however many there are."""
