"""Commands for auditors and inspectors; each stands in a module of its own."""

from __future__ import annotations

import typer

from tthc_monitor.commands import (
    audit_export,
    audit_ledger,
    audit_rebuild,
    audit_report,
    audit_retention,
    audit_verify,
)

app = typer.Typer(no_args_is_help=True, help="For auditors: the ledger, and what it shows.")
for part in (audit_verify, audit_report, audit_export, audit_ledger, audit_rebuild, audit_retention):
    part.add_to(app)
